"""The rules at their edges: empty formulas, parameters, wrong solutions, large instances."""

import doctest
import importlib
import pkgutil
import random
from fractions import Fraction

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reductions.problems
import reductions.rules
from reductions.checking import check_instance
from reductions.errors import DecodingError, ReductionError
from reductions.graph import RULES, path
from reductions.problems import (
    GraphColoring,
    IndependentSet,
    KSatisfiability,
    NotAllEqualSatisfiability,
    Satisfiability,
)
from reductions.rules import (
    NaeSatisfiabilityToRobustMemorization,
    SatisfiabilityToNetworkVerification,
    SatisfiabilityToThreeSatisfiability,
)
from relucert.errors import InputError
from relucert.network import Network

MODULES = [
    *(f"reductions.problems.{m.name}" for m in pkgutil.iter_modules(reductions.problems.__path__)),
    *(f"reductions.rules.{m.name}" for m in pkgutil.iter_modules(reductions.rules.__path__)),
    "reductions.graph",
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_every_rule_shows_an_example():
    for rule in RULES:
        assert ">>>" in (type(rule).__doc__ or "")


EDGES = [
    Satisfiability(0, ()),
    Satisfiability(0, ((),)),
    Satisfiability(1, ()),
    Satisfiability(1, ((1,),)),
    Satisfiability(1, ((1,), (-1,))),
    Satisfiability(2, ((1, -1),)),
    Satisfiability(2, ((1, 1, 1, 2), (2, 1), ())),
    Satisfiability(3, ((-3, -3), (3, -3, 2))),
    Satisfiability(5, ((1, 2, 3, 4, 5), (-1, -2, -3, -4, -5))),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
@pytest.mark.parametrize("edge", EDGES, ids=str)
def test_edges(rule, edge):
    kind = rule.source_problem
    if kind is Satisfiability:
        assert check_instance(rule, edge) is None
    elif kind is NotAllEqualSatisfiability:
        small = edge.variables <= 3
        assert not small or check_instance(rule, kind(edge.variables, edge.clauses)) is None
    elif kind is KSatisfiability and edge.is_k_sat(3):
        assert check_instance(rule, kind(edge.variables, edge.clauses)) is None


@pytest.mark.parametrize(
    "graph", [nx.empty_graph(0), nx.empty_graph(2), nx.complete_graph(3), nx.cycle_graph(5)]
)
@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_edges_of_graph_rules(graph, count):
    coloring, independent = RULES[0], RULES[1]
    assert check_instance(coloring, GraphColoring(graph, count)) is None
    if graph.number_of_nodes() * (count + 1) <= 15:
        assert check_instance(independent, IndependentSet(graph, count)) is None


def planted(variables, clauses, seed):
    rng = random.Random(seed)
    hidden = tuple(rng.random() < 0.5 for _ in range(variables))
    chosen = []
    while len(chosen) < clauses:
        clause = tuple(rng.choice((1, -1)) * x for x in rng.sample(range(1, variables + 1), 3))
        if any(hidden[abs(x) - 1] == (x > 0) for x in clause):
            chosen.append(clause)
    return Satisfiability(variables, tuple(chosen)), hidden


@pytest.mark.parametrize(
    "budget",
    [
        0,
        Fraction(1, 1000),
        Fraction(1, 168) - Fraction(1, 10**12),
        Fraction(1, 168) - Fraction(1, 10**40),
    ],
)
@pytest.mark.parametrize("scale", [1, Fraction(7, 3), Fraction(1, 2**20), 1000])
def test_budgets_and_scales(budget, scale):
    # v = 21 and k = 4: the bound is 1 / 168.
    formula, hidden = planted(20, 80, 3)
    rule = NaeSatisfiabilityToRobustMemorization(budget, scale)
    chain = path("satisfiability", "robust-memorization", configured=[rule])
    reduction = chain.reduce(formula)
    assert reduction.target.budget == budget * scale
    network = reduction.encode(hidden)
    assert reduction.decode(network) == hidden
    scaled = path("satisfiability", "robust-memorization").reduce(formula).target
    assert [[(i, x * scale) for i, x in p] for p in scaled.points] == [
        list(p) for p in reduction.target.points
    ]


def test_the_default_budget_leaves_a_network_with_margin_one():
    formula, hidden = planted(20, 80, 4)
    data = path("satisfiability", "robust-memorization").reduce(formula)
    assert data.target.budget == Fraction(1, 2 * 2 * 21 * 4)
    network = data.encode(hidden)
    form = data.target.form(network)
    for point, label in zip(data.target.points, data.target.labels, strict=True):
        worst = form.minimum_on_ball if label > 0 else form.maximum_on_ball
        assert label * worst(point, data.target.budget) >= 1


@pytest.mark.parametrize("budget", [Fraction(1, 168), -1, 1])
def test_budgets_out_of_range(budget):
    formula, _ = planted(20, 80, 3)
    rule = NaeSatisfiabilityToRobustMemorization(budget)
    chain = path("satisfiability", "robust-memorization", configured=[rule])
    with pytest.raises(InputError, match="budget"):
        chain.reduce(formula)


def test_other_parameters_out_of_range():
    with pytest.raises(InputError, match="scale"):
        NaeSatisfiabilityToRobustMemorization(scale=0)
    for slack in (1, -1, Fraction(3, 2)):
        with pytest.raises(InputError, match="slack"):
            SatisfiabilityToNetworkVerification(slack)
    huge = NaeSatisfiabilityToRobustMemorization(scale=Fraction(1, 2**60))
    reduction = huge.reduce(NotAllEqualSatisfiability(1, ()))
    with pytest.raises(InputError, match="float64"):
        reduction.encode((True,))


def test_networks_that_do_not_memorize_name_the_point():
    formula, hidden = planted(6, 12, 5)
    reduction = path("satisfiability", "robust-memorization").reduce(formula)
    good = reduction.encode(hidden)
    bad = Network.dense(
        [np.asarray(good.layers[0].weight), np.asarray(good.layers[1].weight)],
        [good.layers[0].bias, good.layers[1].bias - 4.0],
    )
    with pytest.raises(DecodingError, match="point 0 with label"):
        reduction.decode(bad)
    constant = Network.dense([np.zeros((1, 14)), np.ones((1, 1))], [np.zeros(1), np.ones(1)])
    with pytest.raises(DecodingError, match=r"point 1 with label -1 .* maximum .* is 1"):
        reduction.decode(constant)


def test_a_dead_third_neuron_does_not_matter():
    formula, hidden = planted(6, 12, 5)
    reduction = path("satisfiability", "robust-memorization").reduce(formula)
    good = reduction.encode(hidden)
    weight = np.vstack([np.zeros((1, 14)), np.asarray(good.layers[0].weight)])
    outer = np.hstack([[[9.0]], np.asarray(good.layers[1].weight)])
    offsets = np.concatenate([[-1.0], good.layers[0].bias])
    assert (
        reduction.decode(Network.dense([weight, outer], [offsets, good.layers[1].bias])) == hidden
    )


def test_points_that_are_no_counterexamples_are_refused():
    reduction = SatisfiabilityToNetworkVerification().reduce(Satisfiability(2, ((1,), (2,))))
    with pytest.raises(DecodingError, match="not unsafe"):
        reduction.decode((Fraction(0), Fraction(0)))
    with pytest.raises(DecodingError, match="input 1 is 2"):
        reduction.decode((Fraction(1), Fraction(2)))
    with pytest.raises(InputError, match="3 values"):
        reduction.decode((Fraction(1),) * 3)


def test_wrong_source_solutions_are_refused():
    reduction = SatisfiabilityToThreeSatisfiability().reduce(Satisfiability(1, ((1,),)))
    with pytest.raises(InputError, match="no true literal"):
        reduction.encode((False,))
    with pytest.raises(InputError, match="2 values"):
        reduction.encode((True, True))
    with pytest.raises(DecodingError, match="clause 1"):
        reduction.decode((False,))


def test_a_rule_that_encodes_nonsense_is_named():
    class Nonsense(SatisfiabilityToThreeSatisfiability):
        def encode(self, source, target, solution):
            return tuple(not value for value in solution)

    with pytest.raises(ReductionError, match="satisfiability-to-3-satisfiability"):
        Nonsense().reduce(Satisfiability(1, ((1,),))).encode((True,))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_counterexample_decodes(data):
    formula, hidden = planted(6, data.draw(st.integers(0, 20)), data.draw(st.integers(0, 999)))
    slack = data.draw(st.sampled_from([Fraction(1, 2), Fraction(0), Fraction(99, 100)]))
    reduction = SatisfiabilityToNetworkVerification(slack).reduce(formula)
    steps = data.draw(st.lists(st.fractions(0, 1), min_size=6, max_size=6))
    share = data.draw(st.fractions(0, 1))
    point = tuple(
        (1 - share) * value + share * step for value, step in zip(hidden, steps, strict=True)
    )
    if reduction.target.check(point):
        assert formula.check(reduction.decode(point))
    else:
        with pytest.raises(DecodingError):
            reduction.decode(point)


@pytest.mark.slow
def test_ten_thousand_variables():
    formula, hidden = planted(10_000, 42_600, 1)
    verification = path("satisfiability", "network-verification").reduce(formula)
    size = verification.target.size()
    assert (size["inputs"], size["relus"]) == (10_000, 52_601)
    assert formula.check(verification.decode(verification.encode(hidden)))
    memorization = path("satisfiability", "robust-memorization").reduce(formula)
    assert memorization.target.size()["points"] == 3 * 10_001 + 42_600 + 2
    network = memorization.encode(hidden)
    assert network.parameter_count == 2 * 20_002 + 2 + 3


def test_a_thousand_variables():
    formula, hidden = planted(1_000, 4_260, 1)
    for target in ("network-verification", "robust-memorization"):
        reduction = path("satisfiability", target).reduce(formula)
        assert formula.check(reduction.decode(reduction.encode(hidden)))


def test_single_precision_networks_decode():
    formula, hidden = planted(8, 30, 6)
    reduction = path("satisfiability", "robust-memorization").reduce(formula)
    good = reduction.encode(hidden)
    noise = np.random.default_rng(0)
    for _ in range(10):
        arrays = [
            (np.asarray(a) * (1 + noise.uniform(-1e-3, 1e-3, np.shape(a)))).astype(np.float32)
            for layer in good.layers
            for a in (layer.weight, layer.bias)
        ]
        network = Network.dense([arrays[0], arrays[2]], [arrays[1], arrays[3]])
        assert reduction.target.check(network)
        assert formula.check(reduction.decode(network))
