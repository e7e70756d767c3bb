"""ONNX operators that are affine: sums, products with constants, matrix products, averages."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from relucert.read.exact_floats import nearest_root_ratio
from relucert.read.onnx_node import (
    Node,
    NotPiecewiseLinearError,
    Operator,
    Tensor,
    Value,
    combine,
    settled,
)
from relucert.read.rows import check_size

__all__ = ["OPERATORS"]


def _integers(node: Node) -> list[np.ndarray] | None:
    """The inputs when all are integer constants (shape arithmetic), else None."""
    arrays = []
    for value in node.inputs:
        if value is None or isinstance(value, Tensor) or value.dtype.kind not in "iub":
            return None
        arrays.append(value)
    return arrays


def _array(value: Value) -> np.ndarray:
    return value.refs if isinstance(value, Tensor) else value


def _refuse_legacy_broadcast(node: Node) -> None:
    if node.attribute("broadcast", 0):
        raise ValueError("uses the broadcasting of opsets before 7; convert the model to opset 13")


def _add(node: Node) -> Value:
    _refuse_legacy_broadcast(node)
    if integers := _integers(node):
        return np.asarray(integers[0] + integers[1])
    return settled(node.graph, combine(node.graph, [(node.refs(0), 1.0), (node.refs(1), 1.0)]))


def _sub(node: Node) -> Value:
    _refuse_legacy_broadcast(node)
    if integers := _integers(node):
        return np.asarray(integers[0] - integers[1])
    return settled(node.graph, combine(node.graph, [(node.refs(0), 1.0), (node.refs(1), -1.0)]))


def _neg(node: Node) -> Value:
    if integers := _integers(node):
        return np.asarray(np.negative(integers[0]))
    return settled(node.graph, combine(node.graph, [(node.refs(0), -1.0)]))


def _mul(node: Node) -> Value:
    _refuse_legacy_broadcast(node)
    if integers := _integers(node):
        return np.asarray(integers[0] * integers[1])
    left, right = node.value(0), node.value(1)
    if isinstance(right, Tensor):
        left, right = right, left
    if isinstance(right, Tensor):
        raise NotPiecewiseLinearError(
            "multiplies two tensors that both depend on the network input, "
            "which is not piecewise linear"
        )
    return settled(node.graph, combine(node.graph, [(node.lift(left), right)]))


def _div(node: Node) -> Value:
    _refuse_legacy_broadcast(node)
    if integers := _integers(node):
        if not integers[1].all():
            raise ValueError("divides by zero")
        return np.asarray(np.trunc(integers[0] / integers[1]), dtype=np.int64)
    divisor = node.constant(1, "divisor").astype(np.float64)
    return settled(node.graph, _divided(node, node.refs(0), divisor))


def _divided(node: Node, refs: np.ndarray, divisor: np.ndarray) -> np.ndarray:
    """``refs / divisor``: a power of two multiplies, any other number stays a divisor."""
    if not np.isfinite(divisor).all() or not divisor.all():
        raise ValueError("divides by zero or by a number that is not finite")
    power = np.abs(np.frexp(divisor)[0]) == 0.5
    power &= np.abs(divisor) > 2.0**-1000
    weight = np.where(power, 1.0 / np.where(power, divisor, 1.0), np.sign(divisor))
    return combine(node.graph, [(refs, weight)], divisor=np.where(power, 1.0, np.abs(divisor)))


def _sum(node: Node) -> Value:
    terms = [(node.refs(index), 1.0) for index in range(len(node.inputs))]
    return settled(node.graph, combine(node.graph, terms))


def _mean(node: Node) -> Value:
    terms = [(node.refs(index), 1.0) for index in range(len(node.inputs))]
    total = combine(node.graph, terms)
    return settled(node.graph, _divided(node, total, np.array(float(len(terms)))))


def _matmul(node: Node) -> Value:
    left, right = node.value(0), node.value(1)
    return settled(node.graph, _product(node, left, right))


def _product(node: Node, left: Value, right: Value) -> np.ndarray:
    """The references of a matrix product with one constant factor (numpy's matmul rules)."""
    if isinstance(left, Tensor) and isinstance(right, Tensor):
        raise NotPiecewiseLinearError(
            "multiplies two matrices that both depend on the network input, "
            "which is not piecewise linear"
        )
    a, b = _array(left) if isinstance(right, Tensor) else node.lift(left), _array(right)
    rows, columns = a[None, :] if a.ndim == 1 else a, b[:, None] if b.ndim == 1 else b
    if isinstance(right, Tensor):  # W x is the transpose of x' W'
        turned = _rows_times(node, np.swapaxes(columns, -1, -2), np.swapaxes(rows, -1, -2))
        product = np.swapaxes(turned, -1, -2)
    else:
        product = _rows_times(node, rows, columns)
    if b.ndim == 1:
        product = product[..., 0]
    if a.ndim == 1:
        product = product[..., 0] if b.ndim == 1 else product[..., 0, :]
    return product


def _rows_times(node: Node, refs: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """``refs @ weight`` for refs (..., I, K) and a constant weight (..., K, J)."""
    if refs.ndim < 2 or weight.ndim < 2 or refs.shape[-1] != weight.shape[-2]:
        raise ValueError(f"cannot multiply shapes {refs.shape} and {weight.shape}")
    weight = weight.astype(np.float64)
    inner, columns = weight.shape[-2:]
    if refs.size == inner and weight.ndim == 2:
        return node.graph.dense(weight.T, refs.reshape(-1)).reshape(*refs.shape[:-1], columns)
    batch = np.broadcast_shapes(refs.shape[:-2], weight.shape[:-2])
    shape = (*batch, refs.shape[-2], columns)
    count = int(np.prod(shape, dtype=object))
    check_size(count * inner, "the matrix product")
    full = (*batch, refs.shape[-2], inner, columns)
    row = np.arange(count).reshape(*batch, refs.shape[-2], 1, columns)
    return node.graph.rows(
        count,
        np.broadcast_to(row, full).reshape(-1),
        np.broadcast_to(refs[..., None], full).reshape(-1),
        np.broadcast_to(weight[..., None, :, :], full).reshape(-1),
    ).reshape(shape)


def _gemm(node: Node) -> Value:
    if node.opset < 7:
        _refuse_legacy_gemm(node)
    left, right = node.value(0), node.value(1)
    for index, value in enumerate((left, right)):
        if (value.refs if isinstance(value, Tensor) else value).ndim != 2:
            raise ValueError(f"input {index} is not a matrix")
    left = _transposed(left) if node.attribute("transA", 0) else left
    right = _transposed(right) if node.attribute("transB", 0) else right
    product = _product(node, left, right)
    alpha, beta = node.attribute("alpha", 1.0), node.attribute("beta", 1.0)
    if alpha != 1.0:
        product = combine(node.graph, [(product, alpha)])
    added = node.optional(2)
    if added is None or beta == 0.0:
        return settled(node.graph, product)
    refs = node.lift(added)
    if np.broadcast_shapes(refs.shape, product.shape) != product.shape:
        raise ValueError(f"the bias of shape {refs.shape} does not fit {product.shape}")
    return settled(node.graph, combine(node.graph, [(product, 1.0), (refs, beta)]))


def _refuse_legacy_gemm(node: Node) -> None:
    added = node.optional(2)
    bias = added.refs if isinstance(added, Tensor) else added
    if bias is not None and bias.ndim > 1 and not node.attribute("broadcast", 0):
        return
    if bias is not None and bias.ndim <= 1:
        return  # broadcasting a vector over the rows is the same before and since opset 7
    raise ValueError("uses the broadcasting of opsets before 7; convert the model to opset 13")


def _transposed(value: Value) -> Value:
    return Tensor(value.refs.T) if isinstance(value, Tensor) else value.T


def _reduced(node: Node, from_opset: int) -> tuple[np.ndarray, tuple[int, ...], bool]:
    """Input references with the reduced axes last and flattened, the kept shape, and "as is"."""
    refs = node.refs(0)
    axes = node.axes(1, from_opset)
    if not axes:
        if node.attribute("noop_with_empty_axes", 0):
            return refs[..., None], refs.shape, True
        axes = list(range(refs.ndim))
    if any(not -refs.ndim <= axis < refs.ndim for axis in axes):
        raise ValueError(f"axes {axes} do not fit the shape {refs.shape}")
    reduced = sorted({axis % refs.ndim for axis in axes})
    kept = [axis for axis in range(refs.ndim) if axis not in reduced]
    moved = refs.transpose(kept + reduced)
    outer = moved.shape[: len(kept)]
    flat = moved.reshape(*outer, int(np.prod(moved.shape[len(kept) :])))
    if node.attribute("keepdims", 1):
        shape = tuple(1 if axis in reduced else n for axis, n in enumerate(refs.shape))
    else:
        shape = outer
    return flat, shape, False


def _reduce_sum(node: Node) -> Value:
    flat, shape, _ = _reduced(node, 13)
    return settled(node.graph, _total(node, flat).reshape(shape))


def _reduce_mean(node: Node) -> Value:
    flat, shape, _ = _reduced(node, 18)
    if flat.shape[-1] == 0:
        raise ValueError("averages no elements")
    return settled(node.graph, average(node, flat).reshape(shape))


def _total(node: Node, refs: np.ndarray) -> np.ndarray:
    """Sums over the last axis."""
    count = int(np.prod(refs.shape[:-1]))
    row = np.repeat(np.arange(count), refs.shape[-1])
    ones = np.ones(refs.size)
    return node.graph.rows(count, row, refs.reshape(-1), ones).reshape(refs.shape[:-1])


def average(node: Node, refs: np.ndarray) -> np.ndarray:
    """Means over the last axis; the count is a divisor, because 1/3 is not a float."""
    count = int(np.prod(refs.shape[:-1]))
    row = np.repeat(np.arange(count), refs.shape[-1])
    divisor = np.full(count, float(refs.shape[-1]))
    rows = node.graph.rows(count, row, refs.reshape(-1), np.ones(refs.size), divisor=divisor)
    return rows.reshape(refs.shape[:-1])


def _batch_normalization(node: Node) -> Value:
    if node.attribute("training_mode", 0) or (node.opset < 7 and not node.attribute("is_test", 0)):
        raise NotPiecewiseLinearError("is in training mode; export the model for inference")
    refs = node.refs(0)
    names = ("scale", "bias", "mean", "variance")
    parts = [node.constant(i + 1, name).astype(np.float64) for i, name in enumerate(names)]
    channels = refs.shape[1] if refs.ndim > 1 else 1
    if refs.ndim < 2 or any(part.shape != (channels,) for part in parts):
        raise ValueError(f"parameters do not fit the {channels} channels of shape {refs.shape}")
    if not all(np.isfinite(part).all() for part in parts):
        raise ValueError("a parameter is not finite")
    scale, bias, mean, variance = parts
    epsilon = Fraction(node.attribute("epsilon", float(np.float32(1e-5))))
    factor = np.array(
        [
            nearest_root_ratio(Fraction(float(s)), Fraction(float(v)) + epsilon)
            for s, v in zip(scale, variance, strict=True)
        ]
    )
    note = "batch normalisation factors scale/sqrt(variance + epsilon) are the nearest float64"
    if note not in node.notes:
        node.notes.append(note)
    spread = (channels,) + (1,) * (refs.ndim - 2)
    lift = node.graph.constants
    centred = combine(node.graph, [(refs, 1.0), (lift(mean.reshape(spread)), -1.0)])
    scaled, shift = (centred, factor.reshape(spread)), (lift(bias.reshape(spread)), 1.0)
    return settled(node.graph, combine(node.graph, [scaled, shift]))


OPERATORS: dict[str, Operator] = {
    "Add": _add,
    "BatchNormalization": _batch_normalization,
    "Div": _div,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Mean": _mean,
    "Mul": _mul,
    "Neg": _neg,
    "ReduceMean": _reduce_mean,
    "ReduceSum": _reduce_sum,
    "Sub": _sub,
    "Sum": _sum,
}
