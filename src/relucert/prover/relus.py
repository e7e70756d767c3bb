"""Proofs where many inputs vary: trees of ReLU signs, one for every bound that the search found.

The search sharpens bounds on neurons and then refutes every unsafe set, each by a small tree of
its own (`relucert.search.relu_split`). It starts here from bounds that the checker derives, and its
bounds are those of the multipliers that it writes down; so its trees need only be copied.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from relucert.network import Network
from relucert.proof.records import (
    BYTE_STEPS,
    SLOPE_STEPS,
    IntervalRecord,
    LeafRecord,
    NeuronRecord,
    Record,
    RefuteRecord,
    ReluSplitRecord,
)
from relucert.proof.region import Region
from relucert.prover.guide import chain_of
from relucert.prover.outcomes import Found, Stopped
from relucert.prover.signs import prove_by_signs, root_bounds
from relucert.prover.tree import Tree
from relucert.search.attack import Attack, attack_case
from relucert.search.question_log import BoxLog, Leaf, NeuronBounds, RowTree
from relucert.search.relu_split import split_relus
from relucert.verdict import Proved, Reason, Unknown, Violated

__all__ = ["prove_by_relus", "tree_records"]

_STEPS_A_BYTE = SLOPE_STEPS // BYTE_STEPS
_CHARACTERS = 16  # that a neuron and its slope in a list may cost: they take longer to read


def prove_by_relus(tree: Tree, root: Region, seed: int = 0) -> None:
    """Write the trees that the search finds; raises Stopped when it finds none, and Found."""
    region = root_bounds(tree, root, known=bool(root.layers))
    if tree.ended(region):
        return
    if any(not part.limits for part in tree.case.unsafe):
        raise Stopped("an unsafe set without rows is not empty")
    log, attacks = BoxLog(), iter(range(seed, 2**62, 100))

    def falsify(seconds: float) -> Violated | None:
        attack = Attack(seconds=seconds, seed=next(attacks))
        return attack_case(tree.network, tree.query, tree.case, attack, tree.limits).violated

    chain = chain_of(tree.network, region)
    found = split_relus(
        tree.network, tree.query, tree.case, chain, tree.limits, tree.progress, falsify, log=log
    )
    if isinstance(found, Violated):
        raise Found(found)
    if isinstance(found, Proved):
        if log.full:
            raise Stopped("the search's trees take too much memory to be written down")
        for record in tree_records(tree.network, log):
            tree.regions += isinstance(record, LeafRecord | ReluSplitRecord)
            tree.writer.write(record)
        tree.closed = 1.0
        return
    if isinstance(found, Unknown) and found.reason is not Reason.MARGIN:
        raise Stopped(found.words)
    prove_by_signs(tree, region)  # linear bounds are not enough: exact leaves


def tree_records(network: Network, log: BoxLog) -> Iterator[Record]:
    """All trees in the order of the search, with interval bounds anew before each layer's."""
    steep = [np.full(one.output_size, BYTE_STEPS, dtype=np.uint8) for one in network.layers]
    for found in log.found:
        if isinstance(found, NeuronBounds):
            yield IntervalRecord()
            for (neuron, side), rows in sorted(found.trees.items()):
                yield NeuronRecord(found.layer, neuron, side)
                yield from _records_of(steep, rows)
        else:
            yield RefuteRecord(found.unsafe, found.weights)
            yield from _records_of(steep, found.tree)


def _records_of(steep: Sequence[np.ndarray], rows: RowTree) -> Iterator[Record]:
    """steep: by layer, the slope one of every neuron, in bytes."""
    for one in rows.depth_first():
        if isinstance(one, Leaf):
            yield LeafRecord(_slopes(steep, one), one.betas)
        else:
            yield ReluSplitRecord(*one)


def _slopes(steep: Sequence[np.ndarray], leaf: Leaf) -> Mapping[int, Mapping[int, int] | bytes]:
    """As a list of neurons, or a byte for each of the layer, whichever is shorter."""
    slopes: dict[int, dict[int, int] | bytes] = {}
    for layer, (neurons, values) in leaf.slopes.items():
        if not len(neurons):
            continue
        if _CHARACTERS * len(neurons) > 2 * len(steep[layer]):
            every = steep[layer].copy()
            every[neurons] = values
            slopes[layer] = every.tobytes()
        else:
            steps = (_STEPS_A_BYTE * values.astype(int)).tolist()
            slopes[layer] = dict(sorted(zip(neurons.tolist(), steps, strict=True)))
    return slopes
