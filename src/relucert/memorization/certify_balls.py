"""Does a network classify every ball of a data set rightly? Many balls at a time.

First bounds for all balls together (`PhaseBounds`); then a look for counterexamples at the
centres and random corners of the balls left, evaluated exactly before they count; then the
general engines, ball by ball. Any network is judged by its stored weights alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from relucert.bounds.unsafe import FloatRows, float_rows
from relucert.limits import Limits
from relucert.memorization.phase_bounds import PhaseBounds, Rows, within_range
from relucert.network import Network
from relucert.prover.ground import checked_together
from relucert.query import Case, Polyhedron, Query
from relucert.search.margins import Margins
from relucert.verdict import Method, Proved, Reason, Unknown, Violated, confirm
from relucert.verify import Outcome, certify

__all__ = ["Balls", "certify_alone", "proved_together", "violated_at_corners"]

_CELLS = 4_000_000
_CORNERS = 32
_EXACT_TRIES = 3
_DEEPEST = 300
_MOST_CHECKED = 12

Progress = Callable[[int, int], None]
Unsafe = tuple[Polyhedron, ...]


@dataclass(frozen=True, eq=False)
class Balls:
    """Queries of one case each, their boxes as float64 ends rounded outward: (inputs, balls)."""

    queries: Sequence[Query]
    lower: np.ndarray
    upper: np.ndarray

    @classmethod
    def of(cls, queries: Sequence[Query]) -> Balls:
        """Round the boxes of the queries outward."""
        ends = [query.cases[0].box.enclosing_floats for query in queries]
        return cls(
            queries, np.array([low for low, _ in ends]).T, np.array([high for _, high in ends]).T
        )

    def __len__(self) -> int:
        return len(self.queries)

    def case(self, index: int) -> Case:
        """The one case of a query."""
        return self.queries[index].cases[0]

    def chosen(self, places: Sequence[int]) -> Balls:
        """Some of the balls."""
        queries = [self.queries[place] for place in places]
        return Balls(queries, self.lower[:, places], self.upper[:, places])


def proved_together(
    network: Network, balls: Balls, progress: Progress | None = None, check: bool = False
) -> Iterator[tuple[int, Proved | None]]:
    """For each ball, as (place, verdict), whether bounds made for many at once prove it.

    None says nothing about a ball. progress: called with (balls done, balls in all). check: prove
    in the proof checker's arithmetic; networks of more than 12 layers are proved by bounds made
    for constructed networks, which no checker repeats.
    """
    if check and len(network.layers) <= _MOST_CHECKED:
        cases = [query.cases[0] for query in balls.queries]
        for place, refuted in checked_together(network, cases, Limits()):
            yield place, Proved(Method.CHECKED) if refuted else None
            if progress is not None:
                progress(place + 1, len(balls))
        return
    if not len(balls) or not within_range(network):
        yield from ((place, None) for place in range(len(balls)))
        return
    bounds = PhaseBounds(network)
    size = max(1, _CELLS // bounds.widest)
    for start in range(0, len(balls), size):
        places = range(start, min(start + size, len(balls)))
        proved = _prove(bounds, balls.chosen(places))
        for place, is_proved in zip(places, proved, strict=True):
            yield place, Proved(Method.BOUNDS) if is_proved else None
        if progress is not None:
            progress(places.stop, len(balls))


def _prove(bounds: PhaseBounds, balls: Balls) -> list[bool]:
    """Whether each ball reaches no unsafe polyhedron."""
    parts: dict[Polyhedron, int] = {}
    for place in range(len(balls)):
        for part in balls.case(place).unsafe:
            parts.setdefault(part, len(parts))
    rows = [float_rows(part) for part in parts]
    # The outputs themselves come last: what rounded coefficients may hide depends on them.
    size = bounds.output_size
    outputs = Rows.exactly(sp.eye_array(size, format="csr"), np.zeros(size))
    found = bounds.run(balls.lower, balls.upper, [*(_rows(part) for part in rows), outputs])
    reach = np.maximum(np.abs(found[-1].lower), np.abs(found[-1].upper))
    missed = [_missed(part, one.lower, reach) for part, one in zip(rows, found, strict=False)]
    return [
        all(bool(missed[parts[part]][place]) for part in balls.case(place).unsafe)
        for place in range(len(balls))
    ]


def _rows(part: FloatRows) -> Rows:
    return Rows.exactly(sp.csr_array(part.coefficients), -part.limits)


def _missed(part: FloatRows, lower: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """Balls on which some row stays above zero, so that the polyhedron is not reached."""
    if not len(part.limits):
        return np.zeros(reach.shape[1], dtype=bool)
    if not part.error.any():
        return np.asarray((lower > 0).any(axis=0))
    with np.errstate(all="ignore"):
        lost = (part.error @ reach) * (1.0 + 2.0**-20)
        return np.asarray((lower > lost).any(axis=0))


def violated_at_corners(
    network: Network, balls: Balls, seed: int, corners: int = _CORNERS
) -> Iterator[tuple[int, Violated | None]]:
    """For each ball, as (place, verdict), a counterexample at its centre or a random corner."""
    generator = np.random.default_rng(seed)
    for place in range(len(balls)):
        case = balls.case(place)
        low, high = balls.lower[:, place], balls.upper[:, place]
        side = generator.integers(0, 2, (corners, len(low))).astype(bool)
        tries = np.vstack([0.5 * low + 0.5 * high, np.where(side, high, low)])
        margins = Margins(case.unsafe).smallest(network.evaluate(tries))
        found = None
        for index in np.argsort(margins, kind="stable")[:_EXACT_TRIES]:
            if found is not None or not margins[index] <= 1e-6:
                break
            exact = tuple(
                (a + b) / 2 if index == 0 else (b if side[index - 1, k] else a)
                for k, (a, b) in enumerate(zip(case.box.lower, case.box.upper, strict=True))
            )
            found = confirm(network, balls.queries[place], exact)
        yield place, found


def certify_alone(network: Network, query: Query, seed: int, **options: Any) -> Outcome:
    """Decide one ball that was not proved together with others.

    options: those of `relucert.verify.certify`, which does the work. It needs time that grows
    with the square of the depth; on networks of more than 300 layers only the centre and random
    corners of the ball are tried, and Unknown says so.
    """
    if len(network.layers) <= _DEEPEST:
        return certify(network, query, seed=seed, **options)
    started = time.monotonic()
    found = dict(violated_at_corners(network, Balls.of([query]), seed))[0]
    detail = f"{len(network.layers)} layers are too many for the engines beyond bounds"
    verdict = found or Unknown(Reason.ENGINE, detail)
    return Outcome(verdict, time.monotonic() - started, seed)
