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
from relucert.proof.arithmetic import Arithmetic, Objective
from relucert.proof.bounding import lower_bounds, mixed, neuron_bounds
from relucert.proof.records import (
    LeafRecord,
    NeuronRecord,
    Record,
    RefuteRecord,
    ReluSplitRecord,
)
from relucert.proof.region import Refused, Region, halves, narrowed
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
    record: Record


class RefusedAt(Exception):  # noqa: N818 - not an error, as `Refused`
    """A record does not show what it should."""

    def __init__(self, read: Read, reason: str) -> None:
        super().__init__(reason)
        self.read = read


@dataclass(eq=False)
class _Tree:
    """What a tree is about, and the least bound on its parts so far."""

    record: NeuronRecord | RefuteRecord
    about: NeuronRecord | Objective
    least: float = np.inf


class Trees:
    """Reads and bounds trees on the box of one case."""

    def __init__(
        self,
        arithmetic: Arithmetic[Any],
        network: Network,
        case: Case,
        most_held: int,
        following: Callable[[], Read],
    ) -> None:
        self.arithmetic, self.network, self.case = arithmetic, network, case
        self.most_held, self.following = most_held, following
        self.waiting: list[tuple[_Tree, Region, LeafRecord, Read]] = []
        self.letters = 0

    def run(self, region: Region, read: Read) -> tuple[Region, Read]:
        """All trees from ``read`` on that do not depend on each other; the record after them."""
        if not region.layers:
            raise RefusedAt(read, "a tree begins before there are bounds")
        kind, trees, after = _kind(read.record), list[_Tree](), region
        while isinstance(read.record, NeuronRecord | RefuteRecord) and _kind(read.record) == kind:
            try:
                trees.append(self._begun(after, read.record, trees))
            except Refused as refusal:
                raise RefusedAt(read, str(refusal)) from None
            self._read(trees[-1], region)
            read = self.following()
            if len(trees) >= _TREES_AT_ONCE:
                after, trees = self._all_applied(after, trees), []
        return self._all_applied(after, trees), read

    def _all_applied(self, region: Region, trees: list[_Tree]) -> Region:
        """The region with what all these trees have shown, once every part is bounded."""
        self._bound()
        for tree in trees:
            region = _applied(region, tree)
        return region

    def _begun(
        self, region: Region, record: NeuronRecord | RefuteRecord, before: list[_Tree]
    ) -> _Tree:
        if isinstance(record, NeuronRecord):
            layers = self.network.layers
            if record.layer >= len(layers) or record.neuron >= layers[record.layer].output_size:
                raise Refused(f"there is no neuron {record.neuron} in a layer {record.layer}")
            return _Tree(record, record)
        for other in before:
            region = _applied(region, other)
        return _Tree(record, mixed(self.case, region, record.unsafe, record.weights))

    def _read(self, tree: _Tree, region: Region) -> None:
        """One tree, depth first; its parts wait to be bounded."""
        stack = [region]
        while stack:
            read = self.following()
            try:
                match read.record:
                    case LeafRecord():
                        self.waiting.append((tree, stack.pop(), read.record, read))
                    case ReluSplitRecord(layer, neuron):
                        stack += reversed(halves(self.network, stack.pop(), layer, neuron))
                    case _:
                        raise Refused("a part of the tree before this record is not bounded")
                if len(stack) > self.most_held:
                    raise Refused("the tree is too deep to be checked in memory")
            except Refused as refusal:
                raise RefusedAt(read, str(refusal)) from None
            self.letters += len(read.text)
            if len(self.waiting) >= _ROWS_AT_ONCE or self.letters >= LETTERS_AHEAD:
                self._bound()

    def _bound(self) -> None:
        """Bound what waits, as many regions at once as the arithmetic likes."""
        waiting, self.waiting, self.letters = self.waiting, [], 0
        while waiting:
            regions, count = set[int](), 0
            for _, region, _, _ in waiting:
                regions.add(id(region))
                if len(regions) > self.arithmetic.at_once:
                    break
                count += 1
            self._least(waiting[:count])
            waiting = waiting[count:]

    def _least(self, parts: list[tuple[_Tree, Region, LeafRecord, Read]]) -> None:
        given = self.arithmetic, self.network, [(region, leaf) for _, region, leaf, _ in parts]
        about = [tree.about for tree, _, _, _ in parts]
        objectives = [one for one in about if isinstance(one, Objective)]
        neurons = [one for one in about if isinstance(one, NeuronRecord)]
        if objectives:
            found = lower_bounds(*given, objectives)
        else:
            numbers, sides = np.array([(one.neuron, one.side) for one in neurons]).T
            found = neuron_bounds(*given, neurons[0].layer, numbers, sides)
        for (tree, _, _, read), value in zip(parts, found, strict=True):
            if isinstance(value, Refused):
                raise RefusedAt(read, str(value))
            if objectives and not value > 0:
                raise RefusedAt(read, f"the bound on this part is {value:.6g}, not positive")
            tree.least = min(tree.least, value)


def _kind(record: Record) -> int:
    """Trees of one kind do not depend on each other: the layer, -1 for unsafe sets."""
    return record.layer if isinstance(record, NeuronRecord) else -1


def _applied(region: Region, tree: _Tree) -> Region:
    """The region with what a tree has shown."""
    record = tree.record
    if isinstance(record, RefuteRecord):
        return region.without(record.unsafe)
    if tree.least == np.inf:  # every part is empty
        return replace(region, empty=True)
    about = (record.layer, record.neuron, record.side, tree.least)
    return narrowed(region, *about, region.signs, region.depth)
