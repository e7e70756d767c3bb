"""``relucert lipschitz`` as its users run it."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from relucert.cli import main
from relucert.commands.lipschitz import decimal_root
from relucert.network import Network
from relucert.write.network import save_network
from relucert.write.points import write_points_npz


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # Outputs x + y where both are positive, and 2 x.
    weights = [np.eye(2), np.array([[1.0, 1.0], [2.0, 0.0]])]
    save_network(Network.dense(weights, [np.zeros(2), np.zeros(2)]), Path("net.npz"))
    return tmp_path


def run(*arguments):
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    return stop.value.code


def test_every_output_and_their_maximum(folder, capsys):
    assert run("lipschitz", "net.npz", "--norm", "l1", "--seed", "1") == 0
    out = capsys.readouterr().out
    assert "output 0: 1 exactly" in out
    assert "all outputs, in l_inf: 2 exactly" in out
    assert "seed 1" in out


def test_a_difference_over_a_box_as_json(folder, capsys):
    arguments = ["--output", "0", "--minus", "1", "--box", "-1", "1", "--box", "1/3", "2"]
    assert run("lipschitz", "net.npz", *arguments, "--norm", "l2", "--json") == 0
    record = json.loads(capsys.readouterr().out)
    assert record["box"] == [["-1", "1"], ["1/3", "2"]]
    (function,) = record["functions"]
    assert function["function"] == "output 0 - output 1"
    assert function["exact"]
    assert function["lower_squared"] == function["upper_squared"] == "2"
    assert (function["lower"], function["upper"]) == ("1.4142135623", "1.4142135624")
    first, second = ([Fraction(v) for v in function["pair"][name]] for name in ("first", "second"))
    moved = sum((a - b) ** 2 for a, b in zip(first, second, strict=True))
    assert Fraction(function["pair"]["change"]) ** 2 == 2 * moved
    assert run("lipschitz", "net.npz", "--output", "1", "--norm", "l2") == 0
    assert "output 1: 2 exactly, the square root of 4" in capsys.readouterr().out


def test_a_bracket_is_code_3(folder, capsys):
    generator = np.random.default_rng(0)
    weights = [generator.normal(size=(40, 6)), generator.normal(size=(40, 40)), np.ones((1, 40))]
    save_network(Network.dense(weights, [np.ones(40), np.ones(40), np.ones(1)]), Path("big.npz"))
    assert run("lipschitz", "big.npz", "--box", "-1", "1", "--timeout", "0.3") == 3
    assert "between" in capsys.readouterr().out


def test_the_lipschitz_memorizer_by_file(folder, capsys):
    write_points_npz(np.array([[0, 0], [0, 3], [8, 1]], dtype=np.uint8), [-1, 1, -1], "points.npz")
    assert run("memorize", "points.npz", "--construction", "lipschitz", "-o", "lip.onnx") == 0
    assert run("lipschitz", "lip.onnx") == 0
    assert "output 0: 2/3 = 0.6666666666... exactly" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--box", "1", "0"], "the box is empty"),
        (["--box", "0", "1", "--box", "0", "1", "--box", "0", "1"], "--box was given 3 times"),
        (["--box", "0", "nan"], "not a number"),
        (["--output", "2"], "the network's outputs are 0 to 1"),
        (["--minus", "1"], "--minus needs --output"),
        (["--output", "1", "--minus", "1"], "zero everywhere"),
        (["--norm", "l3"], "l3"),
        (["--timeout", "0"], "--timeout must be positive"),
    ],
)
def test_bad_options_are_one_line(folder, capsys, arguments, message):
    assert run("lipschitz", "net.npz", *arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("relucert: error: ")
    assert message in error
    assert error.count("\n") == 1


def test_a_missing_network_is_one_line(folder, capsys):
    assert run("lipschitz", "none.onnx") == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    ("value", "power", "low", "high"),
    [
        ("2", 2, "1.4142135623", "1.4142135624"),
        ("4", 2, "2", "2"),
        ("1/3", 1, "0.3333333333", "0.3333333334"),
        ("0", 2, "0", "0"),
        ("1/1000000000000000000000000", 2, "0", "0.0000000001"),
    ],
)
def test_decimal_roots_enclose(value, power, low, high):
    assert decimal_root(Fraction(value), power, up=False) == low
    assert decimal_root(Fraction(value), power, up=True) == high
