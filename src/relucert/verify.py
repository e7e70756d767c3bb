"""The facade: certify a query about a network. Reads as the story the project tells.

read network -> read query -> bounds -> attack -> encode and solve -> verdict
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from relucert.bounds.backward import Relaxation, bound_network
from relucert.bounds.interval import Intervals
from relucert.bounds.unsafe import open_parts
from relucert.errors import UsageError
from relucert.limits import Limits
from relucert.milp.engine import MilpOptions, decide_case
from relucert.milp.pulp_model import check_solver
from relucert.milp.tighten import tighten
from relucert.network import Network
from relucert.query import Case, Polyhedron, Query
from relucert.search.attack import Attack, attack_case
from relucert.search.enumerate import enumerate_case
from relucert.search.few_inputs import MAX_FREE_INPUTS, free_inputs, search_few_inputs
from relucert.search.relu_split import split_relus
from relucert.verdict import Method, Proved, Reason, Unknown, Verdict, Violated, combined

__all__ = ["ENGINES", "Outcome", "certify"]

ENGINES = ("auto", "bounds", "milp", "enumerate")
_FIRST_ATTACK_SECONDS = 0.4
_SECOND_ATTACK_SECONDS = 4.0
_ATTACK_SHARE = 0.1
_SPLIT_SHARE = 0.7
_CLEARLY_FEW_INPUTS = 8  # with more, halving inputs and splitting ReLUs share the time
_UNCLEAR_SHARE = 0.35
_SHALLOW_SHARE = 0.08  # of one hidden layer the MILP is often the quicker judge
_SPLIT_SECONDS = 300.0
_TIGHTEN_SHARE = 0.1
_ENUMERATION_SECONDS = 30.0
_ENUMERATION_INPUTS = 16
_ENUMERATION_NEURONS = 64

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Outcome:
    """What `certify` found: the verdict, wall-clock seconds, and the seed of the attack."""

    verdict: Verdict
    seconds: float
    seed: int

    def __str__(self) -> str:
        return f"{self.verdict.words} in {self.seconds:.2f} s"


@dataclass(frozen=True, eq=False)
class _Job:
    network: Network
    query: Query
    engine: str
    options: MilpOptions
    limits: Limits
    seed: int
    jobs: int
    progress: Progress | None

    def say(self, words: str) -> None:
        if self.progress is not None:
            self.progress(words)


def certify(
    network: Network,
    query: Query,
    *,
    engine: str = "auto",
    timeout: float = math.inf,
    solver: str = "HiGHS",
    threads: int = 1,
    memory: float = math.inf,
    seed: int = 0,
    jobs: int = 1,
    progress: Progress | None = None,
) -> Outcome:
    """Decide whether any input of the query's boxes has an unsafe output.

    engine: "auto" (bounds, attack, halving of the input box where few inputs vary, MILP, and for
    tiny networks exact enumeration where the MILP cannot tell), "milp" (bounds, attack and MILP),
    "bounds" (incomplete, quick), "enumerate" (exact, tiny networks only).
    timeout: seconds for the whole query. solver: "HiGHS" or any solver that PuLP knows.
    threads: of the solver. memory: bytes that this process may hold. seed: of the attack.
    jobs: cores that the searches may use; with one, the same seed does the same work.
    progress: called with a line about the work at hand.

    Violated always carries an exactly checked input; Proved says by which method; everything
    else is Unknown with a reason. Raises QueryError when query and network do not fit,
    UsageError for an unknown engine or solver, SolverError when a solver is not installed.
    """
    if engine not in ENGINES:
        raise UsageError(f"unknown engine {engine!r}; choose from {', '.join(ENGINES)}")
    if not timeout > 0:
        raise UsageError(f"the time limit must be positive, not {timeout!r}")
    check_solver(solver)
    query.fits(network.input_size, network.output_size)
    limits = Limits(timeout, memory, threads)
    job = _Job(network, query, engine, MilpOptions(solver), limits, seed, jobs, progress)
    verdicts: list[Verdict] = []
    for case in query.cases:
        verdicts.append(_within_memory(job, case))
        if isinstance(verdicts[-1], Violated):
            break
    verdict = combined(verdicts) if verdicts else Proved(Method.EMPTY)
    return Outcome(verdict, limits.elapsed, seed)


def _within_memory(job: _Job, case: Case) -> Verdict:
    """A case that does not fit the machine costs only its own answer."""
    try:
        return _certify_case(job, case)
    except MemoryError:
        return Unknown(Reason.MEMORY, f"ran out of memory after {job.limits.elapsed:.1f} s")


def _certify_case(job: _Job, case: Case) -> Verdict:
    if not case.unsafe:
        return Proved(Method.EMPTY)
    if job.engine == "enumerate":
        return enumerate_case(job.network, job.query, case, job.limits).verdict
    job.say("bounds")
    box = Intervals(*case.box.enclosing_floats)
    chain = bound_network(job.network, box)
    case = Case(case.box, open_parts(chain, box, case.unsafe))
    if not case.unsafe:
        return Proved(Method.BOUNDS)
    if job.engine == "bounds":
        return Unknown(Reason.ENGINE, f"{len(case.unsafe)} unsafe sets left open by linear bounds")
    return (
        _split_inputs(job, case, chain)
        or _attacked(job, case, _FIRST_ATTACK_SECONDS, job.seed)
        or _split_relus(job, case, chain)
        or _solved(job, case, box, chain)
    )


def _attacked(job: _Job, case: Case, most: float, seed: int) -> Violated | None:
    job.say("looking for a counterexample")
    attack = Attack(seconds=min(most, _ATTACK_SHARE * job.limits.remaining), seed=seed)
    return attack_case(job.network, job.query, case, attack, job.limits).violated


def _split_inputs(job: _Job, case: Case, chain: list[Relaxation]) -> Verdict | None:
    """A verdict by halving the input box, where few inputs vary and it works in time."""
    free = free_inputs(case)
    if job.engine != "auto" or free > MAX_FREE_INPUTS:
        return None
    job.say("halving the input box")
    share = _SPLIT_SHARE if free <= _CLEARLY_FEW_INPUTS else _UNCLEAR_SHARE
    limits = job.limits.within(min(_SPLIT_SECONDS, share * job.limits.remaining))
    verdict = search_few_inputs(
        job.network, job.query, case, limits, job.seed, job.progress, chain, job.jobs
    )
    return None if isinstance(verdict, Unknown) else verdict


def _split_relus(job: _Job, case: Case, chain: list[Relaxation]) -> Verdict | None:
    """A verdict by fixing signs of ReLUs, where many inputs vary and it works in time."""
    if job.engine != "auto" or free_inputs(case) <= _CLEARLY_FEW_INPUTS:
        return None
    job.say("fixing the signs of ReLUs")
    shallow = sum(bool(layer.relu.any()) for layer in job.network.layers) <= 1
    share = _SHALLOW_SHARE if shallow else _SPLIT_SHARE
    limits = job.limits.within(min(_SPLIT_SECONDS, share * job.limits.remaining))
    tries = count(1)

    def falsify(seconds: float) -> Violated | None:
        return _attacked(job, case, seconds, job.seed + 100 * next(tries))

    verdict = split_relus(job.network, job.query, case, chain, limits, job.progress, falsify)
    return None if isinstance(verdict, Unknown) else verdict


def _solved(job: _Job, case: Case, box: Intervals, chain: list[Relaxation]) -> Verdict:
    job.say("tightening bounds by linear programmes")
    chain = tighten(
        job.network, box, chain, job.limits.within(_TIGHTEN_SHARE * job.limits.remaining)
    )

    def harder(part: Polyhedron) -> Violated | None:
        return _attacked(job, Case(case.box, (part,)), _SECOND_ATTACK_SECONDS, job.seed + 1)

    verdict = decide_case(
        job.network, job.query, case, chain, job.options, job.limits, harder, job.progress
    )
    if job.engine == "auto" and _worth_enumerating(job, verdict):
        job.say("enumerating activation patterns exactly")
        limits = job.limits.within(_ENUMERATION_SECONDS)
        exact = enumerate_case(job.network, job.query, case, limits).verdict
        return verdict if isinstance(exact, Unknown) else exact
    return verdict


def _worth_enumerating(job: _Job, verdict: Verdict) -> bool:
    """Whether the MILP could not tell and the network is small enough to go through."""
    unclear = (Reason.MARGIN, Reason.NUMERICS, Reason.SOLVER)
    return (
        isinstance(verdict, Unknown)
        and verdict.reason in unclear
        and job.network.input_size <= _ENUMERATION_INPUTS
        and job.network.relu_count <= _ENUMERATION_NEURONS
    )
