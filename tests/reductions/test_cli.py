"""The ``reductions`` program: pipes, exit codes, one line for every error."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from reductions.cli import run
from reductions.dimacs import read_dimacs
from reductions.families import FAMILIES
from relucert.network import Network
from relucert.write.npz import write_network_npz
from relucert.write.onnx import write_onnx

ROOT = Path(__file__).parents[2]
TARGETS = ("robust-memorization", "network-verification")


@pytest.fixture
def outcome(capsys):
    """Run the program: (exit code, standard output, standard error)."""

    def call(*arguments: str | Path) -> tuple[int, str, str]:
        code = run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def feed(monkeypatch, text: str) -> None:
    stream = io.TextIOWrapper(io.BytesIO(text.encode()))
    monkeypatch.setattr(sys, "stdin", stream)


def assignment_in(output: str) -> tuple[bool, ...]:
    literals = [int(w) for line in output.splitlines() if line[:1] == "v" for w in line.split()[1:]]
    assert literals[-1] == 0
    return tuple(literal > 0 for literal in literals[:-1])


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_generate_every_family(outcome, tmp_path, family) -> None:
    path = tmp_path / "f.cnf"
    seed = ["--seed", "5"] if family.seeded else []
    assert outcome("generate", family.name, *seed, "-o", path)[0] == 0
    text = path.read_text()
    assert f"c family: {family.name}\n" in text
    assert f"c command: reductions generate {family.name}" in text
    assert ("c seed: 5\n" in text) == family.seeded
    assert read_dimacs(path) == family.generate(seed=5).formula


def test_drawn_seed_is_printed_and_reproduces(outcome) -> None:
    code, first, err = outcome("generate", "random-3sat", "-n", "9", "--ratio", "2")
    assert code == 0
    seed = err.removeprefix("seed: ").strip()
    again = outcome("generate", "random-3sat", "-n", "9", "--ratio", "2", "--seed", seed)[1]
    body = [line for line in first.splitlines() if not line.startswith("c command")]
    assert body == [line for line in again.splitlines() if not line.startswith("c command")]


@pytest.mark.parametrize("target", TARGETS)
def test_closed_loop(outcome, monkeypatch, tmp_path, target) -> None:
    _, text, _ = outcome("generate", "hidden-ksat", "-n", "15", "--seed", "2")
    feed(monkeypatch, text)
    code, out, _ = outcome("reduce", "-", "--to", target, "-o", tmp_path / "b")
    assert code == 0
    assert "planted assignment" in out
    bundle = tmp_path / "b" / "bundle.json"
    solution = tmp_path / ("n.onnx" if target == "robust-memorization" else "w.txt")
    assert outcome("encode", bundle, "-o", solution)[0] == 0
    code, out, err = outcome("extract", bundle, "--solution", solution)
    assert (code, err) == (0, "")
    formula = tmp_path / "f.cnf"
    formula.write_text(text)
    assert read_dimacs(formula).check(assignment_in(out))
    # The assignment printed goes in again.
    (tmp_path / "v.txt").write_text(out)
    assert outcome("encode", bundle, "--assignment", tmp_path / "v.txt", "-o", solution)[0] == 0
    code, out, _ = outcome("inspect", tmp_path / "b", "--recheck")
    assert code == 0
    assert "family: hidden-ksat, seed 2" in out
    assert "rechecked: the assignment satisfies every clause" in out


def test_real_pipe(tmp_path) -> None:
    program = f"{sys.executable} -m reductions"
    command = (
        f"{program} generate random-3sat -n 10 --ratio 8 --seed 1 | "
        f"{program} reduce - --to network-verification -o {tmp_path / 'out'}"
    )
    done = subprocess.run(command, shell=True, capture_output=True, text=True, cwd=ROOT, check=True)
    assert "expected unsat (proof by a SAT solver)" in done.stdout
    head = subprocess.run(
        f"{program} generate random-3sat -n 20000 --seed 1 | head -n 2",
        shell=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    assert "Traceback" not in head.stderr
    assert "Exception" not in head.stderr


def test_names_that_are_not_text(outcome, tmp_path) -> None:
    path = tmp_path / b"f\xff.cnf".decode("utf-8", "surrogateescape")
    path.write_text("p cnf 1 1\n1 0\n")
    assert outcome("reduce", path, "--to", "network-verification", "-o", tmp_path / "b")[0] == 0
    assert outcome("inspect", tmp_path / "b")[0] == 0
    missing = path.with_name("g\udcff.cnf")
    code, _, err = outcome("solve", missing)
    assert (code, err.count("\n")) == (2, 1)


def test_solve(outcome, monkeypatch, tmp_path) -> None:
    feed(monkeypatch, "p cnf 3 2\n1 2 0\n-1 0\n")
    code, out, _ = outcome("solve")
    assert code == 0
    assert "s SATISFIABLE\nv -1 2 " in out
    formula, proof = tmp_path / "php.cnf", tmp_path / "php.drup"
    outcome("generate", "pigeonhole", "--pigeons", "4", "--holes", "3", "-o", formula)
    code, out, _ = outcome("solve", formula, "--proof", proof)
    assert code == 0
    assert "s UNSATISFIABLE" in out
    assert outcome("check-proof", formula, proof)[0] == 0
    proof.write_text("".join(proof.read_text().splitlines(keepends=True)[:-1]))
    code, out, _ = outcome("check-proof", formula, proof)
    assert code == 1
    assert "without the empty clause" in out
    outcome("generate", "tseitin", "-n", "40", "--degree", "4", "--seed", "1", "-o", formula)
    code, out, _ = outcome("solve", formula, "--timeout", "0.2")
    assert code == 3
    assert "s UNKNOWN" in out


@pytest.mark.parametrize(
    "arguments",
    [
        ("solve", "f.cnf"),
        ("explain", "f.cnf", "-o", "page.html"),
        ("reduce", "f.cnf", "--to", "network-verification", "-o", "folder"),
        ("scale", "--formula", "f.cnf", "-o", "run"),
    ],
)
def test_a_time_limit_is_a_number(outcome, tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "f.cnf").write_text("p cnf 1 1\n1 0\n")
    for limit in ("nan", "-1", "soon"):
        code, out, err = outcome(*arguments, "--timeout", limit)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert limit in err
    assert [path.name for path in tmp_path.iterdir()] == ["f.cnf"]


@pytest.fixture
def memorization(outcome, tmp_path) -> Path:
    formula = tmp_path / "f.cnf"
    formula.write_text("p cnf 2 2\n1 2 0\n-1 0\n")
    directory = tmp_path / "b"
    assert outcome("reduce", formula, "--to", "robust-memorization", "-o", directory)[0] == 0
    return directory


def dense(width: int, inputs: int, constant: float = 0.0) -> Network:
    return Network.dense(
        [np.ones((width, inputs)), np.ones((1, width))], [np.zeros(width), np.array([constant])]
    )


def test_extract_refuses_what_is_no_solution(outcome, memorization, tmp_path) -> None:
    bundle, path = memorization / "bundle.json", tmp_path / "n.onnx"
    ones = [np.ones((2, 6)), np.ones((1, 2))]
    write_onnx(Network.dense(ones, [np.zeros(2), np.array([1.0])]), path)
    code, out, err = outcome("extract", bundle, "--solution", path)
    assert (code, out) == (1, "")
    assert "point 1 with label -1" in err
    assert err.count("\n") == 1
    deep = Network.dense(
        [np.ones((2, 6)), np.ones((2, 2)), np.ones((1, 2))], [np.zeros(2), np.zeros(2), [1.0]]
    )
    for wrong in (dense(2, 5), dense(3, 6), deep):
        write_network_npz(wrong, tmp_path / "n.npz")
        code, out, err = outcome("extract", bundle, "--solution", tmp_path / "n.npz")
        assert (code, out) == (2, "")
        assert err.count("\n") == 1
    dead = Network.dense([np.zeros((2, 6)), np.zeros((1, 2))], [-np.ones(2), np.array([1.0])])
    write_onnx(dead, path)
    code, out, err = outcome("extract", bundle, "--solution", path)
    assert (code, out) == (1, "")
    assert "point 1 with label -1" in err
    path.write_bytes(b"not onnx")
    assert outcome("extract", bundle, "--solution", path)[0] == 2
    assert outcome("extract", bundle, "--solution", tmp_path / "missing.onnx")[0] == 2
    (memorization / "points.npz").write_bytes(b"edited")
    code, _, err = outcome("extract", bundle, "--solution", tmp_path / "n.npz")
    assert code == 2
    assert "points.npz" in err


def test_extract_refuses_points_that_are_no_counterexample(outcome, tmp_path) -> None:
    formula, directory = tmp_path / "f.cnf", tmp_path / "b"
    formula.write_text("p cnf 2 2\n1 2 0\n-1 0\n")
    outcome("reduce", formula, "--to", "network-verification", "-o", directory)
    witness = tmp_path / "w.txt"
    for text, expected in (("0 0", 1), ("0 2", 1), ("0 1", 0), ("0", 2), ("0 x", 2)):
        witness.write_text(text)
        code, out, err = outcome("extract", directory, "--solution", witness)
        assert code == expected
        assert (out == "") == (expected != 0)
        assert err.count("\n") == (expected != 0)


@pytest.mark.parametrize(
    "arguments",
    [
        ["nothing"],
        ["generate"],
        ["generate", "nothing"],
        ["generate", "random-3sat", "-n", "x"],
        ["generate", "random-3sat", "-n", "2"],
        ["generate", "random-3sat", "--seed", "-1"],
        ["generate", "random-3sat", "-o", "/missing/folder/f.cnf"],
        ["reduce", "/missing.cnf", "--to", "network-verification", "-o", "{tmp}/b"],
        ["reduce", "{cnf}", "--to", "nothing", "-o", "{tmp}/b"],
        ["reduce", "{cnf}", "--to", "network-verification", "-o", "{tmp}"],
        ["reduce", "{cnf}", "--to", "network-verification", "-o", "{cnf}"],
        ["reduce", "{cnf}", "--to", "network-verification", "-o", "{tmp}/b", "--slack", "1"],
        ["reduce", "{cnf}", "--to", "network-verification", "-o", "{tmp}/b", "--slack", "x"],
        ["reduce", "{cnf}", "--to", "network-verification", "-o", "{tmp}/b", "--budget", "0.1"],
        ["reduce", "{cnf}", "--to", "robust-memorization", "-o", "{tmp}/b", "--budget", "1/2"],
        ["inspect", "{cnf}"],
        ["inspect", "{tmp}"],
        ["extract", "{cnf}", "--solution", "{cnf}"],
        ["solve", "{tmp}"],
        ["check-proof", "{cnf}", "/missing"],
        ["path", "nothing", "satisfiability"],
        ["path", "network-verification", "satisfiability"],
        ["graph", "--draw", "{tmp}/graph.txt"],
        ["check", "nothing"],
    ],
)
def test_bad_input_is_one_line_and_code_two(outcome, tmp_path, arguments) -> None:
    formula = tmp_path / "f.cnf"
    formula.write_text("p cnf 2 2\n1 2 0\n-1 0\n")
    filled = [word.format(tmp=tmp_path, cnf=formula) for word in arguments]
    code, out, err = outcome(*filled)
    assert code == 2
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("reductions: error: ")


def test_force_and_progress(outcome, memorization, tmp_path) -> None:
    formula = tmp_path / "f.cnf"
    arguments = ("reduce", formula, "--to", "robust-memorization", "-o", memorization)
    assert outcome(*arguments)[0] == 2
    code, _, err = outcome(*arguments, "--force", "--progress")
    assert code == 0
    assert "2 of 2 clauses read" in err


def test_list_path_graph(outcome, tmp_path) -> None:
    code, out, _ = outcome("list")
    assert code == 0
    for word in ("robust-memorization", "satisfiability-to-network-verification", "tseitin"):
        assert word in out
    code, out, _ = outcome("path", "graph-coloring", "robust-memorization")
    assert code == 0
    assert out.splitlines()[0] == (
        "graph-coloring -> satisfiability -> nae-satisfiability -> robust-memorization"
    )
    assert "-> network-verification" in outcome("graph")[1]
    assert outcome("graph", "--draw", tmp_path / "g.svg")[0] == 0
    assert (tmp_path / "g.svg").stat().st_size > 1000


def test_help_everywhere(outcome) -> None:
    from reductions.cli import program

    assert outcome()[0] == 0
    assert outcome()[1] == outcome("--help")[1]
    for name in program.commands:
        code, out, _ = outcome(name, "--help")
        assert code == 0
        assert "Usage" in out


WRONG_RULE = """
from dataclasses import dataclass
from reductions.problems import MaxSatisfiability, Satisfiability
from reductions.rules import SatisfiabilityToMaxSatisfiability

@dataclass(frozen=True)
class Careless(SatisfiabilityToMaxSatisfiability):
    def construct(self, source):
        right = super().construct(source)
        return MaxSatisfiability(right.variables, right.clauses[1:], max(0, right.target - 1))
"""


def test_check(outcome, tmp_path) -> None:
    arguments = ("--tests", "30", "--seed", "7")
    code, out, err = outcome("check", "satisfiability-to-max-satisfiability", *arguments)
    assert (code, err) == (0, "")
    assert "seed 7" in out
    path = tmp_path / "careless.py"
    path.write_text(WRONG_RULE)
    code, out, _ = outcome("check", path, *arguments)
    assert code == 1
    assert "fails" in out
    for text in ("1 +", "raise ValueError('x')", "pass"):
        path.write_text(text)
        code, out, err = outcome("check", path, *arguments)
        assert (code, out) == (2, "")
        assert "careless.py" in err
