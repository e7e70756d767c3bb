"""The rules hold on random instances; rules with a deliberate mistake are caught."""

import importlib.util
from pathlib import Path

import pytest

from reductions.checking import check_instance, check_rule
from reductions.graph import RULES
from reductions.problems import KSatisfiability, MaxSatisfiability, Satisfiability
from reductions.rules import (
    NaeSatisfiabilityToRobustMemorization,
    SatisfiabilityToNetworkVerification,
)
from reductions.small_instances import random_instance, simplifications
from relucert.errors import UsageError

BROKEN = sorted((Path(__file__).parent / "broken_rules").glob("*.py"))


def broken_rule(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.RULE


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_rules_hold(rule):
    slow = isinstance(rule, NaeSatisfiabilityToRobustMemorization)
    report = check_rule(rule, 12 if slow else 60, seed=11)
    assert report.passed, report.words
    assert report.open == 0
    assert min(report.yes, report.no) > 0
    assert report.solutions > report.yes


@pytest.mark.slow
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
@pytest.mark.parametrize("seed", [1, 2])
def test_rules_hold_at_length(rule, seed):
    report = check_rule(rule, 300, seed=seed)
    assert report.passed, report.words


@pytest.mark.slow
@pytest.mark.parametrize(
    "rule",
    [
        NaeSatisfiabilityToRobustMemorization(budget=0),
        NaeSatisfiabilityToRobustMemorization(scale="7/3"),
        NaeSatisfiabilityToRobustMemorization(scale="1/1024"),
        SatisfiabilityToNetworkVerification(slack=0),
        SatisfiabilityToNetworkVerification(slack="99/100"),
    ],
    ids=["budget 0", "scale 7/3", "scale 1/1024", "slack 0", "slack 99/100"],
)
def test_parameters_keep_the_rules_right(rule):
    report = check_rule(rule, 80, seed=3)
    assert report.passed, report.words


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_broken_rules_are_caught_with_a_minimal_counterexample(path):
    rule = broken_rule(path)
    report = check_rule(rule, 100, seed=5)
    found = report.counterexample
    assert found is not None
    assert "fails" in report.words
    seed = report.seed
    assert check_instance(rule, found.instance, seed) is not None
    for simpler in simplifications(found.instance):
        assert simpler == found.instance or check_instance(rule, simpler, seed) is None
    size = found.instance.size()
    assert size["clauses"] <= 4
    assert size["variables"] <= 3


def test_there_are_broken_rules():
    assert len(BROKEN) >= 3


def test_the_same_seed_gives_the_same_report():
    rule = broken_rule(BROKEN[-1])
    first, second = (check_rule(rule, 50, seed=9) for _ in range(2))
    assert first.words == second.words


def test_a_drawn_seed_is_reported_and_repeats():
    report = check_rule(RULES[0], 5)
    assert check_rule(RULES[0], 5, report.seed).words == report.words


def test_progress_is_told():
    seen = []
    check_rule(RULES[0], 4, seed=1, progress=seen.append)
    assert seen == [1, 2, 3, 4]


def test_problems_without_rules_have_no_random_instances():
    import random

    with pytest.raises(UsageError, match="max-satisfiability"):
        random_instance(MaxSatisfiability, random.Random(0))


def test_simplifications_of_formulas():
    formula = Satisfiability(2, ((1, -2), (2,)))
    simpler = set(simplifications(formula))
    assert Satisfiability(2, ((2,),)) in simpler
    assert Satisfiability(1, ((-1,), (1,))) in simpler
    assert Satisfiability(1, ((1,), ())) in simpler
    assert Satisfiability(2, ((1,), (2,))) in simpler
    kept = list(simplifications(KSatisfiability(1, ((-1,),))))
    assert all(type(one) is KSatisfiability for one in kept)
