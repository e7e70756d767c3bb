"""The problems: exact checks against plain definitions, bad input, text."""

import random
from fractions import Fraction
from itertools import product

import networkx as nx
import numpy as np
import pytest

from reductions.errors import EnumerationError
from reductions.problems import (
    GraphColoring,
    IndependentSet,
    KSatisfiability,
    MaxSatisfiability,
    NetworkVerification,
    NotAllEqualSatisfiability,
    RobustMemorization,
    Satisfiability,
    SetSplitting,
)
from relucert.errors import InputError, QueryError
from relucert.network import Network
from relucert.query import Box, Case, Polyhedron, Query


def random_clauses(rng, variables):
    literals = [sign * i for i in range(1, variables + 1) for sign in (1, -1)]
    return tuple(
        tuple(rng.choices(literals, k=rng.randint(0, 4))) for _ in range(rng.randint(0, 6))
    )


def test_clausal_checks_and_normal_forms():
    rng = random.Random(1)
    for _ in range(200):
        clauses = random_clauses(rng, 3)
        sat, nae = Satisfiability(3, clauses), NotAllEqualSatisfiability(3, clauses)
        solutions = []
        for values in product((False, True), repeat=3):
            truth = [[values[abs(x) - 1] == (x > 0) for x in clause] for clause in clauses]
            assert sat.check(values) == all(map(any, truth))
            assert nae.check(values) == all(any(t) and not all(t) for t in truth)
            count = sum(map(any, truth))
            assert MaxSatisfiability(3, clauses, 2).check(values) == (count >= 2)
            assert sat.normalised().check(values) == sat.check(values)
            assert nae.normalised().check(values) == nae.check(values)
            assert (sat.why_not(values) is None) == sat.check(values)
            assert (nae.why_not(values) is None) == nae.check(values)
            solutions.append(sat.check(values))
        assert (sat.solve_by_enumeration() is not None) == any(solutions)
        kept = sat.normalised().clauses
        assert len({frozenset(c) for c in kept}) == len(kept)
        assert all(len({abs(x) for x in c}) == len(c) for c in kept)


def test_sizes_and_texts():
    formula = Satisfiability(5, ((1, -2, 3, 4, 5), ()))
    assert formula.size() == {
        "variables": 5,
        "clauses": 2,
        "literals": 5,
        "largest_clause": 5,
        "literals_beyond_three": 2,
    }
    assert formula.text == "p cnf 5 2\n1 -2 3 4 5 0\n0\n"
    assert not formula.is_k_sat(3)
    assert MaxSatisfiability(1, ((1,),), 1).text.splitlines()[0] == "c satisfy at least 1"
    assert SetSplitting(2, ((0, 1),)).text == "p split 2 1\n0 1\n"
    assert "e 1 2" in GraphColoring(nx.path_graph(2), 2).text
    data = RobustMemorization.of_dense([[0, Fraction(1, 3)]], [-1], Fraction(1, 4))
    assert data.text.splitlines()[1] == "-1 2:1/3"


@pytest.mark.parametrize(
    "make",
    [
        lambda: Satisfiability(1, ((2,),)),
        lambda: Satisfiability(1, ((0,),)),
        lambda: Satisfiability(-1, ()),
        lambda: NotAllEqualSatisfiability(1, ((-2,),)),
        lambda: MaxSatisfiability(1, ((-2,),), 1),
        lambda: KSatisfiability(4, ((1, 2, 3, 4),)),
        lambda: SetSplitting(1, ((1,),)),
        lambda: SetSplitting(-1, ()),
        lambda: GraphColoring(nx.DiGraph(), 2),
        lambda: GraphColoring(nx.Graph([(0, 0)]), 2),
        lambda: GraphColoring(nx.Graph(), -1),
        lambda: IndependentSet(nx.MultiGraph(), 2),
        lambda: IndependentSet(nx.Graph(), -1),
        lambda: RobustMemorization.of_dense([[0], [1]], [1]),
        lambda: RobustMemorization.of_dense([[0], [1, 2]], [1, -1]),
        lambda: RobustMemorization.of_dense([[0]], [2]),
        lambda: RobustMemorization.of_dense([[0]], [1], Fraction(-1)),
        lambda: RobustMemorization(1, (((1, Fraction(1)),),), (1,)),
        lambda: RobustMemorization(2, (((1, Fraction(1)), (0, Fraction(1))),), (1,)),
        lambda: RobustMemorization(1, (((0, 0.5),),), (1,)),
        lambda: RobustMemorization(1, (), (), depth=3),
        lambda: RobustMemorization(1, (), (), width=3),
    ],
)
def test_malformed_instances(make):
    with pytest.raises(InputError):
        make()


@pytest.mark.parametrize(
    ("problem", "solution"),
    [
        (Satisfiability(2, ()), (True,)),
        (NotAllEqualSatisfiability(2, ()), (True,)),
        (MaxSatisfiability(2, (), 0), (True,)),
        (SetSplitting(2, ()), (True,)),
        (GraphColoring(nx.path_graph(2), 2), {0: 0}),
        (IndependentSet(nx.path_graph(2), 1), {5}),
    ],
)
def test_solutions_of_the_wrong_form(problem, solution):
    with pytest.raises(InputError):
        problem.check(solution)


@pytest.mark.parametrize(
    "problem",
    [
        Satisfiability(30, ()),
        SetSplitting(30, ()),
        GraphColoring(nx.empty_graph(30), 3),
        IndependentSet(nx.empty_graph(40), 20),
    ],
)
def test_too_large_to_enumerate(problem):
    with pytest.raises(EnumerationError, match="too many"):
        problem.solve_by_enumeration()


def test_graphs_are_copied():
    graph = nx.path_graph(2)
    problem = GraphColoring(graph, 1)
    graph.remove_edge(0, 1)
    assert not problem.check({0: 0, 1: 0})
    with pytest.raises(nx.NetworkXError):
        problem.graph.add_edge(5, 6)


def test_graph_checks():
    triangle = nx.complete_graph(3)
    assert GraphColoring(triangle, 2).solve_by_enumeration() is None
    assert GraphColoring(triangle, 3).check({0: 2, 1: 0, 2: 1})
    assert "same colour" in GraphColoring(triangle, 3).why_not({0: 2, 1: 2, 2: 1})
    assert "colour 3" in GraphColoring(triangle, 3).why_not({0: 3, 1: 2, 2: 1})
    assert IndependentSet(triangle, 2).solve_by_enumeration() is None
    assert "neighbours" in IndependentSet(triangle, 1).why_not({0, 1})
    assert "asked for" in IndependentSet(triangle, 1).why_not(set())


def hat_network():
    """y = x1 - 2 relu(x1 - 1/2) through relu(x1) on [0, 1]: largest, 1/2, in the middle."""
    return Network.dense(
        [np.array([[1.0], [1.0]]), np.array([[1.0, -2.0]])],
        [np.array([0.0, -0.5]), np.zeros(1)],
    )


def at_least(threshold, box=None):
    unsafe = Polyhedron(((Fraction(-1),),), (-Fraction(threshold),))
    return Query((Case(box or Box((Fraction(0),), (Fraction(1),)), (unsafe,)),))


def test_network_verification():
    problem = NetworkVerification(hat_network(), at_least(Fraction(1, 2)))
    assert problem.solve_by_enumeration() == (Fraction(1, 2),)
    assert not problem.check((Fraction(1, 3),))
    assert not problem.check((Fraction(-1),))
    above = Fraction(1, 2) + Fraction(1, 10**30)
    assert NetworkVerification(hat_network(), at_least(above)).solve_by_enumeration() is None
    assert problem.size() == {"inputs": 1, "outputs": 1, "relus": 2, "weights": 4}
    assert "X_0 in [0, 1]" in problem.text
    assert "unsafe: -1 Y_0 <= -0.5" in problem.text


def test_network_verification_that_cannot_be_enumerated():
    deep = Network.dense([np.eye(1)] * 3, [np.zeros(1)] * 3)
    with pytest.raises(EnumerationError, match="one hidden layer"):
        NetworkVerification(deep, at_least(1)).solve_by_enumeration()
    two = Polyhedron(((Fraction(1),), (Fraction(-1),)), (Fraction(0),) * 2)
    query = Query((Case(Box((Fraction(0),), (Fraction(1),)), (two,)),))
    with pytest.raises(EnumerationError, match="half-spaces"):
        NetworkVerification(hat_network(), query).solve_by_enumeration()
    wide = Box((Fraction(0),) * 2, (Fraction(1),) * 2)
    with pytest.raises(QueryError):
        NetworkVerification(hat_network(), at_least(1, wide))
