"""A model as a PuLP problem, for any solver that PuLP knows (the only file that imports pulp)."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from relucert.errors import SolverError, UsageError
from relucert.limits import Limits
from relucert.lp.answer import Answer, Status
from relucert.lp.model import LinearModel

__all__ = ["available_solvers", "check_solver", "solve_with_pulp", "to_pulp"]

_SHORT_NAMES = {"CBC": "PULP_CBC_CMD", "SCIP": "SCIP_PY", "GLPK": "GLPK_CMD", "CPLEX": "CPLEX_PY"}


def to_pulp(model: LinearModel, name: str = "relucert") -> tuple[Any, list[Any]]:
    """The model as ``(pulp.LpProblem, variables)``; variable i is ``x{i}``."""
    import pulp

    problem = pulp.LpProblem(name, pulp.LpMinimize)
    variables = [
        pulp.LpVariable(
            f"x{index}",
            float(model.lower[index]),
            float(model.upper[index]),
            pulp.LpInteger if model.integer[index] else pulp.LpContinuous,
        )
        for index in range(model.variable_count)
    ]
    used = np.flatnonzero(model.cost)
    problem += pulp.LpAffineExpression([(variables[i], float(model.cost[i])) for i in used])
    starts, columns, values = model.rows.indptr, model.rows.indices, model.rows.data
    for row in range(model.rows.shape[0]):
        span = slice(starts[row], starts[row + 1])
        terms = [
            (variables[column], float(value))
            for column, value in zip(columns[span], values[span], strict=True)
        ]
        low, high = float(model.row_lower[row]), float(model.row_upper[row])
        expression = pulp.LpAffineExpression(terms)
        if low == high:
            problem += expression == low
            continue
        if np.isfinite(low):
            problem += expression >= low
        if np.isfinite(high):
            problem += pulp.LpAffineExpression(terms) <= high
    return problem, variables


def available_solvers() -> list[str]:
    """PuLP's names of the solvers that are installed here."""
    import pulp

    return [str(name) for name in pulp.listSolvers(onlyAvailable=True)]


def solve_with_pulp(
    model: LinearModel, solver: str, limits: Limits, start: np.ndarray | None = None
) -> Answer:
    """Minimise with the named PuLP solver ("CBC", "SCIP", "GUROBI", any of PuLP's names).

    Raises UsageError when PuLP does not know the name, SolverError when the solver is not
    installed or dies.
    """
    import pulp

    chosen = _solver(solver, limits, start is not None)
    problem, variables = to_pulp(model)
    if start is not None:
        for variable, value in zip(variables, start, strict=True):
            variable.setInitialValue(float(value), check=False)
    try:
        with tempfile.TemporaryDirectory(prefix="relucert-") as folder, _killed_if_cut_short():
            chosen.tmpDir = folder
            problem.solve(chosen)
    except (pulp.PulpError, OSError) as error:
        raise SolverError(f"solver {solver} failed: {error}") from None
    return _answer(problem, variables, limits, solver)


@contextmanager
def _killed_if_cut_short() -> Iterator[None]:
    """End the solver's process when what is done inside ends by an exception.

    PuLP keeps no handle on the programmes it starts: after Ctrl-C they would run on to their
    time limit. So they are noted where they start, for as long as this context lasts.
    """
    started: list[subprocess.Popen[Any]] = []
    ordinary = subprocess.Popen

    class Noted(ordinary):  # type: ignore[misc, valid-type]
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            started.append(self)

    subprocess.Popen = Noted  # type: ignore[misc]
    try:
        yield
    except BaseException:
        for process in started:
            process.kill()
            process.wait()
        raise
    finally:
        subprocess.Popen = ordinary  # type: ignore[misc]


def check_solver(name: str) -> None:
    """Raise UsageError or SolverError unless ``name`` is HiGHS or a solver that PuLP can run."""
    if name.upper() != "HIGHS":
        _solver(name, Limits(), warm=False)


def _solver(name: str, limits: Limits, warm: bool) -> Any:
    import pulp

    known = {entry.upper(): entry for entry in pulp.listSolvers()}
    wanted = known.get(_SHORT_NAMES.get(name.upper(), name).upper())
    if wanted is None:
        raise UsageError(f"unknown solver {name!r}; PuLP knows {', '.join(sorted(known.values()))}")
    options: dict[str, Any] = {"msg": False}
    if np.isfinite(limits.remaining):
        options["timeLimit"] = max(1.0, limits.remaining)
    if wanted in ("PULP_CBC_CMD", "COIN_CMD"):
        options |= {"threads": limits.threads, "gapRel": 0.0, "warmStart": warm}
    chosen = pulp.getSolver(wanted, **options)
    if not chosen.available():
        raise SolverError(
            f"solver {name} is not installed; installed: {', '.join(available_solvers())}"
        )
    return chosen


def _answer(problem: Any, variables: list[Any], limits: Limits, solver: str) -> Answer:
    import pulp

    detail = f"{solver}: {pulp.LpStatus[problem.status]}, {pulp.LpSolution[problem.sol_status]}"
    values = [variable.varValue for variable in variables]
    x = None if any(value is None for value in values) else np.array(values, dtype=np.float64)
    if problem.sol_status == pulp.LpSolutionOptimal and x is not None:
        value = float(pulp.value(problem.objective) or 0.0)
        return Answer(Status.OPTIMAL, x, value, value, detail=detail)
    if problem.status == pulp.LpStatusInfeasible and not limits.out_of_time:
        return Answer(Status.INFEASIBLE, detail=detail)
    if problem.sol_status == pulp.LpSolutionIntegerFeasible and x is not None:
        return Answer(Status.TIME, x, float(pulp.value(problem.objective) or 0.0), detail=detail)
    status = Status.TIME if limits.out_of_time else Status.FAILED
    return Answer(status, detail=detail)
