"""The three half-spaces of a bevel together: the programme over a `TiedConflict`'s multipliers.

The smallest ``delta`` by which the conditions on the multipliers (whose sum is 1) must be
relaxed; at 0 there is a conflict, above the duals are z1, z2 and c with every inequality met by
delta. An item outside is a point, or a whole ball, which then carries its radius.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from relucert.errors import SolverError
from relucert.limits import Limits
from relucert.lp.answer import Status
from relucert.lp.highs import LpSolver
from relucert.lp.model import LinearModel
from relucert.memorization.decision.alone_lp import TOUCHING

__all__ = ["Bevel", "TiedBlocked", "TiedLp"]

_USED = 1e-9
_REACH = ((0, 2), (1, 2), (0, 1))
"""Which radii bound the factors a, b and a - b."""


@dataclass(frozen=True, eq=False)
class Bevel:
    """z_k(x) = <weights[k], x> + biases[k], level c; in the solver's coordinates."""

    weights: np.ndarray
    biases: np.ndarray
    level: float
    margin: float


@dataclass(frozen=True)
class TiedBlocked:
    """Float multipliers by half-space and index; see `TiedConflict`."""

    inside: tuple[dict[int, float], ...]
    excluded: tuple[dict[int, float], ...]
    level: float


class TiedLp:
    """inside: (m, n) centres. outside: (items, n), radii (items,): 0 for a point."""

    def __init__(
        self, inside: sp.csr_array, outside: sp.csr_array, radii: np.ndarray, radius: float
    ) -> None:
        self._m, self._items = inside.shape[0], outside.shape[0]
        self._dimension = inside.shape[1]
        self._columns = np.arange(3 * self._m, 3 * (self._m + self._items))
        model = _model(inside, outside, radii, radius)
        self._cost = np.zeros(model.variable_count)
        self._cost[-1] = 1.0
        self._solver = LpSolver(model)

    def solve(self, excluded: Sequence[Collection[int]], limits: Limits) -> Bevel | TiedBlocked:
        """A bevel that excludes the items of ``excluded[j]`` by half-space j, if any.

        Raises SolverError when the solver has no answer.
        """
        upper = np.zeros(3 * self._items)
        for j, members in enumerate(excluded):
            upper[[j * self._items + index for index in members]] = 1.0
        self._solver.restrict(self._columns, np.zeros(len(upper)), upper)
        answer = self._solver.minimise(self._cost, limits)
        if answer.status is not Status.OPTIMAL or answer.x is None or answer.duals is None:
            raise SolverError(f"the linear programme of a bevel failed ({answer.detail})")
        if answer.objective > TOUCHING:
            return self._bevel(answer.duals, answer.objective)
        starts = np.cumsum([0, *[self._m] * 3, *[self._items] * 3])
        parts = [answer.x[start:end] for start, end in itertools.pairwise(starts)]
        used = [
            {int(index): float(part[index]) for index in np.flatnonzero(part > _USED)}
            for part in parts
        ]
        return TiedBlocked(tuple(used[:3]), tuple(used[3:]), float(answer.x[starts[-1]]))

    def _bevel(self, duals: np.ndarray, margin: float) -> Bevel:
        n = self._dimension
        blocks = (len(duals) - 7) // (2 * n)
        factors = duals[: 2 * n * blocks].reshape(2, blocks, n).sum(axis=0)
        weights = -factors[:2]
        if blocks == 3:
            weights = -np.array([factors[0] + factors[2], factors[1] - factors[2]])
        first, second, level = duals[2 * n * blocks : 2 * n * blocks + 3]
        return Bevel(weights, -np.array([first, second]), float(-level), margin)


def _model(
    inside: sp.csr_array, outside: sp.csr_array, radii: np.ndarray, radius: float
) -> LinearModel:
    """Columns: 3 m inside, 3 items outside, level, three sums of radii, delta."""
    (m, n), items = inside.shape, outside.shape[0]
    balls = radius > 0 or bool(np.any(radii > 0))
    none_in, none_out = sp.csr_array((n, m)), sp.csr_array((n, items))
    x, q = inside.T, outside.T
    a = sp.hstack([-x, none_in, -x, q, none_out, q])
    b = sp.hstack([none_in, -x, -x, none_out, q, q])
    factors = sp.vstack([a, b, a - b] if balls else [a, b])
    reach = sp.vstack(
        [
            sp.csr_array(np.ones((n, 1)) * np.isin(np.arange(3), members))
            for members in _REACH[: 3 if balls else 2]
        ]
    )
    level, slack = sp.csr_array((factors.shape[0], 1)), np.ones((factors.shape[0], 1))
    high = sp.hstack([factors, level, -reach, -slack])
    low = sp.hstack([factors, level, reach, slack])
    rows = sp.csr_array(sp.vstack([high, low, _sums(m, items, radii, radius)]))
    rows.eliminate_zeros()
    size = rows.shape[1]
    upper = np.full(size, np.inf)
    upper[3 * m : 3 * (m + items)] = 0.0
    zeros, free = np.zeros(high.shape[0]), np.full(high.shape[0], np.inf)
    sums = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0])
    return LinearModel(
        np.zeros(size),
        np.zeros(size),
        upper,
        np.zeros(size, dtype=bool),
        rows,
        np.concatenate([-free, zeros, sums]),
        np.concatenate([zeros, free, sums]),
    )


def _sums(m: int, items: int, radii: np.ndarray, radius: float) -> np.ndarray:
    """The balances of b1, b2 and c, the three sums of radii, the sum of all multipliers."""
    sums = np.zeros((7, 3 * (m + items) + 5))
    for j in range(3):
        kept = slice(j * m, (j + 1) * m)
        out = slice(3 * m + j * items, 3 * m + (j + 1) * items)
        for own in (0, 1):
            if j in (own, 2):
                sums[own, kept], sums[own, out] = -1.0, 1.0
        sums[2, kept], sums[2, out] = 1.0, -1.0
        sums[3 + j, kept], sums[3 + j, out] = radius, radii
        sums[3 + j, 3 * (m + items) + 1 + j] = -1.0
        sums[6, kept] = sums[6, out] = 1.0
    sums[2, 3 * (m + items)] = sums[6, 3 * (m + items)] = 1.0
    return sums
