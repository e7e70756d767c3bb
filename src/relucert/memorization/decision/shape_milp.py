"""Width 2 by a MILP for every shape: the margin eps is maximised over weights of at most 1.

Points of size about one; ``|<w, x> + b| <= ||x||_1 + 1`` gives the big-M values, exact and no
guess. Scale freedom makes the unit box no restriction, but a solver with tolerances cannot tell a
margin below ``EPS_MIN`` from none: its No says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from relucert.limits import Limits
from relucert.lp.answer import Answer as Solved
from relucert.lp.answer import Status
from relucert.lp.highs import solve_mip
from relucert.lp.model import LinearModel, ModelBuilder
from relucert.memorization.decision.answers import Answer, No, Unknown, Yes
from relucert.memorization.decision.balls import Balls, SparsePoint
from relucert.memorization.decision.construct import (
    GRIDS,
    Affine,
    bevel_functions,
    bevel_network,
    wedge_network,
    worst_point,
)
from relucert.memorization.decision.networks import Failure, smallest_margin
from relucert.milp.pulp_model import solve_with_pulp
from relucert.network import Network
from relucert.verdict import Reason

__all__ = ["EPS_MIN", "decide_shapes_by_milp", "reason_of", "solve_model"]

EPS_MIN = 1e-5
"""Margins that the MILP cannot tell from zero, with weights at most 1 and points of size 1."""

_GOOD_ENOUGH = 1e-3
_MEMBERS = {"wedge": ((0,), (1,)), "bevel": ((0,), (1,), (0, 1))}
_ROUNDS = 200

Progress = Callable[[str], None]


def decide_shapes_by_milp(
    balls: Balls, solver: str, limits: Limits, progress: Progress | None = None
) -> Answer:
    """Yes (checked exactly), No with `EPS_MIN`, or Unknown, for two labels and width 2."""
    unknown: Unknown | None = None
    for kind in ("wedge", "bevel"):
        for label in (1, -1):
            answer = _Shape(balls, kind, label).decide(solver, limits, progress)
            if isinstance(answer, Yes):
                return answer
            if isinstance(answer, Unknown):
                unknown = unknown or answer
                if limits.out_of_time:
                    return answer
    return unknown or No(None, EPS_MIN)


def solve_model(
    model: LinearModel, eps: int, solver: str, limits: Limits, progress: Progress | None, name: str
) -> Solved:
    """Maximise the variable ``eps`` (a cost of -1) until it is clearly positive or cannot be."""
    if solver.upper() != "HIGHS":
        return solve_with_pulp(model, solver, limits)

    def tell(dual: float, primal: float, nodes: int) -> None:
        if progress is not None:
            progress(f"{name}: margin {-primal:.3g} to {-dual:.3g}, {nodes} nodes")

    return solve_mip(model, limits, stop=lambda x: bool(x[eps] > _GOOD_ENOUGH), progress=tell)


def reason_of(status: Status) -> Reason:
    """Why a solve without a claim ended."""
    return {Status.TIME: Reason.TIME, Status.MEMORY: Reason.MEMORY}.get(status, Reason.SOLVER)


@dataclass(eq=False)
class _Shape:
    """One shape with the points outside that the model knows; more join round by round."""

    balls: Balls
    kind: str
    label: int
    points: list[SparsePoint] = field(default_factory=list)

    def decide(self, solver: str, limits: Limits, progress: Progress | None) -> Answer:
        balls = self.balls
        self.points = [balls.points[row] for row in balls.of_label(-self.label)]
        name = f"{self.kind} around label {self.label:+d}"
        if balls.budget:
            # Centres alone need no norms of weights: much quicker, and their No is enough.
            model, layout = self._model(radius=0.0)
            solved = solve_model(model, layout.eps, solver, limits, progress, name)
            if solved.status is Status.OPTIMAL and solved.objective >= -EPS_MIN:
                return No(None, EPS_MIN)
        for _ in range(_ROUNDS):
            model, layout = self._model(balls.coordinates.radius)
            solved = solve_model(model, layout.eps, solver, limits, progress, name)
            if solved.status is Status.OPTIMAL and solved.objective >= -EPS_MIN:
                return No(None, EPS_MIN)
            if solved.x is None or solved.x[layout.eps] <= EPS_MIN:
                return Unknown(reason_of(solved.status), f"{name}: {solved.detail}")
            outcome, functions = self._rounded(solved.x, layout)
            if isinstance(outcome, Yes):
                return outcome
            found = [
                point
                for ball in (outcome.balls if outcome is not None else ())
                if (point := worst_point(functions, balls, ball, limits)) is not None
                and all(h(point) >= 0 for h in functions)
            ]
            if not found:
                return Unknown(Reason.MARGIN, f"{name}: balls touch the network's boundary")
            self.points += found
        return Unknown(Reason.MARGIN, f"{name}: more and more points of balls matter")

    def _rounded(self, x: np.ndarray, layout: _Layout) -> tuple[Yes | Failure | None, tuple]:
        """The best network near a solution: exact check at finer and finer roundings."""
        outcome: Failure | None = None
        functions: tuple[Affine, ...] = ()
        weights, biases = x[layout.weights], x[layout.biases]
        level = float(x[layout.level]) if layout.level is not None else 0.0
        for bits in GRIDS:
            first, second, c = bevel_functions(weights, biases, level, bits, self.balls)
            network: Network
            if self.kind == "wedge":
                functions = (first, second)
                network = wedge_network(first, second, self.label, self.balls.dimension)
            else:
                functions = (first.below(c), second.below(c), first.plus(second).below(c))
                network = bevel_network(first, second, c, self.label, self.balls.dimension)
            checked = smallest_margin(network, self.balls)
            if isinstance(checked, Fraction):
                words = f"{self.kind} around label {self.label:+d}"
                return Yes(network, checked, words), functions
            outcome = checked
            if all(self.balls.labels[ball] != self.label for ball in checked.balls):
                break
        return outcome, functions

    def _model(self, radius: float) -> tuple[LinearModel, _Layout]:
        """Rows: balls inside every half-space by eps, points outside one of them by eps."""
        builder = ModelBuilder()
        n, bevel = self.balls.dimension, self.kind == "bevel"
        weights = np.array([[builder.variable(-1.0, 1.0) for _ in range(n)] for _ in range(2)])
        biases = np.array([builder.variable(-1.0, 1.0) for _ in range(2)])
        eps = builder.variable(0.0, 1.0)
        level = builder.variable(0.0, 1.0) if bevel else None
        layout = _Layout(weights, biases, eps, level)
        if level is not None:
            builder.row(np.array([level, eps]), np.array([1.0, -1.0]), 0.0)
        norms = [
            _norm(builder, layout, members) if radius else None for members in _MEMBERS[self.kind]
        ]
        coordinates = self.balls.coordinates
        for row in self.balls.of_label(self.label):
            x = coordinates.matrix[[row]].toarray()[0]
            for members, norm in zip(_MEMBERS[self.kind], norms, strict=True):
                columns, values = layout.function(members, x)
                columns, values = np.append(columns, eps), np.append(values, -1.0)
                if norm is not None:
                    columns = np.append(columns, norm)
                    values = np.append(values, np.full(n, -radius))
                builder.row(columns, values, 0.0)
        for index, point in enumerate(self.points):
            self._exclude(builder, layout, coordinates.of(point), first=index == 0)
        return builder.build({eps: -1.0}), layout

    def _exclude(self, builder: ModelBuilder, layout: _Layout, x: np.ndarray, first: bool) -> None:
        chosen = []
        for members in _MEMBERS[self.kind]:
            # The neurons may be exchanged: the first point is not left to the second of them.
            barred = first and members == (1,)
            binary = builder.variable(0.0, 0.0 if barred else 1.0, integer=True)
            chosen.append(binary)
            size = len(members) * (float(np.abs(x).sum()) + 1.0) + 2.0
            columns, values = layout.function(members, x)
            # h + eps <= size * (1 - binary), as -h - eps - size * binary >= -size.
            columns = np.append(columns, [layout.eps, binary])
            values = np.append(-values, [-1.0, -size])
            builder.row(columns, values, -size)
        builder.row(np.array(chosen), np.ones(len(chosen)), 1.0)


@dataclass(frozen=True, eq=False)
class _Layout:
    """Where the variables are: weights (2, n), biases (2,), eps, and the bevel's level."""

    weights: np.ndarray
    biases: np.ndarray
    eps: int
    level: int | None

    def function(self, members: Sequence[int], x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Columns and values of a half-space's function at x."""
        sign = 1.0 if self.level is None else -1.0
        used = np.flatnonzero(x)
        columns = [np.append(self.weights[k][used], self.biases[k]) for k in members]
        values = [sign * np.append(x[used], 1.0) for _ in members]
        if self.level is not None:
            columns.append(np.array([self.level]))
            values.append(np.array([1.0]))
        return np.concatenate(columns), np.concatenate(values)


def _norm(builder: ModelBuilder, layout: _Layout, members: Sequence[int]) -> np.ndarray:
    """New variables at least ``|sum of the members' weights|``, coordinate by coordinate."""
    n = layout.weights.shape[1]
    norm = np.array([builder.variable(0.0, float(len(members))) for _ in range(n)])
    for index in range(n):
        columns = np.append(layout.weights[list(members), index], norm[index])
        for sign in (1.0, -1.0):
            builder.row(columns, np.append(np.full(len(members), sign), 1.0), 0.0)
    return norm
