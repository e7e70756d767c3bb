"""Several pools explored by threads: the same verdicts, and no node is ever lost."""

import itertools
import threading
import time
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.random_networks import questions

from relucert.limits import Limits
from relucert.network import Network
from relucert.query import Box, Case, Polyhedron, Query
from relucert.search import few_inputs, few_inputs_parallel
from relucert.search.enumerate import enumerate_case
from relucert.search.exploration import Exploration, concluded, hand_over
from relucert.search.few_inputs import search_few_inputs
from relucert.search.star.pool import OPEN, VACANT
from relucert.verdict import Proved, Reason, Unknown, Violated

pytest.importorskip("numba")


@pytest.fixture(scope="module", autouse=True)
def tiny_slices():
    """Threads join after one node and hand over after every node."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(few_inputs, "_ALONE", 1)
        patch.setattr(few_inputs_parallel, "next_slice", lambda *_: 1)
        patch.setattr(few_inputs, "next_slice", lambda *_: 1)
        yield


def _searched(network, query, jobs, limits=None):
    limits = limits or Limits(30.0)
    return search_few_inputs(network, query, query.cases[0], limits, seed=1, jobs=jobs)


def _random_network(rng, sizes):
    weights = [rng.standard_normal((b, a)) for a, b in itertools.pairwise(sizes)]
    return Network.dense(weights, [rng.standard_normal(len(w)) for w in weights])


def _below(network, limit, inputs):
    part = Polyhedron(((Fraction(1),),), (Fraction(limit),))
    return Query((Case(Box((Fraction(-1),) * inputs, (Fraction(1),) * inputs), (part,)),))


@settings(max_examples=150)
@given(questions(entries=st.integers(-3, 3).map(float)), st.integers(2, 4))
def test_agrees_with_exact_enumeration(question, jobs):
    network, query = question
    expected = enumerate_case(network, query, query.cases[0], Limits(60)).verdict
    assert type(_searched(network, query, jobs)) is type(expected)


@settings(max_examples=60)
@given(questions(), st.integers(2, 3))
def test_awkward_numbers_agree_with_exact_enumeration(question, jobs):
    network, query = question
    expected = enumerate_case(network, query, query.cases[0], Limits(60)).verdict
    found = _searched(network, query, jobs)
    if isinstance(found, Unknown):
        assert found.reason is Reason.ENGINE
    else:
        assert type(found) is type(expected)


def test_proofs_of_many_nodes_close_the_whole_box(monkeypatch):
    """The closed shares of all pools are one, and what one thread proves, three prove."""
    ended = []

    def noted(explorations):
        ended.append([(float(one.pool.closed[0]), one.visited) for one in explorations])
        return concluded(explorations)

    monkeypatch.setattr(few_inputs_parallel, "concluded", noted)
    for seed in range(6):
        rng = np.random.default_rng(seed)
        network = _random_network(rng, [4, 20, 20, 20, 1])
        least = network.evaluate(rng.uniform(-1, 1, (50_000, 4))).min()
        query = _below(network, least - 0.25 * abs(least) - 0.1, 4)
        assert isinstance(_searched(network, query, 1), Proved)
        assert isinstance(_searched(network, query, 3), Proved)
    assert all(sum(closed for closed, _ in pools) == 1.0 for pools in ended)
    assert sum(all(visited > 0 for _, visited in pools) for pools in ended) > 2


@pytest.mark.parametrize("seed", range(4))
def test_counterexamples_are_found(seed):
    rng = np.random.default_rng(seed)
    network = _random_network(rng, [4, 16, 16, 16, 1])
    sample = np.sort(network.evaluate(rng.uniform(-1, 1, (20_000, 4)))[:, 0])
    assert isinstance(_searched(network, _below(network, float(sample[0]), 4), 3), Violated)


def _exploration(seed, opened):
    """An exploration after some nodes, the way the driver makes it."""
    network, query = _hard()
    found = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(few_inputs, "_ALONE", opened)
        patch.setattr(
            few_inputs, "explore_together", lambda first, *_: found.append(first) or Unknown(None)
        )
        search_few_inputs(network, query, query.cases[0], Limits(30.0), seed=seed, jobs=2)
    return found[0]


def _volumes(pool):
    """What tells a node: its box, depth and statuses."""
    return sorted(
        (*pool.low[slot], *pool.high[slot], pool.bound[slot], *pool.status[slot])
        for slot in pool.open[: pool.counters[OPEN]]
    )


@pytest.mark.parametrize("seed", range(3))
def test_handing_over_moves_nodes_and_loses_none(seed):
    first = _exploration(seed, 40)
    other = first.beside(5)
    before = _volumes(first.pool)
    moved = hand_over(first.pool, other.pool)
    assert moved == len(before) // 2
    assert sorted(_volumes(first.pool) + _volumes(other.pool)) == before
    for pool in (first.pool, other.pool):
        used = list(pool.open[: pool.counters[OPEN]]) + list(pool.vacant[: pool.counters[VACANT]])
        assert sorted(used) == list(range(pool.capacity))


def test_a_lost_node_is_no_proof():
    first = _exploration(0, 40)
    first.pool.counters[OPEN] = 0
    assert isinstance(concluded([first]), Unknown)
    first.pool.counters[VACANT] = first.pool.capacity
    assert isinstance(concluded([first]), Unknown)


def _hard():
    rng = np.random.default_rng(11)
    network = _random_network(rng, [8, 60, 60, 60, 1])
    least = network.evaluate(rng.uniform(-1, 1, (5000, 8))).min()
    return network, _below(network, 3 * float(least), 8)


def test_time_runs_out_with_what_is_known():
    started = time.monotonic()
    found = _searched(*_hard(), 2, Limits(1.0))
    assert isinstance(found, Unknown)
    assert found.reason is Reason.TIME
    assert found.standing.margin < 0 <= found.standing.share < 1
    assert found.standing.open > 2
    assert time.monotonic() - started < 4.0
    assert threading.active_count() == 1


def test_memory_is_respected():
    found = _searched(*_hard(), 2, Limits(60.0, memory=1e6))
    assert isinstance(found, Unknown)
    assert found.reason is Reason.MEMORY


def test_a_fault_in_a_thread_is_raised(monkeypatch):
    def broken(*_):
        raise MemoryError("no more")

    monkeypatch.setattr(few_inputs_parallel, "hand_over", broken)
    with pytest.raises(MemoryError):
        _searched(*_hard(), 2)
    assert threading.active_count() == 1


def test_an_interruption_ends_all_threads(monkeypatch):
    ordinary = few_inputs_parallel._Crew._watch

    def interrupted(crew, progress):
        threading.Timer(0.3, lambda: crew._end(None)).start()
        ordinary(crew, progress)
        raise KeyboardInterrupt

    monkeypatch.setattr(few_inputs_parallel._Crew, "_watch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        _searched(*_hard(), 2)
    assert threading.active_count() == 1


def test_a_node_that_takes_long_is_not_waited_for(monkeypatch):
    """What was certified before it still holds, and counts."""
    ordinary = Exploration.visit

    def slow(one, nodes):
        if one.visited > 20:
            time.sleep(3.0)
        return ordinary(one, nodes)

    monkeypatch.setattr(Exploration, "visit", slow)
    started = time.monotonic()
    found = _searched(*_hard(), 1, Limits(0.7))
    assert isinstance(found, Unknown)
    assert found.reason is Reason.TIME
    assert found.standing.margin < 0
    assert time.monotonic() - started < 3.0
    time.sleep(3.0)
