"""Networks under construction: blocks of affine rows over references to earlier rows.

A reader turns every tensor into an integer array of references. A reference ``0 .. inputs - 1``
is a network input, a larger one is a row of some block, a negative one a constant of the pool.
Reshaping, slicing, joining or permuting a tensor only moves references about and costs nothing;
computing makes a block. No entry is ever rounded: where merging two entries would round, a row
of its own is made instead.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from relucert.network import Matrix
from relucert.read.exact_floats import products_are_exact, sums_are_exact

__all__ = ["MAX_ENTRIES", "ZERO", "Block", "RowGraph", "check_size", "merge_entries"]

MAX_ENTRIES = 50_000_000
"""Most non-zero weights a single operator may need, and most elements of a tensor."""

ZERO = -1
"""The reference to the constant zero."""

_DENSE_FROM = 0.25
_MAX_REPEATS = 100_000
_MAX_COPIES = 1000


def check_size(count: int, what: str) -> None:
    """Raise ValueError before ``count`` elements would be allocated, when that is absurd."""
    if count > MAX_ENTRIES:
        raise ValueError(f"{what} would need {count:,} entries (limit {MAX_ENTRIES:,})")


@dataclass(eq=False)
class Block:
    """Rows ``relu((matrix @ inputs + bias) / divisor)``, ReLU where ``relu`` is true.

    ids: references by which later blocks know the rows. matrix: (rows, inputs), dense or CSR;
    in CSR every stored entry is non-zero. inputs: distinct references >= 0. kept: the rows
    must stay rows of their own (copies that keep two equal terms apart, constants).
    """

    ids: np.ndarray
    matrix: Matrix
    inputs: np.ndarray
    bias: np.ndarray
    divisor: np.ndarray
    relu: np.ndarray
    kept: bool = False

    def entries(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Non-zero entries as (row, input reference, value)."""
        if isinstance(self.matrix, np.ndarray):
            row, column = np.nonzero(self.matrix)
            return row, self.inputs[column], self.matrix[row, column]
        row = np.repeat(np.arange(len(self.ids)), np.diff(self.matrix.indptr))
        return row, self.inputs[self.matrix.indices], self.matrix.data

    def restrict(self, rows: np.ndarray) -> None:
        """Keep only the rows where the mask ``rows`` is true, and the inputs these need."""
        if rows.all():
            return
        self.ids, self.bias = self.ids[rows], self.bias[rows]
        self.divisor, self.relu = self.divisor[rows], self.relu[rows]
        self.matrix = self.matrix[np.flatnonzero(rows)]
        if not isinstance(self.matrix, np.ndarray):
            used, columns = np.unique(self.matrix.indices, return_inverse=True)
            self.inputs = self.inputs[used]
            shape = (len(self.ids), len(used))
            self.matrix = sp.csr_array((self.matrix.data, columns, self.matrix.indptr), shape)


def merge_entries(
    row: np.ndarray, ref: np.ndarray, value: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Sort the entries and add up repeated ones; None where a sum would round."""
    order = np.lexsort((ref, row))
    row, ref, value = row[order], ref[order], value[order]
    first = np.ones(len(row), dtype=bool)
    first[1:] = (row[1:] != row[:-1]) | (ref[1:] != ref[:-1])
    starts = np.flatnonzero(first)
    group = np.cumsum(first) - 1
    total = value[starts].copy()
    for again in _repetitions(np.arange(len(row)) - starts[group]):
        into = group[again]
        if not sums_are_exact(total[into], value[again]).all():
            return None
        total[into] += value[again]
    nonzero = total != 0
    return row[starts][nonzero], ref[starts][nonzero], total[nonzero]


def _repetitions(rank: np.ndarray, limit: int = _MAX_REPEATS) -> list[np.ndarray]:
    """Positions of second, third, ... occurrences, given each position's rank from 0."""
    repeats = int(rank.max(initial=0)) + 1
    if repeats > limit:
        raise ValueError(f"adds one element {repeats:,} times (limit {limit:,})")
    later = np.flatnonzero(rank)
    later = later[np.argsort(rank[later], kind="stable")]
    return np.split(later, np.searchsorted(rank[later], np.arange(2, repeats)))


class RowGraph:
    """Blocks in the order of their making, the pool of constants, and the count of references."""

    def __init__(self, input_size: int) -> None:
        self.input_size = input_size
        self.size = input_size
        self.blocks: list[Block] = []
        self._pool: list[float] = [0.0]
        self._pool_array = np.zeros(1)
        self._pool_index: dict[float, int] = {0.0: 0}

    def constants(self, values: np.ndarray) -> np.ndarray:
        """References to constants, in the shape of ``values``; raises ValueError unless finite."""
        values = np.asarray(values, dtype=np.float64)
        if not np.isfinite(values).all():
            raise ValueError("a constant is not finite")
        distinct, inverse = np.unique(values, return_inverse=True)
        places = np.empty(len(distinct), dtype=np.int64)
        for index, value in enumerate(distinct.tolist()):
            place = self._pool_index.setdefault(value, len(self._pool))
            if place == len(self._pool):
                self._pool.append(value)
            places[index] = -1 - place
        return places[inverse].reshape(values.shape)

    def values(self, refs: np.ndarray) -> np.ndarray:
        """The constants behind negative references."""
        if len(self._pool_array) != len(self._pool):
            self._pool_array = np.array(self._pool)
        known: np.ndarray = self._pool_array[-1 - refs]
        return known

    def dense(self, weight: np.ndarray, refs: np.ndarray) -> np.ndarray:
        """References to the rows ``weight @ refs``: weight (rows, n), refs (n,)."""
        rows = len(weight)
        _check_finite(weight)
        plain = bool((refs >= 0).all()) and len(np.unique(refs)) == len(refs)
        if not plain or np.count_nonzero(weight) < _DENSE_FROM * weight.size or rows == 0:
            row, column = np.nonzero(weight)
            return self.rows(rows, row, refs[column], weight[row, column])
        matrix = np.array(weight, dtype=np.float64)
        return self._add(matrix, refs.copy(), np.zeros(rows), np.ones(rows), np.zeros(rows, bool))

    def rows(
        self,
        count: int,
        row: np.ndarray,
        ref: np.ndarray,
        value: np.ndarray,
        bias: np.ndarray | None = None,
        divisor: np.ndarray | None = None,
        relu: bool = False,
    ) -> np.ndarray:
        """References to ``count`` rows ``(sum of value * ref + bias) / divisor``, then ReLU.

        row, ref, value: the entries, in any order; one row may name one reference repeatedly.
        A row that only repeats a reference, or is constant, gives that reference or constant.
        Raises ValueError when an entry is not finite.
        """
        own_bias = np.zeros(count) if bias is None else np.array(bias, dtype=np.float64)
        own_divisor = np.ones(count) if divisor is None else np.array(divisor, dtype=np.float64)
        value = np.asarray(value, dtype=np.float64)
        for array in (value, own_bias, own_divisor):
            _check_finite(array)
        used = (value != 0) & (ref != ZERO)
        if not used.all():
            row, ref, value = row[used], ref[used], value[used]
        row, ref, value = self._fold_constants(row, ref, value, own_bias)
        matrix, inputs = self._matrix(count, row, ref, value)
        ids = np.full(count, self.size, dtype=np.int64)
        counts = np.diff(matrix.indptr)
        plain = (own_divisor == 1) | ((counts == 0) & (own_bias == 0))
        constant = np.flatnonzero((counts == 0) & plain)
        biases = own_bias[constant]
        ids[constant] = self.constants(np.maximum(biases, 0.0) if relu else biases)
        if not relu:
            single = np.flatnonzero((counts == 1) & plain & (own_bias == 0))
            places = matrix.indptr[single]
            same = matrix.data[places] == 1
            ids[single[same]] = inputs[matrix.indices[places[same]]]
        new = ids == self.size
        if new.any():
            made = self._add(matrix, inputs, own_bias, own_divisor, np.full(count, relu))
            ids[new] = made[new]
        return ids

    def _fold_constants(
        self, row: np.ndarray, ref: np.ndarray, value: np.ndarray, bias: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Add the constant terms to ``bias`` in place where exact; else make rows of constants."""
        fixed = ref < 0
        if not fixed.any():
            return row, ref, value
        where, known = row[fixed], self.values(ref[fixed])
        if products_are_exact(value[fixed], known).all():
            terms = np.concatenate([known * value[fixed], bias])
            places = np.concatenate([where, np.arange(len(bias))])
            sums = merge_entries(places, np.zeros(len(places), dtype=np.int64), terms)
            if sums is not None:
                bias[:] = 0.0
                bias[sums[0]] = sums[2]
                return row[~fixed], ref[~fixed], value[~fixed]
        ref = ref.copy()
        ref[fixed] = self.rows_of_constants(ref[fixed])
        return row, ref, value

    def rows_of_constants(self, refs: np.ndarray) -> np.ndarray:
        """References to rows that hold the constants behind negative references."""
        distinct, inverse = np.unique(refs, return_inverse=True)
        size = len(distinct)
        made = self._add(
            sp.csr_array((size, 0), dtype=np.float64), np.zeros(0, dtype=np.int64),
            self.values(distinct), np.ones(size), np.zeros(size, bool), kept=True,
        )  # fmt: skip
        rows: np.ndarray = made[inverse]
        return rows

    def _matrix(
        self, count: int, row: np.ndarray, ref: np.ndarray, value: np.ndarray
    ) -> tuple[sp.csr_array, np.ndarray]:
        """The entries as a CSR matrix over distinct inputs, without rounding."""
        matrix, inputs = self._compressed(count, row, ref, value)
        if matrix.nnz == len(value):
            return matrix, inputs
        merged = merge_entries(row, ref, value)
        if merged is None:
            merged = row, self._apart(row, ref), value
        return self._compressed(count, *merged)

    def _compressed(
        self, count: int, row: np.ndarray, ref: np.ndarray, value: np.ndarray
    ) -> tuple[sp.csr_array, np.ndarray]:
        if self.size > 8 * len(ref):
            inputs, column = np.unique(ref, return_inverse=True)
        else:  # a table is quicker than sorting many entries
            present = np.zeros(self.size, dtype=bool)
            present[ref] = True
            inputs = np.flatnonzero(present)
            column = (np.cumsum(present) - 1)[ref]
        matrix = sp.coo_array((value, (row, column)), shape=(count, len(inputs))).tocsr()
        matrix.sort_indices()
        return matrix, inputs

    def _apart(self, row: np.ndarray, ref: np.ndarray) -> np.ndarray:
        """The references, the second and later ones of a row replaced by copies."""
        order = np.lexsort((ref, row))
        first = np.ones(len(row), dtype=bool)
        first[1:] = (np.diff(row[order]) != 0) | (np.diff(ref[order]) != 0)
        rank = np.empty(len(row), dtype=np.int64)
        rank[order] = np.arange(len(row)) - np.flatnonzero(first)[np.cumsum(first) - 1]
        apart = ref.copy()
        for again in _repetitions(rank, _MAX_COPIES):
            originals, inverse = np.unique(ref[again], return_inverse=True)
            size = len(originals)
            identity = sp.eye_array(size, format="csr")
            copies = self._add(
                identity, originals, np.zeros(size), np.ones(size), np.zeros(size, bool), kept=True
            )
            apart[again] = copies[inverse]
        return apart

    def _add(
        self,
        matrix: Matrix,
        inputs: np.ndarray,
        bias: np.ndarray,
        divisor: np.ndarray,
        relu: np.ndarray,
        kept: bool = False,
    ) -> np.ndarray:
        ids = np.arange(self.size, self.size + len(bias), dtype=np.int64)
        self.blocks.append(Block(ids, matrix, inputs, bias, divisor, relu, kept))
        self.size += len(bias)
        return ids


def _check_finite(array: np.ndarray) -> None:
    if not np.isfinite(array).all():
        raise ValueError("a weight is not finite")
