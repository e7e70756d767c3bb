"""Which items a sweep has, what names them, and in which order they come."""

import shutil
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from relucert.errors import FileError, UsageError
from relucert.network import Network
from relucert.sweep.items import make_plan, network_digest
from relucert.write.onnx import write_onnx
from relucert.write.points import write_points_npz

DIGITS = Path(__file__).parents[2] / "instances/digits"
NETWORKS = [DIGITS / "dense_50x2.onnx", DIGITS / "dense_16x2.onnx"]
UNIT = (Fraction(0), Fraction(1))


def plan(networks=NETWORKS, data=DIGITS / "test_points.npz", radii=("0.03", "0.01"), **others):
    options = {"selection": "0-2", "label_column": None, "decision": "auto", "clip": UNIT}
    return make_plan(networks, data, radii, **{**options, **others})


def test_small_radii_and_small_networks_come_first():
    found = [(item.radius, item.network.name, item.row) for item in plan().items()]
    assert found == [
        (radius, f"dense_{size}x2.onnx", row)
        for radius in ("0.01", "0.03")
        for size in (16, 50)
        for row in range(3)
    ]


def test_an_item_is_named_by_its_content(tmp_path):
    shutil.copy(NETWORKS[1], tmp_path / "copy.onnx")
    shutil.copy(DIGITS / "test_points.npz", tmp_path / "points.npz")
    here = plan([NETWORKS[1]]).items()
    there = plan([tmp_path / "copy.onnx"], tmp_path / "points.npz", ["3/100", "1/100"]).items()
    assert [item.key for item in here] == [item.key for item in there]
    assert [item.seed(1) for item in here] == [item.seed(1) for item in there]
    assert len({item.key for item in here}) == len(here)


@pytest.mark.parametrize(
    "others", [{"clip": None}, {"clip": (Fraction(-1), Fraction(1))}, {"radii": ["0.02"]}]
)
def test_every_part_of_the_question_enters_the_name(others):
    keys = {item.key for item in plan().items()}
    assert keys.isdisjoint(item.key for item in plan(**others).items())


def test_seeds_differ_between_items_and_sweeps():
    items = plan().items()
    assert len({item.seed(seed) for item in items for seed in (0, 1)}) == 2 * len(items)


def test_weights_enter_the_digest_wherever_they_lie(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"the same")
    zeros = [np.zeros(1)]
    one, two = (Network.dense([np.array([[weight]])], zeros) for weight in (1.0, 2.0))
    assert network_digest(path, one) != network_digest(path, two)
    assert network_digest(path, one) == network_digest(path, one)


def test_bad_input_is_refused_at_once(tmp_path):
    with pytest.raises(UsageError, match="same network"):
        plan([NETWORKS[0], NETWORKS[1], NETWORKS[0]])
    with pytest.raises(UsageError, match="must not be negative"):
        plan(radii=["-1"])
    with pytest.raises(UsageError, match="clip range is empty"):
        plan(clip=(Fraction(1), Fraction(0)))
    with pytest.raises(FileError, match=r"point 0: input \d+ is .*outside the clip range"):
        plan(clip=(Fraction(0), Fraction(1, 10)))
    wide = np.zeros((2, 3), dtype=np.float32)
    write_points_npz(wide, np.array([0, 1]), tmp_path / "wide.npz")
    with pytest.raises(FileError, match=r"points have 3 values, dense_50x2.onnx takes 64"):
        plan(data=tmp_path / "wide.npz", selection=None)
    write_points_npz(np.zeros((1, 64), dtype=np.float32), np.array([10]), tmp_path / "ten.npz")
    with pytest.raises(FileError, match="point 0: label 10 is out of range"):
        plan(data=tmp_path / "ten.npz", selection=None)


def test_points_at_the_ends_of_the_range_are_inside(tmp_path):
    """0.1 is no float: the cell is compared as written."""
    (tmp_path / "p.csv").write_text("0.1,0.3,0\n0.3,0.1,1\n")
    net = Network.dense([np.eye(2)], [np.zeros(2)])
    write_onnx(net, tmp_path / "n.onnx", "float32")
    ends = (Fraction(1, 10), Fraction(3, 10))
    assert len(plan([tmp_path / "n.onnx"], tmp_path / "p.csv", selection=None, clip=ends).rows) == 2
    with pytest.raises(FileError, match="outside the clip range"):
        plan([tmp_path / "n.onnx"], tmp_path / "p.csv", selection=None,
             clip=(Fraction(1, 10) + Fraction(1, 10**30), ends[1]))  # fmt: skip
