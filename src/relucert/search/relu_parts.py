"""Parts of a box on which the signs of some ReLUs are fixed, and their intermediate bounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from relucert.bounds.backward import Relaxation
from relucert.bounds.interval import Intervals, layer_intervals, rectified
from relucert.limits import Limits
from relucert.search.relu_bounds import (
    Multipliers,
    PartLines,
    ascend,
    bounded,
    part_lines,
    start_multipliers,
)

__all__ = ["Influence", "Part", "halves", "root_part", "tightened"]

_ROWS_AT_ONCE = 512


@dataclass(frozen=True, eq=False)
class Influence:
    """By layer: which neurons the bounds of one layer rest on.

    rows: (2 unstable, outputs) by earlier layer, coefficients in the lower and then the upper
    bounds of the ``neurons`` of ``layer``.
    """

    layer: int
    neurons: np.ndarray
    rows: dict[int, np.ndarray]


@dataclass(frozen=True, eq=False)
class Part:
    """Everything known about one part of the box.

    bounds: by layer with ReLUs, pre-activation bounds valid where the fixed signs hold. signs: by
    layer, int8 (outputs,), +1 or -1 where fixed. unsafe: indices of the unsafe sets that are not
    refuted here. bound: the smallest lower bound of its parent's. multipliers: (outputs,) by
    layer, to start from. newest: the layer of the sign fixed last. influences: what the bounds
    rest on, where they were found for this part.
    """

    bounds: dict[int, Intervals]
    signs: dict[int, np.ndarray]
    unsafe: tuple[int, ...]
    bound: float = -np.inf
    depth: int = 0
    multipliers: Multipliers | None = None
    newest: int = -1
    influences: tuple[Influence, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether no input has all the fixed signs, by the bounds."""
        return any(bool((b.lower > b.upper).any()) for b in self.bounds.values())

    def lines(self, chain: Sequence[Relaxation]) -> dict[int, PartLines]:
        """Lines for every layer, of one row."""
        return {
            layer: part_lines(
                chain[layer].layer.relu, b.lower[None], b.upper[None], self.signs[layer][None]
            )
            for layer, b in self.bounds.items()
        }


def root_part(chain: Sequence[Relaxation], unsafe: tuple[int, ...]) -> Part:
    """The whole box, with the bounds of ``chain``."""
    layers = [index for index, r in enumerate(chain) if r.layer.relu.any()]
    bounds = {index: chain[index].pre for index in layers}
    signs = {index: np.zeros(chain[index].layer.output_size, dtype=np.int8) for index in layers}
    return Part(bounds, signs, unsafe)


def halves(part: Part, layer: int, neuron: int) -> tuple[Part, Part]:
    """The part where a pre-activation is at least zero, and where it is at most zero.

    They share the inputs where it is zero; together they cover the part.
    """
    found = []
    for sign in (1, -1):
        signs = part.signs[layer].copy()
        signs[neuron] = sign
        lower, upper = part.bounds[layer].lower.copy(), part.bounds[layer].upper.copy()
        if sign > 0:
            lower[neuron] = max(lower[neuron], 0.0)
        else:
            upper[neuron] = min(upper[neuron], 0.0)
        found.append(
            replace(
                part,
                bounds=part.bounds | {layer: Intervals(lower, upper)},
                signs=part.signs | {layer: signs},
                depth=part.depth + 1,
                newest=layer,
                influences=(),
            )
        )
    return found[0], found[1]


def tightened(
    chain: Sequence[Relaxation],
    box: Intervals,
    part: Part,
    limits: Limits,
    *,
    steps: int = 0,
    rate: float = 0.2,
) -> Part:
    """Bounds on every open neuron anew, from the first layer that the newest sign can change.

    ``steps`` of ascent for each bound. What is found when the time is up is kept.
    """
    bounds, influences = dict(part.bounds), list[Influence]()
    for layer in sorted(bounds):
        if layer <= max(part.newest, 0):
            continue
        before = replace(part, bounds=bounds)
        own = _with_intervals(chain, bounds, layer)
        neurons = np.flatnonzero(
            chain[layer].layer.relu & (own.lower < 0) & (own.upper > 0) & (part.signs[layer] == 0)
        )
        lower, upper = own.lower.copy(), own.upper.copy()
        block = _ROWS_AT_ONCE // 2
        for start in range(0, len(neurons), block):
            if limits.out_of_time:
                break
            chosen = neurons[start : start + block]
            low, high, rows = _neuron_bounds(chain, box, before, layer, chosen, steps, rate)
            lower[chosen] = np.maximum(lower[chosen], low)
            upper[chosen] = np.minimum(upper[chosen], high)
            if start == 0 and len(chosen) == len(neurons):
                influences.append(Influence(layer, neurons, rows))
        bounds[layer] = Intervals(lower, upper)
        if bool((lower > upper).any()):
            break
    return replace(part, bounds=bounds, influences=tuple(influences))


def _with_intervals(
    chain: Sequence[Relaxation], bounds: dict[int, Intervals], layer: int
) -> Intervals:
    """The layer's bounds, intersected with interval bounds from the layer before."""
    if layer == 0 or layer - 1 not in bounds:
        return bounds[layer]
    inputs = rectified(bounds[layer - 1], chain[layer - 1].layer.relu)
    return bounds[layer].intersected(layer_intervals(chain[layer].layer, inputs))


def _neuron_bounds(
    chain: Sequence[Relaxation],
    box: Intervals,
    part: Part,
    layer: int,
    neurons: np.ndarray,
    steps: int,
    rate: float,
) -> tuple[np.ndarray, np.ndarray, dict[int, np.ndarray]]:
    count = len(neurons)
    rows = np.zeros((2 * count, chain[layer].layer.output_size))
    rows[np.arange(count), neurons] = 1.0
    rows[count + np.arange(count), neurons] = -1.0
    prefix = list(chain[: layer + 1])
    lines = {index: given for index, given in part.lines(chain).items() if index < layer}
    if steps:
        start = start_multipliers(lines, 2 * count)
        found, _ = ascend(prefix, box, rows, lines, start, steps=steps, rate=rate, after_relu=False)
    else:
        found = bounded(prefix, box, rows, lines, after_relu=False)
    return found.values[:count], -found.values[count:], found.coefficients
