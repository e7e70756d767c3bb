"""One pool of open nodes and what its kernels leave to Python."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from relucert.limits import Limits
from relucert.network import Network
from relucert.query import Case, Query
from relucert.search.attack import Attack, attack_case, box_samples
from relucert.search.split_log import SplitLog
from relucert.search.star.leaf import Leaf, decide_leaf
from relucert.search.star.pool import (
    NODES,
    NUMBERS,
    OPEN,
    STUCK_SLOT,
    VACANT,
    Pool,
    enlarged,
    new_pool,
    node_bytes,
    with_log,
)
from relucert.search.star.problem import Flat
from relucert.search.star.tuning import FULL, HIT, STUCK, Tuning
from relucert.search.star.work import Tableau, Work, allocate, allocate_tableau
from relucert.verdict import Method, Proved, Reason, Standing, Unknown, Verdict, Violated, confirm

__all__ = ["Exploration", "Subject", "concluded", "hand_over"]

Kernel = Callable[..., int]

_MOST_POOL_BYTES = 2e9
_MEMORY_SHARE = 0.5
_DEPTH_FIRST = 1_000_000
_SPARE_NODES = 2_000
_FIRST_CAPACITY = 2_000
_SAMPLED_AFTER, _SAMPLING_FACTOR, _SAMPLES = 20, 4, 1_000
_MOST_SAMPLES = 50_000
_NEVER = 2**62
_WIDEST = 1e300
_MOST_NAMES = 2**40
_MOST_LOGGED, _LOGGED_EACH = 2**25, 64
_SHARE_TOLERANCE = 1e-6


@dataclass(frozen=True, eq=False)
class Subject:
    """What is searched: the question, its arrays and the compiled loop.

    pools: how many pools share the memory. log: to be filled in when all is proved.
    """

    network: Network
    query: Query
    case: Case
    limits: Limits
    flat: Flat
    kernel: Kernel
    pools: int = 1
    log: SplitLog | None = None

    @property
    def most_pool_bytes(self) -> float:
        """Memory for the open nodes of one pool."""
        return min(_MOST_POOL_BYTES, _MEMORY_SHARE * self.limits.memory) / self.pools

    def first_capacity(self) -> int:
        """Nodes that a new pool has room for."""
        most = int(min(_MOST_POOL_BYTES, 1e8) // node_bytes(self.flat))
        return max(64, min(_FIRST_CAPACITY, most))


@dataclass(eq=False)
class Exploration:
    """A pool, the memory its kernel works in, and how it is searched."""

    subject: Subject
    pool: Pool
    seed: int
    work: Work
    tableau: Tableau
    tuning: Tuning = field(default_factory=Tuning)
    disagreements: int = 0
    sampled_at: int = _SAMPLED_AFTER
    samples: int = _SAMPLES

    @classmethod
    def of(
        cls, subject: Subject, pool: Pool, seed: int, tuning: Tuning, attack: bool = True
    ) -> Exploration:
        """The exploration of a pool; without ``attack`` it draws no batches of random points."""
        tableau = allocate_tableau(subject.flat, tuning.linear)
        work, first = allocate(subject.flat), _SAMPLED_AFTER if attack else _NEVER
        return cls(subject, pool, seed, work, tableau, tuning, sampled_at=first)

    def beside(self, seed: int, place: int = 1) -> Exploration:
        """Another exploration of the same, with an empty pool; it draws no samples of its own.

        ``place``: its number among all, at least 1.
        """
        flat, box = self.subject.flat, (self.pool.root_low, self.pool.root_high)
        pool = new_pool(flat, self.subject.first_capacity(), *box, seed)
        pool.counters[OPEN], pool.counters[VACANT] = 0, pool.capacity
        pool.threshold[0], pool.first_name[0] = self.pool.threshold[0], place * _MOST_NAMES
        tableau = allocate_tableau(flat, self.tuning.linear)
        return Exploration(
            self.subject, pool, seed, allocate(flat), tableau, self.tuning, sampled_at=_NEVER
        )

    @property
    def visited(self) -> int:
        """Nodes taken out of the pool so far."""
        return int(self.pool.counters[NODES])

    @property
    def open(self) -> int:
        """Nodes in the pool."""
        return int(self.pool.counters[OPEN])

    def visit(self, nodes: int) -> Verdict | None:
        """Visit up to so many nodes; a verdict that ends the whole search, or None."""
        most = min(nodes, self.sampled_at - self.visited)
        subject = self.subject
        if subject.log is not None:
            spare = max(
                0, min(_LOGGED_EACH * most, _MOST_LOGGED - int(self.pool.counters[NUMBERS]))
            )
            self.pool = with_log(self.pool, most, spare)
        before = self.visited
        code = subject.kernel(subject.flat, self.work, self.tableau, self.pool, self.tuning, most)
        subject.limits.work.nodes += self.visited - before
        return self._handled(code) or self._sampled()

    def _handled(self, code: int) -> Verdict | None:
        """Do what the kernel stopped for."""
        if code == HIT:
            return self._confirmed()
        if code == STUCK:
            return self._leaf()
        return self._more_room() if code == FULL else None

    def _sampled(self) -> Verdict | None:
        """A batch of random points after 20 nodes, 80, 320, ...: half of them largely on faces.

        By numbers of nodes, not by time, so that the same seed gives the same search.
        """
        if self.visited < self.sampled_at or not self.open:
            return None
        subject = self.subject
        generator = np.random.default_rng([self.seed, self.visited])
        ends = (np.clip(end, -_WIDEST, _WIDEST) for end in subject.case.box.enclosing_floats)
        points = box_samples(generator, next(ends), next(ends), self.samples)
        self.sampled_at = _SAMPLING_FACTOR * self.visited
        self.samples = min(2 * self.samples, _MOST_SAMPLES)
        only_these = Attack(rounds=0)
        return attack_case(
            subject.network, subject.query, subject.case, only_these, subject.limits, points
        ).violated

    def _confirmed(self) -> Violated | None:
        """Violated when the candidate is a counterexample, exactly."""
        flat = self.subject.flat
        point = flat.centre.copy()
        point[flat.free] = self.pool.hit
        exact = self.subject.case.box.nearest_rationals(point)
        found = confirm(self.subject.network, self.subject.query, exact)
        if found is None:
            # It was the rounding: ask for a clearer margin from now on.
            least = 1e-12 * (1.0 + float(np.abs(flat.bias).max(initial=0.0)))
            self.pool.threshold[0] = min(4.0 * float(self.pool.threshold[0]), -least)
        return found

    def _leaf(self) -> Violated | None:
        """Decide the node in hand exactly: its ReLUs are all decided."""
        pool, slot = self.pool, int(self.pool.counters[STUCK_SLOT])
        subject, starts = self.subject, self.subject.flat.starts
        states = tuple(
            pool.status[slot, starts[index] : starts[index + 1]].copy()
            for index in range(1, len(starts) - 2)
        )
        parts = tuple(
            part
            for part, is_open in zip(subject.case.unsafe, pool.parts[slot], strict=True)
            if is_open
        )
        free = subject.flat.free
        leaf = Leaf(pool.low[slot].copy(), pool.high[slot].copy(), free, states, parts)
        point = decide_leaf(subject.network, subject.case, leaf)
        pool.vacant[pool.counters[VACANT]] = slot
        pool.counters[VACANT] += 1
        if point is None:
            pool.closed[0] += 0.5 ** int(pool.depth[slot])
            return None
        found = confirm(subject.network, subject.query, point)
        self.disagreements += found is None
        return found

    def _more_room(self) -> Unknown | None:
        """A larger pool; depth first, which needs little, when memory is short."""
        each, capacity = node_bytes(self.subject.flat), self.pool.capacity
        if 2 * capacity * each <= self.subject.most_pool_bytes:
            self.pool = enlarged(self.pool, 2 * capacity)
            return None
        if self.tuning.dive < _DEPTH_FIRST:
            self.tuning = self.tuning._replace(dive=_DEPTH_FIRST)
            self.pool = enlarged(self.pool, capacity + _SPARE_NODES)
            return None
        return Unknown(Reason.MEMORY, "too many open nodes")

    @property
    def standing(self) -> Standing:
        """How far this pool is, between two visits or after an interruption."""
        pool = self.pool
        margin = float(pool.bound[pool.open[: self.open]].min(initial=np.inf))
        if self.open + int(pool.counters[VACANT]) < pool.capacity:  # a leaf is still in hand
            margin = min(margin, float(pool.bound[pool.counters[STUCK_SLOT]]))
        return Standing(margin, float(pool.closed[0]), self.open, self.visited)


def concluded(explorations: list[Exploration]) -> Verdict:
    """The verdict when no pool has an open node: all is closed, or something is amiss."""
    if sum(one.disagreements for one in explorations):
        return Unknown(Reason.ENGINE, "bounds and exact evaluation disagree on a region")
    share = sum(float(one.pool.closed[0]) for one in explorations)
    idle = all(int(one.pool.counters[VACANT]) == one.pool.capacity for one in explorations)
    if not idle or abs(share - 1.0) > _SHARE_TOLERANCE:
        # Never seen: a node that is neither open nor closed must not become a proof.
        return Unknown(Reason.ENGINE, "the closed parts do not make up the box")
    for one in explorations:
        if one.subject.log is not None:
            one.subject.log.take(one.pool, one.subject.flat.starts, one.subject.flat.free)
    return Proved(Method.BOUNDS)


def hand_over(source: Pool, target: Pool) -> int:
    """Move every other open node, oldest first, to a pool with room for it; how many."""
    count, waiting = int(source.counters[OPEN]), int(target.counters[OPEN])
    room = int(target.counters[VACANT])
    # Two slots stay vacant: visiting a node takes that many.
    moved = min(count // 2, room - 2)
    if moved <= 0:
        return 0
    places = np.arange(0, 2 * moved, 2)
    old = source.open[places].copy()
    new = target.vacant[room - moved : room].copy()
    for name in ("low", "high", "status", "lower", "upper", "parts", "bound", "depth", "splits",
                 "name"):  # fmt: skip
        getattr(target, name)[new] = getattr(source, name)[old]
    target.open[waiting : waiting + moved] = new
    target.counters[OPEN], target.counters[VACANT] = waiting + moved, room - moved
    source.open[: count - moved] = np.delete(source.open[:count], places)
    vacant = int(source.counters[VACANT])
    source.vacant[vacant : vacant + moved] = old
    source.counters[OPEN], source.counters[VACANT] = count - moved, vacant + moved
    return moved
