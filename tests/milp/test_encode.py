"""The rows admit every true point, in exact arithmetic, and their relaxation is the triangle."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.random_networks import boxes, corner_values, networks

from relucert.bounds.backward import bound_network
from relucert.bounds.interval import Intervals
from relucert.errors import SolverError
from relucert.limits import Limits
from relucert.lp.highs import LpSolver
from relucert.milp.encode import encode_network
from relucert.network import Layer, Network


def _true_point(chain, encoding, x):
    """Every model variable's exact value at the rational input ``x``."""
    values = [Fraction(0)] * len(encoding.builder.lower)
    for column, power, value in zip(
        encoding.inputs.columns, encoding.inputs.exponents, x, strict=True
    ):
        values[column] = value / Fraction(2) ** int(power)
    pre, now = [], x
    for relaxation in chain:
        layer = relaxation.layer
        plain = Network(
            (Layer(layer.weight, layer.bias, np.zeros(layer.output_size), layer.divisor),)
        )
        pre.append(plain.evaluate_exactly(now))
        now = tuple(
            max(v, Fraction(0)) if r else v for v, r in zip(pre[-1], layer.relu, strict=True)
        )
    for column, layer, index, power in encoding.stable:
        values[column] = pre[layer][index] / Fraction(2) ** power
    for neuron in encoding.neurons:
        z = pre[neuron.layer][neuron.index]
        values[neuron.value] = max(z, Fraction(0)) / Fraction(2) ** neuron.value_exponent
        values[neuron.negative] = max(-z, Fraction(0)) / Fraction(2) ** neuron.negative_exponent
        values[neuron.phase] = Fraction(int(z > 0))
    return values, now


@given(st.data())
def test_rows_admit_every_true_point_exactly(data):
    network = data.draw(networks(max_hidden=3))
    box = data.draw(boxes(network.input_size))
    floats = Intervals(*box.enclosing_floats)
    chain = bound_network(network, floats)
    encoding = encode_network(chain, floats)
    model = encoding.builder.build({})
    values, outputs = _true_point(chain, encoding, corner_values(box, data.draw))
    for value, low, high in zip(values, model.lower, model.upper, strict=True):
        assert Fraction(float(low)) <= value <= Fraction(float(high))
    starts, columns, entries = model.rows.indptr, model.rows.indices, model.rows.data
    for row in range(model.rows.shape[0]):
        span = range(starts[row], starts[row + 1])
        total = sum((Fraction(float(entries[k])) * values[columns[k]] for k in span), Fraction(0))
        if np.isfinite(model.row_lower[row]):
            assert total >= Fraction(float(model.row_lower[row]))
        if np.isfinite(model.row_upper[row]):
            assert total <= Fraction(float(model.row_upper[row]))
    for column, power, value in zip(
        encoding.outputs.columns, encoding.outputs.exponents, outputs, strict=True
    ):
        found = Fraction(0) if column < 0 else values[column] * Fraction(2) ** int(power)
        assert found == value


@given(st.data())
def test_variables_are_at_most_one(data):
    network = data.draw(networks())
    box = data.draw(boxes(network.input_size))
    floats = Intervals(*box.enclosing_floats)
    model = encode_network(bound_network(network, floats), floats).builder.build({})
    assert np.abs(model.lower).max(initial=0) <= 1
    assert np.abs(model.upper).max(initial=0) <= 1


def test_the_relaxation_of_one_neuron_is_the_triangle():
    # relu(x) on [-1, 3]: at x = 0 the triangle reaches up to u (x - l) / (u - l) = 3/4.
    network = Network.dense([np.eye(1), np.eye(1)], [np.zeros(1), np.zeros(1)])
    box = Intervals(np.array([-1.0]), np.array([3.0]))
    encoding = encode_network(bound_network(network, box), box)
    model = encoding.builder.build({})
    solver = LpSolver(model)
    solver.restrict(encoding.inputs.columns, np.zeros(1), np.zeros(1))
    cost = np.zeros(model.variable_count)
    cost[encoding.outputs.columns[0]] = -1.0
    answer = solver.minimise(cost, Limits())
    assert encoding.outputs.values(answer.x)[0] == pytest.approx(0.75, abs=1e-5)


def test_stable_neurons_have_no_binaries_and_dead_ones_no_variable():
    weight = np.array([[1.0], [-1.0], [1.0]])
    network = Network.dense([weight, np.ones((1, 3))], [np.array([5.0, -5.0, 0.0]), np.zeros(1)])
    box = Intervals(np.array([-1.0]), np.array([1.0]))
    encoding = encode_network(bound_network(network, box), box)
    assert [neuron.index for neuron in encoding.neurons] == [2]
    model = encoding.builder.build({})
    assert int(model.integer.sum()) == 1
    # input, the active neuron, three of the unstable one, the output
    assert model.variable_count == 6


def test_carried_coordinates_cost_nothing():
    carry = Layer(np.eye(2), np.zeros(2), np.array([False, True]))
    network = Network((carry, carry, carry))
    box = Intervals(-np.ones(2), np.ones(2))
    encoding = encode_network(bound_network(network, box), box)
    assert encoding.outputs.columns[0] == encoding.inputs.columns[0]


def test_infinite_bounds_are_refused():
    network = Network.dense([np.eye(1) * 1e308, np.eye(1) * 1e308], [np.zeros(1), np.zeros(1)])
    box = Intervals(np.array([-1e10]), np.array([1e10]))
    with pytest.raises(SolverError, match="not finite"):
        encode_network(bound_network(network, box), box)
