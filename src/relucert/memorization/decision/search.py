"""Conflict-driven clause learning over linear programmes, for one wedge or bevel.

A SAT solver proposes which half-space excludes which point; linear programmes refute proposals
by minimal conflicts, each confirmed in rationals, which become clauses. A proposal that survives
gives a network; balls outside that it cuts short give points that must be excluded, too, and the
search goes on. Conflicts of single half-spaces come first; the three of a bevel are put together
only when each alone is possible (docs/theory.md, sections 2 and 4).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

import numpy as np
import scipy.sparse as sp

from relucert.memorization.decision.answers import Unknown, Yes
from relucert.memorization.decision.balls import SparsePoint
from relucert.memorization.decision.conflicts import Conflict, TiedConflict, tied_system
from relucert.memorization.decision.construct import (
    GRIDS,
    Affine,
    bevel_functions,
    bevel_network,
    half_space,
    wedge_network,
    worst_point,
)
from relucert.memorization.decision.networks import Failure, smallest_margin
from relucert.memorization.decision.shape_sat import ShapeSat
from relucert.memorization.decision.side import DoubtError, Side
from relucert.memorization.decision.tied_lp import Bevel, TiedBlocked, TiedLp
from relucert.network import Network
from relucert.verdict import Reason

__all__ = ["Refutation", "search_shape"]

Progress = Callable[[str], None]
Functions: TypeAlias = tuple[Affine, ...]
Build: TypeAlias = Callable[[int], tuple[Network, Functions] | None]
_MOST_POINTS_A_BALL = 200


@dataclass(frozen=True)
class Refutation:
    """Why no network has this shape: conflicts over points, and a DRUP proof over their clauses."""

    kind: str
    label: int
    reference: int
    points: tuple[tuple[int, SparsePoint], ...]
    conflicts: tuple[Conflict, ...]
    proof: tuple[str, ...]


def search_shape(
    side: Side, kind: str, progress: Progress | None = None
) -> Yes | Refutation | Unknown:
    """Decide whether a network of this shape ("wedge" or "bevel") memorizes the balls.

    Raises SolverError when a solver fails.
    """
    sat = ShapeSat(kind, len(side.points))
    try:
        return _Search(side, kind, sat, progress).run()
    except DoubtError:
        return Unknown(Reason.NUMERICS, f"{kind}: a conflict could not be confirmed exactly")
    finally:
        sat.close()


class _Search:
    def __init__(self, side: Side, kind: str, sat: ShapeSat, progress: Progress | None) -> None:
        self.side, self.kind, self.sat, self.progress = side, kind, sat, progress
        self.name = f"{kind} around label {side.label:+d}"
        self.conflicts: list[Conflict] = []
        self._tied: TiedLp | None = None
        for conflict in side.conflicts:
            self._learn(conflict)

    def run(self) -> Yes | Refutation | Unknown:
        limits = self.side.limits
        for conflict in self.side.disjoint_conflicts(range(len(self.side.points))):
            self._learn(conflict)
        while True:
            if limits.out_of_time:
                return Unknown(Reason.TIME, self.name)
            if limits.out_of_memory:
                return Unknown(Reason.MEMORY, self.name)
            proposal = self.sat.propose(limits)
            if proposal is None:
                return self._refutation()
            if not proposal:
                return Unknown(Reason.TIME, self.name)
            self._report()
            if self._refuted(proposal):
                continue
            answer = self._realised(proposal)
            if answer is not None:
                return answer

    def _report(self) -> None:
        if self.progress is not None:
            self.progress(
                f"{self.name}: {len(self.conflicts)} conflicts, {self.side.solved} programmes, "
                f"{len(self.side.points)} points outside"
            )

    def _learn(self, conflict: Conflict) -> None:
        self.conflicts.append(conflict)
        self.sat.learn(conflict)

    def _refutation(self) -> Refutation | Unknown:
        side = self.side
        proof = self.sat.proof(side.limits)
        if proof is None:
            return Unknown(Reason.TIME, f"{self.name}: while the proof was written")
        return Refutation(
            self.kind, side.label, side.reference, tuple(side.points), tuple(self.conflicts),
            tuple(proof),
        )  # fmt: skip

    def _refuted(self, proposal: list[set[int]]) -> bool:
        """Whether some half-space alone cannot do its part; its conflicts are learned."""
        found = False
        colours = self._colours(proposal)
        for j, own in enumerate(colours):
            beyond: set[int] = set()
            if self.kind == "bevel" and j < 2:
                beyond = own | (colours[2] & proposal[4 + j])
            for conflict in self.side.disjoint_conflicts(own, beyond, j):
                self._learn(conflict)
                found = True
        return found

    def _colours(self, proposal: list[set[int]]) -> list[set[int]]:
        """Every point with the first half-space that is proposed to exclude it."""
        colours, taken = [], set[int]()
        for j in range(1, self.sat.half_spaces + 1):
            colours.append(proposal[j] - taken)
            taken |= proposal[j]
        return colours

    def _realised(self, proposal: list[set[int]]) -> Yes | Unknown | None:
        """A network for the proposal; None when a conflict or more points were learned."""
        colours = self._colours(proposal)
        if self.kind == "bevel" and self._refuted_together(colours):
            return None
        outcome, functions = None, None
        for whole in (True, False) if self.side.balls.budget else (False,):
            outcome, functions = self._attempt(colours, whole)
            if isinstance(outcome, Yes):
                return outcome
        if not isinstance(outcome, Failure) or functions is None:
            return Unknown(Reason.MARGIN, f"{self.name}: margins beyond float64 weights")
        return self._cut_off(outcome, functions)

    def _attempt(
        self, colours: Sequence[set[int]], whole: bool
    ) -> tuple[Yes | Failure | None, Functions | None]:
        """Build and check a network for whole balls or for points; the best outcome and why."""
        side = self.side
        build = self._wedge(colours, whole) if self.kind == "wedge" else self._bevel(colours, whole)
        last: tuple[Failure | None, Functions | None] = (None, None)
        for bits in GRIDS if build is not None else ():
            built = build(bits) if build is not None else None
            if built is None:
                continue
            network, functions = built
            outcome = smallest_margin(network, side.balls)
            if isinstance(outcome, Fraction):
                return Yes(network, outcome, self.name), functions
            if not set(outcome.balls) & set(side.inside):
                last = (outcome, functions)
                break
        return last

    def _wedge(self, colours: Sequence[set[int]], whole: bool) -> Build | None:
        """How to round a wedge for these colours, if the linear programmes see one."""
        side, weights, points = self.side, [], []
        for own in colours:
            members = sorted(p for p in own if not whole or p < len(side.centres))
            if members:
                widest = side.widest(members)
                if widest is None:
                    return None
                weights.append(widest)
            else:
                weights.append(np.zeros(side.balls.dimension))
            points.append([side.points[p][1] for p in members])

        def build(bits: int) -> tuple[Network, Functions] | None:
            found = []
            for own, members in zip(weights, points, strict=True):
                h = half_space(own, bits, side.balls, side.inside, members)
                if h is None:
                    return None
                found.append(h)
            network = wedge_network(found[0], found[1], side.label, side.balls.dimension)
            return network, tuple(found)

        return build

    def _bevel(self, colours: Sequence[set[int]], whole: bool) -> Build | None:
        """How to round a bevel for these colours, if the linear programme sees one."""
        side = self.side
        start = len(side.points)
        items: Sequence[set[int]] = colours
        if whole:
            items = [{start + p for p in own if p < len(side.centres)} for own in colours]
        answer = self._together(items)
        if not isinstance(answer, Bevel):
            return None

        def build(bits: int) -> tuple[Network, Functions] | None:
            z1, z2, level = bevel_functions(
                answer.weights, answer.biases, answer.level, bits, side.balls
            )
            network = bevel_network(z1, z2, level, side.label, side.balls.dimension)
            h1, h2 = z1.below(level), z2.below(level)
            return network, (h1, h2, z1.plus(z2).below(level))

        return build

    def _together(self, items: Sequence[set[int]]) -> Bevel | TiedBlocked:
        side = self.side
        side.solved += 1
        if self._tied is None:
            coordinates = side.balls.coordinates
            outside, radii = side.outside_matrix, np.zeros(len(side.points))
            if side.balls.budget:
                centres = coordinates.matrix[list(side.centres)]
                outside = sp.csr_array(sp.vstack([outside, centres]))
                radii = np.append(radii, np.full(len(side.centres), coordinates.radius))
            self._tied = TiedLp(side.inside_matrix, outside, radii, coordinates.radius)
        return self._tied.solve([sorted(members) for members in items], side.limits)

    def _refuted_together(self, colours: Sequence[set[int]]) -> bool:
        """Whether the tied half-spaces cannot exclude the points so; the conflict is learned."""
        blocked = self._together(colours)
        if isinstance(blocked, Bevel):
            return False
        kept = [set(members) for members in blocked.excluded]
        candidates = [(j, index) for j, members in enumerate(kept) for index in sorted(members)]
        for j, index in candidates:
            if index not in kept[j]:
                continue
            fewer = [members - {index} if i == j else members for i, members in enumerate(kept)]
            if not any(fewer):
                continue
            answer = self._together(fewer)
            if isinstance(answer, TiedBlocked):
                blocked, kept = answer, [set(members) for members in answer.excluded]
        self._learn(self._exact(blocked))
        return True

    def _exact(self, blocked: TiedBlocked) -> TiedConflict:
        side = self.side
        inside = [{side.inside[row]: v for row, v in part.items()} for part in blocked.inside]
        system = tied_system(
            [[(index, side.balls.points[index]) for index in part] for part in inside],
            [[(index, side.points[index][1]) for index in part] for part in blocked.excluded],
            side.balls.budget,
        )
        hint = {("level", 0): blocked.level}
        for j in range(3):
            hint |= {(f"inside{j + 1}", index): value for index, value in inside[j].items()}
            hint |= {(f"excluded{j + 1}", i): v for i, v in blocked.excluded[j].items()}
        exact = system.exact_solution(hint)
        if exact is None:
            raise DoubtError
        parts = {
            kind: {key[1]: value for key, value in exact.items() if key[0] == kind and value}
            for kind in [f"{side}{j}" for side in ("inside", "excluded") for j in (1, 2, 3)]
        }
        return TiedConflict(
            (parts["inside1"], parts["inside2"], parts["inside3"]),
            (parts["excluded1"], parts["excluded2"], parts["excluded3"]),
            exact["level", 0],
        )

    def _cut_off(self, failure: Failure, functions: Functions) -> Unknown | None:
        """Add, for every ball cut short, a point of it that no half-space excludes."""
        side = self.side
        found = []
        for ball in failure.balls:
            point = worst_point(functions, side.balls, ball, side.limits)
            if point is not None and all(h(point) >= 0 for h in functions):
                found.append((ball, point))
        if not found:
            return Unknown(Reason.MARGIN, f"{self.name}: balls touch the network's boundary")
        if len(side.points) + len(found) > _MOST_POINTS_A_BALL * len(side.centres):
            return Unknown(Reason.MARGIN, f"{self.name}: more and more points of balls matter")
        side.add_points(found)
        self.sat.add_points(len(found))
        self._tied = None
        return None
