"""Ranges of small networks over balls, rational solutions, and a point that fools half-spaces."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reductions.problems.depth_two import depth_two_form
from relucert.errors import QueryError
from relucert.limits import Limits
from relucert.memorization.decision.balls import labelled_balls
from relucert.memorization.decision.construct import Affine, worst_point
from relucert.memorization.decision.networks import (
    BallRange,
    Failure,
    constant_network,
    smallest_margin,
)
from relucert.memorization.decision.rational import LinearSystem
from relucert.network import Network
from relucert.read.points import LabelledPoints

_VALUES = st.one_of(st.integers(-3, 3).map(float), st.floats(-2, 2, allow_subnormal=False))


@st.composite
def _networks(draw, inputs=2):
    width = draw(st.integers(1, 2))

    def array(*shape):
        count = int(np.prod(shape))
        return np.array(draw(st.lists(_VALUES, min_size=count, max_size=count))).reshape(shape)

    return Network.dense([array(width, inputs), array(1, width)], [array(width), array(1)])


def _sparse(row):
    return tuple((index, Fraction(value)) for index, value in enumerate(row) if value)


@settings(max_examples=150, deadline=None)
@given(_networks(), st.lists(_VALUES, min_size=2, max_size=2),
       st.sampled_from([Fraction(0), Fraction(1, 3), Fraction(2)]))  # fmt: skip
def test_ranges_agree_with_an_independent_closed_form(network, centre, radius):
    form, point = depth_two_form(network, 2), _sparse(centre)
    assert BallRange(network, radius, 1).maximum(point) == form.maximum_on_ball(point, radius)
    assert -BallRange(network, radius, -1).maximum(point) == form.minimum_on_ball(point, radius)


@settings(max_examples=100, deadline=None)
@given(_networks(), st.lists(_VALUES, min_size=2, max_size=2), st.integers(0, 2**32 - 1))
def test_no_point_of_the_ball_exceeds_the_maximum(network, centre, seed):
    radius = Fraction(1, 2)
    top = BallRange(network, radius, 1).maximum(_sparse(centre))
    rng = np.random.default_rng(seed)
    for step in rng.choice([-1, -0.5, 0, 0.25, 1], (20, 2)):
        x = [Fraction(c) + radius * Fraction(float(s)) for c, s in zip(centre, step, strict=True)]
        assert network.evaluate_exactly(x)[0] <= top


def _balls(rows, labels, budget=Fraction(0)):
    data = LabelledPoints(np.array(labels), "points", np.array(rows, dtype=float))
    return labelled_balls(data, budget)


def test_a_tie_is_a_failure():
    balls = _balls([[0.0], [1.0]], [-1, 1], Fraction(1, 4))
    touching = Network.dense(
        [np.array([[1.0]]), np.array([[1.0]])], [np.array([0.0]), np.array([-0.25])]
    )
    assert smallest_margin(touching, balls) == Failure((0,))
    clear = Network.dense(
        [np.array([[1.0]]), np.array([[1.0]])], [np.array([0.0]), np.array([-0.375])]
    )
    assert smallest_margin(clear, balls) == Fraction(1, 8)
    assert smallest_margin(constant_network(1, 1.0), balls) == Failure((0,))


def test_other_networks_are_refused():
    balls = _balls([[0.0], [1.0]], [-1, 1])
    three = Network.dense([np.ones((3, 1)), np.ones((1, 3))], [np.zeros(3), np.zeros(1)])
    deep = Network.dense([np.ones((1, 1)), np.ones((1, 1)), np.ones((1, 1))], [np.zeros(1)] * 3)
    for network in (three, deep):
        with pytest.raises(QueryError, match="at most two ReLUs"):
            smallest_margin(network, balls)


def test_the_worst_point_of_a_ball_is_found_between_two_half_spaces():
    """h1 = x, h2 = y over [-1, 1]^2: neither is negative at the corner (1, 1)."""
    balls = _balls([[0.0, 0.0], [9.0, 9.0]], [-1, 1], Fraction(1))
    functions = [
        Affine({0: Fraction(1)}, Fraction(0)),
        Affine({1: Fraction(1)}, Fraction(0)),
    ]
    assert worst_point(functions, balls, 0, Limits()) == ((0, Fraction(1)), (1, Fraction(1)))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_rational_solutions_near_float_ones_are_exact(seed):
    """A random convex combination that hits a point: found again from its float values."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(4, 2))
    weights = rng.random(4)
    weights /= weights.sum()
    exact = [Fraction(float(value)) for value in weights[:3]]
    exact.append(1 - sum(exact))
    target = [
        sum(e * Fraction(float(row[k])) for e, row in zip(exact, rows, strict=True)) for k in (0, 1)
    ]
    system = LinearSystem()
    system.equal(dict.fromkeys(range(4), Fraction(1)), Fraction(1))
    for k in (0, 1):
        system.equal({i: Fraction(float(row[k])) for i, row in enumerate(rows)}, target[k])
    solution = system.exact_solution(dict(enumerate(weights.tolist())))
    assert solution is not None
    assert system.satisfied(solution)
    assert max(abs(float(solution[i]) - weights[i]) for i in range(4)) < 1e-6


def test_a_system_without_a_solution_gives_none():
    system = LinearSystem()
    system.equal({"a": Fraction(1)}, Fraction(1))
    system.absolute({"a": Fraction(1)}, {}, Fraction(1, 2))
    assert system.exact_solution({"a": 0.999}) is None
