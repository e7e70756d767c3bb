"""The open nodes of a search, in flat arrays that the kernels read and write."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from relucert.search.star.problem import Flat

__all__ = [
    "LOGGED",
    "LPS",
    "NODES",
    "NUMBERS",
    "OPEN",
    "RELU_SPLITS",
    "STUCK_SLOT",
    "VACANT",
    "Pool",
    "enlarged",
    "new_pool",
    "node_bytes",
    "with_log",
]

OPEN, VACANT, NODES, LPS, RELU_SPLITS, STUCK_SLOT, LOGGED, NUMBERS = range(8)


class Pool(NamedTuple):
    """One slot a node: a box of the free inputs, what is known on it, and its place in the tree.

    status, lower, upper: by coordinate. parts: one where the unsafe set is not yet refuted.
    bound: a valid lower bound on the distance to the open sets, from the parent. depth: halvings
    and splits so far. splits: ReLUs decided. open: a stack of slots, the last is next; vacant:
    free slots. counters: see the constants. closed: share of the tree that is proved, in
    halvings. hit: a candidate point; threshold: the margin at which a point is one.
    random: state of the generator. name: by slot, of the node, and the log: see `split_log`.
    """

    low: np.ndarray
    high: np.ndarray
    status: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    parts: np.ndarray
    bound: np.ndarray
    depth: np.ndarray
    splits: np.ndarray
    open: np.ndarray
    vacant: np.ndarray
    counters: np.ndarray
    closed: np.ndarray
    hit: np.ndarray
    threshold: np.ndarray
    random: np.ndarray
    root_low: np.ndarray
    root_high: np.ndarray
    name: np.ndarray
    first_name: np.ndarray
    log_node: np.ndarray
    log_what: np.ndarray
    log_value: np.ndarray
    log_numbers: np.ndarray

    @property
    def capacity(self) -> int:
        return len(self.bound)


_BY_SLOT = (
    "low", "high", "status", "lower", "upper", "parts", "bound", "depth", "splits", "open",
    "vacant", "name",
)  # fmt: skip


def node_bytes(flat: Flat) -> int:
    """Memory of one slot."""
    return 17 * flat.coordinates + 16 * len(flat.free) + len(flat.segments) + 56


def new_pool(flat: Flat, capacity: int, low: np.ndarray, high: np.ndarray, seed: int) -> Pool:
    """A pool with one node: the box [low, high] of the free inputs, nothing known about it."""
    count, free, parts = flat.coordinates, len(flat.free), len(flat.segments) - 1
    mixed = np.random.default_rng(seed).integers(1, 2**63, dtype=np.uint64)
    pool = Pool(
        low=np.zeros((capacity, free)),
        high=np.zeros((capacity, free)),
        status=np.zeros((capacity, count), dtype=np.int8),
        lower=np.full((capacity, count), -np.inf),
        upper=np.full((capacity, count), np.inf),
        parts=np.ones((capacity, parts), dtype=np.int8),
        bound=np.full(capacity, -np.inf),
        depth=np.zeros(capacity, dtype=np.int64),
        splits=np.zeros(capacity, dtype=np.int64),
        open=np.zeros(capacity, dtype=np.int64),
        vacant=np.arange(capacity - 1, -1, -1, dtype=np.int64),
        counters=np.zeros(8, dtype=np.int64),
        closed=np.zeros(1),
        hit=np.zeros(free),
        threshold=np.zeros(1),
        random=np.array([mixed], dtype=np.uint64),
        root_low=low.copy(),
        root_high=high.copy(),
        name=np.zeros(capacity, dtype=np.int64),
        first_name=np.zeros(1, dtype=np.int64),
        log_node=np.zeros(0, dtype=np.int64),
        log_what=np.zeros(0, dtype=np.int64),
        log_value=np.zeros(0),
        log_numbers=np.zeros(0),
    )
    pool.low[0], pool.high[0] = low, high
    pool.counters[OPEN], pool.counters[VACANT] = 1, capacity - 1
    return pool


def with_log(pool: Pool, splits: int, numbers: int) -> Pool:
    """The same with room for so many more splits and numbers in the log."""
    used, filled = int(pool.counters[LOGGED]), int(pool.counters[NUMBERS])
    grown = {}
    for name, most in (
        ("log_node", used + splits), ("log_what", used + splits), ("log_value", used + splits),
        ("log_numbers", filled + numbers),
    ):  # fmt: skip
        old = getattr(pool, name)
        if len(old) < most:
            grown[name] = np.zeros(2 * most, dtype=old.dtype)
            grown[name][: len(old)] = old
    return pool._replace(**grown)


def enlarged(pool: Pool, capacity: int) -> Pool:
    """The same nodes with room for ``capacity``, at least as many as now."""
    before = pool.capacity
    grown = {}
    for name in _BY_SLOT:
        old = getattr(pool, name)
        grown[name] = np.zeros((capacity, *old.shape[1:]), dtype=old.dtype)
        grown[name][:before] = old
    vacant = int(pool.counters[VACANT])
    added = capacity - before
    grown["vacant"][vacant : vacant + added] = np.arange(capacity - 1, before - 1, -1)
    pool.counters[VACANT] = vacant + added
    return pool._replace(**grown)
