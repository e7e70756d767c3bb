"""ONNX operators that move elements about, and integer constants about shapes.

All of them act alike on constants and on arrays of references.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from relucert.read.onnx_node import Node, NotPiecewiseLinearError, Operator, Tensor, Value
from relucert.read.rows import check_size

__all__ = ["OPERATORS"]


def _moved(value: Value, move: Callable[[np.ndarray], np.ndarray]) -> Value:
    if isinstance(value, Tensor):
        return Tensor(np.asarray(move(value.refs)))
    return np.asarray(move(value))


def _array(value: Value) -> np.ndarray:
    return value.refs if isinstance(value, Tensor) else value


def _alike(node: Node, values: list[Value]) -> list[np.ndarray]:
    """All as references when one depends on the network input, else all as constants."""
    if any(isinstance(value, Tensor) for value in values):
        return [node.lift(value) for value in values]
    return [_array(value) for value in values]


def _like(values: list[Value], array: np.ndarray) -> Value:
    return Tensor(array) if any(isinstance(value, Tensor) for value in values) else array


def _size_of(shape: tuple[int, ...] | list[int]) -> int:
    if any(size < 0 for size in shape):
        raise ValueError(f"negative size in the shape {list(shape)}")
    return int(np.prod(shape, dtype=object))


def _identity(node: Node) -> Value:
    return node.value(0)


def _dropout(node: Node) -> Value:
    training = node.optional(2)
    if node.attribute("training_mode", 0) or isinstance(training, Tensor):
        raise NotPiecewiseLinearError("is in training mode; export the model for inference")
    if training is not None and training.any():
        raise NotPiecewiseLinearError("is in training mode; export the model for inference")
    return node.value(0)


def _cast(node: Node) -> Value:
    from onnx import TensorProto, helper

    kind = node.attribute("to", 0)
    value = node.value(0)
    if isinstance(value, Tensor):
        if kind not in (TensorProto.FLOAT, TensorProto.DOUBLE):
            raise NotPiecewiseLinearError(
                f"rounds to {TensorProto.DataType.Name(kind)}, which is not piecewise linear"
            )
        return value
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    if dtype.kind not in "fiub":
        raise ValueError(f"casts to {TensorProto.DataType.Name(kind)}, which is not supported")
    return value.astype(dtype)


def _flatten(node: Node) -> Value:
    def move(array: np.ndarray) -> np.ndarray:
        axis = node.attribute("axis", 1)
        if not -array.ndim <= axis <= array.ndim:
            raise ValueError(f"axis {axis} does not fit the shape {array.shape}")
        axis = axis + array.ndim if axis < 0 else axis
        return array.reshape(int(np.prod(array.shape[:axis])), int(np.prod(array.shape[axis:])))

    return _moved(node.value(0), move)


def _reshape(node: Node) -> Value:
    wanted = node.integers(1, "shape") if node.opset >= 5 else node.ints("shape")
    if wanted is None:
        raise ValueError("the shape is missing")

    def move(array: np.ndarray) -> np.ndarray:
        shape = list(wanted)
        if not node.attribute("allowzero", 0):
            for index, size in enumerate(shape):
                if size == 0:
                    shape[index] = array.shape[index]
        return array.reshape(shape)

    return _moved(node.value(0), move)


def _transpose(node: Node) -> Value:
    order = node.ints("perm")
    return _moved(node.value(0), lambda array: array.transpose(order))


def _squeeze(node: Node) -> Value:
    axes = node.axes(1, 13)
    return _moved(node.value(0), lambda array: array.squeeze(None if axes is None else tuple(axes)))


def _unsqueeze(node: Node) -> Value:
    axes = node.axes(1, 13)
    if axes is None:
        raise ValueError("the axes are missing")
    return _moved(node.value(0), lambda array: np.expand_dims(array, tuple(axes)))


def _concat(node: Node) -> Value:
    values = [node.value(index) for index in range(len(node.inputs))]
    axis = node.attribute("axis", 1 if node.opset < 4 else None)
    if not isinstance(axis, int):
        raise ValueError("attribute axis is missing")
    check_size(sum(_array(value).size for value in values), "the concatenation")
    return _like(values, np.concatenate(_alike(node, values), axis=axis))


def _slice(node: Node) -> Value:
    if node.opset < 10:
        starts, ends, axes, steps = node.ints("starts"), node.ints("ends"), node.ints("axes"), None
    else:
        starts, ends = node.integers(1, "starts"), node.integers(2, "ends")
        axes, steps = node.integers(3, "axes"), node.integers(4, "steps")
    if starts is None or ends is None:
        raise ValueError("starts or ends are missing")
    axes = list(range(len(starts))) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    ranges = list(zip(axes, starts, ends, steps, strict=True))

    def move(array: np.ndarray) -> np.ndarray:
        cut = [slice(None)] * array.ndim
        for axis, start, end, step in ranges:
            cut[axis] = slice(start, end, step)
        return array[tuple(cut)]

    return _moved(node.value(0), move)


def _split(node: Node) -> list[Value]:
    value = node.value(0)
    array = _array(value)
    axis = node.attribute("axis", 0)
    sizes = node.integers(1, "split") if node.opset >= 13 else node.ints("split")
    if sizes is None:
        parts = node.attribute("num_outputs", node.output_count)
        if parts < 1:
            raise ValueError(f"splits into {parts} parts")
        each = -(-array.shape[axis] // parts)
        sizes = [each] * (parts - 1) + [array.shape[axis] - each * (parts - 1)]
    if any(size < 0 for size in sizes) or sum(sizes) != array.shape[axis]:
        raise ValueError(f"parts {sizes} do not add up to {array.shape[axis]}")
    pieces = np.split(array, np.cumsum(sizes)[:-1], axis=axis)
    return [_like([value], piece) for piece in pieces]


def _gather(node: Node) -> Value:
    indices = node.constant(1, "indices")
    if indices.dtype.kind not in "iu":
        raise ValueError("the indices are not integers")
    axis = node.attribute("axis", 0)
    array = _array(node.value(0))
    check_size(array.size // max(array.shape[axis], 1) * indices.size, "the gathered tensor")
    return _moved(node.value(0), lambda source: np.take(source, indices, axis=axis))


def _pad(node: Node) -> Value:
    pads = node.integers(1, "pads") if node.opset >= 11 else (node.ints("pads"))
    if pads is None and node.opset < 2:
        pads = node.ints("paddings")
    value = node.value(0)
    ndim = _array(value).ndim
    axes = node.integers(3, "axes") if node.opset >= 18 else None
    axes = list(range(ndim)) if axes is None else axes
    if pads is None or len(pads) != 2 * len(axes):
        raise ValueError(f"pads {pads} do not fit {len(axes)} axes")
    before, after = [0] * ndim, [0] * ndim
    for axis, low, high in zip(axes, pads[: len(axes)], pads[len(axes) :], strict=True):
        before[axis], after[axis] = low, high
    source = _array(value)
    shape = [n + low + high for n, low, high in zip(source.shape, before, after, strict=True)]
    check_size(_size_of(shape), "the padded tensor")
    return _padded(node, value, before, after)


def _padded(node: Node, value: Value, before: list[int], after: list[int]) -> Value:
    for axis, (size, low, high) in enumerate(zip(_array(value).shape, before, after, strict=True)):
        if max(-low, 0) + max(-high, 0) > size:
            raise ValueError(f"pads {low} and {high} cut more than the {size} along axis {axis}")
    cut = tuple(
        slice(max(-low, 0), n - max(-high, 0))
        for n, low, high in zip(_array(value).shape, before, after, strict=True)
    )
    grow = [(max(low, 0), max(high, 0)) for low, high in zip(before, after, strict=True)]
    mode = node.attribute("mode", "constant")
    if mode != "constant":
        if mode not in ("edge", "reflect", "wrap"):
            raise ValueError(f"mode {mode!r} is not supported")
        return _moved(value, lambda array: np.pad(array[cut], grow, mode=mode))
    fill: Value | None = node.optional(2) if node.opset >= 11 else None
    if fill is None:
        fill = np.array(node.attribute("value", 0.0) if node.opset < 11 else 0.0)
        if not isinstance(value, Tensor):
            fill = fill.astype(value.dtype)
    source, filling = _alike(node, [value, fill])
    if filling.size != 1:
        raise ValueError("the padding value is not one number")
    padded = np.pad(source[cut], grow, constant_values=filling.reshape(-1)[0])
    return _like([value, fill], padded)


def _expand(node: Node) -> Value:
    shape = node.integers(1, "shape") or []
    source = _array(node.value(0))
    full = np.broadcast_shapes(source.shape, tuple(shape))
    check_size(_size_of(full), "the expanded tensor")
    return _moved(node.value(0), lambda array: np.broadcast_to(array, full))


def _tile(node: Node) -> Value:
    repeats = node.integers(1, "repeats")
    source = _array(node.value(0))
    if repeats is None or len(repeats) != source.ndim:
        raise ValueError(f"repeats {repeats} do not fit the shape {source.shape}")
    check_size(source.size * _size_of(repeats), "the tiled tensor")
    return _moved(node.value(0), lambda array: np.tile(array, repeats))


def _shape(node: Node) -> Value:
    shape = _array(node.value(0)).shape
    end = node.attribute("end", len(shape))
    return np.array(shape[node.attribute("start", 0) : end], dtype=np.int64)


def _size(node: Node) -> Value:
    return np.array(_array(node.value(0)).size, dtype=np.int64)


def _constant_of_shape(node: Node) -> Value:
    shape = node.integers(0, "shape") or []
    check_size(_size_of(shape), "the constant")
    fill = node.attributes.get("value", np.zeros(1, dtype=np.float32))
    if not isinstance(fill, np.ndarray) or fill.size != 1:
        raise ValueError("attribute value is not a tensor of one element")
    return np.full(shape, fill.reshape(-1)[0], dtype=fill.dtype)


def _constant(node: Node) -> Value:
    for name in ("value", "value_float", "value_floats", "value_int", "value_ints"):
        if name in node.attributes:
            value = node.attributes[name]
            if isinstance(value, np.ndarray):
                return value
            return np.asarray(value, dtype=np.float64 if "float" in name else np.int64)
    raise ValueError("has no numeric value (strings and sparse tensors are not supported)")


def _range(node: Node) -> Value:
    start, limit, step = (
        node.constant(index, name) for index, name in enumerate(("start", "limit", "delta"))
    )
    if any(part.dtype.kind not in "iu" or part.size != 1 for part in (start, limit, step)):
        raise ValueError("only integer ranges are supported")
    numbers = range(int(start.item()), int(limit.item()), int(step.item()))
    check_size(len(numbers), "the range")
    return np.array(numbers, dtype=np.int64)


def _equal(node: Node) -> Value:
    left, right = node.constant(0, "left side"), node.constant(1, "right side")
    equal: np.ndarray = np.asarray(left == right)
    return equal


def _where(node: Node) -> Value:
    condition = node.constant(0, "condition").astype(bool)
    values = [node.value(1), node.value(2)]
    shape = np.broadcast_shapes(condition.shape, *(_array(value).shape for value in values))
    check_size(_size_of(shape), "the selection")
    left, right = _alike(node, values)
    return _like(values, np.where(condition, left, right))


OPERATORS: dict[str, Operator] = {
    "Cast": _cast,
    "Concat": _concat,
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "Dropout": _dropout,
    "Equal": _equal,
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _gather,
    "Identity": _identity,
    "Pad": _pad,
    "Range": _range,
    "Reshape": _reshape,
    "Shape": _shape,
    "Size": _size,
    "Slice": _slice,
    "Split": _split,
    "Squeeze": _squeeze,
    "Tile": _tile,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
    "Where": _where,
}
