"""Deciding depth-2, width-2 robust memorization of a few points, with certificates.

Up to swapping the labels, ``F > 0`` is a wedge ``{h1 > 0, h2 > 0}`` or a bevel
``{c > 0, c - z1 > 0, c - z2 > 0, c - z1 - z2 > 0}`` (docs/theory.md, section 2). For each of the
four shapes the search colours every point that must lie outside with a half-space that excludes
it; a linear programme says whether such half-spaces exist. Where none exist, an exactly checked
contradiction names a few points that cannot be excluded so together, and forbids their colours
from then on. No colouring left: the shape is refuted. A network found is confirmed exactly by
the problem's own check. So neither answer rests on floating point; where rounding leaves a
doubt, the search raises instead of answering.

First all balls are taken as points, which is enough for most refutations; then the balls inside
are taken whole, which never loses a network; then also those outside, by asking one half-space
to exclude each wholly. Where only the last step refutes, the question is open and the search
raises as well.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from reductions.errors import EnumerationError
from reductions.problems.conflict_coloring import Coloring, Conflict, conflict_free_coloring
from reductions.problems.half_space_lp import Location, Row, Separation, separate
from relucert.network import Network

if TYPE_CHECKING:
    from reductions.problems.robust_memorization import RobustMemorization

__all__ = ["Shape", "memorizing_network", "search_shape", "shapes"]

_MAX_OUTSIDE = 40

Radii = tuple[Fraction, Fraction]
"""The radii of balls inside and outside of the convex side."""


@dataclass(frozen=True, eq=False)
class Shape:
    """One of the forms of Lemma 1: ``label`` is the label of the convex side.

    colors: the half-spaces that may exclude a point; 3 is the bevel, 2 the wedge, 1 a half-space.
    only_third: points outside that the third half-space of a bevel, and no other, must exclude
    (a restriction for tests of decoders).
    """

    label: int
    colors: int
    inside: tuple[Location, ...]
    outside: tuple[Location, ...]
    radius: Fraction
    dimension: int
    only_third: frozenset[int] = frozenset()

    def rows(self, coloring: Coloring, half_space: int, radii: Radii) -> list[Row]:
        """The inequalities of one half-space, for balls of these radii inside and outside."""
        rows = [Row(half_space, 1, location, radii[0]) for location in self.inside]
        rows.extend(
            Row(half_space, -1, location, radii[1], index)
            for index, (location, color) in enumerate(zip(self.outside, coloring, strict=True))
            if color == half_space
        )
        if half_space < 2:
            kept = (self.outside[index] for index in sorted(self.only_third))
            rows.extend(Row(half_space, 1, location, Fraction(0)) for location in kept)
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
    if _balls_meet(problem):
        return None
    for shape in shapes(problem):
        network = search_shape(problem, shape)
        if network is not None:
            return network
    return None


def _balls_meet(problem: RobustMemorization) -> bool:
    """Whether two balls with different labels have a point in common: then nothing memorizes."""
    points, labels = problem.dense_points(), problem.labels
    return any(
        label != other and all(abs(x - y) <= 2 * problem.budget for x, y in zip(a, b, strict=True))
        for i, (a, label) in enumerate(zip(points, labels, strict=True))
        for b, other in zip(points[:i], labels, strict=False)
    )


def search_shape(
    problem: RobustMemorization,
    shape: Shape,
    rng: random.Random | None = None,
) -> Network | None:
    """A network of this shape that solves ``problem``, or None when there is none.

    rng: for a random such network instead of one with wide margins.
    Raises EnumerationError like `memorizing_network`.
    """
    knowledge = _Knowledge(shape, rng)
    zero, radius = Fraction(0), shape.radius
    for radii in dict.fromkeys(((zero, zero), (radius, zero), (radius, radius))):
        functions = knowledge.functions(radii)
        if functions is None and radii[1] > 0:
            raise EnumerationError(
                "no half-space alone excludes some ball though its centre can be excluded: the "
                "enumeration leaves this instance open"
            )
        if functions is None:
            return None
        network = _network(shape, functions)
        if problem.check(network):
            return network
    raise EnumerationError("the margins are too narrow to be decided by enumeration")


class _Knowledge:
    """What the search has learnt about one shape.

    conflicts: colours that no network has; they stay true when balls grow.
    separable: sets of points that one half-space excludes, with it, at the present radii.
    """

    def __init__(self, shape: Shape, rng: random.Random | None) -> None:
        self.shape = shape
        self.rng = rng
        self.conflicts: list[Conflict] = [
            conflict
            for index in sorted(shape.only_third)
            for conflict in ((1 << index, 0, 0), (0, 1 << index, 0))
        ]
        self.separable: dict[int, Separation] = {}

    def functions(self, radii: Radii) -> list[Separation] | None:
        """Half-spaces that separate balls of these radii, or None when there are none."""
        self.separable.clear()
        while True:
            coloring = conflict_free_coloring(
                len(self.shape.outside), self.shape.colors, self.conflicts
            )
            if coloring is None:
                return None
            separations = self._each_alone(coloring, radii)
            if separations is not None and self.shape.colors == 3:
                separations = self._tied(coloring, radii)
            if separations is not None:
                return separations

    def _each_alone(self, coloring: Coloring, radii: Radii) -> list[Separation] | None:
        """A half-space for each colour, or None after learning a conflict, for all colours.

        Each half-space of a bevel must separate its points alone, too.
        """
        separations, colors = [], self.shape.colors
        for half_space in range(colors):
            rows = self.shape.rows(coloring, half_space, radii)
            mask = _mask(rows)
            if mask not in self.separable:
                answer = separate(rows, self.shape.dimension, bevel=False, rng=self.rng)
                if not isinstance(answer, Separation):
                    mask = _mask(answer)
                    self.conflicts.extend(
                        tuple(mask if j == color else 0 for j in range(colors))
                        for color in range(colors)
                    )
                    return None
                self.separable[mask] = answer
            separations.append(self.separable[mask])
        return separations

    def _tied(self, coloring: Coloring, radii: Radii) -> list[Separation] | None:
        """The bevel of a colouring, or None after learning a conflict and its mirror image.

        A conflict is made minimal by leaving out one point after the other: fewer conflicts
        are needed then, by far.
        """
        rows = [row for j in range(3) for row in self.shape.rows(coloring, j, radii)]
        answer = separate(rows, self.shape.dimension, bevel=True, rng=self.rng)
        if isinstance(answer, Separation):
            return [answer]
        inside = [row for row in rows if row.outside < 0]
        kept = [row for row in answer if row.outside >= 0]
        for row in tuple(kept):
            if row in kept:
                fewer = [other for other in kept if other is not row]
                answer = separate([*inside, *fewer], self.shape.dimension, bevel=True)
                if not isinstance(answer, Separation):
                    kept = [other for other in answer if other.outside >= 0]
        first, second, third = (_mask([r for r in kept if r.half_space == j]) for j in range(3))
        self.conflicts.extend(dict.fromkeys(((first, second, third), (second, first, third))))
        return None


def _mask(rows: Sequence[Row]) -> int:
    return sum(1 << index for index in {row.outside for row in rows if row.outside >= 0})


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
