"""The separation bound: the smallest l_inf distance between differently labelled points.

A robust memorization with budget mu exists for mu below half of it, and for no larger mu
(docs/theory.md, section 1).

How 60,000 images take minutes: once some pair at distance t is known, a pair of which one point
is at most a and the other at least a + t in some coordinate need not be looked at. For many
coordinates and anchors a at a time that is one product of 0/1 matrices, whose counts float32
holds exactly. Points are sorted by one coordinate, so that only a window of them is compared;
the few pairs left are compared coordinate by coordinate until one differs by t. Floats only
discard pairs that cannot be closer, with their rounding accounted for; the distance that is
returned is computed in rationals.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from relucert.errors import QueryError
from relucert.exact import float_above, format_rational
from relucert.memorization.coordinates import Coordinates, coordinates
from relucert.read.points import LabelledPoints

__all__ = ["Separation", "check_budget", "separation_bound"]

Progress = Callable[[int, int], None]

_ROWS = 1024
_COLUMNS = 8192
_FEATURES = 512
_ANCHORS = 24
_SAMPLE = 1000
_PAIRS = 20_000
_CELLS = 2**22


@dataclass(frozen=True)
class Separation:
    """``bound`` is attained by the rows ``first`` < ``second`` (from 0), labelled differently.

    Other pairs may be equally close.
    """

    bound: Fraction
    first: int
    second: int


def separation_bound(points: LabelledPoints, progress: Progress | None = None) -> Separation | None:
    """The exact separation bound in l_inf and a closest pair; None when there is one label only.

    progress: called with (points done, points in all). Takes 8 kB of memory a point beside their
    float64 values. Raises QueryError for coordinates that are not finite. A bound of
    zero means that two equal points have different labels.
    """
    labels = points.labels
    if len(np.unique(labels)) < 2:
        return None
    search = _Search(points, coordinates(points))
    generator = np.random.default_rng(0)
    search.try_random_pairs(generator)
    if len(points) > 4 * _SAMPLE:
        search.scan(np.sort(generator.choice(len(points), _SAMPLE, replace=False)), None)
    search.scan(np.arange(len(points)), progress)
    return search.best


def check_budget(points: LabelledPoints, separation: Separation | None, budget: Fraction) -> None:
    """Raise QueryError unless some network can robustly memorize ``points`` with ``budget``.

    The message names the separation bound and a closest pair of rows.
    """
    if budget < 0:
        raise QueryError(f"the budget {format_rational(budget)} is negative")
    if separation is None:
        return
    rows = f"rows {separation.first} and {separation.second} of {points.name}"
    first, second = points.label(separation.first), points.label(separation.second)
    if separation.bound == 0:
        raise QueryError(
            f"{rows} are equal but labelled {first} and {second}: the separation bound is 0, "
            "no network memorizes them"
        )
    if 2 * budget >= separation.bound:
        raise QueryError(
            f"the budget {format_rational(budget)} is not below half of the separation bound "
            f"{format_rational(separation.bound)}: {rows}, labelled {first} and {second}, are "
            "that close, so balls with different labels meet"
        )


@dataclass(frozen=True, eq=False)
class _Features:
    """0/1 columns: two rows have a positive count when some coordinate separates them."""

    left: np.ndarray
    right: np.ndarray


class _Search:
    """The closest pair so far, and the pairs that may still be closer."""

    def __init__(self, points: LabelledPoints, data: Coordinates) -> None:
        self.points, self.labels = points, points.labels
        self.data, self.values = data, data.values
        self.best: Separation | None = None
        self.columns = np.arange(self.values.shape[1])

    @property
    def reach(self) -> float:
        """Pairs whose computed distance is at least this are not closer than the best pair."""
        if self.best is None:
            return math.inf
        bound = float_above(self.best.bound / self.data.unit)
        if self.data.exact:
            return bound
        return (bound + 2.0 * self.data.slack) * (1.0 + 2.0**-48) + 1e-300

    def try_random_pairs(self, generator: np.random.Generator) -> None:
        """A first bound, and the order of coordinates: those that differ most come first."""
        count = len(self.labels)
        first, second = generator.integers(0, count, (2, _PAIRS))
        other = np.flatnonzero(self.labels != self.labels[0])[0]
        first, second = np.append(first, 0), np.append(second, other)
        keep = self.labels[first] != self.labels[second]
        self.look_at(first[keep], second[keep])
        some = generator.integers(0, count, (2, 500))
        difference = np.abs(self.values[some[0]] - self.values[some[1]])
        self.columns = np.argsort(-np.minimum(difference, self.reach).mean(axis=0), kind="stable")

    def scan(self, rows: np.ndarray, progress: Progress | None) -> None:
        """Compare all pairs of ``rows``."""
        key = self.values[rows, self.columns[0]]
        rows = rows[np.argsort(key, kind="stable")]
        key = self.values[rows, self.columns[0]]
        features, built = self._features(rows), self.reach
        for start in range(0, len(rows), _ROWS):
            if self.best is not None and self.best.bound == 0:
                break
            if self.reach < 0.98 * built:
                features, built = self._features(rows), self.reach
            stop = min(start + _ROWS, len(rows))
            # Rounding of the sum cannot lose a pair: the next float is taken.
            last = math.nextafter(key[stop - 1] + self.reach, math.inf)
            end = int(np.searchsorted(key, last, side="right"))
            for left in range(start, end, _COLUMNS):
                self._compare(rows, features, (start, stop), (left, min(left + _COLUMNS, end)))
            if progress is not None:
                progress(stop, len(rows))

    def _compare(
        self, rows: np.ndarray, features: _Features, row: tuple[int, int], column: tuple[int, int]
    ) -> None:
        up, across = slice(*row), slice(*column)
        near = features.left[up] @ features.right[across].T < 0.5
        near &= self.labels[rows[up], None] != self.labels[rows[across]]
        if column[0] < row[1]:
            near &= np.arange(*row)[:, None] < np.arange(*column)
        first, second = np.nonzero(near)
        self.look_at(rows[first + row[0]], rows[second + column[0]])

    def _features(self, rows: np.ndarray) -> _Features:
        """Anchors a and a + reach that separate many pairs, on the coordinates where they do."""
        anchors, chosen = self._anchors(rows)
        with np.errstate(over="ignore"):
            high = anchors + self.reach
        if not self.data.exact:
            high = np.nextafter(high, np.inf)
        left = np.empty((len(rows), 2 * len(chosen)), dtype=np.float32)
        for start in range(0, len(rows), _COLUMNS):
            block = slice(start, start + _COLUMNS)
            part = self.values[rows[block]][:, chosen]
            left[block, : len(chosen)] = part >= high
            left[block, len(chosen) :] = part <= anchors
        return _Features(left, np.roll(left, len(chosen), axis=1))

    def _anchors(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Anchors and their coordinates, at most `_FEATURES`, the best separators of a sample."""
        sample = np.sort(self.values[rows[:: max(1, len(rows) // _SAMPLE)]], axis=0)
        scores, places = [], []
        for place in np.unique(np.linspace(0, len(sample) - 1, _ANCHORS).astype(int)):
            low = (sample <= sample[place]).mean(axis=0)
            scores.append(low * (sample >= sample[place] + self.reach).mean(axis=0))
            places.append(place)
        score = np.array(scores)
        order = np.argsort(-score, axis=None, kind="stable")[:_FEATURES]
        place, column = np.unravel_index(order[score.reshape(-1)[order] > 0], score.shape)
        return sample[np.array(places)[place], column], column

    def look_at(self, first: np.ndarray, second: np.ndarray) -> None:
        """Keep the closest of these pairs, when it is closer than the best so far."""
        step = max(1, min(64, len(self.columns)))
        size = max(1, _CELLS // step)
        for start in range(0, len(first), size):
            one, two = first[start : start + size], second[start : start + size]
            distance = np.zeros(len(one))
            for begin in range(0, len(self.columns), step):
                block = self.columns[begin : begin + step]
                found = np.abs(self.values[one[:, None], block] - self.values[two[:, None], block])
                distance = np.maximum(distance, found.max(axis=1))
                alive = distance < self.reach
                one, two, distance = one[alive], two[alive], distance[alive]
            self._settle(one, two, distance)

    def _settle(self, first: np.ndarray, second: np.ndarray, distance: np.ndarray) -> None:
        """Exact distances, nearest first, of the pairs that may beat the best."""
        for index in np.argsort(distance, kind="stable"):
            if distance[index] >= self.reach:
                return
            one, two = sorted((int(first[index]), int(second[index])))
            exact = self._exact_distance(one, two, float(distance[index]))
            if self.best is None or exact < self.best.bound:
                self.best = Separation(exact, one, two)

    def _exact_distance(self, one: int, two: int, computed: float) -> Fraction:
        if self.data.slack:
            pairs = zip(self.points.point(one), self.points.point(two), strict=True)
            return max(abs(a - b) for a, b in pairs)
        a, b = self.values[one], self.values[two]
        # Only coordinates whose computed difference is nearly the largest can be the largest.
        close = np.flatnonzero(np.abs(a - b) >= computed * (1.0 - 2.0**-48))
        gaps = (abs(Fraction(float(a[k])) - Fraction(float(b[k]))) for k in close)
        return max(gaps) * self.data.unit
