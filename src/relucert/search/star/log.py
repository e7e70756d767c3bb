"""What a search writes down for a proof: every split, and the multipliers of every refutation.

Names: the root is 0; the k-th split written down in a pool names its halves ``first + 2 k + 1``
and one more, with the pool's own ``first``: the half below, or where z >= 0, and then the other.
Splits: the node's name; the input, or ``-1 - coordinate`` of a ReLU; the value. Refutations, as
numbers one after another: name, unsafe set, and three lists of pairs, each after its length:
weights of atoms, multipliers of decided ReLUs, and slopes of unstable ones where not the default.
Nothing is believed of it. A log without room (as it is where nobody asks) stays as it is.
"""

from __future__ import annotations

from relucert.search.star.compiling import compiled
from relucert.search.star.pool import LOGGED, NUMBERS, Pool
from relucert.search.star.problem import Flat
from relucert.search.star.work import Work

__all__ = ["log_closed", "log_split"]


@compiled
def log_split(pool: Pool, slot: int, what: int, value: float) -> int:
    """Write down a split; the name of its first half."""
    place = pool.counters[LOGGED]
    if place >= len(pool.log_node):
        return 0
    pool.log_node[place], pool.log_what[place] = pool.name[slot], what
    pool.log_value[place] = value
    pool.counters[LOGGED] = place + 1
    first: int = pool.first_name[0] + 2 * place + 1
    return first


@compiled
def log_closed(
    flat: Flat, work: Work, pool: Pool, slot: int, part: int, symbols: int, splits: int
) -> None:
    """Write down the multipliers in ``work``, with which the unsafe set ``part`` was refuted."""
    numbers, at = pool.log_numbers, pool.counters[NUMBERS]
    first, last = flat.segments[part], flat.segments[part + 1]
    if at + 5 + 2 * (last - first + symbols + splits) > len(numbers):
        return
    numbers[at], numbers[at + 1] = pool.name[slot], part
    head, at = at + 2, at + 3
    for a in range(last - first):
        if work.weight[a] > 0.0:
            numbers[at], numbers[at + 1] = a, work.weight[a]
            at += 2
    numbers[head] = (at - head - 1) // 2
    head, at = at, at + 1
    for s in range(splits):
        if work.beta[s] > 0.0:
            numbers[at], numbers[at + 1] = work.splits[s], work.beta[s]
            at += 2
    numbers[head] = (at - head - 1) // 2
    head, at = at, at + 1
    for q in range(symbols):
        if work.alpha[q] != work.slope[q]:
            numbers[at], numbers[at + 1] = work.where[q], work.alpha[q]
            at += 2
    numbers[head] = (at - head - 1) // 2
    pool.counters[NUMBERS] = at
