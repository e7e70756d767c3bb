"""Counterexamples of tiny volume: single points, some of them not floats, and thin slivers."""

from __future__ import annotations

from fractions import Fraction

from soundness.builder import GalleryCase, at_least, dense, question


def cases():
    for spot in ("1/2", "1/3", "0.7"):
        for size in (1, 2, 3):
            yield from _tent(Fraction(spot), size)
    for exponent in (6, 9, 12, 14):
        yield from _sliver(exponent)


def _tent(spot, size):
    """``1 - sum |q x_i - p|`` for the spot p/q: 1 at one point only."""
    p, q = spot.numerator, spot.denominator
    rows = [[sign * q * (i == j) for j in range(size)] for i in range(size) for sign in (1, -1)]
    biases = [-sign * p for _ in range(size) for sign in (1, -1)]
    network = dense((rows, biases), ([[-1] * (2 * size)], [1]))
    why = f"all |{q} x - {p}| vanish only where every x is {spot}"
    box, name = [(0, 1)] * size, f"tent-{p}-{q}-{size}"
    yield GalleryCase(f"{name}-top", network, question(box, at_least(1)), (spot,) * size, why)
    above = 1 + Fraction(1, 10**12)
    yield GalleryCase(f"{name}-above", network, question(box, at_least(above)), None, why)


def _sliver(exponent):
    """``x - y`` within 10**-k of a line that runs through the box, but not through its centre."""
    scale = 10.0**exponent
    network = dense(
        ([[scale, -scale], [-scale, scale]], [-scale / 8, scale / 8]),
        ([[-1, -1]], [1]),
    )
    why = "the output is 1 - 10**k |x - y - 1/8|"
    box, name = [(0, 1), (0, 1)], f"sliver-{exponent}"
    spot = (Fraction(1, 2), Fraction(3, 8))
    yield GalleryCase(f"{name}-inside", network, question(box, at_least("1/2")), spot, why)
    yield GalleryCase(f"{name}-axis", network, question(box, at_least(1)), spot, why)
    yield GalleryCase(f"{name}-above", network, question(box, at_least("1.000000001")), None, why)
    away = [(0, "1/16"), (0, "1/2")]
    yield GalleryCase(f"{name}-away", network, question(away, at_least("1/2")), None, why)
