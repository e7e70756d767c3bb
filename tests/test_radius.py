"""Radius brackets against exact answers of networks small enough to know them."""

from fractions import Fraction

import numpy as np
import pytest

from relucert.errors import QueryError
from relucert.limits import Limits
from relucert.network import Network
from relucert.query import Decision, robustness_query
from relucert.radius import robustness_radius
from relucert.search.enumerate import enumerate_case
from relucert.verdict import Method, Proved, Violated

ARGMAX = Decision("argmax", 2)


def _line(weight, bias) -> Network:
    """Two outputs whose difference is ``weight * x + bias``."""
    return Network.dense([np.array([[weight], [0.0]])], [np.array([bias, 0.0])])


def test_a_linear_network_has_its_distance_to_the_boundary():
    # Label 0 wins while 2 x + 1 > 0, so from x = 1 the boundary x = -1/2 is 3/2 away.
    found = robustness_radius(_line(2.0, 1.0), (Fraction(1),), 0, ARGMAX, timeout=20)
    assert found.lower <= Fraction(3, 2) <= found.upper
    assert found.closed


def test_the_witness_is_unsafe_at_exactly_the_upper_end():
    network = _line(2.0, 1.0)
    found = robustness_radius(network, (Fraction(1),), 0, ARGMAX, timeout=20)
    (x,) = found.witness.input
    assert abs(x - 1) == found.upper
    assert network.evaluate_exactly((x,)) == found.witness.output
    assert found.witness.output[0] <= found.witness.output[1]


def test_a_misclassified_point_has_radius_zero():
    found = robustness_radius(_line(2.0, 1.0), (Fraction(1),), 1, ARGMAX, timeout=20)
    assert (found.lower, found.upper, found.closed) == (0, 0, True)


def test_a_tie_at_the_point_counts_as_lost():
    found = robustness_radius(_line(1.0, 0.0), (Fraction(0),), 0, ARGMAX, timeout=20)
    assert found.upper == 0


def test_clip_can_make_a_point_robust_everywhere():
    found = robustness_radius(
        _line(1.0, 1.0), (Fraction(1, 2),), 0, ARGMAX, clip=(Fraction(0), Fraction(1)), timeout=20
    )
    assert found.upper is None
    assert found.lower > Fraction(9, 10)
    assert not found.closed


def _exact_radius(network, point, label, decision, digits=2**-14):
    """Bisection with the exact enumeration engine: (proved radius, violated radius)."""
    low, high = Fraction(0), Fraction(8)
    while high - low > Fraction(digits):
        middle = (low + high) / 2
        query = robustness_query(point, label, decision, radius=middle)
        verdict = enumerate_case(network, query, query.cases[0], Limits()).verdict
        if isinstance(verdict, Proved):
            low = middle
        else:
            assert isinstance(verdict, Violated)
            high = middle
    return low, high


@pytest.mark.parametrize("seed", range(12))
def test_brackets_agree_with_exact_bisection(seed):
    rng = np.random.default_rng(seed)
    inputs, outputs = int(rng.integers(1, 3)), int(rng.integers(2, 4))
    weights = [rng.normal(size=(6, inputs)), rng.normal(size=(5, 6)), rng.normal(size=(outputs, 5))]
    network = Network.dense(
        weights, [rng.normal(size=6), rng.normal(size=5), rng.normal(size=outputs)]
    )
    point = tuple(Fraction(float(value)) for value in rng.normal(size=inputs))
    label = int(network.evaluate(np.array([float(v) for v in point])).argmax())
    decision = Decision("argmax", outputs)
    query = robustness_query(point, label, decision, radius=Fraction(8))
    if isinstance(enumerate_case(network, query, query.cases[0], Limits()).verdict, Proved):
        return
    low, high = _exact_radius(network, point, label, decision)
    found = robustness_radius(network, point, label, decision, timeout=30)
    assert found.lower <= high
    assert found.upper >= low
    assert found.closed
    assert found.upper - low <= Fraction(1, 500) * high + Fraction(1, 2**13)


def test_the_lower_end_by_bounds_alone_is_proved():
    rng = np.random.default_rng(5)
    network = Network.dense(
        [rng.normal(size=(8, 2)), rng.normal(size=(2, 8))], [np.zeros(8), np.zeros(2)]
    )
    point = (Fraction(1, 3), Fraction(2, 3))
    label = int(network.evaluate(np.array([1 / 3, 2 / 3])).argmax())
    found = robustness_radius(network, point, label, ARGMAX, timeout=20)
    if found.method is Method.BOUNDS:
        query = robustness_query(point, label, ARGMAX, radius=found.lower)
        assert isinstance(enumerate_case(network, query, query.cases[0], Limits()).verdict, Proved)


def test_bad_labels_and_points_are_named():
    with pytest.raises(QueryError, match="label 5 is out of range"):
        robustness_radius(_line(1.0, 0.0), (Fraction(0),), 5, ARGMAX)
    with pytest.raises(QueryError, match="outside the clip range"):
        robustness_radius(
            _line(1.0, 0.0), (Fraction(2),), 0, ARGMAX, clip=(Fraction(0), Fraction(1))
        )
    with pytest.raises(QueryError, match="2 inputs, the network 1"):
        robustness_radius(_line(1.0, 0.0), (Fraction(0), Fraction(0)), 0, ARGMAX)
