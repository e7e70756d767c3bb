"""The facade: certify a query about a network. Reads as the story the project tells.

read network -> read query -> bounds -> attack -> search, or encode and solve -> verdict
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from relucert.errors import UsageError
from relucert.limits import Limits, Work, usable_bytes
from relucert.milp.engine import MilpOptions
from relucert.milp.pulp_model import check_solver
from relucert.network import Network
from relucert.portfolio.case import Job, certify_case
from relucert.query import Case, Query
from relucert.verdict import Method, Proved, Reason, Unknown, Verdict, Violated, combined

__all__ = ["ENGINES", "Outcome", "certify"]

ENGINES = ("auto", "bounds", "search", "milp", "enumerate")

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Outcome:
    """What `certify` found: the verdict, wall-clock seconds, the attack's seed, and the work."""

    verdict: Verdict
    seconds: float
    seed: int
    work: Work = field(default_factory=Work, compare=False, repr=False)

    def __str__(self) -> str:
        return f"{self.verdict.words} in {self.seconds:.2f} s"


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
    check: bool = True,
    progress: Progress | None = None,
) -> Outcome:
    """Decide whether any input of the query's boxes has an unsafe output.

    engine: "auto" (bounds, attack, halving of the input box where few inputs vary, splitting of
    ReLUs where many do, MILP, and for tiny networks exact enumeration where the MILP cannot
    tell), "search" (the same without MILP and enumeration), "milp" (bounds, attack and MILP),
    "bounds" (incomplete, quick), "enumerate" (exact, tiny networks only).
    timeout: seconds for the whole query. solver: "HiGHS" or any solver that PuLP knows.
    threads: of the solver. memory: bytes that this process may hold; never more than it holds
    already and four fifths of what the system has left. seed: of the attack. jobs: cores to use;
    with one, the same seed does the same work until a time limit ends it. For networks with one
    hidden layer a second core works at the MILP, in a child process.
    check: whether what bounds and searches prove is derived again in the arithmetic of the proof
    checker before it is called proved; without, it is the search's word.
    progress: called with a line about the work at hand.

    Violated always carries an exactly checked input; Proved says by which method; everything
    else is Unknown with a reason, and with what is certified nevertheless (its ``standing``).
    Raises QueryError when query and network do not fit,
    UsageError for an unknown engine or solver, SolverError when a solver is not installed.
    """
    if engine not in ENGINES:
        raise UsageError(f"unknown engine {engine!r}; choose from {', '.join(ENGINES)}")
    if not timeout > 0:
        raise UsageError(f"the time limit must be positive, not {timeout!r}")
    if jobs < 1:
        raise UsageError(f"jobs must be at least 1, not {jobs!r}")
    check_solver(solver)
    query.fits(network.input_size, network.output_size)
    limits = Limits(timeout, min(memory, usable_bytes()), threads)
    job = Job(network, query, engine, MilpOptions(solver), limits, seed, jobs, check, progress)
    verdicts: list[Verdict] = []
    for case in query.cases:
        verdicts.append(_within_memory(job, case))
        if isinstance(verdicts[-1], Violated):
            break
    verdict = combined(verdicts) if verdicts else Proved(Method.EMPTY)
    return Outcome(verdict, limits.elapsed, seed, limits.work)


def _within_memory(job: Job, case: Case) -> Verdict:
    """A case that does not fit the machine costs only its own answer."""
    try:
        return certify_case(job, case)
    except MemoryError:
        return Unknown(Reason.MEMORY, f"ran out of memory after {job.limits.elapsed:.1f} s")
