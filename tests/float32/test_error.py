"""No float32 execution is further from the exact value than the bound, by many executions."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import onnxruntime
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.float32_models import WIDTH, awkward, graphs, model_of, node, save

from relucert.bounds.interval import Intervals
from relucert.float32.error import ErrorBound, OverflowPossible, error_bound
from relucert.float32.execute import Order, execute
from relucert.float32.program import program_of_file, program_of_layers
from relucert.network import Network
from relucert.read.network import read_network

LEVELS = (
    onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL,
    onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL,
)
FILES = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def runs(model, program, x):
    """Outputs by onnxruntime, as the graph stands and optimised, and in our own orders."""
    for level in LEVELS:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = 1, 3
        options.graph_optimization_level = level
        session = onnxruntime.InferenceSession(model.SerializeToString(), options)
        yield f"onnxruntime {level}", session.run(None, {"x": x.reshape(1, -1)})[0].reshape(-1)
    for order in Order:
        yield order.name, execute(program, x, order)


@given(graph=graphs(), seed=st.integers(0, 2**32 - 1), data=st.data())
@settings(FILES, max_examples=150)
def test_no_execution_leaves_the_bound(tmp_path, graph, seed, data):
    model = model_of(graph[0], [1, WIDTH], graph[1])
    path = save(model, tmp_path / "m.onnx")
    network = read_network(path)
    program = program_of_file(path, network)
    rng = np.random.default_rng(seed)
    radius = data.draw(st.sampled_from([0.0, 1e-3, 1.0, 1e3]))
    centre = rng.normal(size=WIDTH)
    box = Intervals(centre - radius, centre + radius)
    bound = error_bound(program, box)
    if isinstance(bound, OverflowPossible):
        return
    for _ in range(3):
        x = np.float32(rng.uniform(box.lower, box.upper))
        if not ((x >= box.lower) & (x <= box.upper)).all():
            box = Intervals(np.minimum(box.lower, x), np.maximum(box.upper, x))
            bound = error_bound(program, box)
        if isinstance(bound, OverflowPossible):
            return
        exact = network.evaluate_exactly([Fraction(float(v)) for v in x])
        for name, found in runs(model, program, x):
            for place, (value, truth) in enumerate(zip(found, exact, strict=True)):
                if np.isnan(value):
                    continue  # an order of ours that cannot tell a clipping's operand
                off = abs(Fraction(float(value)) - truth)
                limit = Fraction(float(bound.outputs[place]))
                assert off <= limit, f"{name}: {float(off)} > {float(limit)}"


@given(graph=graphs(), seed=st.integers(0, 2**32 - 1))
@settings(FILES, max_examples=60)
def test_our_executions_are_those_of_the_graph(tmp_path, graph, seed):
    """On numbers that do not round all runs agree: the steps compute what the nodes compute."""
    rng = np.random.default_rng(seed)
    constants = {
        name: np.float32(np.round(4 * np.clip(value, -2, 2)) / 4)
        if value.dtype == np.float32 and value.ndim
        else value
        for name, value in graph[1].items()
    }
    model = model_of(graph[0], [1, WIDTH], constants)
    path = save(model, tmp_path / "m.onnx")
    program = program_of_file(path, read_network(path))
    x = np.float32(np.round(4 * rng.uniform(-2, 2, size=WIDTH)) / 4)
    results = dict(runs(model, program, x))
    wanted = results.pop(f"onnxruntime {LEVELS[0]}")
    for found in results.values():
        close = np.isclose(found, wanted, rtol=1e-3, atol=1e-2) | np.isnan(found)
        assert close.all() or np.abs(wanted).max() > 1e3


def rounded(value: Fraction) -> Fraction:
    """The float32 nearest to a rational of moderate size; of two, that with the even mantissa."""
    middle = np.float32(float(value))
    ends = (np.nextafter(middle, np.float32(end)) for end in (-np.inf, np.inf))

    def distance(one):
        return abs(Fraction(float(one)) - value), int(one.view(np.int32)) & 1

    return Fraction(float(min((middle, *ends), key=distance)))


def fused_sum(weights, values, bias, order):
    """Fused multiply-adds in the given order, starting from the bias: one rounding each."""
    total = Fraction(float(np.float32(bias)))
    for place in order:
        total = rounded(Fraction(float(np.float32(weights[place]))) * values[place] + total)
    return total


@given(seed=st.integers(0, 2**32 - 1), float64=st.booleans())
@settings(deadline=None, max_examples=40)
def test_fused_multiply_adds_in_shuffled_orders(seed, float64):
    """Every row in an order of its own; float64 weights are rounded to float32 first."""
    rng = np.random.default_rng(seed)
    sizes = [3, 5, 4, 2]
    weights = [awkward(rng, m, n).astype(np.float64) for n, m in pairwise(sizes)]
    biases = [awkward(rng, m).astype(np.float64) for m in sizes[1:]]
    if float64:
        weights = [weight * (1 + 1e-9 * rng.normal(size=weight.shape)) for weight in weights]
    network = Network.dense(weights, biases)
    x = awkward(rng, 3)
    bound = error_bound(program_of_layers(network), Intervals(x.astype(float), x.astype(float)))
    if isinstance(bound, OverflowPossible):
        return
    exact = network.evaluate_exactly([Fraction(float(v)) for v in x])
    for _ in range(3):
        values = [Fraction(float(v)) for v in x]
        for weight, bias in zip(weights, biases, strict=True):
            values = [fused_sum(row, values, b, rng.permutation(len(values)))
                      for row, b in zip(weight, bias, strict=True)]  # fmt: skip
            if weight is not weights[-1]:
                values = [max(value, Fraction(0)) for value in values]
        for value, truth, limit in zip(values, exact, bound.outputs, strict=True):
            assert abs(value - truth) <= Fraction(float(limit))


def test_the_bound_is_of_the_size_of_the_error():
    """On a sum of 64 ones and 2**24 the worst order is off by 64; the bound is not far above."""
    row = np.array([[2.0**24] + [1.0] * 64])
    network = Network.dense([row, np.eye(1)], [np.zeros(1), np.zeros(1)])
    ones = np.ones(65)
    bound = error_bound(program_of_layers(network), Intervals(ones, ones))
    assert isinstance(bound, ErrorBound)
    forward = execute(program_of_layers(network), ones.astype(np.float32), Order.FORWARD)
    assert float(forward[0]) == 2.0**24
    assert 64.0 <= bound.outputs[0] <= 72.0


def test_constants_and_repeated_terms_keep_their_magnitude(tmp_path):
    """2**24 x - 2**24 x + x as one MatMul of repeated elements, and a folded constant."""
    nodes = [
        node("Concat", ["x", "x", "x"], ["c"], axis=1),
        node("MatMul", ["c", "w"], ["y"]),
    ]
    constants = {"w": np.float32([[2.0**24], [-(2.0**24)], [1.0]])}
    model = model_of(nodes, [1, 1], constants)
    path = save(model, tmp_path / "m.onnx")
    program = program_of_file(path, read_network(path))
    third = np.full(1, float(np.float32(1 / 3)))
    bound = error_bound(program, Intervals(third, third))
    assert isinstance(bound, ErrorBound)
    assert bound.outputs[0] > 0.5
