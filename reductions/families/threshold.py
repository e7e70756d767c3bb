"""Random k-SAT at the threshold, filtered by a solver for the wanted answer."""

from __future__ import annotations

import random

from reductions.families.family import Family, Parameter, at_least
from reductions.families.random_ksat import random_ksat
from reductions.problems.satisfiability import Satisfiability
from reductions.sat import Satisfied, Unsatisfiable, solve
from relucert.errors import UsageError

__all__ = ["THRESHOLD_KSAT", "threshold_ksat"]

_ATTEMPTS = 1000


def threshold_ksat(
    rng: random.Random, n: int, k: int, ratio: float, answer: str
) -> tuple[Satisfiability, tuple[bool, ...] | None]:
    """The first of up to 1,000 uniform formulas with the wanted answer.

    Nothing is planted: a satisfiable one has the distribution of random formulas conditioned on
    satisfiability. Needs python-sat (SolverError when missing). Raises UsageError when no draw
    had the wanted answer: the ratio is then far from the threshold.
    """
    at_least(1, n=n)
    for _ in range(_ATTEMPTS):
        formula, _nothing = random_ksat(rng, n, k, ratio)
        found = solve(formula, with_proof=False)
        wanted = Satisfied if answer == "sat" else Unsatisfiable
        if isinstance(found, wanted):
            return formula, None
    raise UsageError(f"none of {_ATTEMPTS} formulas at ratio {ratio:g} is {answer}isfiable")


THRESHOLD_KSAT = Family(
    "threshold-ksat",
    "uniform random k-SAT at the threshold with a known answer",
    "Crawford, Auton 1996",
    (
        Parameter("n", 50, "variables"),
        Parameter("k", 3, "literals a clause"),
        Parameter("ratio", 4.26, "clauses a variable"),
        Parameter("answer", "unsat", "wanted answer: sat or unsat", ("sat", "unsat")),
    ),
    threshold_ksat,
)
