"""What the normal form looks like, and that nothing is rounded on the way."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from relucert.read.exact_floats import (
    nearest_root_ratio,
    products_are_exact,
    sums_are_exact,
)

node = helper.make_node
DOUBLE = TensorProto.DOUBLE
floats = st.floats(allow_nan=False, allow_infinity=False)


@given(a=floats, b=floats)
@settings(max_examples=400)
def test_exactness_of_sums_and_products(a, b):
    x, y = np.array([a]), np.array([b])
    with np.errstate(over="ignore"):
        total, product = (x + y)[0], (x * y)[0]
    is_exact = np.isfinite(total) and Fraction(float(total)) == Fraction(a) + Fraction(b)
    assert sums_are_exact(x, y)[0] == is_exact
    if products_are_exact(x, y)[0]:
        assert Fraction(float(product)) == Fraction(a) * Fraction(b)


@given(a=st.floats(width=32, allow_nan=False, allow_infinity=False),
       b=st.floats(width=32, allow_nan=False, allow_infinity=False))  # fmt: skip
def test_products_of_float32_are_exact(a, b):
    assert products_are_exact(np.array([a]), np.array([b]))[0]


@given(scale=st.floats(-1e10, 1e10), radicand=st.floats(1e-12, 1e12))
def test_nearest_root_ratio(scale, radicand):
    value = nearest_root_ratio(Fraction(scale), Fraction(radicand))
    square = Fraction(scale) ** 2 / Fraction(radicand)
    size = abs(value)
    below = (Fraction(size) + Fraction(max(float(np.nextafter(size, 0)), 0.0))) / 2
    above = (Fraction(size) + Fraction(float(np.nextafter(size, np.inf)))) / 2
    assert below**2 <= square <= above**2
    assert (value < 0) == (scale < 0 and value != 0)


@given(a=floats, b=st.integers(-40, 40))
def test_powers_of_two_scale_exactly(a, b):
    """Known to be exact whenever the result is a normal number."""
    product = a * 2.0**b
    normal = a == 0 or (2.0**-1022 <= abs(product) < np.inf and abs(a) >= 2.0**-1022)
    if normal:
        assert products_are_exact(np.array([a]), np.array([2.0**b]))[0]


def _weights(*shape, seed=3):
    return np.random.default_rng(seed).normal(size=shape)


def test_gemm_chain_has_nothing_carried(build, read_model):
    constants = {"w": _weights(5, 4), "b": _weights(5), "v": _weights(2, 5), "c": _weights(2)}
    nodes = [
        node("Gemm", ["x", "w", "b"], ["h"], transB=1),
        node("Relu", ["h"], ["r"]),
        node("Gemm", ["r", "v", "c"], ["y"], transB=1),
    ]
    layers = read_model(build(nodes, [1, 4], constants, kind=DOUBLE)).layers
    assert len(layers) == 2
    np.testing.assert_array_equal(layers[0].weight, constants["w"])
    np.testing.assert_array_equal(layers[0].bias, constants["b"])
    np.testing.assert_array_equal(layers[1].weight, constants["v"])
    assert layers[0].relu.all()
    assert not layers[1].relu.any()


def test_inexact_scaling_is_a_layer_of_its_own(build, read_model):
    constants = {"w": _weights(4, 3), "s": np.array([1 / 3])}
    nodes = [node("MatMul", ["x", "w"], ["h"]), node("Mul", ["h", "s"], ["y"])]
    network = read_model(build(nodes, [1, 4], constants, kind=DOUBLE))
    assert len(network.layers) == 2
    point = [Fraction(1), Fraction(-1), Fraction(1, 3), Fraction(2)]
    expected = tuple(
        Fraction(1 / 3)
        * sum((Fraction(float(w)) * x for w, x in zip(column, point, strict=True)), Fraction(0))
        for column in constants["w"].T
    )
    assert network.evaluate_exactly(point) == expected


def test_exact_scaling_joins_the_layer_before(build, read_model):
    constants = {"w": np.float32(_weights(4, 3)), "s": np.float32([0.1])}
    nodes = [
        node("MatMul", ["x", "w"], ["h"]), node("Mul", ["h", "s"], ["g"]),
        node("Relu", ["g"], ["y"]),
    ]  # fmt: skip
    (layer,) = read_model(build(nodes, [1, 4], constants)).layers
    expected = constants["w"].T.astype(np.float64) * np.float64(np.float32(0.1))
    np.testing.assert_array_equal(layer.weight, expected)


def test_second_bias_is_added_only_where_exact(build, read_model):
    nodes = [node("Add", ["x", "a"], ["h"]), node("Add", ["h", "b"], ["y"])]
    rounded = {"a": np.array([1.0]), "b": np.array([1e-30])}
    network = read_model(build(nodes, [1, 1], rounded, kind=DOUBLE))
    assert len(network.layers) == 2
    assert network.evaluate_exactly([Fraction(0)]) == (1 + Fraction(1e-30),)
    exact = {"a": np.array([1.0]), "b": np.array([0.25])}
    assert len(read_model(build(nodes, [1, 1], exact, kind=DOUBLE)).layers) == 1


def test_repeated_terms_that_would_round_stay_apart(build, read_model):
    """1 * x + 1e-30 * x: the weight 1 + 1e-30 is no float64."""
    nodes = [node("Concat", ["x", "x"], ["c"], axis=1), node("MatMul", ["c", "w"], ["y"])]
    model = build(nodes, [1, 1], {"w": np.array([[1.0], [1e-30]])}, kind=DOUBLE)
    assert read_model(model).evaluate_exactly([Fraction(3)]) == (3 + 3 * Fraction(1e-30),)


def test_constant_terms_that_would_round_stay_apart(build, read_model):
    nodes = [node("Concat", ["x", "k"], ["c"], axis=1), node("MatMul", ["c", "w"], ["y"])]
    constants = {"k": np.array([[0.1]]), "w": np.array([[1.0], [0.1]])}
    model = build(nodes, [1, 1], constants, kind=DOUBLE)
    value = read_model(model).evaluate_exactly([Fraction(3)])
    assert value == (3 + Fraction(0.1) * Fraction(0.1),)


def test_constants_computed_inexactly_stay_exact(build, read_model):
    """0.1 * 0.1 of two constants has no float64; its sum with the input is still exact."""
    nodes = [node("Mul", ["a", "a"], ["k"]), node("Add", ["x", "k"], ["y"])]
    model = build(nodes, [1, 1], {"a": np.array([0.1])}, kind=DOUBLE)
    assert read_model(model).evaluate_exactly([Fraction(0)]) == (Fraction(0.1) ** 2,)


def test_max_of_four_needs_three_layers(build, read_model):
    nodes = [
        node("Split", ["x"], ["a", "b", "c", "d"], axis=1),
        node("Max", ["a", "b", "c", "d"], ["y"]),
    ]
    network = read_model(build(nodes, [1, 4]))
    assert len(network.layers) == 3
    assert network.relu_count == 3


def test_unused_rows_are_dropped(build, read_model):
    constants = {"w": _weights(4, 6), "s": np.array([1]), "e": np.array([3]), "a": np.array([1])}
    nodes = [
        node("MatMul", ["x", "w"], ["h"]), node("Relu", ["h"], ["r"]),
        node("Slice", ["r", "s", "e", "a"], ["y"]),
    ]  # fmt: skip
    (layer,) = read_model(build(nodes, [1, 4], constants, kind=DOUBLE)).layers
    np.testing.assert_array_equal(layer.weight, constants["w"].T[1:3])


def test_constant_network(build, read_model):
    nodes = [node("Sub", ["x", "x"], ["z"]), node("Add", ["z", "k"], ["y"])]
    network = read_model(build(nodes, [1, 2], {"k": np.float32([1, 2])}))
    assert network.evaluate_exactly([Fraction(5), Fraction(6)]) == (1, 2)


def test_residual_network_carries_the_input(build, read_model):
    constants = {"w": _weights(3, 3), "v": _weights(3, 3)}
    nodes = [
        node("MatMul", ["x", "w"], ["h"]), node("Relu", ["h"], ["r"]),
        node("MatMul", ["r", "v"], ["g"]), node("Add", ["g", "x"], ["y"]),
    ]  # fmt: skip
    network = read_model(build(nodes, [1, 3], constants, kind=DOUBLE))
    assert network.layers[0].output_size == 6
    assert network.relu_count == 3
    assert network.evaluate_exactly([Fraction(0)] * 3) == (0, 0, 0)


def test_positive_scaling_passes_through_relu(build, read_model):
    nodes = [
        node("Relu", ["x"], ["r"]), node("Mul", ["r", "s"], ["m"]), node("Relu", ["m"], ["y"])
    ]  # fmt: skip
    network = read_model(build(nodes, [1, 3], {"s": np.float32([2, 0.5, -1])}))
    assert network.evaluate_exactly([Fraction(3)] * 3) == (6, Fraction(3, 2), 0)
    assert network.evaluate_exactly([Fraction(-3)] * 3) == (0, 0, 0)
    positive = read_model(build(nodes, [1, 3], {"s": np.float32([2, 0.5, 3])}))
    assert len(positive.layers) == 1


def test_half_precision_weights_are_widened_exactly(build, read_model):
    weight = np.float16([[0.1], [65504], [6e-8]])
    constants = {"h": weight}
    nodes = [node("Cast", ["h"], ["w"], to=TensorProto.FLOAT), node("MatMul", ["x", "w"], ["y"])]
    (layer,) = read_model(build(nodes, [1, 3], constants)).layers
    np.testing.assert_array_equal(layer.weight, weight.T.astype(np.float64))
