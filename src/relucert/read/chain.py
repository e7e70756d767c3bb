"""From a graph of rows to the normal form: one layer a level, later needs carried along."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from relucert.network import Layer, Matrix
from relucert.read.rows import Block, RowGraph, check_size
from relucert.read.simplify import fuse_rows, levels_of, prune

__all__ = ["chain_of_layers"]

_DENSE_FROM = 0.25


def chain_of_layers(graph: RowGraph, outputs: np.ndarray) -> tuple[Layer, ...]:
    """Layers computing the referenced ``outputs`` (outputs,) from the inputs of ``graph``.

    The graph is consumed. Raises ValueError when carrying would need absurdly many entries.
    """
    outputs = fuse_rows(graph, outputs)
    levels_of(graph)
    prune(graph, outputs)
    levels = levels_of(graph)
    last = max(levels, default=1)
    last_use = np.zeros(graph.size, dtype=np.int64)
    for block, level in zip(graph.blocks, levels, strict=True):
        last_use[block.inputs] = np.maximum(last_use[block.inputs], level)
    last_use[outputs[outputs >= 0]] = last
    by_level: list[list[Block]] = [[] for _ in range(last + 1)]
    for block, level in zip(graph.blocks, levels, strict=True):
        by_level[level].append(block)
    layers = []
    state = np.arange(graph.input_size)
    place = np.full(graph.size, -1, dtype=np.int64)
    for level, blocks in enumerate(by_level[1:], start=1):
        carried = state[last_use[state] > level] if level < last else np.zeros(0, dtype=np.int64)
        if level == last:
            own = np.concatenate([b.ids for b in blocks]) if blocks else np.zeros(0, dtype=np.int64)
            needed = np.unique(outputs[outputs >= 0])
            carried = np.setdiff1d(needed, own)
        rows = _Rows(place, state, blocks, carried)
        layers.append(rows.selected(outputs, graph) if level == last else rows.layer())
        state = rows.ids
    return tuple(layers)


class _Rows:
    """The rows of one layer over the ``state`` (references) that the layer before gives."""

    def __init__(
        self, place: np.ndarray, state: np.ndarray, blocks: list[Block], carried: np.ndarray
    ) -> None:
        """``place``, by reference, is scratch space: only the entries of ``state`` count."""
        place[state] = np.arange(len(state))
        self.width = len(state)
        self.ids = np.concatenate([*(block.ids for block in blocks), carried])
        count = len(carried)
        self.bias = np.concatenate([*(block.bias for block in blocks), np.zeros(count)])
        self.divisor = np.concatenate([*(block.divisor for block in blocks), np.ones(count)])
        self.relu = np.concatenate([*(block.relu for block in blocks), np.zeros(count, dtype=bool)])
        self.matrix = self._stacked(blocks, place, carried)

    def _stacked(self, blocks: list[Block], place: np.ndarray, carried: np.ndarray) -> Matrix:
        dense = blocks[0].matrix if len(blocks) == 1 and not len(carried) else None
        if isinstance(dense, np.ndarray):
            columns = place[blocks[0].inputs]
            if np.array_equal(columns, np.arange(self.width)):
                return dense
            check_size(len(self.ids) * self.width, "a layer")
            spread = np.zeros((len(self.ids), self.width))
            spread[:, columns] = dense
            return spread
        parts = [_placed(block, place, self.width) for block in blocks]
        if len(carried) or not parts:
            shape = (len(carried), self.width)
            starts = np.arange(len(carried) + 1)
            parts.append(sp.csr_array((np.ones(len(carried)), place[carried], starts), shape=shape))
        return sp.vstack(parts, format="csr")

    def layer(self) -> Layer:
        """The layer with all rows, in order."""
        return Layer(_compact(self.matrix), self.bias, self.relu, self.divisor)

    def selected(self, outputs: np.ndarray, graph: RowGraph) -> Layer:
        """The layer whose rows are ``outputs``, constants included, in their order."""
        if np.array_equal(outputs, self.ids):
            return self.layer()
        order = np.argsort(self.ids, kind="stable")
        fixed = outputs < 0
        chosen = np.zeros(len(outputs), dtype=np.int64)
        chosen[~fixed] = order[np.searchsorted(self.ids, outputs[~fixed], sorter=order)]
        if len(self.ids) == 0:
            matrix = sp.csr_array((len(outputs), self.width), dtype=np.float64)
            return Layer(matrix, graph.values(outputs), np.zeros(len(outputs), dtype=bool))
        matrix = self.matrix[chosen]
        bias, relu, divisor = self.bias[chosen], self.relu[chosen], self.divisor[chosen]
        if fixed.any():
            keep = sp.dia_array((~fixed[None, :] * 1.0, 0), shape=(len(fixed), len(fixed)))
            matrix = sp.csr_array(keep @ sp.csr_array(matrix))
            matrix.eliminate_zeros()
            bias[fixed], relu[fixed], divisor[fixed] = graph.values(outputs[fixed]), False, 1.0
        return Layer(_compact(matrix), bias, relu, divisor)


def _placed(block: Block, place: np.ndarray, width: int) -> sp.csr_array:
    """The matrix of ``block`` with its inputs at their places in the state."""
    csr = sp.csr_array(block.matrix)
    shape = (len(block.ids), width)
    placed = sp.csr_array((csr.data, place[block.inputs][csr.indices], csr.indptr), shape=shape)
    placed.sort_indices()
    return placed


def _compact(matrix: Matrix) -> Matrix:
    """Dense where a good part of the entries is not zero."""
    if isinstance(matrix, np.ndarray):
        return matrix
    rows, columns = matrix.shape
    return matrix.toarray() if matrix.nnz >= _DENSE_FROM * rows * columns else matrix
