"""Numbers beyond the range of float64: right answers, and no warnings on standard error."""

from __future__ import annotations

import warnings
from fractions import Fraction

import numpy as np
import pytest

from relucert.network import Layer, Network
from relucert.query import Box, Case, Polyhedron, Query
from relucert.verdict import Proved, Violated
from relucert.verify import certify

WIDE = [Fraction(10) ** 400, Fraction(1, 10**330), Fraction(1, 10**400), Fraction(10) ** 308]


def _wide_network():
    """|x| in two rows that overflow when they are added up in floating point."""
    first = Layer(np.array([[1e308], [-1e308]]), np.zeros(2), np.ones(2, dtype=bool))
    return Network((first, Layer(np.array([[10.0, 10.0]]), np.zeros(1), np.zeros(1, dtype=bool))))


@pytest.mark.parametrize("engine", ["auto", "milp", "bounds", "enumerate"])
@pytest.mark.parametrize("factor", WIDE)
@pytest.mark.parametrize("reached", [True, False])
def test_coefficients_of_any_size(engine, factor, reached):
    """The outputs go from 0 to 1e309: is some output at most 1, or at most -1?"""
    limit = factor if reached else -factor
    part = Polyhedron(((factor,),), (limit,))
    query = Query((Case(Box((Fraction(-1),), (Fraction(1),)), (part,)),))
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        verdict = certify(_wide_network(), query, engine=engine, timeout=10).verdict
    assert not isinstance(verdict, Proved if reached else Violated)
    if engine in ("auto", "enumerate"):
        assert isinstance(verdict, Violated if reached else Proved)


@pytest.mark.parametrize("engine", ["auto", "milp", "bounds", "enumerate"])
def test_a_coefficient_that_rounds_to_zero_is_not_zero(engine):
    """1e-330 * y <= -1e-300 is reached at y = -1e31."""
    network = Network.dense([np.eye(1)], [np.zeros(1)])
    part = Polyhedron(((Fraction(1, 10**330),),), (-Fraction(1, 10**300),))
    query = Query((Case(Box((-(Fraction(10) ** 31),), (Fraction(0),)), (part,)),))
    verdict = certify(network, query, engine=engine, timeout=10).verdict
    assert not isinstance(verdict, Proved)
    if engine in ("auto", "enumerate"):
        assert isinstance(verdict, Violated)
