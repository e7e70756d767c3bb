"""The expected answer of an instance, and why it is believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from reductions.families.family import planted_solution
from reductions.problems.satisfiability import Assignment, Satisfiability
from reductions.sat import SOLVER, Satisfied, Undecided, Unsatisfiable, solve
from relucert.errors import SolverError

__all__ = ["ExpectedAnswer", "Why", "expected_answer", "literals_of"]

_ENUMERATED_VARIABLES = 16


class Why(Enum):
    """What an expected answer rests on; every one of them was checked when it was written."""

    PLANTED = "planted assignment"
    SOLVER = "assignment found by a SAT solver"
    PROOF = "proof by a SAT solver"
    ENUMERATION = "enumeration"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class ExpectedAnswer:
    """``satisfiable`` is the source's answer, None when unknown.

    ``assignment`` accompanies a yes, ``proof`` (DRUP lines) a no that rests on one; ``detail``
    names the solver, or says why nothing is known.
    """

    satisfiable: bool | None
    why: Why
    detail: str = ""
    assignment: Assignment | None = None
    proof: tuple[str, ...] | None = None

    @property
    def words(self) -> str:
        """The answer as people read it."""
        known = {True: "satisfiable", False: "unsatisfiable", None: "unknown"}[self.satisfiable]
        reason = self.detail if self.satisfiable is None else self.why.value
        return f"{known} ({reason})" if reason else known


def expected_answer(
    formula: Satisfiability, comments: Sequence[str] = (), timeout: float = 10.0
) -> ExpectedAnswer:
    """The planted assignment if the comments hold one, else what a solver or enumeration finds.

    ``timeout``: seconds for the solver; 0 asks for nothing beyond the planted assignment.
    Without python-sat, formulas of at most 16 variables are enumerated.
    """
    planted = planted_solution(formula, comments)
    if planted is not None:
        return ExpectedAnswer(True, Why.PLANTED, assignment=planted)
    if timeout <= 0:
        return ExpectedAnswer(None, Why.UNKNOWN, "no solver was asked")
    try:
        answer = solve(formula, timeout)
    except SolverError as error:
        if formula.variables > _ENUMERATED_VARIABLES:
            return ExpectedAnswer(None, Why.UNKNOWN, str(error))
        found = formula.solve_by_enumeration()
        return ExpectedAnswer(found is not None, Why.ENUMERATION, assignment=found)
    if isinstance(answer, Satisfied):
        return ExpectedAnswer(True, Why.SOLVER, SOLVER, assignment=answer.assignment)
    if isinstance(answer, Unsatisfiable) and answer.proved:
        return ExpectedAnswer(False, Why.PROOF, SOLVER, proof=answer.proof)
    reason = answer.reason if isinstance(answer, Undecided) else "no proof"
    return ExpectedAnswer(None, Why.UNKNOWN, f"{SOLVER}: {reason}")


def literals_of(assignment: Assignment) -> list[int]:
    """The assignment as DIMACS literals, one for every variable.

    >>> literals_of((True, False))
    [1, -2]
    """
    return [index if value else -index for index, value in enumerate(assignment, 1)]
