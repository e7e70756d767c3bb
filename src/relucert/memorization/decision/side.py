"""What is known about one side: which label is inside the convex shape, and what cannot be cut off.

Wedge and bevel of one side share the points outside, the linear programme of a half-space, and
the conflicts that hold for every half-space.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from fractions import Fraction

import numpy as np
import scipy.sparse as sp

from relucert.limits import Limits
from relucert.memorization.decision.alone_lp import AloneLp, Blocked
from relucert.memorization.decision.balls import Balls, SparsePoint
from relucert.memorization.decision.conflicts import AloneConflict, alone_system

__all__ = ["DoubtError", "Side"]


_DELETION = -1
_SMALL = 4
"""Conflicts of so few points are hardly ever made smaller by leaving one out."""


class DoubtError(Exception):
    """Rounding hides whether there is a conflict: the search cannot go on."""


class Side:
    """The points with ``label`` lie inside; those outside may be joined by more of their balls."""

    def __init__(self, balls: Balls, label: int, limits: Limits) -> None:
        self.balls, self.label, self.limits = balls, label, limits
        self.inside = balls.of_label(label)
        self.centres = balls.of_label(-label)
        self.points: list[tuple[int, SparsePoint]] = [(i, balls.points[i]) for i in self.centres]
        matrix = balls.coordinates.matrix
        self.inside_matrix = sp.csr_array(matrix[list(self.inside)])
        self.outside_matrix = sp.csr_array(matrix[list(self.centres)])
        self.reference = _central(self.inside, self.inside_matrix, self.outside_matrix)
        self.conflicts: list[AloneConflict] = []
        self.solved = 0
        self._alone: dict[Fraction, AloneLp] = {}

    def add_points(self, found: list[tuple[int, SparsePoint]]) -> None:
        """More points of the balls outside, as (ball, point)."""
        self.points += found
        rows = [sp.csr_array(self.balls.coordinates.of(point)[None, :]) for _, point in found]
        self.outside_matrix = sp.csr_array(sp.vstack([self.outside_matrix, *rows]))
        self._alone.clear()

    def widest(self, excluded: Collection[int]) -> np.ndarray | None:
        """The weights of the half-space of widest margin that excludes these points, if any."""
        self.solved += 1
        return self._programme(self.balls.budget).widest(excluded, self.limits)

    def disjoint_conflicts(
        self, excluded: Collection[int], beyond: Collection[int] = (), slot: int = 0
    ) -> Iterator[AloneConflict]:
        """Minimal conflicts without common points, as many as there are.

        Conflicts of the balls' centres come first, for their multipliers are simpler; with some
        of them found the balls themselves are not asked about.

        slot: the half-space asked about, so that its programme starts from the last answer.
        """
        left, aside = set(excluded), set(beyond)
        found = False
        for radius in dict.fromkeys((Fraction(0), self.balls.budget)):
            while left and not (found and radius):
                blocked = self._blocked(left, aside, radius, slot)
                if blocked is None:
                    break
                conflict = self._confirmed(blocked, radius, bool(beyond))
                if conflict is None and self._separable(left, aside, radius):
                    break
                if conflict is None:
                    raise DoubtError
                if not conflict.beyond:
                    self.conflicts.append(conflict)
                found = found or not radius
                yield conflict
                used = {*conflict.excluded, *conflict.beyond}
                left -= used
                aside -= used

    def _confirmed(self, blocked: Blocked, radius: Fraction, weaken: bool) -> AloneConflict | None:
        """An exact conflict, minimal if possible; None where rounding has deceived the solver."""
        if weaken or len(blocked.excluded) > _SMALL:
            conflict = self._exact(self._minimal(blocked, radius, weaken), radius)
            if conflict is not None:
                return conflict
        return self._exact(blocked, radius)

    def _separable(self, excluded: set[int], beyond: set[int], radius: Fraction) -> bool:
        self.solved += 1
        return self._programme(radius).separates(sorted(excluded), sorted(beyond), self.limits)

    def _programme(self, radius: Fraction) -> AloneLp:
        if radius not in self._alone:
            coordinates = self.balls.coordinates
            self._alone[radius] = AloneLp(
                self.inside_matrix,
                self.outside_matrix,
                coordinates.of(self.balls.points[self.reference]),
                coordinates.radius if radius else 0.0,
            )
        return self._alone[radius]

    def _blocked(
        self, excluded: set[int], beyond: set[int], radius: Fraction, slot: int
    ) -> Blocked | None:
        self.solved += 1
        programme = self._programme(radius)
        return programme.conflict(sorted(excluded), sorted(beyond), slot, self.limits)

    def _minimal(self, blocked: Blocked, radius: Fraction, weaken: bool) -> Blocked:
        """Leave out one atom after the other; ``weaken``: c_j to g_j where that is enough."""
        for kind in ("excluded", "beyond"):
            for index in sorted(getattr(blocked, kind)):
                excluded, beyond = set(blocked.excluded), set(blocked.beyond)
                if index not in (excluded if kind == "excluded" else beyond):
                    continue
                if weaken and kind == "excluded":
                    beyond |= excluded
                (excluded if kind == "excluded" else beyond).discard(index)
                if excluded:
                    blocked = self._blocked(excluded, beyond, radius, _DELETION) or blocked
        return blocked

    def _exact(self, blocked: Blocked, radius: Fraction) -> AloneConflict | None:
        points = self.balls.points
        inside = {self.inside[row]: value for row, value in blocked.inside.items()}
        system = alone_system(
            [(index, points[index]) for index in inside],
            [(index, self.points[index][1]) for index in blocked.excluded],
            [(index, self.points[index][1]) for index in blocked.beyond],
            points[self.reference],
            radius,
        )
        hint = {("inside", index): value for index, value in inside.items()}
        hint |= {("excluded", index): value for index, value in blocked.excluded.items()}
        hint |= {("beyond", index): value for index, value in blocked.beyond.items()}
        exact = system.exact_solution(hint)
        if exact is None:
            return None
        return AloneConflict(*(_part(exact, kind) for kind in ("inside", "excluded", "beyond")))


def _part(values: dict, kind: str) -> dict[int, Fraction]:
    return {key[1]: value for key, value in values.items() if key[0] == kind and value}


def _central(inside: tuple[int, ...], kept: sp.csr_array, outside: sp.csr_array) -> int:
    """The inside point nearest, in l_1, to the median of the points outside: few differences."""
    target = np.median(outside.toarray(), axis=0) if outside.shape[0] else 0.0
    distances = np.abs(kept.toarray() - target).sum(axis=1)
    return inside[int(np.argmin(distances))]
