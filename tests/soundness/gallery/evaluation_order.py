"""Networks whose floating-point value depends on the order of the operations."""

from __future__ import annotations

from fractions import Fraction

from soundness.builder import GalleryCase, at_least, at_most, dense, point, question


def cases():
    for bits in (24, 53, 60, 90):
        yield from _absorbed(bits)
        yield from _lost_in_a_sum(bits)
    yield from _halves()


def _absorbed(bits):
    """``relu(x + 2**k) - 2**k`` is x, but rounds to 0 or to a multiple of a large step."""
    big = 2.0**bits
    network = dense(([[1]], [big]), ([[1]], [-big]))
    box = [(0, "1/2")]
    why = "x + 2**k is positive, so the output is x"
    name = f"absorbed-{bits}"
    yield GalleryCase(f"{name}-seen", network, question(box, at_least("3/8")), point("1/2"), why)
    yield GalleryCase(f"{name}-tie", network, question(box, at_least("1/2")), point("1/2"), why)
    yield GalleryCase(f"{name}-above", network, question(box, at_least("0.500001")), None, why)
    yield GalleryCase(f"{name}-below", network, question(box, at_most("-1e-6")), None, why)


def _lost_in_a_sum(bits):
    """``2**k a + x - 2**k b`` with a = b = 1: one row, three terms."""
    big = 2.0**bits
    network = dense(([[big, 1, -big]], [0]), ([[1]], [0]))
    box = [(1, 1), ("1/4", "3/4"), (1, 1)]
    why = "the large terms cancel: the output is the second input"
    name = f"sum-{bits}"
    yield GalleryCase(f"{name}-zero", network, question(box, at_most(0)), None, why)
    yield GalleryCase(f"{name}-tie", network, question(box, at_most("1/4")),
                      point(1, "1/4", 1), why)  # fmt: skip
    yield GalleryCase(f"{name}-one", network, question(box, at_least(1)), None, why)


def _halves():
    """1 and sixteen times 2**-53: from the left each is rounded away, from the right none is."""
    tiny = 2.0**-53
    network = dense(([[1] + [tiny] * 16, [1] + [tiny] * 16], [0, 0]), ([[1, 0], [0, 1]], [-1, 0]))
    box = [(1, 1)] * 17
    exact = 16 * Fraction(tiny)
    why = "the first output is 16 * 2**-53 exactly"
    yield GalleryCase("halves-zero", network, question(box, at_most(0, (1, 0))), None, why)
    yield GalleryCase("halves-exact", network, question(box, at_most(exact, (1, 0))),
                      (Fraction(1),) * 17, why)  # fmt: skip
    yield GalleryCase("halves-more", network,
                      question(box, at_least(exact + Fraction(1, 10**25), (1, 0))),
                      None, why)  # fmt: skip
