"""Bundles: what is written is exact, comes back, and refuses to be edited."""

import json
import random
import shutil
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from reductions import payload
from reductions.answers import ExpectedAnswer, Why, expected_answer
from reductions.bundle import Bundle, read_bundle, write_bundle
from reductions.chains import chain_to
from reductions.dimacs import DimacsFile
from reductions.errors import DecodingError
from reductions.families import comments_of, generate
from reductions.manifest import manifest_text
from reductions.problems.satisfiability import Satisfiability
from reductions.solutions import read_solution, write_solution
from relucert.errors import FileError, InputError, UsageError
from relucert.network import Network
from relucert.read.network import read_network
from relucert.read.points import read_points
from relucert.read.vnnlib import read_vnnlib

MEMORIZATION, VERIFICATION = "robust-memorization", "network-verification"
TARGETS = (MEMORIZATION, VERIFICATION)

SAT = Satisfiability(3, ((1, 2, 3), (-1, -2), (-3, 1)))
UNSAT = Satisfiability(2, ((1, 2), (1, -2), (-1, 2), (-1, -2)))


def make(
    directory: Path,
    formula: Satisfiability,
    target: str,
    comments: tuple[str, ...] = (),
    **parameters: Fraction,
) -> Bundle:
    directory.mkdir(parents=True, exist_ok=True)
    write_bundle(
        directory,
        DimacsFile(formula, comments),
        target,
        parameters=parameters,
        answer=expected_answer(formula, comments),
        command="reductions reduce f.cnf",
        name="f.cnf",
    )
    return read_bundle(directory)


EDGE_CASES = [
    SAT,
    UNSAT,
    Satisfiability(0, ()),
    Satisfiability(0, ((),)),
    Satisfiability(1, ()),
    Satisfiability(1, ((1,),)),
    Satisfiability(1, ((1,), (-1,))),
    Satisfiability(3, ((1, -1), (2, 2, -3))),
    Satisfiability(2, ((), (1, 2))),
    Satisfiability(5, ((2, 3),)),
    Satisfiability(4, ((1, 2, 3, 4), (-1, -2, -3, -4))),
]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("formula", EDGE_CASES, ids=lambda f: f"{f.variables}-{f.clauses}")
def test_every_edge_case_makes_a_whole_bundle(tmp_path, formula, target) -> None:
    bundle = make(tmp_path, formula, target)
    bundle.verify_files()
    satisfiable = formula.solve_by_enumeration() is not None
    expected = bundle.manifest["expected"]
    assert expected["source"] == ("satisfiable" if satisfiable else "unsatisfiable")
    assert ("assignment" in expected) == satisfiable
    assert ("proof" in expected) == (not satisfiable)
    assert "no evidence" not in bundle.recheck()
    assert bundle.source.formula == formula
    if satisfiable:
        solution = bundle.instance.encode(bundle.assignment)
        path = tmp_path / ("network.npz" if target == MEMORIZATION else "witness.txt")
        write_solution(path, bundle.instance.target, solution)
        decoded = bundle.decode(read_solution(path, bundle.instance.target))
        assert formula.check(decoded)
    else:
        assert bundle.instance.target.solve_by_enumeration() is None


@pytest.mark.parametrize("target", TARGETS)
def test_same_input_same_bytes(tmp_path, target) -> None:
    for name in ("a", "b"):
        made = generate("random-3sat", {"n": 12}, seed=4)
        make(tmp_path / name, made.formula, target, tuple(comments_of(made)))
    first, second = sorted((tmp_path / "a").iterdir()), sorted((tmp_path / "b").iterdir())
    assert [path.name for path in first] == [path.name for path in second]
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()
    manifest = read_bundle(tmp_path / "a").manifest
    assert manifest["source"]["seed"] == 4
    assert manifest["source"]["family"] == "random-3sat"


def test_points_are_those_of_the_target(tmp_path) -> None:
    bundle = make(tmp_path, SAT, MEMORIZATION)
    target = bundle.instance.target
    for name in ("points.npz", "points.csv"):
        read = read_points(tmp_path / name)
        assert [list(read.point(i)) for i in range(len(read))] == target.dense_points()
        assert list(read.labels) == list(target.labels)


def test_network_and_property_are_those_of_the_target(tmp_path) -> None:
    bundle = make(tmp_path, SAT, VERIFICATION, slack=Fraction(1, 4))
    network, query = (
        read_network(tmp_path / "network.onnx"),
        read_vnnlib(tmp_path / "property.vnnlib"),
    )
    target = bundle.instance.target
    rng = random.Random(3)
    for _ in range(50):
        point = tuple(Fraction(rng.randrange(-2, 11), 8) for _ in range(3))
        outputs = network.evaluate_exactly(point)
        assert outputs == target.network.evaluate_exactly(point)
        assert query.violated_by(point, outputs) == target.query.violated_by(point, outputs)


def test_onnx_runs_elsewhere(tmp_path) -> None:
    """onnxruntime, in float32, counts the satisfied clauses at every vertex."""
    import onnx
    import onnxruntime

    make(tmp_path, SAT, VERIFICATION)
    model = onnx.load(tmp_path / "network.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert model.opset_import[0].version <= 17
    assert len(model.graph.input) == len(model.graph.output) == 1
    session = onnxruntime.InferenceSession(str(tmp_path / "network.onnx"))
    shape = session.get_inputs()[0].shape
    for bits in range(8):
        values = [bool(bits >> i & 1) for i in range(3)]
        point = np.array(values, dtype=np.float32).reshape(shape)
        count = sum(any(values[abs(x) - 1] == (x > 0) for x in c) for c in SAT.clauses)
        assert session.run(None, {session.get_inputs()[0].name: point})[0].item() == count


@pytest.mark.parametrize(
    ("target", "parameters", "error"),
    [
        (MEMORIZATION, {"budget": Fraction(1, 32)}, InputError),
        (MEMORIZATION, {"budget": Fraction(-1)}, InputError),
        (MEMORIZATION, {"scale": Fraction(0)}, InputError),
        (MEMORIZATION, {"slack": Fraction(1, 2)}, UsageError),
        (VERIFICATION, {"budget": Fraction(1, 100)}, UsageError),
        (VERIFICATION, {"slack": Fraction(1)}, InputError),
        (VERIFICATION, {"threshold": Fraction(2)}, InputError),
        (VERIFICATION, {"threshold": Fraction(4)}, InputError),
        (VERIFICATION, {"threshold": Fraction(3), "slack": Fraction(0)}, UsageError),
        ("set-splitting", {}, UsageError),
    ],
)
def test_bad_parameters(tmp_path, target, parameters, error) -> None:
    with pytest.raises(error):
        make(tmp_path, SAT, target, **parameters)
    assert not (tmp_path / "bundle.json").exists()


@pytest.mark.parametrize("target", TARGETS)
def test_a_formula_too_large_for_memory_is_refused(target) -> None:
    with pytest.raises(InputError, match="60,000,000 variables"):
        chain_to(target, Satisfiability(60_000_000, ((1,),)), {})


@pytest.mark.parametrize("target", TARGETS)
def test_large_targets_are_written_sparse(tmp_path, monkeypatch, target) -> None:
    """Above the limits: the same numbers, in sparse arrays, and the note says so."""
    monkeypatch.setattr(payload, "DENSE_LIMIT", 10)
    bundle = make(tmp_path, SAT, target)
    assert "sparse" in bundle.manifest["notes"][0]
    made = bundle.instance.target
    if target == VERIFICATION:
        network = read_network(tmp_path / "network.npz")
        point = (Fraction(1, 3), Fraction(1, 7), Fraction(0))
        assert network.evaluate_exactly(point) == made.network.evaluate_exactly(point)
        assert not network.layers[0].is_dense
    else:
        with np.load(tmp_path / "points.npz") as arrays:
            parts = tuple(arrays[f"points_{part}"] for part in ("data", "indices", "indptr"))
            points = sp.csr_array(parts, shape=tuple(arrays["points_shape"])).toarray()
            assert points.tolist() == made.dense_points()
            assert arrays["labels"].tolist() == list(made.labels)


def test_many_points_are_not_written_as_text(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(payload, "CSV_LIMIT", 10)
    bundle = make(tmp_path, SAT, MEMORIZATION)
    assert set(bundle.manifest["files"]) == {"points.npz"}
    assert "CSV" in bundle.manifest["notes"][0]


@pytest.mark.parametrize(("scale", "kind"), [(Fraction(8), "f4"), (1 + Fraction(1, 2**40), "f8")])
def test_points_are_float32_where_that_is_exact(tmp_path, scale, kind) -> None:
    make(tmp_path, SAT, MEMORIZATION, scale=scale)
    with np.load(tmp_path / "points.npz") as arrays:
        assert arrays["points"].dtype == kind
        assert Fraction(float(arrays["points"].max())) == scale


def test_numbers_that_a_format_cannot_hold_are_refused(tmp_path) -> None:
    with pytest.raises(InputError, match="power of two"):
        make(tmp_path, SAT, MEMORIZATION, scale=Fraction(1, 3))
    with pytest.raises(InputError, match="decimal"):
        make(tmp_path, SAT, VERIFICATION, slack=Fraction(1, 3))


@pytest.mark.parametrize(
    ("target", "parameters"),
    [
        (MEMORIZATION, {"budget": Fraction(0)}),
        (MEMORIZATION, {"budget": Fraction(1, 33), "scale": Fraction(4)}),
        (VERIFICATION, {"slack": Fraction(0)}),
        (VERIFICATION, {"threshold": Fraction(29, 10)}),
    ],
)
def test_parameters_survive_exactly(tmp_path, target, parameters) -> None:
    bundle = make(tmp_path, SAT, target, **parameters)
    again = bundle.instance.target
    if target == MEMORIZATION:
        expected = parameters["budget"] * parameters.get("scale", 1)
        assert again.budget == expected
    else:
        threshold = parameters.get("threshold", Fraction(3))
        assert again.query.cases[0].unsafe[0].limits == (-threshold,)
    solution = bundle.instance.encode(bundle.assignment)
    assert SAT.check(bundle.decode(solution))


def test_expected_answers_carry_their_reason(monkeypatch) -> None:
    planted = generate("hidden-ksat", {"n": 30}, seed=1)
    answer = expected_answer(planted.formula, comments_of(planted))
    assert (answer.why, answer.assignment) == (Why.PLANTED, planted.planted)
    assert expected_answer(SAT).why is Why.SOLVER
    assert expected_answer(UNSAT).why is Why.PROOF
    assert expected_answer(UNSAT, ["planted: 1 2"]).why is Why.PROOF
    assert expected_answer(SAT, timeout=0).satisfiable is None
    hard = generate("tseitin", {"n": 40, "degree": 4}, seed=1).formula
    unknown = expected_answer(hard, timeout=0.2)
    assert unknown.satisfiable is None
    assert "time limit" in unknown.words
    import sys

    monkeypatch.setitem(sys.modules, "pysat.solvers", None)
    assert expected_answer(SAT).why is Why.ENUMERATION
    assert expected_answer(UNSAT).satisfiable is False
    assert expected_answer(hard).why is Why.UNKNOWN


@pytest.mark.parametrize("seed", ["9" * 5000, "x", "-1", "²", ""])
def test_comments_that_are_no_seed(tmp_path, seed) -> None:
    bundle = make(tmp_path, SAT, VERIFICATION, (f"seed: {seed}", "family: größe \x00"))
    assert bundle.manifest["source"]["seed"] is None
    assert bundle.source.formula == SAT


def test_unknown_answers_are_written_as_unknown(tmp_path) -> None:
    answer = ExpectedAnswer(None, Why.UNKNOWN, "time limit")
    bundle = write_bundle(
        tmp_path,
        DimacsFile(SAT),
        VERIFICATION,
        parameters={},
        answer=answer,
        command="c",
        name="f",
    )
    assert bundle.manifest["expected"]["target"] == "unknown"
    assert "no evidence" in bundle.recheck()


def test_edited_files_are_named(tmp_path) -> None:
    bundle = make(tmp_path / "b", UNSAT, VERIFICATION)
    for name in bundle.manifest["files"]:
        copy = tmp_path / name
        shutil.copytree(tmp_path / "b", copy)
        content = (copy / name).read_bytes()
        (copy / name).write_bytes(content[:-2] + bytes([content[-2] ^ 1]) + content[-1:])
        with pytest.raises(FileError, match=name.replace(".", r"\.") + ": was edited"):
            read_bundle(copy).verify_files()
        (copy / name).write_bytes(content[:-1])
        with pytest.raises(FileError, match="truncated or edited"):
            read_bundle(copy).verify_files()


def resigned(bundle: Bundle, **changes: object) -> None:
    """Write a manifest with fields changed and a fitting checksum."""
    bundle.path.write_text(manifest_text({**bundle.manifest, **changes}), encoding="utf-8")


def test_forged_manifests_are_refused(tmp_path) -> None:
    """Even with a fitting checksum: what cannot be followed or does not check is an error."""
    bundle = make(tmp_path, SAT, VERIFICATION)
    chain = bundle.manifest["chain"]
    bad_chains = [
        [],
        [{"rule": "no-rule", "parameters": {}}],
        [{"rule": "satisfiability-to-nae-satisfiability", "parameters": {}}],
        [{"rule": chain[0]["rule"], "parameters": {"slack": "7"}}],
        [{"rule": chain[0]["rule"], "parameters": {"slack": "x"}}],
        [{"rule": chain[0]["rule"]}],
        [1],
        [*chain, *chain],
    ]
    for bad in bad_chains:
        resigned(bundle, chain=bad)
        with pytest.raises(FileError, match=r"bundle\.json"):
            _ = read_bundle(tmp_path).instance
    resigned(bundle, dimacs="p cnf 2 1\n1 2 0\n")
    with pytest.raises(FileError, match="another target"):
        _ = read_bundle(tmp_path).instance
    resigned(bundle, dimacs="p cnf 2 1\n1 2\n")
    with pytest.raises(FileError, match="line 2"):
        read_bundle(tmp_path)
    for missing in ("dimacs", "target", "chain", "generator", "expected", "source", "files"):
        resigned(bundle, **{missing: None})
        with pytest.raises(FileError, match=missing):
            read_bundle(tmp_path)
    resigned(bundle, chain=[{"rule": 3}])
    with pytest.raises(FileError, match="chain"):
        read_bundle(tmp_path)
    resigned(bundle, files={"property.vnnlib": 3})
    with pytest.raises(FileError, match="has no file"):
        _ = read_bundle(tmp_path).description
    resigned(bundle, expected={"source": "satisfiable", "assignment": "x y"})
    with pytest.raises(FileError, match="does not satisfy"):
        read_bundle(tmp_path).recheck()
    resigned(bundle, expected={"source": "satisfiable", "assignment": "1 2 -3"})
    with pytest.raises(FileError, match="does not satisfy"):
        read_bundle(tmp_path).recheck()


def test_a_wrong_proof_is_found_on_recheck(tmp_path) -> None:
    from reductions.manifest import sha256

    bundle = make(tmp_path, UNSAT, MEMORIZATION)
    assert "accepted" in bundle.recheck()
    content = b"0\n"
    (tmp_path / "proof.drup").write_bytes(content)
    files = dict(bundle.manifest["files"])
    files["proof.drup"] = {"bytes": len(content), "sha256": sha256(content)}
    resigned(bundle, files=files)
    edited = read_bundle(tmp_path)
    edited.verify_files()
    with pytest.raises(FileError, match="rejected: line 1"):
        edited.recheck()


def test_networks_that_do_not_memorize_name_the_first_point(tmp_path) -> None:
    bundle = make(tmp_path, SAT, MEMORIZATION)
    dimension = bundle.instance.target.dimension
    constant = Network.dense(
        [np.zeros((2, dimension)), np.zeros((1, 2))], [np.zeros(2), np.array([1.0])]
    )
    with pytest.raises(DecodingError, match="point 1 with label -1"):
        bundle.decode(constant)
    for shape in ((2, dimension + 1), (3, dimension)):
        wrong = Network.dense(
            [np.ones(shape), np.ones((1, shape[0]))], [np.zeros(shape[0]), np.zeros(1)]
        )
        with pytest.raises(InputError):
            bundle.decode(wrong)


def test_any_counterexample_decodes(tmp_path) -> None:
    bundle = make(tmp_path, SAT, VERIFICATION)
    rng, decoded = random.Random(6), 0
    solution = bundle.instance.encode(bundle.assignment)
    for _ in range(300):
        point = tuple(
            min(Fraction(1), max(Fraction(0), value + Fraction(rng.randrange(-8, 9), 60)))
            for value in solution
        )
        if bundle.instance.target.check(point):
            assert SAT.check(bundle.decode(point))
            decoded += 1
    assert decoded > 20
    with pytest.raises(DecodingError):
        bundle.decode((Fraction(1, 2),) * 3)


def test_manifest_is_plain_json(tmp_path) -> None:
    make(tmp_path, SAT, MEMORIZATION, budget=Fraction(1, 99))
    manifest = json.loads((tmp_path / "bundle.json").read_text())
    assert manifest["chain"][1]["parameters"]["budget"] == "1/99"
    assert manifest["expected"]["target"] == "memorizable"
    assert manifest["command"].startswith("reductions reduce")
    assert set(manifest["files"]) == {p.name for p in tmp_path.iterdir()} - {"bundle.json"}


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_ten_thousand_variables(tmp_path, target) -> None:
    """A formula of 10,000 variables and 42,600 clauses: under 60 s and 2 GB, in a process."""
    import subprocess
    import sys

    script = (
        "import resource, sys\n"
        "from reductions.cli import run\n"
        f"code = run(['reduce', {str(tmp_path / 'f.cnf')!r}, '--to', {target!r},\n"
        f"            '-o', {str(tmp_path / 'out')!r}])\n"
        "usage = resource.getrusage(resource.RUSAGE_SELF)\n"
        "print(code, usage.ru_utime + usage.ru_stime, usage.ru_maxrss)\n"
    )
    from reductions.dimacs import write_dimacs

    made = generate("planted-ksat", {"n": 10_000}, seed=1)
    assert len(made.formula.clauses) == 42_600
    write_dimacs(made.formula, tmp_path / "f.cnf", comments_of(made))
    root = Path(__file__).parents[2]
    output = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=root
    ).stdout
    code, seconds, kilobytes = output.split("\n")[-2].split()
    assert code == "0"
    assert float(seconds) < 60
    assert int(kilobytes) < 2 * 1024**2
    bundle = read_bundle(tmp_path / "out")
    bundle.verify_files()
    assert bundle.manifest["expected"]["why"] == "planted assignment"
