"""What `certify` proves is derived again, and a search that errs is not believed."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from support.random_networks import questions

from reductions.families import generate
from reductions.rules import SatisfiabilityToNetworkVerification
from relucert.limits import Limits
from relucert.network import Network
from relucert.prover.ground import checked_bounds, checked_together
from relucert.prover.outcomes import Stopped
from relucert.prover.recheck import Deeper, recheck_signs, recheck_splits
from relucert.query import Box, Case, Polyhedron, Query
from relucert.search.enumerate import enumerate_case
from relucert.search.few_inputs import search_few_inputs
from relucert.search.question_log import BoxLog, NeuronBounds, RefutedSet, RowTree
from relucert.search.relu_split import split_relus
from relucert.search.split_log import SplitLog
from relucert.verdict import Method, Proved, Reason, Unknown, Violated
from relucert.verify import certify

UNCHECKED, CHECKED = Proved(Method.BOUNDS), Proved(Method.CHECKED)


def above(limit: float, inputs: int) -> Case:
    """On the cube with sides 2, outputs of at most ``limit`` are unsafe."""
    one = Fraction(1)
    unsafe = Polyhedron(((one,),), (Fraction(limit),))
    return Case(Box((-one,) * inputs, (one,) * inputs), (unsafe,))


def deep(seed: int, inputs: int, widths: tuple[int, ...] = (12, 12, 12)) -> tuple[Network, float]:
    """A random network with one output, and nearly the least that it gives on the cube."""
    generator = np.random.default_rng(seed)
    sizes = [inputs, *widths, 1]
    network = Network.dense(
        [generator.normal(size=(b, a)) / np.sqrt(a) for a, b in pairwise(sizes)],
        [0.3 * generator.normal(size=b) for b in sizes[1:]],
    )
    return network, float(network.evaluate(generator.uniform(-1, 1, (20_000, inputs))).min())


def splits_of(network: Network, case: Case) -> SplitLog:
    log = SplitLog()
    found = search_few_inputs(network, Query((case,)), case, Limits(30.0), log=log)
    assert isinstance(found, Proved)
    assert log.splits
    return log


def signs_of(network: Network, case: Case) -> tuple[Deeper, BoxLog]:
    ground = checked_bounds(network, case, Limits())
    start = Deeper.of(network, Query((case,)), ground, Limits())
    log = BoxLog()
    found = split_relus(
        network, Query((case,)), ground.case, start.chain, Limits(60.0), log=log
    )  # fmt: skip
    assert isinstance(found, Proved)
    return start, log


@pytest.mark.parametrize(("inputs", "slack"), [(2, 0.05), (30, 1.5)])
@pytest.mark.parametrize("jobs", [1, 2])
def test_proved_by_a_search_is_checked(inputs, slack, jobs):
    network, least = deep(5, inputs, (12, 12))
    query = Query((above(least - slack, inputs),))
    first = checked_bounds(network, query.cases[0], Limits())
    assert first.case.unsafe  # the searches have something to do
    assert certify(network, query, engine="search", jobs=jobs).verdict == CHECKED
    assert certify(network, query, engine="search", jobs=jobs, check=False).verdict == UNCHECKED


def test_proved_by_first_bounds_is_checked():
    network, least = deep(5, 3)
    query = Query((above(least - 20.0, 3),))
    assert certify(network, query, engine="bounds").verdict == CHECKED
    assert certify(network, query, engine="bounds", check=False).verdict == UNCHECKED


@given(question=questions())
@settings(deadline=None)
def test_checked_verdicts_are_those_of_enumeration(question):
    network, query = question
    found = certify(network, query, engine="search", timeout=10.0).verdict
    known = [enumerate_case(network, query, case, Limits()).verdict for case in query.cases]
    if any(isinstance(verdict, Violated) for verdict in known):
        assert not isinstance(found, Proved)
    elif all(isinstance(verdict, Proved) for verdict in known):
        assert not isinstance(found, Violated)


@given(question=questions())
@settings(deadline=None)
def test_many_balls_at_once_are_those_of_enumeration(question):
    network, query = question
    cases = [*query.cases] * 3
    answers = dict(checked_together(network, cases, Limits()))
    assert list(answers) == list(range(len(cases)))
    for case, place in zip(query.cases, answers, strict=False):
        if answers[place]:
            verdict = enumerate_case(network, query, case, Limits()).verdict
            assert not isinstance(verdict, Violated)


def test_no_time_for_the_check_is_the_search_s_word():
    network, least = deep(1, 3)
    case = above(least - 0.05, 3)
    log, ground = splits_of(network, case), checked_bounds(network, case, Limits())
    late = Limits(1e-9)
    assert recheck_splits(network, Query((case,)), ground, log, late) == UNCHECKED
    assert recheck_splits(network, Query((case,)), ground, log, Limits()) == CHECKED
    start, signs = signs_of(network, case)
    assert recheck_signs(network, start, signs, late) == UNCHECKED
    assert recheck_signs(network, start, signs, Limits()) == CHECKED


def test_a_log_without_room_is_the_search_s_word():
    network, least = deep(1, 3)
    case = above(least - 0.05, 3)
    query, ground = Query((case,)), checked_bounds(network, case, Limits())
    log = SplitLog(most=3)
    assert isinstance(search_few_inputs(network, query, case, Limits(30.0), log=log), Proved)
    assert log.full
    assert not log.splits
    assert recheck_splits(network, query, ground, log, Limits()) == UNCHECKED
    start, _ = signs_of(network, case)
    signs = BoxLog(room=2000)
    found = split_relus(network, query, ground.case, start.chain, Limits(60.0), log=signs)
    assert isinstance(found, Proved)
    assert signs.full
    assert not signs.found
    assert recheck_signs(network, start, signs, Limits()) == UNCHECKED


@pytest.mark.parametrize("seed", range(3))
def test_a_false_claim_is_not_proved_by_a_true_one_s_tree(seed):
    """The same network, boxes and trees, with an unsafe set that is reached."""
    network, least = deep(seed, 3)
    true, false = above(least - 0.05, 3), above(least + 0.05, 3)
    log, (_, signs) = splits_of(network, true), signs_of(network, true)
    ground = checked_bounds(network, false, Limits())
    found = recheck_splits(network, Query((false,)), ground, log, Limits(20.0))
    assert not isinstance(found, Proved)
    start = Deeper.of(network, Query((false,)), ground, Limits())
    found = recheck_signs(network, start, signs, Limits())
    assert isinstance(found, Unknown)
    assert found.reason is Reason.ROUNDING
    assert "not accepted" in found.words


def test_a_search_that_is_wrong_is_not_believed(monkeypatch):
    """Its word alone, and its tree, for a claim that does not hold."""
    network, least = deep(5, 30, (12, 12))
    query = Query((above(least + 0.05, 30),))
    _, other = signs_of(network, above(least - 1.5, 30))

    def wrong(*_args, log=None, **_options):
        if log is not None:
            log.found += other.found
        return UNCHECKED

    monkeypatch.setattr("relucert.portfolio.case.split_relus", wrong)
    monkeypatch.setattr("relucert.portfolio.case.attack_case", lambda *_: no_attack())
    found = certify(network, query, engine="search").verdict
    assert isinstance(found, Unknown)
    assert found.reason is Reason.ROUNDING
    assert certify(network, query, engine="search", check=False).verdict == UNCHECKED


def no_attack():
    """An attack that has found nothing."""
    return type("Nothing", (), {"violated": None})()


def test_damaged_multipliers_are_refused():
    network, least = deep(1, 3)
    start, log = signs_of(network, above(least - 0.05, 3))

    def answer(change):
        found = [
            replace(one, tree=change(one.tree)) if isinstance(one, RefutedSet)
            else NeuronBounds(one.layer, {key: change(tree) for key, tree in one.trees.items()})
            for one in log.found
        ]  # fmt: skip
        return recheck_signs(network, start, BoxLog(found), Limits())

    def steep(tree: RowTree) -> RowTree:
        def leaf(one):
            slopes = {
                layer: (neurons, np.full(len(steps), 200)) for layer, (neurons, steps) in
                one.slopes.items()
            }  # fmt: skip
            return replace(one, slopes=slopes)

        return replace(tree, leaves={name: leaf(one) for name, one in tree.leaves.items()})

    def negative(tree: RowTree) -> RowTree:
        def leaf(one):
            betas = {
                layer: {neuron: -value for neuron, value in own.items()}
                for layer, own in one.betas.items()
            }
            return replace(one, betas=betas)

        return replace(tree, leaves={name: leaf(one) for name, one in tree.leaves.items()})

    assert answer(lambda tree: tree) == CHECKED
    for change in (steep, negative):
        found = answer(change)
        assert isinstance(found, Unknown)
        assert found.reason is Reason.ROUNDING


def test_the_search_s_slopes_are_the_checker_s_where_bounds_are_symmetric(monkeypatch):
    """In networks made from formulas u = -l is usual: then one slope is as good as the other."""
    formula = generate("pigeonhole", {"pigeons": 4, "holes": 3}).formula
    target = SatisfiabilityToNetworkVerification().reduce(formula).target

    def divided(*_args, **_options):
        raise Stopped("divided further")

    monkeypatch.setattr("relucert.prover.replay.halving", divided)
    monkeypatch.setattr("relucert.prover.replay.prove_by_signs", divided)
    ground = checked_bounds(target.network, target.query.cases[0], Limits())
    log = splits_of(target.network, ground.case)
    assert recheck_splits(target.network, target.query, ground, log, Limits()) == CHECKED


def test_a_tie_is_decided_in_rationals():
    """max(x, 0) + max(-x, 0) - |x| is zero: safe below zero exactly, unsafe at zero."""
    weights = [np.array([[1.0], [-1.0], [1.0], [-1.0]]) / 3, np.array([[1.0, 1.0, -1.0, -1.0]])]
    network = Network.dense(weights, [np.zeros(4), np.zeros(1)])
    tiny = 2.0**-1000
    assert certify(network, Query((above(-tiny, 1),))).verdict.words.startswith("Proved")
    assert isinstance(certify(network, Query((above(0.0, 1),))).verdict, Violated)
