"""Branch and bound by halving the input box, for queries in which few inputs vary.

A box is closed when linear bounds with bounded rounding refute every unsafe set on it; boxes that
touch share their boundary, so together they cover the whole box. Depth first; the input to halve
is the one with the largest product of width and influence on the bound, its own slope and the
losses of the unstable neurons it moves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from relucert.bounds.backward import Relaxation, bound_network, input_influence
from relucert.bounds.interval import Intervals
from relucert.bounds.unsafe import FloatRows, distance, float_rows
from relucert.limits import Limits
from relucert.network import Network
from relucert.query import Case, Query
from relucert.verdict import Method, Proved, Reason, Unknown, Verdict, confirm

__all__ = ["MAX_FREE_INPUTS", "free_inputs", "split_inputs"]

MAX_FREE_INPUTS = 8
"""Above this many varying inputs halving them is hopeless."""

_EXACT_TRIES = 10
_REPORT_EVERY = 200


@dataclass(frozen=True, eq=False)
class _Node:
    """A box and the unsafe sets that are not yet refuted on it."""

    box: Intervals
    parts: tuple[FloatRows, ...]
    depth: int


def free_inputs(case: Case) -> int:
    """How many inputs vary in the case's box."""
    return sum(low < high for low, high in zip(case.box.lower, case.box.upper, strict=True))


def split_inputs(
    network: Network,
    query: Query,
    case: Case,
    limits: Limits,
    progress: Callable[[str], None] | None = None,
) -> Verdict:
    """Proved, Violated, or Unknown(time) with the share of the box that is proved."""
    search = _Search(network, query, case)
    root = Intervals(*case.box.enclosing_floats)
    stack = [_Node(root, tuple(float_rows(part) for part in case.unsafe), 0)]
    closed, visited = 0.0, 0
    while stack:
        if limits.out_of_time or limits.out_of_memory:
            reason = Reason.TIME if limits.out_of_time else Reason.MEMORY
            return Unknown(reason, f"{100 * closed:.3g} % of the box proved, {visited} boxes")
        node = stack.pop()
        visited += 1
        if progress is not None and visited % _REPORT_EVERY == 0:
            progress(f"{visited} boxes, {len(stack)} open, {100 * closed:.3g} % of the box proved")
        chain = bound_network(network, node.box)
        found = [(rows, distance(chain, node.box, rows)) for rows in node.parts]
        left = [(rows, bound.rows) for rows, bound in found if not bound.best > 0]
        if not left:
            closed += 0.5**node.depth
            continue
        violated = search.try_centre(node.box)
        if violated is not None:
            return violated
        children = _halved(node, chain, left)
        if children is None:
            return Unknown(Reason.MARGIN, "a box too small to be halved stays open")
        stack.extend(children)
    return Proved(Method.BOUNDS)


class _Search:
    """Looks at the centre of every open box; exact checks are limited."""

    def __init__(self, network: Network, query: Query, case: Case) -> None:
        self.network, self.query, self.case = network, query, case
        self.rows = [float_rows(part) for part in case.unsafe]
        self.tries = _EXACT_TRIES

    def try_centre(self, box: Intervals) -> Verdict | None:
        """Violated when the centre is, exactly."""
        centre = 0.5 * box.lower + 0.5 * box.upper
        output = self.network.evaluate(centre)
        inside = any(bool((rows.coefficients @ output <= rows.limits).all()) for rows in self.rows)
        if not inside or self.tries <= 0:
            return None
        self.tries -= 1
        return confirm(self.network, self.query, self.case.box.nearest_rationals(centre))


def _halved(
    node: _Node, chain: list[Relaxation], left: list[tuple[FloatRows, np.ndarray]]
) -> list[_Node] | None:
    """Two boxes whose union is the node's, or None when no float lies strictly between."""
    rows, low = max(left, key=lambda pair: float(pair[1].max(initial=-np.inf)))
    width = node.box.upper - node.box.lower
    influence = np.ones(len(width))
    if len(low):
        influence = input_influence(chain, rows.coefficients[int(low.argmax())])
        influence = influence + 1e-3 * float(influence.max(initial=0.0)) + 1e-30
    middle = 0.5 * node.box.lower + 0.5 * node.box.upper
    halvable = (middle > node.box.lower) & (middle < node.box.upper)
    if not halvable.any():
        return None
    chosen = int(np.where(halvable, influence * width, -1.0).argmax())
    upper, lower = node.box.upper.copy(), node.box.lower.copy()
    upper[chosen] = lower[chosen] = middle[chosen]
    parts = tuple(rows for rows, _ in left)
    return [
        _Node(Intervals(node.box.lower, upper), parts, node.depth + 1),
        _Node(Intervals(lower, node.box.upper), parts, node.depth + 1),
    ]
