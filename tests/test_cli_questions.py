"""Everything about points, places for output and seeds is checked before any work is done."""

from __future__ import annotations

import csv
import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from relucert.cli import main
from relucert.memorization.labels import LabelMap
from relucert.network import Layer, Network
from relucert.query import Decision
from relucert.verdict import Method, Proved, Reason, Unknown
from relucert.verify import Outcome
from relucert.write.npz import write_network_npz
from relucert.write.onnx import write_onnx


def run(line):
    with pytest.raises(SystemExit) as stop:
        main(line.split())
    return stop.value.code


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """net: both outputs are the inputs; ten: one output, ten times the input."""
    monkeypatch.chdir(tmp_path)
    write_onnx(Network.dense([np.eye(2)], [np.zeros(2)]), "net.onnx", "float32")
    write_onnx(Network.dense([np.full((1, 1), 10.0)], [np.zeros(1)]), "ten.onnx", "float32")
    Path("good.csv").write_text("0.9,0.1,0\n0.1,0.9,1\n")
    Path("label.csv").write_text("0.9,0.1,0\n0.1,0.9,7\n")
    Path("wide.csv").write_text("0.9,0.1,5,0\n")
    Path("range.csv").write_text("0.9,0.1,0\n0.1,1.5,1\n")
    Path("list.csv").write_text("family,network,property\nf,net.onnx,p.vnnlib\n")
    return tmp_path


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("certify net.onnx --data label.csv --radius 0", ("label.csv: point 1: label 7",)),
        ("certify net.onnx --data label.csv --radius 0 --engine milp", ("label.csv: point 1",)),
        ("certify net.onnx --data wide.csv --radius 0", ("wide.csv: point 0 has 3 values",)),
        ("certify net.onnx --data range.csv --radius 0 --clip 0 1", ("range.csv: point 1",)),
        ("radius net.onnx --data label.csv", ("label.csv: point 1: label 7",)),
        ("radius net.onnx --data range.csv --clip 0 1", ("range.csv: point 1: input 1",)),
        ("radius net.onnx --data good.csv --solver NOPE", ("unknown solver",)),
        ("certify net.onnx --data good.csv --radius 0 --seed -5", ("--seed",)),
        ("certify net.onnx --data good.csv --radius 0 --csv no/x.csv", ("no/x.csv: cannot be",)),
        ("certify net.onnx --data good.csv --radius 1 --witness-out good.csv", ("is a file",)),
        ("certify net.onnx --data good.csv --radius 1 --witness-out good.csv/x", ("good.csv",)),
        ("radius net.onnx --data good.csv --plot no/x.png", ("no/x.png: cannot be",)),
        ("bench list.csv --results no/r.csv", ("no/r.csv: cannot be",)),
        ("bench list.csv --solver NOPE", ("unknown solver",)),
        ("bench list.csv --memory nan", ("--memory",)),
        ("bench list.csv --timeout nan", ("--timeout",)),
    ],
)  # fmt: skip
def test_refused_in_one_line_before_any_work(line, words, folder, capsys, monkeypatch):
    def no_work(*_arguments, **_options):
        raise AssertionError("work began before the options were checked")

    monkeypatch.setattr("relucert.commands.semantics.certify", no_work)
    monkeypatch.setattr("relucert.commands.certify.proved_together", no_work)
    monkeypatch.setattr("relucert.commands.radius.bracket_points", no_work)
    monkeypatch.setattr("relucert.commands.bench.run_bench", no_work)
    before = sorted(folder.iterdir())
    assert run(line) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    for word in words:
        assert word in captured.err
    assert sorted(folder.iterdir()) == before


def test_a_list_with_an_absurd_cell_is_one_line(folder, capsys):
    Path("list.csv").write_text(f"family,network,property\n{'x' * 200_000},a,b\n")
    assert run("bench list.csv") == 2
    assert "list.csv: line" in capsys.readouterr().err


def test_the_decision_does_not_depend_on_the_chosen_points(folder):
    """Output 9 means label 3; it must not count as label 2 when only that point is chosen."""
    Path("labels.csv").write_text("0.1,1\n0.9,2\n0.3,3\n")
    for chosen in ("", "--points 1"):
        line = f"certify ten.onnx --data labels.csv --radius 0 --csv out.csv {chosen}"
        assert run(line) == 1
        with Path("out.csv").open(newline="") as file:
            verdicts = {row["item"]: row["verdict"] for row in csv.DictReader(file)}
        assert verdicts["point 1"] == "violated"


def test_radius_reads_labels_as_the_network_maps_them(folder, capsys):
    """Labels -1 and 1 stand for the outputs 1 and 2: near 2 the label 1 is right."""
    labels = LabelMap({-1: 1, 1: 2}, Decision("nearest", 2))
    layer = Layer(np.ones((1, 1)), np.zeros(1), np.zeros(1, dtype=bool))
    write_network_npz(Network((layer,), "map", notes=(labels.note,)), "map.npz")
    Path("points.csv").write_text("1,-1\n2,1\n")
    assert run("radius map.npz --data points.csv --csv out.csv") == 0
    with Path("out.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            assert Fraction(row["lower"]) <= Fraction(1, 2) <= Fraction(row["upper"])
            assert Fraction(row["lower"]) > Fraction(49, 100)


def test_an_interrupt_among_bounds_for_all_keeps_what_is_proved(folder, capsys, monkeypatch):
    """Ctrl-C while many balls are bounded at once: the balls proved so far are shown."""

    def interrupted(_network, _balls, _progress, _check):
        yield 1, Proved(Method.BOUNDS)
        raise KeyboardInterrupt

    monkeypatch.setattr("relucert.commands.certify.proved_together", interrupted)
    assert run("certify net.onnx --data good.csv --radius 0 --csv out.csv") == 3
    with Path("out.csv").open(newline="") as file:
        assert [row["item"] for row in csv.DictReader(file)] == ["point 1"]
    assert "1 of 2 points done" in capsys.readouterr().err


@pytest.mark.parametrize(("radius", "name"), [("1/4", "property.vnnlib"), ("1/3", "property.txt")])
def test_what_rounding_leaves_open_is_kept(folder, capsys, monkeypatch, radius, name):
    """Search and checker disagree: the question can be asked again."""
    doubted = Outcome(Unknown(Reason.ROUNDING, "a part does not check"), 0.1, 7)
    monkeypatch.setattr("relucert.commands.certify.certify_alone", lambda *_, **__: doubted)
    monkeypatch.setattr(
        "relucert.commands.certify._proved_together", lambda *_: ({}, False)
    )  # fmt: skip
    arguments = f"certify net.onnx --data good.csv --radius {radius} --points 0 --seed 7 --json"
    assert run(arguments) == 3
    (result,) = json.loads(capsys.readouterr().out)["results"]
    (kept,) = Path().glob("relucert-rounding-*")
    assert str(kept) in result["detail"]
    assert sorted(path.name for path in kept.iterdir()) == sorted(
        ["network.npz", name, "reproduce.json"]
    )
    about = json.loads((kept / "reproduce.json").read_text())
    assert (about["engine"], about["seed"]) == ("auto", 7)
    if name.endswith(".vnnlib"):
        monkeypatch.undo()
        monkeypatch.chdir(folder / kept)
        assert run(" ".join(about["command"].split()[1:])) in (0, 1)
    else:
        assert "17/30" in (kept / name).read_text()
