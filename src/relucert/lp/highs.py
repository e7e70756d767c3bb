"""HiGHS, handed arrays in memory (the only file that imports highspy)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp

from relucert.limits import Limits
from relucert.lp.answer import Answer, Status
from relucert.lp.model import LinearModel

__all__ = ["MIP_TOLERANCE", "LpSolver", "solve_mip"]

MIP_TOLERANCE = 1e-7
"""Feasibility and integrality tolerance asked of HiGHS; variables are scaled to about one."""

_SMALLEST_ENTRY = 1e-12
_LONG_PROGRAMME = 20_000
_PATIENCE_SECONDS = 1.0


class LpSolver:
    """The linear relaxation of a model, minimised for one objective after another.

    HiGHS keeps its basis between calls, so a changed objective costs few pivots.
    """

    def __init__(self, model: LinearModel, threads: int = 1) -> None:
        self._highs = _loaded(model, threads, relaxed=True)
        # A small programme ends before anyone presses Ctrl-C; a thread each would cost more.
        self._long = model.rows.nnz > _LONG_PROGRAMME

    def minimise(self, cost: np.ndarray, limits: Limits) -> Answer:
        """Minimise ``cost @ x``; duals come with OPTIMAL, a Farkas ray with INFEASIBLE."""
        highs = self._highs
        size = len(cost)
        highs.changeColsCost(size, np.arange(size, dtype=np.int32), cost)
        highs.setOptionValue("time_limit", highs.getRunTime() + min(limits.remaining, 1e9))
        if self._long:
            watch = _Watch(limits, None, None)
            watch.attach(highs)
            _run_interruptibly(highs, watch)
            watch.detach(highs)
        else:
            highs.run()
        _count(highs, limits)
        status, detail = _status(highs)
        if status is Status.OPTIMAL:
            solution = highs.getSolution()
            value = float(highs.getInfo().objective_function_value)
            return Answer(
                status,
                np.array(solution.col_value),
                value,
                value,
                np.array(solution.row_dual),
                detail=detail,
            )
        if status is Status.INFEASIBLE:
            return Answer(status, duals=_farkas_ray(highs), detail=detail)
        return Answer(status, detail=detail)

    def restrict(self, columns: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> None:
        """Replace the bounds of some variables."""
        self._highs.changeColsBounds(len(columns), columns.astype(np.int32), lower, upper)


def solve_mip(
    model: LinearModel,
    limits: Limits,
    *,
    start: np.ndarray | None = None,
    stop: Callable[[np.ndarray], bool] | None = None,
    progress: Callable[[float, float, int], None] | None = None,
    heuristics: bool = True,
) -> Answer:
    """Minimise the model. ``start`` is a known solution, (variables,).

    ``heuristics`` false spends no time on guessing solutions (an attack has done that already).

    ``stop`` sees every improving solution and ends the solve by returning True; ``progress`` gets
    (dual bound, primal bound, nodes) now and then. Ctrl-C stops HiGHS cleanly and is raised on.
    """
    highs = _loaded(model, limits.threads, relaxed=False)
    if not heuristics:
        highs.setOptionValue("mip_heuristic_effort", 0.0)
    if start is not None:
        solution = _highspy().HighsSolution()
        solution.col_value = [float(value) for value in start]
        highs.setSolution(solution)
    highs.setOptionValue("time_limit", min(limits.remaining, 1e9))
    watch = _Watch(limits, stop, progress)
    watch.attach(highs)
    _run_interruptibly(highs, watch)
    _count(highs, limits)
    if watch.error is not None:
        raise watch.error
    return _mip_answer(highs, watch)


class _Watch:
    """Callbacks during a MIP solve: limits, early stop, progress."""

    def __init__(
        self,
        limits: Limits,
        stop: Callable[[np.ndarray], bool] | None,
        progress: Callable[[float, float, int], None] | None,
    ) -> None:
        self.limits, self.stop, self.progress = limits, stop, progress
        self.cancelled = threading.Event()
        self.stopped_at: np.ndarray | None = None
        self.reason: Status | None = None
        self.error: BaseException | None = None

    def attach(self, highs: Any) -> None:
        highs.cbMipInterrupt += self.on_interrupt
        highs.cbSimplexInterrupt += self.on_interrupt
        if self.stop is not None:
            highs.cbMipImprovingSolution += self.on_solution

    def detach(self, highs: Any) -> None:
        highs.cbMipInterrupt -= self.on_interrupt
        highs.cbSimplexInterrupt -= self.on_interrupt
        if self.stop is not None:
            highs.cbMipImprovingSolution -= self.on_solution

    def on_interrupt(self, event: Any) -> None:
        if self.reason is None and self.limits.out_of_memory:
            self.reason = Status.MEMORY
        if self.reason is None and self.limits.out_of_time:
            self.reason = Status.TIME
        if self.progress is not None and self.reason is None:
            data = event.data_out
            self.progress(data.mip_dual_bound, data.mip_primal_bound, data.mip_node_count)
        if self.reason is not None or self.cancelled.is_set():
            event.interrupt()

    def on_solution(self, event: Any) -> None:
        # An exception must not travel through the solver's C++ frames: kept, raised afterwards.
        try:
            x = np.array(event.data_out.mip_solution)
            if self.reason is None and self.stop is not None and self.stop(x):
                self.stopped_at, self.reason = x, Status.STOPPED
        except Exception as error:
            self.error, self.reason = error, Status.STOPPED


def _run_interruptibly(highs: Any, watch: _Watch) -> None:
    """Run in a thread, so that Ctrl-C reaches Python and can cancel the solve."""
    done = threading.Event()

    def run() -> None:
        try:
            highs.run()
        finally:
            done.set()

    threading.Thread(target=run, daemon=True).start()
    # Not Thread.join: interrupted, it takes the thread for stopped (CPython 3.11), and leaving
    # while HiGHS runs would end the process in an abort.
    try:
        while not done.wait(0.2):
            pass
    except KeyboardInterrupt:
        watch.cancelled.set()
        # Presolve asks nobody: who leaves the process then has to end it without clean-up.
        done.wait(_PATIENCE_SECONDS)
        raise


def _count(highs: Any, limits: Limits) -> None:
    """Add what the last run did; HiGHS says -1 for what does not apply."""
    info = highs.getInfo()
    limits.work.programmes += 1
    limits.work.iterations += max(0, int(info.simplex_iteration_count))
    limits.work.nodes += max(0, int(info.mip_node_count))


def _mip_answer(highs: Any, watch: _Watch) -> Answer:
    status, detail = _status(highs)
    if watch.reason is not None and status not in (Status.OPTIMAL, Status.INFEASIBLE):
        status = watch.reason
    info = highs.getInfo()
    has_point = bool(highs.getSolution().value_valid)
    x = np.array(highs.getSolution().col_value) if has_point else watch.stopped_at
    return Answer(
        status,
        x,
        float(info.objective_function_value) if has_point else np.inf,
        float(info.mip_dual_bound),
        nodes=int(info.mip_node_count),
        detail=detail,
    )


def _highspy() -> Any:
    import highspy

    return highspy


def _loaded(model: LinearModel, threads: int, relaxed: bool) -> Any:
    highspy = _highspy()
    highs = highspy.Highs()
    highs.silent()
    options = {
        "threads": threads,
        "mip_rel_gap": 0.0,
        "mip_abs_gap": 0.0 if relaxed else 1e-9,
        "mip_feasibility_tolerance": MIP_TOLERANCE,
        "primal_feasibility_tolerance": MIP_TOLERANCE,
        "dual_feasibility_tolerance": MIP_TOLERANCE,
        "small_matrix_value": _SMALLEST_ENTRY,
    }
    for name, value in options.items():
        highs.setOptionValue(name, value)
    rows = sp.csc_array(model.rows)
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = model.variable_count, rows.shape[0]
    lp.col_cost_ = model.cost
    lp.col_lower_, lp.col_upper_ = model.lower, model.upper
    lp.row_lower_, lp.row_upper_ = model.row_lower, model.row_upper
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_, lp.a_matrix_.index_ = rows.indptr, rows.indices
    lp.a_matrix_.value_ = rows.data
    if not relaxed and model.integer.any():
        kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
        lp.integrality_ = [kinds[int(flag)] for flag in model.integer]
    highs.passModel(lp)
    return highs


def _status(highs: Any) -> tuple[Status, str]:
    kinds = _highspy().HighsModelStatus
    said = highs.getModelStatus()
    mapping = {
        kinds.kOptimal: Status.OPTIMAL,
        kinds.kInfeasible: Status.INFEASIBLE,
        kinds.kTimeLimit: Status.TIME,
        kinds.kMemoryLimit: Status.MEMORY,
        kinds.kInterrupt: Status.STOPPED,
        kinds.kHighsInterrupt: Status.STOPPED,
        kinds.kSolutionLimit: Status.STOPPED,
        kinds.kObjectiveTarget: Status.STOPPED,
        kinds.kObjectiveBound: Status.STOPPED,
    }
    # Everything else (unbounded, load and solve errors, "unknown") is a failure to decide: our
    # models are bounded, so "unbounded or infeasible" is no answer either.
    return mapping.get(said, Status.FAILED), f"HiGHS: {highs.modelStatusToString(said)}"


def _farkas_ray(highs: Any) -> np.ndarray | None:
    try:
        ray = highs.getDualRay()
    except (RuntimeError, ValueError):
        return None
    return np.array(ray[2]) if ray[1] else None
