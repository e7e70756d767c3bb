"""Branch and bound by fixing the signs of ReLUs, for queries in which many inputs vary.

A part of the box is closed when a bound with all rounding accounted for refutes every unsafe set
on it. The two parts that a split makes share the inputs where the pre-activation is zero, so
together they cover it. In deep networks the bounds on later neurons are found anew in every part.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from relucert.bounds.backward import Relaxation
from relucert.bounds.interval import Intervals
from relucert.bounds.unsafe import FloatRows, mixture, shifted
from relucert.limits import Limits
from relucert.network import Network
from relucert.query import Case, Query
from relucert.search.branching import branching_neuron
from relucert.search.margins import Margins
from relucert.search.relu_bounds import (
    Bounded,
    Multipliers,
    PartLines,
    ascend,
    part_lines,
    start_multipliers,
)
from relucert.search.relu_parts import Part, halves, root_part, tightened
from relucert.verdict import Method, Proved, Reason, Unknown, Verdict, Violated, confirm

__all__ = ["split_relus"]

_ROOT_STEPS = 20
_ROOT_SHARE = 0.2
_OUTPUT_STEPS = 40
_STEPS = 12
_RATE = 0.25
_ROWS_AT_ONCE = 64
_ROWS_IF_DEEP = 32
_DEEP = 3
_MANY_PARTS = 20_000
_EXACT_TRIES = 20
_FIRST_FALSIFICATION, _FALSIFICATION_FACTOR, _FALSIFICATION_SHARE = 2.0, 4.0, 0.25

Progress = Callable[[str], None]
Falsify = Callable[[float], Violated | None]


def split_relus(
    network: Network,
    query: Query,
    case: Case,
    chain: list[Relaxation],
    limits: Limits,
    progress: Progress | None = None,
    falsify: Falsify | None = None,
) -> Verdict:
    """Proved, Violated, or Unknown with the smallest bound left; ``chain`` bounds the box.

    ``falsify`` looks for a counterexample for so many seconds; asked at growing intervals.
    Unsafe sets of no rows (everything is unsafe) are not for this search.
    """
    if any(not part.limits for part in case.unsafe):
        return Unknown(Reason.ENGINE, "an unsafe set without rows")
    return _Search(network, query, case, chain, limits, progress, falsify).run()


@dataclass(frozen=True, eq=False)
class _Open:
    """A part that stays open, and the coefficients of its worst bound by layer: (outputs,)."""

    part: Part
    coefficients: dict[int, np.ndarray]


class _Search:
    """The queue of open parts and what is known for all of them."""

    def __init__(
        self,
        network: Network,
        query: Query,
        case: Case,
        chain: list[Relaxation],
        limits: Limits,
        progress: Progress | None,
        falsify: Falsify | None,
    ) -> None:
        self.network, self.query, self.case = network, query, case
        self.chain, self.limits, self.progress = chain, limits, progress
        self.box = Intervals(*case.box.enclosing_floats)
        self.margins = Margins(case.unsafe)
        self.unsafe = [mixture(chain, self.box, part) for part in case.unsafe]
        self.deep = sum(bool(r.layer.relu.any()) for r in chain) >= _DEEP
        self.queue: list[tuple[float, int, Part]] = []
        self.pushed = self.visited = 0
        self.closed = 0.0
        self.tries = _EXACT_TRIES
        self.violated: Violated | None = None
        self.falsify, self.falsify_at = falsify, _FIRST_FALSIFICATION
        self.stuck = False

    def run(self) -> Verdict:
        """The whole search."""
        root = root_part(self.chain, tuple(range(len(self.case.unsafe))))
        share = self.limits.within(_ROOT_SHARE * self.limits.remaining)
        root = tightened(self.chain, self.box, root, share, steps=_ROOT_STEPS, rate=_RATE)
        self._bound([root], _OUTPUT_STEPS)
        while self.queue and self.violated is None:
            if self.limits.out_of_time or self.limits.out_of_memory:
                return self._unknown()
            parts = self._next_parts()
            if self.deep:
                parts = [found.part for found in self._distances(parts, 0)]
                parts = [tightened(self.chain, self.box, p, self.limits) for p in parts]
            self._bound(parts, _STEPS)
            self._falsified()
        if self.violated is not None:
            return self.violated
        return self._unknown() if self.stuck else Proved(Method.BOUNDS)

    def _falsified(self) -> None:
        """After 2 s, 8 s, ...: a look for counterexamples, for a quarter of the time spent."""
        if self.falsify is None or self.violated or self.limits.elapsed < self.falsify_at:
            return
        self.falsify_at = _FALSIFICATION_FACTOR * self.limits.elapsed
        self.violated = self.falsify(_FALSIFICATION_SHARE * self.limits.elapsed)

    def _unknown(self) -> Unknown:
        least = min((part.bound for _, _, part in self.queue), default=-np.inf)
        words = (
            f"margin at least {least:.4g} on {len(self.queue)} open parts, "
            f"{100 * self.closed:.3g} % of the tree closed, {self.visited} parts"
        )
        if self.limits.out_of_time:
            return Unknown(Reason.TIME, words)
        return Unknown(Reason.MEMORY if self.limits.out_of_memory else Reason.MARGIN, words)

    def _next_parts(self) -> list[Part]:
        """The most promising open parts, as many as are bounded together."""
        parts: list[Part] = []
        rows = 0
        while self.queue and rows < (_ROWS_IF_DEEP if self.deep else _ROWS_AT_ONCE):
            part = heapq.heappop(self.queue)[2]
            parts.append(part)
            rows += len(part.unsafe)
        self.visited += len(parts)
        if self.progress is not None:
            self.progress(
                f"{self.visited} parts, {len(self.queue) + len(parts)} open, "
                f"margin at least {parts[0].bound:.3g}"
            )
        return parts

    def _push(self, part: Part) -> None:
        """Smallest bound first; deepest first once there are many, to keep memory bounded."""
        self.pushed += 1
        many = len(self.queue) > _MANY_PARTS
        key = -1e300 - 1e290 * part.depth if many else part.bound
        heapq.heappush(self.queue, (key, self.pushed, part))

    def _bound(self, parts: Sequence[Part], steps: int) -> None:
        """Close parts, or split them in two."""
        for found in self._distances(parts, steps):
            lines = found.part.lines(self.chain)
            chosen = branching_neuron(found.part, lines, found.coefficients)
            if chosen is None:
                self.stuck = True
            else:
                for half in halves(found.part, *chosen):
                    self._push(half)

    def _distances(self, parts: Sequence[Part], steps: int) -> list[_Open]:
        """The parts that are not refuted, with what is left of their unsafe sets."""
        self.closed += sum(0.5**part.depth for part in parts if part.empty)
        parts = [part for part in parts if not part.empty]
        if not parts or self.violated is not None:
            return []
        owners = np.array([p for p, part in enumerate(parts) for _ in part.unsafe])
        unsafe = np.array([u for part in parts for u in part.unsafe])
        found, best = self._ascend(parts, owners, unsafe, steps)
        self._try_points(found.points[found.values <= 0])
        left_open = []
        for index, part in enumerate(parts):
            rows = np.flatnonzero((owners == index) & ~(found.values > 0))
            if not len(rows):
                self.closed += 0.5**part.depth
                continue
            worst = int(rows[found.values[rows].argmin()])
            smaller = replace(
                part,
                unsafe=tuple(unsafe[rows].tolist()),
                bound=max(part.bound, float(found.values[worst])),
                multipliers=best.rows(np.array([worst])),
            )
            coefficients = {layer: c[worst] for layer, c in found.coefficients.items()}
            left_open.append(_Open(smaller, coefficients))
        return left_open

    def _ascend(
        self, parts: Sequence[Part], owners: np.ndarray, unsafe: np.ndarray, steps: int
    ) -> tuple[Bounded, Multipliers]:
        """Bounds on the distances of parts to unsafe sets, one for each row."""
        lines = self._lines(parts, owners)
        start = start_multipliers(lines, len(owners))
        for row, owner in enumerate(owners):
            start.adopt(row, parts[owner].multipliers)
        sets = [self.unsafe[index] for index in unsafe]
        rows = FloatRows(
            np.concatenate([one.coefficients for one in sets]),
            np.concatenate([one.error for one in sets]),
            np.concatenate([one.limits for one in sets]),
        )
        targets = rows.limits + 1e-9 * (1.0 + np.abs(rows.limits))
        found, best = ascend(
            self.chain, self.box, rows.coefficients, lines, start,
            steps=steps, rate=_RATE, targets=targets,
        )  # fmt: skip
        return replace(found, values=shifted(found.values, self.chain, rows)), best

    def _lines(self, parts: Sequence[Part], owners: np.ndarray) -> dict[int, PartLines]:
        lines = {}
        for layer in parts[0].bounds:
            lower = np.stack([part.bounds[layer].lower for part in parts])
            upper = np.stack([part.bounds[layer].upper for part in parts])
            signs = np.stack([part.signs[layer] for part in parts])
            given = part_lines(self.chain[layer].layer.relu, lower, upper, signs)
            lines[layer] = given if len(parts) == 1 else given.rows(owners)
        return lines

    def _try_points(self, points: np.ndarray) -> None:
        """Look at the inputs where the bounds are smallest."""
        if not len(points) or self.tries <= 0:
            return
        with np.errstate(all="ignore"):
            margins = self.margins.smallest(self.network.evaluate(points))
        nearest = int(np.where(np.isnan(margins), np.inf, margins).argmin())
        if margins[nearest] <= 0:
            self.tries -= 1
            point = self.case.box.nearest_rationals(points[nearest])
            self.violated = confirm(self.network, self.query, point)
