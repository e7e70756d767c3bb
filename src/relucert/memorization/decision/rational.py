"""From a solver's float solution of a small linear system to an exact one.

Three attempts, each confirmed exactly: the nearest simple fractions; the equations that the
float solution satisfies tightly, solved by rational elimination; rational simplex.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from fractions import Fraction
from typing import TypeAlias

from relucert.lp.exact import Infeasible, feasible_point

__all__ = ["LinearSystem"]

Key: TypeAlias = Hashable
Row: TypeAlias = dict
_DENOMINATORS = (60, 5040)
_SIMPLE = 10**9
_TIGHT = 1e-6
_SIMPLEX_ENTRIES = 20_000
_ZERO = Fraction(0)


class LinearSystem:
    """Unknowns >= 0, named by keys, with linear equations and ``<=`` inequalities."""

    def __init__(self) -> None:
        self.equations: list[tuple[Row, Fraction]] = []
        self.inequalities: list[tuple[Row, Fraction]] = []

    def equal(self, row: Mapping, value: Fraction) -> None:
        """Add ``row = value``."""
        self.equations.append((dict(row), value))

    def absolute(self, row: Mapping, bound: Mapping, constant: Fraction) -> None:
        """Add ``|row| <= bound + constant``."""
        if constant == 0 and not any(bound.values()):
            self.equations.append((dict(row), _ZERO))
            return
        for sign in (1, -1):
            own = {key: sign * value for key, value in row.items()}
            for key, value in bound.items():
                own[key] = own.get(key, _ZERO) - value
            self.inequalities.append((own, constant))

    def satisfied(self, values: Mapping) -> bool:
        """Whether exact values of the unknowns satisfy everything."""
        return (
            all(value >= 0 for value in values.values())
            and all(_sum(row, values) == value for row, value in self.equations)
            and all(_sum(row, values) <= value for row, value in self.inequalities)
        )

    def exact_solution(self, hint: Mapping) -> dict | None:
        """Exact values near the float ``hint`` (whose keys are the unknowns), or None."""
        for limit in _DENOMINATORS:
            simple = {key: Fraction(value).limit_denominator(limit) for key, value in hint.items()}
            if self.satisfied(simple):
                return simple
        solved = self._eliminated(hint)
        if solved is not None and self.satisfied(solved):
            return solved
        return self._by_simplex(hint)

    def _eliminated(self, hint: Mapping) -> dict | None:
        """Solve the equations and the tight inequalities; free unknowns keep their hint."""
        rows = [(dict(row), value) for row, value in self.equations]
        for row, value in self.inequalities:
            total = sum(float(factor) * hint[key] for key, factor in row.items())
            if abs(total - float(value)) <= _TIGHT * (1.0 + abs(float(value))):
                rows.append((dict(row), value))
        pivots: list[tuple[Key, Row, Fraction]] = []
        for start, start_value in rows:
            row, value = dict(start), start_value
            for key, pivot_row, pivot_value in pivots:
                factor = row.get(key)
                if factor:
                    _subtract(row, factor, pivot_row)
                    value -= factor * pivot_value
            row = {key: factor for key, factor in row.items() if factor}
            if not row:
                continue
            key = max(row, key=lambda k: (hint[k] > 0, hint[k]))
            inverse = 1 / row[key]
            pivots.append((key, {k: f * inverse for k, f in row.items()}, value * inverse))
        return self._substituted(hint, pivots)

    @staticmethod
    def _substituted(hint: Mapping, pivots: Sequence[tuple[Key, Row, Fraction]]) -> dict:
        leading = {key for key, _, _ in pivots}
        values = {
            key: Fraction(value).limit_denominator(_SIMPLE)
            for key, value in hint.items()
            if key not in leading
        }
        for key, row, value in reversed(pivots):
            rest = (factor * values[k] for k, factor in row.items() if k != key)
            values[key] = value - sum(rest, _ZERO)
        return values

    def _by_simplex(self, hint: Mapping) -> dict | None:
        keys = list(hint)
        rows, limits = [], []
        for row, value in self.equations:
            for sign in (1, -1):
                rows.append([sign * row.get(key, _ZERO) for key in keys])
                limits.append(sign * value)
        for row, value in self.inequalities:
            rows.append([row.get(key, _ZERO) for key in keys])
            limits.append(value)
        if len(rows) * len(keys) > _SIMPLEX_ENTRIES:
            return None
        upper = [Fraction(2 * int(hint[key]) + 2) for key in keys]
        point = feasible_point([_ZERO] * len(keys), upper, rows, limits)
        if isinstance(point, Infeasible):
            return None
        values = dict(zip(keys, point, strict=True))
        return values if self.satisfied(values) else None


def _sum(row: Mapping, values: Mapping) -> Fraction:
    return sum((factor * values[key] for key, factor in row.items()), _ZERO)


def _subtract(row: Row, factor: Fraction, other: Row) -> None:
    for key, value in other.items():
        row[key] = row.get(key, _ZERO) - factor * value
