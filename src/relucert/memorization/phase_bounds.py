"""Bounds on a network over many boxes at once, exact about sums such as a + relu(b - a).

Intervals, layer by layer, cannot see that a + relu(b - a) is the larger of a and b, and double it
at every step. Here a row over a layer's outputs that mixes related values is also bounded one
layer back, and if need be several: with every sign pattern of the few ReLUs in the row that are not
stable, the row is an affine function of what came before, and

- an upper bound for every possible pattern gives their maximum, an upper bound on the row;
- relu(z) >= z and relu(z) >= 0, so under a positive coefficient any pattern gives a lower bound,
  and the best may be kept; under a negative coefficient the two cases change places.

Nothing is taken from how the network was built: the rows are those of the stored weights.
Every float operation is followed by a bound on its rounding (Higham 2002, section 3.5).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import scipy.sparse as sp

from relucert.bounds.interval import Intervals
from relucert.bounds.rounding import SAFETY, UNDERFLOW, gamma
from relucert.errors import RelucertError
from relucert.network import Layer, Network

__all__ = ["PhaseBounds", "Rows", "within_range"]

_OPEN_RELUS = 2
_STEPS_BACK = 16
_MOST_ENTRIES = 16
_SMALLEST, _LARGEST = 2.0**-200, 2.0**200


def within_range(network: Network) -> bool:
    """Whether products of three weights cannot underflow; `PhaseBounds` is for such networks."""
    for layer in network.layers:
        weight = layer.weight.data if sp.issparse(layer.weight) else layer.weight
        entries = [np.abs(weight), np.abs(layer.bias)]
        if layer.divisor is not None:
            entries += [layer.divisor, 1.0 / layer.divisor]
        if not all(_in_range(values, _SMALLEST, _LARGEST) for values in entries):
            return False
    return True


def _in_range(values: np.ndarray, smallest: float, largest: float) -> bool:
    """Whether the entries that are not zero have sizes between these."""
    sizes = np.abs(values[values != 0])
    return not len(sizes) or bool(sizes.min() >= smallest and sizes.max() <= largest)


@dataclass(frozen=True, eq=False)
class Rows:
    """Affine functions ``weight @ p + constant`` of a layer's outputs p, as computed.

    The functions that are meant differ by at most ``gamma(terms) (scale @ |p| + scale_constant)``.
    """

    weight: sp.csr_array
    constant: np.ndarray
    scale: sp.csr_array
    scale_constant: np.ndarray
    terms: int

    @classmethod
    def exactly(cls, weight: sp.csr_array, constant: np.ndarray) -> Rows:
        """Rows that are meant as they stand."""
        return cls(weight, constant, abs(weight), np.abs(constant), 0)

    def chosen(self, rows: np.ndarray) -> Rows:
        """Some of the rows."""
        return Rows(
            self.weight[rows], self.constant[rows], self.scale[rows], self.scale_constant[rows],
            self.terms,
        )  # fmt: skip


class _Prepared:
    """A layer's matrices in the forms that are multiplied, its divisor folded in."""

    def __init__(self, layer: Layer, before: _Prepared | None) -> None:
        weight, bias = sp.csr_array(layer.weight), layer.bias
        if layer.divisor is not None:
            weight = sp.csr_array(sp.diags_array(1.0 / layer.divisor) @ weight)
            bias = bias / layer.divisor
        self.relu = layer.relu
        # Dividing rounds three times at most: a reciprocal, a product, a quotient.
        divided = 0 if layer.divisor is None else 3
        self.rows = Rows(weight, bias, abs(weight), np.abs(bias), divided)
        filled = np.diff(weight.indptr)
        self.most = int(filled.max(initial=0)) + divided
        self.gamma = gamma(1) * (filled + 12.0)
        self.both = _signed_parts(weight)
        ones = np.abs(weight.data) == 1.0
        plain = (bias == 0) & (filled == 1) if layer.divisor is None else np.zeros(len(bias), bool)
        plain[plain] = ones[weight.indptr[:-1][plain]]
        self.gamma[plain] = 0.0
        self.underflow = np.where(plain, 0.0, UNDERFLOW * (filled + 8.0))
        negative = np.bincount(np.repeat(np.arange(len(bias)), filled), weight.data < 0, len(bias))
        self._adding = np.flatnonzero((negative == 0) & (bias >= 0))
        self._added = _pattern(weight[self._adding])
        self.mixing = np.zeros(0, dtype=np.int64)
        if before is not None:
            self.mixing = _mixing_rows(weight, before)
        self.mixing_rows = self.rows.chosen(self.mixing)

    def sums_of(self, non_negative: np.ndarray) -> np.ndarray:
        """Rows that only add inputs which are not negative: neither is the sum, when rounded."""
        if non_negative.all():
            return self._adding
        return np.asarray(self._adding[(self._added @ (~non_negative).astype(np.float64)) == 0])


def _signed_parts(weight: sp.csr_array) -> sp.csr_array:
    """[max(W, 0), min(W, 0)] side by side: times (lower; upper) it gives lower ends."""
    columns = weight.indices + np.where(weight.data < 0, weight.shape[1], 0)
    shape = (weight.shape[0], 2 * weight.shape[1])
    return sp.csr_array((weight.data, columns, weight.indptr), shape=shape)


def _mixing_rows(weight: sp.csr_array, below: _Prepared) -> np.ndarray:
    """Rows with several entries whose columns depend on a common value of the layer below.

    Rows with many entries are left out: nearly always too many of their ReLUs are open.
    """
    filled = np.diff(weight.indptr)
    several = np.flatnonzero((filled > 1) & (filled <= _MOST_ENTRIES))
    if not len(several):
        return several
    count = _pattern(weight[several]) @ _pattern(below.rows.weight)
    repeated = sp.csr_array(count > 1.5)
    return np.asarray(several[np.diff(repeated.indptr) > 0])


def _pattern(matrix: sp.csr_array) -> sp.csr_array:
    ones = (matrix.data != 0).astype(np.float64)
    return sp.csr_array((ones, matrix.indices, matrix.indptr), shape=matrix.shape)


@dataclass(frozen=True, eq=False)
class _Level:
    """Bounds after a layer, all (outputs, boxes): pre-activations, then outputs."""

    pre_lower: np.ndarray
    pre_upper: np.ndarray
    both: np.ndarray
    magnitude: np.ndarray
    dead: np.ndarray
    open: np.ndarray
    non_negative: np.ndarray

    @property
    def swapped(self) -> np.ndarray:
        """Upper ends above lower ends."""
        half = len(self.both) // 2
        return np.concatenate([self.both[half:], self.both[:half]])


def _level(pre: Intervals, relu: np.ndarray) -> _Level:
    lower, upper = pre.lower, pre.upper
    size = len(relu)
    both = np.concatenate([lower, upper])
    if relu.all():
        np.maximum(both, 0.0, out=both)
        magnitude = both[size:]
    else:
        bent = np.flatnonzero(np.tile(relu, 2))
        both[bent] = np.maximum(both[bent], 0.0)
        magnitude = np.maximum(np.abs(both[:size]), np.abs(both[size:]))
    dead = relu & (upper.max(axis=1) <= 0)
    positive = lower.min(axis=1) >= 0
    still_open = relu & ~dead & ~positive
    return _Level(lower, upper, both, magnitude, dead, still_open, relu | positive)


class PhaseBounds:
    """Bounds for many boxes on a network whose weights are `within_range`."""

    def __init__(self, network: Network) -> None:
        self._layers: list[_Prepared] = []
        for layer in network.layers:
            self._layers.append(_Prepared(layer, self._layers[-1] if self._layers else None))
        self.output_size = network.output_size
        self.widest = max([network.input_size, *(la.output_size for la in network.layers)])

    def run(self, lower: np.ndarray, upper: np.ndarray, rows: Sequence[Rows]) -> list[Intervals]:
        """Bounds on each of ``rows`` over the network's outputs.

        lower, upper: float64 (inputs, boxes), the boxes' ends. Returns for each of ``rows`` the
        bounds (rows, boxes); infinite where nothing is known.
        """
        everything = np.ones(len(lower), dtype=bool)
        levels = [_level(Intervals(lower, upper), ~everything)]
        with np.errstate(all="ignore"):
            for index, layer in enumerate(self._layers):
                pre = _interval(layer, levels[-1])
                sums = layer.sums_of(levels[-1].non_negative)
                pre.lower[sums] = np.fmax(pre.lower[sums], 0.0)
                if len(layer.mixing):
                    refined = self._back(index - 1, levels, layer.mixing_rows)
                    _intersect(pre, layer.mixing, refined)
                levels.append(_level(_without_nan(pre), layer.relu))
                levels = levels[-_STEPS_BACK - 1 :]
            last = len(self._layers) - 1
            return [_without_nan(self._bounded(last, levels, part)) for part in rows]

    def _bounded(
        self, index: int, levels: list[_Level], rows: Rows, open_relus: int = _OPEN_RELUS
    ) -> Intervals:
        """Rows over the outputs of layer ``index``, which are ``levels[-1]``."""
        level = levels[-1]
        both = _signed_parts(rows.weight)
        size = rows.scale @ level.magnitude + rows.scale_constant[:, None]
        filled = int(np.diff(rows.weight.indptr).max(initial=0))
        error = gamma(rows.terms + filled) * SAFETY * size + UNDERFLOW * (filled + 8.0)
        found = Intervals(
            both @ level.both + rows.constant[:, None] - error,
            both @ level.swapped + rows.constant[:, None] + error,
        )
        if index >= 0 and len(levels) > 1:
            mixing = _mixing_rows(rows.weight, self._layers[index])
            if len(mixing):
                part = rows.chosen(mixing)
                _intersect(found, mixing, self._back(index, levels, part, open_relus))
        return found

    def _back(
        self, index: int, levels: list[_Level], rows: Rows, open_relus: int = _OPEN_RELUS
    ) -> Intervals:
        """Bounds by substituting layer ``index`` into ``rows``; infinite where too much is open."""
        level, layer = levels[-1], self._layers[index]
        shape = (len(rows.constant), level.pre_lower.shape[1])
        lower, upper = np.full(shape, -np.inf), np.full(shape, np.inf)
        counts = (_pattern(rows.weight) @ level.open.astype(np.float64)).astype(np.int64)
        for count in range(open_relus + 1):
            chosen = np.flatnonzero(counts == count)
            if not len(chosen):
                continue
            part = rows.chosen(chosen)
            places = _open_places(part.weight, level.open, count)
            children = _substituted(part, places, level, layer)
            if not _in_range(children.weight.data, _SMALLEST**2, _LARGEST**2):
                continue
            # Two open ReLUs make four rows of one: only once on the way back.
            left = open_relus if count < _OPEN_RELUS else 1
            found = self._bounded(index - 1, levels[:-1], children, left)
            folded = _folded(found, part.weight, places, level)
            size = part.scale @ level.magnitude + part.scale_constant[:, None]
            error = gamma(part.terms) * SAFETY * size + UNDERFLOW if part.terms else 0.0
            lower[chosen], upper[chosen] = folded.lower - error, folded.upper + error
        return Intervals(lower, upper)


def _interval(layer: _Prepared, level: _Level) -> Intervals:
    """Interval bounds on a layer's pre-activations."""
    rows = layer.rows
    size = rows.scale @ level.magnitude + rows.scale_constant[:, None]
    error = (layer.gamma * SAFETY)[:, None] * size + layer.underflow[:, None]
    return Intervals(
        layer.both @ level.both + rows.constant[:, None] - error,
        layer.both @ level.swapped + rows.constant[:, None] + error,
    )


def _intersect(into: Intervals, rows: np.ndarray, other: Intervals) -> None:
    """Tighten some rows in place; NaN, from infinite bounds, says nothing.

    Raises RelucertError when two valid bounds would contradict each other.
    """
    lower = np.fmax(into.lower[rows], other.lower)
    upper = np.fmin(into.upper[rows], other.upper)
    if (lower > upper).any():
        raise RelucertError("two bounds on the same value contradict each other: please report")
    into.lower[rows], into.upper[rows] = lower, upper


def _without_nan(found: Intervals) -> Intervals:
    """Replace, in place, what infinite bounds have spoilt."""
    for ends, nothing in ((found.lower, -np.inf), (found.upper, np.inf)):
        spoilt = np.isnan(ends)
        if spoilt.any():
            ends[spoilt] = nothing
    return found


def _open_places(weight: sp.csr_array, still_open: np.ndarray, count: int) -> np.ndarray:
    """Where in ``weight.data`` the open columns of each row stand: (rows, count)."""
    places = np.flatnonzero(still_open[weight.indices] & (weight.data != 0))
    return np.asarray(places.reshape(weight.shape[0], count))


def _substituted(rows: Rows, places: np.ndarray, level: _Level, layer: _Prepared) -> Rows:
    """The rows over what the layer reads, pattern after pattern of their open ReLUs."""
    weights = []
    for phases in product((0.0, 1.0), repeat=places.shape[1]):
        data = rows.weight.data * ~level.dead[rows.weight.indices]
        data[places] *= np.array(phases)
        # A copy: dropping zeros would rearrange the arrays that the rows' own matrix uses.
        part = sp.csr_array(
            (data, rows.weight.indices, rows.weight.indptr), rows.weight.shape, copy=True
        )
        part.eliminate_zeros()
        weights.append(part)
    stacked = sp.csr_array(sp.vstack(weights))
    absolute, constant = abs(stacked), np.tile(rows.constant, len(weights))
    below = layer.rows
    weight = sp.csr_array(stacked @ below.weight)
    weight.eliminate_zeros()
    weight.sort_indices()
    return Rows(
        weight,
        stacked @ below.constant + constant,
        sp.csr_array(absolute @ below.scale),
        absolute @ below.scale_constant + np.abs(constant),
        int(np.diff(stacked.indptr).max(initial=0)) + layer.most + 4,
    )


def _folded(found: Intervals, weight: sp.csr_array, places: np.ndarray, level: _Level) -> Intervals:
    """From bounds for each pattern to bounds that hold for all inputs."""
    count = places.shape[1]
    shape = (2,) * count + (len(places), found.lower.shape[1])
    lower, upper = found.lower.reshape(shape), found.upper.reshape(shape)
    for place in places.T:
        column = weight.indices[place]
        positive = (weight.data[place] > 0)[:, None]
        active, dead = level.pre_lower[column] >= 0, level.pre_upper[column] <= 0
        lower = np.where(
            positive, np.fmax(lower[0], lower[1]), _any_phase(lower, active, dead, np.minimum)
        )
        upper = np.where(
            positive, _any_phase(upper, active, dead, np.maximum), np.fmin(upper[0], upper[1])
        )
    return Intervals(lower, upper)


def _any_phase(
    bounds: np.ndarray, active: np.ndarray, dead: np.ndarray, worse: np.ufunc
) -> np.ndarray:
    """The worse of both phases; the only one where the ReLU is stable."""
    either = np.where(dead, bounds[0], worse(bounds[0], bounds[1]))
    return np.asarray(np.where(active, bounds[1], either))
