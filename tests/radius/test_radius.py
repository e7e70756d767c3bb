"""Radius brackets against exact answers of networks small enough to know them."""

from fractions import Fraction

import numpy as np
import pytest

from relucert.errors import QueryError
from relucert.limits import Limits
from relucert.network import Network
from relucert.query import Decision, robustness_query
from relucert.radius import robustness_radius, starts_together
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


def _exactly(network, point, label, decision, radius):
    query = robustness_query(point, label, decision, radius=radius)
    return enumerate_case(network, query, query.cases[0], Limits()).verdict


@pytest.mark.parametrize("seed", range(12))
def test_both_ends_agree_with_exact_enumeration(seed):
    rng = np.random.default_rng(seed)
    inputs, outputs = int(rng.integers(1, 3)), int(rng.integers(2, 4))
    weights = [rng.normal(size=(6, inputs)), rng.normal(size=(5, 6)), rng.normal(size=(outputs, 5))]
    network = Network.dense(
        weights, [rng.normal(size=6), rng.normal(size=5), rng.normal(size=outputs)]
    )
    point = tuple(Fraction(float(value)) for value in rng.normal(size=inputs))
    label = int(network.evaluate(np.array([float(v) for v in point])).argmax())
    decision = Decision("argmax", outputs)
    found = robustness_radius(network, point, label, decision, timeout=30)
    if found.upper is None:
        assert isinstance(_exactly(network, point, label, decision, Fraction(8)), Proved)
        return
    assert found.closed
    if found.lower > 0:
        assert isinstance(_exactly(network, point, label, decision, found.lower), Proved)
    assert isinstance(_exactly(network, point, label, decision, found.upper), Violated)


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


def test_many_points_together_begin_with_sound_ends():
    rng = np.random.default_rng(9)
    weights = [rng.normal(size=(6, 2)), rng.normal(size=(2, 6))]
    network = Network.dense(weights, [rng.normal(size=6), rng.normal(size=2)])
    points = [tuple(Fraction(float(v)) for v in rng.normal(size=2)) for _ in range(20)]
    labels = [int(network.evaluate(np.array([float(v) for v in p])).argmax()) for p in points]
    starts = starts_together(network, points, labels, ARGMAX, None, 3)
    ratios = []
    for point, label, start in zip(points, labels, starts, strict=True):
        query = robustness_query(point, label, ARGMAX, radius=start.proved)
        assert isinstance(enumerate_case(network, query, query.cases[0], Limits()).verdict, Proved)
        if start.candidate is None:
            continue
        bracket = robustness_radius(network, point, label, ARGMAX, start=start, timeout=20)
        assert bracket.closed
        assert start.proved <= bracket.upper
        reached = max(abs(Fraction(float(x)) - p) for x, p in
                      zip(start.candidate, point, strict=True))  # fmt: skip
        ratios.append(float(reached / bracket.upper))
    assert len(ratios) >= 15
    assert float(np.median(ratios)) <= 1.01


def test_a_candidate_that_is_not_unsafe_is_not_believed():
    from relucert.radius import Start

    lie = Start(Fraction(0), np.array([1.25]))
    found = robustness_radius(_line(2.0, 1.0), (Fraction(1),), 0, ARGMAX, start=lie, timeout=20)
    assert found.lower <= Fraction(3, 2) <= found.upper
    assert found.closed
