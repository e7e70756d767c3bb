"""Regions of a case's box, and the steps a proof may take on them.

A region is a box and signs of ReLUs fixed by splits, with bounds on every layer's
pre-activations that hold wherever in the box the signs hold. Every step here is sound for any
slopes and any multipliers a proof may name; the theory is in docs/theory.md, section 7.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import numpy as np

from relucert.network import Layer, Network
from relucert.proof.arithmetic import Arithmetic, Bounds, Chosen, Objective, Relaxation
from relucert.proof.records import CloseRecord, Slopes, TuneRecord
from relucert.proof.tuned import Tuned
from relucert.query import Case, Polyhedron

__all__ = [
    "Refused",
    "Region",
    "bounded",
    "closed",
    "halves",
    "input_halves",
    "lower_bounds",
    "mixed",
    "root_region",
    "tuned",
]

_ROWS_AT_ONCE = 256
_MOST_TUNED = 2 * 1024**3
_MOST_KNOWN = 4096


class Refused(Exception):  # noqa: N818 - not an error: the checker's "no"
    """A step is not allowed, or does not show what it should; the message says why."""


@dataclass(frozen=True, eq=False)
class Region:
    """What is known of one region.

    box: over the inputs. layers: bounds on every layer's pre-activations; none before the first
    `bounded`. signs: by layer, neuron -> +1 (z >= 0) or -1 (z <= 0). open: the unsafe sets not
    yet refuted. empty: whether the bounds contradict each other. depth: splits above.
    """

    box: Bounds
    layers: tuple[Bounds, ...]
    signs: Mapping[int, Mapping[int, int]]
    open: tuple[int, ...]
    empty: bool = False
    depth: int = 0
    tuned: Mapping[int, Tuned] = field(default_factory=dict)

    def without(self, unsafe: int) -> Region:
        """The region once an unsafe set is refuted on it."""
        return replace(self, open=tuple(index for index in self.open if index != unsafe))


def root_region(case: Case) -> Region:
    """The whole box of a case, rounded outward to float64; Refused beyond its range."""
    box = Bounds(*case.box.enclosing_floats)
    if not box.finite:
        raise Refused("the box goes beyond the range of float64")
    for index, (low, high) in enumerate(zip(case.box.lower, case.box.upper, strict=True)):
        if Fraction(float(box.lower[index])) > low or Fraction(float(box.upper[index])) < high:
            raise Refused(f"input {index} leaves the box of floats")
    return Region(box, (), {}, tuple(range(len(case.unsafe))))


def input_halves(region: Region, index: int, value: float) -> tuple[Region, Region]:
    """The parts where an input is at most and at least ``value``, which both contain."""
    if index >= len(region.box.lower):
        raise Refused(f"there is no input {index}")
    if not region.box.lower[index] < value < region.box.upper[index]:
        raise Refused(f"the value is not inside the interval of input {index}")
    upper, lower = region.box.upper.copy(), region.box.lower.copy()
    upper[index] = lower[index] = value
    first, second = Bounds(region.box.lower, upper), Bounds(lower, region.box.upper)
    depth = region.depth + 1
    return replace(region, box=first, depth=depth), replace(region, box=second, depth=depth)


def halves(network: Network, region: Region, layer: int, neuron: int) -> tuple[Region, Region]:
    """The parts where a ReLU's pre-activation is at least and at most zero."""
    if layer >= len(network.layers) or neuron >= network.layers[layer].output_size:
        raise Refused(f"there is no neuron {neuron} in a layer {layer}")
    if not network.layers[layer].relu[neuron]:
        raise Refused(f"neuron {neuron} of layer {layer} has no ReLU")
    if not region.layers:
        raise Refused("a ReLU is split before there are bounds")
    if neuron in region.signs.get(layer, {}):
        raise Refused(f"the sign of neuron {neuron} of layer {layer} is fixed already")
    return _fixed(region, layer, neuron, 1), _fixed(region, layer, neuron, -1)


def _fixed(region: Region, layer: int, neuron: int, sign: int) -> Region:
    lower, upper = region.layers[layer].lower.copy(), region.layers[layer].upper.copy()
    if sign > 0:
        lower[neuron] = max(lower[neuron], 0.0)
    else:
        upper[neuron] = min(upper[neuron], 0.0)
    clipped = Bounds(lower, upper)
    layers = (*region.layers[:layer], clipped, *region.layers[layer + 1 :])
    signs = {**region.signs, layer: {**region.signs.get(layer, {}), neuron: sign}}
    empty = region.empty or bool(lower[neuron] > upper[neuron])
    return replace(region, layers=layers, signs=signs, empty=empty, depth=region.depth + 1)


@np.errstate(all="ignore")
def bounded(
    arithmetic: Arithmetic[Any],
    network: Network,
    regions: Sequence[Region],
    given: Sequence[Slopes],
) -> list[Region | Refused]:
    """Each region with bounds on every layer anew, within the ones it had; ``given``: slopes.

    Layer by layer: interval bounds from the layer before; then, for ReLUs whose sign is open,
    linear bounds substituted back to the inputs. Stops where the bounds contradict each other.
    """
    work = _Work(arithmetic, network, regions)
    stop: list[int | None] = [None] * len(regions)
    wrong: dict[int, Refused] = {}
    for place, slopes in enumerate(given):
        try:
            _check_neurons(network, slopes, "slopes")
        except Refused as refusal:
            wrong[place] = refusal
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
        if index:
            found = _tightened(work, regions, given, found, going)
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


def _tightened(
    work: _Work,
    regions: Sequence[Region],
    given: Sequence[Slopes],
    found: Bounds,
    going: np.ndarray,
) -> Bounds:
    """Linear bounds on the open pre-activations of the next layer, of the regions ``going``."""
    index = len(work.relaxed)
    relu = work.network.layers[index].relu
    lower, upper = found.lower.copy(), found.upper.copy()
    places, neurons = np.nonzero(going[:, None] & relu & (lower < 0) & (upper > 0))
    for start in range(0, len(neurons), _ROWS_AT_ONCE):
        at, chosen = places[start : start + _ROWS_AT_ONCE], neurons[start : start + _ROWS_AT_ONCE]
        both, sides = np.concatenate([at, at]), np.repeat([1, -1], len(at))
        targets = np.concatenate([chosen, chosen])
        rows = work.arithmetic.units(index, targets, sides)
        rows = work.arithmetic.before_affine(rows, index, work.inputs[-1], both)
        choices = [
            Chosen(both, _slopes(one, number, both, regions, given, (index, targets, sides)))
            for number, one in enumerate(work.relaxed)
        ]
        least = work.substituted(rows, both, choices)
        lower[at, chosen] = np.maximum(lower[at, chosen], least[: len(at)])
        upper[at, chosen] = np.minimum(upper[at, chosen], -least[len(at) :])
    return Bounds(lower, upper)


def _slopes(
    relaxation: Relaxation,
    index: int,
    at: np.ndarray,
    regions: Sequence[Region],
    given: Sequence[Slopes],
    targets: tuple[int, np.ndarray, np.ndarray] | None = None,
) -> np.ndarray | None:
    """Slopes of layer ``index`` for rows of the regions ``at``; None where all are the default.

    A row's target's own slopes count first, then those given for its region.
    """
    chosen: np.ndarray | None = None
    if not any(given) and (targets is None or not any(region.tuned for region in regions)):
        return None
    for place in range(len(regions)):
        tuned = None if targets is None else regions[place].tuned.get(targets[0])
        if not given[place].get(index) and (tuned is None or index not in tuned.slopes):
            continue
        if chosen is None:
            chosen = relaxation.slopes[at]
        rows = np.flatnonzero(at == place)
        for neuron, slope in given[place].get(index, {}).items():
            chosen[rows, neuron] = slope
        if targets is not None and tuned is not None and index in tuned.slopes:
            own = tuned.rows(index, targets[1][rows], targets[2][rows])
            chosen[rows] = np.where(own >= 0, own, chosen[rows])
    return chosen


def lower_bounds(
    arithmetic: Arithmetic[Any],
    network: Network,
    pairs: Sequence[tuple[Region, CloseRecord]],
    objectives: Sequence[Objective],
) -> list[float | Refused]:
    """For each region a number that its objective is nowhere below there; -inf for none.

    Refused where the record names slopes or multipliers that are not allowed.
    """
    found: list[float | Refused | None] = [_refusal(network, *pair) for pair in pairs]
    places = [place for place, one in enumerate(found) if one is None]
    if places:
        chosen = [pairs[place] for place in places]
        values = _least(arithmetic, network, chosen, [objectives[place] for place in places])
        for place, value in zip(places, values.tolist(), strict=True):
            found[place] = np.inf if pairs[place][0].empty else value
    return [-np.inf if one is None else one for one in found]


def _refusal(network: Network, region: Region, record: CloseRecord) -> Refused | None:
    try:
        if not region.layers:
            raise Refused("a set is to be refuted before there are bounds")
        _check_neurons(network, record.slopes, "slopes")
        _check_neurons(network, record.betas, "multipliers")
        for layer, betas in record.betas.items():
            _taken(region, layer, betas, network.layers[layer].output_size)
    except Refused as refusal:
        return refusal
    return None


def _least(
    arithmetic: Arithmetic[Any],
    network: Network,
    pairs: Sequence[tuple[Region, CloseRecord]],
    objectives: Sequence[Objective],
) -> np.ndarray:
    regions, slopes = [region for region, _ in pairs], [record.slopes for _, record in pairs]
    work, at, choices = _Work(arithmetic, network, regions), np.arange(len(pairs)), []
    for index, layer in enumerate(network.layers):
        work.passed(layer, Bounds.stacked([region.layers[index] for region in regions]))
        taken = None
        if any(index in record.betas for _, record in pairs):
            size = layer.output_size
            taken = np.stack([_taken(r, index, c.betas.get(index, {}), size) for r, c in pairs])
        choices.append(Chosen(at, _slopes(work.relaxed[-1], index, at, regions, slopes), taken))
    return work.substituted(arithmetic.objectives(objectives, work.inputs[-1]), at, choices)


def closed(
    arithmetic: Arithmetic[Any],
    network: Network,
    case: Case,
    pairs: Sequence[tuple[Region, CloseRecord]],
    known: dict[tuple[Any, ...], Objective],
) -> list[Region | Refused]:
    """Each region without the set that its record refutes; ``known``: mixtures met before."""
    found: list[Region | Refused] = [region for region, _ in pairs]
    tried, objectives = list[int](), list[Objective]()
    for place, (region, record) in enumerate(pairs):
        try:
            objectives.append(_objective(case, region, record, known))
            tried.append(place)
        except Refused as refusal:
            found[place] = refusal
    chosen = [pairs[place] for place in tried]
    values = lower_bounds(arithmetic, network, chosen, objectives)
    for place, value in zip(tried, values, strict=True):
        region, record = pairs[place]
        if isinstance(value, Refused):
            found[place] = value
        elif not value > 0:
            words = f"the bound of unsafe set {record.unsafe} is {value:.6g}, not positive"
            found[place] = Refused(words)
        else:
            found[place] = region.without(record.unsafe)
    return found


def _objective(
    case: Case, region: Region, record: CloseRecord, known: dict[tuple[Any, ...], Objective]
) -> Objective:
    if record.unsafe not in region.open:
        refuted = record.unsafe < len(case.unsafe)
        raise Refused(
            f"unsafe set {record.unsafe} {'is refuted already' if refuted else 'is none'}"
        )
    key = (record.unsafe, *record.weights.items())
    if key not in known:
        if len(known) >= _MOST_KNOWN:
            known.clear()
        known[key] = mixed(case.unsafe[record.unsafe], record.weights)
    return known[key]


def _taken(region: Region, layer: int, betas: Mapping[int, float], size: int) -> np.ndarray:
    """What may be taken off the rows of a layer: betas times the fixed signs."""
    taken = np.zeros(size)
    signs = region.signs.get(layer, {})
    for neuron, beta in betas.items():
        if neuron not in signs:
            raise Refused(f"the sign of neuron {neuron} of layer {layer} is not fixed")
        if not beta >= 0:
            raise Refused(f"the multiplier of neuron {neuron} of layer {layer} is negative")
        taken[neuron] = beta * signs[neuron]
    return taken


def _check_neurons(
    network: Network, given: Mapping[int, Mapping[int, float]] | Slopes, what: str
) -> None:
    for layer, values in given.items():
        if layer >= len(network.layers):
            raise Refused(f"{what} are given for layer {layer} of {len(network.layers)}")
        for neuron in values:
            if (
                neuron >= network.layers[layer].output_size
                or not network.layers[layer].relu[neuron]
            ):
                raise Refused(f"{what} are given for neuron {neuron} of layer {layer}: no ReLU")


def tuned(network: Network, region: Region, record: TuneRecord) -> Region:
    """The region with slopes for the bounds that the record names; earlier ones are overwritten."""
    if region.depth:
        raise Refused("slopes of single bounds are to be given before the first split")
    _check_neurons(
        network, {record.layer: dict.fromkeys((n for n, _, _ in record.targets), 0)}, "bounds"
    )
    for _, _, slopes in record.targets:
        _check_neurons(network, slopes, "slopes")
        if any(layer >= record.layer for layer in slopes):
            raise Refused(f"slopes are given for layers not before layer {record.layer}")
    width = network.layers[record.layer].output_size
    widths = [layer.output_size for layer in network.layers[: record.layer]]
    found = Tuned.adding(region.tuned.get(record.layer), record, width, widths)
    every = {**region.tuned, record.layer: found}
    if sum(one.size for one in every.values()) > _MOST_TUNED:
        raise Refused("slopes of single bounds take too much memory")
    return replace(region, tuned=every)


def mixed(part: Polyhedron, weights: Mapping[int, float]) -> Objective:
    """The mixture ``sum_i w_i (C_i y - d_i)``, which is at most zero inside the polyhedron."""
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
