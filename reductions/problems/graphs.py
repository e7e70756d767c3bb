"""What the problems on graphs share."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TypeAlias

import networkx as nx

from relucert.errors import InputError

__all__ = ["Vertex", "edge_lines", "frozen_copy"]

Vertex: TypeAlias = Hashable


def frozen_copy(graph: nx.Graph) -> nx.Graph:
    """An immutable copy; raises InputError unless the graph is simple and undirected."""
    if graph.is_directed() or graph.is_multigraph():
        raise InputError("the graph is directed or has parallel edges; use a plain networkx.Graph")
    loop = next(iter(nx.selfloop_edges(graph)), None)
    if loop is not None:
        raise InputError(f"the graph has a loop at {loop[0]!r}; remove it first")
    return nx.freeze(nx.Graph(graph))


def edge_lines(graph: nx.Graph) -> list[str]:
    """The DIMACS edge format: vertices are numbered from 1 in the graph's order."""
    number = {vertex: index for index, vertex in enumerate(graph.nodes, start=1)}
    lines = [f"p edge {graph.number_of_nodes()} {graph.number_of_edges()}"]
    lines.extend(f"e {number[u]} {number[v]}" for u, v in graph.edges)
    return lines
