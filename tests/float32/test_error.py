"""No float32 execution is further from the exact value than the bound, by many executions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import onnxruntime
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.float32_models import WIDTH, graphs, model_of, save

from relucert.bounds.interval import Intervals
from relucert.float32.error import OverflowPossible, error_bound
from relucert.float32.execute import Order, execute
from relucert.float32.program import program_of_file
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
