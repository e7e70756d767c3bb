"""Which ReLUs are active, inactive or undecided on a part of the domain, and which matter."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import scipy.sparse as sp

from relucert.bounds.backward import bound_network, network_intervals
from relucert.bounds.interval import Intervals
from relucert.bounds.rounding import SAFETY, UNDERFLOW, gamma
from relucert.memorization.lipschitz_constant_domain import Domain
from relucert.memorization.lipschitz_constant_layers import ExactLayer
from relucert.network import Network

__all__ = ["PhaseIntervals", "first_reach", "phases_in_box", "without_effect"]

_DEEPEST = 100


def phases_in_box(network: Network, domain: Domain) -> list[np.ndarray]:
    """For every layer 1 (active, or no ReLU), 0 (inactive) or -1 (either), int8 (outputs,).

    By backward bounds in a box that is not too deep for them, else by intervals; where the domain
    is not bounded, every ReLU counts as either.
    """
    phases = [np.where(layer.relu, -1, 1).astype(np.int8) for layer in network.layers]
    if domain.box is None:
        return phases
    ends = Intervals(*domain.box.enclosing_floats)
    if len(network.layers) > _DEEPEST:
        bounds = network_intervals(network, ends)
    else:
        bounds = [relaxation.pre for relaxation in bound_network(network, ends)]
    for layer, pre, phase in zip(network.layers, bounds, phases, strict=True):
        phase[layer.relu & (pre.lower >= 0)] = 1
        phase[layer.relu & (pre.upper <= 0)] = 0
    return phases


def without_effect(
    layers: Sequence[ExactLayer], coefficients: Sequence[int], phases: list[np.ndarray]
) -> list[np.ndarray]:
    """The phases with 0 for every coordinate that nothing with an effect on the function reads.

    A coordinate has an effect when it is an output with a coefficient, or when a coordinate of
    the next layer with an effect, not known to be inactive, has a weight on it.
    """
    found = []
    effect = np.array([value != 0 for value in coefficients], dtype=bool)
    for layer, phase in zip(reversed(layers), reversed(phases), strict=True):
        own = np.where(effect, phase, 0).astype(np.int8)
        found.append(own)
        effect = layer.inputs_of(own != 0)
    return found[::-1]


def first_reach(network: Network) -> Fraction:
    """A power of two beyond which the first layer's coordinates hardly change sign; a guess."""
    layer = network.layers[0]
    sizes = abs(layer.weight).max(axis=1)
    sizes = np.asarray(sizes.todense()).ravel() if hasattr(sizes, "todense") else sizes
    used = sizes > 0
    with np.errstate(over="ignore"):
        distances = np.abs(layer.bias[used]) / sizes[used]
    largest = float(distances[np.isfinite(distances)].max(initial=1.0))
    return Fraction(2) ** (math.frexp(largest)[1] + 1)


@dataclass(frozen=True, eq=False)
class _Dense:
    positive: np.ndarray
    negative: np.ndarray
    bias: np.ndarray
    divisor: np.ndarray
    relu: np.ndarray


class PhaseIntervals:
    """Interval bounds with infinite ends, rounded outward, for small networks."""

    def __init__(self, network: Network) -> None:
        self._layers = []
        for layer in network.layers:
            stored = layer.weight
            weight = np.asarray(sp.csr_array(stored).toarray())
            divisor = np.ones(len(layer.bias)) if layer.divisor is None else layer.divisor
            positive, negative = np.maximum(weight, 0.0), np.minimum(weight, 0.0)
            self._layers.append(_Dense(positive, negative, layer.bias, divisor, layer.relu))

    def refined(
        self, lower: np.ndarray, upper: np.ndarray, known: Sequence[np.ndarray]
    ) -> list[np.ndarray]:
        """Phases for inputs between two ends, (inputs,) each; ``known`` are valid already."""
        found = []
        for layer, before in zip(self._layers, known, strict=True):
            lower, upper = _pre_activations(layer, lower, upper)
            phases = before.copy()
            phases[(before < 0) & (lower >= 0)] = 1
            phases[(before < 0) & (upper <= 0)] = 0
            found.append(phases)
            lower = np.where(layer.relu, np.maximum(lower, 0.0), lower)
            upper = np.where(layer.relu, np.maximum(upper, 0.0), upper)
        return found


def _pre_activations(
    layer: _Dense, lower: np.ndarray, upper: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Outward rounded ends; an infinite input counts only where its weight is not zero."""
    below, above = np.isinf(lower), np.isinf(upper)
    low, high = np.where(below, 0.0, lower), np.where(above, 0.0, upper)
    with np.errstate(all="ignore"):
        least = layer.positive @ low + layer.negative @ high + layer.bias
        most = layer.positive @ high + layer.negative @ low + layer.bias
        largest = np.maximum(np.abs(low), np.abs(high))
        scale = (layer.positive - layer.negative) @ largest + np.abs(layer.bias)
        terms = 2 * len(lower) + 2
        lost = (gamma(terms) * scale + UNDERFLOW * (terms + 8)) * SAFETY
        least, most = least - lost, most + lost
        # The subtraction and the division round once more, each by at most one unit.
        least = np.nextafter(np.nextafter(least, -np.inf) / layer.divisor, -np.inf)
        most = np.nextafter(np.nextafter(most, np.inf) / layer.divisor, np.inf)
    rises, falls = layer.positive > 0, layer.negative < 0
    least[(rises @ below) | (falls @ above)] = -np.inf
    most[(rises @ above) | (falls @ below)] = np.inf
    least[np.isnan(least)] = -np.inf
    most[np.isnan(most)] = np.inf
    return least, most
