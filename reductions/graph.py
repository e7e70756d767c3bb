"""The reductions as a graph: problems are nodes, rules are edges, paths compose.

>>> from reductions.problems import Satisfiability
>>> chain = path("satisfiability", "robust-memorization")
>>> print(chain)
satisfiability -> nae-satisfiability -> robust-memorization
>>> reduction = chain.reduce(Satisfiability(2, ((1, 2), (-1,))))
>>> reduction.decode(reduction.encode((False, True)))
(False, True)
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import networkx as nx

from reductions.errors import DecodingError
from reductions.problems.problem import Problem
from reductions.rules import (
    ColoringToSatisfiability,
    IndependentSetToSatisfiability,
    NaeSatisfiabilityToRobustMemorization,
    NaeSatisfiabilityToSetSplitting,
    Reduction,
    Rule,
    SatisfiabilityToMaxSatisfiability,
    SatisfiabilityToNaeSatisfiability,
    SatisfiabilityToNetworkVerification,
    SatisfiabilityToThreeSatisfiability,
    ThreeSatisfiabilityToSatisfiability,
)
from relucert.errors import UsageError
from relucert.write.files import write_atomically

__all__ = [
    "RULES",
    "Chain",
    "ChainReduction",
    "draw",
    "path",
    "reduction_graph",
    "rule_named",
    "text",
]

RULES: tuple[Rule[Any, Any], ...] = (
    ColoringToSatisfiability(),
    IndependentSetToSatisfiability(),
    SatisfiabilityToThreeSatisfiability(),
    ThreeSatisfiabilityToSatisfiability(),
    SatisfiabilityToNaeSatisfiability(),
    SatisfiabilityToMaxSatisfiability(),
    SatisfiabilityToNetworkVerification(),
    NaeSatisfiabilityToSetSplitting(),
    NaeSatisfiabilityToRobustMemorization(),
)
"""Every rule, with its default parameters."""

_IMAGE_FORMATS = ("png", "svg", "pdf")


def rule_named(name: str) -> Rule[Any, Any]:
    """The rule with this name, default parameters; raises UsageError when there is none."""
    for rule in RULES:
        if rule.name == name:
            return rule
    raise UsageError(f"no rule is called {name!r}; known: {', '.join(r.name for r in RULES)}")


def reduction_graph(rules: Sequence[Rule[Any, Any]] = RULES) -> nx.DiGraph:
    """Nodes: problem names, attribute ``problem`` the class. Edges: attribute ``rule``."""
    graph = nx.DiGraph()
    for rule in rules:
        graph.add_node(rule.source_problem.name, problem=rule.source_problem)
        graph.add_node(rule.target_problem.name, problem=rule.target_problem)
        graph.add_edge(rule.source_problem.name, rule.target_problem.name, rule=rule)
    return graph


@dataclass(frozen=True)
class Chain:
    """Rules one after the other; none at all leaves an instance as it is."""

    rules: tuple[Rule[Any, Any], ...]

    def reduce(self, source: Problem[Any]) -> ChainReduction:
        """Reduce step by step; raises InputError like the rules."""
        steps: list[Reduction[Any, Any]] = []
        current = source
        for rule in self.rules:
            steps.append(rule.reduce(current))
            current = steps[-1].target
        return ChainReduction(source, tuple(steps))

    def __str__(self) -> str:
        names = [rule.source_problem.name for rule in self.rules[:1]]
        return " -> ".join([*names, *(rule.target_problem.name for rule in self.rules)])


@dataclass(frozen=True, eq=False)
class ChainReduction:
    """An instance reduced along a chain; ``steps`` holds every reduction in between."""

    source: Problem[Any]
    steps: tuple[Reduction[Any, Any], ...]

    @property
    def target(self) -> Problem[Any]:
        """The last instance."""
        return self.steps[-1].target if self.steps else self.source

    @property
    def parameters(self) -> dict[str, Mapping[str, Fraction]]:
        """Rule name -> the parameters as used, for the rules that have any."""
        return {step.rule.name: step.parameters for step in self.steps if step.parameters}

    def encode(self, solution: Any) -> Any:
        """A solution of the target for a solution of the source, checked at every step.

        Raises InputError and ReductionError like `Reduction.encode`.
        """
        for step in self.steps:
            solution = step.encode(solution)
        return solution

    def decode(self, solution: Any) -> Any:
        """A solution of the source for any solution of the target, checked at every step.

        Raises InputError and DecodingError like `Reduction.decode`.
        """
        if not self.steps:
            reason = self.source.why_not(solution)
            if reason is not None:
                raise DecodingError(f"not a solution: {reason}")
        for step in reversed(self.steps):
            solution = step.decode(solution)
        return solution


def path(
    source: str,
    target: str,
    *,
    via: Sequence[str] = (),
    configured: Sequence[Rule[Any, Any]] = (),
    rules: Sequence[Rule[Any, Any]] = RULES,
) -> Chain:
    """The shortest chain of rules between two problems, given by name.

    via: problems to pass on the way, in order (for example "3-satisfiability"). configured: rules
    with parameters; each replaces the one of the same name. Raises UsageError for unknown
    problems and where no rules lead.
    """
    own = {rule.name: rule for rule in configured}
    graph = reduction_graph([own.get(rule.name, rule) for rule in rules])
    stops = [source, *via, target]
    for name in stops:
        if name not in graph:
            raise UsageError(f"no problem is called {name!r}; known: {', '.join(sorted(graph))}")
    chain: list[Rule[Any, Any]] = []
    for start, end in pairwise(stops):
        try:
            names = nx.shortest_path(graph, start, end)
        except nx.NetworkXNoPath:
            raise UsageError(f"no rules lead from {start} to {end}") from None
        chain.extend(graph.edges[edge]["rule"] for edge in pairwise(names))
    return Chain(tuple(chain))


def text(rules: Sequence[Rule[Any, Any]] = RULES) -> str:
    """The graph as text: every problem, and where its rules lead."""
    graph = reduction_graph(rules)
    lines = []
    for name in graph:
        targets = list(graph.successors(name))
        lines.append(name)
        lines.extend(f"  -> {target}" for target in targets)
    return "\n".join(lines) + "\n"


def draw(file: str | Path, rules: Sequence[Rule[Any, Any]] = RULES) -> None:
    """Draw the graph into a png, svg or pdf file.

    Raises UsageError for another file type, FileError when it cannot be written.
    """
    kind = Path(file).suffix.lower().lstrip(".")
    if kind not in _IMAGE_FORMATS:
        raise UsageError(f"{file}: the drawing must be one of .png, .svg, .pdf")
    import matplotlib as mpl
    from matplotlib.figure import Figure

    graph = reduction_graph(rules)
    figure = Figure(figsize=(11, 6))
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_axis_off()
    axes.margins(0.13, 0.15)
    boxes = {}
    for name, (x, y) in _positions(graph).items():
        style = {"boxstyle": "round,pad=0.4", "facecolor": "white", "edgecolor": "0.2"}
        boxes[name] = axes.text(x, y, name, ha="center", va="center", bbox=style)
        axes.plot([x], [y], alpha=0.0)
    for start, end in graph.edges:
        arrow = {
            "arrowstyle": "-|>",
            "color": "0.35",
            "connectionstyle": "arc3,rad=0.2" if graph.has_edge(end, start) else "arc3",
            "patchA": boxes[start].get_bbox_patch(),
            "patchB": boxes[end].get_bbox_patch(),
        }
        ends = boxes[end].get_position(), boxes[start].get_position()
        axes.annotate("", *ends, arrowprops=arrow)
    stream = io.BytesIO()
    # No date and no random names in the file: the same graph gives the same bytes.
    metadata = {"png": None, "svg": {"Date": None}, "pdf": {"CreationDate": None}}[kind]
    with mpl.rc_context({"svg.hashsalt": "reductions"}):
        figure.savefig(stream, format=kind, metadata=metadata)
    write_atomically(file, stream.getvalue())


def _positions(graph: nx.DiGraph) -> dict[str, tuple[float, float]]:
    """Layers from left to right; problems that reduce to each other share one."""
    groups = nx.condensation(graph)
    positions: dict[str, tuple[float, float]] = {}
    for x, layer in enumerate(nx.topological_generations(groups)):
        names = [name for group in sorted(layer) for name in sorted(groups.nodes[group]["members"])]
        for row, name in enumerate(names):
            positions[name] = (float(x), (len(names) - 1) / 2 - row)
    return positions
