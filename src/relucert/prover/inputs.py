"""Proofs by halving the input box, where few inputs vary."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from relucert.bounds.backward import Relaxation, input_influence
from relucert.bounds.interval import Intervals
from relucert.bounds.unsafe import FloatRows, float_rows
from relucert.network import Network
from relucert.proof.records import CloseRecord, InputSplitRecord
from relucert.proof.region import Region
from relucert.prover.guide import chain_of, linear_rows, mixing_weights, short_weights
from relucert.prover.outcomes import Stopped
from relucert.prover.tree import Tree

__all__ = ["Halving", "halving", "prove_by_inputs"]

_MAX_DEPTH = 3000
_SPLIT_BITS = 5


def prove_by_inputs(tree: Tree, root: Region, fresh: bool = False) -> None:
    """Write a tree of input splits; raises Stopped when it cannot be completed.

    fresh: the bounds of ``root`` are as good as they get, and written; other weights alone may do.
    """
    rows = [float_rows(part) for part in tree.case.unsafe]
    if not fresh:
        root = replace(root, layers=())
    if fresh:
        tree.guide.forget()
        left = _closed(tree, rows, root)
        if left is None:
            return
        root = left[0]
    waiting = [root]
    while waiting:
        region = waiting.pop()
        tree.visit()
        left = _closed(tree, rows, tree.bounded(region, {}))
        if left is None:
            continue
        region, influence = left
        tree.look(0.5 * region.box.lower + 0.5 * region.box.upper)
        index = _widest(region, influence)
        if index is None or region.depth >= _MAX_DEPTH:
            raise Stopped("a region too small to halve is not refuted")
        value = _middle(float(region.box.lower[index]), float(region.box.upper[index]))
        first, second = tree.emit(region, InputSplitRecord(index, value))
        waiting += [second, first]


@dataclass(frozen=True, eq=False)
class Halving:
    """The input to halve and where, and for each open set the weights to try on the halves."""

    index: int
    value: float
    weights: Mapping[int, Mapping[int, float]]


def halving(network: Network, region: Region, rows: Sequence[FloatRows]) -> Halving | None:
    """How to halve a region with bounds; None where it is too small."""
    chain = chain_of(network, region)
    influence, hints = np.zeros(network.input_size), {}
    for unsafe in region.open:
        weights = _weights(chain, region, rows[unsafe])
        if weights is not None:
            hints[unsafe] = short_weights(weights)
            influence += _scaled(input_influence(chain, weights @ rows[unsafe].coefficients))
    index = _widest(region, influence)
    if index is None or region.depth >= _MAX_DEPTH:
        return None
    value = _middle(float(region.box.lower[index]), float(region.box.upper[index]))
    return Halving(index, value, hints)


def _closed(tree: Tree, rows: list[FloatRows], region: Region) -> tuple[Region, np.ndarray] | None:
    """Refute what linear bounds refute; what is left, and what each input does to its bounds."""
    if tree.ended(region):
        return None
    chain = chain_of(tree.network, region, tree.guide.slopes)
    influence = np.zeros(tree.network.input_size)
    for unsafe in region.open:
        weights = _weights(chain, region, rows[unsafe])
        if weights is not None:
            record = CloseRecord(unsafe, short_weights(weights))
            if tree.refutes(region, record):
                left = tree.close(region, record)
                if left is None:
                    return None
                region = left
                continue
            influence += _scaled(input_influence(chain, weights @ rows[unsafe].coefficients))
    return region, influence


def _weights(chain: list[Relaxation], region: Region, rows: FloatRows) -> np.ndarray | None:
    """Weights of the rows, None for an unsafe set without rows."""
    if len(rows.limits) < 2:
        return np.ones(1) if len(rows.limits) else None
    state = linear_rows(chain, rows)
    return mixing_weights(state.rows, state.constant - rows.limits, region.box)


def _scaled(influence: np.ndarray) -> np.ndarray:
    return influence / max(float(influence.max(initial=0.0)), 1e-300)


def _widest(region: Region, influence: np.ndarray) -> int | None:
    """The input whose halving promises most; None when no interval can be halved."""
    box = Intervals(region.box.lower, region.box.upper)
    middle = 0.5 * box.lower + 0.5 * box.upper
    possible = (box.lower < middle) & (middle < box.upper)
    if not possible.any():
        return None
    width = box.upper - box.lower
    scores = np.where(possible, influence * width, -1.0)
    if not (scores > 0).any():
        scores = np.where(possible, width, -1.0)
    return int(scores.argmax())


def _middle(low: float, high: float) -> float:
    """A float64 of few bits near the middle, where there is one: proofs are shorter with it."""
    middle, width = 0.5 * low + 0.5 * high, high - low
    step = math.ldexp(1.0, math.frexp(width)[1] - _SPLIT_BITS)
    steps = middle / step if step > 0 else math.inf
    short = round(steps) * step if math.isfinite(steps) else middle
    return short if low < short < high else middle
