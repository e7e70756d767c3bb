"""Networks with one hidden layer of at most two ReLUs, exactly: their form, their range on balls.

``F(x) = constant + sum_k signs[k] * relu(neurons[k](x))`` with rational affine neurons, signs
-1 or +1. The largest value of F on an l_inf ball is found in closed form. A neuron of sign +1 is
``max(0, u)``: the maximum over z moves inside, one affine piece at a time. A neuron of sign -1
is ``-relu(u) = min over t in [0, 1] of -t u``: the maximum over z and the minimum over t
commute (bilinear, compact and convex), the maximum over the ball gives an l_1 norm, and what
remains is the minimum of a convex piecewise linear function of t, attained at a breakpoint.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from itertools import product
from typing import TypeAlias

import numpy as np
import scipy.sparse as sp

from relucert.errors import InputError
from relucert.network import Layer, Network

__all__ = ["Affine", "DepthTwoForm", "SparsePoint", "depth_two_form", "exact_rows"]

SparsePoint: TypeAlias = tuple[tuple[int, Fraction], ...]
"""The non-zero coordinates of a point as (index, value), by increasing index."""

_ZERO, _ONE = Fraction(0), Fraction(1)


@dataclass(frozen=True)
class Affine:
    """``x -> sum_i weights[i] x_i + bias``; ``weights`` holds the non-zero ones."""

    weights: Mapping[int, Fraction]
    bias: Fraction

    def __call__(self, point: SparsePoint) -> Fraction:
        weights = self.weights
        return sum((weights[i] * value for i, value in point if i in weights), self.bias)

    @cached_property
    def norm(self) -> Fraction:
        """The l_1 norm of the weights: how fast the value changes in the l_inf metric."""
        return sum(map(abs, self.weights.values()), _ZERO)

    def scaled(self, factor: Fraction) -> Affine:
        """``factor`` times this function."""
        if not factor:
            return Affine({}, _ZERO)
        return Affine({i: factor * w for i, w in self.weights.items()}, factor * self.bias)

    def plus(self, other: Affine) -> Affine:
        """The sum of the two functions."""
        weights = dict(self.weights)
        for index, weight in other.weights.items():
            total = weights.get(index, _ZERO) + weight
            if total:
                weights[index] = total
            else:
                weights.pop(index, None)
        return Affine(weights, self.bias + other.bias)


_NOTHING = Affine({}, _ZERO)


@dataclass(frozen=True)
class DepthTwoForm:
    """``F(x) = constant + sum_k signs[k] relu(neurons[k](x))``, at most two neurons."""

    constant: Fraction
    signs: tuple[int, ...]
    neurons: tuple[Affine, ...]
    _sums: dict[tuple[int, ...], Affine] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __call__(self, point: SparsePoint) -> Fraction:
        """The exact value of F at a point."""
        values = (neuron(point) for neuron in self.neurons)
        terms = (sign * max(_ZERO, value) for sign, value in zip(self.signs, values, strict=True))
        return sum(terms, self.constant)

    @cached_property
    def negated(self) -> DepthTwoForm:
        """-F."""
        return DepthTwoForm(-self.constant, tuple(-sign for sign in self.signs), self.neurons)

    def is_negative_on_ball(self, centre: SparsePoint, radius: Fraction) -> bool:
        """Whether F < 0 on the whole closed l_inf ball."""
        values = [neuron(centre) for neuron in self.neurons]
        return all(
            any(self._bound(piece, ends, values, radius) < 0 for ends in self._corners())
            or self._piece_maximum(piece, values, radius) < 0
            for piece in self._pieces()
        )

    def is_positive_on_ball(self, centre: SparsePoint, radius: Fraction) -> bool:
        """Whether F > 0 on the whole closed l_inf ball."""
        return self.negated.is_negative_on_ball(centre, radius)

    def maximum_on_ball(self, centre: SparsePoint, radius: Fraction) -> Fraction:
        """The exact maximum of F over the closed l_inf ball."""
        values = [neuron(centre) for neuron in self.neurons]
        return max(self._piece_maximum(piece, values, radius) for piece in self._pieces())

    def minimum_on_ball(self, centre: SparsePoint, radius: Fraction) -> Fraction:
        """The exact minimum of F over the closed l_inf ball."""
        return -self.negated.maximum_on_ball(centre, radius)

    def _pieces(self) -> Iterator[tuple[int, ...]]:
        """The choices of 0 or u for every neuron of sign +1 (entries 0 for the others)."""
        return product(*((0, 1) if sign > 0 else (0,) for sign in self.signs))

    def _corners(self) -> Iterator[tuple[int, ...]]:
        """The multipliers t in {0, 1} of every neuron of sign -1, as coefficients -t."""
        return product(*((0, -1) if sign < 0 else (0,) for sign in self.signs))

    def _bound(
        self,
        piece: tuple[int, ...],
        corner: tuple[int, ...],
        values: Sequence[Fraction],
        radius: Fraction,
    ) -> Fraction:
        """An upper bound on one piece: the maximum over the ball at fixed multipliers."""
        factors = tuple(a + b for a, b in zip(piece, corner, strict=True))
        centre = sum((f * v for f, v in zip(factors, values, strict=True) if f), self.constant)
        return centre + radius * self._sum(factors).norm

    def _sum(self, factors: tuple[int, ...]) -> Affine:
        if factors not in self._sums:
            total = _NOTHING
            for factor, neuron in zip(factors, self.neurons, strict=True):
                total = total.plus(neuron.scaled(Fraction(factor)))
            self._sums[factors] = total
        return self._sums[factors]

    def _piece_maximum(
        self, piece: tuple[int, ...], values: Sequence[Fraction], radius: Fraction
    ) -> Fraction:
        """The maximum over the ball of the concave function that ``piece`` leaves.

        With two neurons of sign -1 the function of (t1, t2) in the unit square is positively
        homogeneous: its minimum is 0, at the origin, or on one of the edges t1 = 1 and t2 = 1.
        """
        constant = sum((f * v for f, v in zip(piece, values, strict=True) if f), self.constant)
        base = self._sum(piece)
        negative = [k for k, sign in enumerate(self.signs) if sign < 0]
        if not negative:
            return constant + radius * base.norm
        if len(negative) == 1:
            k = negative[0]
            return _least(constant, -values[k], base, self.neurons[k].scaled(-_ONE), radius)
        edges = [
            _least(
                constant - values[fixed],
                -values[free],
                self.neurons[fixed].scaled(-_ONE),
                self.neurons[free].scaled(-_ONE),
                radius,
            )
            for fixed, free in ((0, 1), (1, 0))
        ]
        return min(constant, *edges)


def _least(
    level: Fraction, slope: Fraction, base: Affine, direction: Affine, radius: Fraction
) -> Fraction:
    """The minimum over t in [0, 1] of level + slope t + radius ||base.w + t direction.w||_1."""
    kinks: list[tuple[Fraction, Fraction]] = []
    steepness = slope
    for index, change in direction.weights.items():
        kink = -base.weights.get(index, _ZERO) / change
        size = radius * abs(change)
        steepness += size if kink <= 0 else -size
        if 0 < kink < 1:
            kinks.append((kink, 2 * size))
    minimiser = _ZERO if steepness >= 0 else _ONE
    if steepness < 0:
        for kink, change in sorted(kinks):
            steepness += change
            if steepness >= 0:
                minimiser = kink
                break
    norm = base.plus(direction.scaled(minimiser)).norm
    return level + slope * minimiser + radius * norm


def depth_two_form(network: Network, width: int = 2) -> DepthTwoForm:
    """The exact form of a network of depth 2 and at most this width.

    Affine layers in a row count as one. Neurons that the output ignores and constant neurons do
    not count; an affine function takes two neurons. The output weights' sizes move into the
    neurons. Raises InputError when the network has more than one output, more than one layer of
    ReLUs, too many of them, or coordinates that pass beside them.
    """
    if network.output_size != 1:
        raise InputError(f"{network.name} has {network.output_size} outputs, one is asked for")
    neurons: list[Affine] | None = None
    rows: list[Affine] | None = None
    for number, layer in enumerate(network.layers, start=1):
        own = exact_rows(layer)
        rows = own if rows is None else [_composed(row, rows) for row in own]
        if not layer.relu.any():
            continue
        if neurons is not None:
            raise InputError(f"{network.name} is deeper than one hidden layer of ReLUs")
        if number == len(network.layers):
            raise InputError(f"{network.name} ends in a ReLU, its output must be affine")
        if not layer.relu.all():
            raise InputError(f"{network.name}: coordinates pass beside the ReLUs of layer {number}")
        neurons, rows = rows, None
    if rows is None:
        raise InputError(f"{network.name} has no affine output")
    if neurons is None:
        return _affine_form(network, rows[0], width)
    output = rows[0]
    terms = [(weight, neurons[k]) for k, weight in sorted(output.weights.items())]
    constant = output.bias + sum(w * max(_ZERO, z.bias) for w, z in terms if not z.weights)
    used = [(weight, neuron) for weight, neuron in terms if neuron.weights]
    if len(used) > width:
        raise InputError(f"{network.name} has {len(used)} hidden neurons, {width} are allowed")
    return DepthTwoForm(
        constant,
        tuple(1 if weight > 0 else -1 for weight, _ in used),
        tuple(neuron.scaled(abs(weight)) for weight, neuron in used),
    )


def _affine_form(network: Network, output: Affine, width: int) -> DepthTwoForm:
    """A network without ReLUs, such as one whose ReLUs are all dead: z = relu(z) - relu(-z)."""
    if not output.weights:
        return DepthTwoForm(output.bias, (), ())
    if width < 2:
        raise InputError(f"{network.name} has no hidden layer of ReLUs")
    return DepthTwoForm(_ZERO, (1, -1), (output, output.scaled(-_ONE)))


def exact_rows(layer: Layer) -> list[Affine]:
    """The pre-activations of a layer as exact affine functions of its inputs."""
    matrix = sp.csr_array(layer.weight)
    rows = []
    for index in range(layer.output_size):
        part = slice(matrix.indptr[index], matrix.indptr[index + 1])
        entries = zip(matrix.indices[part].tolist(), matrix.data[part].tolist(), strict=True)
        divisor = _ONE if layer.divisor is None else Fraction(float(layer.divisor[index]))
        weights = {column: Fraction(value) / divisor for column, value in entries if value}
        rows.append(Affine(weights, Fraction(float(np.asarray(layer.bias)[index])) / divisor))
    return rows


def _composed(row: Affine, inner: Sequence[Affine]) -> Affine:
    total = Affine({}, row.bias)
    for index, weight in row.weights.items():
        total = total.plus(inner[index].scaled(weight))
    return total
