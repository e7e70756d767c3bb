"""Graph colouring with a given number of colours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import ClassVar

import networkx as nx

from reductions.errors import EnumerationError
from reductions.problems.graphs import Vertex, edge_lines, frozen_copy
from reductions.problems.problem import Problem
from relucert.errors import InputError

__all__ = ["GraphColoring"]

_MAX_COLOURINGS = 1 << 22


@dataclass(frozen=True, eq=False)
class GraphColoring(Problem[Mapping[Vertex, int]]):
    """Can the vertices be coloured with ``colors`` colours, neighbours differently?

    graph: a simple undirected networkx graph (copied). Solution: vertex -> 0..colors-1.

    >>> GraphColoring(nx.cycle_graph(3), 3).solve_by_enumeration()
    {0: 0, 1: 1, 2: 2}
    """

    graph: nx.Graph
    colors: int
    name: ClassVar[str] = "graph-coloring"

    def __post_init__(self) -> None:
        if self.colors < 0:
            raise InputError(f"the number of colours is {self.colors}, it must not be negative")
        object.__setattr__(self, "graph", frozen_copy(self.graph))

    def size(self) -> dict[str, int]:
        """vertices, edges and colors."""
        return {
            "vertices": self.graph.number_of_nodes(),
            "edges": self.graph.number_of_edges(),
            "colors": self.colors,
        }

    def check(self, solution: Mapping[Vertex, int]) -> bool:
        return self.why_not(solution) is None

    def why_not(self, solution: Mapping[Vertex, int]) -> str | None:
        if set(solution) != set(self.graph.nodes):
            raise InputError("the colouring does not colour exactly the graph's vertices")
        for vertex, color in solution.items():
            if color not in range(self.colors):
                return f"vertex {vertex!r} has colour {color}, not one of 0..{self.colors - 1}"
        for u, v in self.graph.edges:
            if solution[u] == solution[v]:
                return f"the neighbours {u!r} and {v!r} have the same colour {solution[u]}"
        return None

    def solve_by_enumeration(self) -> dict[Vertex, int] | None:
        count = self.graph.number_of_nodes()
        if self.colors**count > _MAX_COLOURINGS:
            raise EnumerationError(f"{count} vertices are too many to enumerate their colourings")
        for colors in product(range(self.colors), repeat=count):
            coloring = dict(zip(self.graph.nodes, colors, strict=True))
            if self.check(coloring):
                return coloring
        return None

    @property
    def text(self) -> str:
        """The graph in the DIMACS edge format, the number of colours in a comment."""
        return "\n".join([f"c {self.colors} colours", *edge_lines(self.graph)]) + "\n"
