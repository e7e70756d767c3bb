"""A valid lower bound from any multipliers (Neumaier & Shcherbina 2004).

For rows ``r_l <= R x <= r_u`` and bounds ``l <= x <= u``, every vector y gives
``cost @ x >= sum_i min(y_i r_l_i, ...) + sum_j min(d_j l_j, d_j u_j)`` with ``d = cost - R^T y``,
where a positive y_i takes the lower row end and a negative one the upper. The solver's duals make
the bound good; nothing it says is believed. Rounding is bounded and subtracted.
"""

from __future__ import annotations

import numpy as np

from relucert.bounds.rounding import SAFETY, UNDERFLOW, gamma
from relucert.lp.model import LinearModel

__all__ = ["safe_lower_bound"]


def safe_lower_bound(
    model: LinearModel, cost: np.ndarray, multipliers: np.ndarray, absolute_rows: object
) -> float:
    """A number not above ``min cost @ x`` over the model's linear relaxation.

    cost: (variables,). multipliers: (rows,), any finite values. absolute_rows: ``abs(model.rows)``,
    passed in because it is used again and again. -inf when nothing can be said.
    """
    y = np.where(np.isfinite(multipliers), multipliers, 0.0)
    ends = np.where(y > 0, model.row_lower, model.row_upper)
    y = np.where(np.isfinite(ends), y, 0.0)
    ends = np.where(np.isfinite(ends), ends, 0.0)
    with np.errstate(all="ignore"):
        reduced = cost - model.rows.T @ y
        size = np.abs(cost) + absolute_rows.T @ np.abs(y)  # type: ignore[attr-defined]
        slack = (gamma(len(y)) * size + UNDERFLOW * (len(y) + 8)) * SAFETY
        reach = np.maximum(np.abs(model.lower), np.abs(model.upper))
        best = np.minimum(reduced * model.lower, reduced * model.upper)
        best = np.where(reduced == 0.0, 0.0, best)
        reach_loss = np.where((slack > 0) & (reach > 0), slack * reach, 0.0)
        by_rows, by_columns = float(y @ ends), float(best.sum())
        total_size = float(np.abs(y) @ np.abs(ends)) + float(np.abs(best).sum())
        lost = float(reach_loss.sum()) + gamma(len(y) + len(cost)) * total_size
        bound = by_rows + by_columns - lost * SAFETY - UNDERFLOW * (len(y) + len(cost))
    return bound if np.isfinite(bound) else -np.inf
