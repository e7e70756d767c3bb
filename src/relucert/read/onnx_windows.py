"""ONNX operators with sliding windows: convolution and pooling, in any number of dimensions."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from relucert.read.onnx_arithmetic import average
from relucert.read.onnx_node import Node, Operator, Value, settled
from relucert.read.onnx_piecewise import maximum
from relucert.read.rows import ZERO, check_size

__all__ = ["OPERATORS"]

_OUTSIDE = np.iinfo(np.int64).min


@dataclass(frozen=True)
class Windows:
    """Where windows lie: one entry a spatial dimension."""

    sizes: tuple[int, ...]
    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]
    counts: tuple[int, ...]

    @classmethod
    def of(cls, node: Node, sizes: tuple[int, ...], kernel: tuple[int, ...]) -> Windows:
        """Read strides, dilations, pads, auto_pad and ceil_mode of a node."""
        ndim = len(sizes)
        strides = tuple(node.ints("strides") or [1] * ndim)
        dilations = tuple(node.ints("dilations") or [1] * ndim)
        pads = node.ints("pads") or [0] * (2 * ndim)
        given = (("kernel_shape", kernel), ("strides", strides), ("dilations", dilations))
        for name, values in given:
            if len(values) != ndim or any(value < 1 for value in values):
                raise ValueError(f"{name} {list(values)} does not fit {ndim} dimensions")
        if len(pads) != 2 * ndim or any(pad < 0 for pad in pads):
            raise ValueError(f"pads {pads} do not fit {ndim} dimensions")
        before, after, counts = [], [], []
        for axis in range(ndim):
            extent = (kernel[axis] - 1) * dilations[axis] + 1
            start, end, count = _along_axis(
                node, sizes[axis], extent, strides[axis], pads[axis], pads[axis + ndim]
            )
            if count < 1:
                raise ValueError(f"the window of extent {extent} exceeds the size {sizes[axis]}")
            before.append(start)
            after.append(end)
            counts.append(count)
        windows = cls(sizes, kernel, strides, dilations, tuple(before), tuple(after), tuple(counts))
        check_size(math.prod(windows.counts) * math.prod(kernel), "the windows")
        return windows

    def positions(self, axis: int) -> np.ndarray:
        """Positions (windows, taps) along an axis, padding negative or beyond the size."""
        starts = np.arange(self.counts[axis]) * self.strides[axis] - self.before[axis]
        taps = np.arange(self.kernel[axis]) * self.dilations[axis]
        grid: np.ndarray = starts[:, None] + taps[None, :]
        return grid

    def patches(self, refs: np.ndarray) -> np.ndarray:
        """(channels, taps, windows) of refs (channels, *sizes); `_OUTSIDE` in the padding."""
        ndim = len(self.sizes)
        flat = np.zeros((1,) * (2 * ndim), dtype=np.int64)
        inside = np.ones((1,) * (2 * ndim), dtype=bool)
        for axis in range(ndim):
            grid = self.positions(axis)
            shape = [1] * (2 * ndim)
            shape[axis], shape[ndim + axis] = grid.shape[1], grid.shape[0]
            spread = grid.T.reshape(shape)
            inside = inside & (spread >= 0) & (spread < self.sizes[axis])
            flat = flat * self.sizes[axis] + np.clip(spread, 0, self.sizes[axis] - 1)
        flat = flat.reshape(math.prod(self.kernel), math.prod(self.counts))
        patches = refs.reshape(len(refs), -1)[:, flat]
        patches[:, ~inside.reshape(flat.shape)] = _OUTSIDE
        return patches

    def padded_counts(self) -> np.ndarray:
        """Taps (windows,) that lie in the input or its padding (the last windows may not)."""
        total = np.ones(1, dtype=np.int64)
        for axis, size in enumerate(self.sizes):
            within = (self.positions(axis) < size + self.after[axis]).sum(axis=1)
            total = (total[:, None] * within[None, :]).reshape(-1)
        return total


def _along_axis(
    node: Node, size: int, extent: int, stride: int, before: int, after: int
) -> tuple[int, int, int]:
    """Padding before and after, and the number of windows, along one axis."""
    mode = node.attribute("auto_pad", "NOTSET")
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        count = -(-size // stride)
        missing = (count - 1) * stride + extent - size
        if node.op_type != "Conv":
            _refuse_unclear_padding(node, missing)
        total = max(missing, 0)
        small, large = total // 2, total - total // 2
        return (small, large, count) if mode == "SAME_UPPER" else (large, small, count)
    if mode == "VALID":
        before = after = 0
    elif mode not in ("NOTSET", ""):
        raise ValueError(f"auto_pad {mode!r} is not known")
    room = size + before + after - extent
    if room < 0:
        return before, after, 0
    count = room // stride + 1
    # A last, partial window counts in ceil mode unless it starts in the padding at the end.
    if node.attribute("ceil_mode", 0) and room % stride and count * stride < size + before:
        count += 1
    return before, after, count


def _refuse_unclear_padding(node: Node, missing: int) -> None:
    """Runtimes place such windows differently, so a verdict would not be about all of them."""
    dilated = any(value != 1 for value in node.ints("dilations") or [])
    if missing < 0 or dilated:
        raise ValueError(
            "auto_pad SAME with strides larger than the window, or with dilations, means different "
            "things to different runtimes; export with explicit pads"
        )


def _spatial(node: Node) -> np.ndarray:
    """Input references without the batch: (channels, *sizes)."""
    refs = node.refs(0)
    if refs.ndim < 3 or refs.shape[0] != 1:
        raise ValueError(f"input of shape {refs.shape} is not (1, channels, sizes ...)")
    if refs.size == 0:
        raise ValueError(f"input of shape {refs.shape} is empty")
    image: np.ndarray = refs[0]
    return image


def _conv(node: Node) -> Value:
    refs = _spatial(node)
    weight = node.constant(1, "kernel").astype(np.float64)
    groups = node.attribute("group", 1)
    outputs = len(weight) if weight.ndim else 0
    fits = weight.ndim == refs.ndim + 1 and groups >= 1 and outputs % groups == 0
    if not fits or weight.shape[1] * groups != len(refs) or weight.size == 0:
        raise ValueError(
            f"kernel of shape {weight.shape} in {groups} groups does not fit "
            f"the input of shape {refs.shape}"
        )
    kernel = tuple(node.ints("kernel_shape") or weight.shape[2:])
    if kernel != weight.shape[2:]:
        raise ValueError(f"kernel_shape {list(kernel)} is not that of the weight {weight.shape}")
    windows = Windows.of(node, refs.shape[1:], kernel)
    places = math.prod(windows.counts)
    check_size(weight.size * places, "the convolution")
    bias = node.optional_constant(2, "bias")
    if bias is not None and bias.shape != (outputs,):
        raise ValueError(f"bias of shape {bias.shape} does not fit {outputs} channels")
    rows = _correlated(node, windows.patches(refs), weight, groups, bias)
    return settled(node.graph, rows.reshape(1, outputs, *windows.counts))


def _correlated(
    node: Node, patches: np.ndarray, weight: np.ndarray, groups: int, bias: np.ndarray | None
) -> np.ndarray:
    """References (outputs * windows,): each group's kernel over its own patches."""
    outputs, places = len(weight), patches.shape[-1]
    each = outputs // groups
    by_group = patches.reshape(groups, 1, -1, places)
    kernel = weight.reshape(groups, each, -1, 1)
    row = np.arange(outputs * places).reshape(groups, each, 1, places)
    shape = np.broadcast_shapes(by_group.shape, kernel.shape, row.shape)
    used = np.broadcast_to((by_group != _OUTSIDE) & (by_group != ZERO), shape) & (kernel != 0)
    row, ref, value = (np.broadcast_to(a, shape)[used] for a in (row, by_group, kernel))
    full = None if bias is None else np.repeat(bias.astype(np.float64), places)
    return node.graph.rows(outputs * places, row, ref, value, bias=full)


def _pooled(node: Node) -> tuple[Windows, np.ndarray]:
    if node.output_count > 1:
        raise ValueError("its second output (indices) is not supported")
    refs = _spatial(node)
    windows = Windows.of(node, refs.shape[1:], tuple(node.ints("kernel_shape") or []))
    check_size(len(refs) * math.prod(windows.counts) * math.prod(windows.kernel), "the pooling")
    return windows, windows.patches(refs)


def _max_pool(node: Node) -> Value:
    windows, patches = _pooled(node)
    taps = patches.swapaxes(0, 1)
    inside = taps != _OUTSIDE
    if not inside.any(axis=0).all():
        raise ValueError("a window lies wholly in the padding")
    first = np.take_along_axis(taps, inside.argmax(axis=0)[None], axis=0)
    best = maximum(node.graph, np.where(inside, taps, first))
    return settled(node.graph, best.reshape(1, -1, *windows.counts))


def _average_pool(node: Node) -> Value:
    windows, patches = _pooled(node)
    inside = patches != _OUTSIDE
    if node.attribute("count_include_pad", 0):
        divisor = np.broadcast_to(windows.padded_counts(), (len(patches), inside.shape[-1]))
    else:
        divisor = np.asarray(inside.sum(axis=1))
    if not divisor.all():
        raise ValueError("a window lies wholly in the padding")
    count = divisor.size
    row = np.broadcast_to(np.arange(count).reshape(len(patches), 1, -1), patches.shape)
    rows = node.graph.rows(
        count,
        row[inside],
        patches[inside],
        np.ones(int(inside.sum())),
        divisor=divisor.reshape(-1).astype(np.float64),
    )
    return settled(node.graph, rows.reshape(1, -1, *windows.counts))


def _global_average_pool(node: Node) -> Value:
    refs = _spatial(node)
    means = average(node, refs.reshape(1, len(refs), -1))
    return settled(node.graph, means.reshape(1, len(refs), *[1] * (refs.ndim - 1)))


def _global_max_pool(node: Node) -> Value:
    refs = _spatial(node)
    best = maximum(node.graph, refs.reshape(len(refs), -1).T)
    return settled(node.graph, best.reshape(1, len(refs), *[1] * (refs.ndim - 1)))


OPERATORS: dict[str, Operator] = {
    "AveragePool": _average_pool,
    "Conv": _conv,
    "GlobalAveragePool": _global_average_pool,
    "GlobalMaxPool": _global_max_pool,
    "MaxPool": _max_pool,
}
