"""Networks as ONNX, for other verifiers and runtimes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np

from relucert.errors import UsageError
from relucert.network import Layer, Network
from relucert.write.files import write_atomically

__all__ = ["write_onnx"]

_OPSET, _IR_VERSION = 13, 7
_MAX_ENTRIES = 200_000_000


def write_onnx(
    network: Network, path: str | Path, dtype: Literal["float32", "float64"] = "float32"
) -> None:
    """Write a network with input "input" (1, inputs) and output "output" (1, outputs).

    Each layer becomes Gemm, Div where it has divisors, and Relu; where only some rows have a
    ReLU these are moved to the front and Split, Relu, Concat do the rest. The real function is
    exactly that of ``network``. Raises UsageError when float32 cannot hold a weight exactly or
    the weights are too many for one file, FileError when ``path`` cannot be written.
    """
    from onnx import TensorProto, helper

    kinds = {"float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE}
    if dtype not in kinds:
        raise UsageError(f"element type {dtype!r} is not known; use 'float32' or 'float64'")
    entries = sum(layer.output_size * layer.input_size for layer in network.layers)
    if entries > _MAX_ENTRIES:
        raise UsageError(f"{network.name}: {entries:,} weights are too many for one ONNX file")
    builder = _Builder(np.dtype(dtype))
    order = np.arange(network.input_size)
    for index, layer in enumerate(network.layers):
        order = builder.add_layer(index, layer, order)
    builder.restore(order)
    builder.nodes[-1].output[0] = "output"
    graph = helper.make_graph(
        builder.nodes,
        network.name,
        [helper.make_tensor_value_info("input", kinds[dtype], [1, network.input_size])],
        [helper.make_tensor_value_info("output", kinds[dtype], [1, network.output_size])],
        builder.initializers,
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
        producer_name="relucert",
        doc_string="\n".join(network.notes),
    )
    write_atomically(path, model.SerializeToString(deterministic=True))


class _Builder:
    """Nodes and initializers so far; ``current`` is the tensor that the next node reads."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self.current = "input"

    def add_layer(self, index: int, layer: Layer, order: np.ndarray) -> np.ndarray:
        """Append a layer reading coordinates in ``order``; returns the order of its outputs."""
        partial = layer.relu.any() and not layer.relu.all()
        rows = np.argsort(~layer.relu, kind="stable") if partial else np.arange(layer.output_size)
        dense = layer.weight if isinstance(layer.weight, np.ndarray) else layer.weight.toarray()
        weight = self._constant(f"layer{index}.weight", dense[rows][:, order])
        bias = self._constant(f"layer{index}.bias", layer.bias[rows])
        self._node("Gemm", [self.current, weight, bias], f"layer{index}.affine", transB=1)
        if layer.divisor is not None:
            divisor = self._constant(f"layer{index}.divisor", layer.divisor[rows])
            self._node("Div", [self.current, divisor], f"layer{index}.quotient")
        if partial:
            self._rectify_first(index, int(layer.relu.sum()), layer.output_size)
        elif layer.relu.all():
            self._node("Relu", [self.current], f"layer{index}.relu")
        return rows

    def _rectify_first(self, index: int, count: int, size: int) -> None:
        bent, straight = f"layer{index}.bent", f"layer{index}.straight"
        parts = self._integers(f"layer{index}.parts", [count, size - count])
        self._node("Split", [self.current, parts], bent, straight, axis=1)
        self._node("Relu", [bent], f"layer{index}.relu")
        self._node("Concat", [self.current, straight], f"layer{index}.joined", axis=1)

    def restore(self, order: np.ndarray) -> None:
        """Append the permutation that undoes ``order``, where there is one to undo."""
        if not np.array_equal(order, np.arange(len(order))):
            places = self._integers("order", np.argsort(order).tolist())
            self._node("Gather", [self.current, places], "ordered", axis=1)

    def _node(self, kind: str, inputs: list[str], *outputs: str, **attributes: Any) -> None:
        from onnx import helper

        self.nodes.append(helper.make_node(kind, inputs, outputs, name=outputs[0], **attributes))
        self.current = outputs[0]

    def _constant(self, name: str, values: np.ndarray) -> str:
        from onnx import numpy_helper

        with np.errstate(over="ignore"):
            narrow = np.ascontiguousarray(values, dtype=self.dtype)
        changed = np.argwhere(narrow != values)
        if len(changed):
            raise UsageError(
                f"{name} holds {values[tuple(changed[0])].item()!r}, which is not a "
                f"{self.dtype}; write the network with dtype='float64'"
            )
        self.initializers.append(numpy_helper.from_array(narrow, name))
        return name

    def _integers(self, name: str, values: list[int]) -> str:
        from onnx import numpy_helper

        self.initializers.append(numpy_helper.from_array(np.array(values, dtype=np.int64), name))
        return name
