"""Bounds against exact evaluation: never above a value that is taken, and not silly."""

from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from support.random_networks import boxes, corner_values, networks

from relucert.bounds.backward import Relaxation, bound_network, lower_bounds, network_intervals
from relucert.bounds.interval import Intervals
from relucert.network import Layer, Network


@given(st.data())
def test_bounds_hold_at_exact_points(data):
    network = data.draw(networks(max_hidden=3))
    box = data.draw(boxes(network.input_size))
    floats = Intervals(*box.enclosing_floats)
    chain = bound_network(network, floats)
    rows = np.array([[1.0, -1.0], [0.3, 0.7], [-1e8, 1.0]])
    bounds = lower_bounds(chain, floats, rows)
    x = corner_values(box, data.draw)
    y = network.evaluate_exactly(x)
    for row, bound in zip(rows, bounds, strict=True):
        value = sum(Fraction(float(c)) * v for c, v in zip(row, y, strict=True))
        assert value >= Fraction(float(bound))


@given(st.data())
def test_every_pre_activation_lies_within_its_bounds(data):
    network = data.draw(networks(max_hidden=3))
    box = data.draw(boxes(network.input_size))
    chain = bound_network(network, Intervals(*box.enclosing_floats))
    plain = network_intervals(network, Intervals(*box.enclosing_floats))
    values = corner_values(box, data.draw)
    for layer, relaxation, interval in zip(network.layers, chain, plain, strict=True):
        one = Network(
            (Layer(layer.weight, layer.bias, np.zeros(layer.output_size), layer.divisor),)
        )
        pre = one.evaluate_exactly(values)
        for bounds in (relaxation.pre, interval):
            for value, low, high in zip(pre, bounds.lower, bounds.upper, strict=True):
                assert Fraction(float(low)) <= value <= Fraction(float(high))
        values = tuple(
            max(value, Fraction(0)) if flag else value
            for value, flag in zip(pre, layer.relu, strict=True)
        )


def test_a_network_without_unstable_neurons_is_bounded_tightly():
    rng = np.random.default_rng(3)
    weights = [rng.random((6, 4)), rng.random((6, 6)), rng.random((2, 6))]
    network = Network.dense(weights, [np.ones(6), np.ones(6), np.zeros(2)])
    box = Intervals(np.zeros(4), np.ones(4))
    low = lower_bounds(bound_network(network, box), box, np.eye(2))
    assert low == pytest.approx(network.evaluate(np.zeros(4)), rel=1e-12)


def test_backward_beats_intervals_on_cancelling_paths():
    # x - x through two layers: intervals see [-1, 1], backward substitution sees zero.
    network = Network(
        (
            Layer(np.array([[1.0], [1.0]]), np.zeros(2), np.zeros(2)),
            Layer(np.array([[1.0, -1.0]]), np.zeros(1), np.zeros(1)),
        )
    )
    box = Intervals(np.array([0.0]), np.array([1.0]))
    bound = lower_bounds(bound_network(network, box), box, np.array([[1.0]]))[0]
    assert -1e-14 < bound <= 0
    assert network_intervals(network, box)[1].lower[0] <= -1


def test_sparse_and_dense_layers_give_the_same_bounds():
    rng = np.random.default_rng(5)
    weights = [rng.normal(size=(7, 5)), rng.normal(size=(3, 7))]
    dense = Network.dense(weights, [rng.normal(size=7), rng.normal(size=3)])
    sparse = Network(
        tuple(Layer(sp.csr_array(layer.weight), layer.bias, layer.relu) for layer in dense.layers)
    )
    box = Intervals(-np.ones(5), np.ones(5))
    a = lower_bounds(bound_network(dense, box), box, np.eye(3))
    b = lower_bounds(bound_network(sparse, box), box, np.eye(3))
    assert a == pytest.approx(b, rel=1e-9)


def test_overflow_gives_an_infinite_bound_not_a_wrong_one():
    network = Network.dense(
        [np.full((2, 1), 1e300), np.array([[1e300, -1e300]])], [np.zeros(2), np.zeros(1)]
    )
    box = Intervals(np.array([0.0]), np.array([1.0]))
    assert lower_bounds(bound_network(network, box), box, np.array([[1.0]]))[0] == -np.inf


def test_the_chord_is_above_the_relu_at_both_ends():
    layer = Layer(np.eye(1), np.zeros(1), np.ones(1))
    rng = np.random.default_rng(0)
    for _ in range(2000):
        low, high = -(10.0 ** rng.uniform(-12, 12)), 10.0 ** rng.uniform(-12, 12)
        pre = Intervals(np.array([low]), np.array([high]))
        relaxation = Relaxation(layer, pre, pre)
        slope = Fraction(float(relaxation.chord_slope[0]))
        offset = Fraction(float(relaxation.chord_offset[0]))
        assert slope * Fraction(high) + offset >= Fraction(high)
        assert slope * Fraction(low) + offset >= 0
