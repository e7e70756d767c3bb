"""Distances to unsafe polyhedra: a positive one means that no exact point is inside."""

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from support.random_networks import corner_values, questions

from relucert.bounds.backward import bound_network, input_influence
from relucert.bounds.interval import Intervals
from relucert.bounds.unsafe import best_bound, distance, float_rows
from relucert.network import Layer, Network
from relucert.query import Polyhedron


@given(questions(), st.data())
def test_a_positive_distance_excludes_every_exact_point(question, data):
    network, query = question
    case = query.cases[0]
    box = Intervals(*case.box.enclosing_floats)
    chain = bound_network(network, box)
    refuted = [part for part in case.unsafe if best_bound(chain, box, part) > 0]
    for _ in range(5):
        output = network.evaluate_exactly(corner_values(case.box, data.draw))
        assert not any(part.contains(output) for part in refuted)


@given(questions(), st.data())
def test_each_rows_bound_is_below_its_exact_value(question, data):
    network, query = question
    case = query.cases[0]
    box = Intervals(*case.box.enclosing_floats)
    chain = bound_network(network, box)
    output = network.evaluate_exactly(corner_values(case.box, data.draw))
    for part in case.unsafe:
        low = distance(chain, box, float_rows(part)).rows
        for row, limit, bound in zip(part.coefficients, part.limits, low, strict=True):
            value = sum((a * b for a, b in zip(row, output, strict=True)), Fraction(0)) - limit
            assert value >= Fraction(float(bound))


def test_rows_that_contradict_each_other_are_refuted_by_a_mixture():
    network = Network((Layer(np.eye(1), np.zeros(1), np.zeros(1)),))
    tenth = Fraction(-1, 10)
    part = Polyhedron(((Fraction(1),), (Fraction(-1),)), (tenth, tenth))
    box = Intervals(np.array([-1.0]), np.array([1.0]))
    found = distance(bound_network(network, box), box, float_rows(part))
    assert (found.rows < 0).all()
    assert found.best > 0


def test_coefficients_that_are_no_floats_cost_tightness_only():
    network = Network((Layer(np.eye(1), np.zeros(1), np.zeros(1)),))
    part = Polyhedron(((Fraction(1, 3),),), (Fraction(1, 3),))
    box = Intervals(np.array([1.0]), np.array([1.0]))
    bound = best_bound(bound_network(network, box), box, part)
    assert -1e-12 < bound <= 0


def test_influence_sees_what_only_moves_neurons():
    # y = relu(x0) - relu(x1): both inputs matter through unstable neurons; the third does not.
    first = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    network = Network.dense([first, np.array([[1.0, -1.0]])], [np.zeros(2), np.zeros(1)])
    box = Intervals(-np.ones(3), np.ones(3))
    influence = input_influence(bound_network(network, box), np.array([1.0]))
    assert influence[0] > 0
    assert influence[1] > 0
    assert influence[2] == 0
