"""Trees of their own for single bounds, with which a proof of a case may begin.

``n`` bounds a neuron and ``d`` refutes an unsafe set; the tree after it divides the case's box,
and the least bound on its parts holds on the box. Parts are bounded many at once: trees about
neurons of one layer do not depend on each other, nor do those about unsafe sets.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from relucert.network import Network
from relucert.proof import records as rec
from relucert.proof.arithmetic import Arithmetic, Objective
from relucert.proof.bounding import mixed, part_bounds
from relucert.proof.region import Refused, Region, known_neuron, narrowed, neuron_spans
from relucert.query import Case

__all__ = ["LETTERS_AHEAD", "Read", "RefusedAt", "Trees"]

LETTERS_AHEAD = 2**23
"""Records are read ahead until their lines have so many letters, as lines may be long."""

_ROWS_AT_ONCE = 256
_TREES_AT_ONCE = 4096


@dataclass(frozen=True)
class Read:
    """A record with its number and text."""

    number: int
    text: str
    record: rec.Record


class RefusedAt(Exception):  # noqa: N818 - not an error, as `Refused`
    """A record does not show what it should."""

    def __init__(self, read: Read, reason: str) -> None:
        super().__init__(reason)
        self.read = read


@dataclass(eq=False)
class _Tree:
    """What a tree is about, and the least bound on its parts so far."""

    record: rec.NeuronRecord | rec.RefuteRecord
    about: rec.NeuronRecord | Objective
    least: float = np.inf


class Trees:
    """Reads and bounds trees on the box of one case."""

    def __init__(
        self, arithmetic: Arithmetic[Any], network: Network, case: Case, most_held: int,
        following: Callable[[], Read],
    ) -> None:  # fmt: skip
        self.arithmetic, self.network, self.case = arithmetic, network, case
        self.most_held, self.following = most_held, following
        self.spans, self.letters = neuron_spans(network), 0
        self.waiting: list[tuple[_Tree, np.ndarray, rec.LeafRecord, Read]] = []

    def run(self, region: Region, read: Read) -> tuple[Region, Read]:
        """All trees from ``read`` on that do not depend on each other; the record after them."""
        if not region.layers:
            raise Refused("a tree begins before there are bounds")
        kind, trees, after = _kind(read.record), list[_Tree](), region
        while _kind(read.record) == kind:
            trees.append(self._begun(after, read.record, trees))
            self._read(trees[-1], region)
            read = self.following()
            if len(trees) >= _TREES_AT_ONCE:
                after, trees = self._all_applied(region, after, trees), []
        return self._all_applied(region, after, trees), read

    def _all_applied(self, region: Region, after: Region, trees: list[_Tree]) -> Region:
        """``after`` with what these trees have shown on ``region``, once all parts are bounded."""
        self._bound(region)
        for tree in trees:
            after = _applied(after, tree)
        return after

    def _begun(self, region: Region, record: rec.Record, before: list[_Tree]) -> _Tree:
        match record:
            case rec.NeuronRecord(layer, neuron, side):
                known_neuron(self.network, layer, neuron)
                if side not in (1, -1):
                    raise Refused(f"there is no side {side} of a neuron")
                return _Tree(record, record)
            case rec.RefuteRecord(unsafe, weights):
                for other in before:
                    region = _applied(region, other)
                return _Tree(record, mixed(self.case, region, unsafe, weights))
        raise Refused("not the beginning of a tree")

    def _read(self, tree: _Tree, region: Region) -> None:
        """One tree, depth first; its parts wait to be bounded."""
        stack = [np.zeros(self.spans[-1].stop, dtype=np.int8)]
        while stack:
            read = self.following()
            match read.record:
                case rec.LeafRecord():
                    self.waiting.append((tree, stack.pop(), read.record, read))
                case rec.ReluSplitRecord(layer, neuron):
                    stack += self._halves(stack.pop(), layer, neuron)
                case _:
                    raise Refused("a part of the tree before this record is not bounded")
            if len(stack) > self.most_held:
                raise Refused("the tree is too deep to be checked in memory")
            self.letters += len(read.text)
            if len(self.waiting) >= _ROWS_AT_ONCE or self.letters >= LETTERS_AHEAD:
                self._bound(region)

    def _halves(self, signs: np.ndarray, layer: int, neuron: int) -> tuple[np.ndarray, np.ndarray]:
        """Where a ReLU's pre-activation is at most and at least zero."""
        known_neuron(self.network, layer, neuron, relu=True)
        place = self.spans[layer].start + neuron
        if signs[place]:
            raise Refused(f"the sign of neuron {neuron} of layer {layer} is fixed already")
        other = signs.copy()
        signs[place], other[place] = -1, 1
        return signs, other

    def _bound(self, region: Region) -> None:
        """Bound what waits, all at once."""
        parts, self.waiting, self.letters = self.waiting, [], 0
        if not parts:
            return
        signs = np.stack([one for _, one, _, _ in parts])
        records = [record for _, _, record, _ in parts]
        about = [tree.about for tree, _, _, _ in parts]
        found = part_bounds(self.arithmetic, self.network, region, signs, records, about)
        for (tree, _, _, read), value in zip(parts, found, strict=True):
            if isinstance(value, Refused):
                raise RefusedAt(read, str(value))
            if isinstance(tree.about, Objective) and not value > 0:
                raise RefusedAt(read, f"the bound on this part is {value:.6g}, not positive")
            tree.least = min(tree.least, value)


def _kind(record: rec.Record) -> int | None:
    """Trees of one kind do not depend on each other: the layer, -1 for unsafe sets."""
    match record:
        case rec.NeuronRecord(layer, _, _):
            return layer
        case rec.RefuteRecord():
            return -1
    return None


def _applied(region: Region, tree: _Tree) -> Region:
    """The region with what a tree has shown."""
    record = tree.record
    if isinstance(record, rec.RefuteRecord):
        return region.without(record.unsafe)
    if tree.least == np.inf:  # every part is empty
        return replace(region, empty=True)
    about = (record.layer, record.neuron, record.side, tree.least)
    return narrowed(region, *about, region.signs, region.depth)
