"""Products of integer matrices, exact and quick: through float64 products of 16-bit digits.

Digits are below 2**16 in size, so that a float64 sum of fewer than 2**21 products of two of them
is a sum of integers below 2**53: every one of them exact, in any order.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from relucert.errors import InputError

__all__ = ["DigitMatrix"]

_BITS = 16
_BYTES = 2
_MOST_TERMS = 2**21
_ROWS_AT_ONCE = 64


class DigitMatrix:
    """Python integers ``values`` at the places ``at`` of a matrix, dense or (CSR) sparse."""

    def __init__(self, values: np.ndarray, pattern: sp.csr_array | None = None) -> None:
        digits = _digits(values.ravel())
        if pattern is None:
            self.parts = [part.reshape(values.shape) for part in digits]
            self.shape = values.shape
        else:
            place = (pattern.indices, pattern.indptr)
            self.parts = [sp.csr_array((part, *place), shape=pattern.shape) for part in digits]
            self.shape = pattern.shape
        if self.shape[0] * len(self.parts) >= _MOST_TERMS:
            raise InputError("a layer has too many inputs for the exact arithmetic")

    def times(self, rows: np.ndarray) -> np.ndarray:
        """``rows @ matrix`` for an object array of int, (rows, outputs)."""
        product = np.empty((len(rows), self.shape[1]), dtype=object)
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            block = rows[start : start + _ROWS_AT_ONCE]
            product[start : start + len(block)] = self._product(block)
        return product

    def _product(self, rows: np.ndarray) -> np.ndarray:
        digits = _digits(rows.ravel())
        left, count = digits.reshape(-1, self.shape[0]), len(digits)
        shape = (count, len(rows), self.shape[1])
        sums = np.zeros((count + len(self.parts) - 1, *shape[1:]))
        for place, part in enumerate(self.parts):
            found = (part.T @ left.T).T if sp.issparse(part) else left @ part
            sums[place : place + count] += found.reshape(shape)
        return _integers(sums.reshape(len(sums), -1)).reshape(shape[1:])


def _digits(values: np.ndarray) -> np.ndarray:
    """Two's complement digits of ints, lowest first: float64 (digits, values)."""
    whole = values.tolist()
    bits = max(max(whole, default=0).bit_length(), min(whole, default=0).bit_length()) + 1
    size = _BYTES * -(-bits // _BITS)
    data = b"".join([value.to_bytes(size, "little", signed=True) for value in whole])
    digits = (
        np.frombuffer(data, dtype="<u2").reshape(len(whole), size // _BYTES).T.astype(np.float64)
    )
    # The highest digit carries the sign.
    digits[-1] -= np.where(digits[-1] >= 2 ** (_BITS - 1), 2.0**_BITS, 0.0)
    return np.ascontiguousarray(digits)


def _integers(sums: np.ndarray) -> np.ndarray:
    """The ints ``sum_k sums[k] * 2**(16 k)`` of whole float64 numbers below 2**53 in size."""
    places, count = sums.shape
    digits = np.empty((count, places + 4), dtype="<u2")
    carry = np.zeros(count, dtype=np.int64)
    for place in range(places + 4):
        if place < places:
            carry += sums[place].astype(np.int64)
        digits[:, place] = carry & (2**_BITS - 1)
        carry >>= _BITS
    data, size = digits.tobytes(), _BYTES * (places + 4)
    whole = np.empty(count, dtype=object)
    whole[:] = [
        int.from_bytes(data[start : start + size], "little", signed=True)
        for start in range(0, size * count, size)
    ]
    return whole
