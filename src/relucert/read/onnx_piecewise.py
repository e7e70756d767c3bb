"""ONNX operators that bend: ReLU and its kin, maximum and minimum, clipping.

Everything rests on ``max(a, b) = a + relu(b - a)``, as a balanced tree for many operands.
"""

from __future__ import annotations

import numpy as np

from relucert.read.exact_floats import sums_are_exact
from relucert.read.onnx_node import Node, Operator, Value, combine, settled
from relucert.read.rows import RowGraph, check_size

__all__ = ["OPERATORS", "clip_bound", "maximum"]

_UNBOUNDED = float(np.finfo(np.float32).max)


def maximum(graph: RowGraph, candidates: np.ndarray) -> np.ndarray:
    """References to the maxima over axis 0 of (candidates, ...) references."""
    while len(candidates) > 1:
        half = len(candidates) // 2
        left, right = candidates[:half], candidates[half : 2 * half]
        # A constant makes the better first operand: c + relu(x - c) needs x only once.
        swap = right < 0
        left, right = np.where(swap, right, left), np.where(swap, left, right)
        excess = combine(graph, [(right, 1.0), (left, -1.0)], relu=True)
        larger = combine(graph, [(left, 1.0), (excess, 1.0)])
        candidates = np.concatenate([larger, candidates[2 * half :]])
    largest: np.ndarray = candidates[0]
    return largest


def _relu(node: Node) -> Value:
    return settled(node.graph, _rectified(node, node.refs(0)))


def _rectified(node: Node, refs: np.ndarray, sign: float = 1.0) -> np.ndarray:
    return combine(node.graph, [(refs, sign)], relu=True)


def _leaky(node: Node, refs: np.ndarray, slope: np.ndarray) -> Value:
    """``a x + (1 - a) relu(x)`` where 1 - a is a float64, else ``relu(x) - a relu(-x)``."""
    slope = slope.astype(np.float64)
    if not np.isfinite(slope).all():
        raise ValueError("a slope is not finite")
    graph, positive = node.graph, _rectified(node, refs)
    if sums_are_exact(np.ones(slope.shape), -slope).all():
        return settled(graph, combine(graph, [(refs, slope), (positive, 1.0 - slope)]))
    negative = _rectified(node, refs, -1.0)
    return settled(graph, combine(graph, [(positive, 1.0), (negative, -slope)]))


def _leaky_relu(node: Node) -> Value:
    slope = np.array(node.attribute("alpha", float(np.float32(0.01))))
    return _leaky(node, node.refs(0), slope)


def _prelu(node: Node) -> Value:
    refs, slope = node.refs(0), node.constant(1, "slope")
    if node.opset < 7 and slope.ndim == 1 and slope.size > 1:
        slope = slope.reshape(slope.shape + (1,) * (refs.ndim - 2))
    if np.broadcast_shapes(refs.shape, slope.shape) != refs.shape:
        raise ValueError(f"slopes of shape {slope.shape} do not fit {refs.shape}")
    return _leaky(node, refs, slope)


def _abs(node: Node) -> Value:
    refs = node.refs(0)
    positive = _rectified(node, refs)
    return settled(node.graph, combine(node.graph, [(positive, 2.0), (refs, -1.0)]))


def _operands(node: Node, sign: float) -> np.ndarray:
    arrays = [node.refs(index) for index in range(len(node.inputs))]
    if not arrays:
        raise ValueError("has no operands")
    shape = np.broadcast_shapes(*(array.shape for array in arrays))
    check_size(int(np.prod(shape, dtype=object)) * len(arrays), "broadcasting")
    stacked = np.stack([np.broadcast_to(array, shape) for array in arrays])
    return stacked if sign > 0 else combine(node.graph, [(stacked, -1.0)])


def _integers(node: Node) -> list[np.ndarray] | None:
    arrays = [value for value in node.inputs if isinstance(value, np.ndarray)]
    all_integers = len(arrays) == len(node.inputs) and all(a.dtype.kind in "iu" for a in arrays)
    return arrays if all_integers and arrays else None


def _max(node: Node) -> Value:
    if (integers := _integers(node)) is not None:
        return np.asarray(np.max(np.broadcast_arrays(*integers), axis=0))
    return settled(node.graph, maximum(node.graph, _operands(node, 1.0)))


def _min(node: Node) -> Value:
    if (integers := _integers(node)) is not None:
        return np.asarray(np.min(np.broadcast_arrays(*integers), axis=0))
    negated = maximum(node.graph, _operands(node, -1.0))
    return settled(node.graph, combine(node.graph, [(negated, -1.0)]))


def clip_bound(node: Node, index: int, name: str, sign: float) -> float | None:
    """A bound of Clip; None where it is absent, infinite or the largest float32.

    A float64 bound beyond the largest float32 is a bound like any other.
    """
    if node.opset < 11:
        value = node.attributes.get(name)
        bound = None if value is None else float(value)
    else:
        array = node.optional_constant(index, name)
        if array is not None and array.size != 1:
            raise ValueError(f"{name} is not one number")
        bound = None if array is None else float(array.reshape(-1)[0])
    if bound is not None and np.isnan(bound):
        raise ValueError(f"{name} is not a number")
    return None if bound is None or sign * bound in (_UNBOUNDED, np.inf) else bound


def _clip(node: Node) -> Value:
    """``low + relu(x - low) - relu(x - high)``; the upper bound wins where they cross."""
    graph, refs = node.graph, node.refs(0)
    low, high = clip_bound(node, 1, "min", -1.0), clip_bound(node, 2, "max", 1.0)
    if low is not None and high is not None and low >= high:
        return np.full(refs.shape, high)
    terms: list[tuple[np.ndarray, float]] = []
    if low is None and high is None:
        return settled(graph, refs)
    if low is None:
        terms.append((refs, 1.0))
    else:
        floor = graph.constants(np.array(low))
        terms += [(floor, 1.0), (combine(graph, [(refs, 1.0), (floor, -1.0)], relu=True), 1.0)]
    if high is not None:
        ceiling = graph.constants(np.array(high))
        terms.append((combine(graph, [(refs, 1.0), (ceiling, -1.0)], relu=True), -1.0))
    return settled(graph, combine(graph, terms))


OPERATORS: dict[str, Operator] = {
    "Abs": _abs,
    "Clip": _clip,
    "LeakyRelu": _leaky_relu,
    "Max": _max,
    "Min": _min,
    "PRelu": _prelu,
    "Relu": _relu,
}
