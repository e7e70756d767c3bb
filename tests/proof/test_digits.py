"""Products through digits equal products of Python integers."""

from __future__ import annotations

from fractions import Fraction

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


FLOATS = st.one_of(
    st.integers(-3, 3).map(float),
    st.floats(-4.0, 4.0, width=32),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([5e-324, 2.0**-1022, 1.7976931348623157e308, 2.0**53 - 1, 65535.0, -65536.0]),
)


@given(st.data(), st.integers(1, 4), st.integers(1, 5), st.integers(1, 4))
def test_products(data, outer, inner, outputs):
    def matrix(rows, columns, entries):
        line = st.lists(entries, min_size=columns, max_size=columns)
        return data.draw(st.lists(line, min_size=rows, max_size=rows))

    left = objects(matrix(outer, inner, INTEGERS))
    right = np.array(matrix(inner, outputs, FLOATS))
    exact = objects([[Fraction(value) for value in row] for row in right.tolist()])
    kept = np.array([[data.draw(st.booleans()) for _ in range(outputs)] for _ in range(inner)])
    for made, known in (
        (DigitMatrix.of(right), exact),
        (DigitMatrix.of(right).absolute, abs(exact)),
        (DigitMatrix.of(sp.csr_array(np.where(kept, right, 0.0))), np.where(kept, exact, 0)),
    ):
        scale = Fraction(2) ** made.exponent
        assert (made.times(left) * scale).tolist() == (left @ known).tolist()
        ones = objects([[1] * outputs])
        assert (made.times(ones, transposed=True) * scale).tolist() == (ones @ known.T).tolist()


def test_many_terms_of_the_largest_digits():
    size = 5000
    left = np.full((70, size), 2**16 - 1, dtype=object)
    right = DigitMatrix.of(np.full((size, 1), 2.0**48 - 1))
    expected = size * (2**16 - 1) * (2**48 - 1)
    assert right.exponent == 0
    assert set(right.times(left).ravel().tolist()) == {expected}


def test_too_many_terms_are_refused():
    with pytest.raises(InputError, match="too many inputs"):
        DigitMatrix.of(sp.csr_array(([1.0], ([0], [0])), shape=(2**21 + 1, 1)))
