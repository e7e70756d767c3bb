"""The Stanford format against a direct evaluation with Fractions."""

from __future__ import annotations

import gzip
from fractions import Fraction

import numpy as np
import pytest

from relucert.errors import FileError
from relucert.read.network import read_network

TEXT = """// a comment
// another
2,2,2,3,
2,3,2,
0,
-1.0,-2.0,
1.0,2.0,
0.1,0.2,7.5,
3.0,-0.7,373.94992,
0.5,-0.25,
1e-1,2,
-.5,+1.5E0,
0.1,
-0.2,
0.3,
1.0,2.0,3.0,
-1.0,0.7,0.0,
0.25,
-0.5,
"""


def write(tmp_path, text, name="net.nnet"):
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


def F(text):  # noqa: N802
    return Fraction(float(text))


def reference(x):
    """Normalise, apply the layers, scale back: over the nearest float64 of each decimal."""
    x = [(x[0] - F("0.1")) / F("3.0"), (x[1] - F("0.2")) / F("-0.7")]
    w = [[F("0.5"), F("-0.25")], [F("0.1"), F("2")], [F("-0.5"), F("1.5")]]
    b = [F("0.1"), F("-0.2"), F("0.3")]
    h = [max(sum((a * v for a, v in zip(row, x, strict=True)), c), Fraction(0))
         for row, c in zip(w, b, strict=True)]  # fmt: skip
    w, b = [[F("1"), F("2"), F("3")], [F("-1"), F("0.7"), F("0")]], [F("0.25"), F("-0.5")]
    y = [sum((a * v for a, v in zip(row, h, strict=True)), c) for row, c in zip(w, b, strict=True)]
    return tuple(v * F("373.94992") + F("7.5") for v in y)


@pytest.mark.parametrize("name", ["net.nnet", "net.nnet.gz"])
def test_normalisation_and_scaling_are_part_of_the_function(tmp_path, name):
    network = read_network(write(tmp_path, TEXT, name))
    rng = np.random.default_rng(5)
    for _ in range(20):  # also outside the stored limits: no clipping
        x = [Fraction(int(v), 16) for v in rng.integers(-80, 80, size=2)]
        assert network.evaluate_exactly(x) == reference(x)
    assert network.name == "net"
    assert network.input_shape == (2,)
    assert any("clipped" in note for note in network.notes)


def test_trivial_normalisation_adds_no_layer(tmp_path):
    text = TEXT.replace("0.1,0.2,7.5", "0,0,0").replace("3.0,-0.7,373.94992", "1,1,1")
    assert len(read_network(write(tmp_path, text)).layers) == 2


def test_every_truncation_is_refused(tmp_path):
    lines = TEXT.splitlines(keepends=True)
    for count in range(len(lines)):
        with pytest.raises(FileError):
            read_network(write(tmp_path, "".join(lines[:count])))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("2,2,2,3,", "2,2,2,", "line 3"),
        ("2,2,2,3,", "0,2,2,3,", "line 3"),
        ("2,2,2,3,", "99999999,2,2,3,", "line 3"),
        ("2,2,2,3,", "two,2,2,3,", "line 3"),
        ("2,3,2,", "2,3,3,", "line 4"),
        ("2,3,2,", "2,3,", "line 4"),
        ("2,3,2,", "2,-3,2,", "line 4"),
        ("0.5,-0.25,", "0.5,", "line 10: 1 weights, not 2"),
        ("0.5,-0.25,", "0.5,nan,", "line 10: weights: not a number: 'nan'"),
        ("0.5,-0.25,", "0.5,inf,", "line 10"),
        ("0.5,-0.25,", "0.5,1e400,", "line 10.*range of float64"),
        ("0.5,-0.25,", "0.5,0x1p3,", "line 10"),
        ("0.5,-0.25,", "0.5,1_0,", "line 10"),
        ("0.5,-0.25,", "0.5,١,", "line 10"),
        ("3.0,-0.7,", "3.0,0,", "range of the inputs is zero"),
        ("0.25,\n-0.5,\n", "0.25,\n-0.5,\n1.0,\n", "line 20: more numbers"),
    ],
)
def test_malformed_lines_are_named(tmp_path, old, new, words):
    assert old in TEXT
    with pytest.raises(FileError, match=words):
        read_network(write(tmp_path, TEXT.replace(old, new)))


def test_not_text(tmp_path):
    path = tmp_path / "net.nnet"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FileError, match="UTF-8"):
        read_network(path)
