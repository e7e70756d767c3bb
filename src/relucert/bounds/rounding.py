"""Constants that bound floating-point errors (Higham 2002, section 3.5).

A float64 inner product of n terms, in any order, with or without fused multiply-add, differs
from the exact one by at most ``gamma(n) * sum |a_i b_i|`` plus an underflow term of at most
``n * 2**-1074``.
"""

from __future__ import annotations

import numpy as np

__all__ = ["SAFETY", "UNDERFLOW", "UNIT", "gamma", "round_down", "round_up"]

UNIT = 2.0**-53
"""Unit roundoff of float64."""

UNDERFLOW = 2.0**-1070
"""More than the absolute error of one underflowing operation."""

SAFETY = 1.0 + 2.0**-20
"""Covers the rounding made while an error bound is itself computed (up to 2**32 terms)."""


def gamma(terms: int) -> float:
    """Higham's gamma_n with eight operations to spare, rounded up."""
    count = terms + 8
    return count * UNIT / (1.0 - count * UNIT) * SAFETY


def round_up(values: np.ndarray) -> np.ndarray:
    """The next float64 above each value."""
    return np.asarray(np.nextafter(values, np.inf))


def round_down(values: np.ndarray) -> np.ndarray:
    """The next float64 below each value."""
    return np.asarray(np.nextafter(values, -np.inf))
