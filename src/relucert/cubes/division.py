"""Dividing the boxes of a query into cubes, the worst bounded first.

A cube is halved where halving promises most by the searches' own measure: the influence of an
input on the linear bound, times its width. The halves share the value between them, a float64:
they cover the cube exactly, and a proof about one is a proof about a region of the whole.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import count

import numpy as np

from relucert.bounds.backward import bound_network, input_influence
from relucert.bounds.interval import Intervals
from relucert.bounds.unsafe import distance, float_rows
from relucert.limits import Limits
from relucert.network import Network
from relucert.prover.ground import checked_bounds
from relucert.query import Box, Case, Query
from relucert.verdict import Method, Proved, Verdict

__all__ = ["Cube", "divided", "halved", "roots"]

_SPLIT_BITS = 5


@dataclass(eq=False)
class Cube:
    """A part of the box of one case of the query.

    index: of the case. box: the part. share: how much of the whole it is, each halving counting
    half. open: places in the case's ``unsafe`` of the sets that linear bounds leave open.
    margin: a certified bound on the distance to the nearest of these. branch: the input and the
    value to halve at, None where no input can be halved. halves: once it is halved. verdict: once
    there is one. tries: how often it was certified in vain.
    """

    index: int
    box: Box
    share: float
    open: tuple[int, ...]
    margin: float
    branch: tuple[int, float] | None
    halves: tuple[Cube, Cube] | None = None
    verdict: Verdict | None = None
    tries: int = 0

    def question(self, query: Query, whole: bool) -> Query:
        """The cube as a query of its own; ``whole``: with all unsafe sets, in their places."""
        unsafe = query.cases[self.index].unsafe
        if not whole:
            unsafe = tuple(unsafe[place] for place in self.open)
        return Query((Case(self.box, unsafe),), query.name)

    def leaves(self) -> Iterator[Cube]:
        """The cubes that it consists of now, depth first."""
        if self.halves is None:
            yield self
            return
        for half in self.halves:
            yield from half.leaves()


def roots(network: Network, query: Query) -> list[Cube]:
    """The whole boxes of the cases that have unsafe sets."""
    cases = [(index, case) for index, case in enumerate(query.cases) if case.unsafe]
    return [
        _cube(network, query, index, case.box, range(len(case.unsafe)), 1.0 / len(cases))
        for index, case in cases
    ]


def divided(
    network: Network, query: Query, cubes: Sequence[Cube], wanted: int, limits: Limits
) -> list[Cube]:
    """Halve the worst of the open cubes until ``wanted`` are open; the open ones, worst first.

    Fewer where nothing is left to be halved or the time is up.
    """
    order = count()  # of two alike the older first
    waiting = [(cube.margin, next(order), cube) for cube in cubes if cube.verdict is None]
    heapq.heapify(waiting)
    whole: list[Cube] = []
    while waiting and len(waiting) + len(whole) < wanted and not limits.out_of_time:
        cube = heapq.heappop(waiting)[2]
        halves = halved(network, query, cube)
        whole += [] if halves else [cube]
        for half in halves:
            if half.verdict is None:
                heapq.heappush(waiting, (half.margin, next(order), half))
    return sorted((*whole, *(cube for _, _, cube in waiting)), key=lambda cube: cube.margin)


def halved(network: Network, query: Query, cube: Cube) -> tuple[Cube, ...]:
    """The two halves of a cube, which remembers them; () where no input can be halved."""
    if cube.branch is None:
        return ()
    place, value = cube.branch
    lower, upper = list(cube.box.lower), list(cube.box.upper)
    lower[place] = upper[place] = Fraction(value)
    boxes = Box(cube.box.lower, tuple(upper)), Box(tuple(lower), cube.box.upper)
    first, second = (
        _cube(network, query, cube.index, box, cube.open, 0.5 * cube.share) for box in boxes
    )
    cube.halves = first, second
    return cube.halves


@np.errstate(all="ignore")
def _cube(
    network: Network, query: Query, index: int, box: Box, unsafe: Sequence[int], share: float
) -> Cube:
    """A cube with the sets that linear bounds leave open, Proved where none is."""
    intervals, sets = Intervals(*box.enclosing_floats), query.cases[index].unsafe
    ground = checked_bounds(network, Case(box, tuple(sets[one] for one in unsafe)), Limits())
    chain = bound_network(network, intervals) if ground is None else ground.chain
    left, margin = [], math.inf
    influence = np.zeros(network.input_size)
    for place in unsafe if ground is None else [unsafe[one] for one in ground.left]:
        rows = float_rows(sets[place])
        found = distance(chain, intervals, rows)
        if found.best > 0 and ground is None:
            continue
        left.append(place)
        margin = min(margin, found.best, 0.0)
        if len(found.rows):
            one = input_influence(chain, rows.coefficients[int(found.rows.argmax())])
            influence += one / max(float(one.max(initial=0.0)), 1e-300)
    if not left:
        proved = Proved(Method.BOUNDS if ground is None else Method.CHECKED)
        return Cube(index, box, share, (), math.inf, None, verdict=proved)
    return Cube(index, box, share, tuple(left), margin, _branch(box, influence))


def _branch(box: Box, influence: np.ndarray) -> tuple[int, float] | None:
    """The input whose halving promises most, else the widest, and where; None for a point."""
    lower, upper = box.enclosing_floats
    middles = [_middle(float(a), float(b)) for a, b in zip(lower, upper, strict=True)]
    possible = np.array([
        math.isfinite(value) and low < Fraction(value) < high
        for low, value, high in zip(box.lower, middles, box.upper, strict=True)
    ], dtype=bool)  # fmt: skip
    if not possible.any():
        return None
    width = upper - lower
    scores = np.where(possible, influence * width, -1.0)
    if not (scores > 0).any():
        scores = np.where(possible, width, -1.0)
    place = int(scores.argmax())
    return place, middles[place]


def _middle(low: float, high: float) -> float:
    """A float64 of few bits near the middle, where there is one."""
    middle, width = 0.5 * low + 0.5 * high, high - low
    step = math.ldexp(1.0, math.frexp(width)[1] - _SPLIT_BITS) if math.isfinite(width) else 0.0
    steps = middle / step if step > 0 else math.inf
    short = round(steps) * step if math.isfinite(steps) else middle
    return short if low < short < high else middle
