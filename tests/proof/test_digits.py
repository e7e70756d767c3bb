"""Products through digits equal products of Python integers."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from relucert.errors import InputError
from relucert.proof.digits import DigitMatrix

INTEGERS = st.one_of(
    st.integers(-3, 3),
    st.integers(-(2**17), 2**17),
    st.integers(-(2**300), 2**300),
    st.sampled_from([2**15, -(2**15), 2**15 - 1, 2**16 - 1, -(2**16), 2**63, -(2**2100)]),
)


def objects(rows) -> np.ndarray:
    found = np.empty((len(rows), len(rows[0])), dtype=object)
    found[:] = rows
    return found


@given(st.data(), st.integers(1, 4), st.integers(1, 5), st.integers(1, 4))
def test_products(data, outer, inner, outputs):
    def matrix(rows, columns):
        line = st.lists(INTEGERS, min_size=columns, max_size=columns)
        return objects(data.draw(st.lists(line, min_size=rows, max_size=rows)))

    left, right = matrix(outer, inner), matrix(inner, outputs)
    found = DigitMatrix(right).times(left)
    assert found.tolist() == (left @ right).tolist()
    kept = np.array([[data.draw(st.booleans()) for _ in range(outputs)] for _ in range(inner)])
    pattern = sp.csr_array(kept.astype(np.float64))
    rows, columns = pattern.nonzero()
    sparse = DigitMatrix(right[rows, columns], pattern)
    assert sparse.times(left).tolist() == (left @ np.where(kept, right, 0)).tolist()


def test_many_terms_of_the_largest_digits():
    size = 5000
    left = np.full((70, size), 2**16 - 1, dtype=object)
    right = np.full((size, 1), 2**48 - 1, dtype=object)
    expected = size * (2**16 - 1) * (2**48 - 1)
    assert set(DigitMatrix(right).times(left).ravel().tolist()) == {expected}


def test_too_many_terms_are_refused():
    wide = sp.csr_array(np.ones((1, 1))).tocsr()
    pattern = sp.csr_array((wide.data, wide.indices, np.r_[0, 1, np.ones(2**21, int)]),
                           shape=(2**21 + 1, 1))  # fmt: skip
    with pytest.raises(InputError, match="too many inputs"):
        DigitMatrix(np.array([1], dtype=object), pattern)
