"""Random k-SAT with a planted satisfying assignment, plain and de-biased.

A clause with t > 0 literals true under the planted assignment is drawn with weight q**t. Plain
planting is q = 1: then a literal is true more often than false, and counting signs finds the
assignment. The de-biased choice is the q with (1 - q)(1 + q)**(k - 1) = 1, at which a literal of a
clause is true as often as false: sum over t >= 1 of C(k, t) q**t (2t - k) = 0, since the sum over
all t is k (q - 1)(1 + q)**(k - 1) and the term t = 0 is -k. For k = 3 it is the golden ratio 0.618.
"""

from __future__ import annotations

import math
import random

from reductions.families.family import (
    Family,
    Parameter,
    clause_count,
    distinct,
    random_signs,
)
from reductions.problems.satisfiability import Satisfiability
from relucert.errors import UsageError

__all__ = ["HIDDEN_KSAT", "PLANTED_KSAT", "hidden_ksat", "planted_ksat", "unbiased_q"]


def unbiased_q(k: int) -> float:
    """The root q in (0, 1) of (1 - q)(1 + q)**(k - 1) = 1, for k >= 3.

    >>> round(unbiased_q(3), 6)
    0.618034
    """
    low, high = 1e-9, 1.0
    for _ in range(200):
        middle = (low + high) / 2
        if (k - 1) * math.log1p(middle) + math.log1p(-middle) > 0:
            low = middle
        else:
            high = middle
    return low


def planted_ksat(
    rng: random.Random, n: int, k: int, ratio: float
) -> tuple[Satisfiability, tuple[bool, ...]]:
    """Uniform clauses among those that the planted assignment satisfies (q = 1)."""
    return _planted(rng, n, k, ratio, 1.0)


def hidden_ksat(
    rng: random.Random, n: int, k: int, ratio: float, q: float
) -> tuple[Satisfiability, tuple[bool, ...]]:
    """Clauses weighted by ``q**t``; ``q = 0`` stands for the value without bias (k >= 3)."""
    if not 0 <= q <= 1:
        raise UsageError(f"q is {q}; it must lie between 0 and 1")
    if q == 0:
        if k < 3:
            raise UsageError("without bias there is no q for k < 3: give one")
        q = unbiased_q(k)
    return _planted(rng, n, k, ratio, q)


def _planted(
    rng: random.Random, n: int, k: int, ratio: float, q: float
) -> tuple[Satisfiability, tuple[bool, ...]]:
    solution = random_signs(rng, n)
    weights = [math.comb(k, t) * q**t for t in range(1, k + 1)]
    total = sum(weights)
    clauses = []
    for _ in range(clause_count(n, k, ratio)):
        draw, agreeing = rng.random() * total, 1
        while agreeing < k and draw >= weights[agreeing - 1]:
            draw -= weights[agreeing - 1]
            agreeing += 1
        variables = distinct(rng, n, k)
        true = set(distinct(rng, k, agreeing))
        clauses.append(
            tuple(
                v if solution[v - 1] == (place in true) else -v
                for place, v in enumerate(variables, 1)
            )
        )
    return Satisfiability(n, tuple(clauses)), solution


_N = Parameter("n", 50, "variables")
_K = Parameter("k", 3, "literals a clause")
_RATIO = Parameter("ratio", 4.26, "clauses a variable")

PLANTED_KSAT = Family(
    "planted-ksat",
    "random k-SAT with a planted assignment (easy: signs give it away)",
    "Achlioptas, Gomes, Kautz, Selman 2000",
    (_N, _K, _RATIO),
    planted_ksat,
)
HIDDEN_KSAT = Family(
    "hidden-ksat",
    "random k-SAT with a planted assignment that literal signs do not betray",
    "Barthel et al. 2002; Jia, Moore, Strain 2005",
    (_N, _K, _RATIO, Parameter("q", 0.0, "weight of a true literal; 0: the unbiased one")),
    hidden_ksat,
)
