"""The formula itself, given to a SAT solver."""

from __future__ import annotations

from reductions.problems.satisfiability import Satisfiability
from reductions.sat import SOLVER, Satisfied, Undecided, solve
from reductions.scaling.doors.door import Allowed, Door, Found

__all__ = ["ClauseLearning"]


class ClauseLearning(Door):
    """Conflict-driven clause learning on the formula; its "unsat" is the solver's word."""

    name = "cdcl"
    summary = "clause learning on the formula itself"
    solver = SOLVER
    distribution = "python-sat"
    effort_name = "conflicts"
    instance = "variables"
    modules = ("pysat",)

    def decide(self, formula: Satisfiability, allowed: Allowed) -> Found:
        answer = solve(formula, allowed.seconds, with_proof=False)
        size = formula.variables
        if isinstance(answer, Satisfied):
            return Found("sat", answer.assignment, answer.conflicts, size)
        if isinstance(answer, Undecided):
            return Found("unknown", None, answer.conflicts, size, answer.reason, "timeout")
        return Found("unsat", None, answer.conflicts, size)
