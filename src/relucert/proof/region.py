"""Regions of a case's box, and the steps a proof may take on them.

A region is a box and signs of ReLUs fixed by splits, with bounds on every layer's
pre-activations that hold wherever in the box the signs hold. Every step here is sound for any
slopes and any multipliers a proof may name; the theory is in docs/theory.md, section 7.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from relucert.network import Network
from relucert.proof.arithmetic import Arithmetic, Bounds, Objective, Relaxation
from relucert.query import Case, Polyhedron

__all__ = [
    "Refused",
    "Region",
    "bounded",
    "halves",
    "input_halves",
    "lower_bound",
    "mixed",
    "root_region",
]

_ROWS_AT_ONCE = 256

Slopes = Mapping[int, Mapping[int, int]]


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


def bounded(
    arithmetic: Arithmetic[Any], network: Network, region: Region, slopes: Slopes
) -> Region:
    """The region with bounds on every layer anew, within the ones it had.

    Layer by layer: interval bounds from the layer before; then, for ReLUs whose sign is open,
    linear bounds substituted back to the inputs. Stops where the bounds contradict each other.
    """
    _check_neurons(network, slopes, "slopes")
    layers: list[Bounds] = []
    inputs, before = [region.box], list[Relaxation]()
    for index, layer in enumerate(network.layers):
        found = arithmetic.interval(index, inputs[-1])
        if region.layers:
            found = found.meet(region.layers[index])
        if not found.finite:
            raise Refused(f"bounds on layer {index} go beyond the range of float64")
        neurons = np.flatnonzero(layer.relu & (found.lower < 0) & (found.upper > 0))
        if index and not found.contradictory:
            for start in range(0, len(neurons), _ROWS_AT_ONCE):
                chosen = neurons[start : start + _ROWS_AT_ONCE]
                found = _tightened(arithmetic, region.box, inputs, before, found, chosen)
        layers.append(found)
        if found.contradictory:
            later = region.layers or [_unbounded(one.output_size) for one in network.layers]
            return replace(region, layers=(*layers, *later[index + 1 :]), empty=True)
        before.append(Relaxation.of(layer, found, slopes.get(index, {})))
        inputs.append(found.after(layer))
    return replace(region, layers=tuple(layers))


def _unbounded(size: int) -> Bounds:
    return Bounds(np.full(size, -np.inf), np.full(size, np.inf))


def _tightened(
    arithmetic: Arithmetic[Any],
    box: Bounds,
    inputs: list[Bounds],
    before: list[Relaxation],
    found: Bounds,
    neurons: np.ndarray,
) -> Bounds:
    """Bounds on some pre-activations of the layer after those of ``before``."""
    rows = arithmetic.units(len(before), neurons)
    rows = arithmetic.before_affine(rows, len(before), inputs[-1])
    least = _substituted(arithmetic, box, inputs, before, rows)
    least = np.where(np.isfinite(least), least, -np.inf)
    lower, upper = found.lower.copy(), found.upper.copy()
    count = len(neurons)
    lower[neurons] = np.maximum(lower[neurons], least[:count])
    upper[neurons] = np.minimum(upper[neurons], -least[count:])
    return Bounds(lower, upper)


def _substituted(
    arithmetic: Arithmetic[Any],
    box: Bounds,
    inputs: list[Bounds],
    before: list[Relaxation],
    rows: Any,
) -> np.ndarray:
    """Rows over the last layer's outputs, substituted back to the box and minimised there."""
    for index in range(len(before) - 1, -1, -1):
        rows = arithmetic.before_relu(rows, before[index])
        rows = arithmetic.before_affine(rows, index, inputs[index])
    return arithmetic.minimum(rows, box)


def lower_bound(
    arithmetic: Arithmetic[Any],
    network: Network,
    region: Region,
    objective: Objective,
    slopes: Slopes,
    betas: Mapping[int, Mapping[int, float]],
) -> float:
    """A number that the objective is nowhere below on the region; -inf when there is none."""
    if not region.layers:
        raise Refused("a set is to be refuted before there are bounds")
    _check_neurons(network, slopes, "slopes")
    _check_neurons(network, betas, "multipliers")
    if region.empty:
        return np.inf
    inputs = [region.box]
    relaxations = []
    for index, (layer, pre) in enumerate(zip(network.layers, region.layers, strict=True)):
        taken = _taken(region, index, betas[index], layer.output_size) if index in betas else None
        relaxations.append(Relaxation.of(layer, pre, slopes.get(index, {}), taken))
        inputs.append(pre.after(layer))
    rows = arithmetic.objective(objective, inputs[-1])
    value = float(_substituted(arithmetic, region.box, inputs, relaxations, rows)[0])
    return value if np.isfinite(value) else -np.inf


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
