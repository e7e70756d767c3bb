"""Unsafe polyhedra in float64, and valid lower bounds on how far outputs stay from them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from relucert.bounds.backward import Relaxation, lower_bounds
from relucert.bounds.interval import Intervals, rectified
from relucert.bounds.rounding import SAFETY, UNIT
from relucert.exact import float_below, nearest_float
from relucert.query import Polyhedron

__all__ = ["FloatRows", "best_bound", "float_rows", "open_parts", "row_bounds"]


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
    outputs = rectified(chain[-1].pre, chain[-1].layer.relu)
    bounds = lower_bounds(chain, box, rows.coefficients)
    with np.errstate(all="ignore"):
        lost = np.where(rows.error > 0, rows.error * outputs.magnitude, 0.0).sum(axis=1) * SAFETY
        found = bounds - lost - rows.limits
        found -= 4 * UNIT * (np.abs(bounds) + lost + np.abs(rows.limits))
    return np.where(np.isnan(found), -np.inf, found)


def open_parts(
    chain: list[Relaxation], box: Intervals, unsafe: tuple[Polyhedron, ...]
) -> tuple[Polyhedron, ...]:
    """The polyhedra that linear bounds do not refute: no row has a positive lower bound."""
    return tuple(part for part in unsafe if not best_bound(chain, box, part) > 0)


def best_bound(chain: list[Relaxation], box: Intervals, part: Polyhedron) -> float:
    """The largest valid lower bound of the polyhedron's rows: positive means not reachable."""
    return float(row_bounds(chain, box, float_rows(part)).max(initial=-np.inf))
