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
from typing import Protocol

import numpy as np
import scipy.sparse as sp

from relucert.bounds.interval import Intervals, layer_intervals, rectified
from relucert.bounds.rounding import SAFETY, UNDERFLOW, UNIT, gamma, round_up
from relucert.limits import Limits
from relucert.network import Layer, Matrix, Network

__all__ = [
    "Lines",
    "Relaxation",
    "Substitution",
    "bound_network",
    "input_influence",
    "lower_bounds",
    "network_intervals",
    "refine_from",
    "substituted",
]

_ROWS_AT_ONCE = 512
_FEWEST_ROWS = 8
_WEIGHTS_AT_ONCE = 1_000_000_000  # products between two looks at the clock
_FEW_INPUTS = 64
_FEW_COLUMNS = 0.7


@dataclass(frozen=True, eq=False)
class Relaxation:
    """One layer with bounds on its pre-activations and its inputs.

    slopes: how each pre-activation moves with each input of the network, roughly, (outputs,
    inputs); rows of stable coordinates may be zero. A guide for branching, not a bound.
    """

    layer: Layer
    pre: Intervals
    inputs: Intervals
    slopes: np.ndarray | None = None

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
        """At least ``|W| |x| + |b|`` for every possible x: the size of what a product rounds.

        The last term is for products below every float: a large coefficient would lift them back.
        """
        scale = abs(self.layer.weight) @ self.inputs.magnitude + np.abs(self.layer.bias)
        return np.asarray(scale * SAFETY + UNDERFLOW * (self.layer.input_size + 8))

    @cached_property
    def relu_loss(self) -> np.ndarray:
        """Rounding made by the relaxation, for a coefficient of one on each coordinate.

        Valid for any lines with slopes in [0, 1] and offsets up to ``-lower``, such as those of
        a part of the box on which the bounds are tighter.
        """
        loss = gamma(4 + len(self.pre.lower)) * self.pre.magnitude
        return np.where(self.unstable, 2.0 * loss + UNDERFLOW, 0.0)


class Lines(Protocol):
    """What bounds a layer's ReLUs: slopes in [0, 1] and offsets, (outputs,) or (rows, outputs)."""

    @property
    def lower_slope(self) -> np.ndarray:
        """``relu(z) >= lower_slope * z``."""

    @property
    def chord_slope(self) -> np.ndarray:
        """``relu(z) <= chord_slope * z + chord_offset``."""

    @property
    def chord_offset(self) -> np.ndarray:
        """Zero where the ReLU is stable."""


@dataclass(eq=False)
class Substitution:
    """The state of a backward pass for a block of rows: ``rows @ x + constant``, less ``lost``."""

    rows: np.ndarray
    constant: np.ndarray
    lost: np.ndarray
    size: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.size = np.abs(self.constant)

    def through_relu(self, relaxation: Relaxation, lines: Lines | None = None) -> None:
        """From after a layer's ReLU to before it; ``lines`` other than the relaxation's own."""
        lines = relaxation if lines is None else lines
        negative = np.minimum(self.rows, 0.0)
        self.lost += np.abs(self.rows) @ relaxation.relu_loss
        self.lost += UNDERFLOW * (1.0 + float(relaxation.pre.magnitude.sum()))
        if lines.chord_offset.ndim == 1:
            shift = negative @ lines.chord_offset
        else:
            shift = np.einsum("ij,ij->i", negative, lines.chord_offset)
        self.constant = self.constant + shift
        self.size += np.abs(shift)
        positive = np.maximum(self.rows, 0.0)
        self.rows = positive * lines.lower_slope + negative * lines.chord_slope

    def less(self, amounts: np.ndarray, relaxation: Relaxation) -> None:
        """Take ``amounts @ z`` (rows, outputs) off, where it is known to be at least zero."""
        self.rows = self.rows - amounts
        self.lost += 2 * UNIT * (np.abs(self.rows) @ relaxation.pre.magnitude)

    def through_affine(self, relaxation: Relaxation) -> None:
        """From a layer's pre-activations to its inputs."""
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
            return
        used = np.flatnonzero(self.rows.any(axis=0))
        if len(used) < _FEW_COLUMNS * layer.output_size:
            self.rows = self.rows[:, used] @ layer.weight[used]
        else:
            self.rows = self.rows @ layer.weight

    def valid_constants(self, steps: int) -> np.ndarray:
        """Constants c such that ``rows @ x + c`` is a valid lower bound at every x of the box."""
        lost = self.lost + (2 * steps + 8) * UNIT * self.size
        return np.asarray(np.nextafter(self.constant - lost * SAFETY, -np.inf))

    def minimum_over(self, box: Intervals, steps: int) -> np.ndarray:
        """Valid lower bounds over the box after ``steps`` layers."""
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


def _lower_bounds(
    chain: list[Relaxation], box: Intervals, rows: np.ndarray, after_relu: bool
) -> np.ndarray:
    with np.errstate(all="ignore"):
        return substituted(chain, rows, after_relu).minimum_over(box, len(chain))


def substituted(chain: list[Relaxation], rows: np.ndarray, after_relu: bool = True) -> Substitution:
    """Carry ``rows`` back to the inputs."""
    with np.errstate(all="ignore"):
        state = Substitution(rows, np.zeros(len(rows)), np.zeros(len(rows)))
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


def bound_network(
    network: Network, box: Intervals, limits: Limits | None = None
) -> list[Relaxation]:
    """Bounds on every layer's pre-activations: intervals, refined by backward substitution.

    Only coordinates whose ReLU is still unstable after interval bounds are refined; the others
    would not change the relaxation. What ``limits`` leave no time for stays unrefined.
    """
    return refine_from(network, box, [], [], limits)


def refine_from(
    network: Network,
    box: Intervals,
    chain: list[Relaxation],
    known: list[Intervals],
    limits: Limits | None = None,
) -> list[Relaxation]:
    """Continue ``chain`` to the end of the network.

    known: valid bounds on the pre-activations of the first layers, intersected with what is
    found; may be shorter than the network.
    """
    chain, limits = list(chain), limits or Limits()
    inputs = rectified(chain[-1].pre, chain[-1].layer.relu) if chain else box
    for index in range(len(chain), len(network.layers)):
        layer = network.layers[index]
        pre = layer_intervals(layer, inputs)
        if index < len(known):
            pre = pre.intersected(known[index])
        relaxation = Relaxation(layer, pre, inputs)
        open_rows = np.flatnonzero(relaxation.unstable)
        if not chain:
            relaxation = Relaxation(layer, pre, inputs, _first_slopes(layer))
        elif len(open_rows) and not limits.out_of_time:
            refined, slopes = _refined(chain, relaxation, box, open_rows, limits)
            relaxation = Relaxation(layer, refined, inputs, slopes)
        chain.append(relaxation)
        inputs = rectified(relaxation.pre, layer.relu)
    return chain


def _first_slopes(layer: Layer) -> np.ndarray | None:
    """The first layer's own weights, where they are few enough to be of use."""
    if layer.input_size > _FEW_INPUTS:
        return None
    weight = sp.csr_array(layer.weight).toarray()
    return np.asarray(weight if layer.divisor is None else weight / layer.divisor[:, None])


def _refined(
    chain: list[Relaxation],
    relaxation: Relaxation,
    box: Intervals,
    open_rows: np.ndarray,
    limits: Limits,
) -> tuple[Intervals, np.ndarray | None]:
    size, inputs = relaxation.layer.output_size, len(box.lower)
    lower, upper = relaxation.pre.lower.copy(), relaxation.pre.upper.copy()
    slopes = np.zeros((size, inputs)) if inputs <= _FEW_INPUTS else None
    weights = sum(one.layer.parameter_count for one in (*chain, relaxation))
    block = max(_FEWEST_ROWS, min(_ROWS_AT_ONCE // 2, _WEIGHTS_AT_ONCE // (weights + 1)))
    for start in range(0, len(open_rows), block):
        if limits.out_of_time:
            break
        chosen = open_rows[start : start + block]
        count = len(chosen)
        rows = np.zeros((2 * count, size))
        rows[np.arange(count), chosen] = 1.0
        rows[count + np.arange(count), chosen] = -1.0
        with np.errstate(all="ignore"):
            state = substituted([*chain, relaxation], rows, after_relu=False)
            found = state.minimum_over(box, len(chain) + 1)
        lower[chosen] = np.maximum(lower[chosen], found[:count])
        upper[chosen] = np.minimum(upper[chosen], -found[count:])
        if slopes is not None:
            slopes[chosen] = 0.5 * (state.rows[:count] - state.rows[count:])
    return Intervals(lower, upper), slopes


def input_influence(chain: list[Relaxation], row: np.ndarray) -> np.ndarray:
    """How much halving each input should raise the lower bound of ``row @ outputs``, per width.

    The bound's own slope, plus for every unstable neuron the part of the loss by its relaxation
    that each input is responsible for. (inputs,), rounded freely: a guide for branching.
    """
    influence = np.zeros(chain[0].layer.input_size)
    state = Substitution(row[None, :], np.zeros(1), np.zeros(1))
    with np.errstate(all="ignore"):
        for relaxation in reversed(chain):
            if relaxation.layer.relu.any():
                if relaxation.slopes is not None and relaxation.unstable.any():
                    influence += _neuron_influence(relaxation, relaxation.slopes, state.rows[0])
                state.through_relu(relaxation)
            state.through_affine(relaxation)
    total = influence + np.abs(state.rows[0])
    return np.where(np.isfinite(total), total, 0.0)


def _neuron_influence(
    relaxation: Relaxation, slopes: np.ndarray, coefficients: np.ndarray
) -> np.ndarray:
    chosen = np.flatnonzero(relaxation.unstable)
    lower, upper = relaxation.pre.lower[chosen], relaxation.pre.upper[chosen]
    weight = coefficients[chosen]
    gap = np.where(weight < 0, -upper * lower / (upper - lower), np.minimum(upper, -lower))
    share = np.abs(weight) * gap / (upper - lower)
    return np.asarray(share @ np.abs(slopes[chosen]))
