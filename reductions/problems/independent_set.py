"""Independent sets of a given size."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import ClassVar

import networkx as nx

from reductions.errors import EnumerationError
from reductions.problems.graphs import Vertex, edge_lines, frozen_copy
from reductions.problems.problem import Problem
from relucert.errors import InputError

__all__ = ["IndependentSet"]

_MAX_SETS = 1 << 20


@dataclass(frozen=True, eq=False)
class IndependentSet(Problem[Collection[Vertex]]):
    """Are there ``count`` vertices (or more) of which no two are neighbours?

    graph: a simple undirected networkx graph (copied). Solution: a collection of vertices.

    >>> sorted(IndependentSet(nx.path_graph(3), 2).solve_by_enumeration())
    [0, 2]
    """

    graph: nx.Graph
    count: int
    name: ClassVar[str] = "independent-set"

    def __post_init__(self) -> None:
        if self.count < 0:
            raise InputError(f"the size asked for is {self.count}, it must not be negative")
        object.__setattr__(self, "graph", frozen_copy(self.graph))

    def size(self) -> dict[str, int]:
        """vertices, edges and count."""
        return {
            "vertices": self.graph.number_of_nodes(),
            "edges": self.graph.number_of_edges(),
            "count": self.count,
        }

    def check(self, solution: Collection[Vertex]) -> bool:
        return self.why_not(solution) is None

    def why_not(self, solution: Collection[Vertex]) -> str | None:
        chosen = set(solution)
        strangers = [vertex for vertex in chosen if vertex not in self.graph]
        if strangers:
            raise InputError(f"{strangers[0]!r} is no vertex of the graph")
        for u, v in self.graph.edges:
            if u in chosen and v in chosen:
                return f"{u!r} and {v!r} are neighbours"
        if len(chosen) < self.count:
            return f"the set has {len(chosen)} vertices, {self.count} are asked for"
        return None

    def solve_by_enumeration(self) -> frozenset[Vertex] | None:
        vertices = list(self.graph.nodes)
        if comb(len(vertices), self.count) > _MAX_SETS:
            raise EnumerationError(f"{len(vertices)} vertices are too many to enumerate their sets")
        for chosen in combinations(vertices, self.count):
            if self.check(chosen):
                return frozenset(chosen)
        return None

    @property
    def text(self) -> str:
        """The graph in the DIMACS edge format, the size asked for in a comment."""
        return "\n".join([f"c independent set of {self.count}", *edge_lines(self.graph)]) + "\n"
