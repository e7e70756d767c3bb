"""Width 3n + 1, depth 2N + 1 (YGZ24; docs/theory.md, section 6.1)."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from relucert.memorization.boxes import Boxes
from relucert.network import Layer

__all__ = ["deep_layers"]


def deep_layers(boxes: Boxes, targets: np.ndarray) -> tuple[Layer, ...]:
    """The layers of F = acc_N, acc_i = max(acc_{i-1}, relu(y_i (1 - E_i / gap))).

    E_i is the l_1 distance from the box of sample i. targets: int64 (points,), positive. Sample i
    has two hidden layers: one holds x, the 2n terms of E_i and acc_{i-1}, the next x, the gain
    ``relu(y_i - y_i E_i / gap - acc_{i-1})`` and acc_{i-1}. At least two samples.
    """
    count, size = boxes.lower.shape
    build = _Builder(size, boxes.gap)
    layers = [build.first(boxes), build.gain(int(targets[0]), accumulated=False, last=False)]
    for sample in range(1, count):
        layers.append(build.distances(boxes.lower[sample], boxes.upper[sample], sample > 1))
        layers.append(build.gain(int(targets[sample]), True, sample == count - 1))
    layers.append(Layer(sp.csr_array(np.ones((1, 2))), np.zeros(1), np.zeros(1, dtype=bool)))
    return tuple(layers)


class _Builder:
    """Layers for one sample after another; the matrices differ in one row only, or not at all."""

    def __init__(self, size: int, gap: float) -> None:
        self.size, self.gap = size, gap
        identity = sp.eye_array(size, format="csr")
        self._terms = sp.vstack([identity, identity, -identity], format="csr")
        self._passed = {
            accumulated: sp.block_array(
                [
                    [self._terms, None],
                    [None, sp.csr_array(np.ones((1, 2 if accumulated else 1)))],
                ],
                format="csr",
            )
            for accumulated in (False, True)
        }

    def first(self, boxes: Boxes) -> Layer:
        """From x: x + shift, and the terms of the first sample."""
        moved = [-boxes.upper[0] + boxes.shift, boxes.lower[0] - boxes.shift]
        bias = np.concatenate([np.full(self.size, boxes.shift), *moved])
        return Layer(self._terms, bias, np.ones(len(bias), dtype=bool))

    def distances(self, lower: np.ndarray, upper: np.ndarray, accumulated: bool) -> Layer:
        """x, relu(x - upper), relu(lower - x), and acc = acc + gain."""
        bias = np.concatenate([np.zeros(self.size), -upper, lower, np.zeros(1)])
        return Layer(self._passed[accumulated], bias, np.ones(len(bias), dtype=bool))

    def gain(self, target: int, accumulated: bool, last: bool) -> Layer:
        """x (not after the last sample), relu(y - y E / gap - acc), and acc."""
        size = self.size
        inputs = 3 * size + accumulated
        row = np.concatenate([np.full(2 * size, -target / self.gap), [-1.0] * accumulated])
        carried = 0 if last else size
        data = np.concatenate([np.ones(carried), row, [1.0] * accumulated])
        columns = np.concatenate(
            [np.arange(carried), np.arange(size, inputs), [inputs - 1] * accumulated]
        ).astype(np.int64)
        starts = [*range(carried + 1), carried + len(row)]
        if accumulated:
            starts.append(len(data))
        outputs = carried + 1 + accumulated
        weight = sp.csr_array((data, columns, np.array(starts)), shape=(outputs, inputs))
        bias = np.zeros(outputs)
        bias[carried] = target
        return Layer(weight, bias, np.ones(outputs, dtype=bool))
