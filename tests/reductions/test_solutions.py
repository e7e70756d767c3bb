"""Solutions as files: networks, counterexamples, assignments."""

from fractions import Fraction

import numpy as np
import pytest

from reductions.problems.network_verification import NetworkVerification
from reductions.problems.robust_memorization import RobustMemorization
from reductions.solutions import (
    read_assignment,
    read_point,
    read_solution,
    write_solution,
)
from relucert.errors import FileError, UsageError
from relucert.network import Network
from relucert.query import Box, Case, Query

HALF = Fraction(1, 2)


def written(tmp_path, text: str):
    path = tmp_path / "witness.txt"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    "text",
    [
        "sat\n((X_0 0.5)\n (X_1 -1e-3)\n (Y_0 3.0))\n",
        "((X_1 -0.001)(X_0 1/2))",
        "sat\n( (X_0 .5) (X_1 (- 1/1000)) (Y_0 7) )",
        "0.5 -0.001\n",
        "0.5,-0.001",
        "0.5\n-0.001\n",
    ],
)
def test_reads_counterexamples_exactly(tmp_path, text: str) -> None:
    assert read_point(written(tmp_path, text), 2) == (HALF, Fraction(-1, 1000))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("unsat\n", "number 1"),
        ("((X_0 1))", "gives 1 coordinates"),
        ("((X_0 1) (X_2 1))", "none for X_1"),
        ("((X_0 1) (X_0 1) (X_1 0))", "two values"),
        ("((X_0 1) (X_1 0) (X_2 0))", "gives 3 coordinates"),
        ("((X_0 1) (X_1 nan))", "nan"),
        ("((X_0 1) (X_1 1e999999999))", "exponent"),
        ("((X_0 1) (Z_1 0))", "expected"),
        ("unsat ((X_0 1) (X_1 0))", "no counterexample"),
        ("1 2 3", "gives 3 coordinates"),
        ("1 x", "number 2"),
        ("", "empty"),
    ],
)
def test_bad_counterexamples(tmp_path, text: str, words: str) -> None:
    with pytest.raises(FileError, match=words):
        read_point(written(tmp_path, text), 2)


def test_point_round_trip(tmp_path) -> None:
    network = Network.dense([np.array([[1.0, 3.0]])], [np.array([0.25])])
    box = Box((Fraction(0),) * 2, (Fraction(1),) * 2)
    target = NetworkVerification(network, Query((Case(box, ()),)))
    point = (Fraction(1, 3), Fraction(1, 8))
    path = tmp_path / "w.txt"
    write_solution(path, target, point)
    assert read_solution(path, target) == point
    assert "(Y_0 23/24)" in path.read_text()


@pytest.mark.parametrize("weight", [0.5, 0.1])
@pytest.mark.parametrize("name", ["n.onnx", "n.npz"])
def test_network_round_trip_is_exact(tmp_path, weight: float, name: str) -> None:
    network = Network.dense(
        [np.array([[weight], [3.0]]), np.array([[1.0, -1.0]])], [np.zeros(2), np.array([0.25])]
    )
    target = RobustMemorization.of_dense([[0], [1]], [1, -1])
    write_solution(tmp_path / name, target, network)
    again = read_solution(tmp_path / name, target)
    for value in (Fraction(-2), Fraction(1, 3), Fraction(5)):
        assert again.evaluate_exactly((value,)) == network.evaluate_exactly((value,))
    with pytest.raises(UsageError, match=r"\.onnx or \.npz"):
        write_solution(tmp_path / "n.txt", target, network)
    with pytest.raises(FileError):
        read_solution(tmp_path / "missing.onnx", target)


def test_reads_assignments(tmp_path) -> None:
    path = written(tmp_path, "c x\ns SATISFIABLE\nv 1 -2\nv 4 0\n")
    assert read_assignment(path, 5) == (True, False, False, True, False)
    assert read_assignment(written(tmp_path, "-1 2"), 2) == (False, True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("v 1 -1 0", "both"),
        ("v 4 0", "no variable 4"),
        ("v x", "'x'"),
        ("1\n+2", "line 2"),
        ("v " + "9" * 50, "not a literal"),
    ],
)
def test_bad_assignments(tmp_path, text: str, words: str) -> None:
    with pytest.raises(FileError, match=words):
        read_assignment(written(tmp_path, text), 3)
