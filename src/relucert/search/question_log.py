"""How bounds on rows were found: the divisions of the box, and the multipliers that bound them.

Written down where a proof is wanted, in the numbering of a compact chain; `RowTree` is in that of
the network.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

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
    leaves: Mapping[int, Leaf]

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
    """Multipliers of some divisions, a row each: slopes in 1/128; of betas, few of them positive,
    where each row's begin, their neurons in the network, and their values."""

    slopes: dict[int, np.ndarray]
    betas: dict[int, tuple[list[int], np.ndarray, np.ndarray]]

    @property
    def size(self) -> int:
        """Bytes."""
        betas = sum(
            8 * len(starts) + neurons.nbytes + values.nbytes
            for starts, neurons, values in self.betas.values()
        )
        return betas + sum(one.nbytes for one in self.slopes.values())


@dataclass(frozen=True, eq=False)
class _ByName:
    """What is known of every division, by its name.

    values: bounds. best: what its halves give where that is more. split: layer and neuron, first:
    the name of the first half, or -1. block and row: where its multipliers are.
    """

    values: list[float]
    best: list[float]
    split: list[tuple[int, int]]
    first: list[int]
    block: list[int]
    row: list[int]


class QuestionLog:
    """Of one `Questions`; ``neurons``: by layer of its chain, their numbers in the network.

    whole: the log that it is a part of; once that is full, nothing is kept here either.
    """

    def __init__(self, neurons: Sequence[np.ndarray], whole: BoxLog) -> None:
        self.neurons, self.whole = neurons, whole
        self.rows: list[_Rows] = []
        self.bounds: list[tuple[np.ndarray, np.ndarray]] = []
        self.divisions: list[tuple[np.ndarray, ...]] = []
        self.known: _ByName | None = None

    def divided(
        self, names: np.ndarray, layers: np.ndarray, neurons: np.ndarray, first: np.ndarray
    ) -> None:
        """Divisions ``names`` were halved by signs of ReLUs (columns of the chain)."""
        if not self.whole.full:
            self.divisions.append((names, layers, neurons, first))
            self.known = None

    def bounded(
        self, names: np.ndarray, values: np.ndarray, best: Guess, signs: dict[int, np.ndarray]
    ) -> None:
        """Divisions have these bounds, by these multipliers alone; signs: of ReLUs, 0 if open."""
        slopes, betas = {}, {}
        for layer, alpha in best.alpha.items():
            slopes[layer] = np.round(alpha * SLOPE_STEPS).astype(np.uint8)
            # A ReLU with a fixed sign is what it is, whatever slope is carried along.
            slopes[layer][signs[layer] != 0] = SLOPE_STEPS
        for layer, beta in best.beta.items():
            rows, columns = np.nonzero(beta)
            if len(rows):
                starts = np.searchsorted(rows, np.arange(len(beta) + 1)).tolist()
                betas[layer] = starts, self.neurons[layer][columns], beta[rows, columns]
        kept = _Rows(slopes, betas)
        if not self.whole.take(kept.size + _BYTES_A_DIVISION * len(names)):
            self.rows, self.bounds, self.divisions, self.known = [], [], [], None
            return
        self.rows.append(kept)
        self.bounds.append((names, values))
        self.known = None

    def tree(self, root: int) -> RowTree | None:
        """The tree of one question, without divisions whose halves came to no better bound; None
        where there was no room to keep it."""
        if self.whole.full:
            return None
        if self.known is None:
            self.known = self._by_name()
        known, splits, waiting = self.known, dict[int, tuple[int, int, int]](), [root]
        while waiting:
            name = waiting.pop()
            if known.best[name] > known.values[name]:
                first = known.first[name]
                splits[name] = *known.split[name], first
                waiting += (first, first + 1)
        return RowTree(root, splits, _Leaves(self.neurons, self.rows, known))

    def _by_name(self) -> _ByName:
        count = 1 + max(int(names.max(initial=0)) for names, _ in self.bounds)
        values, first = np.full(count, -np.inf), np.full(count, -1)
        block, row, split = (np.zeros(count, dtype=int) for _ in range(3))
        layer = np.zeros(count, dtype=int)
        for number, (names, found) in enumerate(self.bounds):
            values[names], block[names], row[names] = found, number, np.arange(len(names))
        for names, layers, columns, halves in self.divisions:
            layer[names], first[names] = layers, halves
            for index in np.unique(layers):
                own = layers == index
                split[names[own]] = self.neurons[index][columns[own]]
        best, firsts = values.tolist(), first.tolist()
        for name in np.flatnonzero(first >= 0)[::-1].tolist():  # halves have later names
            half = firsts[name]
            if half + 1 < count:
                best[name] = max(best[name], min(best[half], best[half + 1]))
        return _ByName(
            values.tolist(), best, list(zip(layer.tolist(), split.tolist(), strict=True)), firsts,
            block.tolist(), row.tolist(),
        )  # fmt: skip


class _Leaves(Mapping[int, Leaf]):
    """Multipliers of divisions by name, made when they are asked for."""

    def __init__(self, neurons: Sequence[np.ndarray], rows: list[_Rows], known: _ByName) -> None:
        self.neurons, self.rows, self.known = neurons, rows, known

    def __len__(self) -> int:
        return len(self.known.row)

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self)))

    def __getitem__(self, name: int) -> Leaf:
        if not 0 <= name < len(self):
            raise KeyError(name)
        rows, row = self.rows[self.known.block[name]], self.known.row[name]
        slopes = {
            layer: (self.neurons[layer][: values.shape[1]], values[row])
            for layer, values in rows.slopes.items()
        }
        betas: dict[int, dict[int, float]] = {}
        for layer, (starts, neurons, values) in rows.betas.items():
            start, stop = starts[row], starts[row + 1]
            if start < stop:
                chosen = neurons[start:stop].tolist()
                betas[layer] = dict(zip(chosen, values[start:stop].tolist(), strict=True))
        return Leaf(slopes, betas)
