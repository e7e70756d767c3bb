"""Decide one case of a query with linear bounds, linear programmes and a MILP, in that order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from relucert.bounds.backward import Relaxation, lower_bounds
from relucert.bounds.interval import Intervals
from relucert.bounds.unsafe import FloatRows, best_bound, distance, float_rows, row_bounds
from relucert.errors import SolverError
from relucert.limits import Limits
from relucert.lp.answer import Answer, Status
from relucert.lp.highs import MIP_TOLERANCE, LpSolver, solve_mip
from relucert.lp.safe_dual import safe_lower_bound
from relucert.milp.encode import Encoding, encode_network
from relucert.milp.objective import Objective, add_objective, solver_margin
from relucert.milp.pulp_model import solve_with_pulp
from relucert.milp.tighten import Narrowed, narrow_towards
from relucert.network import Network
from relucert.query import Case, Polyhedron, Query
from relucert.verdict import Method, Proved, Reason, Unknown, Verdict, Violated, combined, confirm

__all__ = ["MilpOptions", "Progress", "decide_case"]

Progress = Callable[[str], None]
Falsify = Callable[[Polyhedron], Violated | None]
_NARROWING_SHARE = 0.25
_SMALLEST_MARGIN = 1e-6
_LARGEST_MARGIN = 0.25


@dataclass(frozen=True)
class MilpOptions:
    """solver: "HiGHS" (in memory) or any solver PuLP knows. use_mip: stop after the LP if not."""

    solver: str = "HiGHS"
    use_mip: bool = True


@dataclass(frozen=True, eq=False)
class _Question:
    """Everything one polyhedron's decision needs."""

    network: Network
    query: Query
    case: Case
    chain: list[Relaxation]
    box: Intervals
    rows: FloatRows
    options: MilpOptions
    limits: Limits

    def confirmed(self, encoding: Encoding, x: np.ndarray | None) -> Violated | None:
        """The input of a model solution, if it really is a counterexample."""
        if x is None or not np.isfinite(x).all():
            return None
        point = self.case.box.nearest_rationals(encoding.inputs.values(x))
        return confirm(self.network, self.query, point)


def decide_case(
    network: Network,
    query: Query,
    case: Case,
    chain: list[Relaxation],
    options: MilpOptions,
    limits: Limits,
    attack: Falsify,
    progress: Progress | None = None,
) -> Verdict:
    """Proved, Violated or Unknown for one case; ``chain`` holds valid bounds on its box.

    ``attack`` is a harder look for a counterexample, asked before a MILP is begun.

    Polyhedra are taken from the one that looks easiest to reach, so that violations come first.
    """
    box = Intervals(*case.box.enclosing_floats)
    ordered = sorted(
        ((best_bound(chain, box, part), index) for index, part in enumerate(case.unsafe)),
        key=lambda pair: pair[0],
    )
    verdicts: list[Verdict] = []
    for place, (bound, index) in enumerate(ordered):
        if bound > 0:
            verdicts.append(Proved(Method.BOUNDS))
            continue
        if progress is not None:
            progress(f"unsafe set {place + 1} of {len(ordered)}")
        question = _Question(
            network, query, case, chain, box, float_rows(case.unsafe[index]), options, limits
        )
        verdict = _decide(question, partial(attack, case.unsafe[index]), progress)
        if isinstance(verdict, Violated):
            return verdict
        verdicts.append(verdict)
    return combined(verdicts) if verdicts else Proved(Method.EMPTY)


def _decide(
    question: _Question, attack: Callable[[], Violated | None], progress: Progress | None
) -> Verdict:
    """One polyhedron that linear bounds did not refute."""
    if not len(question.rows.limits):
        centre = 0.5 * question.box.lower + 0.5 * question.box.upper
        point = question.case.box.nearest_rationals(centre)
        return confirm(question.network, question.query, point) or Unknown(Reason.ENGINE)
    if question.limits.out_of_time:
        return Unknown(Reason.TIME, "no time left for this unsafe set")
    if question.limits.out_of_memory:
        return Unknown(Reason.MEMORY)
    try:
        share = question.limits.within(_NARROWING_SHARE * question.limits.remaining)
        start = Narrowed(question.box, question.chain)
        narrowed = narrow_towards(question.network, start, question.rows, share)
        if narrowed is None:
            return Proved(Method.LP_DUAL)
        question = replace(question, box=narrowed.box, chain=narrowed.chain)
        if distance(question.chain, question.box, question.rows).best > 0:
            return Proved(Method.LP_DUAL)
        encoding = encode_network(question.chain, question.box)
        objective = _objective(question, encoding)
    except SolverError as error:
        return Unknown(Reason.NUMERICS, str(error))
    if isinstance(objective, Unknown):
        return objective
    verdict = _by_linear_programme(question, encoding, objective)
    if verdict is not None:
        return verdict
    if not question.options.use_mip:
        return Unknown(Reason.ENGINE, "linear programme too loose")
    return attack() or _by_mip(question, encoding, objective, progress)


def _objective(question: _Question, encoding: Encoding) -> Objective | Unknown:
    rows = question.rows
    low = row_bounds(question.chain, question.box, rows)
    with np.errstate(all="ignore"):
        high = -lower_bounds(question.chain, question.box, -rows.coefficients) - rows.limits
    reach = np.maximum(np.abs(low), np.abs(high)) * (1 + 1e-9)
    if not np.isfinite(reach).all():
        return Unknown(Reason.NUMERICS, "a bound on the outputs is not finite")
    size = float(reach.max())
    margin = max(solver_margin(question.chain, rows), _SMALLEST_MARGIN * size)
    if not margin <= _LARGEST_MARGIN * size:
        return Unknown(
            Reason.NUMERICS,
            f"the solver's tolerance could shift the margin by {margin:.3g}, "
            f"its range is only {size:.3g}",
        )
    return add_objective(encoding, rows, low, reach, margin)


def _by_linear_programme(
    question: _Question, encoding: Encoding, objective: Objective
) -> Verdict | None:
    """Proved by the LP's dual, Violated by its solution, or None."""
    model = objective.model
    answer = LpSolver(model, question.limits.threads).minimise(model.cost, question.limits)
    if answer.duals is not None:
        infeasible = answer.status is Status.INFEASIBLE
        cost = np.zeros(model.variable_count) if infeasible else model.cost
        bound = safe_lower_bound(model, cost, answer.duals, abs(model.rows))
        # The model admits every input that reaches the polyhedron, with an objective <= 0.
        if bound > 0:
            return Proved(Method.LP_DUAL)
    return question.confirmed(encoding, answer.x)


def _by_mip(
    question: _Question, encoding: Encoding, objective: Objective, progress: Progress | None
) -> Verdict:
    found: list[Violated] = []

    def stop(x: np.ndarray) -> bool:
        if x[objective.column] > 0:
            return False
        violated = question.confirmed(encoding, x)
        if violated is not None:
            found.append(violated)
        return violated is not None

    def report(bound: float, best: float, nodes: int) -> None:
        if progress is not None:
            progress(f"MILP: {nodes} nodes, margin at least {objective.value(bound):.4g}")

    if question.options.solver.upper() == "HIGHS":
        answer = solve_mip(
            objective.model, question.limits, stop=stop, progress=report, heuristics=False
        )
    else:
        answer = solve_with_pulp(objective.model, question.options.solver, question.limits)
    if found:
        return found[0]
    return question.confirmed(encoding, answer.x) or _meaning(answer, objective)


def _meaning(answer: Answer, objective: Objective) -> Verdict:
    """What a MILP answer without a confirmed counterexample is worth; every status is listed."""
    if answer.status is Status.INFEASIBLE:
        return Proved(Method.MILP, MIP_TOLERANCE)
    if answer.status is Status.OPTIMAL:
        value = objective.value(answer.objective)
        return Unknown(
            Reason.MARGIN,
            f"smallest margin {value:.3g} lies within the solver's reach of {objective.margin:.3g}",
        )
    if answer.status in (Status.TIME, Status.MEMORY):
        reason = Reason.TIME if answer.status is Status.TIME else Reason.MEMORY
        if not np.isfinite(answer.bound):
            return Unknown(reason)
        bound = objective.value(answer.bound)
        return Unknown(reason, f"margin at least {bound:.4g} according to the solver")
    return Unknown(Reason.SOLVER, answer.detail)
