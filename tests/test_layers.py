"""Who may import whom: the table of the architecture, enforced over the syntax trees."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Rooms by rank; a module may import its own room and rooms of lower rank, never sideways.
RANKS = [
    {"errors", "exact", "limits"},
    {"network", "query"},
    {"verdict"},
    {"radius_bracket", "read", "write", "proof"},
    {"bounds"},
    {"lp"},
    {"milp", "search"},
    {"prover", "report"},
    {"portfolio"},
    {"verify"},
    {"batch", "bench", "cubes", "float32", "memorization", "radius"},
    {"sweep"},
    {"commands"},
    {"cli"},
    {"__main__"},
]
# Within these ranks the modules are the foundation together and may lean on one another.
TOGETHER = [{"errors", "exact", "limits"}, {"network", "query"}]
TRUSTED_BASE = ("errors", "exact", "network", "query", "verdict", "read", "proof")
HEAVY = {
    "highspy": {"relucert/lp/highs.py"},
    "numba": {"relucert/search/star/compiling.py"},
    "pulp": {"relucert/milp/pulp_model.py", "reductions/scaling/doors/formula_milp.py"},
    "matplotlib": {
        "relucert/report/plots.py",
        "relucert/report/plane.py",
        "relucert/report/plane_lines.py",
        "reductions/analysis/drawing.py",
        "reductions/graph.py",
    },
}


def _modules(package: Path):
    return sorted(path for path in package.rglob("*.py"))


def _imports(path: Path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module


def _room(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if parts[0] == "relucert" and len(parts) > 1 else None


def _rank(room: str) -> int:
    return next(index for index, rooms in enumerate(RANKS) if room in rooms)


def _own_room(path: Path) -> str:
    inside = path.relative_to(ROOT / "src/relucert")
    return inside.parts[0].removesuffix(".py")


@pytest.mark.parametrize(
    "path", _modules(ROOT / "src/relucert"), ids=lambda p: str(p.relative_to(ROOT))
)
def test_imports_go_downwards_only(path):
    own = _own_room(path)
    if own == "__init__":
        return
    for module in _imports(path):
        room = _room(module)
        if room is None or room == own:
            continue
        together = any({own, room} <= group for group in TOGETHER)
        assert together or _rank(room) < _rank(own), f"{own} must not import {module}"


def test_every_room_has_a_rank():
    rooms = {_own_room(path) for path in _modules(ROOT / "src/relucert")} - {"__init__"}
    assert rooms == set().union(*RANKS)


def test_the_trusted_base_imports_no_solver_and_no_engine():
    for path in _modules(ROOT / "src/relucert"):
        if _own_room(path) in TRUSTED_BASE:
            for module in _imports(path):
                assert _room(module) in (*TRUSTED_BASE, None, "limits")
                assert module.split(".")[0] not in ("highspy", "pulp", "reductions")


@pytest.mark.parametrize("name", sorted(HEAVY))
def test_heavy_libraries_have_one_home(name):
    users = {
        str(path.relative_to(root))
        for root, package in ((ROOT / "src", ROOT / "src/relucert"), (ROOT, ROOT / "reductions"))
        for path in _modules(package)
        if any(module.split(".")[0] == name for module in _imports(path))
    }
    assert users <= HEAVY[name]


def test_relucert_never_imports_reductions():
    for path in _modules(ROOT / "src/relucert"):
        assert not any(module.split(".")[0] == "reductions" for module in _imports(path)), path


def test_reductions_import_only_the_foundation_of_relucert():
    allowed = {"errors", "exact", "limits", "network", "query", "verdict", "read", "write"}
    for path in _modules(ROOT / "reductions"):
        inside = path.relative_to(ROOT / "reductions").parts[0]
        extra = {"verify"} if inside in ("scaling", "cli.py", "commands") else set()
        # The laboratory measures what these rooms decide, and runs programs as the benchmark does.
        extra |= {"bench", "memorization"} if inside == "scaling" else set()
        for module in _imports(path):
            room = _room(module)
            assert room is None or room in allowed | extra, f"{path} must not import {module}"


def test_no_assert_outside_the_tests():
    for package in (ROOT / "src/relucert", ROOT / "reductions"):
        for path in _modules(package):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            assert not any(isinstance(node, ast.Assert) for node in ast.walk(tree)), path
