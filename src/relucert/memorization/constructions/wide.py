"""All samples side by side: width 2nN, depth ceil(log2 N) + 3 (docs/theory.md, section 6.1)."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from relucert.memorization.boxes import Boxes
from relucert.memorization.constructions.tree import tree_levels
from relucert.network import Layer

__all__ = ["wide_layers"]


def wide_layers(boxes: Boxes, targets: np.ndarray) -> tuple[Layer, ...]:
    """The layers of F = max_i relu(y_i (1 - E_i / gap)), E_i the l_1 distance from box i.

    targets: int64 (points,), positive. First the 2n terms of every E_i, then the N values, then
    their maximum by a binary tree.
    """
    count, size = boxes.lower.shape
    bumps = sp.csr_array(
        (
            np.repeat(-targets / boxes.gap, 2 * size),
            np.arange(2 * size * count),
            np.arange(count + 1) * 2 * size,
        ),
        shape=(count, 2 * size * count),
    )
    layers = [
        _distances(boxes),
        Layer(bumps, targets.astype(np.float64), np.ones(count, dtype=bool)),
    ]
    levels, maximum = tree_levels(sp.eye_array(count, format="csr"))
    for level in levels:
        outputs = level.shape[0]
        layers.append(Layer(level, np.zeros(outputs), np.ones(outputs, dtype=bool)))
    layers.append(Layer(maximum, np.zeros(1), np.zeros(1, dtype=bool)))
    return tuple(layers)


def _distances(boxes: Boxes) -> Layer:
    """relu(x - upper) for the n inputs, then relu(lower - x), sample after sample."""
    count, size = boxes.lower.shape
    rows = 2 * size * count
    signs = np.tile(np.repeat([1.0, -1.0], size), count)
    columns = np.tile(np.arange(size), 2 * count)
    weight = sp.csr_array((signs, columns, np.arange(rows + 1)), shape=(rows, size))
    upper, lower = boxes.upper - boxes.shift, boxes.lower - boxes.shift
    bias = np.concatenate([-upper, lower], axis=1).reshape(-1)
    return Layer(weight, bias, np.ones(rows, dtype=bool))
