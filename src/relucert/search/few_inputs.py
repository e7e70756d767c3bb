"""Branch and bound for queries in which few inputs vary: star form, compiled with numba.

The kernels (`relucert.search.star`) bound boxes with their rounding, halve inputs while many
neurons are unstable, split ReLUs when few are left, and propose points. This driver allots time
and memory, confirms points exactly, and has nodes without unstable neurons decided by rational
arithmetic. The same seed visits the same nodes, unless a limit ends the search.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from relucert.bounds.backward import Relaxation, bound_network
from relucert.bounds.interval import Intervals
from relucert.limits import Limits
from relucert.network import Network
from relucert.query import Case, Query
from relucert.search.attack import Attack, attack_case, box_samples
from relucert.search.star.leaf import Leaf, decide_leaf
from relucert.search.star.pool import (
    NODES,
    OPEN,
    STUCK_SLOT,
    VACANT,
    Pool,
    enlarged,
    new_pool,
    node_bytes,
)
from relucert.search.star.problem import Flat, RefusedError, flatten
from relucert.search.star.tuning import DONE, FULL, HIT, STUCK, Tuning
from relucert.search.star.work import ACTIVE, INACTIVE, allocate, allocate_tableau
from relucert.verdict import Method, Proved, Reason, Unknown, Verdict, confirm

__all__ = ["MAX_FREE_INPUTS", "free_inputs", "search_few_inputs"]

MAX_FREE_INPUTS = 16
"""Above this many varying inputs halving them is hopeless."""

Progress = Callable[[str], None]

_FIRST_ATTACK = Attack(points=48, steps=25, rounds=1, seconds=0.3)
_FIRST_CAPACITY = 2_000
_MOST_POOL_BYTES = 2e9
_SAMPLED_AFTER, _SAMPLING_FACTOR, _SAMPLES = 20, 4, 1_000
_MOST_SAMPLES = 50_000
_WIDEST = 1e300
_SLICE_SECONDS = 0.1
_REPORT_SECONDS = 1.0
_FIRST_NODES = 1
_TOO_SHORT_TO_COMPILE = 5.0
_MEMORY_SHARE = 0.5
_DEPTH_FIRST = 1_000_000
_SPARE_NODES = 2_000


def free_inputs(case: Case) -> int:
    """How many inputs vary in the case's box."""
    return sum(low < high for low, high in zip(case.box.lower, case.box.upper, strict=True))


def search_few_inputs(
    network: Network,
    query: Query,
    case: Case,
    limits: Limits,
    seed: int = 0,
    progress: Progress | None = None,
    chain: list[Relaxation] | None = None,
) -> Verdict:
    """Decide one case by splitting its box and, late, its ReLUs.

    ``chain``: bounds over the whole box, where they are known already.

    Violated carries an exactly checked input. Proved(BOUNDS) means that every node was closed by
    bounds whose rounding is accounted for, or by exact arithmetic. Unknown(TIME or MEMORY) says
    what share of the box is proved and how far off the margin is at most; Unknown(ENGINE) means
    that the problem is not one for this search (more inputs, a network too large, numbers too
    wide, no numba), and another engine should go on.
    """
    if not case.unsafe:
        return Proved(Method.EMPTY)
    free = [i for i, (a, b) in enumerate(zip(case.box.lower, case.box.upper, strict=True)) if a < b]
    if len(free) > MAX_FREE_INPUTS:
        return Unknown(Reason.ENGINE, f"{len(free)} inputs vary, too many to halve")
    found = attack_case(network, query, case, _with_seed(seed), limits).violated
    if found is not None:
        return found
    if chain is None:
        chain = bound_network(network, Intervals(*case.box.enclosing_floats))
    try:
        flat = flatten(network, case, chain, free)
    except RefusedError as refusal:
        return Unknown(Reason.ENGINE, str(refusal))
    pool = _root_pool(flat, case, chain, seed)
    return _Search(network, query, case, limits, progress, flat, pool, seed).run()


def _with_seed(seed: int) -> Attack:
    first = _FIRST_ATTACK
    return Attack(first.points, first.steps, first.seconds, first.rounds, seed)


@dataclass(eq=False)
class _Search:
    """One search: the pool, and what the kernels leave to Python."""

    network: Network
    query: Query
    case: Case
    limits: Limits
    progress: Progress | None
    flat: Flat
    pool: Pool
    seed: int
    tuning: Tuning = field(default_factory=Tuning)
    disagreements: int = 0
    sampled_at: int = _SAMPLED_AFTER
    samples: int = _SAMPLES

    def run(self) -> Verdict:
        """Visit nodes in slices of time until none is open or a limit is reached."""
        explore = _kernel(self.progress, self.limits)
        if explore is None:
            return Unknown(Reason.ENGINE, "numba is missing, or its kernels not yet compiled")
        work, tableau = allocate(self.flat), allocate_tableau(self.flat, self.tuning.linear)
        nodes, reported = _FIRST_NODES, time.monotonic()
        while True:
            if self.limits.out_of_time or self.limits.out_of_memory:
                reason = Reason.TIME if self.limits.out_of_time else Reason.MEMORY
                return Unknown(reason, self._standing())
            started, before = time.monotonic(), int(self.pool.counters[NODES])
            most = min(nodes, self.sampled_at - before)
            code = explore(self.flat, work, tableau, self.pool, self.tuning, most)
            verdict = self._handled(code) or self._sampled()
            if verdict is not None:
                return verdict
            done = int(self.pool.counters[NODES]) - before
            nodes = _next_slice(nodes, done >= most, time.monotonic() - started)
            if self.progress is not None and time.monotonic() - reported > _REPORT_SECONDS:
                self.progress(self._standing())
                reported = time.monotonic()

    def _handled(self, code: int) -> Verdict | None:
        """Do what the kernel stopped for; a verdict when the search is over."""
        if code == HIT:
            return self._confirmed()
        if code == STUCK:
            return self._leaf()
        if code == FULL:
            return self._more_room()
        if code != DONE:
            return None
        if self.disagreements:
            return Unknown(Reason.ENGINE, "bounds and exact evaluation disagree on a region")
        return Proved(Method.BOUNDS)

    def _sampled(self) -> Verdict | None:
        """A batch of random points after 20 nodes, 80, 320, ...: half of them largely on faces.

        By numbers of nodes, not by time, so that the same seed gives the same search.
        """
        visited = int(self.pool.counters[NODES])
        if visited < self.sampled_at or not self.pool.counters[OPEN]:
            return None
        generator = np.random.default_rng([self.seed, visited])
        ends = (np.clip(end, -_WIDEST, _WIDEST) for end in self.case.box.enclosing_floats)
        points = box_samples(generator, next(ends), next(ends), self.samples)
        self.sampled_at = _SAMPLING_FACTOR * visited
        self.samples = min(2 * self.samples, _MOST_SAMPLES)
        only_these = Attack(rounds=0)
        return attack_case(
            self.network, self.query, self.case, only_these, self.limits, points
        ).violated

    def _confirmed(self) -> Verdict | None:
        """Violated when the candidate is a counterexample, exactly."""
        point = self.flat.centre.copy()
        point[self.flat.free] = self.pool.hit
        found = confirm(self.network, self.query, self.case.box.nearest_rationals(point))
        if found is None:
            # It was the rounding: ask for a clearer margin from now on.
            least = 1e-12 * (1.0 + float(np.abs(self.flat.bias).max(initial=0.0)))
            self.pool.threshold[0] = min(4.0 * float(self.pool.threshold[0]), -least)
        return found

    def _leaf(self) -> Verdict | None:
        """Decide the node in hand exactly: its ReLUs are all decided."""
        pool, slot = self.pool, int(self.pool.counters[STUCK_SLOT])
        starts = self.flat.starts
        states = tuple(
            pool.status[slot, starts[index] : starts[index + 1]].copy()
            for index in range(1, len(starts) - 2)
        )
        parts = tuple(
            part
            for part, is_open in zip(self.case.unsafe, pool.parts[slot], strict=True)
            if is_open
        )
        leaf = Leaf(pool.low[slot].copy(), pool.high[slot].copy(), self.flat.free, states, parts)
        point = decide_leaf(self.network, self.case, leaf)
        pool.vacant[pool.counters[VACANT]] = slot
        pool.counters[VACANT] += 1
        if point is None:
            pool.closed[0] += 0.5 ** int(pool.depth[slot])
            return None
        found = confirm(self.network, self.query, point)
        self.disagreements += found is None
        return found

    def _more_room(self) -> Verdict | None:
        """A larger pool; depth first, which needs little, when memory is short."""
        each, capacity = node_bytes(self.flat), self.pool.capacity
        if 2 * capacity * each <= min(_MOST_POOL_BYTES, _MEMORY_SHARE * self.limits.memory):
            self.pool = enlarged(self.pool, 2 * capacity)
            return None
        if self.tuning.dive < _DEPTH_FIRST:
            self.tuning = self.tuning._replace(dive=_DEPTH_FIRST)
            self.pool = enlarged(self.pool, capacity + _SPARE_NODES)
            return None
        return Unknown(Reason.MEMORY, self._standing())

    def _standing(self) -> str:
        """How far the search is: nodes, share proved, and a valid bound on the margin."""
        pool = self.pool
        waiting = pool.open[: int(pool.counters[OPEN])]
        margin = float(pool.bound[waiting].min(initial=np.inf))
        share = 100.0 * float(pool.closed[0])
        words = f"{int(pool.counters[NODES])} nodes, {len(waiting)} open, {share:.3g} % proved"
        return words + (f", margin at least {margin:.4g}" if np.isfinite(margin) else "")


def _next_slice(nodes: int, full: bool, seconds: float) -> int:
    """How many nodes to visit next, for slices of about a tenth of a second."""
    if seconds > 2.0 * _SLICE_SECONDS:
        return max(1, nodes // 2)
    return 2 * nodes if seconds < 0.5 * _SLICE_SECONDS and full else nodes


def _kernel(progress: Progress | None, limits: Limits) -> Callable[..., int] | None:
    """The compiled loop; None without numba, or when compiling it would far exceed the time.

    Compiling happens once after an installation; a limit of some seconds is exceeded that once.
    """
    try:
        from relucert.search.star.compiling import has_cache
        from relucert.search.star.loop import explore
    except ImportError:
        return None
    if has_cache(explore):
        return explore
    if limits.remaining < _TOO_SHORT_TO_COMPILE:
        return None
    if progress is not None:
        progress("compiling the search kernels (once, about 20 s)")
    return explore


def _root_pool(flat: Flat, case: Case, chain: list[Relaxation], seed: int) -> Pool:
    """A pool with the whole box, and the bounds already known on it."""
    low, high = (ends[flat.free] for ends in case.box.enclosing_floats)
    most = int(min(_MOST_POOL_BYTES, 1e8) // node_bytes(flat))
    pool = new_pool(flat, max(64, min(_FIRST_CAPACITY, most)), low, high, seed)
    lower = np.concatenate([relaxation.pre.lower for relaxation in chain])
    upper = np.concatenate([relaxation.pre.upper for relaxation in chain])
    layers = slice(int(flat.starts[1]), int(flat.starts[-2]))
    pool.lower[0, layers], pool.upper[0, layers] = lower, upper
    status = np.where(lower >= 0, ACTIVE, np.where(upper <= 0, INACTIVE, 0))
    pool.status[0, layers] = np.where(flat.relu[layers], status, 0)
    return pool
