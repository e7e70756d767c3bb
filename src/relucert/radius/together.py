"""What is found for many points at once: witnesses nearby, and balls that bounds prove.

The points of a group are worked on together, so the group is always the same one, whatever the
number of processes: only then do the float products, and so the results, not depend on that.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from relucert.bounds.boxes import missed
from relucert.bounds.unsafe import float_rows
from relucert.exact import float_above, float_below, nearest_float
from relucert.network import Network
from relucert.query import Decision
from relucert.search.margins import Margins
from relucert.search.nearest import Near, nearest_candidates

__all__ = ["GROUP", "LARGEST", "Start", "starts_together"]

GROUP = 32
LARGEST = Fraction(2**20)
_BISECTIONS = 10

Range = tuple[Fraction, Fraction]


@dataclass(frozen=True, eq=False)
class Start:
    """proved: a radius that linear bounds prove. candidate: a float input (inputs,) that looked
    unsafe, or None."""

    proved: Fraction
    candidate: np.ndarray | None


def starts_together(
    network: Network,
    points: Sequence[tuple[Fraction, ...]],
    labels: Sequence[int],
    decision: Decision,
    clip: Range | None,
    seed: int,
) -> list[Start]:
    """A start for each of some points (a group of at most a few dozen)."""
    if not points:
        return []
    kinds = {label: decision.wrong_outputs(label) for label in set(labels)}
    margins = {label: Margins(parts) for label, parts in kinds.items()}
    near = Near(
        np.array([[nearest_float(value) for value in point] for point in points]),
        [margins[label] for label in labels],
        -math.inf if clip is None else float_below(clip[0]),
        math.inf if clip is None else float_above(clip[1]),
        float(LARGEST if clip is None else clip[1] - clip[0]),
    )
    candidates = nearest_candidates(network, near, np.random.default_rng(seed))
    rows = {label: [float_rows(part) for part in parts] for label, parts in kinds.items()}
    high = np.array([
        near.farthest if x is None else float(np.abs(x - centre).max(initial=0.0))
        for x, centre in zip(candidates, near.centres, strict=True)
    ])  # fmt: skip
    proved = _proved(network, points, clip, high, [rows[label] for label in labels])
    return [Start(Fraction(r), x) for r, x in zip(proved.tolist(), candidates, strict=True)]


def _proved(
    network: Network,
    points: Sequence[tuple[Fraction, ...]],
    clip: Range | None,
    high: np.ndarray,
    unsafe: Sequence[Sequence],
) -> np.ndarray:
    """Radii (points,) that linear bounds prove, by bisection between zero and ``high``."""
    below = np.array([[float_below(value) for value in point] for point in points])
    above = np.array([[float_above(value) for value in point] for point in points])
    low = np.zeros(len(points))
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        # Rounded outward: each box holds the whole ball of exact radius ``middle``.
        lower = np.nextafter(below - middle[:, None], -np.inf)
        upper = np.nextafter(above + middle[:, None], np.inf)
        if clip is not None:
            lower = np.maximum(lower, float_below(clip[0]))
            upper = np.minimum(upper, float_above(clip[1]))
        done = missed(network, lower, upper, unsafe)
        low, high = np.where(done, middle, low), np.where(done, high, middle)
    return low
