"""The checker's exact arithmetic: integers with a common power of two, and a denominator.

A block of rows is ``numerators * 2**exponent / denominator`` with Python integers. Nothing is
rounded but, outward, the float64 bounds at the end and, upward to at least 60 bits, the slopes of
the lines above unstable ReLUs, for which any larger slope is valid too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from relucert.network import Network
from relucert.proof.arithmetic import Bounds, Chosen, Objective, Relaxation
from relucert.proof.digits import DigitMatrix
from relucert.proof.records import SLOPE_STEPS

__all__ = ["Exact", "ExactRows"]

_SLOPE_BITS = 60
_LEAST_EXPONENT = -1074
_QUOTIENT_BITS = 64


@dataclass(frozen=True, eq=False)
class Integers:
    """``values * 2**exponent``: an object array of int of any shape."""

    values: np.ndarray
    exponent: int

    def at(self, exponent: int) -> np.ndarray:
        """The values for a smaller or equal exponent."""
        shift = self.exponent - exponent
        return self.values * (1 << shift) if shift else self.values

    def plus(self, other: Integers) -> Integers:
        """The sum, entry by entry."""
        exponent = min(self.exponent, other.exponent)
        return Integers(np.asarray(self.at(exponent) + other.at(exponent)), exponent)

    def reduced(self) -> Integers:
        """The same numbers with common powers of two taken out."""
        common = int(np.bitwise_or.reduce(self.values, axis=None)) if self.values.size else 0
        shift = (common & -common).bit_length() - 1
        return Integers(self.values >> shift, self.exponent + shift) if shift > 0 else self


def _integers(values: np.ndarray) -> Integers:
    """Finite float64 values as integers over their least power of two."""
    pairs = [float(value).as_integer_ratio() for value in values.ravel()]
    bits = max((denominator.bit_length() for _, denominator in pairs), default=1) - 1
    whole = np.empty(len(pairs), dtype=object)
    whole[:] = [n << (bits + 1 - d.bit_length()) for n, d in pairs]
    return Integers(whole.reshape(values.shape), -bits).reduced()


@dataclass(frozen=True, eq=False)
class ExactRows:
    """``(rows @ v + constant) / denominator``: (rows, values) and (rows,)."""

    rows: Integers
    constant: Integers
    denominator: int


class Exact:
    """Integers throughout, for one network."""

    name = "exact"
    at_once = 1

    def __init__(self, network: Network) -> None:
        self.layers = network.layers
        self.weights = [DigitMatrix.of(layer.weight) for layer in self.layers]
        self.biases = [_integers(layer.bias) for layer in self.layers]
        self.divisors = [_reciprocals(layer.divisor) for layer in self.layers]

    def interval(self, index: int, inputs: Bounds) -> Bounds:
        """Twice the middle, and twice the radius with absolute weights; see `Arithmetic`."""
        weight = self.weights[index]
        ends = _integers(np.concatenate([inputs.lower, inputs.upper]))
        low, high = ends.values
        middle = weight.times((low + high)[None], transposed=True)
        radius = weight.absolute.times((high - low)[None], transposed=True)
        twice = Integers(np.concatenate([middle - radius, -middle - radius]), ends.exponent - 1)
        sums = Integers(twice.values, twice.exponent + weight.exponent)
        bias = self.biases[index]
        sums = sums.plus(Integers(np.stack([bias.values, -bias.values]), bias.exponent))
        denominator = 1
        if (divisor := self.divisors[index]) is not None:
            sums, denominator = _scaled(sums, divisor[0]), divisor[1]
        lower = _floats_below(Integers(sums.values[0], sums.exponent), denominator)
        upper = _floats_below(Integers(sums.values[1], sums.exponent), denominator)
        return Bounds(lower[None], -upper[None])

    def neurons(
        self, index: int, chosen: np.ndarray, sides: np.ndarray, inputs: Bounds, regions: np.ndarray
    ) -> ExactRows:
        rows = np.zeros((len(chosen), self.layers[index].output_size), dtype=object)
        rows[np.arange(len(chosen)), chosen] = sides.tolist()
        units = ExactRows(Integers(rows, 0), Integers(0 * rows[:, 0], 0), 1)
        return self.before_affine(units, index, inputs, regions)

    def objectives(
        self, objectives: Sequence[Objective], outputs: Bounds, regions: np.ndarray
    ) -> ExactRows:
        rows = [(*objective.coefficients, -objective.limit) for objective in objectives]
        common = math.lcm(*(value.denominator for row in rows for value in row))
        whole = np.array(
            [[value.numerator * (common // value.denominator) for value in row] for row in rows],
            dtype=object,
        )
        return ExactRows(Integers(whole[:, :-1], 0), Integers(whole[:, -1], 0), common)

    def before_relu(self, rows: ExactRows, relaxation: Relaxation, chosen: Chosen) -> ExactRows:
        lines = _lines(relaxation)
        entries, constant = rows.rows, rows.constant
        signs = chosen.signs
        if relaxation.unstable.any() or chosen.slopes is not None or signs is not None:
            below, above, sloped = lines.below, lines.above, relaxation.sloped
            positive = np.asarray(entries.values > 0, dtype=bool)
            shifted = np.where(positive, 0, entries.values)
            if signs is not None:
                line = ((signs > 0) & sloped).astype(object) * (1 << lines.bits)
                below, above = np.where(signs == 0, below, line), np.where(signs == 0, above, line)
                shifted, sloped = np.where(signs == 0, shifted, 0), sloped & (signs >= 0)
            if chosen.slopes is not None:
                steps = chosen.slopes.astype(object) * ((1 << lines.bits) // SLOPE_STEPS)
                below = np.where(sloped, steps, below)
            shift = shifted @ lines.offset.values
            constant = constant.plus(Integers(shift, entries.exponent + lines.offset.exponent))
            factors = np.where(positive, below, above)
            entries = Integers(entries.values * factors, entries.exponent - lines.bits)
        elif relaxation.dead.any():
            entries = Integers(np.where(relaxation.dead, 0, entries.values), entries.exponent)
        if chosen.taken is not None:
            taken = _integers(chosen.taken)
            less = Integers(-taken.values * rows.denominator, taken.exponent)
            entries = entries.plus(less)
        return ExactRows(entries, constant, rows.denominator)

    def before_affine(
        self, rows: ExactRows, index: int, inputs: Bounds, regions: np.ndarray
    ) -> ExactRows:
        entries, constant, denominator = rows.rows, rows.constant, rows.denominator
        if (divisor := self.divisors[index]) is not None:
            entries, denominator = _scaled(entries, divisor[0]), denominator * divisor[1]
            constant = Integers(constant.values * divisor[1], constant.exponent)
        bias = self.biases[index]
        shift = Integers(entries.values @ bias.values, entries.exponent + bias.exponent)
        weight = self.weights[index]
        product = Integers(weight.times(entries.values), entries.exponent + weight.exponent)
        return ExactRows(product.reduced(), constant.plus(shift), denominator)

    def minimum(self, rows: ExactRows, box: Bounds, regions: np.ndarray) -> np.ndarray:
        """See `Arithmetic`; exact, then rounded down to float64."""
        ends = _integers(np.concatenate([box.lower, box.upper]))
        positive = np.asarray(rows.rows.values > 0, dtype=bool)
        chosen = np.where(positive, ends.values[0], ends.values[1])
        least = (rows.rows.values * chosen).sum(axis=1)
        total = Integers(least, rows.rows.exponent + ends.exponent).plus(rows.constant)
        return _floats_below(total, rows.denominator)


def _reciprocals(divisor: np.ndarray | None) -> tuple[Integers, int] | None:
    """Numbers and one denominator: number / denominator is one over the divisor."""
    if divisor is None:
        return None
    ratios = [float(value).as_integer_ratio() for value in divisor]
    common = math.lcm(*(numerator for numerator, _ in ratios))
    values = np.empty(len(ratios), dtype=object)
    values[:] = [denominator * (common // numerator) for numerator, denominator in ratios]
    return Integers(values, 0), common


def _scaled(entries: Integers, factors: Integers) -> Integers:
    return Integers(entries.values * factors.values, entries.exponent + factors.exponent)


@dataclass(frozen=True, eq=False)
class _Lines:
    """Slopes from below and above times 2**bits, and the offset from above: (outputs,)."""

    bits: int
    below: np.ndarray
    above: np.ndarray
    offset: Integers


def _lines(relaxation: Relaxation) -> _Lines:
    known: _Lines | None = relaxation.cache.get("exact")
    if known is not None:
        return known
    alive, pre = ~relaxation.dead[0], relaxation.pre
    ends, unstable = _integers(np.concatenate([pre.lower, pre.upper])), relaxation.unstable[0]
    low, high = (values[unstable].tolist() for values in ends.values)
    flattest = max(((u - v) // u for v, u in zip(low, high, strict=True)), default=1)
    bits = _SLOPE_BITS + flattest.bit_length()
    below, above, offset = (np.zeros(len(alive), dtype=object) for _ in range(3))
    below[alive] = above[alive] = 1 << bits
    for neuron, least, most in zip(np.flatnonzero(unstable).tolist(), low, high, strict=True):
        below[neuron] = int(relaxation.slopes[0, neuron]) * ((1 << bits) // SLOPE_STEPS)
        above[neuron] = -(-(most << bits) // (most - least))
        offset[neuron] = -above[neuron] * least
    lines = _Lines(bits, below, above, Integers(offset, ends.exponent - bits))
    relaxation.cache["exact"] = lines
    return lines


def _floats_below(numbers: Integers, denominator: int) -> np.ndarray:
    """For every number over the denominator a float64 that is not above it."""
    return np.array(
        [_float_below(int(value), numbers.exponent, denominator) for value in numbers.values],
        dtype=np.float64,
    )


def _float_below(value: int, exponent: int, denominator: int) -> float:
    if denominator != 1:
        spare = max(0, _QUOTIENT_BITS + denominator.bit_length() - value.bit_length())
        value, exponent = (value << spare) // denominator, exponent - spare
    excess = max(value.bit_length() - 53, _LEAST_EXPONENT - exponent, 0)
    value, exponent = value >> excess, exponent + excess
    try:
        return math.ldexp(value, exponent)
    except OverflowError:
        return -math.inf if value < 0 else float(np.finfo(np.float64).max)
