"""Branch and bound over parts of the domain, then over activation patterns, exactly.

A part of the domain with many undecided ReLUs is halved. With few, its activation regions are
entered one by one: a region is open, the signs of some pre-activations are fixed in it, layer by
layer, so that the layer in work is affine. Bounds are interval gradients: a ReLU that is not
fixed yet has a derivative between 0 and 1. A side of a pre-activation is entered only with a
point strictly inside, so that a pattern that only ties can show never counts. All in integers.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from relucert.memorization.lipschitz_constant_domain import Domain
from relucert.memorization.lipschitz_constant_half_spaces import HalfSpace
from relucert.memorization.lipschitz_constant_layers import Affine, ExactLayer, Slopes
from relucert.memorization.lipschitz_constant_pair import Norm
from relucert.memorization.lipschitz_constant_phases import (
    PhaseIntervals,
    first_reach,
    phases_in_box,
    without_effect,
)
from relucert.network import Network

__all__ = ["Leaf", "PatternSearch"]

_FEW_INPUTS = 6
_WORTH = 2  # ReLUs that a cut must decide on average, and the share of those undecided
_SHARE = 0.15
_ZERO = Fraction(0)


@dataclass(frozen=True, eq=False)
class _Part:
    """A part of the domain, the phases known in all of it, and the slopes after every layer."""

    domain: Domain
    phases: list[np.ndarray]
    after: list[Slopes]
    bound: Fraction

    @property
    def undecided(self) -> int:
        """ReLUs that may be active or inactive."""
        return _undecided(self.phases)


@dataclass(frozen=True, eq=False)
class _Region:
    """An open region: ``layer`` is in work, ``pre`` its forms, ``phases`` those fixed in it."""

    part: _Part
    layer: int
    pre: Affine
    phases: np.ndarray
    spaces: tuple[HalfSpace, ...]
    place: np.ndarray
    bound: Fraction


@dataclass(frozen=True, eq=False)
class Leaf:
    """A region in which the function is affine: its gradient, and a point strictly inside.

    gradient: by all inputs, zero for those that do not vary.
    """

    gradient: tuple[Fraction, ...]
    point: tuple[Fraction, ...]
    steepness: Fraction


class PatternSearch:
    """Regions by falling bound, for one function ``coefficients @ outputs`` on a domain."""

    def __init__(
        self,
        network: Network,
        layers: Sequence[ExactLayer],
        coefficients: Sequence[int],
        domain: Domain,
        norm: Norm,
    ) -> None:
        self._network, self._layers = network, layers
        self._coefficients, self._norm = coefficients, norm
        phases = without_effect(layers, coefficients, phases_in_box(network, domain))
        self._whole = self._part(domain, phases)
        self._intervals: PhaseIntervals | None = None
        self._reach = first_reach(network)
        self._heap: list[tuple[Fraction, int, int, _Part | _Region]] = []
        self._count = itertools.count()
        self._visited: _Region | None = None
        self.regions = 0

    @property
    def anywhere(self) -> Fraction:
        """The size of the interval gradient of the whole domain."""
        return self._whole.bound

    def start(self) -> None:
        """The whole domain as the first part."""
        self._intervals = PhaseIntervals(self._network)
        self._wait(self._whole, Fraction(-1))

    @property
    def open(self) -> int:
        """Parts and regions waiting."""
        return len(self._heap)

    @property
    def bound(self) -> Fraction:
        """No region that waits is steeper; zero when none waits."""
        return -self._heap[0][0] if self._heap else _ZERO

    @property
    def visited(self) -> tuple[Fraction, ...] | None:
        """A point strictly inside the region of the last step."""
        if self._visited is None:
            return None
        return self._visited.part.domain.point(self._visited.place)

    def step(self, reached: Fraction) -> Leaf | None:
        """Go on with what has the largest bound; a leaf steeper than ``reached``, or None.

        What is not steeper than ``reached`` is dropped.
        """
        first = heapq.heappop(self._heap)[-1]
        if first.bound <= reached:
            self._heap.clear()
            return None
        self.regions += 1
        self._visited = first if isinstance(first, _Region) else None
        if isinstance(first, _Part):
            self._divide(first, reached)
            return None
        undecided = np.flatnonzero(first.phases < 0)
        if len(undecided) == 0:
            return self._finish_layer(first, reached)
        self._decide(first, self._by_weight(first, undecided), reached)
        return None

    def _wait(self, item: _Part | _Region, reached: Fraction) -> None:
        if item.bound > reached:
            # Of equal bounds the deepest, then the youngest: a first leaf comes soon.
            depth = item.layer + 1 if isinstance(item, _Region) else 0
            heapq.heappush(self._heap, (-item.bound, -depth, -next(self._count), item))

    def _part(self, domain: Domain, phases: list[np.ndarray]) -> _Part:
        after = [Slopes.exactly(self._coefficients)]
        for layer, phase in zip(reversed(self._layers), reversed(phases), strict=True):
            after.append(layer.backward(after[-1].through_relu(phase)))
        by_input = after.pop().fractions()
        bound = self._size([by_input[index] for index in domain.free])
        return _Part(domain, phases, after[::-1], bound)

    def _size(self, ranges: Sequence[tuple[Fraction, Fraction]]) -> Fraction:
        return self._norm.dual_size([max(abs(low), abs(high)) for low, high in ranges])

    def _phases(self, domain: Domain, known: list[np.ndarray]) -> list[np.ndarray]:
        if self._intervals is None:
            return known
        lower, upper = domain.ends
        phases = self._intervals.refined(lower, upper, known)
        return without_effect(self._layers, self._coefficients, phases)

    def _divide(self, part: _Part, reached: Fraction) -> None:
        """Cut the range of one input where that decides many ReLUs, else enter the regions."""
        best: list[tuple[Domain, list[np.ndarray]]] = []
        least = part.undecided - max(_WORTH, _SHARE * part.undecided)
        for index in part.domain.free if len(part.domain.free) <= _FEW_INPUTS else ():
            pieces = part.domain.split(index, self._reach)
            tried = [(piece, self._phases(piece, part.phases)) for piece in pieces]
            left = sum(_undecided(phases) for _, phases in tried) / len(tried)
            if len(tried) > 1 and left <= least:
                best, least = tried, left
        for piece, phases in best:
            own = self._part(piece, phases)
            self._wait(replace(own, bound=min(own.bound, part.bound)), reached)
        if not best:
            self._wait(self._first_region(part), reached)

    def _first_region(self, part: _Part) -> _Region:
        domain = part.domain
        nothing = np.zeros(0, dtype=np.int8)
        return self._entered(
            _Region(part, 0, domain.inputs(), nothing, domain.faces, domain.start(), part.bound)
        )

    def _entered(self, region: _Region) -> _Region:
        """The region with its layer in work; ``pre`` holds what that layer reads."""
        region = self._looking_ahead(region)
        pre = self._layers[region.layer].forward(region.pre)
        phases = region.part.phases[region.layer].copy()
        for index in np.flatnonzero(phases < 0):
            row = pre.rows[index]
            if not row[:-1].any():
                phases[index] = int(row[-1] > 0)
        return self._bounded(replace(region, pre=pre, phases=phases))

    def _looking_ahead(self, region: _Region) -> _Region:
        """The region with the phases known in a box around it."""
        part = region.part
        if self._intervals is None or not region.spaces:
            return region
        lower, upper = part.domain.ends_inside(region.spaces)
        known = self._intervals.refined(lower, upper, part.phases)
        phases = without_effect(self._layers, self._coefficients, known)
        if _undecided(phases) == part.undecided:
            return region
        return replace(region, part=self._part(part.domain, phases))

    def _finish_layer(self, region: _Region, reached: Fraction) -> Leaf | None:
        if region.layer + 1 < len(self._layers):
            after = region.pre.masked(region.phases == 1)
            self._wait(self._entered(replace(region, layer=region.layer + 1, pre=after)), reached)
            return None
        if region.bound <= reached:
            return None
        domain = region.part.domain
        gradient = [_ZERO] * domain.size
        for index, (low, _) in zip(domain.free, self._ranges(region), strict=True):
            gradient[index] = low
        return Leaf(tuple(gradient), domain.point(region.place), self._norm.dual_size(gradient))

    def _bounded(self, region: _Region) -> _Region:
        """The region with its bound, the size of its interval gradient."""
        return replace(region, bound=min(self._size(self._ranges(region)), region.bound))

    def _ranges(self, region: _Region) -> list[tuple[Fraction, Fraction]]:
        """Ranges of the derivatives in the region, by free input."""
        slopes = region.part.after[region.layer].through_relu(region.phases)
        rows = region.pre.rows[:, :-1]
        low, high = slopes.lower[:, np.newaxis] * rows, slopes.upper[:, np.newaxis] * rows
        lower, upper = np.minimum(low, high).sum(axis=0), np.maximum(low, high).sum(axis=0)
        scale = slopes.denominator * region.pre.denominator
        return [
            (Fraction(int(a), scale) / half, Fraction(int(b), scale) / half)
            for a, b, half in zip(lower, upper, region.part.domain.halves, strict=True)
        ]

    def _by_weight(self, region: _Region, undecided: np.ndarray) -> list[int]:
        """The undecided coordinates, those first that widen the ranges most."""
        after = region.part.after[region.layer]
        width = np.maximum(after.upper[undecided], 0) - np.minimum(after.lower[undecided], 0)
        weights = width * abs(region.pre.rows[undecided, :-1]).sum(axis=1)
        order = sorted(range(len(undecided)), key=lambda place: (-weights[place], place))
        return [int(undecided[place]) for place in order]

    def _decide(self, region: _Region, order: list[int], reached: Fraction) -> None:
        """Fix signs until one has two sides; the parts of the region then wait."""
        for index in order:
            sides = list(_sides(region, region.pre.rows[index]))
            for phase, space, place in sides:
                phases = region.phases.copy()
                phases[index] = phase
                half = self._bounded(replace(region, phases=phases))
                if len(sides) == 1:
                    region = half
                else:
                    half = replace(half, spaces=(*region.spaces, space), place=place)
                    self._wait(half, reached)
            if len(sides) > 1 or region.bound <= reached:
                return
        self._wait(region, reached)


def _sides(region: _Region, row: np.ndarray) -> Iterator[tuple[int, HalfSpace, np.ndarray]]:
    """The signs that the form takes in the region, each with a point strictly inside."""
    value, domain = int(row @ region.place), region.part.domain
    for phase, signed in ((1, row), (0, -row)):
        if value and (value > 0) == (phase == 1):
            yield phase, HalfSpace.of(signed), region.place
            continue
        if domain.never_positive(signed):
            continue
        space = HalfSpace.of(signed)
        place = domain.inside((*region.spaces, space))
        if place is not None:
            yield phase, space, place


def _undecided(phases: Sequence[np.ndarray]) -> int:
    return sum(int((phase < 0).sum()) for phase in phases)
