"""Labelled balls, exactly: the data set of the decision problem in the form its engines use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TypeAlias

import numpy as np
import scipy.sparse as sp

from relucert.errors import QueryError
from relucert.exact import format_rational, nearest_float
from relucert.read.points import LabelledPoints

__all__ = ["Balls", "Coordinates", "SparsePoint", "closest_pair", "labelled_balls", "sparse_dot"]

SparsePoint: TypeAlias = tuple[tuple[int, Fraction], ...]
"""The non-zero coordinates of a point as (index, value), by increasing index."""

_BLOCK = 1 << 22
_DENSE = 0.5


def sparse_dot(weights: Mapping[int, Fraction], point: SparsePoint) -> Fraction:
    """The exact inner product of sparse weights and a sparse point."""
    return sum((weights[i] * value for i, value in point if i in weights), Fraction(0))


@dataclass(frozen=True, eq=False)
class Coordinates:
    """Float64 coordinates for the solvers: ``(x - shift) * scale``, and the budget so scaled.

    Shifted only where the points are dense: sparse points stay sparse.
    """

    matrix: sp.csr_array
    radius: float
    shift: tuple[Fraction, ...]
    scale: Fraction

    def of(self, point: SparsePoint) -> np.ndarray:
        """The solver's coordinates of any exact point, dense (dimension,)."""
        dense = [-value for value in self.shift] or [Fraction(0)] * self.matrix.shape[1]
        for index, value in point:
            dense[index] += value
        return np.array([nearest_float(value * self.scale) for value in dense])


@dataclass(frozen=True, eq=False)
class Balls:
    """Closed l_inf balls of radius ``budget`` around exact points, with labels.

    labels: -1 and +1 when there are at most two of them, else 1..L. label_map: pairs (label in
    the data, label here), by increasing label.
    """

    dimension: int
    points: tuple[SparsePoint, ...]
    labels: tuple[int, ...]
    budget: Fraction
    label_map: tuple[tuple[int, int], ...]
    name: str = "data"

    def __len__(self) -> int:
        return len(self.points)

    @property
    def nonzeros(self) -> int:
        """Coordinates that are not zero, over all points."""
        return sum(map(len, self.points))

    def of_label(self, label: int) -> tuple[int, ...]:
        """The indices of the points with this label."""
        return tuple(index for index, own in enumerate(self.labels) if own == label)

    @cached_property
    def coordinates(self) -> Coordinates:
        """The points as the solvers see them, of size about one."""
        shift: tuple[Fraction, ...] = ()
        if self.nonzeros > _DENSE * len(self) * self.dimension:
            first = dict(self.points[0])
            shift = tuple(first.get(index, Fraction(0)) for index in range(self.dimension))
        rows = [self._shifted(point, shift) for point in self.points]
        largest = max((abs(value) for row in rows for _, value in row), default=Fraction(0))
        scale = _power_of_two_near(1 / largest) if largest else Fraction(1)
        starts = np.cumsum([0, *map(len, rows)])
        columns = np.array([index for row in rows for index, _ in row], dtype=np.int32)
        values = np.array([nearest_float(value * scale) for row in rows for _, value in row])
        matrix = sp.csr_array((values, columns, starts), shape=(len(self), self.dimension))
        return Coordinates(matrix, nearest_float(self.budget * scale), shift, scale)

    @staticmethod
    def _shifted(point: SparsePoint, shift: tuple[Fraction, ...]) -> SparsePoint:
        if not shift:
            return point
        own = dict(point)
        moved = ((i, own.get(i, Fraction(0)) - value) for i, value in enumerate(shift))
        return tuple((index, value) for index, value in moved if value)


def labelled_balls(data: LabelledPoints, budget: Fraction) -> Balls:
    """Exact balls around the points of a data set.

    Two labels become -1 and +1 (the smaller is -1; a single label keeps its sign), more become
    1..L in increasing order. Raises QueryError for a negative budget, and for a budget at which
    balls with different labels meet, naming lambda and the closest pair.
    """
    if budget < 0:
        raise QueryError(f"the budget {format_rational(budget)} is negative")
    label_map = _label_map(sorted(set(data.labels.tolist())))
    here = dict(label_map)
    points = tuple(
        tuple((index, value) for index, value in enumerate(data.point(row)) if value)
        for row in range(len(data))
    )
    labels = tuple(here[label] for label in data.labels.tolist())
    balls = Balls(data.input_size, points, labels, Fraction(budget), label_map, data.name)
    pair = closest_pair(balls)
    if pair is not None:
        _check_budget(balls, *pair)
    return balls


def _label_map(labels: list[int]) -> tuple[tuple[int, int], ...]:
    if len(labels) == 1:
        return ((labels[0], 1 if labels[0] > 0 else -1),)
    if len(labels) == 2:
        return ((labels[0], -1), (labels[1], 1))
    return tuple((label, place) for place, label in enumerate(labels, start=1))


def _check_budget(balls: Balls, distance: Fraction, i: int, j: int) -> None:
    if distance == 0:
        raise QueryError(
            f"{balls.name}: rows {i} and {j} (from 0) are the same point with different labels: "
            "no function memorizes both; remove one"
        )
    if 2 * balls.budget >= distance:
        raise QueryError(
            f"{balls.name}: the budget {format_rational(balls.budget)} is not below lambda / 2 = "
            f"{format_rational(distance / 2)}: lambda = {format_rational(distance)} is the "
            f"distance of rows {i} and {j} (from 0), whose labels differ and whose balls meet"
        )


def closest_pair(balls: Balls) -> tuple[Fraction, int, int] | None:
    """The separation bound lambda and two rows that attain it; None with one label only.

    Distances are found in float64 and the nearly smallest ones compared exactly.
    """
    labels = np.array(balls.labels)
    matrix = balls.coordinates.matrix.toarray()
    slack = 16 * np.finfo(float).eps * max(1.0, float(np.abs(matrix).max(initial=0.0)))
    best, pairs = np.inf, []
    rows_at_once = max(1, _BLOCK // max(1, matrix.size))
    for start in range(0, len(balls), rows_at_once):
        rows = np.arange(start, min(start + rows_at_once, len(balls)))
        distances = np.abs(matrix[rows, None, :] - matrix[None, :, :]).max(axis=2)
        distances[labels[rows, None] == labels[None, :]] = np.inf
        best = min(best, float(distances.min()))
        near = np.argwhere(distances <= best + slack)
        pairs += [(float(distances[a, b]), int(rows[a]), int(b)) for a, b in near]
    near_pairs = {(min(i, j), max(i, j)) for d, i, j in pairs if d <= best + slack < np.inf}
    if not near_pairs:
        return None
    return min((_distance(balls.points[i], balls.points[j]), i, j) for i, j in near_pairs)


def _distance(first: SparsePoint, second: SparsePoint) -> Fraction:
    difference = dict(first)
    for index, value in second:
        difference[index] = difference.get(index, Fraction(0)) - value
    return max(map(abs, difference.values()), default=Fraction(0))


def _power_of_two_near(value: Fraction) -> Fraction:
    return Fraction(2) ** (value.numerator.bit_length() - value.denominator.bit_length())
