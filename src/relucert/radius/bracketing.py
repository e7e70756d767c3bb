"""One point's bracket: a witness nearby, then proofs just below it.

Most brackets close like this: the steps of `search.nearest` end at the nearest witness or close
to it, and one proof by the search engine at 99.9 % of its distance is all that is left to do.
Where that is refuted, the counterexample is a nearer witness; where it takes too long, bisection
with shorter limits raises the lower end, and the MILP tries to close what is left (on small
networks the MILP comes first).
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
from relucert.query import Decision, Polyhedron
from relucert.radius.together import Start, starts_together
from relucert.radius.upper_end import UpperEnd
from relucert.radius_bracket import RadiusBracket
from relucert.verdict import Method, Proved, Reason, Violated
from relucert.verify import certify

__all__ = ["robustness_radius"]

_TIGHTEN_SHARE = 0.2
_BELOW = Fraction(9991, 10000)  # a proof at this share of the upper end closes the bracket
_MOST_REFUTATIONS = 40
_FIRST_SHARE, _FIRST_SECONDS = 0.4, 120.0
_STEPS, _STEP_SHARE, _STEP_SECONDS = 5, 0.2, 30.0
_FAR_APART = 2
_FEW_RELUS = 150  # up to here the MILP closes most brackets that the search leaves open

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
    start: Start | None = None,
) -> RadiusBracket:
    """Bracket the smallest perturbation of ``point`` that changes ``label``.

    point: (inputs,) rationals. clip: perturbed inputs stay within [low, high]. timeout: seconds.
    start: what `starts_together` found for this point among others; made here where not given.
    Raises QueryError for a label out of range or a point outside the clip range.
    """
    check_solver(solver)
    limits = Limits(timeout, memory, threads)
    search = _Search(network, tuple(point), label, decision, clip, limits, seed, solver, progress)
    search.query(Fraction(0)).fits(network.input_size, network.output_size)
    search.look_at_the_point()
    if search.upper == 0:
        return search.bracket(None)
    search.begin(
        start or starts_together(network, [search.point], [label], decision, clip, seed)[0]
    )
    if search.upper is None:
        search.find_a_witness()
    if search.upper is None:
        return search.bracket(search.prove_the_largest())
    search.close_from_below()
    return search.bracket(search.close_the_rest())


@dataclass(frozen=True, eq=False)
class _Ball:
    """A ball around the point with bounds on every layer."""

    radius: Fraction
    box: Intervals
    chain: list[Relaxation]


class _Search(UpperEnd):
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
        solver: str,
        progress: Progress | None,
    ) -> None:
        super().__init__(network, point, label, decision, clip, limits, seed)
        self.solver, self.progress = solver, progress
        self.lower = Fraction(0)
        self.method = Method.BOUNDS

    def bracket(self, reason: Reason | None) -> RadiusBracket:
        found = RadiusBracket(self.lower, self.upper, self.method, self.witness)
        return found if found.closed else replace(found, reason=reason or Reason.MARGIN)

    @property
    def closed(self) -> bool:
        return self.bracket(None).closed

    def begin(self, start: Start) -> None:
        """Take over what was found together with other points; the witness is checked exactly."""
        self.lower = start.proved
        if start.candidate is not None:
            self.confirm_near(start.candidate)

    def prove_the_largest(self) -> Reason:
        """Without a witness: try to prove the whole range of inputs; returns why it stays open."""
        largest = self.largest()
        if self.clip is not None and not self.limits.out_of_time:
            self._decide(largest, self.limits.remaining)
        return Reason.TIME if self.limits.out_of_time else Reason.ENGINE

    def close_from_below(self) -> None:
        """Prove the ball just below the nearest witness; each refutation brings a nearer one."""
        for _ in range(_MOST_REFUTATIONS):
            radius = self.known_upper() * _BELOW
            if self.closed or self.limits.out_of_time:
                return
            share = min(_FIRST_SECONDS, _FIRST_SHARE * self.limits.remaining)
            if self._decide(Fraction(float_below(radius)), share) is None:
                return

    def close_the_rest(self) -> Reason | None:
        """MILP, and proofs of smaller balls; first what promises more for the network's size."""
        small = self.network.relu_count <= _FEW_RELUS
        reason = self.close_by_mip() if small and not self.closed else None
        if not self.closed:
            self.bisect()
        if not small and not self.closed:
            reason = self.close_by_mip()
        return reason

    def bisect(self) -> None:
        """Raise the lower end by proofs in shorter times, nearer where one is not found."""
        high = self.known_upper()
        for _ in range(_STEPS):
            if self.limits.out_of_time or self.closed:
                return
            high = min(high, self.known_upper())
            middle = Fraction(float_below(_between(self.lower, high)))
            share = min(_STEP_SECONDS, _STEP_SHARE * self.limits.remaining)
            if middle <= self.lower:
                return
            if self._decide(middle, share) is None:
                high = middle

    def _decide(self, radius: Fraction, seconds: float) -> bool | None:
        """Ask the engine about a ball and move the end that its answer moves; None: no answer."""
        if radius <= self.lower:
            return True
        verdict = certify(
            self.network, self.query(radius), timeout=max(seconds, 0.01), solver=self.solver,
            threads=self.limits.threads, memory=self.limits.memory, seed=self.seed,
            check=False, progress=self.progress,
        ).verdict  # fmt: skip
        if isinstance(verdict, Proved):
            self.lower, self.method = radius, _weaker(self.method, verdict.method)
            return True
        if isinstance(verdict, Violated):
            self.record(verdict.witness.input)
            self.settle()
            return False
        return None

    def close_by_mip(self) -> Reason | None:
        """Raise the lower end by one MILP per unsafe set; returns why one was left open."""
        reason: Reason | None = None
        reached: list[Fraction] = []
        ball = self._bounded_ball()
        for index, part in enumerate(self.wrong):
            if self.known_upper() < ball.radius * Fraction(9, 10):
                ball = self._bounded_ball()
            if not open_parts(ball.chain, ball.box, (part,)):
                continue
            if self.limits.out_of_time:
                reached.append(Fraction(0))
                reason = Reason.TIME
                continue
            if self.progress is not None:
                self.progress(f"nearest input of unsafe set {index + 1} of {len(self.wrong)}")
            try:
                nearest = self._nearest(ball, part)
            except SolverError:
                reached.append(Fraction(0))
                reason = Reason.NUMERICS
                continue
            reached.append(Fraction(nearest.lower))
            if nearest.x is not None:
                self.confirm_near(nearest.x)
            if not nearest.finished:
                reason = Reason.TIME if self.limits.out_of_time else Reason.SOLVER
        proven = min([*reached, self.known_upper()])
        if proven > self.lower:
            self.lower, self.method = proven, Method.MILP
        return reason

    def _bounded_ball(self) -> _Ball:
        """The ball up to the nearest witness, with bounds as tight as a share of the time buys."""
        radius = self.known_upper()
        box = Intervals(*self.query(radius).cases[0].box.enclosing_floats)
        share = self.limits.within(_TIGHTEN_SHARE * self.limits.remaining)
        chain = tighten(self.network, box, bound_network(self.network, box), share)
        return _Ball(radius, box, chain)

    def _nearest(self, ball: _Ball, part: Polyhedron) -> Nearest:
        centre = Intervals(
            np.array([float_below(value) for value in self.point]),
            np.array([float_above(value) for value in self.point]),
        )
        start = None
        if self.witness is not None and part.contains(self.witness.output):
            start = np.array([nearest_float(value) for value in self.witness.input])
        cutoff = float_above(self.known_upper())
        return nearest_unsafe(
            ball.chain, ball.box, centre, part, cutoff, self.limits, solver=self.solver, start=start
        )


def _between(low: Fraction, high: Fraction) -> Fraction:
    """Their mean; the geometric one where they are far apart."""
    if high > _FAR_APART * low > 0:
        return Fraction(math.sqrt(nearest_float(low * high)))
    return (low + high) / 2


def _weaker(one: Method, other: Method) -> Method:
    """Of the methods of two proofs that both count, the one that says less."""
    order = list(Method)
    return max(one, other, key=order.index)
