"""A linear programme over the relaxation of one box: dense dual simplex with bounds.

    minimise one atom over the normalised inputs t and the symbols' post-activations a,
    where a_q >= z_q,  a_q <= s_q (z_q - l_q),  decided ReLUs keep their side,
    the other atoms are at most zero,  |t_j| <= 1,  0 <= a_q <= u_q.

Every structural variable is boxed, so the all-slack basis is dual feasible from the start. The
dictionary ``basic_i = constant_i + sum_j table_ij nonbasic_j`` is kept explicitly. It works with
tolerances and is never believed: only its multipliers are used, see `duals`.
"""

from __future__ import annotations

import numpy as np

from relucert.search.star.compiling import compiled
from relucert.search.star.problem import Flat
from relucert.search.star.work import Tableau, Work

__all__ = ["INFEASIBLE", "OPTIMAL", "POSITIVE", "build", "solve"]

OPTIMAL, POSITIVE, INFEASIBLE, GIVEN_UP = range(4)
"""Solved; the dual bound is above zero; no point at all; too many pivots."""

_TOLERANCE = 1e-9
_MOST_PIVOTS = 400


@compiled
def put_row(
    flat: Flat, work: Work, lp: Tableau, i: int, c: int, factor: float, columns: int
) -> None:
    """Row i of the dictionary: ``factor`` times the form of coordinate c."""
    free = len(flat.free)
    for j in range(columns):
        lp.table[i, j] = 0.0
    for j in range(free):
        lp.table[i, j] = factor * work.rows[c, j]
    lp.constant[i] = factor * work.rows[c, free]
    for j in range(free + 1, work.width[c]):
        lp.table[i, j - 1] = factor * work.rows[c, j]


@compiled
def build(
    flat: Flat, work: Work, lp: Tableau, first: int, last: int, chosen: int,
    symbols: int, splits: int,
) -> int:  # fmt: skip
    """Set up the programme that minimises atom ``chosen``; the number of rows, -1 for no room."""
    free, atoms = len(flat.free), flat.starts[-2]
    columns, rows = free + symbols, 2 * symbols + splits + last - first - 1
    if columns > lp.table.shape[1] or rows + 1 > lp.table.shape[0]:
        return -1
    for q in range(symbols):
        put_row(flat, work, lp, 2 * q, work.where[q], -1.0, columns)
        lp.table[2 * q, free + q] += 1.0
        put_row(flat, work, lp, 2 * q + 1, work.where[q], work.chord[q], columns)
        lp.table[2 * q + 1, free + q] -= 1.0
        lp.constant[2 * q + 1] -= work.chord[q] * work.low[q]
    i = 2 * symbols
    for s in range(splits):
        put_row(flat, work, lp, i, work.splits[s], work.split_sign[s], columns)
        i += 1
    for a in range(first, last):
        if a != chosen:
            put_row(flat, work, lp, i, atoms + a, -1.0, columns)
            i += 1
    # The objective passes through the last row, which is not part of the programme.
    put_row(flat, work, lp, rows, atoms + chosen, 1.0, columns)
    for j in range(columns):
        lp.cost[j], lp.nonbasic[j] = lp.table[rows, j], j
        lp.at_high[j] = lp.cost[j] < 0.0
        lp.low[j] = -1.0 if j < free else 0.0
        lp.high[j] = 1.0 if j < free else work.reach[j - free]
    for i in range(rows):
        lp.basic[i], lp.at_high[columns + i] = columns + i, False
        lp.low[columns + i], lp.high[columns + i] = 0.0, np.inf
    return rows


@compiled
def start_values(lp: Tableau, rows: int, columns: int) -> float:
    """Values of the basic variables; the objective's variable part is returned."""
    objective = 0.0
    for j in range(columns):
        x = lp.high[j] if lp.at_high[j] else lp.low[j]
        objective += lp.cost[j] * x
    for i in range(rows):
        total = lp.constant[i]
        for j in range(columns):
            total += lp.table[i, j] * (lp.high[j] if lp.at_high[j] else lp.low[j])
        lp.value[i] = total
    return objective


@compiled
def leaving_row(lp: Tableau, rows: int) -> int:
    """The row whose basic variable violates its bounds most, or -1."""
    chosen, worst = -1, _TOLERANCE
    for i in range(rows):
        v = lp.basic[i]
        violation = max(lp.low[v] - lp.value[i], lp.value[i] - lp.high[v])
        if violation > worst:
            chosen, worst = i, violation
    return chosen


@compiled
def entering_column(lp: Tableau, row: int, upwards: bool, columns: int) -> int:
    """Dual ratio test: the nonbasic variable to move, or -1 when none helps."""
    chosen, best, size = -1, np.inf, 0.0
    for j in range(columns):
        v = lp.nonbasic[j]
        a = lp.table[row, j] if upwards else -lp.table[row, j]
        if (a > _TOLERANCE and not lp.at_high[v]) or (a < -_TOLERANCE and lp.at_high[v]):
            ratio = abs(lp.cost[j]) / abs(a)
            if ratio < best - 1e-12 or (ratio < best + 1e-12 and abs(a) > size):
                chosen, best, size = j, ratio, abs(a)
    return chosen


@compiled
def pivot(lp: Tableau, row: int, column: int, rows: int, columns: int) -> None:
    """Exchange the row's basic variable with the column's nonbasic one."""
    inverse = 1.0 / lp.table[row, column]
    for j in range(columns):
        lp.table[row, j] *= -inverse
    lp.constant[row] *= -inverse
    lp.table[row, column] = inverse
    for i in range(rows):
        f = lp.table[i, column]
        if i != row and f != 0.0:
            lp.table[i, column] = 0.0
            for j in range(columns):
                lp.table[i, j] += f * lp.table[row, j]
            lp.constant[i] += f * lp.constant[row]
    f = lp.cost[column]
    lp.cost[column] = 0.0
    for j in range(columns):
        lp.cost[j] += f * lp.table[row, j]
    lp.basic[row], lp.nonbasic[column] = lp.nonbasic[column], lp.basic[row]


@compiled
def solve(lp: Tableau, rows: int, columns: int, constant: float, enough: float) -> int:
    """Run the dual simplex; ``constant`` is the objective's, ``enough`` a bound to stop at."""
    objective = constant + start_values(lp, rows, columns)
    for _ in range(_MOST_PIVOTS):
        if objective > enough:
            return POSITIVE
        row = leaving_row(lp, rows)
        if row < 0:
            return OPTIMAL
        v = lp.basic[row]
        upwards = lp.value[row] < lp.low[v]
        lp.leaving[0], lp.leaving[1] = row, 1 if upwards else -1
        column = entering_column(lp, row, upwards, columns)
        if column < 0:
            return INFEASIBLE
        w = lp.nonbasic[column]
        step = ((lp.low[v] if upwards else lp.high[v]) - lp.value[row]) / lp.table[row, column]
        entered = (lp.high[w] if lp.at_high[w] else lp.low[w]) + step
        for i in range(rows):
            lp.value[i] += lp.table[i, column] * step
        objective += lp.cost[column] * step
        lp.value[row] = entered
        lp.at_high[v] = not upwards
        pivot(lp, row, column, rows, columns)
    return GIVEN_UP
