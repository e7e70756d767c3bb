"""Star form: every pre-activation as a function of the inputs and of the unstable neurons.

On a box ``x = c + r t``, ``|t_i| <= 1``, each pre-activation is affine in t and in the
post-activations ``a_q`` of the unstable neurons q before it (the *symbols*), for stable ReLUs are
affine. To bound a form from below, symbols are eliminated from the last to the first:

    coefficient c > 0:   a_q >= alpha z_q                        0 <= alpha <= 1
    coefficient c < 0:   a_q <= s (z_q - l_q),   s >= u_q / (u_q - l_q)

and what remains is smallest at ``t_i = -sign``. Rounding (docs/theory.md, section 7): let
``M = sum_j |row_j| S_j`` with S the largest possible size of t, of one, and of each symbol. The
real value of a pre-activation differs from its computed form by at most ``error``, and adding a
multiple f of a row to a sum costs at most ``|f| (error + gamma M)``, its ``loss``: gamma bounds
the relative error of a sum of that many products in any order. The multipliers themselves are
exact as computed, for the relaxations hold for all ``f = c alpha`` in [0, c] and all s that
are large enough. ``FLOOR`` outweighs whatever underflows.
"""

from __future__ import annotations

import numpy as np

from relucert.bounds.rounding import SAFETY
from relucert.search.star.compiling import compiled
from relucert.search.star.problem import FLOOR, Flat
from relucert.search.star.work import ACTIVE, INACTIVE, SPLIT, SYMBOL, Work

__all__ = ["back_substitute", "lowest", "star_forms"]

_CHORD_UP, _CHORD_FLOOR = 1.0 + 2.0**-48, 2.0**-900
_LEAST_LOSS = 2.0**-1060
_NEARLY_ONE = 1023 / 1024


@compiled
def input_forms(flat: Flat, work: Work, low: np.ndarray, high: np.ndarray) -> None:
    """Rows of the inputs on the box [low, high] of the free ones."""
    free = len(flat.free)
    for p in range(flat.starts[1]):
        for j in range(free + 1):
            work.rows[p, j] = 0.0
        work.rows[p, free] = flat.centre[p]
        work.state[p], work.width[p] = ACTIVE, free + 1
        work.error[p] = flat.radius[p]
        # A factor of 2**900 may lift a subnormal input: its share of gamma must not underflow.
        work.loss[p] = (flat.radius[p] + flat.gamma * abs(flat.centre[p])) * SAFETY + _LEAST_LOSS
    for j in range(free):
        p = flat.free[j]
        centre = 0.5 * low[j] + 0.5 * high[j]
        radius = max(high[j] - centre, centre - low[j]) * (1.0 + 2.0**-50) + 2.0**-1000
        work.rows[p, free], work.rows[p, j] = centre, radius
        work.error[p] = 0.0
        work.loss[p] = flat.gamma * (abs(centre) + radius) * SAFETY


@compiled
def expand(flat: Flat, work: Work, c: int, width: int) -> None:
    """The form of coordinate c, its error and its loss, from the coordinates before it."""
    free = len(flat.free)
    for j in range(width):
        work.rows[c, j] = 0.0
    work.rows[c, free] = flat.bias[c]
    work.width[c] = width
    error = flat.slack[c] + flat.gamma * abs(flat.bias[c])
    for k in range(flat.indptr[c], flat.indptr[c + 1]):
        p, w = flat.columns[k], flat.weights[k]
        state = work.state[p]
        if state == ACTIVE:
            error += abs(w) * work.loss[p]
            for j in range(work.width[p]):
                work.rows[c, j] += w * work.rows[p, j]
        elif state >= SYMBOL:
            work.rows[c, free + 1 + state - SYMBOL] += w
    size = 0.0
    for j in range(free + 1):
        size += abs(work.rows[c, j])
    for j in range(free + 1, width):
        size += abs(work.rows[c, j]) * work.reach[j - free - 1]
    work.error[c] = error * SAFETY + FLOOR
    work.loss[c] = (work.error[c] + flat.gamma * size) * SAFETY


@compiled
def lowest(flat: Flat, vec: np.ndarray, error: float) -> float:
    """A valid lower bound on a form in the inputs alone, given its error so far."""
    free = len(flat.free)
    total = 0.0
    for j in range(free):
        total += abs(vec[j])
    lost = (error + flat.gamma * (abs(vec[free]) + total)) * SAFETY + FLOOR
    bound: float = vec[free] - total - lost
    return bound


@compiled
def back_substitute(flat: Flat, work: Work, symbols: int, slope: np.ndarray, error: float) -> float:
    """A valid lower bound on the form in ``work.vec``, whose symbols are eliminated there.

    slope: lower slope of each symbol. error: of the form itself, roundings included. The
    coefficients met go to ``work.coefficients``. NaN or -inf when nothing can be said.
    """
    free = len(flat.free)
    vec = work.vec
    for q in range(symbols - 1, -1, -1):
        c = vec[free + 1 + q]
        work.coefficients[q] = c
        if c > 0.0:
            f = c * slope[q]
            if not 0.0 <= f <= c:
                f = 0.0
        elif c < 0.0:
            f = c * work.chord[q]
            vec[free] -= f * work.low[q]
        elif c == 0.0:
            continue
        else:
            return -np.inf
        if f != 0.0:
            row = work.where[q]
            error += abs(f) * work.price[q]
            for j in range(work.width[row]):
                vec[j] += f * work.rows[row, j]
    return lowest(flat, vec, error)


@compiled
def add_symbol(flat: Flat, work: Work, c: int, q: int) -> None:
    """Make the unstable neuron c the q-th symbol; ``work.vec`` holds its negative's bound."""
    low, high = work.lower[c], work.upper[c]
    work.state[c], work.where[q] = SYMBOL + q, c
    work.low[q], work.high[q], work.reach[q] = low, high, high
    work.chord[q] = min(1.0, high / (high - low) * _CHORD_UP + _CHORD_FLOOR)
    # The checker's rule: in symmetric boxes rounding should not decide, here or there.
    work.slope[q] = 1.0 if high > -low * _NEARLY_ONE else 0.0
    work.price[q] = (work.loss[c] + flat.gamma * abs(low)) * SAFETY
    for j in range(len(flat.free)):
        work.inputs[q, j] = work.vec[j]


@compiled
def as_interval(flat: Flat, work: Work, c: int) -> None:
    """Replace the post-activation of c, in [0, high], by half of high plus or minus as much."""
    free = len(flat.free)
    half = 0.5 * work.upper[c]
    for j in range(free):
        work.rows[c, j] = 0.0
    work.rows[c, free] = half
    work.state[c], work.width[c] = ACTIVE, free + 1
    work.error[c] = half * SAFETY + FLOOR
    work.loss[c] = (work.error[c] + flat.gamma * half) * SAFETY


@compiled
def bound_neuron(flat: Flat, work: Work, c: int, symbols: int, low: float, high: float) -> None:
    """Bounds on the pre-activation of c, intersected with [low, high], which hold already."""
    width = work.width[c]
    for j in range(width):
        work.vec[j] = work.rows[c, j]
    found = back_substitute(flat, work, symbols, work.slope, work.loss[c])
    work.lower[c], work.upper[c] = low, high
    if found > low:
        work.lower[c] = found
    if work.lower[c] >= 0.0:
        return
    for j in range(width):
        work.vec[j] = -work.rows[c, j]
    found = -back_substitute(flat, work, symbols, work.slope, work.loss[c])
    if found < high:
        work.upper[c] = found


@compiled
def star_forms(
    flat: Flat, work: Work, low: np.ndarray, high: np.ndarray,
    status: np.ndarray, lower: np.ndarray, upper: np.ndarray,
) -> tuple[int, int, bool]:  # fmt: skip
    """Forms and bounds of all coordinates on a box of the free inputs.

    status, lower, upper: what is known of each coordinate from a larger box.
    Returns the numbers of symbols and of decided ReLUs, and whether the node is seen to be empty.
    """
    input_forms(flat, work, low, high)
    free = len(flat.free)
    symbols = splits = flat.starts[0]  # zero, but not a literal: those compile callees twice
    for layer in range(1, len(flat.starts) - 1):
        before = symbols
        for c in range(flat.starts[layer], flat.starts[layer + 1]):
            if flat.relu[c] and status[c] == INACTIVE:
                work.state[c] = INACTIVE
                continue
            expand(flat, work, c, free + 1 + before)
            if not flat.relu[c] or status[c] == ACTIVE:
                work.state[c] = ACTIVE
            elif abs(status[c]) == SPLIT:
                work.state[c] = ACTIVE if status[c] > 0 else INACTIVE
                work.splits[splits], work.split_sign[splits] = c, work.state[c]
                splits += 1
            else:
                bound_neuron(flat, work, c, before, lower[c], upper[c])
                if work.lower[c] > work.upper[c]:
                    return symbols, splits, True
                if work.lower[c] >= 0.0:
                    work.state[c] = ACTIVE
                elif work.upper[c] <= 0.0:
                    work.state[c] = INACTIVE
                elif symbols < flat.symbols:
                    add_symbol(flat, work, c, symbols)
                    symbols += 1
                else:
                    as_interval(flat, work, c)
    return symbols, splits, False
