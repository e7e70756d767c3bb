"""Verdicts under float32: never Proved where some order of evaluation is unsafe."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.float32_models import WIDTH, awkward, graphs, model_of, node, save

from relucert.float32.certify import certify_float32, float32_box, float32_runs, with_float32_run
from relucert.float32.program import program_of_file, program_of_layers
from relucert.network import Network
from relucert.query import Box, Case, Polyhedron, Query
from relucert.read.network import read_network
from relucert.verdict import Proved, Reason, Unknown, Violated, confirm
from relucert.verify import certify

FILES = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
SECONDS = 5.0


def box_of(low, high, size):
    return Box((Fraction(low),) * size, (Fraction(high),) * size)


def unsafe(box, *rows):
    part = Polyhedron(
        tuple(tuple(map(Fraction, row)) for row, _ in rows), tuple(Fraction(d) for _, d in rows)
    )
    return Query((Case(box, (part,)),))


def absorbing(bits):
    """``relu(x + 2**bits) - 2**bits``, as one file layer after the other."""
    return Network.dense(
        [np.array([[1.0]]), np.array([[1.0]])], [np.array([2.0**bits]), np.array([-(2.0**bits)])]
    )


@pytest.mark.parametrize("bits", [24, 30, 60])
def test_what_rounding_swallows_is_safe_over_the_reals_only(bits):
    """Over the reals x in [1/8, 1/4] comes out unchanged; float32 gives 0."""
    network = absorbing(bits)
    query = unsafe(box_of("1/8", "1/4", 1), ([1], "1/16"))
    assert isinstance(certify(network, query, timeout=SECONDS).verdict, Proved)
    verdict = certify_float32(network, program_of_layers(network), query, timeout=SECONDS).verdict
    assert isinstance(verdict, Violated)
    assert verdict.witness.run is not None
    assert verdict.witness.valid_in == ("float32",)
    assert verdict.witness.run.output[0] <= Fraction(1, 16)
    assert confirm(network, query, verdict.witness.input) is None


def test_sums_of_a_row_count_in_every_order():
    """2**24 + x - 2**24 in one row: some orders keep x, others lose it."""
    network = Network.dense([np.array([[2.0**24, 1.0, -(2.0**24)]]), np.eye(1)],
                            [np.zeros(1), np.zeros(1)])  # fmt: skip
    box = Box(
        (Fraction(1), Fraction(1, 4), Fraction(1)), (Fraction(1), Fraction(1, 2), Fraction(1))
    )
    query = unsafe(box, ([1], "1/8"))
    assert isinstance(certify(network, query, timeout=SECONDS).verdict, Proved)
    verdict = certify_float32(network, program_of_layers(network), query, timeout=SECONDS).verdict
    assert isinstance(verdict, Violated)
    assert verdict.witness.valid_in == ("float32",)


def test_a_merged_graph_keeps_its_magnitudes(tmp_path):
    """Add 2**24, subtract 2**24: the normal form is x, the executed graph is not."""
    nodes = [
        node("Add", ["x", "big"], ["a"]),
        node("Sub", ["a", "big"], ["b"]),
        node("Relu", ["b"], ["y"]),
    ]
    path = save(model_of(nodes, [1, 1], {"big": np.float32([2.0**24])}), tmp_path / "m.onnx")
    network = read_network(path)
    query = unsafe(box_of("1/8", "1/4", 1), ([1], "1/16"))
    assert isinstance(certify(network, query, timeout=SECONDS).verdict, Proved)
    verdict = certify_float32(
        network, program_of_file(path, network), query, timeout=SECONDS
    ).verdict
    assert isinstance(verdict, Violated)
    assert verdict.witness.valid_in == ("float32",)


def test_a_clear_margin_is_proved_and_a_tie_is_not():
    network = Network.dense([np.array([[0.1], [0.7]]), np.array([[1.0, 0.3]])],
                            [np.zeros(2), np.array([0.5])])  # fmt: skip
    program = program_of_layers(network)
    clear = unsafe(box_of(0, 1, 1), ([1], "0.49"))
    assert isinstance(certify_float32(network, program, clear, timeout=SECONDS).verdict, Proved)
    beside = unsafe(box_of(0, 1, 1), ([1], Fraction(1, 2) - Fraction(1, 10**9)))
    assert isinstance(certify(network, beside, timeout=SECONDS).verdict, Proved)
    verdict = certify_float32(network, program, beside, timeout=SECONDS).verdict
    assert isinstance(verdict, Unknown)
    assert verdict.reason is Reason.MARGIN


def test_overflow_is_unknown():
    network = Network.dense([np.array([[1e30]]), np.array([[1e30]]), np.array([[1e-30]])],
                            [np.zeros(1)] * 3)  # fmt: skip
    query = unsafe(box_of(0, 1, 1), ([1], -1))
    assert isinstance(certify(network, query, timeout=SECONDS).verdict, Proved)
    verdict = certify_float32(network, program_of_layers(network), query, timeout=SECONDS).verdict
    assert isinstance(verdict, Unknown)
    assert verdict.reason is Reason.NUMERICS


def test_subnormals_that_are_flushed_are_not_proved():
    """1e-30 x, lifted by 1e30: the product with a second 1e-10 may be flushed to zero."""
    network = Network.dense([np.array([[1e-30]]), np.array([[1e-10]]), np.array([[1e38]])],
                            [np.zeros(1)] * 3)  # fmt: skip
    query = unsafe(box_of(1, 2, 1), ([1], "0.005"))  # the real output is at least 0.01
    assert isinstance(certify(network, query, timeout=SECONDS).verdict, Proved)
    verdict = certify_float32(network, program_of_layers(network), query, timeout=SECONDS).verdict
    assert not isinstance(verdict, Proved)


@pytest.mark.parametrize(
    ("value", "low", "high"),
    [
        ("0.1", 0.09999999403953552, 0.10000000149011612),
        ("-0.1", -0.10000000149011612, -0.09999999403953552),
        ("0.5", 0.5, 0.5),
    ],
)
def test_the_box_is_widened_to_float32(value, low, high):
    box = float32_box(box_of(value, value, 1))
    assert box == Box((Fraction(low),), (Fraction(high),))
    assert low == float(np.float32(low))


def test_a_witness_lies_in_the_box_and_is_float32():
    network = Network.dense([np.array([[1.0]]), np.array([[1.0]])], [np.zeros(1), np.zeros(1)])
    query = unsafe(box_of("0.1", "0.3", 1), ([-1], "-0.29"))
    verdict = certify_float32(network, program_of_layers(network), query, timeout=SECONDS).verdict
    assert isinstance(verdict, Violated)
    (x,) = verdict.witness.input
    assert Fraction(1, 10) <= x <= Fraction(3, 10)
    assert Fraction(float(np.float32(float(x)))) == x
    assert verdict.witness.valid_in == ("real", "float32")


def test_a_real_witness_is_labelled():
    network = Network.dense([np.array([[1.0]]), np.array([[1.0]])], [np.zeros(1), np.zeros(1)])
    query = unsafe(box_of(0, 1, 1), ([-1], "-1/2"))
    program = program_of_layers(network)
    for point, labels in (("3/4", ("real", "float32")), ("0.7", ("real",))):
        violated = confirm(network, query, (Fraction(point),))
        assert violated is not None
        assert with_float32_run(program, query, violated).witness.valid_in == labels


def test_a_box_beyond_float32_is_unknown():
    network = Network.dense([np.array([[1.0]]), np.array([[1.0]])], [np.zeros(1), np.zeros(1)])
    query = unsafe(box_of(0, "1e39", 1), ([1], -1))
    verdict = certify_float32(network, program_of_layers(network), query, timeout=SECONDS).verdict
    assert isinstance(verdict, Unknown)


@given(graph=graphs(), seed=st.integers(0, 2**32 - 1), shift=st.sampled_from([0, 1e-7, 1e-5, 0.1]))
@settings(FILES, max_examples=40)
def test_a_proof_holds_for_every_run(tmp_path, graph, seed, shift):
    """Thresholds beside outputs that are really taken: Proved must leave all runs safe."""
    path = save(model_of(graph[0], [1, WIDTH], graph[1]), tmp_path / "m.onnx")
    network = read_network(path)
    program = program_of_file(path, network)
    rng = np.random.default_rng(seed)
    centre = awkward(rng, WIDTH).astype(np.float64)
    points = np.float32(centre + rng.uniform(-1e-3, 1e-3, size=(8, WIDTH)))
    lower, upper = points.min(axis=0), points.max(axis=0)
    row = rng.choice([-1, 1], size=WIDTH)
    runs = [run for x in points for _, run in float32_runs(program, x)]
    if not runs:
        return
    values = [sum(int(c) * v for c, v in zip(row, run, strict=True)) for run in runs]
    limit = min(values) - Fraction(shift) * max(1, abs(min(values)))
    box = Box(tuple(Fraction(float(v)) for v in lower), tuple(Fraction(float(v)) for v in upper))
    query = unsafe(box, (row.tolist(), limit))
    verdict = certify_float32(network, program, query, engine="bounds", timeout=SECONDS).verdict
    assert shift > 0 or not isinstance(verdict, Proved)
    if isinstance(verdict, Violated):
        run = verdict.witness.run
        assert run is not None
        assert query.violated_by(verdict.witness.input, run.output)
