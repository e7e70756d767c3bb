"""Networks: the exact evaluation against Fractions, one multiplication at a time."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from relucert.network import Layer, Network

WEIGHTS = st.one_of(
    st.just(0.0),
    st.floats(-4, 4),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([5e-324, -2.2250738585072014e-308, 1.7976931348623157e308, 2.0**-1070]),
)
DIVISORS = st.one_of(st.just(1.0), st.sampled_from([3.0, 9.0, 5e-324, 1e300]))


def by_hand(network, x):
    values = list(x)
    for layer in network.layers:
        dense = layer.weight if layer.is_dense else layer.weight.toarray()
        after = []
        for index, row in enumerate(dense.tolist()):
            z = Fraction(layer.bias[index])
            for weight, value in zip(row, values, strict=True):
                z += Fraction(weight) * value
            if layer.divisor is not None:
                z /= Fraction(layer.divisor[index])
            after.append(max(z, Fraction(0)) if layer.relu[index] else z)
        values = after
    return tuple(values)


@st.composite
def networks(draw, weights=WEIGHTS, divisors=DIVISORS):
    sizes = draw(st.lists(st.integers(1, 4), min_size=2, max_size=4))
    layers = []
    for inputs, outputs in pairwise(sizes):
        many = inputs * outputs
        entries = draw(st.lists(weights, min_size=many, max_size=many))
        weight = np.array(entries).reshape(outputs, inputs)
        bias = draw(st.lists(weights, min_size=outputs, max_size=outputs))
        relu = draw(st.lists(st.booleans(), min_size=outputs, max_size=outputs))
        divisor = draw(
            st.none() | st.lists(divisors, min_size=outputs, max_size=outputs).map(np.array)
        )
        matrix = sp.csr_array(weight) if draw(st.booleans()) else weight
        layers.append(Layer(matrix, np.array(bias), np.array(relu), divisor))
    return Network(tuple(layers))


@given(st.data())
def test_exact_evaluation_is_exact(data):
    network = data.draw(networks())
    size = network.input_size
    x = data.draw(st.lists(st.fractions(), min_size=size, max_size=size))
    assert network.evaluate_exactly(x) == by_hand(network, x)


@settings(max_examples=50)
@given(st.data())
def test_float_evaluation_is_near(data):
    network = data.draw(networks(st.floats(-4, 4, width=16), st.sampled_from([1.0, 3.0, 9.0])))
    size = network.input_size
    batch = data.draw(
        st.lists(
            st.lists(st.floats(-2, 2, width=16), min_size=size, max_size=size),
            min_size=1,
            max_size=3,
        )
    )
    outputs = network.evaluate(np.array(batch))
    for point, output in zip(batch, outputs, strict=True):
        exact = by_hand(network, [Fraction(value) for value in point])
        np.testing.assert_allclose(output, [float(v) for v in exact], rtol=1e-9, atol=1e-9)
        np.testing.assert_array_equal(
            network.evaluate(np.array(point)), network.evaluate([point])[0]
        )


def test_a_deep_chain_stays_exact():
    third = Layer(np.array([[1.0]]), np.array([1.0]), np.array([True]), np.array([3.0]))
    network = Network((third,) * 200)
    x = Fraction(0)
    for _ in range(200):
        x = (x + 1) / 3
    assert network.evaluate_exactly([Fraction(0)]) == (x,)


def test_dense_has_no_relu_at_the_end():
    network = Network.dense(
        [np.array([[1.0], [-1.0]]), np.array([[1.0, -3.0]])], [np.zeros(2), np.zeros(1)]
    )
    assert network.evaluate_exactly([Fraction(1, 3)]) == (Fraction(1, 3),)
    assert network.evaluate_exactly([Fraction(-1, 3)]) == (Fraction(-1),)
    assert (network.relu_count, network.parameter_count) == (2, 4)


def test_points_of_another_size_are_refused():
    network = Network.dense([np.ones((1, 2))], [np.zeros(1)])
    with pytest.raises(ValueError, match="3 values"):
        network.evaluate_exactly([Fraction(0)] * 3)
    with pytest.raises(ValueError, match="3 values"):
        network.evaluate(np.zeros(3))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.ones((1, 2)), np.zeros(2), [True]), "bias has shape"),
        ((np.ones((1, 2)), np.zeros(1), [True, False]), "relu has shape"),
        ((np.ones((1, 2)), np.zeros(1), [True], np.full(2, 3.0)), "divisor has shape"),
        ((np.ones((1, 2)), np.zeros(1), [True], np.ones(2)), "divisor has shape"),
        ((np.array([[np.nan]]), np.zeros(1), [True]), "not finite"),
        ((np.array([[1.0]]), np.array([np.inf]), [True]), "not finite"),
        ((np.ones((1, 1)), np.zeros(1), [True], np.array([0.0])), "divisors must be positive"),
        ((np.ones((1, 1)), np.zeros(1), [True], np.array([-3.0])), "divisors must be positive"),
        ((np.ones((1, 1)), np.zeros(1), [True], np.array([np.nan])), "divisors must be positive"),
        ((np.ones(3), np.zeros(3), [True]), "dimensions"),
    ],
)
def test_layers_that_make_no_sense(arguments, message):
    with pytest.raises(ValueError, match=message):
        Layer(*arguments)


def test_repeated_sparse_entries_are_refused():
    repeated = sp.csr_array((np.ones(2), np.array([0, 0]), np.array([0, 2])), shape=(1, 1))
    with pytest.raises(ValueError, match="repeated"):
        Layer(repeated, np.zeros(1), np.array([False]))


def test_networks_that_do_not_fit_together():
    with pytest.raises(ValueError, match="at least one layer"):
        Network(())
    with pytest.raises(ValueError, match="layer 0 gives 2 values, layer 1 takes 3"):
        Network.dense([np.ones((2, 2)), np.ones((1, 3))], [np.zeros(2), np.zeros(1)])
    layer = Layer(np.ones((1, 4)), np.zeros(1), np.array([False]))
    with pytest.raises(ValueError, match="input shape"):
        Network((layer,), input_shape=(3, 2))


def test_weights_cannot_be_changed_afterwards():
    weight = np.ones((1, 2))
    layer = Layer(weight, np.zeros(1), np.array([True]))
    weight[0, 0] = 5.0
    assert layer.weight[0, 0] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        layer.weight[0, 0] = 5.0
    sparse = Layer(sp.csr_array(np.ones((1, 2))), np.zeros(1), np.array([True]))
    with pytest.raises(ValueError, match="read-only"):
        sparse.weight.data[0] = 5.0
