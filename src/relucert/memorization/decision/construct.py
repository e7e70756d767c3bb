"""From a solver's half-spaces to a network with float64 weights, and to points it gets wrong.

Weights are rounded to a grid; the threshold of every half-space is then chosen between the exact
range over the balls inside and that of what it excludes. Whether the network is right is not
decided here but by the exact check on whole balls.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from relucert.exact import nearest_float
from relucert.limits import Limits
from relucert.lp.answer import Status
from relucert.lp.highs import LpSolver
from relucert.lp.model import ModelBuilder
from relucert.memorization.decision.balls import Balls, SparsePoint, sparse_dot
from relucert.network import Network

__all__ = [
    "GRIDS",
    "Affine",
    "bevel_functions",
    "bevel_network",
    "half_space",
    "half_space_network",
    "wedge_network",
    "worst_point",
]

GRIDS = (20, 34, 48)
"""Bits of the rounded weights, tried in turn; the largest weight is about one."""

_CUT = Fraction(1, 16)
_NEAR_FACE = 1e-9


class Affine:
    """``<weights, x> + bias``, exact."""

    def __init__(self, weights: dict[int, Fraction], bias: Fraction) -> None:
        self.weights, self.bias = weights, bias
        self.norm = sum(map(abs, weights.values()), Fraction(0))

    def __call__(self, point: SparsePoint) -> Fraction:
        return sparse_dot(self.weights, point) + self.bias

    def plus(self, other: Affine) -> Affine:
        """The sum of the two functions."""
        weights = dict(self.weights)
        for index, value in other.weights.items():
            weights[index] = weights.get(index, Fraction(0)) + value
        return Affine(weights, self.bias + other.bias)

    def below(self, level: Fraction) -> Affine:
        """``level`` minus this function."""
        return Affine({index: -value for index, value in self.weights.items()}, level - self.bias)


def half_space(
    weights: np.ndarray, bits: int, balls: Balls, inside: Sequence[int],
    points: Sequence[SparsePoint],
) -> Affine | None:  # fmt: skip
    """h > 0 on the balls inside and h < 0 on the points, with these weights; None if neither.

    Where that is possible h < 0 on the whole balls around the points, else the threshold is
    near the balls inside, so that as much as possible is cut off.
    """
    scales = balls.coordinates.scales
    rounded = {index: value * scales[index] for index, value in _rounded(weights, bits).items()}
    own = Affine(rounded, Fraction(0))
    reach = balls.budget * own.norm
    low = min(own(balls.points[index]) for index in inside) - reach
    high = max((own(point) for point in points), default=low - 2 * reach - 1)
    if high >= low:
        return None
    if high + reach < low:
        return Affine(rounded, -_short_near((high + reach + low) / 2, low - high - reach))
    return Affine(rounded, -_short_near(low - _CUT * (low - high), low - high))


def wedge_network(first: Affine, second: Affine, label: int, dimension: int) -> Network:
    """``label * F`` with F = -1 + relu(h1 + 1) - relu(h1 - h2): positive iff h1, h2 > 0."""
    hidden = np.zeros((2, dimension))
    for index in {*first.weights, *second.weights}:
        a, b = first.weights.get(index, Fraction(0)), second.weights.get(index, Fraction(0))
        hidden[:, index] = float(a), float(a - b)
    biases = np.array([float(first.bias + 1), float(first.bias - second.bias)])
    outer = np.array([[float(label), -float(label)]])
    return Network.dense([hidden, outer], [biases, np.array([-float(label)])], "memorizer")


def half_space_network(h: Affine, label: int, dimension: int) -> Network:
    """``label * F`` with F = -1 + relu(h + 1): F has the sign of h."""
    hidden = np.zeros((1, dimension))
    for index, value in h.weights.items():
        hidden[0, index] = float(value)
    outer, constant = np.array([[float(label)]]), np.array([-float(label)])
    return Network.dense([hidden, outer], [np.array([float(h.bias + 1)]), constant], "memorizer")


def bevel_network(
    first: Affine, second: Affine, level: Fraction, label: int, dimension: int
) -> Network:
    """``label * F`` with F = c - relu(z1) - relu(z2)."""
    hidden = np.zeros((2, dimension))
    for row, z in enumerate((first, second)):
        for index, value in z.weights.items():
            hidden[row, index] = float(value)
    biases = np.array([float(first.bias), float(second.bias)])
    outer = np.array([[-float(label), -float(label)]])
    return Network.dense([hidden, outer], [biases, np.array([label * float(level)])], "memorizer")


def bevel_functions(
    weights: np.ndarray, biases: np.ndarray, level: float, bits: int, balls: Balls
) -> tuple[Affine, Affine, Fraction]:
    """z1, z2 and c in the data's own coordinates, of size about one, rounded to a grid."""
    shift, scales = balls.coordinates.shift, balls.coordinates.scales
    size = max(float(np.abs(weights).max()), abs(level), float(np.abs(biases).max()), 1e-300)
    unit = Fraction(2) ** (bits - int(np.ceil(np.log2(size))))
    step = Fraction(1, 2**bits)
    functions = []
    for row, bias in zip(weights, biases, strict=True):
        rounded = {
            int(i): round(Fraction(float(row[i])) * unit) * step * scales[int(i)]
            for i in np.flatnonzero(row)
        }
        offset = sum((rounded.get(i, Fraction(0)) * s for i, s in enumerate(shift)), Fraction(0))
        functions.append(Affine(rounded, round(Fraction(float(bias)) * unit) * step - offset))
    return functions[0], functions[1], round(Fraction(level) * unit) * step


def worst_point(
    functions: Sequence[Affine], balls: Balls, ball: int, limits: Limits
) -> SparsePoint | None:
    """The point of a ball where the least of the functions is largest, found by an LP.

    Coordinates at the ball's faces are exact. None when the solver has no answer.
    """
    centre = balls.points[ball]
    used = sorted(set().union(*(function.weights for function in functions)))
    values = np.array([nearest_float(function(centre)) for function in functions])
    slopes = np.array(
        [
            [nearest_float(f.weights.get(i, Fraction(0)) * balls.budget) for i in used]
            for f in functions
        ]
    )
    size = max(float(np.abs(values).max()), float(np.abs(slopes).sum(axis=1).max()), 1e-300)
    builder = ModelBuilder()
    for _ in used:
        builder.variable(-1.0, 1.0)
    least = builder.variable(-4.0, 4.0)
    columns = np.arange(len(used) + 1)
    for value, slope in zip(values / size, slopes / size, strict=True):
        builder.row(columns, np.append(slope, -1.0), -value)
    model = builder.build({least: -1.0})
    answer = LpSolver(model).minimise(model.cost, limits)
    if answer.status is not Status.OPTIMAL or answer.x is None:
        return None
    moved = dict(centre)
    for index, step in zip(used, answer.x.tolist(), strict=False):
        moved[index] = moved.get(index, Fraction(0)) + balls.budget * _step(step)
    return tuple((index, value) for index, value in sorted(moved.items()) if value)


def _step(step: float) -> Fraction:
    """A step of [-1, 1]: exact at the ends and at 0, else short."""
    for end in (-1, 0, 1):
        if abs(step - end) < _NEAR_FACE:
            return Fraction(end)
    return min(max(Fraction(round(step * 2**24), 2**24), Fraction(-1)), Fraction(1))


def _rounded(weights: np.ndarray, bits: int) -> dict[int, Fraction]:
    size = float(np.abs(weights).max(initial=0.0))
    if size == 0:
        return {}
    unit = 2.0**bits / size
    scaled = {int(i): Fraction(round(float(weights[i]) * unit)) for i in np.flatnonzero(weights)}
    return {index: value / 2**bits for index, value in scaled.items() if value}


def _short_near(wish: Fraction, gap: Fraction) -> Fraction:
    """A dyadic number of few bits within gap / 64 of ``wish``."""
    bits = 6 + gap.denominator.bit_length() - gap.numerator.bit_length()
    unit = Fraction(2) ** bits
    return Fraction(round(wish * unit)) / unit
