"""Which float64 sums and products are exact, and square roots rounded correctly.

Readers may merge two affine maps only where the merged entries are the exact ones; these
functions say where that is so. They may answer no to an exact product, never yes to a rounded one.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

__all__ = ["nearest_root_ratio", "products_are_exact", "sums_are_exact"]

_LOWEST_EXPONENT = -1074
_MANTISSA_BITS = 53
_CHUNK = 1 << 15  # intermediate arrays of this size stay in the cache


def sums_are_exact(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Where the float64 sum ``a + b`` has no rounding error (Knuth's two-sum), as a bool array."""
    with np.errstate(over="ignore", invalid="ignore"):
        total = a + b
        b_part = total - a
        error = (a - (total - b_part)) + (b - b_part)
        exact: np.ndarray = np.isfinite(total) & (error == 0)
        return exact


def products_are_exact(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Where the float64 product ``a * b`` is known to have no rounding error, as a bool array.

    The odd mantissas of p and q bits have a product of at most p + q bits; 53 fit.
    """
    a, b = np.broadcast_arrays(np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64))
    if a.ndim != 1 or len(a) <= _CHUNK:
        return _products_are_exact(a, b)
    starts = range(0, len(a), _CHUNK)
    return np.concatenate(
        [_products_are_exact(a[i : i + _CHUNK], b[i : i + _CHUNK]) for i in starts]
    )


def _products_are_exact(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    a_bits, a_lowest = _bits(a)
    b_bits, b_lowest = _bits(b)
    fits = (a_bits + b_bits <= _MANTISSA_BITS) | (np.minimum(a_bits, b_bits) <= 1)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        finite = np.isfinite(a * b)
    in_range = finite & (a_lowest + b_lowest >= _LOWEST_EXPONENT)
    exact: np.ndarray = (fits & in_range) | (a == 0) | (b == 0)
    exact &= np.isfinite(a) & np.isfinite(b)
    return exact


def _bits(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Length in bits of the odd mantissa (53 at most), and the exponent of its lowest bit.

    Read off the IEEE 754 layout, which is much quicker than `numpy.frexp` on many entries. For
    subnormal numbers the length is an upper bound.
    """
    raw = np.ascontiguousarray(values).view(np.int64)
    biased = (raw >> 52) & 0x7FF
    mantissas = (raw & ((1 << 52) - 1)) | ((biased > 0).astype(np.int64) << 52)
    lowest_bit = np.maximum(mantissas & -mantissas, 1)
    trailing = (lowest_bit.astype(np.float64).view(np.int64) >> 52) - 1023
    bits = np.where(mantissas == 0, 0, _MANTISSA_BITS - trailing)
    return bits, np.maximum(biased, 1) - 1075 + trailing


def nearest_root_ratio(scale: Fraction, radicand: Fraction) -> float:
    """The float64 nearest to ``scale / sqrt(radicand)``, ties to even.

    Raises ValueError when the radicand is not positive, OverflowError beyond the float range.
    """
    if radicand <= 0:
        raise ValueError("the variance plus epsilon is not positive")
    if scale == 0:
        return 0.0
    square = scale * scale / radicand
    # An integer root of at least 64 bits, its last bit set where it is not the exact root: that
    # keeps it on the right side of every float64 and of every midpoint between two of them.
    shift = max(0, 64 + (square.denominator.bit_length() - square.numerator.bit_length()) // 2 + 1)
    scaled, rest = divmod(square.numerator << (2 * shift), square.denominator)
    root = math.isqrt(scaled)
    sticky = 2 * root + int(rest != 0 or root * root != scaled)
    magnitude = float(Fraction(sticky, 1 << (shift + 1)))
    return -magnitude if scale < 0 else magnitude
