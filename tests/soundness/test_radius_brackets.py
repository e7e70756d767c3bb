"""Radius brackets on networks whose smallest perturbation is known exactly."""

from __future__ import annotations

from fractions import Fraction

import pytest
from soundness.builder import dense

from relucert.query import Decision
from relucert.radius import robustness_radius

SIGN = Decision("sign", 2)


def thresholds():
    """Sign networks that turn at 1/4 (or where a stored number says), asked about from 0."""
    quarter = Fraction(1, 4)
    for bits in (24, 53, 70):
        big = 2.0**bits
        net = dense(([[1]], [big]), ([[1]], [-big]), ([[1]], [0]), ([[-1]], [0.25]))
        yield f"absorbed-{bits}", net, quarter
    for weight in (2.0**10, 2.0**40, 2.0**56):
        net = dense(([[weight], [-weight]], [0, 0]), ([[-1, -1]], [weight / 4]))
        yield f"steep-{weight:.0e}", net, quarter
        net = dense(([[weight]], [-weight / 4]), ([[-1]], [2.0**-20]))
        yield f"bend-{weight:.0e}", net, quarter + Fraction(1, 2**20) / Fraction(weight)
    net = dense(([[1e-310]], [0]), ([[-1e300]], [2.5e-11]))
    slope = Fraction(1e-310) * Fraction(1e300)
    yield "subnormal", net, Fraction(2.5e-11) / slope


@pytest.mark.parametrize(("network", "exact"), [
    pytest.param(network, exact, id=name) for name, network, exact in thresholds()
])  # fmt: skip
def test_the_bracket_holds_the_radius(network, exact):
    bracket = robustness_radius(network, [Fraction(0)], 1, SIGN, timeout=2.0)
    assert bracket.lower <= exact
    assert bracket.upper is None or bracket.upper >= exact
