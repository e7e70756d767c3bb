"""Nodes on which every ReLU is decided: the network is affine there, so decide them exactly.

The forms of the decided ReLUs and of the outputs follow from exact evaluations at ``free + 1``
points with the ReLUs fixed; whether an unsafe set is reached is then a rational linear system.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from relucert.exact import ExactVector, dot
from relucert.lp.exact import Infeasible, feasible_point
from relucert.network import Network
from relucert.query import Case, Polyhedron
from relucert.search.star.work import ACTIVE, SPLIT

__all__ = ["Leaf", "decide_leaf"]

_Row = tuple[tuple[Fraction, ...], Fraction]


@dataclass(frozen=True, eq=False)
class Leaf:
    """A box of the inputs ``free`` and the states of all neurons on it, layer by layer.

    states: per layer (outputs,); ``SPLIT`` and ``-SPLIT`` are assumptions, the others hold
    wherever those do. parts: the unsafe sets that are open.
    """

    low: np.ndarray
    high: np.ndarray
    free: np.ndarray
    states: tuple[np.ndarray, ...]
    parts: tuple[Polyhedron, ...]


def decide_leaf(network: Network, case: Case, leaf: Leaf) -> tuple[Fraction, ...] | None:
    """An input in the leaf with an unsafe output, or None when there is none; exact."""
    lower, upper = list(case.box.lower), list(case.box.upper)
    for index, low, high in zip(leaf.free, leaf.low, leaf.high, strict=True):
        lower[index] = max(lower[index], Fraction(float(low)))
        upper[index] = min(upper[index], Fraction(float(high)))
        if lower[index] > upper[index]:
            return None  # a sliver outside the exact box, from rounding its ends outward
    free = [int(index) for index in leaf.free if lower[index] < upper[index]]
    decided, outputs = _affine_forms(network, leaf, lower, upper, free)
    low = [lower[index] for index in free]
    high = [upper[index] for index in free]
    for part in leaf.parts:
        rows = [*decided, *_atoms(part, outputs)]
        found = feasible_point(low, high, [row for row, _ in rows], [limit for _, limit in rows])
        if not isinstance(found, Infeasible):
            point = list(lower)
            for index, value in zip(free, found, strict=True):
                point[index] = value
            return tuple(point)
    return None


def _affine_forms(
    network: Network,
    leaf: Leaf,
    lower: Sequence[Fraction],
    upper: Sequence[Fraction],
    free: Sequence[int],
) -> tuple[list[_Row], list[_Row]]:
    """Rows ``r @ x <= limit`` of the decided ReLUs, and the outputs' forms (slopes, constant)."""
    points = [list(lower)]
    for index in free:
        points.append(list(lower))
        points[-1][index] = upper[index]
    images = [_through(network, leaf.states, point) for point in points]
    widths = [upper[index] - lower[index] for index in free]
    base = [lower[index] for index in free]
    count = len(images[0][0])
    forms = []
    for entry in range(count + len(images[0][1])):
        values = [(*decided, *outputs)[entry] for decided, outputs in images]
        slopes = tuple((v - values[0]) / w for v, w in zip(values[1:], widths, strict=True))
        forms.append((slopes, values[0] - dot(slopes, base)))
    # The decided values come with their sign: each must be at least zero.
    decided = [(tuple(-slope for slope in slopes), constant) for slopes, constant in forms[:count]]
    return decided, forms[count:]


def _through(
    network: Network, states: Sequence[np.ndarray], point: Sequence[Fraction]
) -> tuple[list[Fraction], tuple[Fraction, ...]]:
    """Signed pre-activations of the decided ReLUs, and the outputs, with all ReLUs fixed."""
    vector, decided = ExactVector.of(point), []
    for layer, state in zip(network.layers, states, strict=True):
        vector = layer.affine_exactly(vector)
        chosen = np.flatnonzero(layer.relu & (np.abs(state) == SPLIT))
        decided += [
            Fraction(int(vector.numerators[index]) * int(np.sign(state[index])), vector.denominator)
            for index in chosen
        ]
        numerators = vector.numerators.copy()
        numerators[layer.relu & (state < ACTIVE)] = 0
        vector = ExactVector(numerators, vector.denominator)
    return decided, vector.fractions()


def _atoms(part: Polyhedron, outputs: Sequence[_Row]) -> list[_Row]:
    """The part's rows as rows over the free inputs."""
    rows = []
    for coefficients, limit in zip(part.coefficients, part.limits, strict=True):
        slopes = tuple(
            dot(coefficients, [form[0][index] for form in outputs])
            for index in range(len(outputs[0][0]))
        )
        rows.append((slopes, limit - dot(coefficients, [form[1] for form in outputs])))
    return rows
