"""How bounds on rows were found: the divisions of the box, and the multipliers that bound them.

Written down where a proof is wanted, in the numbering of a compact chain; `RowTree` is in that of
the network.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import scipy.sparse as sp

from relucert.search.ascent import SLOPE_STEPS, Guess

__all__ = ["BoxLog", "Leaf", "NeuronBounds", "QuestionLog", "RefutedSet", "RowTree"]

_BYTES_A_DIVISION = 400  # of the dictionaries by name


@dataclass(frozen=True, eq=False)
class Leaf:
    """Multipliers for one part of the box, by layer.

    slopes: neurons and their lower slopes in 1/128. betas: of ReLUs with a fixed sign.
    """

    slopes: dict[int, tuple[np.ndarray, np.ndarray]]
    betas: dict[int, dict[int, float]]


@dataclass(frozen=True, eq=False)
class RowTree:
    """Divisions by name: (layer, neuron, first half's name; the second's is one more); leaves."""

    root: int
    splits: dict[int, tuple[int, int, int]]
    leaves: dict[int, Leaf]

    def depth_first(self) -> Iterator[tuple[int, int] | Leaf]:
        """Each split (layer, neuron) followed by what is in its first half and in its second."""
        waiting = [self.root]
        while waiting:
            name = waiting.pop()
            split = self.splits.get(name)
            if split is None:
                yield self.leaves[name]
                continue
            yield split[0], split[1]
            waiting += [split[2] + 1, split[2]]


@dataclass(frozen=True, eq=False)
class NeuronBounds:
    """Better bounds on neurons of one layer; trees by (neuron, side), 1 for the lower bound and -1
    for the upper one."""

    layer: int
    trees: dict[tuple[int, int], RowTree]


@dataclass(frozen=True, eq=False)
class RefutedSet:
    """An unsafe set that is not reached, by a mixture of its rows with these weights."""

    unsafe: int
    weights: dict[int, float]
    tree: RowTree


@dataclass(eq=False)
class BoxLog:
    """Pass one to `split_relus` to have it filled in: what was found, in the order of finding.

    Each tree goes by the bounds that those before it gave. Sharper ones would not do as well: a
    line that is better between tighter bounds may be worse beyond them, where the linear bounds on
    its neuron reach.

    room: bytes that multipliers may take. full: they would have taken more; then nothing is kept.
    """

    found: list[NeuronBounds | RefutedSet] = field(default_factory=list)
    room: int = 2**31
    full: bool = False

    def take(self, size: int) -> bool:
        """Whether so many bytes more may be kept."""
        self.room -= size
        if self.room < 0:
            self.full = True
            self.found.clear()
        return not self.full

    def add(self, found: NeuronBounds | RefutedSet) -> None:
        """What was found next."""
        if not self.full:
            self.found.append(found)


@dataclass(frozen=True, eq=False)
class _Rows:
    """Multipliers of some divisions, a row each: slopes in 1/128, betas (few of them positive)."""

    slopes: dict[int, np.ndarray]
    betas: dict[int, sp.csr_array]

    @property
    def size(self) -> int:
        """Bytes, roughly."""
        betas = sum(one.data.nbytes + one.indices.nbytes for one in self.betas.values())
        return int(betas + sum(one.nbytes for one in self.slopes.values()))


class QuestionLog:
    """Of one `Questions`; ``neurons``: by layer of its chain, their numbers in the network.

    whole: the log that it is a part of; once that is full, nothing is kept here either.
    """

    def __init__(self, neurons: Sequence[np.ndarray], whole: BoxLog) -> None:
        self.neurons, self.whole = neurons, whole
        self.splits: dict[int, tuple[int, int, int]] = {}
        self.rows: list[_Rows] = []
        self.places: dict[int, tuple[int, int]] = {}
        self.values: dict[int, float] = {}

    def divided(
        self, names: np.ndarray, layers: np.ndarray, neurons: np.ndarray, first: np.ndarray
    ) -> None:
        """Divisions ``names`` were halved by signs of ReLUs (columns of the chain)."""
        if self.whole.full:
            return
        for name, layer, neuron, half in zip(
            names.tolist(), layers.tolist(), neurons.tolist(), first.tolist(), strict=True
        ):
            self.splits[name] = layer, neuron, half

    def bounded(self, names: np.ndarray, values: np.ndarray, best: Guess) -> None:
        """Divisions have these bounds, by these multipliers alone."""
        slopes = {
            layer: np.round(alpha * SLOPE_STEPS).astype(np.uint8)
            for layer, alpha in best.alpha.items()
        }
        betas = {layer: sp.csr_array(beta) for layer, beta in best.beta.items() if beta.any()}
        kept = _Rows(slopes, betas)
        if not self.whole.take(kept.size + _BYTES_A_DIVISION * len(names)):
            self.splits, self.rows, self.places, self.values = {}, [], {}, {}
            return
        for row, (name, value) in enumerate(zip(names.tolist(), values.tolist(), strict=True)):
            self.places[name] = len(self.rows), row
            self.values[name] = value
        self.rows.append(kept)

    def tree(self, root: int) -> RowTree | None:
        """The tree of one question, without divisions whose halves came to no better bound; None
        where there was no room to keep it."""
        if self.whole.full:
            return None
        order, best = [root], dict[int, float]()
        for name in order:
            if name in self.splits:
                first = self.splits[name][2]
                order += [first, first + 1]
        for name in reversed(order):
            best[name] = self.values[name]
            if name in self.splits:
                first = self.splits[name][2]
                best[name] = max(best[name], min(best[first], best[first + 1]))
        splits: dict[int, tuple[int, int, int]] = {}
        leaves: dict[int, Leaf] = {}
        waiting: list[tuple[int, tuple[tuple[int, int], ...]]] = [(root, ())]
        while waiting:
            name, fixed = waiting.pop()
            if best[name] > self.values[name]:
                layer, column, first = self.splits[name]
                splits[name] = layer, int(self.neurons[layer][column]), first
                fixed = (*fixed, (layer, column))
                waiting += [(first, fixed), (first + 1, fixed)]
            else:
                leaves[name] = self._leaf(*self.places[name], fixed)
        return RowTree(root, splits, leaves)

    def _leaf(self, block: int, row: int, fixed: Sequence[tuple[int, int]]) -> Leaf:
        rows = self.rows[block]
        slopes = {}
        for layer, values in rows.slopes.items():
            own, steps = self.neurons[layer][: values.shape[1]], values[row]
            known = [column for index, column in fixed if index == layer and column < len(own)]
            if known:  # a ReLU with a fixed sign is what it is, whatever slope is carried along
                steps = steps.copy()
                steps[known] = SLOPE_STEPS
            slopes[layer] = own, steps
        betas: dict[int, dict[int, float]] = {}
        for layer, values in rows.betas.items():
            start, stop = int(values.indptr[row]), int(values.indptr[row + 1])
            if start < stop:
                chosen = self.neurons[layer][values.indices[start:stop]].tolist()
                betas[layer] = dict(zip(chosen, values.data[start:stop].tolist(), strict=True))
        return Leaf(slopes, betas)
