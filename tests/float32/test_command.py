"""``relucert certify --semantics float32`` as its users run it."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from support.float32_models import model_of, node, save

from relucert.cli import main
from relucert.read.witness import read_witness
from relucert.write.points import write_points_npz

TEXT = """(declare-const X_0 Real)(declare-const Y_0 Real)
(assert (>= X_0 {}))(assert (<= X_0 {}))(assert (<= Y_0 {}))
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The network (x + 2**24) - 2**24 and properties that rounding decides."""
    monkeypatch.chdir(tmp_path)
    nodes = [
        node("Add", ["x", "big"], ["a"]),
        node("Sub", ["a", "big"], ["b"]),
        node("Relu", ["b"], ["y"]),
    ]
    save(model_of(nodes, [1, 1], {"big": np.float32([2.0**24])}), tmp_path / "net.onnx")
    plain = [node("Mul", ["x", "two"], ["y"])]
    save(model_of(plain, [1, 1], {"two": np.float32([2.0])}), tmp_path / "plain.onnx")
    Path("lost.vnnlib").write_text(TEXT.format("0.125", "0.25", "0.0625"))
    Path("clear.vnnlib").write_text(TEXT.format("100", "200", "50"))
    Path("tie.vnnlib").write_text(TEXT.format("0.125", "0.25", "0.25"))
    return tmp_path


def run(*arguments):
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    return stop.value.code


def test_float32_finds_what_the_reals_do_not_have(folder, capsys):
    assert run("certify", "net.onnx", "lost.vnnlib") == 0
    assert "real arithmetic" in capsys.readouterr().out
    arguments = ("certify", "net.onnx", "lost.vnnlib", "--semantics", "float32")
    assert run(*arguments, "--witness-out", "w.txt") == 1
    out = capsys.readouterr().out
    assert "executed in float32" in out
    assert "valid in float32 arithmetic" in out
    assert "valid in float32 arithmetic" in Path("w.txt").read_text()
    x, _ = read_witness("w.txt")
    assert Fraction(1, 8) <= x[0] <= Fraction(1, 4)


def test_json_names_semantics_and_labels(folder, capsys):
    assert run("certify", "net.onnx", "lost.vnnlib", "--semantics", "float32", "--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert told["semantics"] == "float32"
    witness = told["results"][0]["witness"]
    assert witness["valid_in"] == ["float32"]
    assert witness["float32_output"] == [0.0]
    assert run("certify", "net.onnx", "clear.vnnlib", "--semantics", "float32", "--json") == 0
    assert json.loads(capsys.readouterr().out)["results"][0]["verdict"] == "proved"


def test_real_counterexamples_say_whether_float32_has_them(folder, capsys):
    assert run("certify", "plain.onnx", "tie.vnnlib", "--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert told["semantics"] == "real"
    assert told["results"][0]["witness"]["valid_in"] in (["real"], ["real", "float32"])


def test_points_as_executed(folder, capsys):
    write_points_npz(np.array([[30.0]], dtype=np.float32), np.array([1]), "points.npz")
    arguments = ("--data", "points.npz", "--radius", "0.5", "--semantics", "float32")
    assert run("certify", "net.onnx", *arguments) == 0
    out = capsys.readouterr().out
    assert "executed in float32" in out
    assert "memoriz" not in out


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ([node("Mul", ["two", "two"], ["f"]), node("Mul", ["x", "f"], ["y"])], "fold them"),
        ([node("MatMul", ["x", "w"], ["y"])], "--proof"),
    ],
)
def test_what_is_not_covered_is_refused_in_a_line(folder, capsys, nodes, words):
    constants = {"two": np.float32([2.0]), "w": np.float32([[1.0]])}
    save(model_of(nodes, [1, 1], constants), folder / "odd.onnx")
    proof = ("--proof", "p.rcp") if words == "--proof" else ()
    assert run("certify", "odd.onnx", "clear.vnnlib", "--semantics", "float32", *proof) == 2
    told = capsys.readouterr().err
    assert words in told
    assert len(told.strip().splitlines()) == 1
