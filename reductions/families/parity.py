"""Parity constraints: Tseitin formulas on random regular graphs, and two chains in two orders."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import product

from reductions.families.family import Family, Parameter, at_least, distinct, random_signs
from reductions.problems.satisfiability import Satisfiability
from relucert.errors import UsageError

__all__ = ["PARITY_CHAINS", "TSEITIN", "parity_chains", "parity_clauses", "tseitin"]

_MAX_DEGREE = 12
_ANSWERS = ("sat", "unsat")


def parity_clauses(variables: Sequence[int], odd: bool) -> list[tuple[int, ...]]:
    """The ``2**(size - 1)`` clauses saying that the number of true variables is odd (or even).

    >>> parity_clauses([1, 2], odd=True)
    [(1, 2), (-1, -2)]
    """
    # A clause forbids the one assignment that makes all its literals false: those of wrong parity.
    return [
        tuple(-v if true else v for v, true in zip(variables, values, strict=True))
        for values in product((False, True), repeat=len(variables))
        if (sum(values) % 2 == 1) != odd
    ]


def tseitin(
    rng: random.Random, n: int, degree: int, answer: str
) -> tuple[Satisfiability, tuple[bool, ...] | None]:
    """A variable for every edge of a random ``degree``-regular graph on n nodes; at every node
    the number of true edges has a prescribed parity.

    "sat": the parities of a random assignment. "unsat": one of them flipped, so that their sum
    is odd while every edge counts twice.
    """
    import networkx as nx

    at_least(1, n=n, degree=degree)
    if degree > _MAX_DEGREE:
        raise UsageError(f"degree is {degree}; the limit is {_MAX_DEGREE}: 2**(degree-1) clauses")
    if degree >= n or n * degree % 2:
        raise UsageError(f"there is no {degree}-regular graph on {n} nodes")
    graph = nx.random_regular_graph(degree, n, seed=rng)
    edges = sorted(tuple(sorted(edge)) for edge in graph.edges)
    at_node: list[list[int]] = [[] for _ in range(n)]
    for variable, (one, other) in enumerate(edges, 1):
        at_node[one].append(variable)
        at_node[other].append(variable)
    solution = random_signs(rng, len(edges))
    odd = [sum(solution[v - 1] for v in variables) % 2 == 1 for variables in at_node]
    if answer == "unsat":
        odd[0] = not odd[0]
    clauses = [
        clause
        for variables, parity in zip(at_node, odd, strict=True)
        for clause in parity_clauses(variables, parity)
    ]
    return Satisfiability(len(edges), tuple(clauses)), solution if answer == "sat" else None


def parity_chains(
    rng: random.Random, n: int, answer: str
) -> tuple[Satisfiability, tuple[bool, ...] | None]:
    """The parity of n variables, added up along two random orders with own running sums.

    Both chains claim the same parity ("sat") or different ones ("unsat"). ``3n - 2`` variables
    and ``8 (n - 1) + 4`` clauses of at most three literals.
    """
    at_least(2, n=n)
    solution = list(random_signs(rng, n))
    total = sum(solution) % 2 == 1
    clauses: list[tuple[int, ...]] = []
    for chain in range(2):
        order = distinct(rng, n, n)
        first = n + 1 + chain * (n - 1)
        running, parity = order[0], solution[order[0] - 1]
        for step, variable in enumerate(order[1:]):
            clauses += parity_clauses((running, variable, first + step), odd=False)
            running, parity = first + step, parity ^ solution[variable - 1]
            solution.append(parity)
        wanted = total if chain == 0 or answer == "sat" else not total
        clauses.append((running if wanted else -running,))
    formula = Satisfiability(n + 2 * (n - 1), tuple(clauses))
    return formula, tuple(solution) if answer == "sat" else None


_ANSWER = Parameter("answer", "unsat", "sat or unsat", _ANSWERS)

TSEITIN = Family(
    "tseitin",
    "parities at the nodes of a random regular graph",
    "Tseitin 1968; Urquhart 1987",
    (Parameter("n", 10, "nodes"), Parameter("degree", 3, "edges at a node"), _ANSWER),
    tseitin,
)
PARITY_CHAINS = Family(
    "parity-chains",
    "one parity added up along two random orders",
    "Chew, Heule 2020",
    (Parameter("n", 10, "variables of the parity"), _ANSWER),
    parity_chains,
)
