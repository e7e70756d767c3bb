"""Backward substitution for many boxes at once, each with relaxations of its own.

What `bounds.backward` does for one box costs mostly the calls where networks are small. Here the
rows of all boxes are carried back together. The rounding is bounded with the magnitudes over the
hull of the boxes, which are at least those over each of them (docs/theory.md, section 7).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from relucert.bounds.backward import Relaxation, Substitution, network_intervals
from relucert.bounds.interval import Intervals, rectified, row_terms
from relucert.bounds.rounding import SAFETY, UNDERFLOW, UNIT, gamma, round_up
from relucert.bounds.unsafe import FloatRows, shifted
from relucert.network import Layer, Network

__all__ = ["missed"]

_CELLS = 2_000_000
_MOST_LAYERS = 100


def missed(
    network: Network, lower: np.ndarray, upper: np.ndarray, unsafe: Sequence[Sequence[FloatRows]]
) -> np.ndarray:
    """Which boxes are proved to reach none of their unsafe polyhedra, as a mask (boxes,).

    lower, upper: float64 (boxes, inputs). unsafe: for each box its polyhedra. False says nothing.
    """
    if not len(lower):
        return np.zeros(0, dtype=bool)
    if len(network.layers) > _MOST_LAYERS:  # the work grows with the square of the depth
        return np.zeros(len(lower), dtype=bool)
    with np.errstate(all="ignore"):
        bounds = _Bounds(network, lower, upper)
        return bounds.missed(unsafe)


@dataclass(frozen=True, eq=False)
class _Lines:
    """Lines that bound the ReLUs of a layer, each (boxes, outputs) or (rows, outputs)."""

    lower_slope: np.ndarray
    chord_slope: np.ndarray
    chord_offset: np.ndarray
    unstable: np.ndarray

    @classmethod
    def of(cls, relu: np.ndarray, pre: Intervals) -> _Lines:
        """From bounds (boxes, outputs), with the same rounding as `Relaxation`."""
        lower, upper = pre.lower, pre.upper
        unstable = relu & (lower < 0) & (upper > 0)
        dead = relu & (upper <= 0)
        width = np.nextafter(upper - lower, 0.0)
        quotient = np.minimum(round_up(upper / width), 1.0)
        quotient = np.where(np.isnan(quotient), 1.0, quotient)
        chord = np.where(unstable, quotient, np.where(dead, 0.0, 1.0))
        offset = np.where(unstable, round_up(chord * -lower), 0.0)
        slope = np.where(unstable, upper > -lower, ~dead).astype(np.float64)
        return cls(slope, chord, offset, unstable)

    def rows(self, owners: np.ndarray) -> _Lines:
        """The lines of the boxes that own some rows."""
        return _Lines(
            self.lower_slope[owners], self.chord_slope[owners], self.chord_offset[owners],
            self.unstable[owners],
        )  # fmt: skip


class _Bounds:
    """Bounds on every layer for every box."""

    def __init__(self, network: Network, lower: np.ndarray, upper: np.ndarray) -> None:
        self.lower, self.upper = lower, upper
        hull = Intervals(lower.min(axis=0), upper.max(axis=0))
        self.hull: list[Relaxation] = []
        self.lines: list[_Lines] = []
        reach, outer = Intervals(lower, upper), hull
        for layer, outer_pre in zip(network.layers, network_intervals(network, hull), strict=True):
            relaxation = Relaxation(layer, outer_pre, outer)
            pre = self._refined(relaxation, _layer_intervals(layer, reach))
            self.hull.append(relaxation)
            self.lines.append(_Lines.of(layer.relu, pre))
            reach, outer = rectified(pre, layer.relu), rectified(outer_pre, layer.relu)

    def _refined(self, relaxation: Relaxation, pre: Intervals) -> Intervals:
        """Bounds by substitution where the sign of a ReLU is open."""
        relu = relaxation.layer.relu
        owners, neurons = np.nonzero(relu & (pre.lower < 0) & (pre.upper > 0))
        if not self.hull or not len(owners):
            return pre
        lower, upper = pre.lower.copy(), pre.upper.copy()
        size = relaxation.layer.output_size
        for chosen in self._blocks(len(owners), size):
            mine, columns = owners[chosen], neurons[chosen]
            for sign in (1.0, -1.0):
                rows = np.zeros((len(mine), size))
                rows[np.arange(len(mine)), columns] = sign
                state = Substitution(rows, np.zeros(len(mine)), np.zeros(len(mine)))
                state.through_affine(relaxation)
                found = self._to_inputs(state, mine, len(self.hull) + 1)
                if sign > 0:
                    lower[mine, columns] = np.maximum(lower[mine, columns], found)
                else:
                    upper[mine, columns] = np.minimum(upper[mine, columns], -found)
        return Intervals(lower, upper)

    def _blocks(self, count: int, size: int) -> list[slice]:
        widest = max([size, self.lower.shape[1], *(r.layer.output_size for r in self.hull)])
        step = max(1, _CELLS // widest)
        return [slice(start, start + step) for start in range(0, count, step)]

    def _to_inputs(self, state: Substitution, owners: np.ndarray, steps: int) -> np.ndarray:
        """Carry rows over the outputs of the last layer known back, and bound them."""
        for relaxation, lines in zip(reversed(self.hull), reversed(self.lines), strict=True):
            if relaxation.layer.relu.any():
                state.through_relu(relaxation, lines.rows(owners))
            state.through_affine(relaxation)
        return _minimum(state, self.lower[owners], self.upper[owners], steps)

    def missed(self, unsafe: Sequence[Sequence[FloatRows]]) -> np.ndarray:
        """Boxes each of whose polyhedra has a row that stays above its limit."""
        parts = [(box, part) for box, group in enumerate(unsafe) for part in group]
        counts = [len(part.limits) for _, part in parts]
        part_of = np.repeat(np.arange(len(parts)), counts)
        owners = np.repeat(np.array([box for box, _ in parts], dtype=np.int64), counts)
        refuted = np.zeros(len(parts), dtype=bool)
        if len(owners):
            every = _joined([part for _, part in parts if len(part.limits)])
            for chosen in self._blocks(len(owners), 1):
                rows = FloatRows(
                    every.coefficients[chosen], every.error[chosen], every.limits[chosen]
                )
                zeros = np.zeros(len(rows.limits))
                state = Substitution(rows.coefficients, zeros, zeros.copy())
                values = self._to_inputs(state, owners[chosen], len(self.hull))
                np.logical_or.at(refuted, part_of[chosen], shifted(values, self.hull, rows) > 0)
        result = np.ones(len(unsafe), dtype=bool)
        for (box, _), done in zip(parts, refuted, strict=True):
            result[box] &= bool(done)
        return result


def _joined(parts: Sequence[FloatRows]) -> FloatRows:
    """The rows of several polyhedra, one below the other."""
    return FloatRows(
        np.concatenate([part.coefficients for part in parts]),
        np.concatenate([part.error for part in parts]),
        np.concatenate([part.limits for part in parts]),
    )


def _minimum(state: Substitution, lower: np.ndarray, upper: np.ndarray, steps: int) -> np.ndarray:
    """`Substitution.minimum_over` with a box for each row: lower, upper (rows, inputs)."""
    centre = 0.5 * lower + 0.5 * upper
    radius = round_up(np.maximum(upper - centre, centre - lower))
    absolute = np.abs(state.rows)
    middle = np.einsum("ij,ij->i", state.rows, centre)
    spread = np.einsum("ij,ij->i", absolute, radius)
    size = (np.einsum("ij,ij->i", absolute, np.abs(centre)) + spread) * SAFETY
    terms = state.rows.shape[1]
    lost = state.lost + gamma(terms) * size + UNDERFLOW * (terms + 8)
    lost += (2 * steps + 8) * UNIT * (state.size + size + np.abs(middle))
    bound = middle - spread + state.constant - lost * SAFETY
    return np.where(np.isnan(bound), -np.inf, bound)


def _layer_intervals(layer: Layer, x: Intervals) -> Intervals:
    """`interval.layer_intervals` for a batch: (boxes, inputs) -> (boxes, outputs)."""
    centre = 0.5 * x.lower + 0.5 * x.upper
    radius = round_up(np.maximum(x.upper - centre, centre - x.lower))
    absolute = abs(layer.weight)
    middle = np.asarray(layer.weight @ centre.T).T + layer.bias
    spread = np.asarray(absolute @ radius.T).T
    terms = row_terms(layer.weight)
    scale = spread + np.asarray(absolute @ np.abs(centre).T).T + np.abs(layer.bias)
    spread = spread + (gamma(terms) * scale + UNDERFLOW * (terms + 8)) * SAFETY
    lower, upper = middle - spread, middle + spread
    if layer.divisor is not None:
        lower = np.nextafter(lower / layer.divisor, -np.inf)
        upper = np.nextafter(upper / layer.divisor, np.inf)
    lower = np.where(np.isnan(lower), -np.inf, lower)
    return Intervals(lower, np.where(np.isnan(upper), np.inf, upper))
