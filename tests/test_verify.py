"""Every engine against exact enumeration; what solvers get wrong must come out as Unknown."""

import dataclasses
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.random_networks import questions

from relucert.errors import QueryError, UsageError
from relucert.limits import Limits
from relucert.milp.pulp_model import available_solvers
from relucert.network import Layer, Network
from relucert.query import Box, Case, Polyhedron, Query
from relucert.search.enumerate import enumerate_case
from relucert.search.few_inputs import search_few_inputs
from relucert.verdict import Method, Proved, Reason, Unknown, Violated, confirm
from relucert.verify import certify


def _box(*sides):
    lower, upper = zip(*sides, strict=True)
    return Box(tuple(map(Fraction, lower)), tuple(map(Fraction, upper)))


def _half_space(row, limit):
    return Polyhedron((tuple(Fraction(v) for v in row),), (Fraction(limit),))


def _agree(verdict, truth, network, query):
    """A verdict may be Unknown, but never the opposite of the truth; witnesses are re-run."""
    if isinstance(verdict, Violated):
        assert isinstance(truth, Violated)
        assert confirm(network, query, verdict.witness.input) is not None
        assert network.evaluate_exactly(verdict.witness.input) == verdict.witness.output
    elif isinstance(verdict, Proved):
        assert isinstance(truth, Proved)


@given(questions())
def test_auto_is_complete_on_tiny_networks(question):
    network, query = question
    truth = certify(network, query, engine="enumerate").verdict
    assert not isinstance(truth, Unknown)
    verdict = certify(network, query, timeout=5).verdict
    _agree(verdict, truth, network, query)
    assert not isinstance(verdict, Unknown)


@settings(max_examples=40)
@given(questions())
def test_bounds_and_milp_never_contradict_enumeration(question):
    network, query = question
    truth = certify(network, query, engine="enumerate").verdict
    for engine in ("bounds", "milp"):
        _agree(certify(network, query, engine=engine, timeout=2).verdict, truth, network, query)


@settings(max_examples=25)
@given(questions())
def test_halving_the_box_never_contradicts_enumeration(question):
    network, query = question
    truth = certify(network, query, engine="enumerate").verdict
    verdict = search_few_inputs(network, query, query.cases[0], Limits(1.0))
    _agree(verdict, truth, network, query)


@given(questions(), st.data())
def test_enumeration_agrees_with_points(question, data):
    network, query = question
    verdict = certify(network, query, engine="enumerate").verdict
    case = query.cases[0]
    for _ in range(20):
        shares = [Fraction(data.draw(st.integers(0, 4)), 4) for _ in range(case.box.size)]
        x = [
            a + s * (b - a) for a, b, s in zip(case.box.lower, case.box.upper, shares, strict=True)
        ]
        if confirm(network, query, x) is not None:
            assert isinstance(verdict, Violated)


def test_enumeration_counts_the_regions_of_three_lines():
    # Three lines in general position cut the square into seven regions.
    weight = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    network = Network.dense([weight, np.ones((1, 3))], [np.array([0.0, 0.0, -0.5]), np.zeros(1)])
    query = Query((Case(_box((-1, 1), (-1, 1)), (_half_space([1], -1),)),))
    found = enumerate_case(network, query, query.cases[0], Limits())
    assert found.regions == 7
    assert found.verdict == Proved(Method.ENUMERATION)


def test_enumeration_stops_at_its_limit():
    rng = np.random.default_rng(1)
    weights = [rng.normal(size=(12, 6)), rng.normal(size=(12, 12)), rng.normal(size=(1, 12))]
    network = Network.dense(weights, [np.zeros(12), np.zeros(12), np.zeros(1)])
    query = Query((Case(_box(*[(-1, 1)] * 6), (_half_space([1], -(10**6)),)),))
    found = enumerate_case(network, query, query.cases[0], Limits(), patterns=50)
    assert isinstance(found.verdict, Unknown)
    assert found.verdict.reason is Reason.SIZE


@pytest.mark.parametrize("weight", [1e3, 1e6, 1e9, 1e12, 1e15, 1e17])
@pytest.mark.parametrize("engine", ["auto", "milp"])
@pytest.mark.parametrize("shift", ["0", "1/1000000", "-1/1000000", "1/2", "-1/2"])
def test_large_weights_never_make_a_wrong_word(weight, engine, shift):
    # y = relu(w x) - relu(w x - 1) rises from 0 to 1 within 1/w of zero: its minimum is 0.
    network = Network.dense(
        [np.array([[weight], [weight]]), np.array([[1.0, -1.0]])],
        [np.array([0.0, -1.0]), np.zeros(1)],
    )
    query = Query((Case(_box((-1, 1)), (_half_space([1], Fraction(shift)),)),))
    verdict = certify(network, query, engine=engine, timeout=10).verdict
    truth = certify(network, query, engine="enumerate").verdict
    assert isinstance(truth, Violated) == (Fraction(shift) >= 0)
    _agree(verdict, truth, network, query)
    if engine == "auto":
        assert not isinstance(verdict, Unknown)


@pytest.mark.parametrize("engine", ["auto", "milp", "bounds"])
def test_cancellation_of_large_terms_is_seen_exactly(engine):
    # (x + 2^53) - 2^53 = x exactly, though float64 rounds it to an even integer.
    big = 2.0**53
    network = Network.dense(
        [np.array([[1.0]]), np.array([[1.0]])], [np.array([big]), np.array([-big])]
    )
    holds = Query((Case(_box((1, 2)), (_half_space([1], Fraction(99, 100)),)),))
    fails = Query((Case(_box((1, 2)), (_half_space([-1], Fraction(-3, 2)),)),))
    assert not isinstance(certify(network, holds, engine=engine, timeout=5).verdict, Violated)
    assert not isinstance(certify(network, fails, engine=engine, timeout=5).verdict, Proved)


def test_ties_are_unsafe_and_found_exactly():
    # |x| reaches exactly 0 at x = 0 only.
    network = Network.dense(
        [np.array([[1.0], [-1.0]]), np.ones((1, 2))], [np.zeros(2), np.zeros(1)]
    )
    touching = Query((Case(_box((-1, 2)), (_half_space([1], 0),)),))
    missing = Query((Case(_box((-1, 2)), (_half_space([1], Fraction(-1, 10**12)),)),))
    assert isinstance(certify(network, touching, timeout=20).verdict, Violated)
    assert isinstance(certify(network, missing, timeout=20).verdict, Proved)


def test_a_point_box_and_a_thin_box():
    network = Network.dense([np.array([[1.0]]), np.array([[1.0]])], [np.zeros(1), np.zeros(1)])
    third = Fraction(1, 3)
    exactly = Query((Case(Box((third,), (third,)), (_half_space([1], third),)),))
    below = Query(
        (Case(Box((third,), (third,)), (_half_space([1], third - Fraction(1, 10**30)),)),)
    )
    found = certify(network, exactly, timeout=5).verdict
    assert isinstance(found, Violated)
    assert found.witness.input == (third,)
    assert isinstance(certify(network, below, timeout=5).verdict, Proved)


@pytest.mark.parametrize("engine", ["auto", "milp", "bounds", "enumerate"])
def test_unsafe_sets_that_are_everything_or_nothing(engine):
    network = Network.dense([np.eye(2)], [np.zeros(2)])
    box = _box((0, 1), (0, 1))
    nothing = certify(network, Query((Case(box, ()),)), engine=engine).verdict
    assert nothing == Proved(Method.EMPTY)
    everything = certify(network, Query((Case(box, (Polyhedron((), ()),)),)), engine=engine).verdict
    assert isinstance(everything, Unknown if engine == "bounds" else Violated)
    contradiction = Polyhedron(
        ((Fraction(1), Fraction(0)), (Fraction(-1), Fraction(0))), (Fraction(0), Fraction(-1))
    )
    found = certify(network, Query((Case(box, (contradiction,)),)), engine=engine).verdict
    assert isinstance(found, Proved)


def test_one_violated_case_is_enough_and_all_are_needed():
    network = Network.dense([np.eye(1)], [np.zeros(1)])
    safe = Case(_box((1, 2)), (_half_space([1], 0),))
    unsafe = Case(_box((-1, 0)), (_half_space([1], 0),))
    assert isinstance(certify(network, Query((safe, unsafe))).verdict, Violated)
    assert isinstance(certify(network, Query((safe, safe))).verdict, Proved)


@pytest.mark.skipif(
    "PULP_CBC_CMD" not in available_solvers(), reason="PuLP's CBC does not run here"
)
def test_cbc_through_pulp_agrees_with_highs():
    rng = np.random.default_rng(11)
    seen = set()
    for _ in range(12):
        weights = [rng.normal(size=(8, 12)), rng.normal(size=(8, 8)), rng.normal(size=(1, 8))]
        network = Network.dense(weights, [rng.normal(size=8), rng.normal(size=8), np.zeros(1)])
        outputs = network.evaluate(rng.uniform(-1, 1, (4000, 12)))
        limit = Fraction(float(outputs.min())) - Fraction(str(rng.choice([0.3, 1.0, 3.0])))
        query = Query((Case(_box(*[(-1, 1)] * 12), (_half_space([1], limit),)),))
        highs = certify(network, query, engine="milp", timeout=20).verdict
        cbc = certify(network, query, engine="milp", solver="CBC", timeout=20).verdict
        assert {type(highs), type(cbc)} != {Proved, Violated}
        seen.add(type(cbc))
    assert Proved in seen


def test_milp_proof_is_labelled_with_its_tolerance():
    verdict = Proved(Method.MILP, 1e-7)
    assert not verdict.method.rigorous
    assert "tolerance" in verdict.words


def test_time_limit_gives_unknown_with_the_reason():
    rng = np.random.default_rng(2)
    sizes = [30, 60, 60, 60, 2]
    weights = [rng.normal(size=(b, a)) for a, b in pairwise(sizes)]
    network = Network.dense(weights, [rng.normal(size=b) for b in sizes[1:]])
    query = Query((Case(_box(*[(-1, 1)] * 30), (_half_space([1, 0], -5000),)),))
    outcome = certify(network, query, timeout=2.0)
    assert isinstance(outcome.verdict, Unknown)
    assert outcome.verdict.reason is Reason.TIME
    assert outcome.seconds < 30


def test_the_same_seed_gives_the_same_witness():
    rng = np.random.default_rng(4)
    network = Network.dense(
        [rng.normal(size=(20, 5)), rng.normal(size=(1, 20))], [rng.normal(size=20), np.zeros(1)]
    )
    query = Query((Case(_box(*[(-1, 1)] * 5), (_half_space([1], -1),)),))
    first, second = (certify(network, query, seed=7).verdict for _ in range(2))
    assert isinstance(first, Violated)
    assert first == second


def test_divided_layers_are_decided_exactly():
    # (x + x + x) / 3 = x: the minimum over [1, 2] is exactly one.
    layer = Layer(np.array([[3.0]]), np.zeros(1), np.ones(1), np.array([3.0]))
    network = Network((layer,))
    at = Query((Case(_box((1, 2)), (_half_space([1], 1),)),))
    under = Query((Case(_box((1, 2)), (_half_space([1], 1 - Fraction(1, 10**9)),)),))
    assert isinstance(certify(network, at).verdict, Violated)
    assert isinstance(certify(network, under).verdict, Proved)


def test_wrong_arguments_are_named():
    network = Network.dense([np.eye(2)], [np.zeros(2)])
    query = Query((Case(_box((0, 1), (0, 1)), (_half_space([1, 0], 0),)),), "q")
    with pytest.raises(UsageError, match="unknown engine 'magic'"):
        certify(network, query, engine="magic")
    with pytest.raises(UsageError, match="time limit must be positive"):
        certify(network, query, timeout=0)
    with pytest.raises(UsageError, match="time limit must be positive"):
        certify(network, query, timeout=float("nan"))
    three = dataclasses.replace(query, cases=(Case(_box((0, 1)), ()),))
    with pytest.raises(QueryError, match="1 inputs, the network 2"):
        certify(network, three)


def test_running_out_of_memory_is_an_answer(monkeypatch):
    def too_much(*_):
        raise MemoryError

    monkeypatch.setattr("relucert.portfolio.case.checked_bounds", too_much)
    network = Network.dense([np.ones((1, 1)), np.ones((1, 1))], [np.zeros(1)] * 2)
    query = Query((Case(_box((-1, 1)), (_half_space([1], -5),)),))
    verdict = certify(network, query).verdict
    assert isinstance(verdict, Unknown)
    assert verdict.reason is Reason.MEMORY
