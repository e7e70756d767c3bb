"""Awkward questions put to the engines: extreme limits, boxes, shapes and unsafe sets."""

import math
import time
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relucert.bounds.backward import bound_network
from relucert.bounds.interval import Intervals
from relucert.bounds.unsafe import float_rows
from relucert.limits import Limits, usable_bytes, usable_cores
from relucert.milp.objective import solver_margin
from relucert.network import Layer, Network
from relucert.query import Box, Case, Polyhedron, Query
from relucert.verdict import Method, Proved, Reason, Standing, Unknown, Violated
from relucert.verify import certify

ENGINES = ("auto", "search")


def _network(sizes, seed=0):
    """Random weights of variance one over the inputs; the last layer is affine."""
    rng = np.random.default_rng(seed)
    weights = [rng.normal(size=(b, a)) / np.sqrt(a) for a, b in pairwise(sizes)]
    return Network.dense(weights, [0.1 * rng.normal(size=b) for b in sizes[1:]])


def _part(*rows):
    """One polyhedron: ``coefficients @ y <= limit`` for every row."""
    return Polyhedron(
        tuple(tuple(map(Fraction, row)) for row, _ in rows),
        tuple(Fraction(limit) for _, limit in rows),
    )


def _cube(size, radius=1):
    return Box((Fraction(-radius),) * size, (Fraction(radius),) * size)


def _asked(network, box, *parts, engine="auto", **options):
    """The verdict, confirmed by exact evaluation where it is Violated."""
    query = Query((Case(box, parts),))
    verdict = certify(network, query, engine=engine, **options).verdict
    if isinstance(verdict, Violated):
        output = network.evaluate_exactly(verdict.witness.input)
        assert query.violated_by(verdict.witness.input, output)
    return verdict


def _truth(network, box, *parts):
    return _asked(network, box, *parts, engine="enumerate")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("sizes", [[6, 60, 60, 60, 1], [40, 100, 100, 1], [40, 400, 1]])
@pytest.mark.parametrize("seconds", [1e-6, 0.1, 0.5])
def test_short_time_limits_are_kept(sizes, seconds, jobs, engine):
    network = _network(sizes)
    started = time.process_time()
    found = _asked(
        network, _cube(sizes[0], 8), _part(([1], -30)), engine=engine, timeout=seconds, jobs=jobs
    )
    # Processor time: other work on the machine must not fail this.
    assert time.process_time() - started < seconds + 2.0
    if isinstance(found, Unknown) and found.reason is Reason.TIME:
        assert found.standing is not None
        assert found.standing.margin <= 0


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("seconds", [1e5, 1e9, math.inf])
def test_days_are_a_time_limit(engine, seconds):
    network = _network([3, 10, 1])
    for limit in (-100, 0, 100):
        part = _part(([1], limit))
        found = _asked(network, _cube(3), part, engine=engine, timeout=seconds)
        assert type(found) is type(_truth(network, _cube(3), part))


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.sampled_from(ENGINES), st.integers(1, 2), st.data())
def test_boxes_of_width_zero(seed, engine, jobs, data):
    """In some or in all coordinates; the sets touch outputs that are attained."""
    network = _network([3, 5, 4, 2], seed)
    low = [Fraction(data.draw(st.integers(-8, 8)), 4) for _ in range(3)]
    width = [Fraction(data.draw(st.sampled_from([0, 0, 1]))) for _ in range(3)]
    box = Box(tuple(low), tuple(a + b for a, b in zip(low, width, strict=True)))
    value = network.evaluate_exactly(tuple(low))[0]
    shift = data.draw(st.sampled_from([Fraction(0), Fraction(1, 10**9), Fraction(-1, 10**9)]))
    part = _part(([1, 0], value + shift))
    found = _asked(network, box, part, engine=engine, timeout=20, jobs=jobs)
    expected = _truth(network, box, part)
    # The MILP's tolerance may leave room for doubt, never for a contradiction.
    assert isinstance(found, Unknown) or type(found) is type(expected)
    if sum(width) < 3 and engine == "search":
        assert type(found) is type(expected)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("size", [2, 12, 20])
@pytest.mark.parametrize("radius", [10**30, 10**300])
def test_huge_boxes(engine, size, radius):
    network = _network([size, 6, 1])
    far = 10**5 * radius
    reached = _asked(network, _cube(size, radius), _part(([1], -1)), engine=engine, timeout=5)
    out_of_reach = _asked(
        network, _cube(size, radius), _part(([1], -far)), engine=engine, timeout=5
    )
    assert not isinstance(reached, Proved)
    assert not isinstance(out_of_reach, Violated)
    if radius < 10**100:
        assert isinstance(reached, Violated)
        assert isinstance(out_of_reach, Proved)


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_solver_is_not_trusted_beyond_the_float_range():
    box = Intervals(np.full(3, -1e200), np.full(3, 1e200))
    chain = bound_network(_network([3, 4, 1]), box)
    assert solver_margin(chain, float_rows(_part(([1], 0)))) == math.inf


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("jobs", [1, 2])
def test_no_hidden_layer_and_no_relu(engine, jobs):
    """The least of an affine map over a box is known in closed form."""
    rng = np.random.default_rng(5)
    weight = rng.integers(-3, 4, (2, 12)).astype(float)
    affine = Network.dense([weight], [np.zeros(2)])
    second = rng.integers(-3, 4, (2, 2)).astype(float)
    twice = Network(
        (
            Layer(weight, np.zeros(2), np.zeros(2, bool)),
            Layer(second, np.zeros(2), np.zeros(2, bool)),
        )
    )
    for network, matrix in ((affine, weight), (twice, second @ weight)):
        least = -Fraction(float(np.abs(matrix[0]).sum()))
        for shift, kind in ((0, Violated), (Fraction(1, 1000), Violated), (-1, Proved)):
            part = _part(([1, 0], least + shift))
            found = _asked(network, _cube(12), part, engine=engine, jobs=jobs, timeout=20)
            assert isinstance(found, kind)


def _chain(width, depth, weight):
    return Network(
        tuple(Layer(weight, np.zeros(width), np.ones(width, bool)) for _ in range(depth))
    )


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("width", [1, 2])
def test_three_thousand_layers(engine, width):
    """Means of what is at least zero: outputs fill [0, 1]."""
    network = _chain(width, 3000, np.full((width, width), 1.0 / width))
    row = [1] + [0] * (width - 1)
    for limit, kinds in ((-1, (Proved,)), (0, (Violated,))):
        started = time.process_time()
        part = _part((row, limit))
        found = _asked(network, _cube(width), part, engine=engine, timeout=20)
        assert isinstance(found, (*kinds, Unknown))
        assert time.process_time() - started < 25


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("sizes", [[5, 20_000, 1], [50, 20_000, 1], [30, 2_000, 2_000, 1]])
def test_wide_layers_keep_the_time_limit(sizes, engine, jobs):
    network = _network(sizes)
    started = time.process_time()
    _asked(network, _cube(sizes[0]), _part(([1], -60)), engine=engine, timeout=5, jobs=jobs)
    assert time.process_time() - started < 5 * jobs + 3


@pytest.mark.parametrize("engine", ENGINES)
def test_duplicate_and_contradictory_atoms(engine):
    network = _network([2, 8, 8, 2], seed=3)
    sample = network.evaluate(np.random.default_rng(0).uniform(-1, 1, (2000, 2)))
    middle = Fraction(float(np.median(sample[:, 0])))
    least = Fraction(float(sample[:, 0].min()))
    for limit in (middle, least - 5):
        row = ([1, 0], limit)
        doubled = _asked(network, _cube(2), _part(row, row, row), engine=engine, timeout=20)
        assert type(doubled) is type(_truth(network, _cube(2), _part(row)))
        twice = _asked(network, _cube(2), _part(row), _part(row), engine=engine, timeout=20)
        assert type(twice) is type(doubled)
    apart = _part(([1, 0], middle), ([-1, 0], -middle - Fraction(1, 100)))
    assert isinstance(_asked(network, _cube(2), apart, engine=engine, timeout=20), Proved)
    barely = _part(([1, 0], middle), ([-1, 0], -middle - Fraction(1, 10**12)))
    assert not isinstance(_asked(network, _cube(2), barely, engine=engine, timeout=3), Violated)
    always_false = _part(([0, 0], -1))
    assert isinstance(_asked(network, _cube(2), always_false, engine=engine, timeout=20), Proved)


@pytest.mark.parametrize("engine", [*ENGINES, "bounds", "milp", "enumerate"])
@pytest.mark.parametrize("size", [2, 20])
def test_everything_or_nothing_is_unsafe(engine, size):
    if engine == "enumerate" and size > 2:
        pytest.skip("for tiny networks")
    network = _network([size, 8, 2])
    always_true = _part(([0, 0], 1))
    assert isinstance(_asked(network, _cube(size), engine=engine, timeout=10), Proved)
    for everything in (_part(), always_true):
        found = _asked(network, _cube(size), everything, engine=engine, timeout=10)
        assert isinstance(found, Unknown if engine == "bounds" else Violated)


def test_the_search_engine_leaves_the_milp_out(monkeypatch):
    def called(*_arguments, **_options):
        pytest.fail("the MILP was called")

    monkeypatch.setattr("relucert.portfolio.case.decide_case", called)
    monkeypatch.setattr("relucert.portfolio.case.first_answer", called)
    for sizes in ([3, 30, 30, 1], [20, 30, 1]):
        network = _network(sizes)
        _asked(network, _cube(sizes[0], 9), _part(([1], -9)), engine="search", timeout=1, jobs=2)


def test_the_best_of_all_engines_is_reported(monkeypatch):
    """Whatever engine speaks last."""
    network = _network([6, 40, 40, 40, 1])
    lost = Unknown(Reason.SOLVER, "gone")
    monkeypatch.setattr("relucert.portfolio.case.decide_case", lambda *_: lost)
    found = _asked(network, _cube(6, 8), _part(([1], -12)), timeout=2)
    if isinstance(found, Unknown):
        assert found.reason in (Reason.SOLVER, Reason.TIME)
        assert found.standing.margin is not None
        assert "margin at least" in found.words


def test_standings_join_figure_by_figure():
    first = Standing(-3.0, 0.25, 10, 100)
    assert first.joined(None) == first
    assert first.joined(Standing(-1.0)) == Standing(-1.0, 0.25, 10, 100)
    assert first.joined(Standing(-5.0, 0.5, 3, 7)) == Standing(-3.0, 0.5, 3, 7)
    assert Standing(None, 0.99999999).words == "99.9999 % proved"
    assert Standing(-math.inf, None).words == ""


def test_the_machine_is_asked_what_it_can_give():
    assert usable_cores() >= 1
    assert 0 < usable_bytes() < math.inf
    assert Limits(memory=1.0).out_of_memory
    assert not Limits().out_of_memory


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("sizes", [[8, 60, 60, 60, 1], [40, 100, 100, 1], [40, 400, 1]])
def test_a_memory_limit_is_an_answer(engine, sizes):
    network = _network(sizes)
    part = _part(([1], -30))
    found = _asked(network, _cube(sizes[0], 8), part, engine=engine, timeout=20, memory=1e6)
    assert isinstance(found, Unknown)
    assert found.reason is Reason.MEMORY


def test_a_conclusion_needs_no_room_for_doubt():
    """One core or two, the same verdicts on questions with a known answer."""
    network = _network([3, 5, 4, 1], seed=8)
    sample = network.evaluate(np.random.default_rng(1).uniform(-1, 1, (5000, 3)))
    for limit in (float(sample.min()), float(sample.min()) - 0.3, -50.0):
        part = _part(([1], limit))
        expected = _truth(network, _cube(3), part)
        for jobs in (1, 2):
            found = _asked(network, _cube(3), part, engine="search", jobs=jobs, timeout=30)
            assert type(found) is type(expected)
            if isinstance(found, Proved):
                assert found.method in (Method.CHECKED, Method.EMPTY)
