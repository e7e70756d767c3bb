"""The multipliers of a linear programme, and the valid bound that they give.

For any mu, nu >= 0 a symbol with coefficient c satisfies on the relaxation

    c a >= (c - mu + nu) a + mu z - nu s (z - l)  >=  (mu - nu s) z + nu s l + min(0, c - mu + nu) u

since ``a >= z``, ``a <= s (z - l)`` and ``0 <= a <= u``. So whatever the programme says, its
multipliers (weights of the atoms, beta, mu, nu) give a bound that holds; it is evaluated with
its rounding as in `forms`. Multipliers that prove the programme empty are used in the same way.
"""

from __future__ import annotations

import numpy as np

from relucert.search.star.ascent import in_steps, mix
from relucert.search.star.compiling import compiled
from relucert.search.star.forms import back_substitute, lowest
from relucert.search.star.problem import Flat
from relucert.search.star.simplex import INFEASIBLE, OPTIMAL, POSITIVE, build, solve
from relucert.search.star.work import Tableau, Work

__all__ = ["bound_by_programme"]


@compiled
def multiplier(lp: Tableau, code: int, j: int) -> float:
    """The multiplier of the nonbasic variable in column j."""
    y: float = lp.cost[j]
    if code == INFEASIBLE:
        y = -lp.leaving[1] * lp.table[lp.leaving[0], j]
    return max(0.0, y)


@compiled
def put_multiplier(
    work: Work, slack: int, y: float, first: int, last: int, chosen: int, symbols: int, splits: int
) -> None:
    """Note the multiplier of a row by what the row stands for."""
    if slack < 2 * symbols:
        if slack % 2 == 0:
            work.mu_low[slack // 2] = y
        else:
            work.mu_high[slack // 2] = y
    elif slack < 2 * symbols + splits:
        work.beta[slack - 2 * symbols] = y
    else:
        a = slack - 2 * symbols - splits
        work.weight[a if a < chosen - first else a + 1] = y


@compiled
def read_multipliers(
    work: Work, lp: Tableau, code: int, first: int, last: int, chosen: int,
    symbols: int, splits: int, columns: int,
) -> None:  # fmt: skip
    """All multipliers of the last dictionary, not negative."""
    for q in range(symbols):
        work.mu_low[q] = work.mu_high[q] = 0.0
    for s in range(splits):
        work.beta[s] = 0.0
    for a in range(last - first):
        work.weight[a] = 0.0
    work.weight[chosen - first] = 0.0 if code == INFEASIBLE else 1.0
    for j in range(columns):
        slack = lp.nonbasic[j] - columns
        if slack >= 0:
            y = multiplier(lp, code, j)
            put_multiplier(work, slack, y, first, last, chosen, symbols, splits)
    if code == INFEASIBLE:
        slack = lp.basic[lp.leaving[0]] - columns
        if slack >= 0:
            put_multiplier(work, slack, 1.0, first, last, chosen, symbols, splits)


@compiled
def bound_by_multipliers(
    flat: Flat, work: Work, first: int, last: int, symbols: int, splits: int
) -> float:
    """The valid lower bound that the multipliers in ``work`` give; -inf or NaN for none."""
    free, vec = len(flat.free), work.vec
    error = mix(flat, work, first, last, symbols, splits)
    for q in range(symbols - 1, -1, -1):
        c = vec[free + 1 + q]
        if not abs(c) < np.inf:
            return -np.inf
        mu, nu = work.mu_low[q], work.mu_high[q]
        # For the log only: between l and u the line with this slope lies nowhere below.
        slope = (mu - nu * work.chord[q]) / c if c > 0.0 else work.slope[q]
        work.alpha[q] = in_steps(slope)
        if c == 0.0 and mu == 0.0 and nu == 0.0:
            continue
        if not (mu >= 0.0 and nu >= 0.0):
            return -np.inf
        steep = nu * work.chord[q]
        f, rest = mu - steep, min(0.0, c - mu + nu)
        vec[free] += steep * work.low[q] + rest * work.reach[q]
        error += (mu + steep) * work.price[q]
        error += 3.0 * flat.gamma * (abs(c) + mu + nu) * work.reach[q]
        row = work.where[q]
        for j in range(work.width[row]):
            vec[j] += f * work.rows[row, j]
    return lowest(flat, vec, error)


@compiled
def read_point(flat: Flat, work: Work, lp: Tableau, rows: int, columns: int, symbols: int) -> None:
    """The minimiser: inputs to ``best_point``, and how far each symbol is from its ReLU."""
    free = len(flat.free)
    work.primal[free] = 1.0
    for j in range(columns):
        v = lp.nonbasic[j]
        if v < columns:
            work.primal[v if v < free else v + 1] = lp.high[v] if lp.at_high[v] else lp.low[v]
    for i in range(rows):
        v = lp.basic[i]
        if v < columns:
            work.primal[v if v < free else v + 1] = lp.value[i]
    for j in range(free):
        work.best_point[j] = work.primal[j]
    for q in range(symbols):
        row, z = work.where[q], 0.0
        for j in range(work.width[row]):
            z += work.rows[row, j] * work.primal[j]
        work.distance[q] = abs(work.primal[free + 1 + q] - max(z, 0.0))


@compiled
def bound_by_programme(
    flat: Flat, work: Work, lp: Tableau, first: int, last: int,
    symbols: int, splits: int, value: float,
) -> float:  # fmt: skip
    """A valid bound by the linear programme, at least ``value``, which holds already.

    Minimises the atom with the largest weight in ``work``; the minimiser becomes the point to try.
    """
    chosen = first
    for a in range(first, last):
        if work.weight[a - first] > work.weight[chosen - first]:
            chosen = a
    columns = len(flat.free) + symbols
    rows = build(flat, work, lp, first, last, chosen, symbols, splits)
    if rows < 0:
        return value
    enough = 1e-9 + 1e-6 * abs(value)
    constant = lp.constant[rows]
    code = solve(lp, rows, columns, constant, enough)
    if code == OPTIMAL:
        read_point(flat, work, lp, rows, columns, symbols)
    if code in (OPTIMAL, POSITIVE, INFEASIBLE):
        read_multipliers(work, lp, code, first, last, chosen, symbols, splits, columns)
        found = bound_by_multipliers(flat, work, first, last, symbols, splits)
        if found > 0.0:
            # What a proof cannot say refutes nothing: there is one line for each symbol.
            error = mix(flat, work, first, last, symbols, splits)
            plain = back_substitute(flat, work, symbols, work.alpha, error)
            return max(plain, 0.0)
        # Multipliers of an empty programme bound nothing but their own contradiction.
        if code != INFEASIBLE and found > value:
            return found
    return value
