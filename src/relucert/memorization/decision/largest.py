"""The largest budget at which some network of a width memorizes the data: a certified bracket."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from relucert.errors import QueryError, UsageError
from relucert.memorization.decision.answers import No, Unknown, Yes
from relucert.memorization.decision.decide import Decided, decide
from relucert.memorization.separation import check_budget, separation_bound
from relucert.read.points import LabelledPoints

__all__ = ["BudgetBracket", "largest_budget"]

Progress = Callable[[str], None]


@dataclass(frozen=True)
class BudgetBracket:
    """``lower`` is feasible, ``upper`` is not; feasible budgets are those below some number.

    yes: the answer at ``lower``; both None when not even budget 0 is feasible (or was decided).
    no: the answer at ``upper``; None when ``upper`` is half of the separation bound, where balls
    meet. open_because: why the bracket is wider than asked for, or None.
    """

    lower: Fraction | None
    yes: Yes | None
    upper: Fraction
    no: No | None
    labels: str
    decisions: int
    seconds: float
    open_because: Unknown | None = None


def largest_budget(
    data: LabelledPoints,
    width: int = 2,
    *,
    precision: Fraction = Fraction(1, 1000),
    engine: str = "auto",
    timeout: float = math.inf,
    solver: str = "HiGHS",
    threads: int = 1,
    memory: float = math.inf,
    seed: int = 0,
    progress: Progress | None = None,
) -> BudgetBracket:
    """Bisect to ``precision`` times half of the separation bound; arguments as for `decide`.

    timeout: seconds for the whole search. Raises QueryError when all labels are equal (every
    budget is feasible) and when equal points have different labels, and what `decide` raises.
    """
    if not precision > 0:
        raise UsageError(f"the precision must be positive, not {precision}")
    if not timeout > 0:
        raise UsageError(f"the time limit must be positive, not {timeout!r}")
    started = time.monotonic()
    separation = separation_bound(data)
    if separation is None:
        raise QueryError(f"{data.name} has one label only: every budget is feasible")
    check_budget(data, separation, Fraction(0))
    half = separation.bound / 2
    decisions = 0

    def asked(budget: Fraction) -> Decided:
        nonlocal decisions
        decisions += 1
        left = max(1e-3, timeout - (time.monotonic() - started))
        return decide(
            data, budget, width, engine=engine, timeout=left, solver=solver, threads=threads,
            memory=memory, seed=seed, progress=progress,
        )  # fmt: skip

    lower, yes, upper, no = None, None, half, None
    budget, open_because = Fraction(0), None
    while True:
        decided = asked(budget)
        if isinstance(decided.answer, Unknown):
            open_because = decided.answer
            break
        if isinstance(decided.answer, Yes):
            lower, yes = budget, decided.answer
        else:
            upper, no = budget, decided.answer
        if lower is None or upper - lower <= precision * half:
            break
        budget = (lower + upper) / 2
    elapsed = time.monotonic() - started
    return BudgetBracket(lower, yes, upper, no, decided.labels, decisions, elapsed, open_because)
