"""Multipliers that the search found, shortened until the checker just takes them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from relucert.bounds.backward import Relaxation
from relucert.proof.arithmetic import Relaxation as Checked
from relucert.proof.records import SLOPE_STEPS, CloseRecord
from relucert.proof.region import Region
from relucert.prover.guide import short_float
from relucert.prover.tree import Tree
from relucert.search.relu_bounds import Multipliers, PartLines, part_lines

__all__ = ["closed", "region_lines"]

_SHORT_BITS = (0, 5, 12, 24)  # no multipliers of signs where the proof can do without


def region_lines(relaxation: Relaxation, region: Region, index: int) -> PartLines:
    """Lines of one layer on a region, of one row, with its fixed signs."""
    signs = np.zeros(relaxation.layer.output_size)
    for neuron, sign in region.signs.get(index, {}).items():
        signs[neuron] = sign
    pre = relaxation.pre
    return part_lines(relaxation.layer.relu, pre.lower[None], pre.upper[None], signs[None])


def closed(
    tree: Tree,
    region: Region,
    weights: Mapping[int, float],
    unsafe: int,
    lines: dict[int, PartLines],
    best: Multipliers,
    coefficients: dict[int, np.ndarray],
) -> Region | None:
    """The region without the set, when multipliers of few bits do; else with it."""
    slopes = {
        layer: _slopes(tree, region, layer, lines[layer], alpha[0], coefficients[layer])
        for layer, alpha in best.alpha.items()
    }
    for bits in _SHORT_BITS:
        betas = {
            layer: {
                int(n): short_float(float(beta[0, n]), bits) for n in np.flatnonzero(beta[0] > 0)
            }
            for layer, beta in (best.beta.items() if bits else ())
        }
        record = CloseRecord(unsafe, weights, slopes, betas)
        if tree.refutes(region, record):
            return tree.close(region, record)
    return region


def _slopes(
    tree: Tree,
    region: Region,
    layer: int,
    lines: PartLines,
    alpha: np.ndarray,
    coefficients: np.ndarray,
) -> dict[int, int]:
    """Slopes in whole steps where they matter and are not the default."""
    steps = np.round(alpha * SLOPE_STEPS).astype(int)
    default = Checked(tree.network.layers[layer], region.layers[layer]).slopes
    chosen = np.flatnonzero(lines.unstable[0] & (coefficients > 0) & (steps != default))
    return {int(neuron): int(steps[neuron]) for neuron in chosen}
