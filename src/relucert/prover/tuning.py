"""Slopes for the bounds of single neurons on the whole box: by ascent, written into the proof."""

from __future__ import annotations

import numpy as np

from relucert.bounds.backward import Relaxation
from relucert.bounds.interval import Intervals
from relucert.limits import Limits
from relucert.proof.arithmetic import Relaxation as Checked
from relucert.proof.records import SLOPE_STEPS, Slopes, TuneRecord
from relucert.proof.region import Region
from relucert.prover.guide import chain_of
from relucert.prover.multipliers import region_lines
from relucert.prover.tree import Tree
from relucert.search.relu_bounds import Multipliers, ascend, start_multipliers

__all__ = ["tuned_bounds"]

_STEPS = 20
_RATE = 0.25
_NEURONS_AT_ONCE = 64
_TIME_SHARE = 0.25


def tuned_bounds(tree: Tree, region: Region) -> Region:
    """The region with bounds by slopes tuned for each of them; what time allows.

    Layer by layer, as the bounds of one are what the next ones rest on.
    """
    limits = tree.limits.within(_TIME_SHARE * tree.limits.remaining)
    layers = [index for index, one in enumerate(tree.network.layers) if one.relu.any()]
    for index in layers[1:]:
        if region.empty or limits.out_of_time:
            break
        chain = chain_of(tree.network, region)
        records = _records(tree, region, chain, [i for i in layers if i < index], index, limits)
        for record in records:
            (region,) = tree.emit(region, record)
        if records:
            region = tree.bounded(region, {})
    return region


def _records(
    tree: Tree,
    region: Region,
    chain: list[Relaxation],
    before: list[int],
    index: int,
    limits: Limits,
) -> list[TuneRecord]:
    """Slopes for both bounds of every open neuron of one layer."""
    pre = region.layers[index]
    relu = tree.network.layers[index].relu
    neurons = np.flatnonzero(relu & (pre.lower < 0) & (pre.upper > 0))
    lines = {i: region_lines(chain[i], region, i) for i in before}
    defaults = {i: Checked(tree.network.layers[i], region.layers[i]) for i in before}
    box = Intervals(region.box.lower, region.box.upper)
    found = []
    for start in range(0, len(neurons), _NEURONS_AT_ONCE):
        if limits.out_of_time:
            break
        chosen = neurons[start : start + _NEURONS_AT_ONCE]
        targets = [(int(neuron), side) for side in (1, -1) for neuron in chosen]
        rows = np.zeros((len(targets), len(pre.lower)))
        rows[np.arange(len(targets)), [n for n, _ in targets]] = [side for _, side in targets]
        _, best = ascend(
            chain[: index + 1], box, rows, lines, start_multipliers(lines, len(rows)),
            steps=_STEPS, rate=_RATE, after_relu=False,
        )  # fmt: skip
        slopes = _slopes(best, defaults, len(targets))
        named = [(n, side, one) for (n, side), one in zip(targets, slopes, strict=True) if one]
        if named:
            found.append(TuneRecord(index, tuple(named)))
    return found


def _slopes(best: Multipliers, defaults: dict[int, Checked], count: int) -> list[Slopes]:
    """For each row the slopes of unstable ReLUs that are not the default, in whole steps."""
    slopes: list[dict[int, dict[int, int]]] = [{} for _ in range(count)]
    for layer, relaxation in defaults.items():
        steps = np.round(best.alpha[layer] * SLOPE_STEPS).astype(int)
        changed = relaxation.unstable & (steps != relaxation.slopes)
        for row in range(count):
            own = np.flatnonzero(changed[row])
            if len(own):
                slopes[row][layer] = dict(zip(own.tolist(), steps[row, own].tolist(), strict=True))
    return list(slopes)
