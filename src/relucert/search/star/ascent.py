"""Dual ascent on a box: better multipliers for the bound on one unsafe set.

Atoms are ``g_i(x) = C_i y - d_i``; inside the set all are at most zero. For weights lam >= 0,
lower slopes alpha in [0, 1] and multipliers beta >= 0 of decided ReLUs (``sign * z >= 0``),

    min over the relaxation of   sum lam_i g_i - sum beta_s sign_s z_s

bounds ``sum lam_i g_i`` from below, so a positive value proves that the set is not reached. It
is concave in the multipliers up to sign changes of coefficients; a point where the relaxation
attains the minimum gives a supergradient, and Polyak's step heads for zero. Every value is a
valid bound with its rounding, so nothing depends on how well the steps work.
"""

from __future__ import annotations

import numpy as np

from relucert.search.star.compiling import compiled
from relucert.search.star.forms import back_substitute
from relucert.search.star.problem import Flat
from relucert.search.star.work import Work

__all__ = ["SLOPE_STEPS", "ascend", "in_steps", "mix", "remember"]

SLOPE_STEPS = 256
"""Of the slopes that a proof can name, from 0 to 1."""

_BISECTIONS = 30


@compiled
def mix(flat: Flat, work: Work, first: int, last: int, symbols: int, splits: int) -> float:
    """Put ``sum lam_i g_i - sum beta_s sign_s z_s`` into ``work.vec``; its error is returned."""
    free, vec, error = len(flat.free), work.vec, 0.0
    for j in range(free + 1 + symbols):
        vec[j] = 0.0
    for a in range(first, last):
        w = work.weight[a - first]
        if w > 0.0:
            c = flat.starts[-2] + a
            error += w * work.loss[c]
            for j in range(work.width[c]):
                vec[j] += w * work.rows[c, j]
    for s in range(splits):
        w = work.beta[s]
        if w > 0.0:
            c = work.splits[s]
            error += w * work.loss[c]
            w *= work.split_sign[s]
            for j in range(work.width[c]):
                vec[j] -= w * work.rows[c, j]
    return error


@compiled
def remember(flat: Flat, work: Work, symbols: int) -> None:
    """Keep the bound just computed as the best one: its rows, and where it is attained."""
    for q in range(symbols):
        work.best_coefficients[q] = work.coefficients[q]
    for j in range(len(flat.free)):
        work.best_vec[j] = work.vec[j]
        work.best_point[j] = -1.0 if work.vec[j] > 0.0 else 1.0


@compiled
def best_atom(flat: Flat, work: Work, first: int, last: int, symbols: int) -> float:
    """The best bound by a single atom; its weight is set to one, the others to zero."""
    best, chosen = -np.inf, first
    for a in range(first, last):
        c = flat.starts[-2] + a
        for j in range(len(flat.free) + 1 + symbols):
            work.vec[j] = work.rows[c, j] if j < work.width[c] else 0.0
        value = back_substitute(flat, work, symbols, work.slope, work.loss[c])
        if value > best:
            best, chosen = value, a
            remember(flat, work, symbols)
    for a in range(first, last):
        work.weight[a - first] = 1.0 if a == chosen else 0.0
    return best


@compiled
def form_value(work: Work, c: int) -> float:
    """The form of coordinate c at the relaxation's point ``work.primal``."""
    total = 0.0
    for j in range(work.width[c]):
        total += work.rows[c, j] * work.primal[j]
    return total


@compiled
def slope_gradients(flat: Flat, work: Work, symbols: int) -> float:
    """Fill in the relaxation's minimiser and the gradient of the slopes; its square norm."""
    free, norm = len(flat.free), 0.0
    for j in range(free):
        work.primal[j] = -1.0 if work.vec[j] > 0.0 else 1.0
    work.primal[free] = 1.0
    for q in range(symbols):
        z, c = form_value(work, work.where[q]), work.coefficients[q]
        if c < 0.0:
            work.primal[free + 1 + q] = work.chord[q] * (z - work.low[q])
        else:
            work.primal[free + 1 + q] = work.alpha[q] * z
        slope = c * z if c > 0.0 else 0.0
        blocked = (work.alpha[q] <= 0.0 and slope < 0.0) or (work.alpha[q] >= 1.0 and slope > 0.0)
        work.gradient[q] = 0.0 if blocked else slope
        norm += work.gradient[q] ** 2
    return norm


@compiled
def weight_gradients(
    flat: Flat, work: Work, first: int, last: int, symbols: int, splits: int
) -> float:
    """The gradients of the atoms' weights (centred) and of the split multipliers."""
    norm, mean, count = 0.0, 0.0, last - first
    for a in range(count):
        work.gradient[symbols + a] = form_value(work, flat.starts[-2] + first + a)
        mean += work.gradient[symbols + a] / count
    for a in range(count):
        slope = work.gradient[symbols + a] - mean
        work.gradient[symbols + a] = slope
        if not (work.weight[a] == 0.0 and slope < 0.0):
            norm += slope**2
    for s in range(splits):
        slope = -work.split_sign[s] * form_value(work, work.splits[s])
        work.gradient[symbols + count + s] = slope
        if not (work.beta[s] == 0.0 and slope < 0.0):
            norm += slope**2
    return norm


@compiled
def project_on_simplex(weight: np.ndarray, count: int) -> None:
    """Nearly the nearest weights >= 0 with sum one, by bisection on the shift."""
    low, high = weight[0] - 1.0, weight[0]
    for a in range(count):
        low, high = min(low, weight[a] - 1.0), max(high, weight[a])
    for _ in range(_BISECTIONS):
        middle, total = 0.5 * (low + high), 0.0
        for a in range(count):
            total += max(weight[a] - middle, 0.0)
        if total > 1.0:
            low = middle
        else:
            high = middle
    for a in range(count):
        weight[a] = max(weight[a] - low, 0.0)


@compiled
def in_steps(slope: float) -> float:
    """The nearest slope that a proof can name."""
    step: float = np.floor(SLOPE_STEPS * min(1.0, max(0.0, slope)) + 0.5)
    return step / SLOPE_STEPS


@compiled
def step_up(work: Work, count: int, symbols: int, splits: int, size: float) -> None:
    """Move slopes, weights and split multipliers along their gradients, back into their ranges."""
    for q in range(symbols):
        work.alpha[q] = in_steps(work.alpha[q] + size * work.gradient[q])
    for s in range(splits):
        work.beta[s] = max(0.0, work.beta[s] + size * work.gradient[symbols + count + s])
    if count > 1:
        for a in range(count):
            work.weight[a] += size * work.gradient[symbols + a]
        project_on_simplex(work.weight, count)


@compiled
def ascend(
    flat: Flat, work: Work, first: int, last: int, symbols: int, splits: int, steps: int
) -> float:
    """The best valid bound found on the unsafe set with atoms first..last-1."""
    for q in range(symbols):
        work.alpha[q] = work.slope[q]
    for s in range(splits):
        work.beta[s] = 0.0
    best = best_atom(flat, work, first, last, symbols)
    if best > 0.0 or not best > -np.inf:
        return best
    # A little beyond zero: a bound of exactly zero refutes nothing.
    target, factor, idle, count = -0.05 * best + 1e-12, 1.0, 0, last - first
    for step in range(steps):
        error = mix(flat, work, first, last, symbols, splits)
        value = back_substitute(flat, work, symbols, work.alpha, error)
        if value > best:
            best, idle = value, 0
            remember(flat, work, symbols)
        elif step > 0:
            idle += 1
            if idle == 2:
                factor, idle = 0.5 * factor, 0
        if best > 0.0 or step == steps - 1:
            break
        norm = slope_gradients(flat, work, symbols)
        norm += weight_gradients(flat, work, first, last, symbols, splits)
        if not norm > 1e-30:
            break
        step_up(work, count, symbols, splits, factor * (target - value) / norm)
    return best
