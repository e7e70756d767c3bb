"""Which ReLU to split, where bounds are found anew after every split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from relucert.bounds.interval import Intervals
from relucert.search.relu_bounds import PartLines

__all__ = ["Influence", "branching_neuron"]

_INDIRECT = 2.0


@dataclass(frozen=True, eq=False)
class Influence:
    """By layer: which neurons the bounds of one layer rest on.

    rows: (2 unstable, outputs) by earlier layer, coefficients in the lower and then the upper
    bounds of the ``neurons`` of ``layer``.
    """

    layer: int
    neurons: np.ndarray
    rows: dict[int, np.ndarray]


@np.errstate(all="ignore")  # infinite bounds make NaN, which chooses nothing
def branching_neuron(
    pre: Mapping[int, Intervals],
    influences: Sequence[Influence],
    lines: dict[int, PartLines],
    coefficients: dict[int, np.ndarray],
) -> tuple[int, int] | None:
    """The neuron whose relaxation costs the bound most, directly or through later neurons.

    ``pre``: bounds on pre-activations by layer with ReLUs, which rest on ``influences``.

    Directly: the part of the bound lost by the chord's offset. Through later neurons: how much
    of their own loss rests on it (Bunel et al. 2020 count the first only).
    """
    scores = {}
    for layer, given in lines.items():
        offset = np.where(given.unstable[0], given.chord_offset[0], 0.0)
        weight = np.abs(coefficients[layer])
        scores[layer] = offset * np.where(coefficients[layer] < 0, weight, 1e-3 * weight)
    for influence in influences:
        given, bounds = lines[influence.layer], pre[influence.layer]
        chosen = influence.neurons
        lower, upper = bounds.lower[chosen], bounds.upper[chosen]
        weight = coefficients[influence.layer][chosen]
        gap = np.where(weight < 0, given.chord_offset[0][chosen], np.minimum(upper, -lower))
        share = np.where(
            given.unstable[0][chosen], np.abs(weight) * gap / np.maximum(upper - lower, 1e-300), 0.0
        )
        for layer in influence.rows.keys() & lines.keys():
            rows = influence.rows[layer]
            offset = np.where(lines[layer].unstable[0], lines[layer].chord_offset[0], 0.0)
            both = np.abs(rows[: len(chosen)]) + np.abs(rows[len(chosen) :])
            scores[layer] = scores[layer] + _INDIRECT * 0.5 * (share @ both) * offset
    if not scores:
        return None
    layer = max(scores, key=lambda index: float(scores[index].max(initial=0.0)))
    neuron = int(scores[layer].argmax())
    return (layer, neuron) if scores[layer][neuron] > 0 else None
