"""Layers as sparse integer matrices: affine forms forwards, ranges of gradients backwards.

Inside one activation pattern every value of a network is an affine form of its inputs. Forms are
kept as integer rows over one common denominator, so that nothing is ever rounded.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np

from relucert.network import Layer

__all__ = ["Affine", "ExactLayer", "Slopes"]

_MOST_BITS = 4000
_KEPT_BITS = 256


@dataclass(frozen=True, eq=False)
class Affine:
    """``rows[i] @ (w, 1) / denominator`` for every i; rows: integer objects (values, inputs + 1).

    The last column is the constant term.
    """

    rows: np.ndarray
    denominator: int

    def masked(self, kept: np.ndarray) -> Affine:
        """The same forms, zero where ``kept`` is false."""
        rows = self.rows.copy()
        rows[~kept] = 0
        return Affine(rows, self.denominator)


@dataclass(frozen=True, eq=False)
class Slopes:
    """Each derivative lies in ``[lower[i], upper[i]] / denominator``; integer objects (values,)."""

    lower: np.ndarray
    upper: np.ndarray
    denominator: int

    @classmethod
    def exactly(cls, values: Sequence[int]) -> Slopes:
        """Integer derivatives that are known."""
        row = np.empty(len(values), dtype=object)
        row[:] = [int(value) for value in values]
        return cls(row, row, 1)

    def through_relu(self, phases: np.ndarray) -> Slopes:
        """Before the ReLU; phases: int8 (values,), 1 active (or no ReLU), 0 inactive, -1 either."""
        lower, upper = self.lower.copy(), self.upper.copy()
        lower[phases == 0] = 0
        upper[phases == 0] = 0
        either = phases < 0
        lower[either] = np.minimum(lower[either], 0)
        upper[either] = np.maximum(upper[either], 0)
        return Slopes(lower, upper, self.denominator)

    def fractions(self) -> list[tuple[Fraction, Fraction]]:
        """The ranges as rationals."""
        return [
            (Fraction(int(low), self.denominator), Fraction(int(high), self.denominator))
            for low, high in zip(self.lower, self.upper, strict=True)
        ]

    def shortened(self) -> Slopes:
        """The same, or a little wider where the integers have grown beyond 4,000 bits."""
        if self.denominator.bit_length() <= _MOST_BITS:
            return self
        largest = max(
            (abs(int(value)) for ends in (self.lower, self.upper) for value in ends), default=0
        )
        bits = self.denominator.bit_length() - largest.bit_length() + _KEPT_BITS
        scale = 1 << max(bits, 0)
        lower, upper = np.empty_like(self.lower), np.empty_like(self.upper)
        lower[:] = [int(value) * scale // self.denominator for value in self.lower]
        upper[:] = [-(-int(value) * scale // self.denominator) for value in self.upper]
        return Slopes(lower, upper, scale)


@dataclass(frozen=True, eq=False)
class ExactLayer:
    """``z = (W x + bias) / denominator`` with integers; W by rows as in the CSR format."""

    values: np.ndarray
    columns: np.ndarray
    starts: np.ndarray
    bias: np.ndarray
    denominator: int
    relu: np.ndarray
    input_size: int

    @classmethod
    def of(cls, layer: Layer) -> ExactLayer:
        """The stored weights, biases and divisors as integers over one denominator."""
        stored = layer.integers
        rows = layer.output_size
        divisors = [Fraction(1)] * rows
        if layer.divisor is not None:
            divisors = [Fraction(float(value)) for value in layer.divisor]
        common = math.lcm(*(divisor.numerator for divisor in divisors))
        exponents = np.concatenate([stored.exponents, stored.bias_exponents])
        lowest = min(0, int(exponents.min(initial=0)))
        factors = [divisor.denominator * (common // divisor.numerator) for divisor in divisors]
        row_factors = [
            factor << int(exponent - lowest)
            for factor, exponent in zip(factors, stored.exponents, strict=True)
        ]
        counts = np.diff(stored.starts)
        values = np.empty(len(stored.values), dtype=object)
        spread = (factor for factor, n in zip(row_factors, counts, strict=True) for _ in range(n))
        values[:] = [
            int(value) * factor for value, factor in zip(stored.values, spread, strict=True)
        ]
        bias = np.empty(rows, dtype=object)
        bias[:] = [
            (int(value) << int(exponent - lowest)) * factor
            for value, exponent, factor in zip(
                stored.bias_values, stored.bias_exponents, factors, strict=True
            )
        ]
        return cls(
            values, stored.columns, stored.starts, bias, common << -lowest, layer.relu,
            layer.input_size,
        )  # fmt: skip

    @property
    def output_size(self) -> int:
        return len(self.bias)

    def forward(self, inputs: Affine) -> Affine:
        """The pre-activations, given the forms that the layer reads."""
        rows = np.zeros((self.output_size, inputs.rows.shape[1]), dtype=object)
        filled = np.flatnonzero(np.diff(self.starts) > 0)
        if len(filled):
            products = self.values[:, np.newaxis] * inputs.rows[self.columns]
            rows[filled] = np.add.reduceat(products, self.starts[filled], axis=0)
        rows[:, -1] += self.bias * inputs.denominator
        denominator = self.denominator * inputs.denominator
        common = math.gcd(denominator, *(int(value) for value in rows.flat))
        return Affine(rows // common, denominator // common)

    def backward(self, slopes: Slopes) -> Slopes:
        """The ranges with respect to the layer's inputs; slopes are those before its ReLU."""
        lower, upper = np.zeros((2, self.input_size), dtype=object)
        order, filled, starts = self._by_column
        if len(filled):
            low = self.values * slopes.lower[self._row_of_entry]
            high = self.values * slopes.upper[self._row_of_entry]
            lower[filled] = np.add.reduceat(np.minimum(low, high)[order], starts)
            upper[filled] = np.add.reduceat(np.maximum(low, high)[order], starts)
        return Slopes(lower, upper, slopes.denominator * self.denominator).shortened()

    def inputs_of(self, rows: np.ndarray) -> np.ndarray:
        """The inputs that any of the rows reads, a mask (inputs,); rows: a mask (outputs,)."""
        read = np.zeros(self.input_size, dtype=bool)
        read[self.columns[rows[self._row_of_entry]]] = True
        return read

    @cached_property
    def _row_of_entry(self) -> np.ndarray:
        return np.repeat(np.arange(self.output_size), np.diff(self.starts))

    @cached_property
    def _by_column(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        order = np.argsort(self.columns, kind="stable")
        filled, starts = np.unique(self.columns[order], return_index=True)
        return order, filled, starts
