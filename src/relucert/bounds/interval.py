"""Interval bounds: one layer at a time, rounded outward."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from relucert.bounds.rounding import SAFETY, UNDERFLOW, gamma, round_up
from relucert.network import Layer, Matrix

__all__ = ["Intervals", "layer_intervals", "rectified"]


@dataclass(frozen=True, eq=False)
class Intervals:
    """Float64 bounds ``lower <= value <= upper``, both (values,); infinite where unknown."""

    lower: np.ndarray
    upper: np.ndarray

    @property
    def magnitude(self) -> np.ndarray:
        """The largest absolute value possible in each coordinate."""
        return np.asarray(np.maximum(np.abs(self.lower), np.abs(self.upper)))

    def intersected(self, other: Intervals) -> Intervals:
        """Values that satisfy both bounds; both must be valid for the same quantity."""
        return Intervals(np.maximum(self.lower, other.lower), np.minimum(self.upper, other.upper))


def rectified(pre: Intervals, relu: np.ndarray) -> Intervals:
    """Bounds after ReLU on the coordinates where ``relu`` is true."""
    lower = np.where(relu, np.maximum(pre.lower, 0.0), pre.lower)
    upper = np.where(relu, np.maximum(pre.upper, 0.0), pre.upper)
    return Intervals(lower, upper)


def row_terms(matrix: Matrix) -> int:
    """The largest number of non-zero entries in a row."""
    if sp.issparse(matrix):
        return int(np.diff(sp.csr_array(matrix).indptr).max(initial=0))
    return int(matrix.shape[1])


def layer_intervals(layer: Layer, x: Intervals) -> Intervals:
    """Bounds on the pre-activations of ``layer`` when its inputs lie in ``x``."""
    weight, absolute = layer.weight, abs(layer.weight)
    with np.errstate(all="ignore"):
        centre = 0.5 * x.lower + 0.5 * x.upper
        radius = round_up(np.maximum(x.upper - centre, centre - x.lower))
        middle = weight @ centre + layer.bias
        spread = absolute @ radius
        terms = row_terms(weight)
        scale = spread + absolute @ np.abs(centre) + np.abs(layer.bias)
        spread = spread + (gamma(terms) * scale + UNDERFLOW * (terms + 8)) * SAFETY
        lower, upper = middle - spread, middle + spread
        if layer.divisor is not None:
            lower, upper = _divided(lower, layer.divisor, -1), _divided(upper, layer.divisor, 1)
    lower = np.where(np.isnan(lower), -np.inf, lower)
    upper = np.where(np.isnan(upper), np.inf, upper)
    return Intervals(lower, upper)


def _divided(ends: np.ndarray, divisor: np.ndarray, direction: int) -> np.ndarray:
    return np.asarray(np.nextafter(ends / divisor, direction * np.inf))
