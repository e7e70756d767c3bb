"""What cubes say together: never more than each of them."""

import os
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from support.cube_questions import AtOnce, at_least, wavy
from support.cube_questions import divided_questions as questions

from relucert.cubes.certify import certify_cubes
from relucert.cubes.local import LocalProcesses, local_processes
from relucert.cubes.work import Settings
from relucert.errors import QueryError, SolverError
from relucert.limits import Limits
from relucert.query import Box, Case, Query
from relucert.search.enumerate import enumerate_case
from relucert.verdict import (
    Method,
    Proved,
    Reason,
    Standing,
    Unknown,
    Violated,
    Witness,
    combined,
)

F = Fraction


NETWORK, HIGHEST, LARGEST = wavy()
TRUE, FALSE = at_least(F(LARGEST) * F(11, 10)), at_least(F(LARGEST) * F(9, 10))


def run(query, executor, cubes=6, seconds=60.0, slots=1, network=None, **others):
    return certify_cubes(
        network or NETWORK, query, executor, lambda: slots, cubes=cubes,
        settings=others.pop("settings", Settings()), limits=Limits(seconds), alone_seconds=0,
        **others,
    )  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(questions())
def test_they_answer_what_enumeration_says(question):
    network, query = question
    found = run(query, AtOnce(), 5, network=network).verdict
    cases = [enumerate_case(network, query, case, Limits()).verdict for case in query.cases]
    expected = combined(cases)
    assert isinstance(found, Unknown) or type(found) is type(expected)
    if isinstance(found, Violated):
        assert query.violated_by(found.witness.input, found.witness.output)


def test_all_proved_is_proved():
    executor = AtOnce()
    found = run(TRUE, executor, first_seconds=100.0)  # none is halved
    assert found.verdict == Proved(Method.CHECKED)
    assert len(executor.tasks) == found.given > 1
    assert found.count >= found.given


def test_compiling_takes_no_time_from_the_first_cube(monkeypatch):
    ready = []
    monkeypatch.setattr("relucert.cubes.work.prepare", lambda query, limits: ready.append(limits))
    run(TRUE, executor := AtOnce(), seconds=50.0, first_seconds=3.0)
    assert len(ready) == len(executor.tasks) > 0
    assert all(3 < limits.seconds <= 50 for limits in ready)


def test_the_weakest_method_is_named():
    weak = Proved(Method.MILP, 1e-6)
    count = 0

    def change(task, answer):
        nonlocal count
        count += 1
        return replace(answer, verdict=weak) if count == 2 else answer

    assert run(TRUE, AtOnce(change)).verdict == weak


def test_a_counterexample_ends_it():
    executor = AtOnce()
    found = run(FALSE, executor, cubes=32)
    assert isinstance(found.verdict, Violated)
    assert len(executor.tasks) < 32


def test_a_counterexample_is_not_believed():
    witness = Witness((F(1, 2),) * 3, (F(200),))
    executor = AtOnce(lambda task, answer: replace(answer, verdict=Violated(witness)))
    verdict = run(TRUE, executor).verdict
    assert isinstance(verdict, Unknown)
    assert verdict.reason is Reason.ENGINE


def test_what_takes_too_long_is_halved():
    seconds = []

    def change(task, answer):
        seconds.append(task.seconds)
        if task.seconds < 15:
            return replace(answer, verdict=Unknown(Reason.TIME))
        return answer

    found = run(TRUE, AtOnce(change), cubes=2, first_seconds=4.0)
    assert found.verdict == Proved(Method.CHECKED)
    assert sorted(set(seconds)) == [4.0, 8.0, 16.0]


def test_the_reason_that_time_does_not_cure_is_named():
    reasons = iter([Reason.TIME, Reason.MARGIN, Reason.MEMORY])
    standing = Standing(-0.5, 0.5, 3, 10)

    def change(task, answer):
        reason = next(reasons, None)
        return answer if reason is None else replace(answer, verdict=Unknown(reason, "", standing))

    verdict = run(TRUE, AtOnce(change), first_seconds=100.0, cubes=6).verdict
    assert isinstance(verdict, Unknown)
    assert verdict.reason is Reason.MARGIN
    assert verdict.standing.margin < 0
    assert 0 < verdict.standing.share < 1
    assert "cubes open" in verdict.detail


def test_no_time_is_no_verdict():
    executor = AtOnce()
    verdict = run(TRUE, executor, seconds=0.0).verdict
    assert isinstance(verdict, Unknown)
    assert verdict.reason is Reason.TIME
    assert not executor.tasks


def test_a_worker_that_is_gone_is_asked_twice():
    def change(task, answer):
        raise OSError("connection lost")

    executor = AtOnce(change)
    verdict = run(TRUE, executor, cubes=2).verdict
    assert isinstance(verdict, Unknown)
    assert verdict.reason is Reason.MEMORY
    assert len(executor.tasks) == 2 * len({task.query for task in executor.tasks})


def test_deliberate_errors_pass():
    def change(task, answer):
        raise SolverError("not installed")

    with pytest.raises(SolverError):
        run(TRUE, AtOnce(change))
    with pytest.raises(QueryError):
        run(Query((Case(Box((F(0),), (F(1),)), ()),)), AtOnce())


def test_nothing_unsafe_is_proved():
    assert run(Query((Case(TRUE.cases[0].box, ()),)), AtOnce()).verdict == Proved(Method.EMPTY)


class Poisoned(LocalProcesses):
    """Whoever is given the largest y dies."""

    given = 0

    def submit(self, fn, /, *args, **kwargs):
        if args[0].query.cases[0].box.contains(HIGHEST):
            self.given += 1
            return super().submit(os._exit, 1)
        return super().submit(fn, *args, **kwargs)


def test_processes_that_die_cost_their_own_cube_only():
    processes = Poisoned(2)
    try:
        found = run(TRUE, processes, cubes=8, slots=2)
    finally:
        processes.shutdown()
    assert processes.given == 2
    assert isinstance(found.verdict, Unknown)
    assert found.verdict.reason is Reason.MEMORY
    leaves = [leaf for root in found.roots for leaf in root.leaves()]
    assert sum(isinstance(leaf.verdict, Unknown) for leaf in leaves) == 1


def test_local_processes_agree_with_one():
    with local_processes(2) as processes:
        found = run(TRUE, processes, slots=2)
    assert found.verdict == Proved(Method.CHECKED)


@pytest.mark.slow
def test_dask_agrees_with_local_processes():
    distributed = pytest.importorskip("distributed", reason="pip install '.[cluster]'")
    cluster = distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
    )
    with cluster, distributed.Client(cluster) as client:
        found = run(TRUE, client.get_executor(), slots=2)
    assert found.verdict == Proved(Method.CHECKED)
