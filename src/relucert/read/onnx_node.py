"""What an ONNX operator sees: its inputs, its attributes, and the rows built so far.

A value is either a constant (a numpy array with the stored numbers) or a `Tensor` of references
to rows. Operators raise ValueError about malformed nodes and `NotPiecewiseLinearError` about nodes
that no affine and ReLU layers can represent; the reader adds file and node name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from relucert.read.rows import RowGraph, check_size

__all__ = ["Node", "NotPiecewiseLinearError", "Operator", "Tensor", "Value", "combine", "settled"]


class NotPiecewiseLinearError(ValueError):
    """The node computes something that affine and ReLU layers cannot represent exactly."""


@dataclass(frozen=True, eq=False)
class Tensor:
    """A tensor that depends on the network input: an integer array of references to rows."""

    refs: np.ndarray


Value: TypeAlias = "np.ndarray | Tensor"


@dataclass(frozen=True, eq=False)
class Node:
    """One ONNX node: its input values (None where omitted), attributes and version."""

    op_type: str
    inputs: tuple[Value | None, ...]
    attributes: dict[str, Any]
    output_count: int
    opset: int
    graph: RowGraph
    notes: list[str]

    def value(self, index: int) -> Value:
        """Input ``index``; raises ValueError when it is missing."""
        value = self.optional(index)
        if value is None:
            raise ValueError(f"input {index} is missing")
        return value

    def optional(self, index: int) -> Value | None:
        """Input ``index`` or None."""
        return self.inputs[index] if index < len(self.inputs) else None

    def refs(self, index: int) -> np.ndarray:
        """Input ``index`` as references; constants are put into the pool."""
        return self.lift(self.value(index))

    def lift(self, value: Value) -> np.ndarray:
        """A value as references; constants are put into the pool."""
        return value.refs if isinstance(value, Tensor) else self.graph.constants(value)

    def constant(self, index: int, role: str) -> np.ndarray:
        """Input ``index``, which must not depend on the network input."""
        return self._constant(self.value(index), role)

    def optional_constant(self, index: int, role: str) -> np.ndarray | None:
        """Input ``index`` or None; it must not depend on the network input."""
        value = self.optional(index)
        return None if value is None else self._constant(value, role)

    def _constant(self, value: Value, role: str) -> np.ndarray:
        if isinstance(value, Tensor):
            raise NotPiecewiseLinearError(
                f"the {role} depends on the network input; only a constant {role} is supported"
            )
        return value

    def integers(self, index: int, role: str) -> list[int] | None:
        """Constant input ``index`` as a list of ints, or None when omitted."""
        value = self.optional_constant(index, role)
        if value is None:
            return None
        if not np.issubdtype(value.dtype, np.integer):
            raise ValueError(f"the {role} must be integers, not {value.dtype}")
        return [int(item) for item in value.reshape(-1)]

    def attribute(self, name: str, default: Any) -> Any:
        """The attribute ``name``; raises ValueError when its type is not that of ``default``."""
        value = self.attributes.get(name, default)
        if isinstance(value, bytes) and isinstance(default, str):
            value = value.decode("utf-8", errors="replace")
        if value is not None and default is not None and not isinstance(value, type(default)):
            raise ValueError(
                f"attribute {name} is of type {type(value).__name__}, not {type(default).__name__}"
            )
        if isinstance(value, float) and not np.isfinite(value):
            raise ValueError(f"attribute {name} is not finite")
        return value

    def ints(self, name: str) -> list[int] | None:
        """The attribute ``name`` as a list of ints, or None when absent."""
        value = self.attributes.get(name)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(item, int) for item in value):
            raise ValueError(f"attribute {name} must be a list of integers")
        return value

    def axes(self, index: int, from_opset: int) -> list[int] | None:
        """Axes from input ``index`` since ``from_opset``, from the attribute before."""
        if self.opset >= from_opset:
            return self.integers(index, "axes")
        return self.ints("axes")


Operator: TypeAlias = Callable[[Node], "Value | Sequence[Value]"]


def settled(graph: RowGraph, refs: np.ndarray) -> Value:
    """References as a value: a constant where none depends on the network input."""
    refs = np.asarray(refs)
    if refs.size and bool((refs < 0).all()):
        return graph.values(refs)
    return Tensor(refs)


def combine(
    graph: RowGraph,
    terms: Sequence[tuple[np.ndarray, np.ndarray | float]],
    divisor: np.ndarray | float | None = None,
    relu: bool = False,
) -> np.ndarray:
    """Elementwise ``sum of weight * refs`` over broadcast terms, divided, then ReLU: references."""
    arrays = [array for refs, weight in terms for array in (refs, np.asarray(weight))]
    if divisor is not None:
        arrays.append(np.asarray(divisor))
    shape = np.broadcast_shapes(*(array.shape for array in arrays))
    count = int(np.prod(shape, dtype=object))
    check_size(count * len(terms), "broadcasting")
    row = np.tile(np.arange(count), len(terms))
    ref = np.concatenate([np.broadcast_to(refs, shape).reshape(-1) for refs, _ in terms])
    value = np.concatenate(
        [np.broadcast_to(np.asarray(w, dtype=np.float64), shape).reshape(-1) for _, w in terms]
    )
    over = None if divisor is None else np.broadcast_to(divisor, shape).reshape(-1)
    return graph.rows(count, row, ref, value, divisor=over, relu=relu).reshape(shape)
