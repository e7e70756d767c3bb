"""ONNX networks into the normal form.

The function read is the one the file describes over the reals: stored float32 or float64
weights, exact sums and products, no rounding between layers. Batch normalisation alone needs a
rounded constant, see `relucert.network.Network.notes`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from relucert.errors import FileError, UnsupportedOperatorError
from relucert.network import Network
from relucert.read import onnx_arithmetic, onnx_piecewise, onnx_shapes, onnx_windows
from relucert.read.chain import chain_of_layers
from relucert.read.onnx_model import decode_model, decode_tensor, nodes_in_order, place_of
from relucert.read.onnx_node import Node, NotPiecewiseLinearError, Operator, Tensor, Value
from relucert.read.rows import RowGraph, check_size

__all__ = ["SUPPORTED_OPERATORS", "Trace", "TracedNode", "read_onnx", "trace_onnx"]

_OPERATORS: dict[str, Operator] = {
    **onnx_arithmetic.OPERATORS,
    **onnx_piecewise.OPERATORS,
    **onnx_shapes.OPERATORS,
    **onnx_windows.OPERATORS,
}

SUPPORTED_OPERATORS = tuple(sorted(_OPERATORS))
"""ONNX operator types that `read_onnx` understands."""

_QUANTISED = ("quantize", "qlinear", "integer")
_SMOOTH = ("Sigmoid", "Tanh", "Softmax", "LogSoftmax", "Exp", "Log", "Sqrt", "Pow", "Erf", "Gelu")


def read_onnx(path: str | Path) -> Network:
    """Read an ONNX network (``.onnx`` or ``.onnx.gz``).

    The model must have one input that is not an initializer and one output. A leading dimension
    of 1, 0 or a symbol is the batch and taken as 1. Raises FileError on anything malformed and
    UnsupportedOperatorError on operators that are not piecewise linear.
    """
    path = Path(path)
    model = decode_model(path)
    return _Reader(path, model).network()


@dataclass(frozen=True, eq=False)
class TracedNode:
    """A node as it was read: where it stands, its inputs, and the blocks of rows it made.

    ``blocks`` counts through the blocks of the graph.
    """

    place: str
    node: Node
    blocks: range


@dataclass(frozen=True, eq=False)
class Trace:
    """The graph of rows before any are merged, the nodes in order, the outputs' references."""

    graph: RowGraph
    nodes: tuple[TracedNode, ...]
    outputs: np.ndarray


def trace_onnx(path: str | Path, make_graph: Callable[[int], RowGraph] = RowGraph) -> Trace:
    """Read a network like `read_onnx`, keeping apart what every node computes.

    Raises what `read_onnx` raises.
    """
    path = Path(path)
    reader = _Reader(path, decode_model(path))
    graph, outputs, _ = reader.rows(make_graph)
    return Trace(graph, tuple(reader.traced), outputs)


class _Reader:
    """One reading of one model."""

    def __init__(self, path: Path, model: Any) -> None:
        self.path = path
        self.proto = model.graph
        self.opset = _opset(path, model)
        self.initializers = {tensor.name: tensor for tensor in self.proto.initializer}
        if len(self.initializers) != len(self.proto.initializer):
            raise FileError(path, "two initializers have the same name")
        if self.proto.sparse_initializer:
            raise FileError(path, "sparse initializers are not supported; store them dense")
        own = model.producer_name == "relucert"
        self.notes: list[str] = model.doc_string.splitlines() if own else []
        self.traced: list[TracedNode] = []

    def network(self) -> Network:
        """Line the rows up."""
        graph, outputs, shape = self.rows(RowGraph)
        name = self.path.name.removesuffix(".gz").removesuffix(".onnx")
        layers = chain_of_layers(graph, outputs)
        batched = len(shape) > 1 and shape[0] == 1
        return Network(layers, name, shape[1:] if batched else shape, tuple(self.notes))

    def rows(
        self, make_graph: Callable[[int], RowGraph]
    ) -> tuple[RowGraph, np.ndarray, tuple[int, ...]]:
        """Build rows node by node: the graph, the outputs in it, the shape of the input."""
        source, output = self._input(), self._output()
        shape = self._full_shape(source)
        size = math.prod(shape)
        self._check_batch(shape, [d.dim_value for d in output.type.tensor_type.shape.dim])
        graph = make_graph(size)
        values: dict[str, Value] = {source.name: Tensor(np.arange(size).reshape(shape))}
        known = {source.name, *self.initializers}
        for node in nodes_in_order(self.path, self.proto, known, output.name):
            self._run(node, values, graph)
        result = self._value(output.name, values)
        outputs = result.refs if isinstance(result, Tensor) else graph.constants(result)
        self._check_batch(shape, list(outputs.shape))
        if outputs.size == 0:
            raise FileError(self.path, f"the output {output.name!r} is empty")
        return graph, outputs.reshape(-1), shape

    def _input(self) -> Any:
        inputs = [item for item in self.proto.input if item.name not in self.initializers]
        if len(inputs) != 1:
            names = ", ".join(item.name for item in inputs) or "none"
            raise FileError(self.path, f"needs one input, has {len(inputs)} ({names})")
        return inputs[0]

    def _output(self) -> Any:
        from onnx import TensorProto

        outputs = list(self.proto.output)
        floats = (TensorProto.FLOAT, TensorProto.DOUBLE)
        numeric = [o for o in outputs if o.type.tensor_type.elem_type in floats]
        if len(outputs) > 1 and len(numeric) == 1:
            self.notes.append(f"read the output {numeric[0].name!r}, the only one of floats")
            return numeric[0]
        if len(outputs) != 1:
            names = ", ".join(item.name for item in outputs) or "none"
            raise FileError(
                self.path, f"needs one output, has {len(outputs)} ({names}); remove the others"
            )
        return outputs[0]

    def _full_shape(self, source: Any) -> tuple[int, ...]:
        """The input's shape with the batch, if any, taken as 1."""
        from onnx import TensorProto

        kind = source.type.tensor_type
        place = f"input {source.name!r}"
        if kind.elem_type not in (TensorProto.FLOAT, TensorProto.DOUBLE):
            raise FileError(self.path, "is not a tensor of float32 or float64", place)
        if not kind.HasField("shape"):
            raise FileError(self.path, "has no shape; export the model with one", place)
        shape = []
        for axis, dimension in enumerate(kind.shape.dim):
            size = int(dimension.dim_value)
            if size <= 0 and axis > 0:
                raise FileError(
                    self.path, f"dimension {axis} is not fixed; export with a fixed shape", place
                )
            shape.append(max(size, 1))
        try:
            check_size(math.prod(shape), "the input")
        except ValueError as error:
            raise FileError(self.path, str(error), place) from None
        return tuple(shape)

    def _check_batch(self, shape: tuple[int, ...], output: list[int]) -> None:
        if len(shape) > 1 and shape[0] > 1 and len(output) > 1 and output[0] == shape[0]:
            raise FileError(
                self.path,
                f"has the fixed batch size {shape[0]}; export it with batch size 1 or a free one",
            )

    def _value(self, name: str, values: dict[str, Value]) -> Value:
        if name not in values:
            tensor = self.initializers.get(name)
            if tensor is None:
                raise FileError(self.path, f"output {name!r} of its node is not supported")
            values[name] = decode_tensor(self.path, tensor, f"initializer {name!r}")
        return values[name]

    def _run(self, proto: Any, values: dict[str, Value], graph: RowGraph) -> None:
        place = place_of(proto)
        operator = None if proto.domain not in ("", "ai.onnx") else _OPERATORS.get(proto.op_type)
        if operator is None:
            raise UnsupportedOperatorError(self.path, _advice(proto), place)
        inputs = tuple(self._value(name, values) if name else None for name in proto.input)
        attributes = self._attributes(proto, place)
        count = max((i + 1 for i, name in enumerate(proto.output) if name), default=0)
        node = Node(proto.op_type, inputs, attributes, count, self.opset, graph, self.notes)
        before = len(graph.blocks)
        try:
            result = operator(node)
        except NotPiecewiseLinearError as error:
            raise UnsupportedOperatorError(self.path, str(error), place) from None
        except (ValueError, IndexError, OverflowError) as error:
            raise FileError(self.path, str(error) or type(error).__name__, place) from None
        results = [result] if isinstance(result, np.ndarray | Tensor) else list(result)
        values.update(zip(proto.output, results, strict=False))
        self.traced.append(TracedNode(place, node, range(before, len(graph.blocks))))

    def _attributes(self, proto: Any, place: str) -> dict[str, Any]:
        from onnx import AttributeProto, helper

        attributes: dict[str, Any] = {}
        for attribute in proto.attribute:
            if attribute.type == AttributeProto.TENSOR:
                where = f"{place} attribute {attribute.name!r}"
                attributes[attribute.name] = decode_tensor(self.path, attribute.t, where)
                continue
            try:
                value = helper.get_attribute_value(attribute)
            except ValueError as error:
                raise FileError(
                    self.path, f"attribute {attribute.name!r}: {error}", place
                ) from None
            attributes[attribute.name] = list(value) if isinstance(value, list) else value
        return attributes


def _opset(path: Path, model: Any) -> int:
    from onnx import defs

    versions = [item.version for item in model.opset_import if item.domain in ("", "ai.onnx")]
    if not versions and model.ir_version >= 3:
        raise FileError(path, "names no opset version; the file may be truncated")
    version = max(versions, default=1)
    if not 1 <= version <= defs.onnx_opset_version():
        raise FileError(
            path, f"opset {version} is newer than the onnx package; convert it or update onnx"
        )
    return version


def _advice(proto: Any) -> str:
    kind = str(proto.op_type)
    if proto.domain not in ("", "ai.onnx"):
        return f"operators of domain {proto.domain!r} are not supported; export plain ONNX"
    if kind in ("If", "Loop", "Scan"):
        return "control flow is not supported; export the model with it unrolled"
    if any(word in kind.lower() for word in _QUANTISED):
        return "quantised operators are not supported; export the float model"
    if kind in _SMOOTH:
        return (
            "is not piecewise linear; only affine and ReLU-like networks can be read "
            "(a final Softmax or Sigmoid can be cut off: it keeps the order of the outputs)"
        )
    return "the operator is not supported; see relucert.read.onnx.SUPPORTED_OPERATORS"
