"""The checker's rounded arithmetic: float64, with every rounding error bounded.

A computed inner product of n terms, in any order, with or without fused multiply-add, differs
from the exact one by at most ``gamma_n sum |a_i b_i| + n eta``, with ``gamma_n = n u / (1 - n u)``,
u = 2**-53 and eta the largest error of an underflow (Higham 2002, section 3.5). Errors are added
up in ``lost`` and subtracted at the end. Overflow shows as an infinity or NaN: no bound at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import scipy.sparse as sp

from relucert.exact import float_above, float_below, nearest_float
from relucert.network import Network
from relucert.proof.arithmetic import Bounds, Objective, Relaxation

__all__ = ["Rounded", "RoundedRows"]

_UNIT = 2.0**-53
_ETA = 2.0**-1060
# Covers the rounding made while the errors themselves are added up (up to 2**31 terms).
_SAFETY = 1.0 + 2.0**-20


def _gamma(terms: int) -> float:
    """gamma_n for a few operations more than ``terms``, rounded up."""
    count = terms + 8
    return count * _UNIT / (1.0 - count * _UNIT) * _SAFETY


@dataclass(frozen=True, eq=False)
class RoundedRows:
    """``rows @ v + constant - lost``: (rows, values), (rows,), (rows,)."""

    rows: np.ndarray
    constant: np.ndarray
    lost: np.ndarray


class Rounded:
    """Float64 with all rounding bounded, for one network."""

    name = "rounded"

    def __init__(self, network: Network) -> None:
        self.layers = network.layers
        self.absolute = [abs(layer.weight) for layer in self.layers]
        self.transposed = [
            sp.csr_array(layer.weight.T) if sp.issparse(layer.weight) else None
            for layer in self.layers
        ]

    def interval(self, index: int, inputs: Bounds) -> Bounds:
        """Middle and radius; see `Arithmetic`."""
        layer, absolute = self.layers[index], self.absolute[index]
        with np.errstate(all="ignore"):
            middle = 0.5 * inputs.lower + 0.5 * inputs.upper
            # Rounded up, so that [middle - radius, middle + radius] contains the interval.
            radius = np.maximum(inputs.upper - middle, middle - inputs.lower)
            radius = np.nextafter(radius, np.inf)
            centre, spread = layer.weight @ middle + layer.bias, absolute @ radius
            size = absolute @ (np.abs(middle) + radius) + np.abs(layer.bias)
            terms = layer.input_size
            spread = spread + (_gamma(terms) * size + _ETA * (terms + 8)) * _SAFETY
            # The last additions round too: by at most half a unit of each result.
            lower = np.nextafter(centre - spread, -np.inf)
            upper = np.nextafter(centre + spread, np.inf)
            if layer.divisor is not None:
                lower = np.nextafter(lower / layer.divisor, -np.inf)
                upper = np.nextafter(upper / layer.divisor, np.inf)
        return Bounds(lower, upper)

    def units(self, index: int, neurons: np.ndarray) -> RoundedRows:
        count = len(neurons)
        rows = np.zeros((2 * count, self.layers[index].output_size))
        rows[np.arange(count), neurons] = 1.0
        rows[count + np.arange(count), neurons] = -1.0
        return RoundedRows(rows, np.zeros(2 * count), np.zeros(2 * count))

    def objective(self, objective: Objective, outputs: Bounds) -> RoundedRows:
        rows = np.array([[nearest_float(value) for value in objective.coefficients]])
        error = np.array([_distance(value) for value in objective.coefficients])
        constant = np.array([float_below(-objective.limit)])
        with np.errstate(all="ignore"):
            lost = np.array([float((error * _magnitude(outputs)).sum()) + _ETA * rows.size])
        return RoundedRows(rows, constant, np.where(error.any(), lost, 0.0))

    def before_relu(self, rows: RoundedRows, relaxation: Relaxation) -> RoundedRows:
        """Each entry is rounded at most once here; `before_affine` accounts for that."""
        below, above, offset, tiny = _lines(relaxation)
        with np.errstate(all="ignore"):
            negative = np.minimum(rows.rows, 0.0)
            shift = negative @ offset
            entries = np.maximum(rows.rows, 0.0) * below + negative * above
            if relaxation.taken is not None:
                entries = entries - relaxation.taken
            lost = rows.lost + _gamma(len(offset)) * np.abs(shift) + tiny
            return RoundedRows(entries, *_added(rows.constant, shift, lost))

    def before_affine(self, rows: RoundedRows, index: int, inputs: Bounds) -> RoundedRows:
        """Also pays for the one rounding of each entry in `before_relu` and that of division."""
        layer, transposed = self.layers[index], self.transposed[index]
        with np.errstate(all="ignore"):
            magnitude = _magnitude(inputs)
            terms = layer.output_size
            # |W x + b| is at most this, row by row, and so is what the products below sum up.
            size = self.absolute[index] @ magnitude + np.abs(layer.bias)
            size = size + _ETA * (layer.input_size + 8)
            entries = rows.rows if layer.divisor is None else rows.rows / layer.divisor
            tiny = _ETA * (terms + 8) * (1.0 + float(magnitude.sum()) + float(size.sum()))
            lost = rows.lost + _gamma(terms + layer.input_size) * (np.abs(entries) @ size) + tiny
            shift = entries @ layer.bias
            if transposed is not None:
                product = np.ascontiguousarray((transposed @ entries.T).T)
            else:
                product = entries @ layer.weight
            return RoundedRows(product, *_added(rows.constant, shift, lost))

    def minimum(self, rows: RoundedRows, box: Bounds) -> np.ndarray:
        terms = 2 * len(box.lower)
        with np.errstate(all="ignore"):
            least = np.maximum(rows.rows, 0.0) @ box.lower + np.minimum(rows.rows, 0.0) @ box.upper
            size = np.abs(rows.rows) @ _magnitude(box)
            lost = rows.lost + _gamma(terms) * size + _ETA * (terms + 8)
            value, lost = _added(rows.constant, least, lost)
            return np.asarray(np.nextafter(value - lost * _SAFETY, -np.inf))


def _added(
    constant: np.ndarray, shift: np.ndarray, lost: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The sum, and ``lost`` with what the sum rounds off."""
    return constant + shift, lost + 4 * _UNIT * (np.abs(constant) + np.abs(shift))


def _lines(relaxation: Relaxation) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Slope from below, slope from above, offset from above, and what underflow may cost."""
    known: tuple[np.ndarray, np.ndarray, np.ndarray, float] | None = relaxation.cache.get("rounded")
    if known is not None:
        return known
    unstable, pre = relaxation.unstable, relaxation.pre
    stable = np.where(relaxation.dead, 0.0, 1.0)
    with np.errstate(all="ignore"):
        # The width rounded down and the quotient up: at least u / (u - l); 1 always suffices.
        width = np.nextafter(pre.upper - pre.lower, 0.0)
        slope = np.minimum(np.nextafter(pre.upper / width, np.inf), 1.0)
        offset = np.where(unstable, np.nextafter(slope * -pre.lower, np.inf), 0.0)
        tiny = _ETA * (len(offset) + 8) * (1.0 + float(_magnitude(pre).sum()))
    lines = (
        np.where(unstable, relaxation.slopes / 256.0, stable),
        np.where(unstable, slope, stable),
        offset,
        tiny,
    )
    relaxation.cache["rounded"] = lines
    return lines


def _magnitude(bounds: Bounds) -> np.ndarray:
    return np.asarray(np.maximum(np.abs(bounds.lower), np.abs(bounds.upper)))


def _distance(value: Fraction) -> float:
    """At least the distance of a rational to its nearest float64."""
    nearest = nearest_float(value)
    return float_above(abs(value - Fraction(nearest))) if np.isfinite(nearest) else np.inf
