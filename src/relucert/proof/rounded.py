"""The checker's rounded arithmetic: float64, with every rounding error bounded.

A computed inner product of n terms, in any order, with or without fused multiply-add, differs
from the exact one by at most ``gamma_n sum |a_i b_i| + n eta``, with ``gamma_n = n u / (1 - n u)``,
u = 2**-53 and eta the largest error of an underflow (Higham 2002, section 3.5). Errors are added
up in ``lost`` and subtracted at the end. Overflow shows as an infinity or NaN: no bound at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import scipy.sparse as sp

from relucert.exact import float_above, float_below, nearest_float
from relucert.network import Matrix, Network
from relucert.proof.arithmetic import Bounds, Chosen, Objective, Relaxation

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
    at_once = 256

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
            centre = _times(layer.weight, middle) + layer.bias
            # One product for both: a large matrix takes longer to read than to multiply.
            both = _times(absolute, np.concatenate([radius, np.abs(middle) + radius]))
            spread, size = both[: len(radius)], both[len(radius) :] + np.abs(layer.bias)
            terms = layer.input_size
            spread = spread + (_gamma(terms) * size + _ETA * (terms + 8)) * _SAFETY
            # The last additions round too: by at most half a unit of each result.
            lower = np.nextafter(centre - spread, -np.inf)
            upper = np.nextafter(centre + spread, np.inf)
            if layer.divisor is not None:
                lower = np.nextafter(lower / layer.divisor, -np.inf)
                upper = np.nextafter(upper / layer.divisor, np.inf)
        return Bounds(lower, upper)

    def neurons(
        self, index: int, chosen: np.ndarray, sides: np.ndarray, inputs: Bounds, regions: np.ndarray
    ) -> RoundedRows:
        layer, nothing = self.layers[index], np.zeros(len(chosen))
        if layer.divisor is not None:
            rows = np.zeros((len(chosen), layer.output_size))
            rows[np.arange(len(chosen)), chosen] = sides
            return self.before_affine(RoundedRows(rows, nothing, nothing), index, inputs, regions)
        weight = layer.weight[chosen]
        rows = sides[:, None] * (weight.toarray() if sp.issparse(weight) else weight)
        return RoundedRows(rows, sides * layer.bias[chosen], nothing)

    def objectives(
        self, objectives: Sequence[Objective], outputs: Bounds, regions: np.ndarray
    ) -> RoundedRows:
        parts = [_float_parts(objective) for objective in objectives]
        rows, error = np.stack([p[0] for p in parts]), np.stack([p[1] for p in parts])
        constant = np.array([p[2] for p in parts])
        with np.errstate(all="ignore"):
            lost = (error * outputs.magnitude[regions]).sum(axis=1) * _SAFETY + _ETA * rows.shape[1]
        return RoundedRows(rows, constant, np.where(error.any(axis=1), lost, 0.0))

    def before_relu(self, rows: RoundedRows, relaxation: Relaxation, chosen: Chosen) -> RoundedRows:
        """Each entry is rounded at most once here; `before_affine` accounts for that."""
        lines, at = _lines(relaxation), chosen.regions
        below, above = _of(lines.below, at), _of(lines.above, at)
        negative = np.minimum(rows.rows, 0.0)
        if chosen.signs is not None:
            free, line = chosen.signs == 0, (chosen.signs > 0) & _of(relaxation.sloped, at)
            below, above = np.where(free, below, line), np.where(free, above, line)
            negative = np.where(free, negative, 0.0)
        if chosen.slopes is not None:
            sloped = _of(relaxation.sloped, at)
            if chosen.signs is not None:
                sloped = sloped & (chosen.signs >= 0)
            below = np.where(sloped, chosen.slopes / 256.0, below)
        with np.errstate(all="ignore"):
            shift = _dots(negative, lines.offset, at)
            entries = rows.rows * np.where(rows.rows > 0.0, below, above)
            # Taken off only where the sign is fixed. There the product is exact, its slope 0 or
            # 1; or the slope is smaller, at least 1/256 below what z >= 0 would allow, and a
            # rounding of the product has that to spare.
            if chosen.taken is not None:
                entries = entries - chosen.taken
            lost = rows.lost + _gamma(entries.shape[1]) * np.abs(shift) + lines.tiny[at]
            return RoundedRows(entries, *_added(rows.constant, shift, lost))

    def before_affine(
        self, rows: RoundedRows, index: int, inputs: Bounds, regions: np.ndarray
    ) -> RoundedRows:
        """Also pays for the one rounding of each entry in `before_relu` and that of division."""
        layer, transposed = self.layers[index], self.transposed[index]
        size, underflow = self._sizes(index, inputs)
        with np.errstate(all="ignore"):
            entries = rows.rows if layer.divisor is None else rows.rows / layer.divisor
            weighed = _dots(np.abs(entries), size, regions)
            lost = rows.lost + _gamma(layer.output_size + layer.input_size) * weighed
            shift = entries @ layer.bias
            if transposed is not None:
                product = np.ascontiguousarray((transposed @ entries.T).T)
            else:
                used = np.asarray(entries.any(axis=0))  # NaN counts
                few = 4 * np.count_nonzero(used) < 3 * len(used)
                product = entries[:, used] @ layer.weight[used] if few else entries @ layer.weight
            return RoundedRows(product, *_added(rows.constant, shift, lost + underflow[regions]))

    def _sizes(self, index: int, inputs: Bounds) -> tuple[np.ndarray, np.ndarray]:
        """What |W x + b| is at most, row by row, and so what sums with it add up; underflow."""
        known: tuple[np.ndarray, np.ndarray] | None = inputs.cache.get(index)
        if known is None:
            layer = self.layers[index]
            with np.errstate(all="ignore"):
                size = _times(self.absolute[index], inputs.magnitude) + np.abs(layer.bias)
                size = size + _ETA * (layer.input_size + 8)
                total = 1.0 + inputs.magnitude.sum(axis=1) + size.sum(axis=1)
            known = inputs.cache[index] = size, _ETA * (layer.output_size + 8) * total
        return known

    def minimum(self, rows: RoundedRows, box: Bounds, regions: np.ndarray) -> np.ndarray:
        terms = 2 * box.lower.shape[1]
        with np.errstate(all="ignore"):
            least = _dots(np.maximum(rows.rows, 0.0), box.lower, regions)
            least += _dots(np.minimum(rows.rows, 0.0), box.upper, regions)
            size = _dots(np.abs(rows.rows), box.magnitude, regions)
            lost = rows.lost + _gamma(terms) * size + _ETA * (terms + 8)
            value, lost = _added(rows.constant, least, lost)
            return np.asarray(np.nextafter(value - lost * _SAFETY, -np.inf))


def _times(matrix: Matrix, vectors: np.ndarray) -> np.ndarray:
    """The product with every row of ``vectors``."""
    return np.asarray((matrix @ vectors.T).T)


def _of(values: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """For every row what its region has; one region's row is spread by numpy, without copies."""
    return values if len(values) == 1 else values[regions]


def _dots(rows: np.ndarray, values: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """The inner product of every row with what its region has."""
    one = len(values) == 1
    return np.asarray(rows @ values[0] if one else np.einsum("ij,ij->i", rows, values[regions]))


def _added(
    constant: np.ndarray, shift: np.ndarray, lost: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The sum, and ``lost`` with what the sum rounds off."""
    return constant + shift, lost + 4 * _UNIT * (np.abs(constant) + np.abs(shift))


@dataclass(frozen=True, eq=False)
class _Lines:
    """Slopes from below and above, offset from above: (regions, outputs). tiny: (regions,), what
    underflow may cost."""

    below: np.ndarray
    above: np.ndarray
    offset: np.ndarray
    tiny: np.ndarray


def _lines(relaxation: Relaxation) -> _Lines:
    known: _Lines | None = relaxation.cache.get("rounded")
    if known is not None:
        return known
    unstable, pre = relaxation.unstable, relaxation.pre
    stable = np.where(relaxation.dead, 0.0, 1.0)
    with np.errstate(all="ignore"):
        # The width rounded down and the quotient up: at least u / (u - l); 1 always suffices.
        width = np.nextafter(pre.upper - pre.lower, 0.0)
        slope = np.minimum(np.nextafter(pre.upper / width, np.inf), 1.0)
        offset = np.where(unstable, np.nextafter(slope * -pre.lower, np.inf), 0.0)
        tiny = _ETA * (offset.shape[1] + 8) * (1.0 + pre.magnitude.sum(axis=1))
    below = np.where(unstable, relaxation.slopes / 256.0, stable)
    lines = _Lines(below, np.where(unstable, slope, stable), offset, tiny)
    relaxation.cache["rounded"] = lines
    return lines


def _float_parts(objective: Objective) -> tuple[np.ndarray, np.ndarray, float]:
    """Nearest coefficients, how far off they are at most, and minus the limit rounded down."""
    known: tuple[np.ndarray, np.ndarray, float] | None = objective.cache.get("rounded")
    if known is None:
        rows = np.array([nearest_float(value) for value in objective.coefficients])
        error = np.array(list(map(_distance, objective.coefficients, rows.tolist())))
        known = objective.cache["rounded"] = rows, error, float_below(-objective.limit)
    return known


def _distance(value: Fraction, nearest: float) -> float:
    """At least how far a rational is from a float64."""
    if np.isfinite(nearest) and nearest.as_integer_ratio() == value.as_integer_ratio():
        return 0.0
    return float_above(abs(value - Fraction(nearest))) if np.isfinite(nearest) else np.inf
