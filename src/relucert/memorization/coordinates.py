"""The coordinates of a data set as float64, with what rounding may have done to them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from relucert.errors import QueryError
from relucert.read.points import LabelledPoints

__all__ = ["Coordinates", "coordinates"]

_EXACT_BITS = 51
_CHUNK = 2**20
_UNIT = 2.0**-53


@dataclass(frozen=True, eq=False)
class Coordinates:
    """The points are ``values * unit``, each coordinate of ``values`` off by ``slack`` at most.

    values: float64 (points, inputs). ``exact`` says that every difference of two values is a
    float64 too, so that comparisons of differences are exact (``slack`` is then zero).
    """

    values: np.ndarray
    unit: Fraction
    exact: bool
    slack: float


def coordinates(points: LabelledPoints) -> Coordinates:
    """Choose the scale: as stored where that is exact, integers for decimals, else rounded.

    Raises QueryError for coordinates that are not finite.
    """
    if not points.exact:
        return _decimals(points)
    values = points.values
    if not np.isfinite(values).all():
        raise QueryError(f"{points.name}: coordinates must be finite numbers")
    largest = float(np.abs(values).max(initial=0.0))
    step = _binary_step(values)
    exact = largest < math.ldexp(1.0, min(_EXACT_BITS + step, 1000))
    return Coordinates(values, Fraction(1), exact, 0.0)


def _decimals(points: LabelledPoints) -> Coordinates:
    """Numerators over the common denominator, where both are small enough."""
    limit = 2**_EXACT_BITS
    denominator = 1
    for value in _entries(points):
        denominator = math.lcm(denominator, value.denominator)
        if denominator >= limit or abs(value) * denominator >= limit:
            largest = float(np.abs(points.values).max(initial=0.0))
            return Coordinates(points.values, Fraction(1), False, 1.01 * _UNIT * largest + 1e-300)
    numerators = np.fromiter((float(value * denominator) for value in _entries(points)), float)
    if float(np.abs(numerators).max(initial=0.0)) >= limit:
        largest = float(np.abs(points.values).max(initial=0.0))
        return Coordinates(points.values, Fraction(1), False, 1.01 * _UNIT * largest + 1e-300)
    shape = (len(points), points.input_size)
    return Coordinates(numerators.reshape(shape), Fraction(1, denominator), True, 0.0)


def _entries(points: LabelledPoints) -> Iterator[Fraction]:
    for row in range(len(points)):
        yield from points.point(row)


def _binary_step(values: np.ndarray) -> int:
    """The largest e such that every value is a multiple of 2**e (0 for all zeros)."""
    flat = values.reshape(-1)
    lowest = 2000
    for start in range(0, len(flat), _CHUNK):
        part = flat[start : start + _CHUNK]
        part = part[part != 0]
        if not len(part):
            continue
        fractions, exponents = np.frexp(part)
        mantissas = np.ldexp(fractions, 53).astype(np.int64)
        trailing = np.frexp((mantissas & -mantissas).astype(np.float64))[1] - 1
        lowest = min(lowest, int((exponents - 53 + trailing).min()))
    return 0 if lowest == 2000 else lowest
