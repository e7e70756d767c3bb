"""The normal form: a network is a list of layers, each affine and then ReLU on a mask.

``z = (W x + b) / d`` and ``x' = where(relu, max(z, 0), z)``; the divisor ``d`` is one nearly
everywhere and exists because averages over three or nine entries are not dyadic. Coordinates
outside the mask pass through, so residual sums, concatenations and skips are carried along as
identity rows. Entries are the stored float32 or float64 values, widened to float64, never
multiplied together: the real function that the file describes is the function verified.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TypeAlias

import numpy as np
import scipy.sparse as sp

from relucert.exact import ExactVector, IntegerRows, integer_rows, scaled_by_reciprocals

__all__ = ["Layer", "Network"]

Matrix: TypeAlias = "np.ndarray | sp.csr_array"


def _own_matrix(matrix: Matrix) -> Matrix:
    """A float64 copy; repeated sparse entries are refused, adding them up would round."""
    if sp.issparse(matrix):
        own = sp.csr_array(matrix, dtype=np.float64, copy=True)
        own.sort_indices()
        if not own.has_canonical_format:
            raise ValueError("the sparse weight has repeated entries")
        return own
    dense = np.array(matrix, dtype=np.float64)
    if dense.ndim != 2:
        raise ValueError(f"weight has {dense.ndim} dimensions, not 2")
    return dense


def _entries(matrix: Matrix) -> np.ndarray:
    return np.asarray(matrix.data) if sp.issparse(matrix) else np.asarray(matrix)


@dataclass(frozen=True, eq=False)
class Layer:
    """``z = (weight @ x + bias) / divisor``, then ReLU on the coordinates where ``relu`` is true.

    weight: float64 (outputs, inputs), a dense array or ``scipy.sparse.csr_array``.
    bias: float64 (outputs,). relu: bool (outputs,). divisor: float64 (outputs,) positive, or
    None for all ones. Arrays become read-only. Raises ValueError on shapes that do not fit and
    on entries that are not finite.
    """

    weight: Matrix
    bias: np.ndarray
    relu: np.ndarray
    divisor: np.ndarray | None = None

    def __post_init__(self) -> None:
        weight = _own_matrix(self.weight)
        entries = _entries(weight)
        bias = np.array(self.bias, dtype=np.float64)
        relu = np.array(self.relu, dtype=bool)
        divisor = None if self.divisor is None else np.array(self.divisor, dtype=np.float64)
        for name, array in (("bias", bias), ("relu", relu), ("divisor", divisor)):
            if array is not None and array.shape != (weight.shape[0],):
                raise ValueError(
                    f"{name} has shape {array.shape}, the weight has {weight.shape[0]} rows"
                )
        if not (np.isfinite(entries).all() and np.isfinite(bias).all()):
            raise ValueError("weights or biases are not finite")
        if divisor is not None and not (np.isfinite(divisor).all() and (divisor > 0).all()):
            raise ValueError("divisors must be positive and finite")
        if divisor is not None and bool(np.all(divisor == 1.0)):
            divisor = None
        values = {"weight": weight, "bias": bias, "relu": relu, "divisor": divisor}
        for name, value in values.items():
            object.__setattr__(self, name, value)
        for array in (entries, bias, relu, divisor):
            if array is not None:
                array.setflags(write=False)

    @property
    def input_size(self) -> int:
        return int(self.weight.shape[1])

    @property
    def output_size(self) -> int:
        return int(self.weight.shape[0])

    @property
    def is_dense(self) -> bool:
        """Whether the weight is stored as a dense array."""
        return not sp.issparse(self.weight)

    @property
    def parameter_count(self) -> int:
        """Non-zero weights and biases."""
        return int(np.count_nonzero(_entries(self.weight)) + np.count_nonzero(self.bias))

    def affine(self, x: np.ndarray) -> np.ndarray:
        """Pre-activations of a batch (points, inputs) in float64: (points, outputs)."""
        z: np.ndarray = np.asarray((self.weight @ x.T).T) + self.bias
        return z if self.divisor is None else z / self.divisor

    def evaluate(self, x: np.ndarray) -> np.ndarray:
        """Outputs of a batch (points, inputs) in float64: (points, outputs)."""
        z = self.affine(x)
        return np.where(self.relu, np.maximum(z, 0.0), z)

    @cached_property
    def integers(self) -> IntegerRows:
        """Weight and bias as exact integers."""
        return integer_rows(self.weight, self.bias)

    def affine_exactly(self, x: ExactVector) -> ExactVector:
        """Exact pre-activations of one rational point."""
        z = self.integers.apply(x)
        if self.divisor is not None:
            z = scaled_by_reciprocals(z, self.divisor)
        return z.reduced()


@dataclass(frozen=True, eq=False)
class Network:
    """A chain of layers with exact weights.

    layers: at least one; each takes what the one before gives. name: for messages and reports.
    notes: what a reader had to decide (for example a rounded batch-normalisation factor).
    Raises ValueError when the layers do not fit each other.
    """

    layers: tuple[Layer, ...]
    name: str = "network"
    input_shape: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", tuple(self.layers))
        if not self.layers:
            raise ValueError("a network needs at least one layer")
        for index, (before, after) in enumerate(zip(self.layers, self.layers[1:], strict=False)):
            if before.output_size != after.input_size:
                raise ValueError(
                    f"layer {index} gives {before.output_size} values, "
                    f"layer {index + 1} takes {after.input_size}"
                )
        if not self.input_shape:
            object.__setattr__(self, "input_shape", (self.layers[0].input_size,))
        if int(np.prod(self.input_shape)) != self.layers[0].input_size:
            raise ValueError(
                f"input shape {self.input_shape} does not hold {self.layers[0].input_size} values"
            )

    @classmethod
    def dense(
        cls, weights: Sequence[np.ndarray], biases: Sequence[np.ndarray], name: str = "network"
    ) -> Network:
        """A plain feed-forward network: ReLU after every layer but the last."""
        last = len(weights) - 1
        layers = tuple(
            Layer(weight, bias, np.full(len(bias), index < last))
            for index, (weight, bias) in enumerate(zip(weights, biases, strict=True))
        )
        return cls(layers, name)

    @property
    def input_size(self) -> int:
        return self.layers[0].input_size

    @property
    def output_size(self) -> int:
        return self.layers[-1].output_size

    @property
    def relu_count(self) -> int:
        """Coordinates with a ReLU, over all layers."""
        return int(sum(int(layer.relu.sum()) for layer in self.layers))

    @property
    def parameter_count(self) -> int:
        """Non-zero weights and biases, over all layers (carried coordinates count as ones)."""
        return sum(layer.parameter_count for layer in self.layers)

    def evaluate(self, x: np.ndarray) -> np.ndarray:
        """Outputs in float64: (inputs,) -> (outputs,), or (points, inputs) -> (points, outputs).

        Rounded as float64 rounds; for verdicts use `evaluate_exactly`.
        Raises ValueError when the number of inputs does not fit.
        """
        batch = np.atleast_2d(np.asarray(x, dtype=np.float64))
        if batch.shape[1] != self.input_size:
            raise ValueError(f"point has {batch.shape[1]} values, the network {self.input_size}")
        for layer in self.layers:
            batch = layer.evaluate(batch)
        return batch[0] if np.ndim(x) == 1 else batch

    def evaluate_exactly(self, x: Sequence[Fraction]) -> tuple[Fraction, ...]:
        """The exact outputs at a rational point: real arithmetic over the stored weights.

        Raises ValueError when the number of inputs does not fit.
        """
        if len(x) != self.input_size:
            raise ValueError(f"point has {len(x)} values, the network takes {self.input_size}")
        vector = ExactVector.of(x)
        for layer in self.layers:
            vector = layer.affine_exactly(vector).rectified(layer.relu)
        return vector.fractions()
