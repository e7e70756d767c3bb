"""Sets and boxes are closed: an output on the threshold is unsafe, one beside it is not."""

from __future__ import annotations

from fractions import Fraction

from soundness.builder import GalleryCase, at_least, at_most, dense, point, question

BESIDE = Fraction(1, 10**30)


def cases():
    yield from _decimal_ends()
    yield from _corners()
    yield from _dead_at_zero()
    yield from _constant()
    yield from _two_rows()
    yield from _equal_classes()


def _decimal_ends():
    """0.1 is not a float: the box ends at one tenth exactly."""
    network = dense(([[10]], [0]), ([[1]], [0]))
    why = "10 x on [0.1, 0.2] takes all values from 1 to 2"
    box = [("0.1", "0.2")]
    yield GalleryCase("decimal-low", network, question(box, at_most(1)), point("0.1"), why)
    yield GalleryCase("decimal-high", network, question(box, at_least(2)), point("0.2"), why)
    yield GalleryCase("decimal-below", network, question(box, at_most(1 - BESIDE)), None, why)
    yield GalleryCase("decimal-above", network, question(box, at_least(2 + BESIDE)), None, why)
    fixed = [("0.1", "0.1")]
    yield GalleryCase("decimal-fixed", network, question(fixed, at_most(1)), point("0.1"), why)
    yield GalleryCase("decimal-fixed-below", network, question(fixed, at_most(1 - BESIDE)),
                      None, why)  # fmt: skip


def _corners():
    for size in (1, 2, 4, 6):
        row = [1] * size
        network = dense(([row, [-1] * size], [0, 0]), ([[1, -1]], [0]))
        why = "relu(s) - relu(-s) = s, the sum of the inputs: largest in one corner only"
        box, name = [(0, 1)] * size, f"corner-{size}"
        yield GalleryCase(f"{name}-touched", network, question(box, at_least(size)),
                          (Fraction(1),) * size, why)  # fmt: skip
        yield GalleryCase(f"{name}-missed", network, question(box, at_least(size + BESIDE)),
                          None, why)  # fmt: skip


def _dead_at_zero():
    """Pre-activations that reach exactly zero, from below and from above."""
    network = dense(([[1], [-1]], [-1, 0]), ([[1, 1]], [0]))
    why = "relu(x - 1) + relu(-x) is 0 on all of [0, 1]"
    box = [(0, 1)]
    yield GalleryCase("dead-zero", network, question(box, at_most(0)), point(1), why)
    yield GalleryCase("dead-above", network, question(box, at_least(BESIDE)), None, why)
    yield GalleryCase("dead-below", network, question(box, at_most(-BESIDE)), None, why)
    wider = [(0, "1.000000000000000000000001")]
    yield GalleryCase("dead-just-alive", network, question(wider, at_least(Fraction(1, 10**24))),
                      point("1.000000000000000000000001"), why)  # fmt: skip


def _constant():
    network = dense(([[0]], [-1]), ([[1]], [0.1]))
    tenth = Fraction(0.1)
    why = "the output is the float nearest to 0.1, which is larger than 0.1"
    box = [(-1, 1)]
    yield GalleryCase("constant-float", network, question(box, at_most(tenth)), point(0), why)
    yield GalleryCase("constant-decimal", network, question(box, at_most("0.1")), None, why)


def _two_rows():
    """Both rows hold in one point only, or nowhere."""
    network = dense(([[1, 0], [0, 1]], [0, 0]), ([[1, 1], [1, -1]], [0, 0]))
    why = "y0 = a + b, y1 = a - b on the unit square: y0 >= 1 and y1 >= 1 only at (1, 0)"
    box = [(0, 1), (0, 1)]
    both = [*at_least(1, (1, 0)), *at_least(1, (0, 1))]
    yield GalleryCase("rows-meet", network, question(box, both), point(1, 0), why)
    apart = [*at_least(1 + BESIDE, (1, 0)), *at_least(1, (0, 1))]
    yield GalleryCase("rows-apart", network, question(box, apart), None, why)


def _equal_classes():
    network = dense(([[1], [1]], [0, 0]), ([[1, 0], [0, 1]], [0, 0]))
    why = "both outputs are the same: a tie, and y1 <= y0 includes it"
    box = [(0, 1)]
    yield GalleryCase("classes-tie", network, question(box, [([-1, 1], 0)]), point(0), why)
    yield GalleryCase("classes-strict", network, question(box, [([-1, 1], -BESIDE)]), None, why)
