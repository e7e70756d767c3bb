"""Verdicts: what makes one, how several combine."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest

from relucert.errors import RelucertError
from relucert.network import Network
from relucert.query import Box, Case, Polyhedron, Query
from relucert.verdict import (
    Method,
    Proved,
    Reason,
    Unknown,
    Violated,
    Witness,
    combined,
    confirm,
)

F = Fraction
IDENTITY = Network.dense([np.array([[1.0]])], [np.zeros(1)])
THIRD = Query((Case(Box((F(0),), (F(1),)), (Polyhedron(((F(-1),),), (F(-1, 3),)),)),))

FOUND = Violated(Witness((F(0),), (F(1),)))
OPEN = Unknown(Reason.TIME)
RIGOROUS, TOLERANT = Proved(Method.BOUNDS), Proved(Method.MILP, 1e-6)


def test_confirm_evaluates_exactly():
    found = confirm(IDENTITY, THIRD, [F(1, 3)])
    assert found == Violated(Witness((F(1, 3),), (F(1, 3),)))
    assert confirm(IDENTITY, THIRD, [F(1, 3) - F(1, 10**40)]) is None


def test_confirm_refuses_points_outside_the_box():
    assert confirm(IDENTITY, THIRD, [F(1)]) is not None
    assert confirm(IDENTITY, THIRD, [1 + F(1, 10**40)]) is None


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_a_violation_wins_then_an_unknown_then_the_weakest_proof(size):
    kinds = (FOUND, OPEN, RIGOROUS, TOLERANT)
    for verdicts in itertools.product(kinds, repeat=size):
        expected = next(
            verdict for verdict in (FOUND, OPEN, TOLERANT, RIGOROUS) if verdict in verdicts
        )
        assert combined(verdicts) == expected


def test_the_wider_tolerance_is_named():
    coarse = Proved(Method.MILP, 1e-3)
    assert combined([TOLERANT, coarse, RIGOROUS]) == coarse
    assert combined([coarse, TOLERANT]) == coarse


def test_of_several_unknowns_the_first_is_named():
    assert combined([RIGOROUS, OPEN, Unknown(Reason.MEMORY)]) == OPEN


def test_nothing_cannot_be_combined():
    with pytest.raises(RelucertError, match="no verdicts"):
        combined([])


def test_only_the_milp_is_not_rigorous():
    assert [method for method in Method if not method.rigorous] == [Method.MILP]


def test_the_words():
    assert RIGOROUS.words == "Proved (linear bounds, rounding bounded)"
    assert TOLERANT.words == "Proved (MILP, solver tolerance 1e-06)"
    assert FOUND.words == "Violated (counterexample checked exactly)"
    assert Unknown(Reason.TIME, "10 s").words == "Unknown (time limit: 10 s)"
    assert OPEN.words == "Unknown (time limit)"
