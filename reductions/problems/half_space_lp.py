"""Do half-spaces on given sides of given balls exist? A linear programme, and an exact "no".

Two systems of strict inequalities: one half-space ``h(x) = <w, x> + b``, or the three of a
bevel, ``h1 = c - z1``, ``h2 = c - z2``, ``h3 = c - z1 - z2`` with c > 0. A row asks for
``side * h_j > 0`` on the closed l_inf ball around a point: ``side * h_j(x) > r ||w_j||_1``.
The systems are homogeneous, so the unit box for weights is no restriction.

Motzkin's alternative: the system has no solution iff some multipliers ``y >= 0``, not all 0,
turn the rows into a combination that is never positive. They come from the programme's dual,
are rounded to rationals and then checked exactly; only checked ones are returned.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from reductions.errors import EnumerationError

__all__ = ["Location", "Row", "Separation", "is_contradiction", "separate"]

_FEASIBLE = 1e-6
_SIGNIFICANT = 1e-7
_DENOMINATORS = (60, 5040, 10**6, 10**9)
_GRID = 2.0**24
_KEPT_MARGIN = 0.1

_MEMBERS = ((0,), (1,), (0, 1))
"""Half-space j of a bevel is c minus the sum of these z_k."""


@dataclass(frozen=True, eq=False)
class Location:
    """A point, exactly and rounded."""

    exact: tuple[Fraction, ...]
    rounded: np.ndarray


@dataclass(frozen=True, eq=False)
class Row:
    """``side * h_j > 0`` on the ball of ``radius`` around ``location``; side is -1 or +1.

    outside: the index of the point among those to be excluded, -1 for a point to be kept.
    """

    half_space: int
    side: int
    location: Location
    radius: Fraction
    outside: int = -1


@dataclass(frozen=True, eq=False)
class Separation:
    """The functions found: h (one row), or z1 and z2 (two rows) with the level c."""

    weights: np.ndarray
    biases: np.ndarray
    level: float = 0.0


def separate(
    rows: Sequence[Row], dimension: int, *, bevel: bool, rng: random.Random | None = None
) -> Separation | tuple[Row, ...]:
    """Functions that satisfy the rows up to rounding, or rows that exactly contradict each other.

    With ``bevel`` false all rows speak of one half-space, whatever their number says. With
    ``rng`` the functions are not those of the largest margin but extreme in a random direction.
    Raises EnumerationError when rounding hides whether there is a solution.
    """
    system = _System(dimension, bevel)
    margin, values, multipliers = system.largest_margin(rows)
    if margin > _FEASIBLE:
        if rng is not None:
            values = system.extreme(rows, margin * _KEPT_MARGIN, rng)
        return system.separation(values)
    support = _rational_support(rows, multipliers, bevel)
    if support is None and any(row.radius for row in rows):
        # Centres without balls may contradict each other already, with simpler multipliers.
        centres = [Row(r.half_space, r.side, r.location, Fraction(0), r.outside) for r in rows]
        found = separate(centres, dimension, bevel=bevel)
        support = None if isinstance(found, Separation) else found
    if support is None:
        raise EnumerationError("the margins are too narrow to be decided by enumeration")
    return support


@dataclass(frozen=True)
class _System:
    """The linear programme: weights as p - q with p, q >= 0, so that norms are sums.

    One half-space: (p, q, b). Bevel: (p1, q1, p2, q2, p3, q3, b1, b2, c), where p3 - q3 is the
    sum of the weights of z1 and z2.
    """

    dimension: int
    bevel: bool

    @property
    def _constants(self) -> int:
        """The column of the first bias."""
        return 2 * self.dimension * (3 if self.bevel else 1)

    @property
    def _columns(self) -> int:
        return self._constants + (3 if self.bevel else 1)

    def largest_margin(self, rows: Sequence[Row]) -> tuple[float, np.ndarray, np.ndarray]:
        """Maximise eps with every row at least eps: eps, the variables, a multiplier a row."""
        cost = np.zeros(self._columns + 1)
        cost[-1] = -1.0
        return self._solve(rows, cost, (None, 1.0))

    def extreme(self, rows: Sequence[Row], margin: float, rng: random.Random) -> np.ndarray:
        """Variables with every row at least ``margin``, optimal for a random linear function."""
        cost = np.array([rng.uniform(-1.0, 1.0) for _ in range(self._columns)] + [0.0])
        return self._solve(rows, cost, (margin, 1.0))[1]

    def _solve(
        self, rows: Sequence[Row], cost: np.ndarray, margins: tuple[float | None, float]
    ) -> tuple[float, np.ndarray, np.ndarray]:
        from scipy.optimize import linprog

        matrix = np.zeros((len(rows) + self.bevel, self._columns + 1))
        for index, row in enumerate(rows):
            self._fill(matrix[index], row)
        if self.bevel:
            matrix[-1, self._columns - 1] = 1.0
        matrix[:, -1] = -1.0
        result = linprog(
            cost,
            A_ub=-matrix,
            b_ub=np.zeros(len(matrix)),
            A_eq=self._tie(),
            b_eq=np.zeros(self.dimension) if self.bevel else None,
            bounds=[*self._bounds(), margins],
            method="highs-ds",
        )
        if result.status != 0:
            raise EnumerationError(f"the linear programme failed: {result.message}")
        multipliers = -np.asarray(result.ineqlin.marginals)[: len(rows)]
        return float(result.x[-1]), np.asarray(result.x[:-1]), multipliers

    def _fill(self, target: np.ndarray, row: Row) -> None:
        size, start = self.dimension, self._constants
        point, radius = row.location.rounded, float(row.radius)
        own = row.half_space if self.bevel else 0
        norm = slice(2 * size * own, 2 * size * (own + 1))
        if self.bevel:
            target[start + 2] = row.side
            for k in _MEMBERS[own]:
                target[2 * size * k : 2 * size * k + size] = -row.side * point
                target[2 * size * k + size : 2 * size * (k + 1)] = row.side * point
                target[start + k] = -row.side
        else:
            target[:size] = row.side * point
            target[size : 2 * size] = -row.side * point
            target[start] = row.side
        target[norm] -= radius

    def _tie(self) -> np.ndarray | None:
        if not self.bevel:
            return None
        one = np.eye(self.dimension)
        rest = np.zeros((self.dimension, 4))
        return np.hstack([one, -one, one, -one, -one, one, rest])

    def _bounds(self) -> list[tuple[float | None, float]]:
        free: list[tuple[float | None, float]] = [(0.0, 1.0)] * self._constants
        if self.bevel:
            free[4 * self.dimension :] = [(0.0, 2.0)] * (2 * self.dimension)
        return [*free, *[(-1.0, 1.0)] * (self._columns - self._constants)]

    def separation(self, values: np.ndarray) -> Separation:
        """The functions, rounded to a grid on which their sums and differences are exact."""
        size, functions = self.dimension, 2 if self.bevel else 1
        parts = values[: 2 * size * functions].reshape(functions, 2, size)
        weights = np.round((parts[:, 0] - parts[:, 1]) * _GRID) / _GRID
        constants = np.round(values[self._constants :] * _GRID) / _GRID
        return Separation(weights, constants[:functions], float(constants[-1]))


def _rational_support(
    rows: Sequence[Row], multipliers: np.ndarray, bevel: bool
) -> tuple[Row, ...] | None:
    """The rows of a contradiction, checked exactly with rationals near ``multipliers``."""
    largest = float(multipliers.max(initial=0.0))
    if largest <= 0.0:
        return None
    scaled = multipliers / largest
    for denominator in _DENOMINATORS:
        rational = [
            Fraction(float(value)).limit_denominator(denominator)
            if value > _SIGNIFICANT
            else Fraction(0)
            for value in scaled
        ]
        if is_contradiction(rows, rational, bevel=bevel):
            return tuple(row for row, value in zip(rows, rational, strict=True) if value)
    return None


def is_contradiction(rows: Sequence[Row], multipliers: Sequence[Fraction], *, bevel: bool) -> bool:
    """Whether the rows with these multipliers add up to something that is never positive.

    For a bevel the multiplier of the row c > 0 is the one that cancels c. What remains is
    ``<d1, w1> + <d2, w2> - R1 ||w1||_1 - R2 ||w2||_1 - R3 ||w1 + w2||_1``, never positive iff in
    every coordinate d1 = e1 + e3 and d2 = e2 + e3 with |e_j| <= R_j; for one half-space it is
    ``<d, w> - R ||w||_1``, never positive iff |d| <= R everywhere.
    """
    if any(value < 0 for value in multipliers) or not any(multipliers):
        return False
    used = [(row, value) for row, value in zip(rows, multipliers, strict=True) if value]
    members = _MEMBERS if bevel else ((0,), (0,), (0,))
    functions, sign = (2, -1) if bevel else (1, 1)
    dimension = len(used[0][0].location.exact)
    biases = [Fraction(0)] * functions
    slopes = [[Fraction(0)] * dimension for _ in range(functions)]
    radii, level = [Fraction(0)] * 3, Fraction(0)
    for row, value in used:
        signed = row.side * value
        level += signed
        radii[row.half_space if bevel else 0] += value * row.radius
        for k in members[row.half_space]:
            biases[k] += signed
            for index, coordinate in enumerate(row.location.exact):
                if coordinate:
                    slopes[k][index] += sign * signed * coordinate
    if any(biases):
        return False
    if not bevel:
        return all(abs(slope) <= radii[0] for slope in slopes[0])
    return level <= 0 and all(
        max(d1 - radii[0], d2 - radii[1], -radii[2]) <= min(d1 + radii[0], d2 + radii[1], radii[2])
        for d1, d2 in zip(*slopes, strict=True)
    )
