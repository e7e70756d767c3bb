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
from relucert.memorization.decision.alone_lp import AloneLp, Blocked, Separated
from relucert.memorization.decision.balls import Balls, SparsePoint
from relucert.memorization.decision.conflicts import AloneConflict, alone_system

__all__ = ["Doubt", "Side"]


class Doubt(Exception):
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
        self._alone: AloneLp | None = None

    def add_points(self, found: list[tuple[int, SparsePoint]]) -> None:
        """More points of the balls outside, as (ball, point)."""
        self.points += found
        rows = [sp.csr_array(self.balls.coordinates.of(point)[None, :]) for _, point in found]
        self.outside_matrix = sp.csr_array(sp.vstack([self.outside_matrix, *rows]))
        self._alone = None

    def alone(self, excluded: Collection[int], beyond: Collection[int] = ()) -> Separated | Blocked:
        """Ask the linear programme of one half-space."""
        self.solved += 1
        if self._alone is None:
            coordinates = self.balls.coordinates
            reference = coordinates.of(self.balls.points[self.reference])
            self._alone = AloneLp(
                self.inside_matrix, self.outside_matrix, reference, coordinates.radius
            )
        return self._alone.solve(excluded, beyond, self.limits)

    def disjoint_conflicts(
        self, excluded: Collection[int], beyond: Collection[int] = ()
    ) -> Iterator[AloneConflict]:
        """Minimal conflicts without common points, until the rest can be excluded."""
        left, aside = set(excluded), set(beyond)
        while left:
            answer = self.alone(sorted(left), sorted(aside))
            if isinstance(answer, Separated):
                return
            conflict = self._exact(self._minimal(answer, bool(beyond)))
            if not conflict.beyond:
                self.conflicts.append(conflict)
            yield conflict
            used = {*conflict.excluded, *conflict.beyond}
            left -= used
            aside -= used

    def _minimal(self, blocked: Blocked, weaken: bool) -> Blocked:
        """Leave out one atom after the other; ``weaken``: c_j to g_j where that is enough."""
        for kind in ("excluded", "beyond"):
            for index in sorted(getattr(blocked, kind)):
                excluded, beyond = set(blocked.excluded), set(blocked.beyond)
                if index not in (excluded if kind == "excluded" else beyond):
                    continue
                if weaken and kind == "excluded":
                    beyond |= excluded
                (excluded if kind == "excluded" else beyond).discard(index)
                if not excluded:
                    continue
                answer = self.alone(sorted(excluded), sorted(beyond))
                if isinstance(answer, Blocked):
                    blocked = answer
        return blocked

    def _exact(self, blocked: Blocked) -> AloneConflict:
        points = self.balls.points
        inside = {self.inside[row]: value for row, value in blocked.inside.items()}
        system = alone_system(
            [(index, points[index]) for index in inside],
            [(index, self.points[index][1]) for index in blocked.excluded],
            [(index, self.points[index][1]) for index in blocked.beyond],
            points[self.reference],
            self.balls.budget,
        )
        hint = {("inside", index): value for index, value in inside.items()}
        hint |= {("excluded", index): value for index, value in blocked.excluded.items()}
        hint |= {("beyond", index): value for index, value in blocked.beyond.items()}
        exact = system.exact_solution(hint)
        if exact is None:
            raise Doubt
        return AloneConflict(*(_part(exact, kind) for kind in ("inside", "excluded", "beyond")))


def _part(values: dict, kind: str) -> dict[int, Fraction]:
    return {key[1]: value for key, value in values.items() if key[0] == kind and value}


def _central(inside: tuple[int, ...], kept: sp.csr_array, outside: sp.csr_array) -> int:
    """The inside point with the least sum of l_1 distances to the points outside."""
    target = np.median(outside.toarray(), axis=0) if outside.shape[0] else 0.0
    distances = np.abs(kept.toarray() - target).sum(axis=1)
    return inside[int(np.argmin(distances))]
