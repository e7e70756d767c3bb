"""Open half-spaces, exact and in floats, and what they say about single coordinates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["SLACK", "HalfSpace", "propagated"]

SLACK = 1e-12
"""More than rounding can lose, relative to the numbers summed."""

_SMALL = 1e-6
_TINY = 1e-250
_LEAST = 5e-324


@dataclass(frozen=True, eq=False)
class HalfSpace:
    """``row @ (w, t) > 0``; row: integer objects (m + 1,).

    floats: the row at size one, rounded, and zero only where the row is.
    """

    row: np.ndarray
    floats: np.ndarray

    @classmethod
    def of(cls, row: np.ndarray) -> HalfSpace:
        """Scale a row that is not zero."""
        size = max(abs(int(value)) for value in row)
        floats = [int(value) / size or _LEAST * ((value > 0) - (value < 0)) for value in row]
        return cls(row, np.array(floats))


def propagated(
    a: np.ndarray, b: np.ndarray, low: np.ndarray, high: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Bounds implied by ``a @ w + b > 0`` for ``low <= w <= high``, loosened by a slack.

    Rows have entries of at most one, rounded. From row i follows
    ``a_ij w_j > -b_i - sum of the largest others``.
    """
    with np.errstate(all="ignore"):
        most = np.maximum(a * low, a * high)
        most[a == 0] = 0.0
        # A product with a coefficient this small is not to be trusted.
        infinite = ~np.isfinite(most) | ((a != 0) & (np.abs(a) < _TINY))
        finite = np.where(infinite, 0.0, most)
        others = finite.sum(axis=1, keepdims=True) - finite
        others[infinite.sum(axis=1, keepdims=True) - infinite > 0] = np.inf
        size = np.abs(finite).sum(axis=1, keepdims=True) + np.abs(b)[:, np.newaxis]
        limit = -b[:, np.newaxis] - others - SLACK * size - _TINY
        ends = limit / a
        ends = ends + np.where(a > 0, -1.0, 1.0) * SLACK * np.abs(ends)
        usable = np.isfinite(ends) & (np.abs(a) > _SMALL)
        low = np.maximum(low, np.where(usable & (a > 0), ends, -np.inf).max(axis=0))
        high = np.minimum(high, np.where(usable & (a < 0), ends, np.inf).min(axis=0))
    return low, high
