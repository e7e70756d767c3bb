"""Which ReLU to split."""

from __future__ import annotations

import numpy as np

from relucert.search.relu_bounds import PartLines
from relucert.search.relu_parts import Part

__all__ = ["branching_neuron"]

_INDIRECT = 2.0


@np.errstate(all="ignore")  # infinite bounds make NaN, which chooses nothing
def branching_neuron(
    part: Part,
    lines: dict[int, PartLines],
    coefficients: dict[int, np.ndarray],
) -> tuple[int, int] | None:
    """The neuron whose relaxation costs the bound most, directly or through later neurons.

    Directly: the part of the bound lost by the chord's offset. Through later neurons: how much
    of their own loss rests on it (Bunel et al. 2020 count the first only).
    """
    scores = {}
    for layer, given in lines.items():
        offset = np.where(given.unstable[0], given.chord_offset[0], 0.0)
        weight = np.abs(coefficients[layer])
        scores[layer] = offset * np.where(coefficients[layer] < 0, weight, 1e-3 * weight)
    for influence in part.influences:
        given, bounds = lines[influence.layer], part.bounds[influence.layer]
        chosen = influence.neurons
        lower, upper = bounds.lower[chosen], bounds.upper[chosen]
        weight = coefficients[influence.layer][chosen]
        gap = np.where(weight < 0, given.chord_offset[0][chosen], np.minimum(upper, -lower))
        share = np.where(
            given.unstable[0][chosen], np.abs(weight) * gap / np.maximum(upper - lower, 1e-300), 0.0
        )
        for layer, rows in influence.rows.items():
            offset = np.where(lines[layer].unstable[0], lines[layer].chord_offset[0], 0.0)
            both = np.abs(rows[: len(chosen)]) + np.abs(rows[len(chosen) :])
            scores[layer] = scores[layer] + _INDIRECT * 0.5 * (share @ both) * offset
    if not scores:
        return None
    layer = max(scores, key=lambda index: float(scores[index].max(initial=0.0)))
    neuron = int(scores[layer].argmax())
    return (layer, neuron) if scores[layer][neuron] > 0 else None
