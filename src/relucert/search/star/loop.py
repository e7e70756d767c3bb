"""Branch and bound over the pool of open nodes: one compiled loop.

A node is closed only when each unsafe set is refuted by a bound with its rounding, or its
decided ReLUs contradict such bounds. Children share their boundary, so they cover the parent.
"""

from __future__ import annotations

import numpy as np

from relucert.search.star.ascent import ascend
from relucert.search.star.branching import input_to_halve, relu_to_split
from relucert.search.star.compiling import compiled, entry
from relucert.search.star.duals import bound_by_programme
from relucert.search.star.forms import star_forms
from relucert.search.star.log import log_closed, log_split
from relucert.search.star.points import descend, sample
from relucert.search.star.pool import LPS, NODES, OPEN, RELU_SPLITS, STUCK_SLOT, VACANT, Pool
from relucert.search.star.problem import Flat
from relucert.search.star.tuning import BUDGET, DONE, FULL, HIT, KEPT_EVERY, STUCK, Tuning
from relucert.search.star.work import ACTIVE, INACTIVE, SPLIT, Tableau, Work

__all__ = ["explore"]


@compiled
def take(pool: Pool, dive: int) -> int:
    """Remove the next node from the open ones: the newest, or now and then the most promising."""
    count = pool.counters[OPEN]
    place = count - 1
    if pool.counters[NODES] % dive == dive - 1:
        for i in range(count):
            if pool.bound[pool.open[i]] < pool.bound[pool.open[place]]:
                place = i
    slot: int = pool.open[place]
    for i in range(place, count - 1):
        pool.open[i] = pool.open[i + 1]
    pool.counters[OPEN] = count - 1
    return slot


@compiled
def release(pool: Pool, slot: int) -> None:
    """Give the slot back."""
    pool.vacant[pool.counters[VACANT]] = slot
    pool.counters[VACANT] += 1


@compiled
def child(flat: Flat, work: Work, pool: Pool, parent: int, bound: float, kept: bool) -> int:
    """A new open node like ``parent``; the caller narrows it.

    kept: with the bounds found there, not only those that it was given.
    """
    pool.counters[VACANT] -= 1
    slot: int = pool.vacant[pool.counters[VACANT]]
    pool.open[pool.counters[OPEN]] = slot
    pool.counters[OPEN] += 1
    for j in range(len(flat.free)):
        pool.low[slot, j], pool.high[slot, j] = pool.low[parent, j], pool.high[parent, j]
    for part in range(len(flat.segments) - 1):
        pool.parts[slot, part] = pool.parts[parent, part]
    pool.bound[slot] = bound
    pool.depth[slot], pool.splits[slot] = pool.depth[parent] + 1, pool.splits[parent]
    for c in range(flat.starts[1], flat.starts[-1]):
        if not flat.relu[c]:
            continue
        status, state = pool.status[parent, c], work.state[c]
        pool.status[slot, c] = status
        pool.lower[slot, c], pool.upper[slot, c] = pool.lower[parent, c], pool.upper[parent, c]
        if status == 0 and kept:
            pool.lower[slot, c], pool.upper[slot, c] = work.lower[c], work.upper[c]
            # A neuron replaced by an interval looks active in `state`; its bounds tell.
            if work.lower[c] >= 0.0:
                pool.status[slot, c] = ACTIVE
            elif work.upper[c] <= 0.0 and state == INACTIVE:
                pool.status[slot, c] = INACTIVE
    return slot


@compiled
def halve(
    flat: Flat, work: Work, pool: Pool, slot: int, bound: float, kept: bool, chosen: int
) -> None:
    """Two children that share the middle of input ``chosen``."""
    middle = 0.5 * pool.low[slot, chosen] + 0.5 * pool.high[slot, chosen]
    first = log_split(pool, slot, chosen, middle)
    # The half towards which the bound is lower goes on top of the stack.
    rising = work.branch_vec[chosen] > 0.0
    for turn in range(2):
        new = child(flat, work, pool, slot, bound, kept)
        if (turn == 0) == rising:
            pool.low[new, chosen], pool.name[new] = middle, first + 1
        else:
            pool.high[new, chosen], pool.name[new] = middle, first


@compiled
def split_relu(
    flat: Flat, work: Work, pool: Pool, slot: int, bound: float, kept: bool, symbols: int
) -> None:
    """Two children: the pre-activation of the costliest symbol at least, or at most, zero."""
    c = work.where[relu_to_split(work, symbols)]
    pool.counters[RELU_SPLITS] += 1
    first = log_split(pool, slot, -1 - c, 0.0)
    for sign in range(-1, 2, 2):
        new = child(flat, work, pool, slot, bound, kept)
        pool.status[new, c] = sign * SPLIT
        pool.name[new] = first + (1 - sign) // 2
        pool.splits[new] += 1


@compiled
def bound_parts(
    flat: Flat, work: Work, lp: Tableau, pool: Pool, slot: int,
    symbols: int, splits: int, tuning: Tuning,
) -> tuple[float, bool, bool]:  # fmt: skip
    """Bound every open unsafe set.

    Returns the smallest bound (inf: all refuted), whether a point hit, and whether a set was
    refuted. Leaves in ``work`` what branching needs of the set with the smallest bound.
    """
    smallest, hit, seen, refuted = np.inf, False, False, False
    for part in range(len(flat.segments) - 1):
        if pool.parts[slot, part] == 0:
            continue
        first, last = flat.segments[part], flat.segments[part + 1]
        value = ascend(flat, work, first, last, symbols, splits, tuning.ascent)
        for q in range(symbols):
            work.distance[q] = 0.0
        if not value > 0.0 and symbols <= tuning.linear:
            pool.counters[LPS] += 1
            value = bound_by_programme(flat, work, lp, first, last, symbols, splits, value)
        if value > 0.0:
            pool.parts[slot, part], refuted = 0, True
            log_closed(flat, work, pool, slot, part, symbols, splits)
            continue
        if not hit:
            hit = try_point(flat, work, pool, slot, tuning)
        if not seen or value < smallest:
            seen, smallest = True, value if value < 0.0 else min(smallest, 0.0)
            for q in range(symbols):
                work.branch_coefficients[q] = work.best_coefficients[q]
                work.branch_distance[q] = work.distance[q]
            for j in range(len(flat.free)):
                work.branch_vec[j] = work.best_vec[j]
    return smallest, hit, refuted


@compiled
def try_point(flat: Flat, work: Work, pool: Pool, slot: int, tuning: Tuning) -> bool:
    """Whether the point where the bound is attained, or one close to it, looks unsafe."""
    for j in range(len(flat.free)):
        low, high = pool.low[slot, j], pool.high[slot, j]
        point = 0.5 * (low + high) + 0.5 * (high - low) * work.best_point[j]
        pool.hit[j] = min(high, max(low, point))
    margin = descend(flat, work, pool.hit, pool.root_low, pool.root_high, tuning.descents)
    hit: bool = margin <= pool.threshold[0]
    return hit


@compiled
def try_sample(flat: Flat, work: Work, pool: Pool, tuning: Tuning) -> bool:
    """The same from a random point of the whole box, or every other time of the next node's."""
    if pool.counters[NODES] // tuning.sampling % 2 == 0:
        sample(pool.hit, pool.root_low, pool.root_high, pool.random)
    else:
        top = pool.open[pool.counters[OPEN] - 1]
        sample(pool.hit, pool.low[top], pool.high[top], pool.random)
    margin = descend(flat, work, pool.hit, pool.root_low, pool.root_high, 2 * tuning.descents)
    hit: bool = margin <= pool.threshold[0]
    return hit


@compiled
def branch(
    flat: Flat, work: Work, pool: Pool, slot: int,
    symbols: int, splits: int, bound: float, refuted: bool, tuning: Tuning,
) -> int:  # fmt: skip
    """Replace a node that stays open by its children, or say that it is stuck.

    Bounds are handed down from every fourth depth, and where a set was refuted: those that a
    proof derives too, at a quarter of the cost. Few more nodes are visited than with all.
    """
    if symbols == 0:
        for c in range(flat.starts[1], flat.starts[-1]):
            if flat.relu[c] and pool.status[slot, c] == 0:
                pool.status[slot, c] = work.state[c]
        pool.counters[STUCK_SLOT] = slot
        return STUCK
    bound = max(bound, pool.bound[slot])
    kept = refuted or pool.depth[slot] % KEPT_EVERY == 0
    low, high = pool.low[slot], pool.high[slot]
    chosen = input_to_halve(flat, work, low, high, symbols, tuning.gaps)
    if symbols <= tuning.relus or splits > 0 or chosen < 0:
        split_relu(flat, work, pool, slot, bound, kept, symbols)
    else:
        halve(flat, work, pool, slot, bound, kept, chosen)
    release(pool, slot)
    return DONE


@entry
def explore(flat: Flat, work: Work, lp: Tableau, pool: Pool, tuning: Tuning, most: int) -> int:
    """Visit up to ``most`` nodes; why it stopped."""
    for _ in range(most):
        if pool.counters[OPEN] == 0:
            return DONE
        if pool.counters[VACANT] < 2:
            return FULL
        slot = take(pool, tuning.dive)
        pool.counters[NODES] += 1
        symbols, splits, empty = star_forms(
            flat, work, pool.low[slot], pool.high[slot],
            pool.status[slot], pool.lower[slot], pool.upper[slot],
        )  # fmt: skip
        bound, hit, refuted = np.inf, False, False
        if not empty:
            bound, hit, refuted = bound_parts(flat, work, lp, pool, slot, symbols, splits, tuning)
        if bound == np.inf:
            pool.closed[0] += 0.5 ** pool.depth[slot]
            release(pool, slot)
        elif branch(flat, work, pool, slot, symbols, splits, bound, refuted, tuning) == STUCK:
            return STUCK
        if hit:
            return HIT
        due = pool.counters[NODES] % tuning.sampling == 0 and pool.counters[OPEN] > 0
        if due and try_sample(flat, work, pool, tuning):
            return HIT
    return BUDGET
