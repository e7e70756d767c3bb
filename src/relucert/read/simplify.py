"""Fewer blocks, the same function: merge rows where no number is rounded by it."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from relucert.read.exact_floats import products_are_exact, sums_are_exact
from relucert.read.rows import Block, RowGraph, merge_entries

__all__ = ["fuse_rows", "levels_of", "prune"]


def prune(graph: RowGraph, outputs: np.ndarray) -> None:
    """Drop the rows on which ``outputs`` (references) do not depend."""
    alive = np.zeros(graph.size, dtype=bool)
    alive[outputs[outputs >= 0]] = True
    blocks: list[Block] = []
    for block in reversed(graph.blocks):
        block.restrict(alive[block.ids])
        if len(block.ids):
            alive[block.inputs] = True
            blocks.append(block)
    graph.blocks = blocks[::-1]


def fuse_rows(graph: RowGraph, outputs: np.ndarray) -> np.ndarray:
    """Merge each row ``relu((w * p + c) / e)`` into the row ``p`` when nothing else uses ``p``.

    So a ReLU, a bias or a scaling joins the layer before it. Returns ``outputs``, renamed.
    """
    prune(graph, outputs)
    fusion = _Fusion(graph, outputs)
    for block in graph.blocks:
        fusion.fuse(block)
    renamed = outputs.copy()
    renamed[outputs >= 0] = fusion.alias[outputs[outputs >= 0]]
    prune(graph, renamed)
    return renamed


class _Fusion:
    """Where each reference lives, how often it is used, and what it is called now."""

    def __init__(self, graph: RowGraph, outputs: np.ndarray) -> None:
        self.blocks = graph.blocks
        self.alias = np.arange(graph.size)
        self.uses = np.bincount(outputs[outputs >= 0], minlength=graph.size)
        self.owner = np.full(graph.size, -1)
        self.place = np.zeros(graph.size, dtype=np.int64)
        for index, block in enumerate(graph.blocks):
            if isinstance(block.matrix, np.ndarray):
                # A column of zeros is a use as well: it must stay a column of its own.
                counts = np.maximum(np.count_nonzero(block.matrix, axis=0), 1)
                self.uses[block.inputs] += counts
            else:
                np.add.at(self.uses, block.entries()[1], 1)
            if not block.kept:
                self.owner[block.ids] = index
            self.place[block.ids] = np.arange(len(block.ids))

    def fuse(self, block: Block) -> None:
        block.inputs = self.alias[block.inputs]
        if block.kept or isinstance(block.matrix, np.ndarray):
            return
        single = np.flatnonzero(np.diff(block.matrix.indptr) == 1)
        places = block.matrix.indptr[single]
        target = block.inputs[block.matrix.indices[places]]
        weight = block.matrix.data[places]
        free = (self.uses[target] == 1) & (self.owner[target] >= 0)
        single, target, weight = single[free], target[free], weight[free]
        for owner in np.unique(self.owner[target]):
            chosen = self.owner[target] == owner
            self._fuse_into(
                self.blocks[owner], target[chosen], block, single[chosen], weight[chosen]
            )

    def _fuse_into(
        self,
        into: Block,
        target: np.ndarray,
        block: Block,
        rows: np.ndarray,
        weight: np.ndarray,
    ) -> None:
        """(w * (W x + b) / d + c) / e = (w W x + (w b + c d)) / (d e), where all is exact.

        A ReLU inside passes to the outside when w > 0 and c = 0.
        """
        at = self.place[target]
        old_bias, old_divisor = into.bias[at], into.divisor[at]
        scaled, shift = weight * old_bias, block.bias[rows] * old_divisor
        exact = (
            (~into.relu[at] | ((weight > 0) & (block.bias[rows] == 0)))
            & products_are_exact(weight, old_bias)
            & products_are_exact(block.bias[rows], old_divisor)
            & sums_are_exact(scaled, shift)
            & products_are_exact(old_divisor, block.divisor[rows])
            & _scaling_is_exact(into, at, weight)
        )
        at, rows, target, weight = at[exact], rows[exact], target[exact], weight[exact]
        into.bias[at] = (scaled + shift)[exact]
        into.divisor[at] = old_divisor[exact] * block.divisor[rows]
        into.relu[at] |= block.relu[rows]
        _scale_rows(into, at, weight)
        merged = block.ids[rows]
        self.alias[merged] = target
        self.uses[target] = self.uses[merged]


def _row_factors(block: Block, at: np.ndarray, weight: np.ndarray) -> np.ndarray:
    factors = np.ones(len(block.ids))
    factors[at] = weight
    return factors


def _scaling_is_exact(block: Block, at: np.ndarray, weight: np.ndarray) -> np.ndarray:
    if (np.abs(weight) == 1).all():
        return np.ones(len(at), dtype=bool)
    factors = _row_factors(block, at, weight)
    rounded = np.zeros(len(factors), dtype=bool)
    if isinstance(block.matrix, np.ndarray):
        rounded[~products_are_exact(block.matrix, factors[:, None]).all(axis=1)] = True
    else:
        row, _, value = block.entries()
        rounded[row[~products_are_exact(value, factors[row])]] = True
    exact: np.ndarray = ~rounded[at]
    return exact


def _scale_rows(block: Block, at: np.ndarray, weight: np.ndarray) -> None:
    if (weight == 1).all():
        return
    factors = _row_factors(block, at, weight)
    if isinstance(block.matrix, np.ndarray):
        block.matrix *= factors[:, None]
    else:
        block.matrix.data *= np.repeat(factors, np.diff(block.matrix.indptr))


def levels_of(graph: RowGraph) -> list[int]:
    """The layer in which each block is computed: 1 + the latest layer it reads from.

    On the way, sums and differences (rows with entries 1, 2, -1, -2 and nothing else) are
    written out inside the blocks that read them where that saves a layer, rounds nothing and
    needs no more entries than computing them separately.
    """
    level = np.zeros(graph.size, dtype=np.int64)
    by_ref = np.full(graph.size, -1)
    levels = []
    for index, block in enumerate(graph.blocks):
        while _write_out(graph, block, level, by_ref):
            pass
        mine = int(level[block.inputs].max(initial=0)) + 1
        level[block.ids] = mine
        by_ref[block.ids] = index
        levels.append(mine)
    return levels


def _is_light(block: Block) -> bool:
    if block.kept or block.relu.any() or block.bias.any() or isinstance(block.matrix, np.ndarray):
        return False
    return bool(np.isin(np.abs(block.matrix.data), (1, 2)).all() and (block.divisor == 1).all())


def _write_out(graph: RowGraph, block: Block, level: np.ndarray, by_ref: np.ndarray) -> bool:
    """Substitute the latest inputs of ``block`` when all are light rows; whether it was done."""
    latest = int(level[block.inputs].max(initial=0))
    if latest == 0 or block.kept:
        return False
    late = block.inputs[level[block.inputs] == latest]
    sources = [graph.blocks[i] for i in np.unique(by_ref[late])]
    if not all(_is_light(source) for source in sources):
        return False
    row, ref, value = block.entries()
    terms = [source.entries() for source in sources]
    ids = np.concatenate([s.ids[t[0]] for s, t in zip(sources, terms, strict=True)])
    into = np.concatenate([t[1] for t in terms])
    factor = np.concatenate([t[2] for t in terms])
    order = np.argsort(ids, kind="stable")
    ids, into, factor = ids[order], into[order], factor[order]
    is_late = level[ref] == latest
    low, high = np.searchsorted(ids, ref[is_late]), np.searchsorted(ids, ref[is_late], side="right")
    lengths = high - low
    if lengths.sum() + (~is_late).sum() > len(ref) + len(ids):
        return False
    spread = np.repeat(np.arange(len(lengths)), lengths)
    chosen = low[spread] + np.arange(len(spread)) - (np.cumsum(lengths) - lengths)[spread]
    exact = products_are_exact(value[is_late][spread], factor[chosen])
    merged = merge_entries(
        np.concatenate([row[~is_late], row[is_late][spread]]),
        np.concatenate([ref[~is_late], into[chosen]]),
        np.concatenate([value[~is_late], value[is_late][spread] * factor[chosen]]),
    )
    if not exact.all() or merged is None:
        return False
    inputs, columns = np.unique(merged[1], return_inverse=True)
    shape = (len(block.ids), len(inputs))
    block.matrix = sp.coo_array((merged[2], (merged[0], columns)), shape=shape).tocsr()
    block.matrix.sort_indices()
    block.inputs = inputs
    return True
