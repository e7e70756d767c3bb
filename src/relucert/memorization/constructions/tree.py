"""The maximum of many values by a binary tree of ReLU layers: max(a, b) = a + relu(b - a)."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

__all__ = ["tree_levels"]


def tree_levels(values: sp.csr_array) -> tuple[list[sp.csr_array], sp.csr_array]:
    """Weights of the levels, ceil(log2 m) of them, and the row that reads the maximum.

    values: (m, neurons), the m values as rows over the layer before; all of them non-negative,
    as ReLU passes the smaller ones on. Every level halves the values: a pair (a, b) becomes the
    neurons relu(a) = a and relu(b - a), whose sum is the new value.
    """
    levels = []
    while values.shape[0] > 1:
        level = _differences(values.shape[0]) @ values
        level.eliminate_zeros()
        levels.append(sp.csr_array(level))
        values = _sums(values.shape[0])
    return levels, values


def _differences(count: int) -> sp.csr_array:
    """Rows a, b - a for each pair of neighbours; the last value alone where they are odd."""
    pairs = count // 2
    even = 2 * np.arange(pairs)
    rows = np.concatenate([even, even + 1, even + 1])
    columns = np.concatenate([even, even + 1, even])
    data = np.concatenate([np.ones(2 * pairs), -np.ones(pairs)])
    if count % 2:
        rows, columns, data = (
            np.append(rows, count - 1), np.append(columns, count - 1), np.append(data, 1.0)
        )  # fmt: skip
    return sp.csr_array(sp.coo_array((data, (rows, columns)), shape=(count, count)))


def _sums(count: int) -> sp.csr_array:
    """Rows that add the two neurons of each pair; the last neuron alone where they are odd."""
    places = np.arange(count)
    return sp.csr_array(
        sp.coo_array((np.ones(count), (places // 2, places)), shape=((count + 1) // 2, count))
    )
