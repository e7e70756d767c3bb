"""What a proof may derive on regions: bounds on neurons, and that unsafe sets are not reached.

Every step here is sound for any slopes and any multipliers that a proof may name; the theory is in
docs/theory.md, section 7.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from relucert.network import Layer, Network
from relucert.proof import records as rec
from relucert.proof.arithmetic import Arithmetic, Bounds, Chosen, Objective, Relaxation
from relucert.proof.region import Refused, Region, neuron_spans
from relucert.query import Case, Polyhedron

__all__ = ["Given", "bounded", "closed", "lower_bounds", "mixed", "mixture", "part_bounds"]

_ROWS_AT_ONCE = 256
_MOST_KNOWN = 4096
_NEARLY_OPEN = 1 / 1024

Given = rec.CloseRecord | rec.LeafRecord
"""A record that gives slopes, and multipliers of fixed signs."""

About = Sequence[Objective | rec.NeuronRecord]
"""What is bounded, row by row: all of one kind, neurons of one layer."""


@np.errstate(all="ignore")
def bounded(
    arithmetic: Arithmetic[Any], network: Network, regions: Sequence[Region],
    given: Sequence[rec.Slopes], *, linear: bool = True,
) -> list[Region | Refused]:  # fmt: skip
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
            known = [one.layers[index] if one.layers else _unbounded(layer) for one in regions]
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
        wrong.get(place) or _with_bounds(region, work, place, stop[place])
        for place, region in enumerate(regions)
    ]


def _with_bounds(region: Region, work: _Work, place: int, stop: int | None) -> Region:
    layers = tuple(one.pre.row(place) for one in work.relaxed)
    if stop is not None:
        later = region.layers or [_unbounded(layer) for layer in work.network.layers]
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


def _tightened(work: _Work, given: Sequence[rec.Slopes], found: Bounds, live: np.ndarray) -> Bounds:
    """Linear bounds on the open pre-activations of the next layer, of the regions ``live``.

    Also on those whose sign is only just known: bounds of exactly zero are usual in networks made
    from formulas, and there the rounding should not decide.
    """
    index, lower, upper = len(work.relaxed), found.lower.copy(), found.upper.copy()
    near = (upper - lower) * _NEARLY_OPEN
    wanted = work.network.layers[index].relu & (lower < near) & (upper > -near)
    places, neurons = np.nonzero(live[:, None] & wanted)
    if not len(neurons):
        return found
    slopes = [_slopes(one, n, np.arange(len(given)), given) for n, one in enumerate(work.relaxed)]
    for start in range(0, len(neurons), _ROWS_AT_ONCE):
        at, chosen = places[start : start + _ROWS_AT_ONCE], neurons[start : start + _ROWS_AT_ONCE]
        both, sides = np.tile(at, 2), np.repeat([1, -1], len(at))
        rows = work.arithmetic.neurons(index, np.tile(chosen, 2), sides, work.inputs[-1], both)
        choices = [Chosen(both, None if steps is None else steps[both]) for steps in slopes]
        least = work.substituted(rows, both, choices)
        lower[at, chosen] = np.maximum(lower[at, chosen], least[: len(at)])
        upper[at, chosen] = np.minimum(upper[at, chosen], -least[len(at) :])
    return Bounds(lower, upper)


def _slopes(
    relaxation: Relaxation, index: int, at: np.ndarray, given: Sequence[rec.Slopes],
    signs: np.ndarray | None = None,
) -> np.ndarray | None:  # fmt: skip
    """Slopes of layer ``index``, a row for each of ``given``; None where all are the default.

    at: whose bounds each goes by. signs: (given, outputs), of ReLUs where fixed, else 0.
    """
    listed = [slopes.get(index) for slopes in given]
    rows, neurons, values = _flat(listed)
    whole = [(row, one) for row, one in enumerate(listed) if isinstance(one, bytes)]
    if not rows and not whole:
        return None
    steps = np.frombuffer(b"".join(one for _, one in whole), dtype=np.uint8)
    least, most = min(values, default=0), max(values, default=0)
    if least < 0 or most > rec.SLOPE_STEPS or steps.max(initial=0) > rec.BYTE_STEPS:
        raise Refused(f"a slope of layer {index} is not between 0 and 1")
    chosen: np.ndarray = relaxation.slopes[at]
    if signs is not None:
        chosen[signs > 0] = rec.SLOPE_STEPS
    if whole:
        steps = steps.reshape(len(whole), -1).astype(np.int16)
        chosen[[row for row, _ in whole]] = steps * (rec.SLOPE_STEPS // rec.BYTE_STEPS)
    chosen[rows, neurons] = values
    return chosen


def _flat(
    maps: Sequence[Mapping[int, Any] | bytes | None],
) -> tuple[list[int], list[int], list[Any]]:
    """All entries of mappings, with the mapping's place; without None and bytes among them."""
    places, keys, values = list[int](), list[int](), list[Any]()
    for place, one in enumerate(maps):
        if one and not isinstance(one, bytes):
            places += [place] * len(one)
            keys += one
            values += one.values()
    return places, keys, values


def lower_bounds(
    arithmetic: Arithmetic[Any], network: Network, pairs: Sequence[tuple[Region, Given]],
    objectives: Sequence[Objective],
) -> list[float | Refused]:  # fmt: skip
    """For each region, with bounds, a number that its objective is nowhere below; -inf for none.

    Refused where the record names slopes or multipliers that are not allowed.
    """
    if not pairs:
        return []
    regions = list({id(region): region for region, _ in pairs}.values())
    numbers = {id(region): number for number, region in enumerate(regions)}
    at = np.array([numbers[id(region)] for region, _ in pairs])
    signs = None
    if any(record.betas for _, record in pairs):
        spans = neuron_spans(network)
        signs = np.zeros((len(pairs), spans[-1].stop), dtype=np.int8)
        for row, (region, _) in enumerate(pairs):
            for layer, fixed in region.signs.items():
                signs[row, spans[layer]][list(fixed)] = list(fixed.values())
    empty = np.array([region.empty for region in regions])[at]
    work = _Work(arithmetic, network, regions)
    return _least(work, regions, at, [record for _, record in pairs], signs, empty, objectives)


def part_bounds(
    arithmetic: Arithmetic[Any], network: Network, region: Region, signs: np.ndarray,
    records: Sequence[rec.LeafRecord], about: About,
) -> list[float | Refused]:  # fmt: skip
    """The same for parts of a region; signs: (parts, neurons of all layers), 0 where not fixed.

    In each part the region's bounds on ReLUs with a fixed sign count as cut at zero.
    """
    lower = np.concatenate([one.lower for one in region.layers])
    upper = np.concatenate([one.upper for one in region.layers])
    empty = (((signs > 0) & (upper < 0)) | ((signs < 0) & (lower > 0))).any(axis=1) | region.empty
    at, work = np.zeros(len(records), dtype=int), _Work(arithmetic, network, [region])
    return _least(work, [region], at, records, signs, np.asarray(empty), about)


def _least(
    work: _Work, regions: Sequence[Region], at: np.ndarray, records: Sequence[Given],
    signs: np.ndarray | None, empty: np.ndarray, about: About,
) -> list[float | Refused]:  # fmt: skip
    """A row for each record, on the region ``regions[at]``, with these signs; inf where empty."""
    network, arithmetic = work.network, work.arithmetic
    unknown = [_unknown_neuron(network, record.slopes) for record in records]
    wrong = {row: one for row, one in enumerate(unknown) if one is not None}
    given = [{} if row in wrong else record.slopes for row, record in enumerate(records)]
    taken = _taken(network, records, signs, wrong)
    neurons = [one for one in about if isinstance(one, rec.NeuronRecord)]
    last, choices = neurons[0].layer if neurons else len(network.layers), list[Chosen]()
    for index, span in enumerate(neuron_spans(network)[:last]):
        known = Bounds.stacked([region.layers[index] for region in regions])
        work.passed(network.layers[index], known)
        own = None if signs is None else signs[:, span]
        slopes = _slopes(work.relaxed[-1], index, at, given, own)
        choices.append(Chosen(at, slopes, taken.get(index), own))
    if neurons:
        chosen, sides = np.array([(one.neuron, one.side) for one in neurons]).T
        rows = arithmetic.neurons(last, chosen, sides, work.inputs[-1], at)
    else:
        objectives = [one for one in about if isinstance(one, Objective)]
        rows = arithmetic.objectives(objectives, work.inputs[-1], at)
    values = np.where(empty, np.inf, work.substituted(rows, at, choices))
    return [wrong.get(row, value) for row, value in enumerate(values.tolist())]


def _taken(
    network: Network, records: Sequence[Given], signs: np.ndarray | None, wrong: dict[int, Refused]
) -> dict[int, np.ndarray]:
    """Multipliers of fixed signs by layer, with the sign: (records, outputs); adds to ``wrong``."""
    found: dict[int, np.ndarray] = {}
    if signs is None:
        return found
    for row, record in enumerate(records):
        if max(record.betas, default=0) >= len(network.layers):
            wrong[row] = Refused(f"there is no layer {max(record.betas)} with fixed signs")
    for index, span in enumerate(neuron_spans(network)):
        rows, neurons, values = map(np.array, _flat([one.betas.get(index) for one in records]))
        if not len(rows):
            continue
        inside = np.where((neurons >= 0) & (neurons < span.stop - span.start), neurons, 0)
        own = signs[rows, span.start + inside] * (inside == neurons)
        for place in np.flatnonzero((own == 0) | ~((values >= 0) & (values < np.inf))).tolist():
            words = "multiplier of neuron {} of layer {} is negative"
            words = words if own[place] else "sign of neuron {} of layer {} is not fixed"
            wrong[int(rows[place])] = Refused("the " + words.format(neurons[place], index))
        found[index] = np.zeros((len(records), span.stop - span.start))
        found[index][rows, inside] = np.where(values < np.inf, values, 0.0) * own
    return found


def _unknown_neuron(network: Network, given: rec.Slopes) -> Refused | None:
    for layer, values in given.items():
        if layer >= len(network.layers):
            return Refused(f"slopes are given for layer {layer} of {len(network.layers)}")
        size, relu = network.layers[layer].output_size, network.layers[layer].relu
        if isinstance(values, bytes):
            if len(values) != size:
                return Refused(f"slopes of layer {layer} are {len(values)} instead of {size}")
            continue
        for neuron in values:
            if not 0 <= neuron < size or not relu[neuron]:
                return Refused(f"slopes are given for neuron {neuron} of layer {layer}: no ReLU")
    return None


def closed(
    arithmetic: Arithmetic[Any], network: Network, case: Case,
    pairs: Sequence[tuple[Region, rec.CloseRecord]], known: dict[tuple[Any, ...], Objective],
) -> list[Refused | None]:  # fmt: skip
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
    case: Case, region: Region, record: rec.CloseRecord, known: dict[tuple[Any, ...], Objective]
) -> Objective:
    if not region.layers:
        raise Refused("a set is to be refuted before there are bounds")
    key = (record.unsafe, *record.weights.items())
    if key not in known or record.unsafe not in region.open:
        if len(known) >= _MOST_KNOWN:
            known.clear()
        known[key] = mixed(case, region, record.unsafe, record.weights)
    return known[key]


def mixed(case: Case, region: Region, unsafe: int, weights: Mapping[int, float]) -> Objective:
    """The mixture of the rows of a set that is open on the region; Refused where it is none."""
    if unsafe not in region.open:
        what = "is refuted already" if unsafe < len(case.unsafe) else "is none"
        raise Refused(f"unsafe set {unsafe} {what}")
    return mixture(case.unsafe[unsafe], weights)


def mixture(part: Polyhedron, weights: Mapping[int, float]) -> Objective:
    """``sum_i w_i (C_i y - d_i)``, which is at most zero inside the polyhedron."""
    for row, weight in weights.items():
        if not 0 <= row < len(part.limits):
            raise Refused(f"the unsafe set has no row {row}")
        if not 0 <= weight < np.inf:
            raise Refused(f"the weight of row {row} is negative")
    if not any(weights.values()):
        raise Refused("all weights are zero")
    pairs = [(Fraction(w), (*part.coefficients[r], part.limits[r])) for r, w in weights.items()]
    common = math.lcm(*(value.denominator for _, values in pairs for value in values))
    scale = math.lcm(*(weight.denominator for weight, _ in pairs))
    factors = [weight.numerator * (scale // weight.denominator) for weight, _ in pairs]
    # Sums of integers: those of fractions take ten times as long.
    whole = [[v.numerator * (common // v.denominator) for v in values] for _, values in pairs]
    totals = [sum(map(operator.mul, factors, column)) for column in zip(*whole, strict=True)]
    *coefficients, limit = (Fraction(total, common * scale) for total in totals)
    return Objective(tuple(coefficients), limit)
