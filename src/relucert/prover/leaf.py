"""Regions on which every sign is known: the network is affine, and a linear programme decides."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from relucert.bounds.unsafe import float_rows
from relucert.limits import Limits
from relucert.lp.answer import Status
from relucert.lp.highs import LpSolver
from relucert.lp.model import ModelBuilder
from relucert.network import Network
from relucert.proof.records import CloseRecord
from relucert.proof.region import Region
from relucert.prover.guide import short_float
from relucert.query import Case, Polyhedron
from relucert.search.star.leaf import Leaf as ExactLeaf
from relucert.search.star.leaf import decide_leaf as decide_exactly
from relucert.search.star.work import ACTIVE, INACTIVE, SPLIT

__all__ = ["Leaf", "decide_leaf", "reached_exactly"]

_BITS = 30
_LEAST_WEIGHT = 2.0**-24
_NEGLIGIBLE = 1e-12


@dataclass(frozen=True, eq=False)
class Leaf:
    """A record that may refute the set, and the input where it comes closest, (inputs,)."""

    record: CloseRecord | None
    point: np.ndarray


@dataclass(frozen=True, eq=False)
class _Row:
    """``slopes @ x + offset``, at most zero where region and set meet; whose multiplier it has."""

    slopes: np.ndarray
    offset: float
    layer: int  # -1: a row of the unsafe set
    index: int


def decide_leaf(network: Network, region: Region, part: Polyhedron, unsafe: int) -> Leaf | None:
    """Multipliers from the dual of "how far are all of the region's and the set's rows from
    holding together"; None where the linear programme fails. Bounds of no rounding: a hint.
    """
    rows = _rows(network, region, part)
    centre = 0.5 * region.box.lower + 0.5 * region.box.upper
    radius = region.box.upper - centre
    builder = ModelBuilder()
    for _ in centre:
        builder.variable(-1.0, 1.0)
    least = builder.variable(-np.inf, np.inf)
    scales = []
    for row in rows:
        slopes, offset = row.slopes * radius, row.offset + float(row.slopes @ centre)
        scale = float(np.abs(slopes).sum()) + abs(offset)
        if not np.isfinite(scale):
            return None
        scales.append(scale if scale > 0 else 1.0)
        used = np.flatnonzero(slopes)
        values = np.append(-slopes[used] / scales[-1], 1.0)
        builder.row(np.append(used, least), values, offset / scales[-1])
    cost = np.zeros(len(centre) + 1)
    cost[least] = 1.0
    answer = LpSolver(builder.build({least: 1.0})).minimise(cost, Limits())
    if answer.status is not Status.OPTIMAL or answer.x is None or answer.duals is None:
        return None
    point = np.clip(centre + radius * answer.x[:-1], region.box.lower, region.box.upper)
    multipliers = np.maximum(answer.duals, 0.0)
    multipliers[multipliers < _NEGLIGIBLE] = 0.0
    if answer.objective <= 0 or not multipliers.any():
        return Leaf(None, point)
    weights: dict[int, float] = {}
    betas: dict[int, dict[int, float]] = {}
    for row, multiplier, scale in zip(rows, multipliers.tolist(), scales, strict=True):
        if multiplier > 0:
            value = multiplier / scale
            if not math.isfinite(value):
                return None
            kept = weights if row.layer < 0 else betas.setdefault(row.layer, {})
            kept[row.index] = short_float(value, _BITS)
    # The region may be empty without the set: then any small weight will do.
    weights = weights or {0: min(_LEAST_WEIGHT / scales[0], 1.0)}
    record = CloseRecord(unsafe, weights, {}, betas)
    return Leaf(record, point)


def _rows(network: Network, region: Region, part: Polyhedron) -> list[_Row]:
    """The set's rows, then ``-sign * z`` for every fixed sign, as functions of the input."""
    slopes, offset = np.eye(network.input_size), np.zeros(network.input_size)
    fixed = []
    for index, (layer, pre) in enumerate(zip(network.layers, region.layers, strict=True)):
        slopes, offset = layer.weight @ slopes, layer.weight @ offset + layer.bias
        if layer.divisor is not None:
            slopes, offset = slopes / layer.divisor[:, None], offset / layer.divisor
        for neuron, sign in region.signs.get(index, {}).items():
            fixed.append(_Row(-sign * slopes[neuron], -sign * float(offset[neuron]), index, neuron))
        dead = layer.relu & (pre.upper <= 0)
        slopes, offset = np.where(dead[:, None], 0.0, slopes), np.where(dead, 0.0, offset)
    floats = float_rows(part)
    unsafe = [
        _Row(row @ slopes, float(row @ offset - limit), -1, index)
        for index, (row, limit) in enumerate(zip(floats.coefficients, floats.limits, strict=True))
    ]
    return [*unsafe, *fixed]


def reached_exactly(
    network: Network, case: Case, region: Region, unsafe: int
) -> tuple[Fraction, ...] | None:
    """An input of the region with an output in the unsafe set, None when there is none.

    In rational arithmetic, for margins within the rounding of any bound. The signs of all ReLUs
    are fixed on the region, or known by its bounds.
    """
    states = []
    for index, (layer, pre) in enumerate(zip(network.layers, region.layers, strict=True)):
        state = np.where(layer.relu, np.where(pre.lower >= 0, ACTIVE, INACTIVE), 0)
        for neuron, sign in region.signs.get(index, {}).items():
            state[neuron] = sign * SPLIT
        states.append(state)
    free = [i for i, (a, b) in enumerate(zip(case.box.lower, case.box.upper, strict=True)) if a < b]
    ends = region.box.lower[free], region.box.upper[free]
    parts = (case.unsafe[unsafe],)
    return decide_exactly(
        network, case, ExactLeaf(*ends, np.array(free, dtype=int), tuple(states), parts)
    )
