"""Graphs that runtimes read differently are refused; bounds beyond float32 are kept."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from onnx import TensorProto, helper

from relucert.errors import FileError

node = helper.make_node


@pytest.mark.parametrize(
    ("kind", "attributes"),
    [
        ("MaxPool", {"kernel_shape": [1, 3], "dilations": [1, 2], "auto_pad": "SAME_UPPER"}),
        ("MaxPool", {"kernel_shape": [2, 2], "dilations": [2, 1], "auto_pad": "SAME_LOWER"}),
        ("AveragePool", {"kernel_shape": [1, 1], "strides": [3, 3], "auto_pad": "SAME_UPPER"}),
    ],
)
def test_pooling_with_unclear_padding_is_refused(kind, attributes, build, read_model):
    model = build([node(kind, ["x"], ["y"], **attributes)], [1, 1, 6, 6], opset=19)
    with pytest.raises(FileError, match="explicit pads"):
        read_model(model)


def test_pooling_with_clear_padding_agrees(build, agrees):
    for mode in ("SAME_UPPER", "SAME_LOWER"):
        attributes = {"kernel_shape": [3, 2], "strides": [2, 2], "auto_pad": mode}
        agrees(build([node("MaxPool", ["x"], ["y"], **attributes)], [1, 2, 6, 5]))


@pytest.mark.parametrize("pads", [[3, 0, -2, 0], [-2, 0, 3, 0], [-1, 0, -1, 0]])
def test_pads_that_cut_more_than_there_is_are_refused(pads, build, read_model):
    pads_input = {"pads": np.array(pads, np.int64)}
    model = build([node("Pad", ["x", "pads"], ["y"])], [1, 4], pads_input)
    with pytest.raises(FileError, match=r"cut more than|negative size"):
        read_model(model)


def test_a_float64_bound_beyond_float32_is_a_bound(build, read_model):
    bounds = {"lo": np.float64(-1e40), "hi": np.float64(1e39)}
    clip = node("Clip", ["x", "lo", "hi"], ["y"])
    network = read_model(build([clip], [1, 2], bounds, kind=TensorProto.DOUBLE))
    outputs = network.evaluate_exactly((Fraction(10) ** 60, -(Fraction(10) ** 60)))
    assert outputs == (Fraction(1e39), Fraction(-1e40))
