"""Many points: the same brackets whatever the number of processes, and none left behind."""

import multiprocessing
import os
from fractions import Fraction

import numpy as np
import pytest
from support.fragile import Fragile

from relucert.network import Network
from relucert.query import Decision
from relucert.radius import RadiusOptions, bracket_points
from relucert.verdict import Reason


@pytest.fixture(scope="module")
def question():
    rng = np.random.default_rng(2)
    network = Network.dense(
        [rng.normal(size=(6, 30)), rng.normal(size=(2, 6))], [rng.normal(size=6), np.zeros(2)]
    )
    points = [tuple(Fraction(float(v)) for v in rng.random(30)) for _ in range(6)]
    labels = [int(network.evaluate(np.array([float(v) for v in p])).argmax()) for p in points]
    return network, points, labels


OPTIONS = RadiusOptions(clip=(Fraction(0), Fraction(1)), seed=4)


def test_processes_change_no_result(question):
    network, points, labels = question
    decision = Decision("argmax", 2)
    alone, beside = (
        {
            done.place: done.bracket
            for done in bracket_points(network, points, labels, decision, OPTIONS, jobs)
        }
        for jobs in (1, 2)
    )
    assert alone == beside
    assert sorted(alone) == list(range(6))
    assert multiprocessing.active_children() == []


def test_ending_early_leaves_no_process_behind(question):
    network, points, labels = question
    found = bracket_points(network, points, labels, Decision("argmax", 2), OPTIONS, 2)
    next(found)
    found.close()
    assert multiprocessing.active_children() == []


def test_a_process_that_dies_costs_only_its_points_precision(question):
    network, points, labels = question
    fragile = Fragile("argmax", 2, os.getpid())
    found = list(bracket_points(network, points[:2], labels[:2], fragile, OPTIONS, 2))
    alone = bracket_points(network, points[:2], labels[:2], Decision("argmax", 2), OPTIONS)
    upper = {done.place: done.bracket.upper for done in alone}
    for done in found:
        assert done.bracket.reason is Reason.SOLVER
        assert done.bracket.upper is None
        assert upper[done.place] is None or done.bracket.lower <= upper[done.place]


def test_progress_names_the_point(question):
    network, points, labels = question
    said = []
    list(bracket_points(network, points[:2], labels[:2], Decision("argmax", 2), OPTIONS, 1,
                        lambda place, words: said.append((place, words))))  # fmt: skip
    assert {place for place, _ in said} == {0, 1}
