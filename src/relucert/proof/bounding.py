"""What a proof may derive on regions: bounds on neurons, and that unsafe sets are not reached.

Every step here is sound for any slopes and any multipliers that a proof may name; the theory is in
docs/theory.md, section 7.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from relucert.network import Layer, Network
from relucert.proof.arithmetic import Arithmetic, Bounds, Chosen, Objective, Relaxation
from relucert.proof.records import BYTE_STEPS, SLOPE_STEPS, CloseRecord, LeafRecord, Slopes
from relucert.proof.region import Refused, Region
from relucert.query import Case, Polyhedron

__all__ = ["Given", "bounded", "closed", "lower_bounds", "mixed", "mixture", "neuron_bounds"]

_ROWS_AT_ONCE = 256
_MOST_KNOWN = 4096
_NEARLY_OPEN = 1 / 1024

Given = CloseRecord | LeafRecord
"""A record that gives slopes, and multipliers of fixed signs."""


@np.errstate(all="ignore")
def bounded(
    arithmetic: Arithmetic[Any],
    network: Network,
    regions: Sequence[Region],
    given: Sequence[Slopes],
    *,
    linear: bool = True,
) -> list[Region | Refused]:
    """Each region with bounds on every layer anew, within the ones it had; ``given``: slopes.

    Layer by layer: interval bounds from the layer before; then, if ``linear``, for ReLUs whose sign
    is open, linear bounds substituted back to the inputs. Stops where bounds contradict each other.
    """
    work = _Work(arithmetic, network, regions)
    stop: list[int | None] = [None] * len(regions)
    checked = [_unknown_neuron(network, slopes) for slopes in given]
    wrong = {place: one for place, one in enumerate(checked) if one is not None}
    given = [{} if place in wrong else slopes for place, slopes in enumerate(given)]
    for index, layer in enumerate(network.layers):
        found = arithmetic.interval(index, work.inputs[-1])
        if any(region.layers for region in regions):
            known = [
                region.layers[index] if region.layers else _unbounded(layer) for region in regions
            ]
            found = found.meet(Bounds.stacked(known))
        for place in np.flatnonzero(~found.finite).tolist():
            if stop[place] is None and place not in wrong:
                wrong[place] = Refused(f"bounds on layer {index} go beyond the range of float64")
        going = np.array([stop[p] is None and p not in wrong for p in range(len(regions))])
        going &= ~found.contradictory
        if index and linear:
            found = _tightened(work, given, found, going)
        for place in np.flatnonzero(found.contradictory).tolist():
            stop[place] = index if stop[place] is None else stop[place]
        work.passed(layer, found)
        if not going.any():
            break
    return [
        wrong.get(place) or _with_bounds(network, region, work, place, stop[place])
        for place, region in enumerate(regions)
    ]


def _with_bounds(
    network: Network, region: Region, work: _Work, place: int, stop: int | None
) -> Region:
    layers = tuple(one.pre.row(place) for one in work.relaxed)
    if stop is not None:
        later = region.layers or [_unbounded(layer) for layer in network.layers]
        layers = (*layers[: stop + 1], *later[stop + 1 :])
    return replace(region, layers=layers, empty=region.empty or stop is not None)


def _unbounded(layer: Layer) -> Bounds:
    return Bounds(np.full(layer.output_size, -np.inf), np.full(layer.output_size, np.inf))


class _Work:
    """Several regions on the way through the layers."""

    def __init__(
        self, arithmetic: Arithmetic[Any], network: Network, regions: Sequence[Region]
    ) -> None:
        self.arithmetic, self.network = arithmetic, network
        self.box = Bounds.stacked([region.box for region in regions])
        self.inputs, self.relaxed = [self.box], list[Relaxation]()

    def passed(self, layer: Layer, found: Bounds) -> None:
        """Go on to the next layer."""
        self.relaxed.append(Relaxation(layer, found))
        self.inputs.append(found.after(layer))

    def substituted(self, rows: Any, regions: np.ndarray, choices: Sequence[Chosen]) -> np.ndarray:
        """Rows over the last layer's outputs, substituted back to the box and minimised there."""
        for index in range(len(self.relaxed) - 1, -1, -1):
            rows = self.arithmetic.before_relu(rows, self.relaxed[index], choices[index])
            rows = self.arithmetic.before_affine(rows, index, self.inputs[index], regions)
        found = self.arithmetic.minimum(rows, self.box, regions)
        return np.where(np.isfinite(found), found, -np.inf)


def _tightened(work: _Work, given: Sequence[Slopes], found: Bounds, going: np.ndarray) -> Bounds:
    """Linear bounds on the open pre-activations of the next layer, of the regions ``going``.

    Also on those whose sign is only just known: bounds of exactly zero are usual in networks made
    from formulas, and there the rounding should not decide.
    """
    index, lower, upper = len(work.relaxed), found.lower.copy(), found.upper.copy()
    near = (upper - lower) * _NEARLY_OPEN
    wanted = work.network.layers[index].relu & (lower < near) & (upper > -near)
    places, neurons = np.nonzero(going[:, None] & wanted)
    for start in range(0, len(neurons), _ROWS_AT_ONCE):
        at, chosen = places[start : start + _ROWS_AT_ONCE], neurons[start : start + _ROWS_AT_ONCE]
        both, sides = np.tile(at, 2), np.repeat([1, -1], len(at))
        rows = work.arithmetic.neurons(index, np.tile(chosen, 2), sides, work.inputs[-1], both)
        choices = [
            Chosen(both, _slopes(one, number, both, given, both))
            for number, one in enumerate(work.relaxed)
        ]
        least = work.substituted(rows, both, choices)
        lower[at, chosen] = np.maximum(lower[at, chosen], least[: len(at)])
        upper[at, chosen] = np.minimum(upper[at, chosen], -least[len(at) :])
    return Bounds(lower, upper)


def _slopes(
    relaxation: Relaxation, index: int, at: np.ndarray, given: Sequence[Slopes], owner: np.ndarray
) -> np.ndarray | None:
    """Slopes of layer ``index`` for rows of the regions ``at``; None where all are the default.

    ``given[owner[row]]`` are those of a row.
    """
    chosen: np.ndarray | None = None
    for place, slopes in enumerate(given):
        values = slopes.get(index)
        if not values:
            continue
        if chosen is None:
            chosen = relaxation.slopes[at]
        rows = np.flatnonzero(owner == place)
        if isinstance(values, bytes):
            steps = np.frombuffer(values, dtype=np.uint8).astype(np.int16)
            chosen[rows] = steps * (SLOPE_STEPS // BYTE_STEPS)
        else:
            chosen[rows[:, None], list(values)] = list(values.values())
    return chosen


def lower_bounds(
    arithmetic: Arithmetic[Any],
    network: Network,
    pairs: Sequence[tuple[Region, Given]],
    objectives: Sequence[Objective],
) -> list[float | Refused]:
    """For each region a number that its objective is nowhere below there; -inf for none.

    Refused where the record names slopes or multipliers that are not allowed.
    """

    def begun(work: _Work, at: np.ndarray, places: Sequence[int]) -> Any:
        return arithmetic.objectives([objectives[place] for place in places], work.inputs[-1], at)

    return _least(arithmetic, network, pairs, len(network.layers), begun)


def neuron_bounds(
    arithmetic: Arithmetic[Any],
    network: Network,
    pairs: Sequence[tuple[Region, Given]],
    layer: int,
    neurons: np.ndarray,
    sides: np.ndarray,
) -> list[float | Refused]:
    """The same for ``side * z`` of neurons of one layer: neurons, sides (pairs,)."""

    def begun(work: _Work, at: np.ndarray, places: Sequence[int]) -> Any:
        return arithmetic.neurons(layer, neurons[places], sides[places], work.inputs[-1], at)

    return _least(arithmetic, network, pairs, layer, begun)


def _least(
    arithmetic: Arithmetic[Any],
    network: Network,
    pairs: Sequence[tuple[Region, Given]],
    layers: int,
    begun: Any,
) -> list[float | Refused]:
    """Rows over the outputs of the first ``layers`` layers, which ``begun`` makes."""
    found: list[float | Refused | None] = [_refusal(network, *pair) for pair in pairs]
    places = [place for place, one in enumerate(found) if one is None]
    if places:
        chosen = [pairs[place] for place in places]
        regions = list({id(region): region for region, _ in chosen}.values())
        numbers = {id(region): number for number, region in enumerate(regions)}
        at = np.array([numbers[id(region)] for region, _ in chosen])
        work = _Work(arithmetic, network, regions)
        choices = [_passed(work, index, at, chosen) for index in range(layers)]
        values = work.substituted(begun(work, at, places), at, choices)
        for place, value in zip(places, values.tolist(), strict=True):
            found[place] = np.inf if pairs[place][0].empty else value
    return [-np.inf if one is None else one for one in found]


def _passed(
    work: _Work, index: int, at: np.ndarray, pairs: Sequence[tuple[Region, Given]]
) -> Chosen:
    """Go through one layer with the regions; what is chosen there for every row."""
    layer = work.network.layers[index]
    known = {n: region.layers[index] for n, (region, _) in zip(at.tolist(), pairs, strict=True)}
    work.passed(layer, Bounds.stacked([known[number] for number in range(len(known))]))
    taken = None
    if any(index in record.betas for _, record in pairs):
        taken = np.zeros((len(pairs), layer.output_size))
        for row, (region, record) in enumerate(pairs):
            for neuron, beta in record.betas.get(index, {}).items():
                taken[row, neuron] = beta * region.signs[index][neuron]
    given, owner = [record.slopes for _, record in pairs], np.arange(len(pairs))
    return Chosen(at, _slopes(work.relaxed[-1], index, at, given, owner), taken)


def _refusal(network: Network, region: Region, record: Given) -> Refused | None:
    if not region.layers:
        return Refused("a set is to be refuted before there are bounds")
    for layer, betas in record.betas.items():
        for neuron, beta in betas.items():
            if neuron not in region.signs.get(layer, {}):
                return Refused(f"the sign of neuron {neuron} of layer {layer} is not fixed")
            if not beta >= 0:
                return Refused(f"the multiplier of neuron {neuron} of layer {layer} is negative")
    return _unknown_neuron(network, record.slopes)


def _unknown_neuron(network: Network, given: Slopes) -> Refused | None:
    for layer, values in given.items():
        if layer >= len(network.layers):
            return Refused(f"slopes are given for layer {layer} of {len(network.layers)}")
        size, relu = network.layers[layer].output_size, network.layers[layer].relu
        if isinstance(values, bytes):
            if len(values) != size:
                return Refused(f"slopes of layer {layer} are {len(values)} instead of {size}")
            continue
        for neuron in values:
            if neuron >= size or not relu[neuron]:
                return Refused(f"slopes are given for neuron {neuron} of layer {layer}: no ReLU")
    return None


def closed(
    arithmetic: Arithmetic[Any],
    network: Network,
    case: Case,
    pairs: Sequence[tuple[Region, CloseRecord]],
    known: dict[tuple[Any, ...], Objective],
) -> list[Refused | None]:
    """None where a record refutes its set on its region; ``known``: mixtures met before."""
    found: list[Refused | None] = [None] * len(pairs)
    tried, objectives = list[int](), list[Objective]()
    for place, (region, record) in enumerate(pairs):
        try:
            objectives.append(_objective(case, region, record, known))
            tried.append(place)
        except Refused as refusal:
            found[place] = refusal
    values = lower_bounds(arithmetic, network, [pairs[place] for place in tried], objectives)
    for place, value in zip(tried, values, strict=True):
        if isinstance(value, Refused):
            found[place] = value
        elif not value > 0:
            unsafe = pairs[place][1].unsafe
            found[place] = Refused(f"the bound of unsafe set {unsafe} is {value:.6g}, not positive")
    return found


def _objective(
    case: Case, region: Region, record: CloseRecord, known: dict[tuple[Any, ...], Objective]
) -> Objective:
    key = (record.unsafe, *record.weights.items())
    if key not in known or record.unsafe not in region.open:
        if len(known) >= _MOST_KNOWN:
            known.clear()
        known[key] = mixed(case, region, record.unsafe, record.weights)
    return known[key]


def mixed(case: Case, region: Region, unsafe: int, weights: Mapping[int, float]) -> Objective:
    """The mixture of the rows of a set that is open on the region; Refused where it is none."""
    if unsafe not in region.open:
        refuted = unsafe < len(case.unsafe)
        raise Refused(f"unsafe set {unsafe} {'is refuted already' if refuted else 'is none'}")
    return mixture(case.unsafe[unsafe], weights)


def mixture(part: Polyhedron, weights: Mapping[int, float]) -> Objective:
    """``sum_i w_i (C_i y - d_i)``, which is at most zero inside the polyhedron."""
    for row, weight in weights.items():
        if row >= len(part.limits):
            raise Refused(f"the unsafe set has no row {row}")
        if not weight >= 0:
            raise Refused(f"the weight of row {row} is negative")
    if not any(weights.values()):
        raise Refused("all weights are zero")
    exact = {row: Fraction(weight) for row, weight in weights.items() if weight}
    width = len(part.coefficients[0])
    coefficients = tuple(
        sum((w * part.coefficients[row][j] for row, w in exact.items()), Fraction(0))
        for j in range(width)
    )
    return Objective(
        coefficients, sum((w * part.limits[row] for row, w in exact.items()), Fraction(0))
    )
