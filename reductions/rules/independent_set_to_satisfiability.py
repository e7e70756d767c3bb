"""Independent set to satisfiability: edges, and a sequential counter for the size."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from reductions.problems.clauses import Assignment, Clause
from reductions.problems.graphs import Vertex
from reductions.problems.independent_set import IndependentSet
from reductions.problems.problem import Size
from reductions.problems.satisfiability import Satisfiability
from reductions.rules.rule import Rule

__all__ = ["IndependentSetToSatisfiability"]


@dataclass(frozen=True)
class IndependentSetToSatisfiability(Rule[IndependentSet, Satisfiability]):
    """Variable i (1..n): vertex i is chosen. Variable ``n + (i - 1) k + j``: the counter s_ij.

    s_ij claims that at least j of the first i vertices are chosen. Edges: not both ends. Counter
    (Sinz 2005, the direction that "at least" needs), with s_0j false and s_i0 true:
    s_ij implies s_{i-1,j} or vertex i, and s_ij implies s_{i-1,j} or s_{i-1,j-1}. By induction a
    true s_ij means that j of the first i are chosen; s_nk is demanded. Every clause has at most
    three literals.

    >>> import networkx as nx
    >>> reduction = IndependentSetToSatisfiability().reduce(IndependentSet(nx.path_graph(3), 2))
    >>> reduction.decode(reduction.encode({0, 2})) == {0, 2}
    True
    """

    source_problem = IndependentSet
    target_problem = Satisfiability

    def construct(self, source: IndependentSet) -> Satisfiability:
        number = {vertex: i for i, vertex in enumerate(source.graph.nodes, start=1)}
        n, k = len(number), source.count
        clauses: list[Clause] = [(-number[u], -number[v]) for u, v in source.graph.edges]
        for i in range(1, n + 1):
            for j in range(1, k + 1):
                earlier = (_counter(n, k, i - 1, j),) if i > 1 else ()
                clauses.append((-_counter(n, k, i, j), *earlier, i))
                if j > 1:
                    fewer = (_counter(n, k, i - 1, j - 1),) if i > 1 else ()
                    clauses.append((-_counter(n, k, i, j), *earlier, *fewer))
        if k > 0:
            clauses.append((_counter(n, k, n, k),) if n else ())
        return Satisfiability(n + n * k, tuple(clauses))

    def size_formula(self, size: Size) -> dict[str, int]:
        """n + n k variables; m + n (2k - 1) + 1 clauses for n, k >= 1."""
        n, edges, k = size["vertices"], size["edges"], size["count"]
        if n == 0 or k == 0:
            return {
                "variables": n,
                "clauses": edges + (1 if k else 0),
                "literals": 2 * edges,
                "largest_clause": 2 if edges else 0,
                "literals_beyond_three": 0,
            }
        return {
            "variables": n + n * k,
            "clauses": edges + n * (2 * k - 1) + 1,
            "literals": 2 * edges + (n - 1) * 3 * (2 * k - 1) + 2 * k + (k - 1) + 1,
            "largest_clause": 3 if n > 1 else 2,
            "literals_beyond_three": 0,
        }

    def encode(
        self, source: IndependentSet, target: Satisfiability, solution: Collection[Vertex]
    ) -> Assignment:
        chosen = [vertex in solution for vertex in source.graph.nodes]
        counters: list[bool] = []
        seen = 0
        for own in chosen:
            seen += own
            counters.extend(seen >= j for j in range(1, source.count + 1))
        return (*chosen, *counters)

    def decode(
        self, source: IndependentSet, target: Satisfiability, solution: Assignment
    ) -> frozenset[Vertex]:
        return frozenset(v for v, own in zip(source.graph.nodes, solution, strict=False) if own)


def _counter(n: int, k: int, i: int, j: int) -> int:
    return n + (i - 1) * k + j
