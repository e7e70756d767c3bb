"""One half-space: can it keep the balls inside and exclude given points, and how widely?

The programmes run over the multipliers of an `AloneConflict`. Feasible multipliers are a
conflict. Where there are none, the smallest ``delta`` such that some combination stays within
``mu + delta`` in every coordinate has a half-space of the widest margin as its duals. Points
come and go by their columns' bounds, so that HiGHS keeps its basis from one question to the
next; questions about different half-spaces have a solver each, for their answers change less.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from relucert.errors import SolverError
from relucert.limits import Limits
from relucert.lp.answer import Answer, Status
from relucert.lp.highs import LpSolver
from relucert.lp.model import LinearModel

__all__ = ["TOUCHING", "AloneLp", "Blocked"]

TOUCHING = 1e-8
"""Below this margin (points of size one) half-spaces are not told from conflicts."""

_USED = 1e-9


@dataclass(frozen=True)
class Blocked:
    """Float multipliers of a conflict, by index; see `AloneConflict`."""

    inside: dict[int, float]
    excluded: dict[int, float]
    beyond: dict[int, float]


class AloneLp:
    """inside: (m, n) centres; outside: (points, n); reference: (n,), for ``beyond``."""

    def __init__(
        self, inside: sp.csr_array, outside: sp.csr_array, reference: np.ndarray, radius: float
    ) -> None:
        self._m, self._points = inside.shape[0], outside.shape[0]
        self._dimension = inside.shape[1]
        self._columns = np.arange(self._m, self._m + 2 * self._points)
        self._model = _feasibility(inside, outside, reference, radius)
        self._radius = radius
        self._solvers: dict[int, LpSolver] = {}

    def conflict(
        self, excluded: Collection[int], beyond: Collection[int], slot: int, limits: Limits
    ) -> Blocked | None:
        """Multipliers that deny a half-space with these points; None when there are none.

        slot: questions with one number share a solver. Raises SolverError without an answer.
        """
        upper = self._upper(excluded, beyond)
        answer = self._solved(slot, upper, limits)
        if answer.status is Status.FAILED:
            del self._solvers[slot]  # a basis from another question led nowhere: start afresh
            answer = self._solved(slot, upper, limits)
        if answer.status is Status.INFEASIBLE:
            return None
        if answer.status is Status.FAILED:
            answer = self._margin(excluded, beyond, limits)
            if answer.objective > TOUCHING:
                return None
        if answer.status is not Status.OPTIMAL or answer.x is None:
            raise SolverError(f"the linear programme of a half-space failed ({answer.detail})")
        return Blocked(
            _used(answer.x[: self._m]),
            _used(answer.x[self._m : self._m + self._points]),
            _used(answer.x[self._m + self._points : self._m + 2 * self._points]),
        )

    def _solved(self, slot: int, upper: np.ndarray, limits: Limits) -> Answer:
        if slot not in self._solvers:
            self._solvers[slot] = LpSolver(self._model)
        solver = self._solvers[slot]
        solver.restrict(self._columns, np.zeros(2 * self._points), upper)
        return solver.minimise(self._model.cost, limits)

    def separates(self, excluded: Collection[int], beyond: Collection[int], limits: Limits) -> bool:
        """Whether there is clearly a half-space, by the margin: slower than `conflict`, surer."""
        return self._margin(excluded, beyond, limits).objective > TOUCHING

    def widest(self, excluded: Collection[int], limits: Limits) -> np.ndarray | None:
        """Weights (dimension,) of the half-space of widest margin that excludes these points.

        In the solver's coordinates. None when there is none. Raises SolverError without answer.
        """
        answer = self._margin(excluded, (), limits)
        n = self._dimension
        if answer.objective <= TOUCHING or answer.duals is None:
            return None
        return np.asarray(-(answer.duals[:n] + answer.duals[n : 2 * n]))

    def _margin(self, excluded: Collection[int], beyond: Collection[int], limits: Limits) -> Answer:
        model = _margin_model(self._model, self._dimension, self._radius)
        solver = LpSolver(model)
        upper = self._upper(excluded, beyond)
        solver.restrict(self._columns, np.zeros(2 * self._points), upper)
        answer = solver.minimise(model.cost, limits)
        if answer.status is not Status.OPTIMAL:
            raise SolverError(f"the linear programme of a half-space failed ({answer.detail})")
        return answer

    def _upper(self, excluded: Collection[int], beyond: Collection[int]) -> np.ndarray:
        upper = np.zeros(2 * self._points)
        upper[list(excluded)] = 1.0
        upper[[self._points + index for index in beyond]] = np.inf
        return upper


def _used(values: np.ndarray) -> dict[int, float]:
    return {int(index): float(values[index]) for index in np.flatnonzero(values > _USED)}


def _feasibility(
    inside: sp.csr_array, outside: sp.csr_array, reference: np.ndarray, radius: float
) -> LinearModel:
    """Columns: multipliers inside, excluded, beyond. Rows: coordinates, then the two sums."""
    (m, n), points = inside.shape, outside.shape[0]
    beyond = sp.csr_array(np.ones((points, 1))) @ sp.csr_array(reference[None, :]) - outside
    sums = np.zeros((2, m + 2 * points))
    sums[0, :m] = 1.0
    sums[1, m : m + points] = 1.0
    rows = sp.csr_array(sp.vstack([sp.hstack([inside.T, -outside.T, beyond.T]), sums]))
    rows.eliminate_zeros()
    size = m + 2 * points
    upper = np.full(size, np.inf)
    upper[m:] = 0.0
    ends = np.append(np.full(n, radius), [1.0, 1.0])
    return LinearModel(
        np.zeros(size), np.zeros(size), upper, np.zeros(size, dtype=bool), rows,
        np.append(-ends[:n], [1.0, 1.0]), ends,
    )  # fmt: skip


def _margin_model(model: LinearModel, n: int, radius: float) -> LinearModel:
    """The same with one more column, delta, by which every coordinate may go beyond."""
    size = model.variable_count + 1
    coordinates, sums = model.rows[:n], model.rows[n:]
    slack = sp.csr_array(np.ones((n, 1)))
    none = sp.csr_array((2, 1))
    rows = sp.vstack(
        [
            sp.hstack([coordinates, -slack]),
            sp.hstack([coordinates, slack]),
            sp.hstack([sums, none]),
        ]
    )
    cost = np.zeros(size)
    cost[-1] = 1.0
    free, ends = np.full(n, np.inf), np.full(n, radius)
    return LinearModel(
        cost, np.zeros(size), np.append(model.upper, np.inf), np.zeros(size, dtype=bool),
        sp.csr_array(rows), np.concatenate([-free, -ends, [1.0, 1.0]]),
        np.concatenate([ends, free, [1.0, 1.0]]),
    )  # fmt: skip
