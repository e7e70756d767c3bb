"""Graph colouring to satisfiability: a variable for every vertex and colour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reductions.problems.clauses import Assignment, Clause
from reductions.problems.graph_coloring import GraphColoring
from reductions.problems.graphs import Vertex
from reductions.problems.problem import Size
from reductions.problems.satisfiability import Satisfiability
from reductions.rules.rule import Rule

__all__ = ["ColoringToSatisfiability"]


@dataclass(frozen=True)
class ColoringToSatisfiability(Rule[GraphColoring, Satisfiability]):
    """Variable ``v * colors + c + 1``: vertex v (in the graph's order) may have colour c.

    Clauses: every vertex may have some colour; no colour may be had by both ends of an edge.
    A vertex that may have several colours gets the first (the "direct encoding" without
    at-most-one clauses; de Kleer 1989).

    >>> import networkx as nx
    >>> reduction = ColoringToSatisfiability().reduce(GraphColoring(nx.path_graph(2), 2))
    >>> reduction.target.clauses
    ((1, 2), (3, 4), (-1, -3), (-2, -4))
    >>> reduction.decode((True, False, False, True))
    {0: 0, 1: 1}
    """

    source_problem = GraphColoring
    target_problem = Satisfiability

    def construct(self, source: GraphColoring) -> Satisfiability:
        colors = range(1, source.colors + 1)
        start = {vertex: i * source.colors for i, vertex in enumerate(source.graph.nodes)}
        clauses: list[Clause] = [tuple(start[v] + c for c in colors) for v in source.graph.nodes]
        for u, v in source.graph.edges:
            clauses.extend((-(start[u] + c), -(start[v] + c)) for c in colors)
        return Satisfiability(len(start) * source.colors, tuple(clauses))

    def size_formula(self, size: Size) -> dict[str, int]:
        """One clause for each vertex, two literals for each edge and colour."""
        vertices, edges, colors = size["vertices"], size["edges"], size["colors"]
        return {
            "variables": vertices * colors,
            "clauses": vertices + edges * colors,
            "literals": vertices * colors + 2 * edges * colors,
            "largest_clause": max(colors if vertices else 0, 2 if edges and colors else 0),
            "literals_beyond_three": vertices * max(0, colors - 3),
        }

    def encode(
        self, source: GraphColoring, target: Satisfiability, solution: Mapping[Vertex, int]
    ) -> Assignment:
        colors = range(source.colors)
        return tuple(solution[v] == c for v in source.graph.nodes for c in colors)

    def decode(
        self, source: GraphColoring, target: Satisfiability, solution: Assignment
    ) -> dict[Vertex, int]:
        colors = source.colors
        return {
            vertex: solution[index * colors : (index + 1) * colors].index(True)
            for index, vertex in enumerate(source.graph.nodes)
        }
