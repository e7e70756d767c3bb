"""The formula as a mixed-integer programme: a binary a variable, a row a clause."""

from __future__ import annotations

import time
from typing import Any

from reductions.problems.satisfiability import Satisfiability
from reductions.scaling.doors.door import Allowed, Door, Found
from relucert.errors import SolverError

__all__ = ["FormulaMilp"]


class FormulaMilp(Door):
    """PuLP hands the programme to HiGHS; "unsat" rests on the solver's tolerance."""

    name = "milp-cnf"
    summary = "a MILP of the formula itself"
    solver = "HiGHS through PuLP"
    distribution = "highspy"
    effort_name = "simplex iterations"
    instance = "variables"
    modules = ("pulp", "highspy")

    def decide(self, formula: Satisfiability, allowed: Allowed) -> Found:
        import pulp

        started = time.monotonic()
        size = formula.variables
        if any(not clause for clause in formula.clauses):
            return Found("unsat", None, 0, size, "an empty clause")
        problem, variables = _programme(formula)
        left = max(0.01, allowed.seconds - (time.monotonic() - started))
        solver = pulp.HiGHS(msg=False, threads=1, timeLimit=left)
        try:
            problem.solve(solver)
        except pulp.PulpError as error:
            raise SolverError(f"HiGHS failed: {error}") from None
        info = problem.solverModel.getInfo()
        # HiGHS says -1 where presolve already decided.
        effort = max(0, int(info.simplex_iteration_count))
        detail = f"{max(0, int(info.mip_node_count))} nodes"
        values = [variable.varValue for variable in variables]
        if problem.status == pulp.LpStatusInfeasible:
            return Found("unsat", None, effort, size, f"{detail}, solver tolerance")
        if all(value is not None for value in values):
            assignment = tuple(float(value) > 0.5 for value in values)
            if formula.check(assignment):
                return Found("sat", assignment, effort, size, detail)
        if time.monotonic() - started >= allowed.seconds:
            return Found("unknown", None, effort, size, "time limit", "timeout")
        status = pulp.LpStatus[problem.status]
        return Found("unknown", None, effort, size, f"HiGHS: {status}, no checked assignment")


def _programme(formula: Satisfiability) -> tuple[Any, list[Any]]:
    import pulp

    problem = pulp.LpProblem("formula", pulp.LpMinimize)
    variables = [
        pulp.LpVariable(f"x{index + 1}", cat=pulp.LpBinary) for index in range(formula.variables)
    ]
    # Any feasible point will do; without variables PuLP still wants an objective.
    problem += pulp.LpAffineExpression([(variable, 0.0) for variable in variables])
    for clause in formula.clauses:
        weights: dict[int, float] = {}
        for literal in set(clause):
            sign = 1.0 if literal > 0 else -1.0
            weights[abs(literal)] = weights.get(abs(literal), 0.0) + sign
        negatives = sum(literal < 0 for literal in set(clause))
        terms = [(variables[v - 1], weight) for v, weight in sorted(weights.items())]
        problem += pulp.LpAffineExpression(terms) >= 1.0 - negatives
    return problem, variables
