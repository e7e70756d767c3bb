"""What a search wrote down is believed only as far as the checker's arithmetic bears it out."""

import time
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from relucert.limits import Limits
from relucert.network import Layer, Network
from relucert.prover import replay
from relucert.prover.ground import Ground, checked_bounds
from relucert.prover.outcomes import Stopped
from relucert.prover.recheck import Deeper, recheck_signs, recheck_splits
from relucert.query import Box, Case, Polyhedron, Query
from relucert.search.question_log import BoxLog, Leaf, NeuronBounds, RefutedSet, RowTree
from relucert.search.split_log import Refutation, Split, SplitLog
from relucert.verdict import Method, Proved, Reason, Unknown, Verdict, Violated


def network(place: float, bend: float, sign: float) -> Network:
    """Of one input: relu(x - place) + sign relu(bend x - 1/4)."""
    return Network((
        Layer(np.array([[1.0], [bend]]), np.array([-place, -0.25]), np.array([True, True])),
        Layer(np.array([[1.0, sign]]), np.zeros(1), np.array([False])),
    ))  # fmt: skip


# On [-1, 1] both go from 0 to something above; bounds without a split show it of the first alone.
VALLEY = network(0.25, -1.0, 1.0)
STEP = network(-0.25, 1.0, -1.0)


def question(limit: Fraction, network: Network = STEP) -> tuple[Query, Ground]:
    """Whether y <= limit is reached."""
    part = Polyhedron(((Fraction(1),),), (limit,))
    case = Case(Box((Fraction(-1),), (Fraction(1),)), (part,))
    ground = checked_bounds(network, case, Limits())
    assert ground is not None
    return Query((case,)), ground


FALSE, TRUE = Fraction(1, 100), Fraction(-1, 1000)
EVERY = ((0, 0), (0, 1))


def splits(network: Network, limit: Fraction, found: Refutation) -> Verdict:
    query, ground = question(limit, network)
    return recheck_splits(network, query, ground, SplitLog({}, {0: {0: found}}), Limits(20.0))


@pytest.mark.parametrize("slope", [60.0, 2.0, -0.5, -50.0, 1e308, float("inf"), float("nan")])
def test_slopes_that_no_line_has_show_nothing(slope: float) -> None:
    found = splits(VALLEY, FALSE, Refutation({0: 1.0}, {}, dict.fromkeys(EVERY, slope)))
    assert isinstance(found, Violated)


@pytest.mark.parametrize("found", [
    Refutation({0: float("nan")}, {}, {}),
    Refutation({0: float("inf")}, {}, {}),
    Refutation({0: 0.0}, {(0, 0): 1.0}, {}),
    Refutation({0: -1.0}, {}, {}),
    Refutation({7: 1.0}, {}, {}),
    Refutation({-1: 1.0}, {}, {}),
    Refutation({0: 1.0}, {(0, 0): float("inf")}, {}),
    Refutation({0: 1.0}, {(9, 0): 1.0}, {}),
    Refutation({0: 1.0}, {}, {(9, 0): 0.5}),
    Refutation({0: 1.0}, {}, {(0, 9): 0.5}),
    Refutation({0: 1.0}, {}, {(-1, -9): 0.5}),
])  # fmt: skip
def test_multipliers_that_mean_nothing_are_passed_over(found: Refutation) -> None:
    assert splits(STEP, TRUE, found) == Proved(Method.CHECKED)
    assert isinstance(splits(STEP, FALSE, found), Violated)


def test_splits_that_mean_nothing_are_no_proof() -> None:
    query, ground = question(FALSE)
    for split in (Split(5, 0, 0.0, 1), Split(0, 9, 0.0, 1), Split(-1, 4, 0.0, 1)):
        found = recheck_splits(STEP, query, ground, SplitLog({0: split}, {}), Limits(20.0))
        assert isinstance(found, Unknown)
        assert found.reason is Reason.ROUNDING


def test_a_part_that_does_not_check_in_time_is_not_proved(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search's word is worth nothing where the check has found a part that it does not bear."""

    def out_of_time(*_: object, **__: object) -> None:
        time.sleep(limits.remaining)
        raise Stopped("time")

    monkeypatch.setattr(replay, "prove_by_inputs", out_of_time)
    monkeypatch.setattr(replay, "_HALVINGS", 0)  # which would find a counterexample first
    query, ground = question(FALSE)
    limits = Limits(0.1)
    found = recheck_splits(STEP, query, ground, SplitLog(), limits)
    assert isinstance(found, Unknown)
    assert found.reason is Reason.TIME


def signs(limit: Fraction, *found: NeuronBounds | RefutedSet) -> Verdict:
    query, ground = question(limit)
    start = Deeper.of(STEP, query, ground, Limits())
    assert start is not None
    return recheck_signs(STEP, start, BoxLog(list(found)), Limits(20.0))


def leaf(**lists: dict[int, Any]) -> RowTree:
    return RowTree(0, {}, {0: Leaf(lists.get("slopes", {}), lists.get("betas", {}))})


@pytest.mark.parametrize("found", [
    NeuronBounds(0, {(0, 2): leaf()}),
    NeuronBounds(0, {(0, 0): leaf()}),
    NeuronBounds(0, {(-1, 1): leaf()}),
    NeuronBounds(-1, {(0, 1): leaf()}),
    NeuronBounds(9, {(0, 1): leaf()}),
    NeuronBounds(0, {(0, 1): RowTree(0, {0: (0, 0, 1)}, {})}),
    NeuronBounds(0, {(0, 1): RowTree(0, {0: (0, -1, 1)}, {1: Leaf({}, {}), 2: Leaf({}, {})})}),
    RefutedSet(0, {0: float("inf")}, leaf()),
    RefutedSet(0, {0: float("nan")}, leaf()),
    RefutedSet(0, {-1: 1.0}, leaf()),
    RefutedSet(0, {5: 1.0}, leaf()),
    RefutedSet(-1, {0: 1.0}, leaf()),
    RefutedSet(0, {0: 1.0}, RowTree(0, {}, {})),
    RefutedSet(0, {0: 1.0}, leaf(betas={0: {0: float("nan")}})),
    RefutedSet(0, {0: 1.0}, leaf(slopes={0: (np.array([0]), np.array([200], dtype=np.uint8))})),
    RefutedSet(0, {0: 1.0}, leaf(slopes={0: (np.array([7]), np.array([128], dtype=np.uint8))})),
    RefutedSet(0, {0: 1.0}, leaf(slopes={8: (np.array([0]), np.array([128], dtype=np.uint8))})),
])  # fmt: skip
def test_trees_that_mean_nothing_are_no_proof(found: NeuronBounds | RefutedSet) -> None:
    for limit in (TRUE, FALSE):
        verdict = signs(limit, found, RefutedSet(0, {0: 1.0}, leaf()))
        assert isinstance(verdict, Unknown), verdict
        assert verdict.reason is Reason.ROUNDING
