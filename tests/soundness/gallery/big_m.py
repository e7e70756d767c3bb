"""Big-M killers: one input, few neurons, weights up to 1e17.

A MILP that models a ReLU by ``a <= M d`` with an integrality tolerance of 1e-6 lets ``a`` slip
by 1e-6 M, which is everything here.
"""

from __future__ import annotations

from fractions import Fraction

from soundness.builder import GalleryCase, at_least, at_most, dense, question

WEIGHTS = (1e3, 1e6, 1e9, 1e12, 1e15, 1e17)


def cases():
    for weight in WEIGHTS:
        yield from _step(weight)
        yield from _bump(weight)
        yield from _sandwich(weight)


def _step(weight):
    """``relu(w x) - relu(w x - 1)``: 0 up to x = 0, 1 from x = 1/w on."""
    network = dense(([[weight], [weight]], [0, -1]), ([[1, -1]], [0]))
    why = "the output is w x clipped to [0, 1]"
    name, box = f"step-{weight:.0e}", [(-1, 1)]
    yield GalleryCase(f"{name}-reaches-one", network, question(box, at_least(1)),
                      (Fraction(1),), why)  # fmt: skip
    yield GalleryCase(f"{name}-not-more", network, question(box, at_least("1.000001")), None, why)
    yield GalleryCase(f"{name}-not-less", network, question(box, at_most("-1e-9")), None, why)
    low = [(-1, 0)]
    yield GalleryCase(f"{name}-stays-zero", network, question(low, at_least("1e-9")), None, why)


def _bump(weight):
    """A triangle of height one and width 2/w with its peak where ``w x + b = 1``."""
    bias = -float(weight) * 0.3
    rows = [[weight]] * 3
    network = dense((rows, [bias, bias - 1, bias - 2]), ([[1, -2, 1]], [0]))
    exact = [Fraction(float(b)) for b in (bias, bias - 1, bias - 2)]
    if exact[0] - exact[1] != 1 or exact[1] - exact[2] != 1:
        return  # the biases are too large to differ by exactly one
    peak = (1 - exact[0]) / Fraction(float(weight))
    why = "1 at w x + b = 1, falling to 0 over 1/w on both sides"
    name, box = f"bump-{weight:.0e}", [(0, 1)]
    yield GalleryCase(f"{name}-peak", network, question(box, at_least(1)), (peak,), why)
    yield GalleryCase(f"{name}-half", network, question(box, at_least("1/2")), (peak,), why)
    yield GalleryCase(f"{name}-above", network, question(box, at_least("1.000001")), None, why)


def _sandwich(weight):
    """``relu(relu(w x) / w - 1/2)`` with a rounded reciprocal: at most about a half."""
    network = dense(([[weight]], [0]), ([[1 / weight]], [-0.5]), ([[1]], [0]))
    slope = Fraction(float(weight)) * Fraction(1 / weight)
    top = slope - Fraction(1, 2)
    box = [(-1, 1)]
    why = "increasing in x, so largest at x = 1, where it is w fl(1/w) - 1/2 exactly"
    name = f"sandwich-{weight:.0e}"
    yield GalleryCase(f"{name}-top", network, question(box, at_least(top)), (Fraction(1),), why)
    above = top + Fraction(1, 10**30)
    yield GalleryCase(f"{name}-above", network, question(box, at_least(above)), None, why)
