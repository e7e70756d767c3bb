"""``relucert decide``: answers, files, exit codes, one-line errors."""

import json
import signal
import subprocess
import sys
import time
from fractions import Fraction

import numpy as np
import pytest
from support.formula_data import formula_data, random_formula

from relucert.cli import main
from relucert.memorization.decision.certificate import read_certificate
from relucert.memorization.decision.check import check_no_certificate
from relucert.read.network import read_network
from relucert.read.points import read_points

XOR = "x1,x2,label\n0,0,0\n1,1,0\n0,1,1\n1,0,1\n"
LINE = "x,label\n0,1\n1,2\n2,1\n3,2\n"


@pytest.fixture
def run(capsys):
    def command(*arguments):
        with pytest.raises(SystemExit) as stop:
            main(["decide", *map(str, arguments)])
        captured = capsys.readouterr()
        return stop.value.code, captured.out, captured.err

    return command


@pytest.fixture
def xor(tmp_path):
    path = tmp_path / "xor.csv"
    path.write_text(XOR)
    return path


@pytest.fixture
def line(tmp_path):
    path = tmp_path / "line.csv"
    path.write_text(LINE)
    return path


@pytest.mark.parametrize("name", ["net.npz", "net.onnx"])
def test_yes_writes_a_network_that_memorizes(run, xor, tmp_path, name):
    code, out, err = run(xor, "--budget", "0.2", "-o", tmp_path / name)
    assert (code, err) == (0, "")
    assert "Yes (wedge" in out
    assert "width 2: NP-hard" in out
    assert "0->-1, 1->1" in out
    network = read_network(tmp_path / name)
    for x, label in (((0, 0), -1), ((1, 1), -1), ((0, 1), 1), ((1, 0), 1)):
        corner = [Fraction(v) + Fraction(1, 5) for v in x]
        assert network.evaluate_exactly(corner)[0] * label > 0


@pytest.mark.parametrize("question", [["--budget", "0.2"], ["--largest-budget"]])
def test_a_yes_is_drawn_the_same_every_time(run, xor, tmp_path, question):
    drawn = []
    for _ in range(2):
        assert run(xor, *question, "--plot", tmp_path / "p.svg")[0] == 0
        drawn.append((tmp_path / "p.svg").read_text(encoding="utf-8"))
    assert drawn[0] == drawn[1]
    assert "xor.csv: a network of width 2, budget 0.2" in drawn[0]
    assert "label 0" in drawn[0]


def test_a_no_is_not_drawn_nor_is_a_line(run, xor, line, tmp_path):
    path = tmp_path / "p.png"
    assert run(xor, "--budget", "0", "--width", "1", "--plot", path)[0] == 1
    assert not path.exists()
    code, _, err = run(line, "--budget", "0", "--plot", path)
    assert (code, err.count("\n")) == (2, 1)
    assert "2 coordinates, those of line.csv have 1" in err


def test_no_writes_a_certificate_that_checks(run, line, tmp_path):
    path = tmp_path / "no.json.gz"
    code, out, _ = run(line, "--budget", "1/8", "--certificate-out", path, "--json", "--seed", 7)
    record = json.loads(out)
    assert code == 1
    assert (record["answer"], record["certified"], record["budget"]) == ("no", True, "0.125")
    assert (record["seed"], record["labels"]) == (7, "label map: 1->-1, 2->1")
    data = read_points(line)
    assert check_no_certificate(data, Fraction(1, 8), 2, read_certificate(path)).accepted
    assert run(line, "--budget", "0.125", "--check-certificate", path)[0] == 0
    code, out, _ = run(line, "--budget", "0.1", "--check-certificate", path)
    assert code == 1
    assert "rejected: it is about another budget" in out
    assert run(line, "--budget", "0.125", "--width", 1, "--check-certificate", path)[0] == 1


def test_width_one_is_said_to_be_polynomial(run, xor):
    code, out, _ = run(xor, "--budget", "0", "--width", "1")
    assert code == 1
    assert "linear programme, polynomial" in out


def test_the_milp_says_that_its_no_is_weaker(run, line):
    code, out, _ = run(line, "--budget", "0", "--engine", "milp", "--json")
    record = json.loads(out)
    assert (code, record["certified"], record["eps_min"]) == (1, False, 1e-5)


def test_the_largest_budget_is_bracketed(run, xor, tmp_path):
    code, out, _ = run(xor, "--largest-budget", "--json", "--certificate-out", tmp_path / "c.json")
    record = json.loads(out)
    found = record["largest_budget"]
    assert code == 0
    low, high = Fraction(found["feasible"]), Fraction(found["infeasible"])
    assert low < Fraction(1, 4) <= high
    assert high - low <= Fraction(1, 2000)
    assert (tmp_path / "c.json").exists()
    assert "feasible: 0.249" in run(xor, "--largest-budget")[1]


def test_more_than_two_labels(run, tmp_path):
    path = tmp_path / "three.csv"
    path.write_text("x,label\n0,5\n1,6\n2,9\n")
    code, out, _ = run(path, "--budget", "0.2")
    assert code == 0
    assert "5->1, 6->2, 9->3" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--budget", "0.5"], "is not below half of the separation bound 1"),
        (["--budget", "-0.1"], "negative"),
        (["--budget", "many"], "not a number"),
        (["--budget", "nan"], "not a number"),
        ([], "either --budget MU or --largest-budget"),
        (["--budget", "0", "--largest-budget"], "either --budget MU or --largest-budget"),
        (["--budget", "0", "--width", "0"], "x>=1"),
        (["--budget", "0", "--timeout", "0"], "must be positive"),
        (["--budget", "0", "--memory", "0.000001"], "would need about"),
        (["--largest-budget", "--precision", "0"], "precision must be positive"),
        (["--largest-budget", "--check-certificate", "c.json"], "needs the --budget"),
        (["--budget", "0", "--check-certificate", "missing.json"], "missing.json"),
        (["--budget", "0", "--solver", "abacus"], "unknown solver"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(run, xor, arguments, message):
    code, out, err = run(xor, *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_contradicting_rows_are_named(run, tmp_path):
    path = tmp_path / "twice.csv"
    path.write_text("x,label\n0,0\n1,1\n0,1\n")
    code, _, err = run(path, "--budget", "0")
    assert code == 2
    assert "rows 0 and 2" in err


def test_a_time_limit_is_unknown(run, xor):
    code, out, _ = run(xor, "--budget", "0.2", "--timeout", "1e-9")
    assert code == 3
    assert "Unknown (time limit" in out


@pytest.mark.slow
def test_ctrl_c_during_a_milp_is_unknown_and_no_crash(tmp_path):
    """In a process of its own: a solver thread left running would abort it at its end."""
    data = formula_data(random_formula(60, 4.26, 1)).data
    path = tmp_path / "data.npz"
    np.savez(path, points=data.values, labels=data.labels)
    command = [sys.executable, "-m", "relucert", "decide", str(path), "--budget", "0"]
    process = subprocess.Popen([*command, "--engine", "milp"], stdout=subprocess.PIPE, text=True)
    time.sleep(15)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Unknown (interrupted" in out
