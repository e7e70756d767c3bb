"""Boxes of short binary numbers around the balls of a data set, for the constructions.

The constructions hold every ``x_ij - mu`` and ``x_ij + mu`` as a weight. Instead of rounding such
numbers, each ball is enlarged to a box whose ends are multiples of a power of two, the ``step``,
no larger than half of what separation and budget leave over: lambda - 2 mu. Then

- the box of a point contains its ball;
- a ball with another label stays at least ``gap`` away from the box in some coordinate,
  gap = the largest power of two that is at most lambda - 2 mu - step;

so the proofs of docs/theory.md, section 6.1, hold with the boxes for the balls and ``gap`` for
lambda - 2 mu, and every weight is exact, whatever the coordinates are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from relucert.errors import QueryError
from relucert.exact import nearest_float
from relucert.memorization.separation import Separation
from relucert.read.points import LabelledPoints

__all__ = ["Boxes", "enclosing_boxes", "power_of_two_at_most"]

_LONGEST = 2**50


@dataclass(frozen=True, eq=False)
class Boxes:
    """Ends of the boxes plus ``shift``: float64 (points, inputs), exact, at least ``step``.

    Every point of a ball, plus ``shift``, is positive; so ReLU passes it through unchanged.
    """

    lower: np.ndarray
    upper: np.ndarray
    shift: float
    gap: float


def power_of_two_at_most(value: Fraction) -> Fraction:
    """The largest power of two that is at most the positive ``value``."""
    exponent = value.numerator.bit_length() - value.denominator.bit_length()
    power = Fraction(2) ** exponent
    return power if power <= value else power / 2


def enclosing_boxes(points: LabelledPoints, separation: Separation, budget: Fraction) -> Boxes:
    """Boxes around the balls of radius ``budget``, which is below half of the separation bound.

    Raises QueryError when so little room is left that float64 cannot hold the ends.
    """
    room = separation.bound - 2 * budget
    step = power_of_two_at_most(room / 2)
    gap = power_of_two_at_most(room - step)
    values, codes = _distinct(points)
    lower = np.array([math.floor((value - budget) / step) for value in values], dtype=object)
    upper = np.array([math.ceil((value + budget) / step) for value in values], dtype=object)
    # One step more than needed, so that computed bounds of shifted inputs stay positive.
    shift = max(0, 1 - int(min(lower)))
    if int(max(upper)) + shift > _LONGEST or not _fits(step, int(max(upper)) + shift):
        raise QueryError(
            f"between the budget and half of the separation bound "
            f"{nearest_float(separation.bound)!r} only {nearest_float(room / 2)!r} is left, too "
            f"little beside coordinates as large as {nearest_float(max(map(abs, values)))!r} for "
            "weights that float64 holds exactly: choose a smaller budget"
        )
    scale = float(step)
    ends = [(end + shift).astype(np.float64) * scale for end in (lower, upper)]
    return Boxes(ends[0][codes], ends[1][codes], shift * scale, float(gap))


def _fits(step: Fraction, largest: int) -> bool:
    """Whether multiples of ``step`` up to ``largest``, and quotients by it, are plain floats."""
    return Fraction(1, 2**150) < step and step * largest < 2**150


def _distinct(points: LabelledPoints) -> tuple[list[Fraction], np.ndarray]:
    """The distinct coordinates, and for each (point, input) which one it is."""
    if points.exact:
        found, codes = np.unique(points.values, return_inverse=True)
        return [Fraction(float(v)) for v in found], codes.reshape(points.values.shape)
    numbers: dict[Fraction, int] = {}
    rows = [
        [numbers.setdefault(value, len(numbers)) for value in points.point(row)]
        for row in range(len(points))
    ]
    return list(numbers), np.array(rows, dtype=np.int64)
