"""Proofs by fixing signs of ReLUs with bounds anew: for what other proofs leave open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from relucert.bounds.backward import Relaxation
from relucert.bounds.interval import Intervals
from relucert.bounds.unsafe import FloatRows, float_rows
from relucert.proof.records import SLOPE_STEPS, BoundRecord, ReluSplitRecord
from relucert.proof.region import Region
from relucert.prover.ascent import ascend, start_multipliers
from relucert.prover.branching import Influence, branching_neuron
from relucert.prover.guide import chain_of, linear_rows, mixing_weights, short_weights
from relucert.prover.leaf import decide_leaf
from relucert.prover.multipliers import closed, region_lines
from relucert.prover.outcomes import Stopped
from relucert.prover.tree import Tree
from relucert.search.relu_bounds import Bounded, Multipliers, PartLines

__all__ = ["deeper_bounds", "prove_by_signs", "root_bounds"]

_STEPS = 12
_ROOT_STEPS = 40
_RATE = 0.25
_DEEP = 3


@dataclass(frozen=True, eq=False)
class _Waiting:
    """A region to be refuted, multipliers to start from, and the layer of its newest sign."""

    region: Region
    start: Multipliers | None = None
    newest: int = -1


@dataclass(frozen=True, eq=False)
class _Target:
    """A mixture of an unsafe set's rows: exact weights, and in float64."""

    weights: Mapping[int, float]
    row: np.ndarray
    limit: float


def prove_by_signs(tree: Tree, root: Region) -> None:
    """Write a tree of ReLU splits; raises Stopped when it cannot be completed."""
    region = root_bounds(tree, root)
    if tree.ended(region):
        return
    chain = chain_of(tree.network, region)
    parts = tree.case.unsafe
    if any(not part.limits for part in parts):
        raise Stopped("an unsafe set without rows is not empty")
    targets = [_target(chain, region, float_rows(part)) for part in parts]
    layers = [index for index, one in enumerate(tree.network.layers) if one.relu.any()]
    waiting = [_Waiting(region)]
    while waiting:
        node = waiting.pop()
        tree.visit()
        waiting += reversed(_visited(tree, targets, layers, node))


def root_bounds(tree: Tree, region: Region, known: bool = False) -> Region:
    """Bounds with the default slopes, then with flat and with steep ones: the best of each.

    known: the region has the first of them already, though they are not written down.
    """
    if known:
        tree.writer.write(BoundRecord())
        return deeper_bounds(tree, region)
    return deeper_bounds(tree, tree.bounded(region, {}))


def deeper_bounds(tree: Tree, region: Region) -> Region:
    """The bounds of `root_bounds` from those with the default slopes."""
    deep = sum(bool(layer.relu.any()) for layer in tree.network.layers) >= _DEEP
    for slope in (0, SLOPE_STEPS) if deep else ():
        if not region.empty:
            slopes = {
                index: dict.fromkeys(np.flatnonzero(one.unstable).tolist(), slope)
                for index, one in enumerate(chain_of(tree.network, region)[:-1])
            }
            region = tree.bounded(region, slopes)
    return region


def _target(chain: list[Relaxation], region: Region, rows: FloatRows) -> _Target:
    state = linear_rows(chain, rows)
    weights = short_weights(mixing_weights(state.rows, state.constant - rows.limits, region.box))
    mix = np.array([weights.get(index, 0.0) for index in range(len(rows.limits))])
    return _Target(weights, mix @ rows.coefficients, float(mix @ rows.limits))


def _visited(
    tree: Tree, targets: list[_Target], layers: list[int], node: _Waiting
) -> list[_Waiting]:
    """Refute a region, or split it in two."""
    region, influences = node.region, tuple[Influence, ...]()
    if not region.empty and len(layers) >= _DEEP and 0 <= node.newest < layers[-1]:
        region = tree.bounded(region, {})
        influences = tree.guide.influences()
    if tree.ended(region):
        return []
    chain = chain_of(tree.network, region)
    lines = {index: region_lines(chain[index], region, index) for index in layers}
    left, found, best = _refuted(tree, targets, chain, lines, region, node)
    if left is None:
        return []
    tree.look(found.points[0])
    pre = {index: chain[index].pre for index in layers}
    coefficients = {index: own[0] for index, own in found.coefficients.items()}
    chosen = branching_neuron(pre, influences, lines, coefficients) or _any_unstable(lines)
    if chosen is None:
        _close_leaf(tree, left)
        return []
    first, second = tree.emit(left, ReluSplitRecord(*chosen))
    return [_Waiting(first, best, chosen[0]), _Waiting(second, best, chosen[0])]


def _any_unstable(lines: dict[int, PartLines]) -> tuple[int, int] | None:
    for layer, given in lines.items():
        if given.unstable.any():
            return layer, int(given.unstable[0].argmax())
    return None


def _close_leaf(tree: Tree, region: Region) -> None:
    """Refute what is left where all signs are known; raises Stopped where that fails."""
    for unsafe in region.open:
        leaf = decide_leaf(tree.network, region, tree.case.unsafe[unsafe], unsafe)
        if leaf is not None:
            tree.look(leaf.point)
        if leaf is not None and leaf.record is not None and tree.refutes(region, leaf.record):
            tree.close(region, leaf.record)
        else:
            tree.decide_exactly(region, unsafe)
        region = region.without(unsafe)


def _refuted(
    tree: Tree,
    targets: list[_Target],
    chain: list[Relaxation],
    lines: dict[int, PartLines],
    region: Region,
    node: _Waiting,
) -> tuple[Region | None, Bounded, Multipliers]:
    """Close what multipliers close; what is left, with the bound and multipliers of the worst."""
    rows = np.array([targets[unsafe].row for unsafe in region.open])
    limits = np.array([targets[unsafe].limit for unsafe in region.open])
    start = start_multipliers(lines, len(rows))
    for row in range(len(rows)):
        start.adopt(row, node.start)
    steps = _ROOT_STEPS if region.depth == 0 else _STEPS
    box = Intervals(region.box.lower, region.box.upper)
    goals = limits + 1e-6 * (np.abs(limits) + np.abs(rows).max(axis=1))
    found, best = ascend(chain, box, rows, lines, start, steps=steps, rate=_RATE, targets=goals)
    left: Region | None = region
    for row, unsafe in enumerate(region.open):
        if left is not None and found.values[row] > limits[row]:
            only = best.rows(np.array([row]))
            coefficients = {layer: c[row] for layer, c in found.coefficients.items()}
            left = closed(tree, left, targets[unsafe].weights, unsafe, lines, only, coefficients)
    worst = np.array([int((found.values - limits).argmin())])
    coefficients = {layer: c[worst] for layer, c in found.coefficients.items()}
    smaller = Bounded(found.values[worst], found.points[worst], coefficients)
    return left, smaller, best.rows(worst)
