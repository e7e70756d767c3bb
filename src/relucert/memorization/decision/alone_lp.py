"""One half-space: how far apart can it keep the balls inside from the points it excludes?

The programme runs over the multipliers of an `AloneConflict`: the smallest ``delta`` such that
the combination stays within ``mu + delta`` in every coordinate. At 0 there is a conflict; above,
the duals are a half-space of the widest margin. Points come and go by their columns' bounds, so
that HiGHS keeps its basis from one question to the next.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from relucert.errors import SolverError
from relucert.limits import Limits
from relucert.lp.answer import Status
from relucert.lp.highs import LpSolver
from relucert.lp.model import LinearModel

__all__ = ["TOUCHING", "AloneLp", "Blocked", "Separated"]

TOUCHING = 1e-8
"""Below this margin (points of size one) a conflict is looked for; it is confirmed exactly."""

_USED = 1e-9


@dataclass(frozen=True, eq=False)
class Separated:
    """h(x) = <weights, x> - threshold leaves balls inside positive and points negative.

    margin: the programme's delta. weights: (dimension,), in the solver's coordinates.
    """

    weights: np.ndarray
    margin: float


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
        self._counts = (inside.shape[0], outside.shape[0])
        self._dimension = inside.shape[1]
        self._solver = LpSolver(_model(inside, outside, reference, radius))
        size = inside.shape[0] + 2 * outside.shape[0] + 1
        self._cost = np.zeros(size)
        self._cost[-1] = 1.0
        self._columns = np.arange(inside.shape[0], size - 1)

    def solve(
        self, excluded: Collection[int], beyond: Collection[int], limits: Limits
    ) -> Separated | Blocked:
        """Can one half-space exclude these points, with h(q) <= h(reference) ``beyond``?

        Raises SolverError when the solver has no answer.
        """
        m, points = self._counts
        upper = np.zeros(2 * points)
        upper[list(excluded)] = 1.0
        upper[[points + index for index in beyond]] = np.inf
        self._solver.restrict(self._columns, np.zeros(2 * points), upper)
        answer = self._solver.minimise(self._cost, limits)
        if answer.status is not Status.OPTIMAL or answer.x is None or answer.duals is None:
            raise SolverError(f"the linear programme of a half-space failed ({answer.detail})")
        if answer.objective > TOUCHING:
            n = self._dimension
            return Separated(-(answer.duals[:n] + answer.duals[n : 2 * n]), answer.objective)
        x = answer.x
        return Blocked(
            _used(x[:m]), _used(x[m : m + points]), _used(x[m + points : m + 2 * points])
        )


def _used(values: np.ndarray) -> dict[int, float]:
    return {int(index): float(values[index]) for index in np.flatnonzero(values > _USED)}


def _model(
    inside: sp.csr_array, outside: sp.csr_array, reference: np.ndarray, radius: float
) -> LinearModel:
    (m, n), points = inside.shape, outside.shape[0]
    beyond = sp.csr_array(np.ones((points, 1))) @ sp.csr_array(reference[None, :]) - outside
    difference = sp.hstack([inside.T, -outside.T, beyond.T])
    slack = sp.csr_array(np.ones((n, 1)))
    sums = np.zeros((2, m + 2 * points + 1))
    sums[0, :m] = 1.0
    sums[1, m : m + points] = 1.0
    rows = sp.csr_array(
        sp.vstack([sp.hstack([difference, -slack]), sp.hstack([difference, slack]), sums])
    )
    rows.eliminate_zeros()
    size = m + 2 * points + 1
    upper = np.full(size, np.inf)
    upper[m:-1] = 0.0
    ends, free = np.full(n, radius), np.full(n, np.inf)
    return LinearModel(
        np.zeros(size),
        np.zeros(size),
        upper,
        np.zeros(size, dtype=bool),
        rows,
        np.concatenate([-free, -ends, [1.0, 1.0]]),
        np.concatenate([ends, free, [1.0, 1.0]]),
    )
