"""Small random instances of every source problem, and their simplifications."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import networkx as nx

from reductions.problems.clauses import Clause
from reductions.problems.graph_coloring import GraphColoring
from reductions.problems.independent_set import IndependentSet
from reductions.problems.nae_satisfiability import NotAllEqualSatisfiability
from reductions.problems.problem import Problem
from reductions.problems.satisfiability import KSatisfiability, Satisfiability
from relucert.errors import UsageError

__all__ = ["random_instance", "simplifications"]

Clausal = Satisfiability | NotAllEqualSatisfiability

_MAX_VARIABLES = 4
_MAX_CLAUSES = 8
_LARGEST_CLAUSE = {Satisfiability: 5, KSatisfiability: 3, NotAllEqualSatisfiability: 4}
_USUAL_SMALLEST = {Satisfiability: 1, KSatisfiability: 1, NotAllEqualSatisfiability: 2}


def random_instance(
    kind: type[Problem[Any]], rng: random.Random, scale: float = 1.0
) -> Problem[Any]:
    """A random small instance of a problem class; edge cases are frequent.

    Formulas: up to four variables and eight clauses, also empty, repeated and tautological ones.
    Graphs: up to five vertices. scale: from 0 for the smallest to 1 for all.
    Raises UsageError for problems that no rule starts from.
    """
    if kind in _LARGEST_CLAUSE:
        variables = rng.randint(0, round(1 + scale * (_MAX_VARIABLES - 1)))
        count = rng.randint(0, round(1 + scale * (_MAX_CLAUSES - 1)))
        return _clausal(kind, variables, _random_clauses(rng, variables, count, kind))
    if kind is GraphColoring:
        return GraphColoring(_random_graph(rng, 5), rng.randint(0, 3))
    if kind is IndependentSet:
        return IndependentSet(_random_graph(rng, 4), rng.randint(0, 3))
    raise UsageError(f"there are no random instances of {kind.name}")


def _random_clauses(
    rng: random.Random, variables: int, count: int, kind: type[Problem[Any]]
) -> tuple[Clause, ...]:
    """Mostly clauses of distinct variables, sometimes of any literals."""
    clauses: list[Clause] = []
    widest = min(rng.randint(2, 3), variables)
    literals = [sign * i for i in range(1, variables + 1) for sign in (1, -1)]
    for _ in range(count):
        smallest = 0 if rng.random() < 0.05 else _USUAL_SMALLEST[kind]
        if rng.random() < 0.85:
            size = rng.randint(min(smallest, widest), widest)
            chosen = rng.sample(range(1, variables + 1), size)
            clauses.append(tuple(rng.choice((1, -1)) * variable for variable in chosen))
        elif literals:
            size = rng.randint(smallest, _LARGEST_CLAUSE[kind])
            clauses.append(tuple(rng.choices(literals, k=size)))
    return tuple(clauses)


def _random_graph(rng: random.Random, most: int) -> nx.Graph:
    return nx.gnp_random_graph(rng.randint(0, most), rng.random(), seed=rng.randrange(2**32))


def _clausal(kind: type[Problem[Any]], variables: int, clauses: tuple[Clause, ...]) -> Problem[Any]:
    make: Callable[..., Problem[Any]] = kind
    return make(variables, clauses)


def simplifications(instance: Problem[Any]) -> Iterator[Problem[Any]]:
    """All instances that are one step simpler; steps cannot go on for ever."""
    if isinstance(instance, Satisfiability | NotAllEqualSatisfiability):
        yield from _simpler_formulas(instance)
    elif isinstance(instance, GraphColoring):
        yield from (GraphColoring(graph, instance.colors) for graph in _smaller(instance.graph))
        if instance.colors:
            yield GraphColoring(instance.graph, instance.colors - 1)
    elif isinstance(instance, IndependentSet):
        yield from (IndependentSet(graph, instance.count) for graph in _smaller(instance.graph))
        if instance.count:
            yield IndependentSet(instance.graph, instance.count - 1)


def _simpler_formulas(formula: Clausal) -> Iterator[Problem[Any]]:
    """Without a clause, without a variable, without a literal, with a positive literal."""
    kind, n, clauses = type(formula), formula.variables, formula.clauses
    for index in range(len(clauses)):
        yield _clausal(kind, n, clauses[:index] + clauses[index + 1 :])
    for variable in range(1, n + 1):
        yield _clausal(kind, n - 1, _without_variable(clauses, variable))
    for index, clause in enumerate(clauses):
        for position, literal in enumerate(clause):
            rest = clause[:position] + clause[position + 1 :]
            yield _clausal(kind, n, (*clauses[:index], rest, *clauses[index + 1 :]))
            if literal < 0:
                yield _clausal(kind, n, _flipped(clauses, -literal))


def _without_variable(clauses: tuple[Clause, ...], variable: int) -> tuple[Clause, ...]:
    """Strike its literals out and close the gap in the numbering."""
    return tuple(
        tuple(
            literal - (1 if literal > variable else -1 if literal < -variable else 0)
            for literal in clause
            if abs(literal) != variable
        )
        for clause in clauses
    )


def _flipped(clauses: tuple[Clause, ...], variable: int) -> tuple[Clause, ...]:
    """Negate a variable, where that leaves fewer negative literals."""
    count = sum(literal == -variable for clause in clauses for literal in clause)
    opposite = sum(literal == variable for clause in clauses for literal in clause)
    if count <= opposite:
        return clauses
    return tuple(
        tuple(-literal if abs(literal) == variable else literal for literal in clause)
        for clause in clauses
    )


def _smaller(graph: nx.Graph) -> Iterator[nx.Graph]:
    for vertex in graph.nodes:
        yield nx.convert_node_labels_to_integers(graph.subgraph(set(graph.nodes) - {vertex}))
    for edge in graph.edges:
        smaller = nx.Graph(graph)
        smaller.remove_edge(*edge)
        yield smaller
