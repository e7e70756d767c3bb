"""Exact feasibility of small linear systems: rational simplex with Farkas certificates.

The general simplex of SMT solvers (Dutertre & de Moura 2006): every row is a variable with an
upper bound, the smallest index that violates a bound leaves the basis, the smallest that helps
enters (Bland's rule, so it ends). No tolerance anywhere. For tens of rows, not thousands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

__all__ = ["Infeasible", "feasible_point", "refutes"]

Rationals = Sequence[Fraction]
_ZERO = Fraction(0)


@dataclass(frozen=True)
class Infeasible:
    """No point satisfies the system: the rows times ``multipliers`` (>= 0) contradict the box."""

    multipliers: tuple[Fraction, ...]


def refutes(
    lower: Rationals, upper: Rationals, rows: Sequence[Rationals], limits: Rationals,
    multipliers: Rationals,
) -> bool:  # fmt: skip
    """Whether ``multipliers`` prove that no x of the box satisfies ``rows @ x <= limits``.

    They must not be negative, and the smallest value of ``multipliers @ (rows @ x - limits)``
    over the box must be positive (Farkas).
    """
    if any(value < 0 for value in multipliers):
        return False
    total = -sum((m * h for m, h in zip(multipliers, limits, strict=True)), _ZERO)
    for column, (low, high) in enumerate(zip(lower, upper, strict=True)):
        slope = sum((m * row[column] for m, row in zip(multipliers, rows, strict=True)), _ZERO)
        total += slope * (low if slope > 0 else high)
    return total > 0


def feasible_point(
    lower: Rationals, upper: Rationals, rows: Sequence[Rationals], limits: Rationals
) -> tuple[Fraction, ...] | Infeasible:
    """A point with ``lower <= x <= upper`` and ``rows @ x <= limits``, or a proof of none.

    lower, upper: (n,), lower <= upper. rows: (m, n). limits: (m,).
    """
    return _Tableau(lower, upper, rows, limits).solve()


class _Tableau:
    """Basic variables as rational combinations of nonbasic ones.

    Variables 0..n-1 are the coordinates, n..n+m-1 the rows' left-hand sides.
    """

    def __init__(
        self, lower: Rationals, upper: Rationals, rows: Sequence[Rationals], limits: Rationals
    ) -> None:
        self.size = len(lower)
        self.lower: list[Fraction | None] = [*lower, *[None] * len(rows)]
        self.upper: list[Fraction] = [*upper, *limits]
        self.value: list[Fraction] = list(lower)
        self.value += [
            sum((a * x for a, x in zip(row, lower, strict=True) if a), _ZERO) for row in rows
        ]
        self.nonbasic = list(range(self.size))
        self.basic = [self.size + index for index in range(len(rows))]
        self.table = [list(row) for row in rows]

    def solve(self) -> tuple[Fraction, ...] | Infeasible:
        while True:
            row = self._violated_row()
            if row is None:
                return tuple(self.value[: self.size])
            variable = self.basic[row]
            low = self.lower[variable]
            rising = low is not None and self.value[variable] < low
            column = self._entering(row, rising)
            if column is None:
                return self._certificate(row, rising)
            target = low if rising and low is not None else self.upper[variable]
            self._pivot(row, column, target)

    def _violated_row(self) -> int | None:
        chosen = None
        for row, variable in enumerate(self.basic):
            value, low = self.value[variable], self.lower[variable]
            outside = value > self.upper[variable] or (low is not None and value < low)
            if outside and (chosen is None or variable < self.basic[chosen]):
                chosen = row
        return chosen

    def _entering(self, row: int, rising: bool) -> int | None:
        chosen = None
        for column, variable in enumerate(self.nonbasic):
            slope = self.table[row][column]
            if slope == 0:
                continue
            grows = (slope > 0) == rising
            low = self.lower[variable]
            free = (
                self.value[variable] < self.upper[variable]
                if grows
                else low is None or self.value[variable] > low
            )
            if free and (chosen is None or variable < self.nonbasic[chosen]):
                chosen = column
        return chosen

    def _pivot(self, row: int, column: int, target: Fraction) -> None:
        """Move the basic variable of ``row`` to ``target`` and swap it with the nonbasic one."""
        leaving, entering = self.basic[row], self.nonbasic[column]
        pivot = self.table[row][column]
        step = (target - self.value[leaving]) / pivot
        self.value[leaving] = target
        self.value[entering] += step
        for other, variable in enumerate(self.basic):
            if other != row and self.table[other][column]:
                self.value[variable] += self.table[other][column] * step
        self.basic[row], self.nonbasic[column] = entering, leaving
        solved = [-entry / pivot for entry in self.table[row]]
        solved[column] = 1 / pivot
        self.table[row] = solved
        for other, entries in enumerate(self.table):
            factor = entries[column]
            if other == row or not factor:
                continue
            entries[column] = _ZERO
            self.table[other] = [
                a + factor * b if b else a for a, b in zip(entries, solved, strict=True)
            ]

    def _certificate(self, row: int, rising: bool) -> Infeasible:
        """Farkas multipliers: the row that cannot move, and the rows at their limits in it."""
        multipliers = [_ZERO] * len(self.basic)
        sign = 1 if rising else -1
        variable = self.basic[row]
        if variable >= self.size:
            multipliers[variable - self.size] = Fraction(1)
        for column, other in enumerate(self.nonbasic):
            if other >= self.size:
                multipliers[other - self.size] = sign * self.table[row][column]
        return Infeasible(tuple(multipliers))
