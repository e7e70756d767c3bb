"""Training: exact gradients, XOR found, results judged exactly, same seed same bytes."""

import json
from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from relucert.cli import main
from relucert.limits import Limits
from relucert.memorization import training
from relucert.memorization.gradient_descent import _gradient, _loss_slopes, _values, _Weights, task
from relucert.memorization.training import Trainer, best_restart
from relucert.read.network import read_network
from relucert.read.points import read_points
from relucert.verdict import Proved, Violated

XOR = "x1,x2,label\n0,0,0\n1,1,0\n0,1,1\n1,0,1\n"
THREE = "x,label\n0,5\n1,6\n2,9\n"
QUICK = ["--budget", "0.2", "--steps", "400", "--seed", "1"]


@pytest.fixture
def run(capsys):
    def command(*arguments):
        with pytest.raises(SystemExit) as stop:
            main(["train", *map(str, arguments)])
        captured = capsys.readouterr()
        return stop.value.code, captured.out, captured.err

    return command


@pytest.fixture
def xor(tmp_path):
    path = tmp_path / "xor.csv"
    path.write_text(XOR)
    return path


@pytest.mark.parametrize("labels", [2, 3])
def test_the_gradient_is_that_of_the_mean_loss(labels):
    generator = np.random.default_rng(3)
    targets = generator.choice([-1, 1] if labels == 2 else [1, 2, 3], 12)
    balls = task(generator.normal(size=(12, 3)), targets, labels, Fraction(1, 10))
    weights, rows = _Weights(4, 3), np.arange(12)
    weights.draw(balls, generator)

    def loss():
        return _loss_slopes(balls, rows, _values(weights, balls.points)[1])[0].mean()

    found = _gradient(balls, weights, rows, balls.points)
    for index in range(len(weights.vector)):
        kept = weights.vector[index]
        ends = []
        for step in (1e-6, -1e-6):
            weights.vector[index] = kept + step
            ends.append(loss())
        weights.vector[index] = kept
        assert (ends[0] - ends[1]) / 2e-6 == pytest.approx(found[index], abs=1e-6)


def test_some_restart_of_width_two_finds_xor(xor):
    found = list(Trainer(read_points(xor), Fraction(1, 5), 2, steps=400, seed=1).run(3))
    best = best_restart(found)
    assert best.succeeded
    assert any(one.violated for one in found)
    sign = {(0, 0): -1, (1, 1): -1, (0, 1): 1, (1, 0): 1}
    for (x, label), move in product(sign.items(), product((-1, 0, 1), repeat=2)):
        z = [Fraction(a) + Fraction(b, 5) for a, b in zip(x, move, strict=True)]
        assert best.network.evaluate_exactly(z)[0] * label > 0
    rows = [(0, 0), (1, 1), (0, 1), (1, 0)]
    for one in found:
        for item, x in zip(one.items, rows, strict=True):
            if isinstance(item.verdict, Violated):
                z = item.verdict.witness.input
                assert all(abs(a - b) <= Fraction(1, 5) for a, b in zip(z, x, strict=True))
                assert one.network.evaluate_exactly(z)[0] * sign[x] <= 0


def test_width_one_cannot_and_is_not_said_to(xor, run):
    code, out, _ = run(xor, *QUICK, "--width", "1", "--restarts", "2", "--json")
    record = json.loads(out)
    assert (code, record["succeeded"], record["success_rate"]) == (1, 0, 0.0)
    assert record["memorization"]["robustly_memorizes"] is False
    assert all(one["violated"] for one in record["restarts"])


def test_three_labels_far_from_the_origin(tmp_path):
    path = tmp_path / "three.csv"
    path.write_text("x,label\n1000,5\n1001,6\n1002,9\n")
    found = list(Trainer(read_points(path), Fraction(1, 5), 2, steps=600, seed=2).run(3))
    assert best_restart(found).succeeded
    assert best_restart(found).network.notes[-1] == "label map: 5->1, 6->2, 9->3"


@pytest.mark.parametrize("name", ["net.npz", "net.onnx"])
def test_the_same_seed_gives_the_same_bytes(run, xor, tmp_path, name):
    written = []
    for _ in range(2):
        code, out, err = run(xor, *QUICK, "--restarts", "3", "-o", tmp_path / name)
        assert (code, err) == (0, "")
        assert "of 3 restarts found" in out
        assert out.endswith("seed 1\n")
        written.append((tmp_path / name).read_bytes())
    assert written[0] == written[1]
    code, out, _ = run(xor, "--budget", "0.2", "--steps", "400", "--seed", "2", "--restarts", "3",
                       "-o", tmp_path / name)  # fmt: skip
    assert (tmp_path / name).read_bytes() != written[0]
    assert read_network(tmp_path / name).notes[-1] == "label map: 0->-1, 1->1"


def test_a_seed_is_drawn_and_recorded(run, xor):
    record = json.loads(run(xor, "--budget", "0", "--steps", "1", "--restarts", "1", "--json")[1])
    again = run(xor, "--budget", "0", "--steps", "1", "--restarts", "1", "--json",
                "--seed", record["seed"])  # fmt: skip
    assert json.loads(again[1])["restarts"][0]["loss"] == record["restarts"][0]["loss"]


def test_ctrl_c_keeps_what_is_done(run, xor, tmp_path, monkeypatch):
    calls = []
    descend = training.descend

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return descend(*arguments)

    monkeypatch.setattr(training, "descend", interrupted)
    path = tmp_path / "net.npz"
    code, out, err = run(xor, *QUICK, "--restarts", "5", "-o", path)
    assert err == "relucert: interrupted: 2 of 5 restarts done\n"
    assert (code, path.exists()) == (0, True)
    assert "1 of 2 restarts found" in out
    assert "3 restarts of 5 were not finished" in out


def test_a_time_limit_ends_the_run(run, xor, tmp_path):
    path = tmp_path / "net.npz"
    code, out, _ = run(xor, *QUICK, "--timeout", "1e-9", "-o", path)
    assert (code, path.exists()) == (3, False)
    assert "0 of 0 restarts found" in out
    trainer = Trainer(read_points(xor), Fraction(1, 5), 2, steps=10**9, seed=1)
    assert list(trainer.run(2, Limits(0.05))) == []


def test_one_point_and_one_label(tmp_path):
    path = tmp_path / "one.csv"
    path.write_text("x,y,label\n3,4,7\n")
    (only,) = Trainer(read_points(path), Fraction(1, 2), 1, steps=200, seed=0).run(1)
    assert only.succeeded
    assert isinstance(only.items[0].verdict, Proved)


@pytest.mark.parametrize("size", ["1e305", "1e-305"])
def test_coordinates_beyond_use_are_refused(run, tmp_path, size):
    path = tmp_path / "far.csv"
    path.write_text(f"x,label\n{size},1\n0,2\n")
    code, _, err = run(path, "--budget", "0")
    assert (code, err.count("\n")) == (2, 1)
    assert "cannot be trained on: scale them" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--budget", "0.5"], "is not below half of the separation bound 1"),
        (["--budget", "-0.1"], "negative"),
        ([], "Missing option '--budget'"),
        (["--budget", "0", "--width", "0"], "x>=1"),
        (["--budget", "0", "--restarts", "0"], "x>=1"),
        (["--budget", "0", "--timeout", "0"], "must be positive"),
        (["--budget", "0", "-o", "net.txt"], "written as .onnx or .npz"),
        (["--budget", "0", "-o", "nowhere/net.npz"], "there is no folder"),
    ],
)
def test_errors_are_one_line(run, xor, arguments, message):
    code, out, err = run(xor, *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err
