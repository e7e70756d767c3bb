"""A chain of layers as it is on a box: without the neurons that are dead there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from relucert.bounds.backward import Relaxation
from relucert.bounds.interval import Intervals, rectified
from relucert.network import Layer

__all__ = ["compacted"]


def compacted(
    chain: Sequence[Relaxation], box: Intervals, bounds: Mapping[int, Intervals], last: int
) -> list[Relaxation]:
    """Layers up to ``last`` with the given bounds, and without ReLUs that are zero on the box.

    bounds: valid on the box for pre-activations, by layer; the chain's own for other layers.
    Removing what is zero changes no value. Layer ``last`` keeps all its outputs.
    """
    found: list[Relaxation] = []
    inputs, kept = box, np.arange(len(box.lower))
    for index in range(last + 1):
        layer, pre = chain[index].layer, bounds.get(index, chain[index].pre)
        weight = layer.weight[:, kept]
        rows = np.arange(layer.output_size)
        if index < last:
            rows = np.flatnonzero(~(layer.relu & (pre.upper <= 0)))
            rows = rows if len(rows) else np.arange(1)  # a layer needs an output
        small = Layer(
            weight[rows],
            layer.bias[rows],
            layer.relu[rows],
            None if layer.divisor is None else layer.divisor[rows],
        )
        own = Intervals(pre.lower[rows], pre.upper[rows])
        found.append(Relaxation(small, own, inputs))
        inputs, kept = rectified(own, small.relu), rows
    return found
