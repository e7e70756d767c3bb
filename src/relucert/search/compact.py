"""A chain of layers as it is on a box: without the neurons that are dead there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from relucert.bounds.backward import Relaxation
from relucert.bounds.interval import Intervals, rectified
from relucert.network import Layer

__all__ = ["Compact", "compacted"]


@dataclass(frozen=True, eq=False)
class Compact:
    """chain: the layers that are left. neurons: by layer, which of its outputs, in order."""

    chain: list[Relaxation]
    neurons: list[np.ndarray]


def compacted(
    chain: Sequence[Relaxation],
    box: Intervals,
    bounds: Mapping[int, Intervals],
    last: int,
    *,
    whole_last: bool = False,
) -> Compact:
    """Layers up to ``last`` with the given bounds, and without ReLUs that are zero on the box.

    bounds: valid on the box for pre-activations, by layer; the chain's own for other layers.
    Removing what is zero changes no value. Unstable neurons come first in every layer, except in
    the last with ``whole_last``, which keeps all its outputs in their order.
    """
    found, neurons = list[Relaxation](), list[np.ndarray]()
    inputs, kept = box, np.arange(len(box.lower))
    for index in range(last + 1):
        layer, pre = chain[index].layer, bounds.get(index, chain[index].pre)
        weight, bias = layer.weight[:, kept], layer.bias
        dead = layer.relu & (pre.upper <= 0)
        kept = np.arange(layer.output_size)
        if index < last or not whole_last:
            unstable = layer.relu & (pre.lower < 0) & ~dead
            kept = np.concatenate([np.flatnonzero(unstable), np.flatnonzero(~unstable & ~dead)])
        if len(kept):
            own = Intervals(pre.lower[kept], pre.upper[kept])
            divisor = None if layer.divisor is None else layer.divisor[kept]
            small = Layer(weight[kept], bias[kept], layer.relu[kept], divisor)
        else:  # a layer needs an output: one that is zero
            kept, own = np.arange(1), Intervals(np.zeros(1), np.zeros(1))
            small = Layer(0.0 * weight[:1], np.zeros(1), np.ones(1, dtype=bool))
        found.append(Relaxation(small, own, inputs))
        neurons.append(kept)
        inputs = rectified(own, small.relu)
    return Compact(found, neurons)
