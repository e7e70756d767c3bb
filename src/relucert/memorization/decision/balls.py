"""Labelled balls, exactly: the data set of the decision problem in the form its engines use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TypeAlias

import numpy as np
import scipy.sparse as sp

from relucert.exact import nearest_float
from relucert.memorization.labels import LabelMap, label_map
from relucert.memorization.separation import check_budget, separation_bound
from relucert.query import Decision
from relucert.read.points import LabelledPoints

__all__ = ["Balls", "Coordinates", "SparsePoint", "labelled_balls", "sign_or_nearest", "sparse_dot"]

SparsePoint: TypeAlias = tuple[tuple[int, Fraction], ...]
"""The non-zero coordinates of a point as (index, value), by increasing index."""

_DENSE = 0.5


def sparse_dot(weights: Mapping[int, Fraction], point: SparsePoint) -> Fraction:
    """The exact inner product of sparse weights and a sparse point."""
    return sum((weights[i] * value for i, value in point if i in weights), Fraction(0))


@dataclass(frozen=True, eq=False)
class Coordinates:
    """Float64 coordinates for the solvers: ``(x - shift) * scales``, and the budget so scaled.

    Shifted only where the points are dense: sparse points stay sparse. The scales are powers of
    two, all equal unless the budget is 0: balls must stay balls.
    """

    matrix: sp.csr_array
    radius: float
    shift: tuple[Fraction, ...]
    scales: tuple[Fraction, ...]

    def of(self, point: SparsePoint) -> np.ndarray:
        """The solver's coordinates of any exact point, dense (dimension,)."""
        dense = [-value for value in self.shift] or [Fraction(0)] * self.matrix.shape[1]
        for index, value in point:
            dense[index] += value
        pairs = zip(dense, self.scales, strict=True)
        return np.array([nearest_float(value * scale) for value, scale in pairs])


@dataclass(frozen=True, eq=False)
class Balls:
    """Closed l_inf balls of radius ``budget`` around exact points, with labels.

    labels: -1 and +1 when there are at most two of them, else 1..L, by ``label_map``.
    """

    dimension: int
    points: tuple[SparsePoint, ...]
    labels: tuple[int, ...]
    budget: Fraction
    label_map: LabelMap
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
        scales = self._scales(rows)
        starts = np.cumsum([0, *map(len, rows)])
        columns = np.array([index for row in rows for index, _ in row], dtype=np.int32)
        values = np.array([nearest_float(v * scales[i]) for row in rows for i, v in row])
        matrix = sp.csr_array((values, columns, starts), shape=(len(self), self.dimension))
        return Coordinates(matrix, nearest_float(self.budget * scales[0]), shift, scales)

    def _scales(self, rows: list[SparsePoint]) -> tuple[Fraction, ...]:
        largest = [Fraction(0)] * self.dimension
        for row in rows:
            for index, value in row:
                largest[index] = max(largest[index], abs(value))
        if self.budget:
            largest = [max(largest)] * self.dimension
        return tuple(_power_of_two_near(1 / size) if size else Fraction(1) for size in largest)

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
    balls with different labels meet, naming the separation bound and the closest pair.
    """
    check_budget(data, separation_bound(data), budget)
    targets = sign_or_nearest(data)
    points = tuple(
        tuple((index, value) for index, value in enumerate(data.point(row)) if value)
        for row in range(len(data))
    )
    own = tuple(targets.targets[label] for label in data.labels.tolist())
    return Balls(data.input_size, points, own, Fraction(budget), targets, data.name)


def sign_or_nearest(data: LabelledPoints) -> LabelMap:
    """At most two labels are told apart by sign, more by the nearest of 1..L."""
    labels = sorted(set(data.labels.tolist()))
    if len(labels) == 1:
        return LabelMap({labels[0]: 1 if labels[0] > 0 else -1}, Decision("sign", 2))
    return label_map(data, "sign" if len(labels) == 2 else "nearest")


def _power_of_two_near(value: Fraction) -> Fraction:
    return Fraction(2) ** (value.numerator.bit_length() - value.denominator.bit_length())
