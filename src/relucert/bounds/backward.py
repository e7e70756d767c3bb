"""Backward substitution (CROWN; Zhang et al. 2018), rounded so that the bounds are valid.

To bound ``A y`` from below, ``A`` is carried from the outputs to the inputs. At a ReLU with
``l <= z <= u``, ``l < 0 < u``, a positive coefficient uses ``relu(z) >= alpha z`` with alpha 0
or 1, a negative one the chord ``relu(z) <= s z + t`` with ``s >= u / (u - l)``, ``t >= -s l``.
The products are ordinary float64 products; what they may have lost is at most gamma_n times the
product of absolute values, and that is added up on the way and subtracted at the end
(docs/theory.md, section 7). So any float inaccuracy costs tightness, never validity.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from relucert.bounds.interval import Intervals, layer_intervals, rectified
from relucert.bounds.rounding import SAFETY, UNDERFLOW, UNIT, gamma, round_up
from relucert.network import Layer, Matrix, Network

__all__ = [
    "Relaxation",
    "bound_network",
    "input_slopes",
    "lower_bounds",
    "network_intervals",
    "refine_from",
]

_ROWS_AT_ONCE = 512


@dataclass(frozen=True, eq=False)
class Relaxation:
    """One layer with bounds on its pre-activations and its inputs."""

    layer: Layer
    pre: Intervals
    inputs: Intervals

    @cached_property
    def unstable(self) -> np.ndarray:
        """Coordinates with a ReLU whose sign is not fixed, as a mask."""
        return np.asarray(self.layer.relu & (self.pre.lower < 0) & (self.pre.upper > 0))

    @cached_property
    def dead(self) -> np.ndarray:
        """Coordinates whose ReLU always gives zero, as a mask."""
        return np.asarray(self.layer.relu & (self.pre.upper <= 0))

    @cached_property
    def chord_slope(self) -> np.ndarray:
        """Slope of the upper relaxation: 1 where active, 0 where dead, rounded up between."""
        slope = np.where(self.dead, 0.0, 1.0)
        lower, upper = self.pre.lower[self.unstable], self.pre.upper[self.unstable]
        # u / (u - l) with the denominator rounded down and the quotient up; at most 1 is needed.
        with np.errstate(invalid="ignore"):
            width = np.nextafter(upper - lower, 0.0)
            quotient = np.minimum(round_up(upper / width), 1.0)
        slope[self.unstable] = np.where(np.isnan(quotient), 1.0, quotient)
        return slope

    @cached_property
    def chord_offset(self) -> np.ndarray:
        """Offset of the upper relaxation at the unstable coordinates, rounded up; else 0."""
        offset = np.zeros(len(self.pre.lower))
        chosen = self.unstable
        with np.errstate(over="ignore"):
            offset[chosen] = round_up(self.chord_slope[chosen] * -self.pre.lower[chosen])
        return offset

    @cached_property
    def lower_slope(self) -> np.ndarray:
        """Slope of the lower relaxation: 0 or 1, whichever leaves the smaller area."""
        slope = np.where(self.dead, 0.0, 1.0)
        chosen = self.unstable
        slope[chosen] = (self.pre.upper[chosen] > -self.pre.lower[chosen]).astype(float)
        return slope

    @cached_property
    def transposed(self) -> Matrix:
        """The weight transposed, in a form that multiplies quickly from the left."""
        return (
            sp.csr_array(self.layer.weight.T)
            if sp.issparse(self.layer.weight)
            else (self.layer.weight.T)
        )

    @cached_property
    def pre_scale(self) -> np.ndarray:
        """At least ``|W| |x| + |b|`` for every possible x: the size of what a product rounds."""
        scale = abs(self.layer.weight) @ self.inputs.magnitude + np.abs(self.layer.bias)
        return np.asarray(scale * SAFETY)

    @cached_property
    def relu_loss(self) -> np.ndarray:
        """Rounding made by the relaxation, for a coefficient of one on each coordinate."""
        terms = len(self.pre.lower)
        loss = gamma(4) * self.chord_slope * self.pre.magnitude
        return np.where(self.unstable, loss + gamma(terms) * self.chord_offset, 0.0)


@dataclass(eq=False)
class _Substitution:
    """The state of a backward pass for a block of rows: ``rows @ x + constant``, less ``lost``."""

    rows: np.ndarray
    constant: np.ndarray
    lost: np.ndarray
    size: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.size = np.abs(self.constant)

    def through_relu(self, relaxation: Relaxation) -> None:
        negative = np.minimum(self.rows, 0.0)
        self.lost += np.abs(self.rows) @ relaxation.relu_loss
        self.lost += UNDERFLOW * (1.0 + float(relaxation.pre.magnitude.sum()))
        shift = negative @ relaxation.chord_offset
        self.constant = self.constant + shift
        self.size += np.abs(shift)
        positive = np.maximum(self.rows, 0.0)
        self.rows = positive * relaxation.lower_slope + negative * relaxation.chord_slope

    def through_affine(self, relaxation: Relaxation) -> None:
        layer = relaxation.layer
        if layer.divisor is not None:
            self.rows = self.rows / layer.divisor
            self.lost += UNDERFLOW * (1.0 + float(relaxation.pre_scale.sum()))
        terms = layer.output_size
        self.lost += gamma(terms) * (np.abs(self.rows) @ relaxation.pre_scale)
        self.lost += UNDERFLOW * (terms + 8) * (1.0 + float(relaxation.inputs.magnitude.sum()))
        shift = self.rows @ layer.bias
        self.constant = self.constant + shift
        self.size += np.abs(shift)
        if sp.issparse(layer.weight):
            self.rows = np.ascontiguousarray((relaxation.transposed @ self.rows.T).T)
        else:
            self.rows = self.rows @ layer.weight

    def minimum_over(self, box: Intervals, steps: int) -> np.ndarray:
        centre = 0.5 * box.lower + 0.5 * box.upper
        radius = round_up(np.maximum(box.upper - centre, centre - box.lower))
        absolute = np.abs(self.rows)
        middle, spread = self.rows @ centre, absolute @ radius
        terms = self.rows.shape[1]
        size = (absolute @ np.abs(centre) + spread) * SAFETY
        lost = self.lost + gamma(terms) * size + UNDERFLOW * (terms + 8)
        lost += (2 * steps + 8) * UNIT * (self.size + size + np.abs(middle))
        bound = middle - spread + self.constant - lost * SAFETY
        return np.where(np.isnan(bound), -np.inf, bound)


def lower_bounds(
    chain: list[Relaxation], box: Intervals, rows: np.ndarray, after_relu: bool = True
) -> np.ndarray:
    """Valid lower bounds on ``rows @ v`` over the box, one a row.

    ``v`` is the output of the last layer of ``chain``, or its pre-activation when
    ``after_relu`` is false. rows: float64 (rows, outputs), taken as exact.
    """
    bounds = [
        _lower_bounds(chain, box, rows[start : start + _ROWS_AT_ONCE], after_relu)
        for start in range(0, len(rows), _ROWS_AT_ONCE)
    ]
    return np.concatenate(bounds) if bounds else np.zeros(0)


def input_slopes(chain: list[Relaxation], rows: np.ndarray) -> np.ndarray:
    """Coefficients of the inputs in the linear lower bounds of ``rows @ outputs``.

    (rows, inputs), rounded freely: a guide for branching, not a bound.
    """
    return _substituted(chain, rows, after_relu=True).rows


def _lower_bounds(
    chain: list[Relaxation], box: Intervals, rows: np.ndarray, after_relu: bool
) -> np.ndarray:
    with np.errstate(all="ignore"):
        return _substituted(chain, rows, after_relu).minimum_over(box, len(chain))


def _substituted(chain: list[Relaxation], rows: np.ndarray, after_relu: bool) -> _Substitution:
    """Carry ``rows`` back to the inputs."""
    with np.errstate(all="ignore"):
        state = _Substitution(rows, np.zeros(len(rows)), np.zeros(len(rows)))
        for index in range(len(chain) - 1, -1, -1):
            if chain[index].layer.relu.any() and (after_relu or index < len(chain) - 1):
                state.through_relu(chain[index])
            state.through_affine(chain[index])
        return state


def network_intervals(network: Network, box: Intervals) -> list[Intervals]:
    """Interval bounds on the pre-activations of every layer."""
    bounds, inputs = [], box
    for layer in network.layers:
        pre = layer_intervals(layer, inputs)
        bounds.append(pre)
        inputs = rectified(pre, layer.relu)
    return bounds


def bound_network(network: Network, box: Intervals) -> list[Relaxation]:
    """Bounds on every layer's pre-activations: intervals, refined by backward substitution.

    Only coordinates whose ReLU is still unstable after interval bounds are refined; the others
    would not change the relaxation.
    """
    return refine_from(network, box, [], [])


def refine_from(
    network: Network, box: Intervals, chain: list[Relaxation], known: list[Intervals]
) -> list[Relaxation]:
    """Continue ``chain`` to the end of the network.

    known: valid bounds on the pre-activations of the first layers, intersected with what is
    found; may be shorter than the network.
    """
    chain = list(chain)
    inputs = rectified(chain[-1].pre, chain[-1].layer.relu) if chain else box
    for index in range(len(chain), len(network.layers)):
        layer = network.layers[index]
        pre = layer_intervals(layer, inputs)
        if index < len(known):
            pre = pre.intersected(known[index])
        relaxation = Relaxation(layer, pre, inputs)
        open_rows = np.flatnonzero(relaxation.unstable)
        if chain and len(open_rows):
            relaxation = Relaxation(layer, _refined(chain, relaxation, box, open_rows), inputs)
        chain.append(relaxation)
        inputs = rectified(relaxation.pre, layer.relu)
    return chain


def _refined(
    chain: list[Relaxation], relaxation: Relaxation, box: Intervals, open_rows: np.ndarray
) -> Intervals:
    size = relaxation.layer.output_size
    lower, upper = relaxation.pre.lower.copy(), relaxation.pre.upper.copy()
    block = _ROWS_AT_ONCE // 2
    for start in range(0, len(open_rows), block):
        chosen = open_rows[start : start + block]
        rows = np.zeros((2 * len(chosen), size))
        rows[np.arange(len(chosen)), chosen] = 1.0
        rows[len(chosen) + np.arange(len(chosen)), chosen] = -1.0
        found = lower_bounds([*chain, relaxation], box, rows, after_relu=False)
        lower[chosen] = np.maximum(lower[chosen], found[: len(chosen)])
        upper[chosen] = np.minimum(upper[chosen], -found[len(chosen) :])
    return Intervals(lower, upper)
