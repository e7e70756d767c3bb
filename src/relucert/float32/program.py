"""A network as the steps in which it is executed: one for every ONNX node that computes.

The normal form merges steps and with them the magnitudes of what lies between, on which rounding
depends: ``(x + 2**24) - 2**24`` is x there. So here the graph is read once more with nothing
merged: no constants are added up, no two terms of a row are joined. A step's blocks of rows say
what it computes over the reals; its kind says how float32 computes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from relucert.errors import UnsupportedOperatorError, UsageError
from relucert.network import Network
from relucert.read.onnx import Trace, TracedNode, trace_onnx
from relucert.read.onnx_node import Tensor
from relucert.read.onnx_piecewise import clip_bound
from relucert.read.rows import Block, RowGraph

__all__ = ["Kind", "Program", "Step", "program_of_file", "program_of_layers"]


class Kind(Enum):
    """How float32 computes a step: only affine steps and slopes round."""

    AFFINE = "sums of products"
    RELU = "maximum with zero"
    MAXIMUM = "the largest"
    MINIMUM = "the smallest"
    CLIP = "clipped"
    ABSOLUTE = "absolute value"
    SLOPED = "one of two slopes"


_KINDS = {
    **dict.fromkeys(
        ("Add", "Sub", "Neg", "Mul", "Div", "Sum", "Mean", "MatMul", "Gemm", "Conv", "ReduceSum",
         "ReduceMean", "AveragePool", "GlobalAveragePool", "BatchNormalization"),
        Kind.AFFINE,
    ),
    "Relu": Kind.RELU,
    "Max": Kind.MAXIMUM,
    "MaxPool": Kind.MAXIMUM,
    "GlobalMaxPool": Kind.MAXIMUM,
    "Min": Kind.MINIMUM,
    "Clip": Kind.CLIP,
    "Abs": Kind.ABSOLUTE,
    "LeakyRelu": Kind.SLOPED,
    "PRelu": Kind.SLOPED,
}  # fmt: skip

_SAFE_VARIANCE = 2.0**100


@dataclass(frozen=True, eq=False)
class Step:
    """Blocks of rows over earlier references; ``place`` names the node.

    roundings: beyond those of sums and products (a square root, a rounded reciprocal). factor:
    how much larger than its rows a step's numbers may become on the way. low, high: of CLIP.
    """

    place: str
    kind: Kind
    blocks: tuple[Block, ...]
    roundings: int = 0
    factor: float = 1.0
    low: float = -np.inf
    high: float = np.inf


@dataclass(frozen=True, eq=False)
class Program:
    """Steps over references: first the inputs, then every row of every block.

    outputs: references (outputs,); where negative, ``constants`` holds the number. place: what
    is executed, for messages.
    """

    input_size: int
    size: int
    steps: tuple[Step, ...]
    outputs: np.ndarray
    constants: np.ndarray


class _UnmergedRows(RowGraph):
    """Rows in which every constant and every repeated term stays a term of its own."""

    def _fold_constants(
        self, row: np.ndarray, ref: np.ndarray, value: np.ndarray, bias: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        fixed = ref < 0
        if not fixed.any():
            return row, ref, value
        ref = ref.copy()
        ref[fixed] = self.rows_of_constants(ref[fixed])
        return row, ref, value

    def _matrix(
        self, count: int, row: np.ndarray, ref: np.ndarray, value: np.ndarray
    ) -> tuple[sp.csr_array, np.ndarray]:
        matrix, inputs = self._compressed(count, row, ref, value)
        if matrix.nnz == len(value):
            return matrix, inputs
        return self._compressed(count, row, self._apart(row, ref), value)


def program_of_file(path: str | Path, network: Network) -> Program:
    """The steps of the network in ``path``, which was read as ``network``.

    ONNX: node by node; other formats: layer by layer. Raises UsageError, naming the node, where
    float32 execution is not covered.
    """
    path = Path(path)
    if not path.name.endswith((".onnx", ".onnx.gz")):
        return program_of_layers(network)
    try:
        trace = trace_onnx(path, _UnmergedRows)
    except UnsupportedOperatorError as error:
        raise UsageError(
            f"float32 semantics: {error.place} works with constants that the graph computes; "
            "fold them into initializers first"
        ) from None
    return _program(trace)


def program_of_layers(network: Network) -> Program:
    """Layer by layer: sums of products with the bias, a division, the ReLU."""
    steps: list[Step] = []
    refs = np.arange(network.input_size)
    size = network.input_size
    for index, layer in enumerate(network.layers):
        count = layer.output_size
        ids = np.arange(size, size + count)
        divisor = np.ones(count) if layer.divisor is None else layer.divisor
        none = np.zeros(count, dtype=bool)
        place = f"layer {index}"
        affine = Block(ids, layer.weight, refs, layer.bias, divisor, none)
        steps.append(Step(place, Kind.AFFINE, (affine,)))
        size, refs = size + count, ids
        chosen = np.flatnonzero(layer.relu)
        if len(chosen):
            ids = np.arange(size, size + len(chosen))
            ones, yes = np.ones(len(chosen)), np.ones(len(chosen), dtype=bool)
            matrix = sp.eye_array(len(chosen), format="csr")
            relu = Block(ids, matrix, refs[chosen], 0 * ones, ones, yes)
            steps.append(Step(place, Kind.RELU, (relu,)))
            size, refs = size + len(chosen), refs.copy()
            refs[chosen] = ids
    return Program(network.input_size, size, tuple(steps), refs, np.zeros(len(refs)))


def _program(trace: Trace) -> Program:
    graph = trace.graph
    steps = tuple(_step(traced, graph) for traced in trace.nodes if len(traced.blocks))
    fixed = trace.outputs < 0
    constants = np.zeros(len(fixed))
    constants[fixed] = graph.values(trace.outputs[fixed])
    return Program(graph.input_size, graph.size, steps, trace.outputs, constants)


def _step(traced: TracedNode, graph: RowGraph) -> Step:
    kind = _KINDS.get(traced.node.op_type)
    if kind is None:
        raise UsageError(f"float32 semantics do not cover {traced.place}; use --semantics real")
    blocks = tuple(graph.blocks[index] for index in traced.blocks)
    if kind is Kind.CLIP:
        low = clip_bound(traced.node, 1, "min", -1.0)
        high = clip_bound(traced.node, 2, "max", 1.0)
        low, high = -np.inf if low is None else low, np.inf if high is None else high
        return Step(traced.place, kind, blocks, low=low, high=high)
    if traced.node.op_type == "BatchNormalization":
        return Step(traced.place, kind, blocks, roundings=8, factor=_batch_factor(traced))
    return Step(traced.place, kind, blocks)


def _batch_factor(traced: TracedNode) -> float:
    """What ``scale`` and ``1 / sqrt(variance + epsilon)`` may blow numbers up by, one at a time."""
    scale, variance = traced.node.inputs[1], traced.node.inputs[4]
    if scale is None or variance is None or isinstance(scale, Tensor):
        raise UsageError(f"float32 semantics do not cover {traced.place}")
    if isinstance(variance, Tensor):
        raise UsageError(f"float32 semantics do not cover {traced.place}")
    spread = variance.astype(np.float64) + traced.node.attribute("epsilon", 1e-5)
    if not bool(((spread >= 1 / _SAFE_VARIANCE) & (spread <= _SAFE_VARIANCE)).all()):
        raise UsageError(f"float32 semantics: {traced.place} has a variance beyond 2**100")
    largest = float(np.abs(scale.astype(np.float64)).max(initial=1.0))
    return max(1.0, largest) * max(1.0, float((1.001 / np.sqrt(spread)).max(initial=1.0)))
