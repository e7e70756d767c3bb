"""``separation``, ``memorize``, ``refute``, and ``certify --data``, as their users run them."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from relucert.cli import main
from relucert.network import Layer, Network
from relucert.read.network import read_network
from relucert.write.network import save_network
from relucert.write.points import write_points_npz


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    grid = np.array([[0, 0], [0, 4], [4, 0], [4, 4], [9, 9]], dtype=np.uint8)
    write_points_npz(grid, [0, 1, 1, 0, 2], "points.npz")
    Path("binary.csv").write_text("a,b,y\n0.1,0.2,-1\n0.4,0.2,1\n0.7,0.9,-1\n")
    return tmp_path


def run(*arguments):
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    return stop.value.code


def test_separation(folder, capsys):
    assert run("separation", "points.npz", "--json") == 0
    record = json.loads(capsys.readouterr().out)
    assert record["separation_bound"] == "4"
    assert run("separation", "binary.csv") == 0
    assert "separation bound 0.3 (rows 0 and 1, labelled -1 and 1)" in capsys.readouterr().out


@pytest.mark.parametrize("construction", ["deep", "wide"])
@pytest.mark.parametrize("ending", ["onnx", "npz"])
def test_memorize_then_certify_the_file(folder, capsys, construction, ending):
    arguments = ["--ratio", "0.9", "--construction", construction, "-o", f"net.{ending}"]
    assert run("memorize", "points.npz", *arguments, "--certify", "--json") == 0
    record = json.loads(capsys.readouterr().out)
    assert record["budget"] == "1.8"
    assert record["label_map"] == {"0": 1, "1": 2, "2": 3}
    assert record["memorization"]["robustly_memorizes"] is True
    assert record["element_type"] == "float32"
    assert run("certify", f"net.{ending}", "--data", "points.npz", "--radius", "1.8") == 0
    out = capsys.readouterr().out
    assert "robustly memorizes points.npz with budget 1.8: yes, 5 of 5 balls proved" in out
    assert "0->1, 1->2, 2->3" in out
    value = read_network(f"net.{ending}").evaluate_exactly((Fraction("5.8"), Fraction("2.2")))
    assert value == (1,)


@pytest.mark.parametrize("construction", ["deep", "wide", "lipschitz"])
def test_memorize_draws_the_plane(folder, capsys, construction):
    arguments = ["binary.csv", "--ratio", "0.9", "--construction", construction]
    assert run("memorize", *arguments, "--plot", "p.svg") == 0
    text = Path("p.svg").read_text(encoding="utf-8")
    assert "label -1" in text
    assert f"{construction} memorizer" in text
    assert ("tie: no label" in text) == (construction == "lipschitz")
    write_points_npz(np.eye(3), [1, 2, 3], "cube.npz")
    capsys.readouterr()
    assert run("memorize", "cube.npz", "--ratio", "0.9", "--plot", "p.png", "-o", "n.npz") == 2
    error = capsys.readouterr().err
    assert "2 coordinates, those of cube.npz have 3" in error
    assert error.count("\n") == 1
    assert not Path("n.npz").exists()


def test_certify_names_the_failing_balls(folder, capsys):
    assert run("memorize", "points.npz", "--budget", "1", "-o", "net.npz") == 0
    assert run("certify", "net.npz", "--data", "points.npz", "--radius", "1.9", "--json") == 1
    out = capsys.readouterr().out
    record = json.loads(out[out.index("\n{") :])
    memorization = record["memorization"]
    assert memorization["robustly_memorizes"] is False
    assert memorization["violated"]
    failing = {item["item"] for item in record["results"] if item["verdict"] == "violated"}
    assert set(memorization["violated"]) == failing


def test_an_edited_weight_is_violated(folder, capsys):
    run("memorize", "points.npz", "--budget", "1", "-o", "net.npz")
    network = read_network("net.npz")
    last = network.layers[-1]
    edited = Layer(0.5 * last.weight, last.bias, last.relu)
    save_network(Network((*network.layers[:-1], edited), notes=network.notes), Path("bad.npz"))
    capsys.readouterr()
    assert run("certify", "bad.npz", "--data", "points.npz", "--radius", "1") == 1
    assert "robustly memorizes points.npz with budget 1: no" in capsys.readouterr().out


def test_lipschitz_from_decimals(folder, capsys):
    arguments = ["--construction", "lipschitz", "--label-column", "y"]
    assert run("memorize", "binary.csv", *arguments, "-o", "net.onnx") == 0
    assert run("certify", "net.onnx", "--data", "binary.csv", "--radius", "0.149") == 0
    assert "yes, 3 of 3 balls proved" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--budget", "2"], "not below half of the separation bound 4: rows "),
        (["--budget", "-1"], "negative"),
        (["--budget", "many"], "not a number"),
        (["--ratio", "1"], "at least 0 and below 1"),
        (["--ratio", "0.5", "--budget", "1"], "not both"),
        ([], "give --budget MU"),
        (["--construction", "lipschitz"], "exactly two"),
        (["--construction", "lipschitz", "--certify"], "needs the --budget"),
        (["--budget", "1", "-o", "net.txt"], "written as .onnx or .npz"),
    ],
)
def test_bad_options_are_one_line(folder, capsys, arguments, message):
    assert run("memorize", "points.npz", *arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("relucert: error: ")
    assert message in error
    assert error.count("\n") == 1


def test_bad_data_are_one_line(folder, capsys):
    Path("same.csv").write_text("1,2,0\n3,4,0\n1,2,1\n")
    for command in (["separation"], ["memorize", "--budget", "0"]):
        assert run(*command, "same.csv") == 2
        assert "rows 0 and 2 of same.csv are equal but labelled 0 and 1" in capsys.readouterr().err
    Path("nan.csv").write_text("1,nan,0\n3,4,1\n")
    assert run("memorize", "nan.csv", "--budget", "0") == 2
    assert "nan.csv" in capsys.readouterr().err


def test_one_label(folder, capsys):
    Path("one.csv").write_text("1,2,7\n")
    assert run("memorize", "one.csv", "--budget", "5", "--certify", "-o", "net.onnx") == 0
    out = capsys.readouterr().out
    assert "one label only: a constant network" in out
    assert "1 of 1 balls proved" in out
    assert run("memorize", "one.csv", "--ratio", "0.5") == 2


def test_refute(folder, capsys):
    network = Network.dense([np.ones((1, 3)), np.ones((1, 1))], [np.zeros(1), np.zeros(1)])
    save_network(network, Path("narrow.npz"))
    assert run("refute", "narrow.npz") == 1
    assert "refuted" in capsys.readouterr().out
    assert run("refute", "narrow.npz", "--budget", "0.49", "--json") == 1
    record = json.loads(capsys.readouterr().out)
    first, second = ([Fraction(v) for v in record[name]] for name in ("first", "second"))
    assert network.evaluate_exactly(first) == network.evaluate_exactly(second)
    save_network(Network.dense([np.eye(3)], [np.zeros(3)]), Path("full.npz"))
    assert run("refute", "full.npz") == 3
    assert run("refute", "narrow.npz", "--budget", "0.5") == 2
