"""Deciding depth-2, width-2 robust memorization of a few points, with certificates.

Up to swapping the labels, ``F > 0`` is a wedge ``{h1 > 0, h2 > 0}`` or a bevel
``{c > 0, c - z1 > 0, c - z2 > 0, c - z1 - z2 > 0}`` (docs/theory.md, section 2). For each of the
four shapes the search colours every point that must lie outside with a half-space that excludes
it; a linear programme says whether such half-spaces exist. Where none exist, an exactly checked
contradiction names a few points that cannot be excluded so together, and forbids their colours
from then on. No colouring left: the shape is refuted. A network found is confirmed exactly by
the problem's own check. So neither answer rests on floating point; where rounding leaves a
doubt, the search raises instead of answering.

Balls that must lie outside are refuted by their centres, and found by asking one half-space to
exclude a ball wholly. On data where neither settles the question the search raises as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from reductions.errors import EnumerationError
from reductions.problems.half_space_lp import Location, Row, Separation, separate
from relucert.network import Network

if TYPE_CHECKING:
    from reductions.problems.robust_memorization import RobustMemorization

__all__ = ["Shape", "memorizing_network", "search_shape", "shapes"]

_MAX_OUTSIDE = 40

Coloring = tuple[int, ...]
Conflict = tuple[int, ...]
"""A set of points for every colour, as bits: not all of them can have these colours."""


@dataclass(frozen=True, eq=False)
class Shape:
    """One of the forms of Lemma 1: ``label`` is the label of the convex side.

    colors: the half-spaces that may exclude a point; 3 is the bevel, 2 the wedge, 1 a half-space.
    """

    label: int
    colors: int
    inside: tuple[Location, ...]
    outside: tuple[Location, ...]
    radius: Fraction
    dimension: int

    def rows(self, coloring: Coloring, half_space: int, outer: Fraction) -> list[Row]:
        """The inequalities of one half-space; ``outer`` is the radius of the balls outside."""
        rows = [Row(half_space, 1, location, self.radius) for location in self.inside]
        rows.extend(
            Row(half_space, -1, location, outer, index)
            for index, (location, color) in enumerate(zip(self.outside, coloring, strict=True))
            if color == half_space
        )
        return rows


def shapes(problem: RobustMemorization) -> tuple[Shape, ...]:
    """The forms that a network of the allowed width can have, for either label."""
    locations = [
        Location(tuple(row), np.array([float(value) for value in row]))
        for row in problem.dense_points()
    ]
    found = []
    for colors in (1,) if problem.width == 1 else (2, 3):
        for label in (1, -1):
            sides: dict[bool, list[Location]] = {True: [], False: []}
            for location, own in zip(locations, problem.labels, strict=True):
                sides[own == label].append(location)
            inside, outside = tuple(sides[True]), tuple(sides[False])
            found.append(Shape(label, colors, inside, outside, problem.budget, problem.dimension))
    return tuple(found)


def memorizing_network(problem: RobustMemorization) -> Network | None:
    """A network that solves ``problem``, confirmed exactly, or None, certified exactly.

    Raises EnumerationError when more than 40 points would have to lie outside a shape, or when
    rounding or a ball at the corner of two half-spaces leaves the answer open.
    """
    if max(problem.labels.count(1), problem.labels.count(-1)) > _MAX_OUTSIDE:
        raise EnumerationError(f"{len(problem.labels)} points are too many for the enumeration")
    for shape in shapes(problem):
        network = search_shape(problem, shape)
        if network is not None:
            return network
    return None


def search_shape(problem: RobustMemorization, shape: Shape) -> Network | None:
    """A network of this shape that solves ``problem``, or None when there is none.

    Raises EnumerationError like `memorizing_network`.
    """
    conflicts: list[Conflict] = []
    outer = Fraction(0)
    while True:
        coloring = _coloring(len(shape.outside), shape.colors, conflicts)
        if coloring is None and outer > 0:
            raise EnumerationError(
                "no half-space alone excludes some ball though its centre can be excluded: the "
                "enumeration leaves this instance open"
            )
        if coloring is None:
            return None
        functions = _functions(shape, coloring, outer, conflicts)
        if functions is None:
            continue
        network = _network(shape, functions)
        if problem.check(network):
            return network
        if outer == shape.radius:
            raise EnumerationError("the margins are too narrow to be decided by enumeration")
        outer = shape.radius


def _functions(
    shape: Shape, coloring: Coloring, outer: Fraction, conflicts: list[Conflict]
) -> list[Separation] | None:
    """The half-spaces of a colouring, or None after adding to ``conflicts`` why there are none.

    Each half-space of a bevel must separate its points alone, too: such conflicts hold for all
    colours and come first.
    """
    found = []
    for half_space in range(shape.colors):
        rows = shape.rows(coloring, half_space, outer)
        answer = separate(rows, shape.dimension, bevel=False)
        if not isinstance(answer, Separation):
            mask = _mask(answer)
            conflicts.extend(
                tuple(mask if j == color else 0 for j in range(shape.colors))
                for color in range(shape.colors)
            )
            return None
        found.append(answer)
    if shape.colors < 3:
        return found
    rows = [row for j in range(3) for row in shape.rows(coloring, j, outer)]
    answer = separate(rows, shape.dimension, bevel=True)
    if isinstance(answer, Separation):
        return [answer]
    first, second, third = (_mask([row for row in answer if row.half_space == j]) for j in range(3))
    conflicts.extend({(first, second, third), (second, first, third)})
    return None


def _mask(rows: Sequence[Row]) -> int:
    return sum(1 << index for index in {row.outside for row in rows if row.outside >= 0})


def _coloring(count: int, colors: int, conflicts: Sequence[Conflict]) -> Coloring | None:
    """A colouring of the points 0..count-1 that contains no conflict, or None."""
    last: list[list[list[Conflict]]] = [[[] for _ in range(colors)] for _ in range(count)]
    for conflict in dict.fromkeys(conflicts):
        highest = max(mask.bit_length() for mask in conflict) - 1
        if highest < 0:
            return None
        for color, mask in enumerate(conflict):
            if mask >> highest & 1:
                last[highest][color].append(conflict)
    classes, chosen = [0] * colors, [-1] * count
    index = 0
    while 0 <= index < count:
        if chosen[index] >= 0:
            classes[chosen[index]] ^= 1 << index
        for color in range(chosen[index] + 1, colors):
            classes[color] |= 1 << index
            if not any(
                all(mask & own == mask for mask, own in zip(conflict, classes, strict=True))
                for conflict in last[index][color]
            ):
                chosen[index] = color
                index += 1
                break
            classes[color] ^= 1 << index
        else:
            chosen[index] = -1
            index -= 1
    return None if index < 0 else tuple(chosen)


def _network(shape: Shape, functions: Sequence[Separation]) -> Network:
    """F whose sign is ``label`` exactly on the shape; all sums are exact on the functions' grid.

    Wedge: -1 + relu(h1 + 1) - relu(h1 - h2). Bevel: c - relu(z1) - relu(z2).
    """
    if shape.colors == 3:
        (bevel,) = functions
        hidden, offsets = bevel.weights, bevel.biases
        outer, constant = np.array([[-1.0, -1.0]]), bevel.level
    else:
        weights = np.vstack([function.weights for function in functions])
        biases = np.concatenate([function.biases for function in functions])
        hidden, offsets, constant = weights.copy(), biases + 1.0, -1.0
        outer = np.array([[1.0]])
        if shape.colors == 2:
            hidden[1], offsets[1] = weights[0] - weights[1], biases[0] - biases[1]
            outer = np.array([[1.0, -1.0]])
    return Network.dense(
        [hidden, shape.label * outer], [offsets, np.array([shape.label * constant])], "memorizer"
    )
