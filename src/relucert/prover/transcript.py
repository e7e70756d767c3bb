"""The tree of a finished search over few inputs as records of a proof, with nothing derived again.

Nearly every leaf of the search checks as it stands, and the checker reads the file anyhow. Where it
does not accept one, `replay` goes through the tree region by region.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from relucert.proof.records import (
    SLOPE_STEPS,
    BoundRecord,
    CloseRecord,
    InputSplitRecord,
    Record,
    ReluSplitRecord,
)
from relucert.prover.guide import short_float
from relucert.query import Case
from relucert.search.split_log import Refutation, SplitLog
from relucert.search.star.tuning import KEPT_EVERY

__all__ = ["Untold", "transcript"]

_BITS = 24
_LEAST_WEIGHT = 2.0**-20


class Untold(Exception):  # noqa: N818 - not an error: `replay` may know what to do
    """The log does not say how a part was refuted."""


@dataclass(frozen=True)
class _Node:
    """A node of the search's tree. open: the sets not yet refuted. signs: fixed on the way here."""

    name: int
    open: tuple[int, ...]
    depth: int = 0
    signs: frozenset[tuple[int, int]] = field(default_factory=frozenset)


def transcript(case: Case, log: SplitLog) -> Iterator[Record]:
    """The records of a case's tree; raises Untold where the log does not have them."""
    waiting = [_Node(0, tuple(range(len(case.unsafe))))]
    while waiting:
        node = waiting.pop()
        split, closed = log.splits.get(node.name), log.closed.get(node.name, {})
        if split is None or closed or node.depth % KEPT_EVERY == 0:
            yield BoundRecord()
        for unsafe in node.open:
            found = closed.get(unsafe)
            if found is None and split is None and len(case.unsafe[unsafe].limits) == 1:
                found = Refutation({0: 1.0}, {}, {})
            if found is not None:
                yield _refuted(unsafe, found, node.signs)
            elif split is None:
                raise Untold(f"how unsafe set {unsafe} was refuted on a part is not known")
        left = tuple(unsafe for unsafe in node.open if unsafe not in closed)
        if split is None or not left:
            continue
        signs = node.signs
        if split.layer < 0:
            yield InputSplitRecord(split.index, split.value)
        else:
            yield ReluSplitRecord(split.layer, split.index)
            signs |= {(split.layer, split.index)}
        half = replace(node, name=split.first, open=left, depth=node.depth + 1, signs=signs)
        waiting += [replace(half, name=split.first + 1), half]


def _refuted(unsafe: int, found: Refutation, signs: frozenset[tuple[int, int]]) -> CloseRecord:
    """One weight is written as one, several weights and multipliers of signs with 24 bits."""
    most = max(found.weights.values(), default=1.0)
    scale = 1.0 / most if len(found.weights) == 1 and most > _LEAST_WEIGHT else 1.0
    numbers = [scale * number for number in (*found.weights.values(), *found.betas.values())]
    if not all(0 <= number < math.inf for number in (most, *numbers)) or not all(
        0 <= slope <= 1 for slope in found.slopes.values()
    ):
        raise Untold(f"the multipliers of unsafe set {unsafe} are none")
    betas: dict[int, dict[int, float]] = {}
    for (layer, neuron), beta in sorted(found.betas.items()):
        if beta > 0 and (layer, neuron) in signs:
            betas.setdefault(layer, {})[neuron] = short_float(scale * beta, _BITS)
    weights = {row: short_float(scale * weight, _BITS) for row, weight in found.weights.items()}
    if not weights:  # the signs contradict each other, with or without the set
        weights = {0: _LEAST_WEIGHT * max(found.betas.values(), default=1.0)}
    slopes: dict[int, dict[int, int]] = {}
    for (layer, neuron), slope in sorted(found.slopes.items()):
        slopes.setdefault(layer, {})[neuron] = round(slope * SLOPE_STEPS)
    return CloseRecord(unsafe, weights, slopes, betas)
