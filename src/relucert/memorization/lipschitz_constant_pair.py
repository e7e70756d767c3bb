"""Norms, and pairs of points: what a Lipschitz constant is at least, evaluated exactly."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from relucert.exact import dot, nearest_float
from relucert.limits import Limits
from relucert.memorization.lipschitz_constant_domain import Domain
from relucert.memorization.lipschitz_constant_layers import ExactLayer, Slopes
from relucert.network import Network
from relucert.query import Box

__all__ = [
    "NORMS",
    "Norm",
    "Pair",
    "float_steepness",
    "gradient_in",
    "promising_points",
    "steepest_pair",
]

_STEPS = (*range(60), 80, 120, 180, 270, 400, 600, 900, 1350, 2000)  # halved exponents of two
_SAMPLES = 256
_FARTHEST = 1e200
_SPREADS = (1.0, 0.1, 10.0, 100.0)
_ZERO = Fraction(0)


@dataclass(frozen=True)
class Norm:
    """A norm on the inputs. Sizes are norms to the ``power``, so that all are rational.

    ``power`` is 2 for l2 (squares) and 1 for linf and l1.
    """

    name: str
    power: int

    def size(self, vector: Sequence[Fraction]) -> Fraction:
        """The norm of a vector, to the power."""
        if self.name == "linf":
            return max((abs(value) for value in vector), default=_ZERO)
        if self.name == "l1":
            return sum((abs(value) for value in vector), _ZERO)
        return sum((value * value for value in vector), _ZERO)

    def dual_size(self, gradient: Sequence[Fraction]) -> Fraction:
        """The dual norm of a gradient, to the power: how steep an affine function is."""
        return NORMS[{"linf": "l1", "l1": "linf", "l2": "l2"}[self.name]].size(gradient)

    def steepest(self, gradient: Sequence[Fraction]) -> list[Fraction]:
        """A direction in which an affine function grows at the rate of the dual norm."""
        if self.name == "linf":
            return [Fraction((value > 0) - (value < 0)) for value in gradient]
        largest = max((abs(value) for value in gradient), default=_ZERO)
        if largest == 0:
            return [_ZERO for _ in gradient]
        if self.name == "l2":
            return [value / largest for value in gradient]
        first = next(index for index, value in enumerate(gradient) if abs(value) == largest)
        sign = Fraction(1 if gradient[first] > 0 else -1)
        return [sign if index == first else _ZERO for index in range(len(gradient))]


NORMS = {name: Norm(name, 2 if name == "l2" else 1) for name in ("linf", "l1", "l2")}
"""The norms on inputs, by name."""


@dataclass(frozen=True)
class Pair:
    """Two inputs and the exact change of the function between them.

    slope: ``|f(second) - f(first)| / ||second - first||``, to the norm's power.
    """

    first: tuple[Fraction, ...]
    second: tuple[Fraction, ...]
    change: Fraction
    slope: Fraction


def gradient_in(
    layers: Sequence[ExactLayer], coefficients: Sequence[int], phases: Sequence[np.ndarray]
) -> list[Fraction]:
    """The gradient of ``coefficients @ outputs`` in one activation pattern, (inputs,).

    phases: int8 (outputs,) of every layer, 1 where the derivative passes and 0 elsewhere.
    """
    slopes = Slopes.exactly(coefficients)
    for layer, phase in zip(reversed(layers), reversed(phases), strict=True):
        slopes = layer.backward(slopes.through_relu(phase))
    return [(low + high) / 2 for low, high in slopes.fractions()]


def steepest_pair(
    network: Network,
    coefficients: Sequence[int],
    domain: Domain,
    norm: Norm,
    start: Sequence[Fraction],
    gradient: Sequence[Fraction],
    limits: Limits,
) -> Pair | None:
    """The steepest pair found near ``start`` along ``gradient``, None when nothing changes.

    Both points lie in the domain. The step shrinks until the change is what the gradient says.
    """
    free = set(domain.free)
    flat = [value if index in free else _ZERO for index, value in enumerate(gradient)]
    wanted, direction = norm.dual_size(flat), norm.steepest(flat)
    if wanted == 0:
        return None
    best = None
    for exponent in _STEPS:
        if best is not None and limits.out_of_time:
            break
        for first, second in _segments(domain, start, direction, exponent):
            pair = _evaluated(network, coefficients, norm, first, second)
            if pair is not None and (best is None or pair.slope > best.slope):
                best = pair
            if best is not None and best.slope >= wanted:
                return best
    return best


def _segments(
    domain: Domain, start: Sequence[Fraction], direction: Sequence[Fraction], exponent: int
) -> list[tuple[tuple[Fraction, ...], tuple[Fraction, ...]]]:
    """Segments of length about 4**-exponent along the direction, cut to the box."""
    step = Fraction(1, 4**exponent)
    if domain.box is None:
        return [(tuple(start), tuple(a + step * d for a, d in zip(start, direction, strict=True)))]
    box = domain.box
    ends = list(zip(box.lower, box.upper, strict=True))
    widths = (high - low for (low, high), d in zip(ends, direction, strict=True) if d)
    step *= min(widths) / 2
    found = []
    # A start on a face is moved inward a little; further with every try from where it fails.
    for inward in (_ZERO, Fraction(1, 4**exponent)):
        base = tuple(
            a + inward * ((low + high) / 2 - a)
            for a, (low, high) in zip(start, ends, strict=True)
        )  # fmt: skip
        for sign in (1, -1):
            end = tuple(a + sign * step * d for a, d in zip(base, direction, strict=True))
            if box.contains(end):
                found.append((base, end))
                break
    return found


def _evaluated(
    network: Network,
    coefficients: Sequence[int],
    norm: Norm,
    first: tuple[Fraction, ...],
    second: tuple[Fraction, ...],
) -> Pair | None:
    distance = norm.size([b - a for a, b in zip(first, second, strict=True)])
    if distance == 0:
        return None
    weights = [Fraction(value) for value in coefficients]
    change = dot(weights, network.evaluate_exactly(second)) - dot(
        weights, network.evaluate_exactly(first)
    )
    return Pair(first, second, change, abs(change) ** norm.power / distance)


def promising_points(
    network: Network,
    coefficients: Sequence[int],
    domain: Domain,
    norm: Norm,
    generator: np.random.Generator,
    near: Sequence[Fraction] | None,
    spread: float,
) -> list[tuple[tuple[Fraction, ...], list[np.ndarray]]]:
    """A few sampled inputs where the gradient is steepest, with their phases in float64.

    near: where to sample, or None for everywhere. spread: how far around ``near``, as a share of
    the box's widths; in a domain without ends, the distance itself.
    """
    x = _samples(domain, generator, near, spread)
    sizes, masks = float_steepness(network, coefficients, domain, norm, x)
    order = np.argsort(-sizes, kind="stable")[:3]
    return [(_rational(x[place], domain.box), [mask[place] for mask in masks]) for place in order]


def float_steepness(
    network: Network, coefficients: Sequence[int], domain: Domain, norm: Norm, x: np.ndarray
) -> tuple[np.ndarray, list[np.ndarray]]:
    """How steep the function is at inputs (points, inputs), and the phases there, in float64.

    Sizes are (points,), -inf where they overflow; phases int8 (points, outputs) for every layer.
    """
    masks, batch = [], x
    with np.errstate(all="ignore"):
        for layer in network.layers:
            z = layer.affine(batch)
            masks.append(np.where(layer.relu, z > 0, True))
            batch = np.where(layer.relu, np.maximum(z, 0.0), z)
        slopes = np.tile(np.asarray(coefficients, dtype=np.float64), (len(x), 1))
        for layer, mask in zip(reversed(network.layers), reversed(masks), strict=True):
            slopes = np.where(mask, slopes, 0.0)
            if layer.divisor is not None:
                slopes = slopes / layer.divisor
            slopes = np.asarray((layer.weight.T @ slopes.T).T)
        sizes = _float_sizes(norm, slopes[:, list(domain.free)])
    return np.nan_to_num(sizes, nan=-math.inf), [mask.astype(np.int8) for mask in masks]


def _samples(
    domain: Domain, generator: np.random.Generator, near: Sequence[Fraction] | None, spread: float
) -> np.ndarray:
    """Random inputs of the domain, (samples, inputs), around ``near`` when it is given."""
    shape = (_SAMPLES, domain.size)
    if domain.box is None:
        scales = min(spread, _FARTHEST) * np.array(_SPREADS)[np.arange(_SAMPLES) % len(_SPREADS)]
        x = generator.standard_normal(shape) * scales[:, np.newaxis]
        return x if near is None else x + np.array([nearest_float(value) for value in near])
    lower, upper = domain.box.enclosing_floats
    if near is None:
        return np.asarray(lower + generator.random(shape) * (upper - lower))
    centre = np.array([nearest_float(value) for value in near])
    x = centre + generator.standard_normal(shape) * spread * (upper - lower)
    clipped: np.ndarray = np.clip(x, lower, upper)
    return clipped


def _rational(x: np.ndarray, box: Box | None) -> tuple[Fraction, ...]:
    if box is None:
        return tuple(Fraction(round(float(value) * 2**20), 2**20) for value in x)
    return box.nearest_rationals(x)


def _float_sizes(norm: Norm, slopes: np.ndarray) -> np.ndarray:
    if norm.name == "linf":
        return np.asarray(np.abs(slopes).sum(axis=1))
    if norm.name == "l1":
        return np.asarray(np.abs(slopes).max(axis=1, initial=0.0))
    return np.asarray(np.square(slopes).sum(axis=1))
