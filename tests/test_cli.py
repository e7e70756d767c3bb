"""The commands as their users run them: output, files, exit codes, one-line errors."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from relucert.bounds.backward import bound_network, lower_bounds
from relucert.bounds.interval import Intervals
from relucert.cli import main
from relucert.network import Network
from relucert.read.network import read_network
from relucert.read.witness import read_witness
from relucert.write.onnx import write_onnx
from relucert.write.points import write_points_npz


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A 2-4-2 network |x0| against |x1|, points with labels, and properties."""
    monkeypatch.chdir(tmp_path)
    first = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    second = np.array([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]])
    write_onnx(Network.dense([first, second], [np.zeros(4), np.zeros(2)]), "net.onnx", "float32")
    points = np.array([[0.75, 0.25], [0.25, 0.75], [0.5, 0.25]], dtype=np.float32)
    write_points_npz(points, np.array([0, 1, 0]), "points.npz")
    text = (
        "(declare-const X_0 Real)(declare-const X_1 Real)(declare-const Y_0 Real)"
        "(declare-const Y_1 Real)\n(assert (>= X_0 0.5))(assert (<= X_0 1))"
        "(assert (>= X_1 -0.25))(assert (<= X_1 0.25))\n(assert (<= Y_0 {}))\n"
    )
    Path("holds.vnnlib").write_text(text.format("0.4"))
    Path("fails.vnnlib").write_text(text.format("0.6"))
    return tmp_path


def run(*arguments):
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    return stop.value.code


def _rows(name):
    with Path(name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_property_that_holds(folder, capsys):
    assert run("certify", "net.onnx", "holds.vnnlib") == 0
    assert "Proved" in capsys.readouterr().out


def test_a_violation_prints_a_witness_that_reads_back(folder, capsys):
    assert run("certify", "net.onnx", "fails.vnnlib", "--witness-out", "w.txt", "--seed", "1") == 1
    printed = capsys.readouterr().out
    assert "Violated" in printed
    assert Path("w.txt").read_text().strip() in printed
    inputs, _ = read_witness("w.txt")
    output = read_network("net.onnx").evaluate_exactly(inputs)
    assert output[0] <= Fraction("0.6")
    assert Fraction(1, 2) <= inputs[0] <= 1


def test_points_give_a_table_a_csv_and_witness_files(folder, capsys):
    code = run(
        "certify", "net.onnx", "--data", "points.npz", "--radius", "0.2", "--csv", "o.csv",
        "--witness-out", "witnesses",
    )  # fmt: skip
    assert code == 1
    assert "2 proved, 1 violated, 0 unknown" in capsys.readouterr().out
    rows = _rows("o.csv")
    assert [row["verdict"] for row in rows] == ["proved", "proved", "violated"]
    assert {row["radius"] for row in rows} == {"0.2"}
    assert [path.name for path in Path("witnesses").iterdir()] == ["point_2.txt"]


def test_the_radius_is_exact_decimal_arithmetic(folder):
    # Point 0 loses at distance 1/4 exactly, where both outputs tie.
    arguments = ("certify", "net.onnx", "--data", "points.npz", "--points", "0", "--radius")
    assert run(*arguments, "0.25") == 1
    assert run(*arguments, "0.2499999999999999999999999") == 0


def test_json_is_complete_and_exact(folder, capsys):
    assert run("certify", "net.onnx", "fails.vnnlib", "--json", "--seed", "5") == 1
    record = json.loads(capsys.readouterr().out)
    assert record["seed"] == 5
    assert len(record["network_sha256"]) == 64
    (result,) = record["results"]
    x = [Fraction(value) for value in result["witness"]["input"]]
    assert read_network("net.onnx").evaluate_exactly(x)[0] <= Fraction("0.6")


def test_radius_command(folder, capsys):
    code = run("radius", "net.onnx", "--data", "points.npz", "--plot", "r.png", "--csv", "r.csv",
               "--timeout", "20", "--seed", "1")  # fmt: skip
    assert code == 0
    assert "3 of 3 brackets closed" in capsys.readouterr().out
    rows = _rows("r.csv")
    for row, radius in zip(rows, ["1/4", "1/4", "1/8"], strict=True):
        assert Fraction(row["lower"]) <= Fraction(radius) <= Fraction(row["upper"])
    assert Path("r.png").read_bytes().startswith(b"\x89PNG")


def test_inspect_shows_what_was_read(folder, capsys):
    assert run("inspect", "net.onnx", "holds.vnnlib") == 0
    printed = capsys.readouterr().out
    assert "4 ReLUs" in printed
    assert "1 boxes, 1 unsafe polyhedra, 2 inputs that vary" in printed
    assert run("inspect", "net.onnx", "--json") == 0
    assert json.loads(capsys.readouterr().out)["relus"] == 4


def test_one_output_networks_need_fitting_labels(folder, capsys):
    write_onnx(Network.dense([np.array([[1.0, 0.0]])], [np.array([-0.5])]), "one.onnx", "float32")
    write_points_npz(np.array([[1.0, 0.0], [0.0, 0.0]]), np.array([1, -1]), "signs.npz")
    assert run("certify", "one.onnx", "--data", "signs.npz", "--radius", "0.4") == 0
    assert run("certify", "one.onnx", "--data", "points.npz", "--radius", "0.1") == 2
    assert "--decision" in capsys.readouterr().err


BAD = [
    (["certify", "missing.onnx", "holds.vnnlib"], "missing.onnx: no such file"),
    (["certify", "net.onnx", "missing.vnnlib"], "missing.vnnlib: no such file"),
    (["certify", "net.onnx"], "give either a PROPERTY file or --data"),
    (["certify", "net.onnx", "holds.vnnlib", "--radius", "1"], "go with --data"),
    (["certify", "net.onnx", "--data", "points.npz"], "--data needs --radius"),
    (["certify", "net.onnx", "--data", "points.npz", "--radius", "-1"], "must not be negative"),
    (["certify", "net.onnx", "--data", "points.npz", "--radius", "x"], "not a number"),
    (
        ["certify", "net.onnx", "--data", "points.npz", "--radius", "1", "--points", "9"],
        "rows go from 0 to 2",
    ),
    (
        ["certify", "net.onnx", "--data", "points.npz", "--radius", "1", "--points", "a"],
        "not a row",
    ),
    (
        ["certify", "net.onnx", "--data", "points.npz", "--radius", "1", "--clip", "1", "0"],
        "clip range is empty",
    ),
    (["certify", "net.onnx", "holds.vnnlib", "--timeout", "0"], "--timeout must be positive"),
    (["certify", "net.onnx", "holds.vnnlib", "--timeout", "nan"], "--timeout must be positive"),
    (["certify", "net.onnx", "holds.vnnlib", "--engine", "magic"], "magic"),
    (
        ["certify", "net.onnx", "--data", "points.npz", "--radius", "1", "--decision", "sign"],
        "one output",
    ),
    (["certify", "points.npz", "holds.vnnlib"], "points.npz"),
    (["radius", "net.onnx", "--data", "missing.npz"], "missing.npz: no such file"),
    (["radius", "net.onnx"], "--data"),
    (["bench", "missing.csv"], "missing.csv: no such file"),
    (["inspect", "holds.vnnlib"], "unknown kind of network file"),
    (["frobnicate"], "frobnicate"),
]


@pytest.mark.parametrize(
    ("arguments", "words"),
    BAD,
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_line_and_exit_code_2(folder, capsys, arguments, words):
    before = sorted(Path().iterdir())
    assert run(*arguments) == 2
    captured = capsys.readouterr()
    assert words in captured.err
    assert len(captured.err.strip().splitlines()) == 1
    assert captured.err.startswith("relucert: error: ")
    assert captured.out == ""
    assert sorted(Path().iterdir()) == before


def test_an_unknown_solver_is_named_with_the_known_ones(folder, capsys):
    assert run("certify", "net.onnx", "holds.vnnlib", "--solver", "NOPE") == 2
    assert "unknown solver 'NOPE'" in capsys.readouterr().err


def _list(folder, rows):
    lines = ["family,network,property,timeout_s,expected"]
    Path("list.csv").write_text("\n".join([*lines, *rows]) + "\n")


def test_bench_counts_appends_and_resumes(folder, capsys):
    _list(folder, ["a,net.onnx,holds.vnnlib,20,unsat", "a,net.onnx,fails.vnnlib,20,sat"])
    assert run("bench", "list.csv", "--results", "results.csv") == 0
    rows = _rows("results.csv")
    assert {row["status"] for row in rows} == {"solved"}
    before = Path("results.csv").read_bytes()
    # A row that was cut off by a crash is dropped and run again.
    lines = before.decode().splitlines(keepends=True)
    Path("results.csv").write_text("".join(lines[:-1]) + lines[-1][:10])
    assert run("bench", "list.csv", "--results", "results.csv") == 0
    again = _rows("results.csv")
    assert sorted(row["property"] for row in again) == ["fails.vnnlib", "holds.vnnlib"]


def test_bench_says_when_an_expected_answer_is_contradicted(folder, capsys):
    _list(folder, ["a,net.onnx,holds.vnnlib,20,sat"])
    assert run("bench", "list.csv") == 1
    assert "WRONG" in capsys.readouterr().err


def test_bench_reports_files_it_cannot_read_and_goes_on(folder, capsys):
    _list(folder, ["a,gone.onnx,holds.vnnlib,20,unsat", "a,net.onnx,holds.vnnlib,20,unsat"])
    assert run("bench", "list.csv", "--results", "r.csv") == 3
    rows = {row["network"]: row for row in _rows("r.csv")}
    assert rows["gone.onnx"]["status"] == "error"
    assert rows["net.onnx"]["status"] == "solved"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("a,net.onnx,holds.vnnlib,soon,sat", "not a number"),
        ("a,net.onnx,holds.vnnlib,-1,sat", "not positive"),
        ("a,net.onnx,holds.vnnlib,1,perhaps", "not sat or unsat"),
        ("a,,holds.vnnlib,1,sat", "empty cell"),
    ],
)
def test_bench_names_the_line_of_a_bad_list(folder, capsys, line, words):
    _list(folder, [line])
    assert run("bench", "list.csv") == 2
    error = capsys.readouterr().err
    assert words in error
    assert "line 2" in error


def _write_hard_question():
    """Five points: the first is misclassified, the others hold by far more than can be proved."""
    rng = np.random.default_rng(3)
    sizes = [40, 100, 100, 100, 2]
    weights = [rng.normal(size=(b, a)).astype(np.float32) for a, b in pairwise(sizes)]
    biases = [np.zeros(b) for b in sizes[1:]]
    box = Intervals(-np.ones(40), np.ones(40))
    chain = bound_network(Network.dense(weights, biases), box)
    bound = lower_bounds(chain, box, np.array([[1.0, -1.0]]))[0]
    biases[-1] = np.array([np.float32(-0.5 * bound), 0.0])
    write_onnx(Network.dense(weights, biases), "hard.onnx", "float32")
    write_points_npz(np.zeros((5, 40)), np.array([1, 0, 0, 0, 0]), "hard.npz")


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interruption_keeps_and_prints_what_is_done(folder, number):
    _write_hard_question()
    process = subprocess.Popen(
        [sys.executable, "-m", "relucert", "certify", "hard.onnx", "--data", "hard.npz",
         "--radius", "1", "--csv", "done.csv"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    time.sleep(8)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert "Traceback" not in err
    assert "1 of 5 points done" in err
    assert "point 0" in out
    assert process.returncode == 128 + number
    assert len(Path("done.csv").read_text().splitlines()) == 2
