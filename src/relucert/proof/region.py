"""Regions of a case's box, and how a proof may divide them.

A region is a box and signs of ReLUs fixed by splits, with bounds on every layer's
pre-activations that hold wherever in the box the signs hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

from relucert.network import Network
from relucert.proof.arithmetic import Bounds
from relucert.query import Case

__all__ = [
    "Refused", "Region", "halves", "input_halves", "known_neuron", "narrowed", "neuron_spans",
    "root_region",
]  # fmt: skip

Signs = Mapping[int, Mapping[int, int]]


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
    signs: Signs
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
    known_neuron(network, layer, neuron, relu=True)
    if not region.layers:
        raise Refused("a ReLU is split before there are bounds")
    if neuron in region.signs.get(layer, {}):
        raise Refused(f"the sign of neuron {neuron} of layer {layer} is fixed already")
    return _fixed(region, layer, neuron, 1), _fixed(region, layer, neuron, -1)


def known_neuron(network: Network, layer: int, neuron: int, *, relu: bool = False) -> None:
    """Raise Refused where there is no such neuron, or no such ReLU."""
    layers = network.layers
    if not (0 <= layer < len(layers) and 0 <= neuron < layers[layer].output_size):
        raise Refused(f"there is no neuron {neuron} in a layer {layer}")
    if relu and not layers[layer].relu[neuron]:
        raise Refused(f"neuron {neuron} of layer {layer} has no ReLU")


def neuron_spans(network: Network) -> list[slice]:
    """Where the neurons of each layer are in a list of those of all layers."""
    ends = list(accumulate(layer.output_size for layer in network.layers))
    return [slice(*ends) for ends in pairwise([0, *ends])]


def _fixed(region: Region, layer: int, neuron: int, sign: int) -> Region:
    signs = {**region.signs, layer: {**region.signs.get(layer, {}), neuron: sign}}
    return narrowed(region, layer, neuron, sign, 0.0, signs, region.depth + 1)


def narrowed(
    region: Region, layer: int, neuron: int, side: int, least: float, signs: Signs, depth: int
) -> Region:
    """The region where ``side * z`` of a neuron is at least ``least``, with these signs."""
    lower, upper = region.layers[layer].lower, region.layers[layer].upper
    if side > 0:
        lower = lower.copy()
        lower[neuron] = max(lower[neuron], least)
    else:
        upper = upper.copy()
        upper[neuron] = min(upper[neuron], -least)
    layers = (*region.layers[:layer], Bounds(lower, upper), *region.layers[layer + 1 :])
    empty = region.empty or bool(lower[neuron] > upper[neuron])
    return Region(region.box, layers, signs, region.open, empty, depth)
