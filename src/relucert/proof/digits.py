"""Products with float64 matrices, exact and quick: through float64 products of 16-bit digits.

Digits are below 2**16 in size, so that a float64 sum of fewer than 2**21 products of two of them
is a sum of integers below 2**53: every one of them exact, in any order.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import scipy.sparse as sp

from relucert.errors import InputError
from relucert.network import Matrix

__all__ = ["DigitMatrix"]

_BITS = 16
_BYTES = 2
_MOST_TERMS = 2**21
_MANTISSA, _LARGEST = 53, 2000
_ROWS_AT_ONCE = 64


class DigitMatrix:
    """A finite float64 matrix, dense or CSR: ``sum_k parts[k] * 2**(16 k + exponent)``."""

    def __init__(self, parts: list[Matrix], exponent: int) -> None:
        self.parts, self.exponent = parts, exponent
        if max(parts[0].shape) * len(parts) >= _MOST_TERMS:
            raise InputError("a layer has too many inputs or outputs for the exact arithmetic")

    @classmethod
    def of(cls, matrix: Matrix) -> DigitMatrix:
        """Its digits all have the entry's sign."""
        pattern = sp.csr_array(matrix) if sp.issparse(matrix) else None
        digits, exponent = _signed_digits(np.asarray(matrix if pattern is None else pattern.data))
        if pattern is None:
            return cls(list(digits), exponent)
        place = (pattern.indices, pattern.indptr)
        return cls([sp.csr_array((part, *place), shape=pattern.shape) for part in digits], exponent)

    @cached_property
    def absolute(self) -> DigitMatrix:
        """The absolute values of the entries."""
        return DigitMatrix([abs(part) for part in self.parts], self.exponent)

    def times(self, rows: np.ndarray, *, transposed: bool = False) -> np.ndarray:
        """``rows @ matrix / 2**exponent`` for an object array of int, (rows, outputs)."""
        width = self.parts[0].shape[0 if transposed else 1]
        if not transposed and not sp.issparse(self.parts[0]):
            used = rows.any(axis=0).astype(bool)
            if 0 < 2 * np.count_nonzero(used) < len(used):
                few = DigitMatrix([part[used] for part in self.parts], self.exponent)
                return few.times(rows[:, used])
        product = np.empty((len(rows), width), dtype=object)
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            block = rows[start : start + _ROWS_AT_ONCE]
            product[start : start + len(block)] = self._product(block, width, transposed)
        return product

    def _product(self, rows: np.ndarray, width: int, transposed: bool) -> np.ndarray:
        digits = _digits(rows.ravel())
        left, count = digits.reshape(-1, rows.shape[1]), len(digits)
        sums = np.zeros((count + len(self.parts) - 1, len(rows), width))
        for place, part in enumerate(self.parts):
            right = part.T if transposed else part
            found = (right.T @ left.T).T if sp.issparse(part) else left @ right
            sums[place : place + count] += found.reshape(count, len(rows), width)
        return _integers(sums.reshape(len(sums), -1)).reshape(len(rows), width)


def _signed_digits(values: np.ndarray) -> tuple[np.ndarray, int]:
    """Digits of finite float64 numbers, lowest first, (digits, *values), and the exponent."""
    mantissa, exponents = np.frexp(values)
    whole = np.abs(np.ldexp(mantissa, _MANTISSA)).astype(np.int64)
    lowest = np.frexp((whole & -whole).astype(np.float64))[1] - 1 + exponents - _MANTISSA
    used = values != 0
    exponent = int(lowest.min(where=used, initial=_LARGEST)) if used.any() else 0
    places = max(1, -(-int((exponents - exponent).max(where=used, initial=1)) // _BITS))
    digits = np.zeros((places, *values.shape))
    for place in range(places):
        # What lies at this place and above it, then without what lies above: exact, as all that is
        # cut off are low bits. Where nothing of a number can lie at the place it is left out.
        shift = exponents - exponent - _BITS * place
        inside = used & (shift > 0) & (shift <= _MANTISSA + _BITS)
        above = np.floor(np.ldexp(np.abs(mantissa), np.where(inside, shift, 0)))
        digits[place] = np.where(inside, np.copysign(np.fmod(above, 2.0**_BITS), mantissa), 0.0)
    return digits, exponent


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
