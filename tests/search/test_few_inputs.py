"""The search for few inputs against exact enumeration, on small and awkward networks."""

import itertools
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.random_networks import questions

from relucert.limits import Limits
from relucert.network import Network
from relucert.query import Box, Polyhedron
from relucert.search.enumerate import enumerate_case
from relucert.search.few_inputs import search_few_inputs
from relucert.verdict import Reason, Unknown

pytest.importorskip("numba")

RELAXED = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)  # fmt: skip


def _searched(network, query, seconds=20.0, seed=0):
    return search_few_inputs(network, query, query.cases[0], Limits(seconds), seed=seed)


def _half_spaces(*rows):
    """One polyhedron a row: ``coefficients @ y <= limit``."""
    return tuple(
        Polyhedron((tuple(map(Fraction, row)),), (Fraction(limit),)) for row, limit in rows
    )


def _unit_box(size):
    return Box((Fraction(-1),) * size, (Fraction(1),) * size)


def _random_network(rng, sizes, scale=1.0):
    weights = [scale * rng.standard_normal((b, a)) for a, b in itertools.pairwise(sizes)]
    return Network.dense(weights, [rng.standard_normal(len(w)) for w in weights])


@RELAXED
@given(questions())
def test_agrees_with_exact_enumeration(question):
    network, query = question
    expected = enumerate_case(network, query, query.cases[0], Limits(60)).verdict
    found = _searched(network, query)
    if isinstance(found, Unknown):
        # Numbers from 1e-9 to 1e18 in one network: the bounds may be too wide to say anything.
        assert found.reason is Reason.ENGINE
    else:
        assert type(found) is type(expected)


@RELAXED
@given(questions(entries=st.integers(-3, 3).map(float)))
def test_small_integers_are_always_decided(question):
    """Ties, duplicate neurons and empty interiors included."""
    network, query = question
    expected = enumerate_case(network, query, query.cases[0], Limits(60)).verdict
    assert type(_searched(network, query)) is type(expected)
