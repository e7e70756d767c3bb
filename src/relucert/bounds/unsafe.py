"""Unsafe polyhedra in float64, and valid lower bounds on how far outputs stay from them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from relucert.bounds.backward import Relaxation, substituted
from relucert.bounds.interval import Intervals, rectified
from relucert.bounds.rounding import SAFETY, UNDERFLOW, UNIT, gamma, round_up
from relucert.exact import float_below, nearest_float
from relucert.query import Polyhedron

__all__ = [
    "Distance",
    "FloatRows",
    "Mixture",
    "best_bound",
    "distance",
    "float_rows",
    "mixture",
    "open_parts",
    "row_bounds",
    "shifted",
]


_MIXING_STEPS = 24
_WEIGHT_STEPS = 64


@dataclass(frozen=True, eq=False)
class FloatRows:
    """A polyhedron's rows as float64: ``coefficients @ y - limits`` is at most zero inside it.

    ``error`` (rows, outputs) bounds what rounding the coefficients may have changed; ``limits``
    are rounded up, so that the float polyhedron is the larger one.
    """

    coefficients: np.ndarray
    error: np.ndarray
    limits: np.ndarray


def float_rows(polyhedron: Polyhedron) -> FloatRows:
    """The rows of a polyhedron in float64, with the error of rounding them."""
    coefficients = np.array(
        [[nearest_float(value) for value in row] for row in polyhedron.coefficients],
        dtype=np.float64,
    )
    exact = np.array(
        [[_is_float(value) for value in row] for row in polyhedron.coefficients],
        dtype=bool,
    )
    error = np.where(exact, 0.0, np.abs(coefficients) * (2 * UNIT) + 2.0**-1070)
    limits = np.array([-float_below(-value) for value in polyhedron.limits])
    return FloatRows(coefficients, error, limits)


def _is_float(value: Fraction) -> bool:
    rounded = nearest_float(value)
    return math.isfinite(rounded) and Fraction(rounded) == value


def row_bounds(chain: list[Relaxation], box: Intervals, rows: FloatRows) -> np.ndarray:
    """Valid lower bounds on every ``C_i y - d_i`` over the box: one positive bound refutes."""
    if not len(rows.limits):
        return np.zeros(0)
    with np.errstate(all="ignore"):
        bounds = substituted(chain, rows.coefficients).minimum_over(box, len(chain))
        return shifted(bounds, chain, rows)


@np.errstate(all="ignore")
def shifted(values: np.ndarray, chain: list[Relaxation], rows: FloatRows) -> np.ndarray:
    """``values - limits``, less what the rounded coefficients may hide; rounded downward."""
    outputs = rectified(chain[-1].pre, chain[-1].layer.relu)
    lost = np.where(rows.error > 0, rows.error * outputs.magnitude, 0.0).sum(axis=1) * SAFETY
    found = values - lost - rows.limits
    found -= 4 * UNIT * (np.abs(values) + lost + np.abs(rows.limits)) + UNDERFLOW
    return np.where(np.isnan(found), -np.inf, found)


@dataclass(frozen=True, eq=False)
class Distance:
    """Valid lower bounds on how far a box stays from a polyhedron: ``rows`` one by one (rows,),
    and ``best``, the largest found for any row or mixture of rows. Positive: not reached."""

    rows: np.ndarray
    best: float


def distance(chain: list[Relaxation], box: Intervals, rows: FloatRows) -> Distance:
    """Bounds row by row and, where that does not refute, on mixtures of the rows.

    An output inside the polyhedron has every ``C_i y - d_i <= 0``, so also every mixture with
    weights >= 0: a mixture whose linear lower bound is positive on the box refutes.
    """
    if not len(rows.limits):
        return Distance(np.zeros(0), -np.inf)
    with np.errstate(all="ignore"):
        state = substituted(chain, rows.coefficients)
        low = shifted(state.minimum_over(box, len(chain)), chain, rows)
        best = float(low.max())
        if best <= 0 and len(low) > 1:
            constants = shifted(state.valid_constants(len(chain)), chain, rows)
            best = max(best, _mixed(state.rows, constants, box))
    return Distance(low, best)


def _mixed(slopes: np.ndarray, constants: np.ndarray, box: Intervals) -> float:
    """A valid lower bound over the box on some mixture of the rows of ``slopes @ x + constants``.

    Multiplicative weights for the game "rows against x". Any weights >= 0 are valid, so they are
    sought roughly and only the bound is evaluated with its rounding; its sign is what matters.
    """
    if not (np.isfinite(slopes).all() and np.isfinite(constants).all()):
        return -np.inf
    centre = 0.5 * box.lower + 0.5 * box.upper
    radius = round_up(np.maximum(box.upper - centre, centre - box.lower))
    reach = np.abs(slopes) @ radius + np.abs(slopes @ centre + constants)
    scale = 1.0 / np.maximum(reach, 1e-300)
    score, best = np.zeros(len(scale)), -np.inf
    for step in range(_MIXING_STEPS):
        weights = np.exp(score - score.max()) * scale
        mixture = weights @ slopes
        size = (weights @ np.abs(slopes)) @ (np.abs(centre) + radius) + weights @ np.abs(constants)
        terms = sum(slopes.shape)
        value = mixture @ centre - np.abs(mixture) @ radius + weights @ constants
        bound = float(value - gamma(2 * terms) * size * SAFETY - UNDERFLOW * terms)
        best = max(best, bound)
        if best > 0:
            break
        x = centre - radius * np.sign(mixture)
        score += (4.0 / np.sqrt(1.0 + step)) * scale * (slopes @ x + constants)
    return best


@dataclass(frozen=True, eq=False)
class Mixture:
    """weights: of a polyhedron's rows, not negative; zeros are left out. rows: the one row that
    they make, which every output of the polyhedron satisfies."""

    weights: dict[int, float]
    rows: FloatRows


@np.errstate(all="ignore")
def mixture(chain: list[Relaxation], box: Intervals, part: Polyhedron) -> Mixture:
    """A mixture of the polyhedron's rows, of which there must be one at least.

    The weights are those of the best linear bound that a few rounds of multiplicative weights
    find, in 1/64 of the largest; the error of adding up the rows is in the row's ``error`` and
    ``limits``.
    """
    rows = float_rows(part)
    count = len(rows.limits)
    if count == 1:
        return Mixture({0: 1.0}, rows)
    with np.errstate(all="ignore"):
        state = substituted(chain, rows.coefficients)
        constants = shifted(state.valid_constants(len(chain)), chain, rows)
        weights = _mixing_weights(state.rows, constants, box)
        weights = np.round(weights / weights.max() * _WEIGHT_STEPS) / _WEIGHT_STEPS
        sizes = weights @ np.abs(rows.coefficients)
        error = (gamma(count) * sizes + weights @ rows.error) * SAFETY + UNDERFLOW * count
        limit = float(weights @ rows.limits)
        limit += float(gamma(count) * (weights @ np.abs(rows.limits)) + UNDERFLOW * count) * SAFETY
    mixed = FloatRows(
        (weights @ rows.coefficients)[None, :],
        error[None, :],
        np.array([np.nextafter(limit, np.inf)]),
    )
    return Mixture({int(row): float(weights[row]) for row in np.flatnonzero(weights)}, mixed)


def _mixing_weights(slopes: np.ndarray, constants: np.ndarray, box: Intervals) -> np.ndarray:
    """The weights of the best mixture found, or one for the best row."""
    count = len(constants)
    if not (np.isfinite(slopes).all() and np.isfinite(constants).all()):
        return np.asarray(np.eye(count)[0])
    centre = 0.5 * box.lower + 0.5 * box.upper
    radius = box.upper - centre
    reach = np.abs(slopes) @ radius + np.abs(slopes @ centre + constants)
    scale = 1.0 / np.maximum(reach, 1e-300)
    score, best, chosen = np.zeros(count), -np.inf, np.eye(count)[0]
    candidates = list(np.eye(count))
    for step in range(4 * _MIXING_STEPS):
        weights = np.exp(score - score.max()) * scale
        candidates.append(weights / weights.sum())
        mixed = weights @ slopes
        x = centre - radius * np.sign(mixed)
        score += (4.0 / np.sqrt(1.0 + step)) * scale * (slopes @ x + constants)
    for weights in candidates:
        mixed = weights @ slopes
        value = float(mixed @ centre - np.abs(mixed) @ radius + weights @ constants)
        value /= float(weights @ reach) or 1.0
        if value > best:
            best, chosen = value, weights
    return np.asarray(chosen)


def open_parts(
    chain: list[Relaxation], box: Intervals, unsafe: tuple[Polyhedron, ...]
) -> tuple[Polyhedron, ...]:
    """The polyhedra that linear bounds do not refute."""
    return tuple(part for part in unsafe if not best_bound(chain, box, part) > 0)


def best_bound(chain: list[Relaxation], box: Intervals, part: Polyhedron) -> float:
    """The best valid lower bound on the distance to the polyhedron; positive: not reachable."""
    return distance(chain, box, float_rows(part)).best
