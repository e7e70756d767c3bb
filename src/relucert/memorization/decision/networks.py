"""Networks with one hidden layer of at most two ReLUs: built from shapes, checked on whole balls.

``F = c + sum a_k relu(z_k)``. The largest value of F on an l_inf ball is exact: a term
``+relu(z)`` is ``max(0, z)``, whose maximum moves outside; a term ``-relu(z)`` is ``min over t
in [0, 1] of -t z``, and maximum over the ball and minimum over t commute (minimax theorem). What
is left is convex and piecewise linear in one t, with ``|| u + t v ||_1`` for the ball.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import TypeAlias

import numpy as np
import scipy.sparse as sp

from relucert.errors import QueryError
from relucert.memorization.decision.balls import Balls, sparse_dot
from relucert.network import Network

__all__ = ["BallRange", "Failure", "constant_network", "smallest_margin"]

Weights: TypeAlias = Mapping[int, Fraction]
_ZERO = Fraction(0)


@dataclass(frozen=True)
class Failure:
    """Balls that a network does not classify, by index."""

    balls: tuple[int, ...]


def constant_network(dimension: int, value: float, width: int = 1) -> Network:
    """The network of depth 2 whose output is always ``value``."""
    return Network.dense(
        [np.zeros((width, dimension)), np.zeros((1, width))],
        [np.zeros(width), np.array([value])],
        "memorizer",
    )


def smallest_margin(network: Network, balls: Balls) -> Fraction | Failure:
    """The least ``label * F`` over all balls with labels -1 and +1, exactly, or what fails.

    Raises QueryError unless the network is one hidden layer of at most two ReLUs, one output.
    """
    high = BallRange(network, balls.budget, 1)
    low = BallRange(network, balls.budget, -1)
    margin: Fraction | None = None
    failed = []
    for index, (point, label) in enumerate(zip(balls.points, balls.labels, strict=True)):
        own = -(high if label < 0 else low).maximum(point)
        if own <= 0:
            failed.append(index)
        margin = own if margin is None else min(margin, own)
    return Failure(tuple(failed)) if failed or margin is None else margin


class BallRange:
    """The maximum over balls of ``sign * F`` for a network F, exactly."""

    def __init__(self, network: Network, radius: Fraction, sign: int) -> None:
        constant, terms = _form(network)
        self._radius = radius
        self._constant = sign * constant
        plus = [(weights, bias) for a, weights, bias in terms if sign * a > 0]
        minus = [(weights, bias) for a, weights, bias in terms if sign * a < 0]
        self._rows = plus + minus
        self._pieces = [
            _Piece(chosen, minus, len(plus), radius)
            for chosen in product((False, True), repeat=len(plus))
        ]
        self._plus = plus

    def maximum(self, point: Sequence[tuple[int, Fraction]]) -> Fraction:
        """The maximum of ``sign * F`` over the closed ball around the point."""
        values = [sparse_dot(weights, tuple(point)) + bias for weights, bias in self._rows]
        tops = []
        for piece in self._pieces:
            base = sum(
                (v for v, used in zip(values, piece.chosen, strict=False) if used), self._constant
            )
            tops.append(min(self._lines(piece, base, values)))
        return max(tops)

    def _lines(
        self, piece: _Piece, base: Fraction, values: Sequence[Fraction]
    ) -> Iterator[Fraction]:
        for line in piece.lines(self._plus):
            start = base - sum((values[k] for k in line.fixed), _ZERO)
            slope = -values[line.moving] if line.moving is not None else _ZERO
            yield line.least(start, slope)


class _Piece:
    """One affine choice (0 or z) for every term of sign +1; the others range over t in [0, 1]."""

    def __init__(
        self, chosen: tuple[bool, ...], minus: Sequence, plus: int, radius: Fraction
    ) -> None:
        self.chosen = chosen
        self._minus, self._offset, self._radius = minus, plus, radius
        self._lines: list[_Line] | None = None

    def lines(self, plus: Sequence[tuple[Weights, Fraction]]) -> list[_Line]:
        """Segments of t on which the minimum lies.

        With two terms of sign -1 and a constant base the function of (t1, t2) is positively
        homogeneous but for the constant: least at the origin or where t1 = 1 or t2 = 1.
        """
        if self._lines is None:
            base = _total(weights for (weights, _), c in zip(plus, self.chosen, strict=True) if c)
            down = [_scaled(weights, Fraction(-1)) for weights, _ in self._minus]
            self._lines = [_Line(base, {}, (), None, self._radius)]
            for k, direction in enumerate(down):
                self._lines.append(_Line(base, direction, (), self._offset + k, self._radius))
            if len(down) == 2:
                for fixed, moving in ((0, 1), (1, 0)):
                    fixed_index = (self._offset + fixed,)
                    moving_index = self._offset + moving
                    self._lines.append(
                        _Line(down[fixed], down[moving], fixed_index, moving_index, self._radius)
                    )
        return self._lines


class _Line:
    """``start + slope t + radius || base + t direction ||_1`` over t in [0, 1]."""

    def __init__(
        self,
        base: Weights,
        direction: Weights,
        fixed: tuple[int, ...],
        moving: int | None,
        radius: Fraction,
    ) -> None:
        self.fixed, self.moving = fixed, moving
        steep, kinks = _ZERO, []
        for index, change in direction.items():
            kink = -base.get(index, _ZERO) / change
            size = radius * abs(change)
            steep += size if kink <= 0 else -size
            if 0 < kink < 1:
                kinks.append((kink, size))
        kinks.sort()
        norm = radius * sum(map(abs, base.values()), _ZERO)
        self._times, self._norms, self._slopes = [_ZERO], [norm], [steep]
        for kink, size in [*kinks, (Fraction(1), _ZERO)]:
            self._norms.append(self._norms[-1] + steep * (kink - self._times[-1]))
            self._times.append(kink)
            steep += 2 * size
            self._slopes.append(steep)

    def least(self, start: Fraction, slope: Fraction) -> Fraction:
        """The minimum; the norm's slopes never fall, so the best kink is found by bisection."""
        place = 0
        if self.moving is not None:
            place = min(bisect_left(self._slopes, -slope), len(self._times) - 1)
        return start + slope * self._times[place] + self._norms[place]


def _form(network: Network) -> tuple[Fraction, list[tuple[Fraction, Weights, Fraction]]]:
    """F's constant and its terms (a, weights, bias), the neurons scaled so that a is +-1."""
    plain = len(network.layers) == 2 and all(layer.divisor is None for layer in network.layers)
    if not plain or network.output_size != 1 or network.layers[0].output_size > 2:
        raise QueryError(f"{network.name} is not one hidden layer of at most two ReLUs")
    hidden, last = network.layers
    if not hidden.relu.all() or last.relu.any():
        raise QueryError(f"{network.name} is not one hidden layer of ReLUs and an affine output")
    outer = sp.csr_array(last.weight).toarray()[0]
    terms: list[tuple[Fraction, Weights, Fraction]] = []
    for row, bias, a in zip(
        _rows(hidden.weight), hidden.bias.tolist(), outer.tolist(), strict=True
    ):
        if a:
            factor = abs(Fraction(a))
            terms.append(
                (Fraction(1 if a > 0 else -1), _scaled(row, factor), factor * Fraction(bias))
            )
    return Fraction(float(last.bias[0])), terms


def _rows(matrix: np.ndarray | sp.csr_array) -> list[Weights]:
    rows = sp.csr_array(matrix)
    found: list[Weights] = []
    for index in range(rows.shape[0]):
        part = slice(rows.indptr[index], rows.indptr[index + 1])
        entries = zip(rows.indices[part].tolist(), rows.data[part].tolist(), strict=True)
        found.append({column: Fraction(value) for column, value in entries if value})
    return found


def _scaled(weights: Weights, factor: Fraction) -> dict[int, Fraction]:
    return {index: factor * value for index, value in weights.items()}


def _total(rows: Iterator[Weights] | Sequence[Weights]) -> dict[int, Fraction]:
    total: dict[int, Fraction] = {}
    for row in rows:
        for index, value in row.items():
            total[index] = total.get(index, _ZERO) + value
    return {index: value for index, value in total.items() if value}
