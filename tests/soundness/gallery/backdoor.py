"""Backdoors hidden by rounding, after Zombori et al., "Fooling a complete neural network
verifier" (ICLR 2021): a large constant swallows the trigger in floating point, in one order of
evaluation, so that a verifier may think a part of the network dead (or alive) that is not.
"""

from __future__ import annotations

from soundness.builder import GalleryCase, at_least, at_most, dense, point, question

STRENGTHS = (2.0**25, 2.0**54, 1e17, 2.0**70)


def cases():
    for omega in STRENGTHS:
        yield from _open_door(omega)
        yield from _closed_door(omega)
        yield from _two_classes(omega)


def _open_door(omega):
    """``h = relu(relu(t + omega) - omega - 1/2)`` is t - 1/2 from t = 1/2 on; -2 h is added."""
    network = dense(
        ([[1], [1]], [omega, 0]),
        ([[1, 0], [0, 1]], [-omega, 0]),
        ([[1, 0], [0, 1]], [-0.5, 0]),
        ([[-4, 0]], [1]),
    )
    why = "the output is 1 - 4 relu(t - 1/2): -1 at t = 1"
    box, name = [(0, 1)], f"open-door-{omega:.0e}"
    yield GalleryCase(f"{name}-opens", network, question(box, at_most(0)), point(1), why)
    yield GalleryCase(f"{name}-tie", network, question(box, at_most(-1)), point(1), why)
    yield GalleryCase(f"{name}-bottom", network, question(box, at_most("-1.000001")), None, why)


def _closed_door(omega):
    """``relu(t + omega) - omega - 1`` is t - 1 < 0 on t <= 3/4: the door is never open."""
    network = dense(([[1]], [omega]), ([[1]], [-omega]), ([[1]], [-1]), ([[-1e6]], [1]))
    why = "t - 1 is at most -1/4, so the ReLU is dead and the output is 1"
    box, name = [(0, "3/4")], f"closed-door-{omega:.0e}"
    yield GalleryCase(f"{name}-closed", network, question(box, at_most("0.999999")), None, why)
    yield GalleryCase(f"{name}-tie", network, question(box, at_most(1)), point(0), why)


def _two_classes(omega):
    """Two inputs, two classes; the door adds to the wrong class only near the corner (1, 1)."""
    network = dense(
        ([[1, 1], [1, 0], [0, 1]], [omega, 0, 0]),
        ([[1, 0, 0], [0, 1, 0], [0, 0, 1]], [-omega, 0, 0]),
        ([[1, 0, 0], [0, 1, 0], [0, 0, 1]], [-1.75, 0, 0]),
        ([[0, 0, 0], [16, 0, 0]], [1, 0]),
    )
    why = "the second class has 16 relu(a + b - 1.75), at most 4; it wins above a + b = 1.8125"
    box, name = [(0, 1), (0, 1)], f"two-classes-{omega:.0e}"
    wins = [([1, -1], 0)]
    yield GalleryCase(f"{name}-wins", network, question(box, wins), point(1, 1), why)
    inner = [(0, "0.9"), (0, "0.9")]
    yield GalleryCase(f"{name}-loses", network, question(inner, wins), None, why)
    yield GalleryCase(f"{name}-top", network, question(box, at_least(4, (0, 1))),
                      point(1, 1), why)  # fmt: skip
