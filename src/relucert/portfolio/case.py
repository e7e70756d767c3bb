"""One case of a query, engine after engine: bounds, halving inputs, attack, splitting ReLUs, MILP.

An engine that does not decide leaves what it has certified (`Standing`) to the final answer.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from relucert.bounds.backward import Relaxation, bound_network
from relucert.bounds.interval import Intervals
from relucert.bounds.unsafe import float_rows, open_parts, row_bounds
from relucert.limits import Limits
from relucert.milp.child import Task
from relucert.milp.engine import MilpOptions, decide_case
from relucert.milp.tighten import tighten
from relucert.network import Network
from relucert.portfolio.milp_beside import first_answer
from relucert.prover.ground import Ground, checked_bounds
from relucert.prover.recheck import Deeper, recheck_signs, recheck_splits
from relucert.query import Case, Polyhedron, Query
from relucert.search.attack import Attack, attack_case
from relucert.search.enumerate import enumerate_case
from relucert.search.few_inputs import MAX_FREE_INPUTS, free_inputs, search_few_inputs
from relucert.search.question_log import BoxLog
from relucert.search.relu_split import split_relus
from relucert.search.split_log import SplitLog
from relucert.verdict import (
    Interrupted,
    Method,
    Proved,
    Reason,
    Standing,
    Unknown,
    Verdict,
    Violated,
)

__all__ = ["Job", "certify_case"]

_BOUNDS_SHARE = 0.6
_FIRST_ATTACK_SECONDS = 0.4
_SECOND_ATTACK_SECONDS = 4.0
_ATTACK_SHARE = 0.1
_SPLIT_SHARE = 0.7
_CLEARLY_FEW_INPUTS = 8  # with more, halving inputs and splitting ReLUs share the time
_UNCLEAR_SHARE = 0.35
_BEYOND_MILP_SHARE, _BEYOND_MILP = 0.95, 200  # share of the time; unstable neurons
_SHALLOW_SHARE = 0.6  # of one hidden layer the MILP is sometimes the quicker judge
_MILP_BESIDE_AFTER = 0.3
_SPLIT_SECONDS = 300.0
_TIGHTEN_SHARE = 0.1
_SECONDS_A_WEIGHT = 1e-6
_ENUMERATION_SECONDS = 30.0
_ENUMERATION_INPUTS = 16
_ENUMERATION_NEURONS = 64

Progress = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Job:
    """A query and how it is to be decided; ``jobs`` is the number of cores for the searches.

    check: whether proofs are derived again in the checker's arithmetic.
    """

    network: Network
    query: Query
    engine: str
    options: MilpOptions
    limits: Limits
    seed: int
    jobs: int
    check: bool
    progress: Progress | None

    def say(self, words: str) -> None:
        """Tell the person what is being done."""
        if self.progress is not None:
            self.progress(words)


def certify_case(job: Job, case: Case) -> Verdict:
    """The verdict on one case; raises MemoryError where it does not fit the machine."""
    if not case.unsafe:
        return Proved(Method.EMPTY)
    if job.engine == "enumerate":
        return enumerate_case(job.network, job.query, case, job.limits).verdict
    job.say("bounds")
    box = Intervals(*case.box.enclosing_floats)
    limits = job.limits.within(_BOUNDS_SHARE * job.limits.remaining)
    ground = checked_bounds(job.network, case, limits) if job.check else None
    if ground is not None:
        chain, case = ground.chain, ground.case
    else:
        chain = bound_network(job.network, box, limits)
        case = Case(case.box, open_parts(chain, box, case.unsafe))
    if not case.unsafe:
        return Proved(Method.BOUNDS if ground is None else Method.CHECKED)
    work = _Work(job, case, box, chain, ground)
    if job.engine == "bounds":
        words = f"{len(case.unsafe)} unsafe sets left open by linear bounds"
        return Unknown(Reason.ENGINE, words, work.standing)
    try:
        verdict = work.decide()
    except KeyboardInterrupt as stop:
        raise Interrupted.joined(work.standing, stop) from None
    if not isinstance(verdict, Unknown):
        return verdict
    told = verdict.standing is not None and verdict.detail == verdict.standing.words
    detail = "" if told else verdict.detail
    return Unknown(verdict.reason, detail, work.standing.joined(verdict.standing))


class _Work:
    """The engines at one case, in turn; ``standing`` is the best of what they certified."""

    def __init__(
        self,
        job: Job,
        case: Case,
        box: Intervals,
        chain: list[Relaxation],
        ground: Ground | None,
    ) -> None:
        self.job, self.case, self.box, self.chain = job, case, box, chain
        self.ground = ground
        self.free = free_inputs(case)
        self.standing = Standing(
            min(
                float(row_bounds(chain, box, float_rows(part)).max(initial=-math.inf))
                for part in case.unsafe
            )
        )
        self.last = Unknown(Reason.ENGINE, "no search fits this question")
        self.attacks = count(1)

    def decide(self) -> Verdict:
        """Violated, Proved, or the last engine's Unknown."""
        if self.job.limits.out_of_time:
            return Unknown(Reason.TIME, "the time was up after the first bounds")
        searched = (
            self._split_inputs()
            or self._attacked(_FIRST_ATTACK_SECONDS, self.job.seed)
            or self._split_relus()
        )
        if searched is not None:
            return searched
        if self.job.limits.remaining <= 0.0:
            return Unknown(Reason.TIME)
        return self.last if self.job.engine == "search" else self._solved()

    def _kept(self, verdict: Verdict) -> Verdict | None:
        """None for Unknown, whose standing is kept."""
        if not isinstance(verdict, Unknown) or verdict.reason is Reason.ROUNDING:
            return verdict
        self.last = verdict
        self.standing = self.standing.joined(verdict.standing)
        return None

    def _attacked(self, most: float, seed: int, case: Case | None = None) -> Violated | None:
        job = self.job
        job.say("looking for a counterexample")
        attack = Attack(seconds=min(most, _ATTACK_SHARE * job.limits.remaining), seed=seed)
        return attack_case(job.network, job.query, case or self.case, attack, job.limits).violated

    def _split_inputs(self) -> Verdict | None:
        """A verdict by halving the input box, where few inputs vary and it works in time."""
        job = self.job
        if job.engine not in ("auto", "search") or self.free > MAX_FREE_INPUTS:
            return None
        job.say("halving the input box")
        limits = self._within(_SPLIT_SHARE if self._clearly_few else _UNCLEAR_SHARE)
        if job.engine == "search" and self._clearly_few:
            limits = job.limits
        log = None if self.ground is None else SplitLog()
        verdict = search_few_inputs(
            job.network, job.query, self.case, limits, job.seed, job.progress, self.chain,
            job.jobs, log=log,
        )  # fmt: skip
        if self.ground is not None and log is not None and isinstance(verdict, Proved):
            job.say("checking every part")
            verdict = self._doubted(recheck_splits(
                job.network, job.query, self.ground, log, job.limits, job.progress
            ))  # fmt: skip
        return self._kept(verdict)

    def _split_relus(self) -> Verdict | None:
        """A verdict by fixing signs of ReLUs, where many inputs vary and it works in time."""
        job = self.job
        if job.engine == "search":
            refused = self.last.reason is Reason.ENGINE
            if self._clearly_few and not refused:
                return None
            limits = job.limits
        elif job.engine != "auto" or self._clearly_few:
            return None
        elif self._milp_fits_beside:
            return self._raced()
        elif self._beyond_milp:
            limits = job.limits.within(_BEYOND_MILP_SHARE * job.limits.remaining)
        else:
            limits = self._within(_SHALLOW_SHARE if self._shallow else _SPLIT_SHARE)
        job.say("fixing the signs of ReLUs")
        return self._kept(self._relus_split(limits, job.jobs))

    def _relus_split(self, limits: Limits, jobs: int = 1) -> Verdict:
        job = self.job

        def falsify(seconds: float) -> Violated | None:
            return self._attacked(seconds, job.seed + 100 * next(self.attacks))

        start = log = None
        if self.ground is not None:
            start, log = Deeper.of(job.network, job.query, self.ground, limits), BoxLog()
        if start is None or log is None:
            return split_relus(
                job.network, job.query, self.case, self.chain, limits, job.progress, falsify, jobs
            )
        verdict = split_relus(
            job.network, job.query, self.case, start.chain, limits, job.progress, falsify, jobs,
            log=log,
        )  # fmt: skip
        if isinstance(verdict, Proved):
            job.say("checking every part")
            return self._doubted(recheck_signs(job.network, start, log, job.limits))
        return verdict

    def _doubted(self, verdict: Verdict) -> Verdict:
        """For a part that does not check: exact enumeration has the last word, where it can."""
        job = self.job
        if not isinstance(verdict, Unknown) or not _enumerable(job.network):
            return verdict
        limits = job.limits.within(_ENUMERATION_SECONDS)
        exact = enumerate_case(job.network, job.query, self.case, limits).verdict
        return verdict if isinstance(exact, Unknown) else exact

    def _raced(self) -> Verdict | None:
        """Splitting of ReLUs and the MILP at once, a core each."""
        job = self.job
        job.say("fixing the signs of ReLUs, the MILP beside it")
        task = Task(
            job.network, job.query, self.case, self.chain, job.options,
            max(0.0, job.limits.remaining - _MILP_BESIDE_AFTER), job.limits.memory,
        )  # fmt: skip
        split, milp = first_answer(self._relus_split, task, job.limits, _MILP_BESIDE_AFTER)
        for verdict in (split, milp):
            if verdict is not None and self._kept(verdict) is not None:
                return verdict
        return None

    def _solved(self) -> Verdict:
        """What the MILP says, after bounds by linear programmes; enumeration where it cannot."""
        job, limits = self.job, self.job.limits
        if limits.remaining < self._encoding_seconds:
            return Unknown(Reason.TIME, "too little for writing the MILP down")
        chain, share = self.chain, limits.within(_TIGHTEN_SHARE * limits.remaining)
        if share.remaining > self._encoding_seconds:
            job.say("tightening bounds by linear programmes")
            chain = tighten(job.network, self.box, chain, share)

        def harder(part: Polyhedron) -> Violated | None:
            return self._attacked(
                _SECOND_ATTACK_SECONDS, job.seed + 1, Case(self.case.box, (part,))
            )

        verdict = decide_case(
            job.network, job.query, self.case, chain, job.options, limits, harder, job.progress
        )
        if job.engine == "auto" and _worth_enumerating(job.network, verdict):
            job.say("enumerating activation patterns exactly")
            limits = limits.within(_ENUMERATION_SECONDS)
            exact = enumerate_case(job.network, job.query, self.case, limits).verdict
            return verdict if isinstance(exact, Unknown) else exact
        return verdict

    def _within(self, share: float) -> Limits:
        """A share of the time left, five minutes at most."""
        limits = self.job.limits
        return limits.within(min(_SPLIT_SECONDS, share * limits.remaining))

    @property
    def _encoding_seconds(self) -> float:
        """Roughly how long it takes to write down a linear programme of the whole network."""
        layers = self.job.network.layers
        return _SECONDS_A_WEIGHT * sum(layer.parameter_count for layer in layers)

    @property
    def _clearly_few(self) -> bool:
        return self.free <= _CLEARLY_FEW_INPUTS

    @property
    def _shallow(self) -> bool:
        return sum(bool(layer.relu.any()) for layer in self.job.network.layers) <= 1

    @property
    def _beyond_milp(self) -> bool:
        """So many open neurons in several layers that the MILP will hardly answer."""
        unstable = sum(int(relaxation.unstable.sum()) for relaxation in self.chain)
        return not self._shallow and unstable > _BEYOND_MILP

    @property
    def _milp_fits_beside(self) -> bool:
        """One hidden layer, where either engine may be the quicker, and a core for each."""
        return self.job.jobs > 1 and self._shallow and self.job.options.solver.upper() == "HIGHS"


def _worth_enumerating(network: Network, verdict: Verdict) -> bool:
    """Whether the MILP could not tell and the network is small enough to go through."""
    unclear = (Reason.MARGIN, Reason.NUMERICS, Reason.SOLVER)
    return isinstance(verdict, Unknown) and verdict.reason in unclear and _enumerable(network)


def _enumerable(network: Network) -> bool:
    few = network.input_size <= _ENUMERATION_INPUTS
    return few and network.relu_count <= _ENUMERATION_NEURONS
