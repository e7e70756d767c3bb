"""Uniform random k-SAT: every clause k distinct variables, every sign a fair coin."""

from __future__ import annotations

import random

from reductions.families.family import Family, Parameter, clause_count, distinct
from reductions.problems.satisfiability import Satisfiability

__all__ = ["RANDOM_3SAT", "RANDOM_KSAT", "random_ksat"]


def random_ksat(
    rng: random.Random, n: int, k: int, ratio: float
) -> tuple[Satisfiability, tuple[bool, ...] | None]:
    """``round(ratio * n)`` independent clauses (repetitions possible), nothing planted."""
    clauses = tuple(
        tuple(v if rng.random() < 0.5 else -v for v in distinct(rng, n, k))
        for _ in range(clause_count(n, k, ratio))
    )
    return Satisfiability(n, clauses), None


def _random_3sat(
    rng: random.Random, n: int, ratio: float
) -> tuple[Satisfiability, tuple[bool, ...] | None]:
    return random_ksat(rng, n, 3, ratio)


_REFERENCE = "Mitchell, Selman, Levesque 1992; threshold 4.267 for k = 3: Mezard, Zecchina 2002"
_N = Parameter("n", 50, "variables")
_RATIO = Parameter("ratio", 4.26, "clauses a variable")

RANDOM_3SAT = Family("random-3sat", "uniform random 3-SAT", _REFERENCE, (_N, _RATIO), _random_3sat)
RANDOM_KSAT = Family(
    "random-ksat",
    "uniform random k-SAT",
    _REFERENCE,
    (_N, Parameter("k", 3, "literals a clause"), _RATIO),
    random_ksat,
)
