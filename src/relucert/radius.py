"""The robustness radius of a labelled point, as an exact rational bracket.

The radius is the smallest l_inf perturbation that makes the label lose (a tie counts as lost).
The upper end always has a witness that was evaluated exactly; the lower end is proved by linear
bounds, or by MILP (with the solver's tolerance) where that reaches further.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from relucert.bounds.backward import Relaxation, bound_network
from relucert.bounds.interval import Intervals
from relucert.bounds.unsafe import open_parts
from relucert.errors import SolverError
from relucert.exact import float_above, float_below, nearest_float
from relucert.limits import Limits
from relucert.milp.pulp_model import check_solver
from relucert.milp.smallest_ball import Nearest, nearest_unsafe
from relucert.milp.tighten import tighten
from relucert.network import Network
from relucert.query import Case, Decision, Polyhedron, Query, robustness_query
from relucert.radius_bracket import RadiusBracket
from relucert.search.attack import Attack, attack_case
from relucert.verdict import Method, Reason, Witness

__all__ = ["RadiusBracket", "robustness_radius"]

_LARGEST = Fraction(2**20)
_BISECTIONS = 12
_ATTACK_SECONDS = 0.5
_ATTACK_ROUNDS = 4
_TIGHTEN_SHARE = 0.2
_PUSHES = (0.0, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2)

Progress = Callable[[str], None]


def robustness_radius(
    network: Network,
    point: Sequence[Fraction],
    label: int,
    decision: Decision,
    *,
    clip: tuple[Fraction, Fraction] | None = None,
    timeout: float = math.inf,
    solver: str = "HiGHS",
    threads: int = 1,
    memory: float = math.inf,
    seed: int = 0,
    progress: Progress | None = None,
) -> RadiusBracket:
    """Bracket the smallest perturbation of ``point`` that changes ``label``.

    point: (inputs,) rationals. clip: perturbed inputs stay within [low, high]. timeout: seconds.
    Raises QueryError for a label out of range or a point outside the clip range.
    """
    check_solver(solver)
    limits = Limits(timeout, memory, threads)
    search = _Search(network, tuple(point), label, decision, clip, limits, seed)
    search.query(Fraction(0)).fits(network.input_size, network.output_size)
    search.look_at_the_point()
    if search.upper == 0:
        return search.bracket(None)
    search.find_a_witness()
    search.prove_by_bounds()
    if search.upper is None:
        return search.bracket(Reason.TIME if limits.out_of_time else Reason.ENGINE)
    reason = search.close_by_mip(solver, progress)
    return search.bracket(reason)


@dataclass(frozen=True, eq=False)
class _Ball:
    """A ball around the point with bounds on every layer."""

    radius: Fraction
    box: Intervals
    chain: list[Relaxation]


class _Search:
    """The bracket while it shrinks."""

    def __init__(
        self,
        network: Network,
        point: tuple[Fraction, ...],
        label: int,
        decision: Decision,
        clip: tuple[Fraction, Fraction] | None,
        limits: Limits,
        seed: int,
    ) -> None:
        self.network, self.point, self.label = network, point, label
        self.decision, self.clip, self.limits, self.seed = decision, clip, limits, seed
        self.wrong = decision.wrong_outputs(label)
        self.lower = Fraction(0)
        self.upper: Fraction | None = None
        self.method = Method.BOUNDS
        self.witness: Witness | None = None

    def query(self, radius: Fraction) -> Query:
        return robustness_query(
            self.point, self.label, self.decision, radius=radius, clip=self.clip
        )

    def bracket(self, reason: Reason | None) -> RadiusBracket:
        found = RadiusBracket(self.lower, self.upper, self.method, self.witness)
        return found if found.closed else replace(found, reason=reason or Reason.MARGIN)

    def look_at_the_point(self) -> None:
        """A point that is already misclassified has radius zero."""
        self._record(self.point)

    def find_a_witness(self) -> None:
        """Attack balls of growing radius, then shrink the witness that was found."""
        largest = self._largest()
        radius = min(Fraction(1, 64), largest)
        while self.upper is None and not self.limits.out_of_time:
            self._attack(radius, None)
            if radius >= largest:
                break
            radius = min(2 * radius, largest)
        self._shrink_along_segment()
        for _ in range(_BISECTIONS):
            before = self.upper
            if before is None or before == 0 or self.limits.out_of_time:
                return
            self._attack(before * Fraction(15, 16), self.witness)
            self._shrink_along_segment()
            if self.upper == before:
                return

    def prove_by_bounds(self) -> None:
        """Bisect for the largest ball that linear bounds prove."""
        high = self.upper if self.upper is not None else self._largest()
        low = Fraction(0)
        for _ in range(_BISECTIONS):
            if self.limits.out_of_time:
                break
            middle = Fraction(float_below((low + high) / 2))
            if self._proved(middle):
                low = middle
            else:
                high = middle
        self.lower = max(self.lower, low)

    def close_by_mip(self, solver: str, progress: Progress | None) -> Reason | None:
        """Raise the lower end by one MILP per unsafe set; returns why one was left open."""
        reason: Reason | None = None
        reached: list[Fraction] = []
        ball = self._bounded_ball()
        for index, part in enumerate(self.wrong):
            if self._known_upper() < ball.radius * Fraction(9, 10):
                ball = self._bounded_ball()
            if not open_parts(ball.chain, ball.box, (part,)):
                continue
            if self.limits.out_of_time:
                reached.append(Fraction(0))
                reason = Reason.TIME
                continue
            if progress is not None:
                progress(f"nearest input of unsafe set {index + 1} of {len(self.wrong)}")
            try:
                nearest = self._nearest(ball, part, solver)
            except SolverError:
                reached.append(Fraction(0))
                reason = Reason.NUMERICS
                continue
            reached.append(Fraction(nearest.lower))
            if nearest.x is not None:
                self._confirm_near(nearest.x)
            if not nearest.finished:
                reason = Reason.TIME if self.limits.out_of_time else Reason.SOLVER
        proven = min([*reached, self._known_upper()])
        if proven > self.lower:
            self.lower, self.method = proven, Method.MILP
        return reason

    def _bounded_ball(self) -> _Ball:
        """The ball up to the nearest witness, with bounds as tight as a share of the time buys."""
        radius = self._known_upper()
        box = Intervals(*self.query(radius).cases[0].box.enclosing_floats)
        share = self.limits.within(_TIGHTEN_SHARE * self.limits.remaining)
        chain = tighten(self.network, box, bound_network(self.network, box), share)
        return _Ball(radius, box, chain)

    def _nearest(self, ball: _Ball, part: Polyhedron, solver: str) -> Nearest:
        centre = Intervals(
            np.array([float_below(value) for value in self.point]),
            np.array([float_above(value) for value in self.point]),
        )
        start = None
        if self.witness is not None and part.contains(self.witness.output):
            start = np.array([nearest_float(value) for value in self.witness.input])
        cutoff = float_above(self._known_upper())
        return nearest_unsafe(
            ball.chain, ball.box, centre, part, cutoff, self.limits, solver=solver, start=start
        )

    def _known_upper(self) -> Fraction:
        if self.upper is None:
            raise RuntimeError("no witness is known yet")
        return self.upper

    def _largest(self) -> Fraction:
        return _LARGEST if self.clip is None else self.clip[1] - self.clip[0]

    def _proved(self, radius: Fraction) -> bool:
        case = self.query(radius).cases[0]
        box = Intervals(*case.box.enclosing_floats)
        return not open_parts(bound_network(self.network, box), box, case.unsafe)

    def _attack(self, radius: Fraction, near: Witness | None) -> None:
        query = self.query(radius)
        starts = None
        if near is not None:
            starts = np.array([[nearest_float(value) for value in near.input]])
        attack = Attack(seconds=_ATTACK_SECONDS, rounds=_ATTACK_ROUNDS, seed=self.seed)
        case: Case = query.cases[0]
        found = attack_case(self.network, query, case, attack, self.limits, starts).violated
        if found is not None:
            self._record(found.witness.input)

    def _confirm_near(self, x: np.ndarray) -> None:
        """Push the solver's point outward, a little more each time, until it really is unsafe."""
        centre = np.array([nearest_float(value) for value in self.point])
        for push in _PUSHES:
            if self._record(self._rational(centre + (x - centre) * (1.0 + push))):
                self._shrink_along_segment()
                return

    def _shrink_along_segment(self) -> None:
        """Pull the witness towards the point while it stays unsafe (exactly checked)."""
        if self.witness is None:
            return
        far = np.array([nearest_float(value) for value in self.witness.input])
        centre = np.array([nearest_float(value) for value in self.point])
        low, high = 0.0, 1.0
        for _ in range(_BISECTIONS):
            middle = 0.5 * (low + high)
            if self._record(self._rational(centre + (far - centre) * middle)):
                high = middle
            else:
                low = middle

    def _rational(self, x: np.ndarray) -> tuple[Fraction, ...]:
        values = [Fraction(repr(float(value))) for value in x]
        if self.clip is not None:
            low, high = self.clip
            values = [min(max(value, low), high) for value in values]
        return tuple(values)

    def _record(self, x: tuple[Fraction, ...]) -> bool:
        """Keep ``x`` when its exact output is unsafe and it is the nearest so far."""
        distance = max(
            (abs(a - b) for a, b in zip(x, self.point, strict=True)), default=Fraction(0)
        )
        if self.upper is not None and distance >= self.upper:
            return False
        output = self.network.evaluate_exactly(x)
        if not any(part.contains(output) for part in self.wrong):
            return False
        self.upper, self.witness = distance, Witness(x, output)
        return True
