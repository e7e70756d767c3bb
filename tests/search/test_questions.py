"""Limits and faults in branch and bound: what is left out never counts as closed."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from relucert.bounds.backward import bound_network
from relucert.bounds.interval import Intervals
from relucert.limits import Limits
from relucert.network import Network
from relucert.query import Box, Case, Polyhedron, Query
from relucert.search import questions as module
from relucert.search import relu_split
from relucert.search.questions import Effort, Questions
from relucert.search.relu_split import Plan, Round, split_relus
from relucert.search.sharpen import sharpened
from relucert.verdict import Interrupted

SIZES = [12, 16, 16, 3]
BOX = Intervals(np.full(12, -0.6), np.full(12, 0.6))


def _chain(sizes=SIZES):
    rng = np.random.default_rng(3)
    weights = [rng.normal(size=(b, a)) / np.sqrt(a) for a, b in pairwise(sizes)]
    network = Network.dense(weights, [0.3 * rng.normal(size=b) for b in sizes[1:]])
    return network, bound_network(network, BOX)


def _questions(chain, rows, shift=0.0, executor=None):
    """Rows over the outputs, with ``shift`` added: unstable neurons of a chain come first."""
    from relucert.search.compact import compacted

    small = compacted(chain, BOX, {}, len(chain) - 1)
    return Questions(
        small.chain, BOX, rows[:, small.neurons[-1]], Effort(2, 1, 0.25, 16), after_relu=True,
        shift=lambda values, _: values + shift, executor=executor,
    )  # fmt: skip


def _sampled(network):
    points = np.random.default_rng(0).uniform(-0.6, 0.6, size=(20_000, 12))
    return network.evaluate(points).min(axis=0)


@pytest.mark.parametrize("memory", [1.0, 4_000.0, 1e9])
def test_a_full_store_is_searched_depth_first(memory, monkeypatch):
    network, chain = _chain()
    monkeypatch.setattr(Limits, "out_of_memory", False)
    asked = _questions(chain, np.eye(3), shift=2.0)
    limits = Limits(memory=memory)
    asked.start(limits)
    first = [one.bound for one in asked.questions]
    asked.run(lambda _: True, limits, most=3_000)
    assert asked.visited > 1_000 or all(one.bound > 0 for one in asked.questions)
    for one, before, least in zip(asked.questions, first, _sampled(network), strict=True):
        assert before <= one.bound <= least + 2.0
    used = len(asked.store.question) - len(asked.store.vacant)
    assert used == sum(len(one.open) for one in asked.questions)
    if memory < 1e9:
        assert used <= 3 + 2 * 16 * sum(asked.widths.values())


def test_a_full_store_takes_less_and_proves_the_same(monkeypatch):
    network, chain = _chain()
    monkeypatch.setattr(Limits, "out_of_memory", False)
    sizes = []
    for memory in (float("inf"), 1.0):
        asked = _questions(chain, np.eye(3)[:1], shift=0.2 - _sampled(network)[0])
        limits = Limits(memory=memory)
        asked.start(Limits())
        asked.store.most_bytes = 0.25 * limits.memory
        asked.run(lambda _: True, limits, most=10_000)
        assert asked.questions[0].bound > 0
        assert asked.questions[0].closed == 1.0
        sizes.append(len(asked.store.question))
    assert sizes[1] < 0.5 * sizes[0]


class _Fault(BaseException):
    pass


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("calls", [1, 2, 3])
def test_divisions_in_hand_at_a_fault_bound_nothing(jobs, calls, monkeypatch):
    _, chain = _chain()
    done = []

    def faulty(*arguments, **options):
        done.append(1)
        if len(done) >= calls:
            raise _Fault
        return bounded(*arguments, **options)

    bounded = module.bounded
    with ThreadPoolExecutor(jobs) if jobs > 1 else nullcontext() as executor:
        asked = _questions(chain, np.eye(3), executor=executor)
        asked.start(Limits())
        monkeypatch.setattr(module, "bounded", faulty)
        with pytest.raises(_Fault):
            asked.run(lambda _: True, Limits(), most=10_000)
    assert any(one.bound == -np.inf for one in asked.questions)
    count = sum(len(one.open) for one in asked.questions)
    assert count == len(asked.store.question) - len(asked.store.vacant) or calls > 1


def test_questions_that_the_time_leaves_out_know_nothing():
    _, chain = _chain()
    asked = _questions(chain, np.eye(3))
    asked.start(Limits(0.0))
    assert asked.visited == 0
    assert all(one.bound == -np.inf for one in asked.questions)
    before = {i: one.pre for i, one in enumerate(chain) if one.layer.relu.any()}
    after = sharpened(chain, BOX, before, Limits(0.0), Effort(), 10)
    for index, own in before.items():
        assert (after[index].lower == own.lower).all()
        assert (after[index].upper == own.upper).all()


@pytest.mark.parametrize("jobs", [1, 2])
def test_ctrl_c_tells_how_far_it_came(jobs):
    network, chain = _chain()
    nearest = Fraction(float(_sampled(network)[0]) - 1e-3)
    part = Polyhedron(((Fraction(1), Fraction(0), Fraction(0)),), (nearest,))
    box = Box((Fraction(-3, 5),) * 12, (Fraction(3, 5),) * 12)
    query = Query((Case(box, (part,)),))

    def progress(words):
        if "nodes" in words:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted) as stop:
        split_relus(
            network, query, query.cases[0], chain, Limits(), progress, jobs=jobs,
            plan=Plan((Round(1, 100),)),
        )  # fmt: skip
    assert stop.value.standing.nodes > 0
    assert stop.value.standing.margin < 0


def test_the_standing_never_gets_worse(monkeypatch):
    monkeypatch.setattr(relu_split, "_EXACT_TRIES", 0)
    network, chain = _chain()
    nearest = Fraction(float(_sampled(network)[0]) - 1e-3)
    part = Polyhedron(((Fraction(1), Fraction(0), Fraction(0)),), (nearest,))
    box = Box((Fraction(-3, 5),) * 12, (Fraction(3, 5),) * 12)
    query, seen = Query((Case(box, (part,)),)), []

    def progress(words):
        if "nodes" in words:
            percent = words.split(" % proved")[0].split()[-1]
            seen.append((float(words.split(",")[0].split()[-1]), float(percent)))

    plan = Plan((Round(1, 3_000), Round(5, 200), Round(6, 1_000)), worthwhile=-1.0)
    split_relus(network, query, query.cases[0], chain, Limits(), progress, plan=plan)
    assert len(seen) > 3
    assert seen == sorted(seen)
    assert all(a[1] <= b[1] for a, b in pairwise(seen))
