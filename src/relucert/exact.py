"""Exact arithmetic: rationals from text and floats, and exact affine maps of dyadic matrices.

A float64 is a dyadic rational ``m * 2**e``. A vector of rationals is kept as integer numerators
over one common denominator, so that an affine map with float64 entries is a matrix product of
Python integers: exact at any size, and about twenty times faster than a product of Fractions.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import scipy.sparse as sp

from relucert.errors import QueryError

__all__ = [
    "ExactVector",
    "IntegerRows",
    "dot",
    "float_above",
    "float_below",
    "format_rational",
    "integer_rows",
    "nearest_float",
    "parse_rational",
    "scaled_by_reciprocals",
    "short_rational_between",
]

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_MAX_DIGITS = 4000
_MAX_EXPONENT = 4000


def parse_rational(text: str) -> Fraction:
    """Read a decimal ("0.1", "-1e-3") or a quotient of integers ("1/3") without rounding.

    Raises ValueError on anything else: infinities, NaN, hexadecimal, and numbers of more than
    4,000 digits or exponents beyond 4,000 (a short text must not make a gigabyte integer).
    """
    text = text.strip()
    if len(text) > _MAX_DIGITS:
        raise ValueError(f"number of {len(text)} characters (limit {_MAX_DIGITS})")
    if not text.isascii():
        raise ValueError(f"not a number: {text!r}")
    numerator, slash, denominator = text.partition("/")
    if slash:
        if not re.fullmatch(r"[+-]?\d+", numerator) or not re.fullmatch(r"\d+", denominator):
            raise ValueError(f"not a number: {text!r}")
        if int(denominator) == 0:
            raise ValueError(f"division by zero: {text!r}")
        return Fraction(int(numerator), int(denominator))
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise ValueError(f"not a number: {text!r}")
    exponent = match.group(3)
    if exponent is not None and (len(exponent) > 8 or abs(int(exponent[1:])) > _MAX_EXPONENT):
        raise ValueError(f"exponent out of range (limit {_MAX_EXPONENT}): {text!r}")
    return Fraction(text)


def format_rational(value: Fraction) -> str:
    """Write a rational so that `parse_rational` reads back exactly the same number.

    A finite decimal when there is one of sensible length, else ``p/q``. Raises QueryError
    beyond the 4,300 digits that Python writes; `parse_rational` reads back up to 4,000.
    """
    try:
        return _format(value)
    except ValueError:
        raise QueryError("a number of more than 4,300 digits cannot be written") from None


def _format(value: Fraction) -> str:
    denominator = value.denominator
    twos = (denominator & -denominator).bit_length() - 1
    rest, fives = denominator >> twos, 0
    while rest % 5 == 0:
        rest //= 5
        fives += 1
    places = max(twos, fives)
    if rest != 1 or places > 1100:
        return f"{value.numerator}/{value.denominator}"
    if places == 0:
        return str(value.numerator)
    digits = abs(value.numerator) * (10**places // denominator)
    text = str(digits).rjust(places + 1, "0")
    sign = "-" if value < 0 else ""
    return f"{sign}{text[:-places]}.{text[-places:]}"


def float_below(value: Fraction) -> float:
    """The largest float64 that is not above ``value`` (-inf below the float range)."""
    nearest = nearest_float(value)
    if nearest == math.inf or (math.isfinite(nearest) and Fraction(nearest) > value):
        return math.nextafter(nearest, -math.inf)
    return nearest


def float_above(value: Fraction) -> float:
    """The smallest float64 that is not below ``value`` (inf above the float range)."""
    return -float_below(-value)


def nearest_float(value: Fraction) -> float:
    """The float64 nearest to ``value``; infinite beyond the float range."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def short_rational_between(candidate: float, lower: Fraction, upper: Fraction) -> Fraction:
    """A rational in [lower, upper] close to ``candidate`` whose decimal is short where possible.

    Witnesses are printed; the shortest decimal of the float, moved inward where it leaves the
    interval, keeps them readable. Falls back on the exact end of the interval.
    """
    if not math.isfinite(candidate):
        return lower
    wish = Fraction(repr(candidate))
    if lower <= wish <= upper:
        return wish
    end, inward = (lower, math.inf) if wish < lower else (upper, -math.inf)
    inside = float_above(end) if inward > 0 else float_below(end)
    for _ in range(2):
        if math.isfinite(inside):
            short = Fraction(repr(inside))
            if lower <= short <= upper:
                return short
        inside = math.nextafter(inside, inward)
    return end


@dataclass(frozen=True, eq=False)
class ExactVector:
    """Rationals ``numerators[i] / denominator``; ``numerators`` is an object array of int."""

    numerators: np.ndarray
    denominator: int

    @classmethod
    def of(cls, values: Iterable[Fraction]) -> ExactVector:
        """Bring Fractions (or ints) to one denominator."""
        fractions = [Fraction(value) for value in values]
        common = math.lcm(*(value.denominator for value in fractions)) if fractions else 1
        numerators = np.empty(len(fractions), dtype=object)
        numerators[:] = [value.numerator * (common // value.denominator) for value in fractions]
        return cls(numerators, common)

    def fractions(self) -> tuple[Fraction, ...]:
        """The entries as Fractions in lowest terms."""
        return tuple(Fraction(int(value), self.denominator) for value in self.numerators)

    def rectified(self, mask: np.ndarray) -> ExactVector:
        """ReLU on the coordinates where ``mask`` is true."""
        negative = mask & np.array([value < 0 for value in self.numerators], dtype=bool)
        numerators = self.numerators.copy()
        numerators[negative] = 0
        return ExactVector(numerators, self.denominator)

    def reduced(self) -> ExactVector:
        """The same rationals with common powers of two cancelled."""
        common = self.denominator
        for value in self.numerators:
            common |= value
        shift = (common & -common).bit_length() - 1
        if shift <= 0:
            return self
        return ExactVector(self.numerators >> shift, self.denominator >> shift)


@dataclass(frozen=True, eq=False)
class IntegerRows:
    """A float64 matrix and bias as exact integers with one power of two a row.

    Row i stands for ``sum_j values[i, j] * 2**exponents[i] * x_j + bias_values[i] *
    2**bias_exponents[i]``. ``values`` holds the non-zero entries row by row, ``columns`` their
    columns and ``starts`` the row starts, as in the CSR format.
    """

    values: np.ndarray
    columns: np.ndarray
    starts: np.ndarray
    exponents: np.ndarray
    bias_values: np.ndarray
    bias_exponents: np.ndarray

    def apply(self, x: ExactVector) -> ExactVector:
        """The exact image of ``x``, over one common denominator."""
        sums = self._row_sums(x.numerators)
        lowest = int(min(self.exponents.min(initial=0), self.bias_exponents.min(initial=0)))
        biases = self.bias_values * x.denominator
        numerators = np.empty(len(sums), dtype=object)
        numerators[:] = [
            (int(total) << int(e - lowest)) + (int(bias) << int(f - lowest))
            for total, e, bias, f in zip(
                sums, self.exponents, biases, self.bias_exponents, strict=True
            )
        ]
        return ExactVector(numerators, x.denominator << -lowest)

    def _row_sums(self, x: np.ndarray) -> np.ndarray:
        rows = len(self.starts) - 1
        sums = np.zeros(rows, dtype=object)
        filled = np.flatnonzero(np.diff(self.starts) > 0)
        if len(filled):
            products = self.values * x[self.columns]
            sums[filled] = np.add.reduceat(products, self.starts[filled])
        return sums


def integer_rows(weight: np.ndarray | sp.csr_array, bias: np.ndarray) -> IntegerRows:
    """Convert a finite float64 matrix (m, n) and bias (m,) to exact integers."""
    csr = sp.csr_array(weight, copy=True)
    csr.eliminate_zeros()
    mantissas, exponents = _odd_mantissas(np.asarray(csr.data, dtype=np.float64))
    rows = csr.shape[0]
    starts = np.asarray(csr.indptr, dtype=np.int64)
    row_exponents = np.zeros(rows, dtype=np.int64)
    filled = np.flatnonzero(np.diff(starts) > 0)
    if len(filled):
        row_exponents[filled] = np.minimum.reduceat(exponents, starts[filled])
    shifts = exponents - np.repeat(row_exponents, np.diff(starts))
    bias_mantissas, bias_exponents = _odd_mantissas(np.asarray(bias, dtype=np.float64))
    return IntegerRows(
        values=_shifted(mantissas, shifts),
        columns=np.asarray(csr.indices, dtype=np.int64),
        starts=starts,
        exponents=row_exponents,
        bias_values=bias_mantissas.astype(object),
        bias_exponents=bias_exponents,
    )


def _odd_mantissas(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split float64 values into odd int64 mantissas and exponents (0 and 0 for zero)."""
    fractions, exponents = np.frexp(values)
    mantissas = np.ldexp(fractions, 53).astype(np.int64)
    lowest_bit = mantissas & -mantissas
    trailing = np.where(mantissas == 0, 0, np.frexp(lowest_bit.astype(np.float64))[1] - 1)
    trailing = trailing.astype(np.int64)
    exponents = np.where(mantissas == 0, 0, exponents.astype(np.int64) - 53 + trailing)
    return mantissas >> trailing, exponents


def _shifted(mantissas: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    shifted = mantissas.astype(object)
    moved = np.flatnonzero(shifts)
    if len(moved):
        shifted[moved] = [int(mantissas[i]) << int(shifts[i]) for i in moved]
    return shifted


def scaled_by_reciprocals(x: ExactVector, divisors: np.ndarray) -> ExactVector:
    """Divide entry i by the positive float64 ``divisors[i]``, exactly."""
    ratios = [Fraction(float(value)) for value in divisors]
    common = math.lcm(*(ratio.numerator for ratio in ratios)) if ratios else 1
    numerators = np.empty(len(ratios), dtype=object)
    numerators[:] = [
        value * ratio.denominator * (common // ratio.numerator)
        for value, ratio in zip(x.numerators, ratios, strict=True)
    ]
    return ExactVector(numerators, x.denominator * common)


def dot(coefficients: Sequence[Fraction], values: Sequence[Fraction]) -> Fraction:
    """The exact inner product of two rational vectors of one length."""
    return sum((c * v for c, v in zip(coefficients, values, strict=True) if c), Fraction(0))
