"""Pictures of the plane: what they show, where they refuse, and that they repeat."""

from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from relucert.cli import main
from relucert.errors import FileError, UsageError
from relucert.network import Network
from relucert.query import Decision
from relucert.report.plane import PlaneData, label_margins, plot_plane
from relucert.report.plane_lines import half_space_lines
from relucert.write.network import save_network
from relucert.write.points import write_points_npz

WEDGE = Network.dense([-np.eye(2), -np.ones((1, 2))], [np.ones(2), np.ones(1)], "wedge")
POINTS = np.array([[2.0, 2.0], [-1.0, 2.0], [2.0, -1.5], [0.0, 0.0]])
DATA = PlaneData(POINTS, np.array([1, -1, -1, -1]), 0.25)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments):
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    return stop.value.code


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_the_same_picture_is_the_same_bytes(folder, ending):
    for name in ("one", "two"):
        plot_plane(Path(f"{name}.{ending}"), DATA, network=WEDGE, decision=Decision("sign", 2))
    one, two = (Path(f"{name}.{ending}").read_bytes() for name in ("one", "two"))
    assert one == two
    assert len(one) > 4000


def test_an_svg_shows_balls_lines_and_the_failing_ball(folder):
    plain = PlaneData(POINTS, DATA.targets)
    failing = PlaneData(POINTS, DATA.targets, 0.25, {1: "in", -1: "out"}, [3])
    sizes = []
    for data, network in ((plain, None), (DATA, None), (DATA, WEDGE), (failing, WEDGE)):
        plot_plane(Path("p.svg"), data, network=network, decision=Decision("sign", 2))
        root = ElementTree.parse("p.svg").getroot()
        sizes.append(sum(element.tag.endswith(("path", "use")) for element in root.iter()))
        text = Path("p.svg").read_text(encoding="utf-8")
        assert "#0072b2" in text
        assert "#d55e00" in text
        assert ("pattern" in text) == bool(data.failing)
    assert sizes == sorted(sizes)
    assert len(set(sizes)) == len(sizes)


def test_a_label_has_one_colour_in_points_and_regions(folder):
    """The tint of the third label's region is a fifth of its points' colour, on white."""
    network = Network.dense([np.array([[0.0, 0.0]] * 3)], [np.array([0.0, 0.0, 1.0])])
    data = PlaneData(POINTS, np.full(4, 2))
    plot_plane(Path("p.svg"), data, network=network, decision=Decision("argmax", 3))
    text = Path("p.svg").read_text(encoding="utf-8")
    assert "#009e73" in text
    assert "#ccece3" in text
    assert "#0072b2" not in text


def test_the_window_holds_every_ball():
    for points in (POINTS, np.zeros((1, 2)), np.array([[0.0, 0.0], [1000.0, 0.0]])):
        data = PlaneData(points, np.ones(len(points), dtype=int), 0.5)
        left, right, bottom, top = data.window()
        assert left < (points[:, 0] - 0.5).min()
        assert (points[:, 0] + 0.5).max() < right
        assert bottom < (points[:, 1] - 0.5).min()
        assert (points[:, 1] + 0.5).max() < top
        assert top - bottom >= 0.3 * (right - left)


@pytest.mark.parametrize("kind", ["sign", "nearest", "argmax"])
def test_margins_are_positive_exactly_where_the_decision_gives_the_label(kind):
    generator = np.random.default_rng(1)
    outputs = 3 if kind == "argmax" else 1
    network = Network.dense(
        [generator.normal(size=(5, 2)), generator.normal(size=(outputs, 5))],
        [generator.normal(size=5), generator.normal(size=outputs) + 1],
    )
    decision = Decision(kind, {"sign": 2}.get(kind, 3))
    targets = {"sign": [-1, 1], "nearest": [1, 2, 3], "argmax": [0, 1, 2]}[kind]
    x = generator.normal(size=(200, 2)) * 2
    margins = label_margins(network, decision, x, targets)
    for target, row in zip(targets, margins, strict=True):
        for point, margin in zip(x, row, strict=True):
            output = network.evaluate_exactly([Fraction(float(v)) for v in point])
            wrong = any(part.contains(output) for part in decision.wrong_outputs(target))
            assert abs(margin) < 1e-12 or wrong == (margin < 0)


def _unit(lines):
    rows = [line / np.hypot(*line[:2]) for line in lines]
    return sorted(tuple(np.round(row * np.sign(row[np.flatnonzero(row)[0]]), 9)) for row in rows)


def test_the_half_spaces_of_wedges_and_bevels():
    def lines(a, c, rows):
        rows = np.array(rows, dtype=float)
        network = Network.dense([rows[:, :2], np.array([a])], [rows[:, 2], np.array([c])])
        return _unit(half_space_lines(network))

    x, y = [1, 0, 0], [0, 1, 0]
    wedge = lines([1.0, -1.0], -1.0, [[1, 0, 1], [1, -1, 0]])  # x > 0 and y > 0
    assert wedge == _unit(np.array([x, y], dtype=float))
    bevel = lines([-1.0, -1.0], 1.0, [x, y])  # x < 1, y < 1, x + y < 1
    assert bevel == _unit(np.array([[1, 0, -1], [0, 1, -1], [1, 1, -1]], dtype=float))
    assert lines([-1.0, -2.0], 1.0, [x, x]) == _unit(np.array([[3, 0, -1]], dtype=float))
    assert lines([1.0, 1.0], 1.0, [x, y]) == []
    assert lines([1.0], -1.0, [x]) == _unit(np.array([[1, 0, -1]], dtype=float))
    three = Network.dense([np.ones((3, 2)), np.ones((1, 3))], [np.zeros(3), -np.ones(1)])
    assert half_space_lines(three).shape == (0, 3)


def test_only_lines_in_view_are_in_the_legend(folder):
    for bias, seen in ((1.0, True), (10.0, False)):
        network = Network.dense([np.eye(2), np.ones((1, 2))], [np.full(2, bias), -np.ones(1)])
        plot_plane(Path("p.svg"), DATA, network=network, decision=Decision("sign", 2))
        text = Path("p.svg").read_text(encoding="utf-8")
        assert ("neuron switches" in text) == seen
        assert ("edge of a half-space" in text) == seen


def test_a_network_with_a_flat_or_distant_neuron_is_drawn(folder):
    weights = [np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]), np.ones((1, 3))]
    network = Network.dense(weights, [np.ones(3), np.array([-1e9])])
    plot_plane(Path("flat.png"), DATA, network=network, decision=Decision("sign", 2))
    assert Path("flat.png").stat().st_size > 4000


def test_what_cannot_be_drawn_is_refused(folder):
    with pytest.raises(UsageError, match="2 coordinates, these have 3"):
        PlaneData(np.zeros((1, 3)), np.ones(1))
    with pytest.raises(UsageError, match="2 inputs, this has 3"):
        plot_plane(Path("p.png"), DATA, network=Network.dense([np.ones((1, 3))], [np.zeros(1)]))
    with pytest.raises(FileError, match="unknown picture format"):
        plot_plane(Path("p.bmp"), DATA)
    with pytest.raises(FileError, match="there is no folder"):
        plot_plane(Path("nowhere/p.png"), DATA)


def test_plot_command(folder, capsys):
    save_network(WEDGE, Path("net.npz"))
    write_points_npz(POINTS, [1, -1, -1, -1], "points.npz")
    arguments = ["plot", "net.npz", "--data", "points.npz", "-o", "p.png"]
    assert run(*arguments, "--radius", "1/4") == 0
    assert "wrote p.png" in capsys.readouterr().out
    assert Path("p.png").read_bytes().startswith(b"\x89PNG")
    for more, message in (
        (["--radius", "-1"], "--radius must not be negative"),
        (["--decision", "argmax"], "several outputs"),
        (["-o", "p.gif"], "unknown picture format"),
        (["--radius", "many"], "not a number"),
    ):
        assert run(*arguments, *more) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
    write_points_npz(np.ones((2, 3)), [1, -1], "cube.npz")
    assert run("plot", "net.npz", "--data", "cube.npz", "-o", "p.png") == 2
    assert "2 coordinates" in capsys.readouterr().err


def test_plot_of_a_memorizer_calls_labels_by_their_own_names(folder):
    write_points_npz(np.array([[0, 0], [0, 4], [4, 0]], dtype=np.uint8), [0, 1, 7], "points.npz")
    assert run("memorize", "points.npz", "--ratio", "0.9", "-o", "net.npz") == 0
    arguments = ["--data", "points.npz", "--radius", "1.8", "-o", "p.svg", "--title", "deep"]
    assert run("plot", "net.npz", *arguments) == 0
    assert "label 7" in Path("p.svg").read_text(encoding="utf-8")


def test_train_draws_its_best_network(folder, capsys):
    write_points_npz(np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), [5, 9, 9, 5], "xor.npz")
    arguments = ["train", "xor.npz", "--budget", "0.2", "--width", "1", "--restarts", "1"]
    assert run(*arguments, "--steps", "50", "--seed", "1", "--plot", "p.svg") == 1
    text = Path("p.svg").read_text(encoding="utf-8")
    for words in ("xor.npz: trained, ", "label 5", "label 9", "ball with a wrong point"):
        assert words in text
    write_points_npz(np.ones((2, 3)), [1, -1], "cube.npz")
    assert run("train", "cube.npz", "--budget", "0", "--plot", "p.svg") == 2
    assert "2 coordinates, those of cube.npz have 3" in capsys.readouterr().err
