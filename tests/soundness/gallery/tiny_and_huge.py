"""Subnormal weights and inputs, huge biases, cancellation across the whole range of floats."""

from __future__ import annotations

from fractions import Fraction

from soundness.builder import GalleryCase, affine, at_least, at_most, dense, question

from relucert.network import Network

SMALLEST = 2.0**-1074


def cases():
    yield from _subnormal_weights()
    yield from _subnormal_inputs()
    yield from _lost_products()
    yield from _huge_biases()
    yield from _far_apart()


def _subnormal_weights():
    for weight in (1e-310, SMALLEST, 2.0**-1022):
        network = dense(([[weight]], [0]), ([[1e300]], [0]), ([[1e10]], [0]))
        top = Fraction(weight) * Fraction(1e300) * Fraction(1e10)
        why = "increasing in x: the exact product of the weights at x = 1"
        box, name = [(0, 1)], f"subnormal-weight-{weight:.0e}"
        yield GalleryCase(f"{name}-top", network, question(box, at_least(top)),
                          (Fraction(1),), why)  # fmt: skip
        yield GalleryCase(f"{name}-above", network, question(box, at_least(top * Fraction("1.1"))),
                          None, why)  # fmt: skip
        yield GalleryCase(f"{name}-below", network, question(box, at_most(-top / 1000)), None, why)


def _subnormal_inputs():
    """An input fixed at the smallest float (or three times it), times 1e300 twice."""
    for units in (1, 3):
        fixed = units * Fraction(SMALLEST)
        network = dense(([[1e300, 0], [0, 1]], [0, 0]), ([[1e300, 0]], [0]))
        top = fixed * Fraction(1e300) ** 2
        why = "only the fixed input matters"
        box, name = [(fixed, fixed), (0, 1)], f"subnormal-input-{units}"
        spot = (fixed, Fraction(0))
        yield GalleryCase(f"{name}-value", network, question(box, at_least(top)), spot, why)
        yield GalleryCase(f"{name}-not-zero", network, question(box, at_most(top / 100)),
                          None, why)  # fmt: skip
        yield GalleryCase(f"{name}-not-more", network, question(box, at_least(top * 2)), None, why)


def _lost_products():
    """Weights of 1e-200 on inputs of 1e-200: the products are below every float.

    Large weights lift the difference of two of them back; its sign is that of a c - b d, which
    rounding gets wrong.
    """
    scale, big = 2.0**-660, 2.0**990
    a, c = 1 + 2.0**-30, 1 - 2.0**-30  # a c = 1 - 2**-60, which rounds to one
    box = [(Fraction(scale), 2 * Fraction(scale))]
    spot = (Fraction(scale),)
    for lift in (0.0, 2.0**-61, 2.0**-59):
        network = Network((affine([[a * scale], [scale], [lift * scale]], [0, 0, 0]),))
        slope = Fraction(a) * Fraction(c) - 1 + Fraction(lift)
        row = (Fraction(c * big), -Fraction(big), Fraction(big))
        why = f"{float(slope):.3g} times positive numbers, though a c rounds to one"
        name, falls = f"lost-products-{lift:.0e}", slope < 0
        yield GalleryCase(f"{name}-low", network, question(box, at_most(0, row)),
                          spot if falls else None, why)  # fmt: skip
        yield GalleryCase(f"{name}-high", network, question(box, at_least(0, row)),
                          None if falls else spot, why)  # fmt: skip


def _huge_biases():
    for bias in (1e16, 1e30, 1e300):
        network = dense(([[1], [1]], [bias, -bias]), ([[1, 1]], [-bias]))
        why = "the second ReLU is dead; the biases cancel: the output is x"
        box, name = [(-1, 1)], f"bias-{bias:.0e}"
        yield GalleryCase(f"{name}-top", network, question(box, at_least(1)), (Fraction(1),), why)
        yield GalleryCase(f"{name}-above", network, question(box, at_least("1.01")), None, why)
        yield GalleryCase(f"{name}-below", network, question(box, at_most("-1.01")), None, why)


def _far_apart():
    """Numbers whose products overflow on the way, though the result is small."""
    network = dense(([[1e200]], [0]), ([[1e200]], [0]), ([[1e-200]], [0]), ([[1e-200]], [0]))
    top = Fraction(1e200) ** 2 * Fraction(1e-200) ** 2
    why = "increasing in x: the exact product of the weights at x = 1"
    box = [(-1, 1)]
    yield GalleryCase("overflow-top", network, question(box, at_least(top)), (Fraction(1),), why)
    yield GalleryCase("overflow-above", network, question(box, at_least(top + 1)), None, why)
    yield GalleryCase("overflow-below", network, question(box, at_most(-1)), None, why)
