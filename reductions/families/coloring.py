"""Colouring random graphs, as formulas."""

from __future__ import annotations

import random
from itertools import combinations

from reductions.families.family import Family, Parameter, at_least
from reductions.problems.graph_coloring import GraphColoring
from reductions.problems.satisfiability import Satisfiability
from reductions.rules.coloring_to_satisfiability import ColoringToSatisfiability
from relucert.errors import UsageError

__all__ = ["COLORING", "coloring"]

_KINDS = ("gnm", "regular", "planted")


def coloring(
    rng: random.Random, n: int, colors: int, degree: float, kind: str
) -> tuple[Satisfiability, tuple[bool, ...] | None]:
    """Can the nodes be coloured so that no edge has one colour twice? As a formula.

    kind "gnm": a uniform graph with ``round(n * degree / 2)`` edges; "regular": a random regular
    graph; "planted": as "gnm", among the edges between the classes of a planted colouring.
    Three colours are hardest to decide near average degree 4.69.
    """
    import networkx as nx

    at_least(1, n=n, colors=colors)
    edges, classes = _edges(rng, n, colors, degree, kind)
    graph = nx.Graph()
    graph.add_nodes_from(range(n))
    graph.add_edges_from(edges)
    reduction = ColoringToSatisfiability().reduce(GraphColoring(graph, colors))
    if classes is None:
        return reduction.target, None
    return reduction.target, reduction.encode(dict(enumerate(classes)))


def _edges(
    rng: random.Random, n: int, colors: int, degree: float, kind: str
) -> tuple[list[tuple[int, int]], list[int] | None]:
    import networkx as nx

    if kind == "regular":
        whole = round(degree)
        if whole != degree or not 0 <= whole < n or n * whole % 2:
            raise UsageError(f"there is no {degree:g}-regular graph on {n} nodes")
        graph = nx.random_regular_graph(whole, n, seed=rng)
        return sorted((min(edge), max(edge)) for edge in graph.edges), None
    classes = None if kind == "gnm" else [int(rng.random() * colors) for _ in range(n)]
    wanted = round(n * degree / 2)
    sizes = [] if classes is None else [classes.count(color) for color in range(colors)]
    possible = n * (n - 1) // 2 - sum(size * (size - 1) // 2 for size in sizes)
    if not 0 <= wanted <= possible:
        raise UsageError(f"{wanted} edges do not fit: {possible} pairs of nodes may have one")
    if classes is None:
        graph = nx.gnm_random_graph(n, wanted, seed=rng)
        return sorted((min(edge), max(edge)) for edge in graph.edges), None
    pairs = [(a, b) for a, b in combinations(range(n), 2) if classes[a] != classes[b]]
    for place in range(wanted):
        other = place + int(rng.random() * (len(pairs) - place))
        pairs[place], pairs[other] = pairs[other], pairs[place]
    return sorted(pairs[:wanted]), classes


COLORING = Family(
    "coloring",
    "colouring of a random graph",
    "Cheeseman, Kanefsky, Taylor 1991",
    (
        Parameter("n", 20, "nodes"),
        Parameter("colors", 3, "colours"),
        Parameter("degree", 4.5, "average number of neighbours"),
        Parameter("kind", "gnm", "kind of graph", _KINDS),
    ),
    coloring,
)
