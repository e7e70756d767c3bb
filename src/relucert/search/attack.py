"""Falsification: random, face-snapped and gradient-guided points, confirmed exactly.

Projected gradient descent (Madry et al. 2018) with hand-written gradients on the violation
``max_i (C_i y - d_i)`` of each unsafe polyhedron; a share of the starting points has about 40 %
of its coordinates on faces of the box, where counterexamples of controllers tend to lie.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from relucert.limits import Limits
from relucert.network import Layer, Network
from relucert.query import Case, Query
from relucert.search.margins import Margins
from relucert.verdict import Violated, confirm

__all__ = ["Attack", "AttackResult", "attack_case", "backward", "box_samples", "forward"]

_EXACT_TRIES = 6
_FACE_SHARE = 0.4


@dataclass(frozen=True)
class Attack:
    """How hard to try: rounds of ``points`` restarts, gradient ``steps`` each.

    Ends after ``seconds`` or ``rounds``, whichever comes first.
    """

    points: int = 64
    steps: int = 40
    seconds: float = 1.0
    rounds: int = 1_000_000
    seed: int = 0


@dataclass(frozen=True, eq=False)
class AttackResult:
    """What an attack found: a confirmed violation, or the point closest to one.

    nearest: float64 (inputs,) with the smallest violation ``margin`` seen (positive: safe).
    """

    violated: Violated | None
    nearest: np.ndarray
    margin: float


def attack_case(
    network: Network,
    query: Query,
    case: Case,
    attack: Attack,
    limits: Limits,
    starts: np.ndarray | None = None,
) -> AttackResult:
    """Look for a counterexample in one case; ``starts`` are extra starting points (points, n)."""
    run = _Run(network, query, case, limits.within(attack.seconds))
    rng = np.random.default_rng(attack.seed)
    lower, upper = run.lower, run.upper
    first = [0.5 * lower + 0.5 * upper]
    if starts is not None:
        first.extend(np.clip(starts, lower, upper))
    run.try_points(np.array(first))
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(attack.rounds):
            if run.violated is not None or run.limits.out_of_time or not case.unsafe:
                break
            points = box_samples(rng, lower, upper, attack.points)
            points[0] = run.nearest
            run.try_points(points)
            _descend(run, points, attack.steps)
            if np.array_equal(lower, upper):
                break
    return AttackResult(run.violated, run.nearest, run.margin)


class _Run:
    """The state of one attack: the best point so far and the exact checks still allowed."""

    def __init__(self, network: Network, query: Query, case: Case, limits: Limits) -> None:
        self.network, self.query, self.case, self.limits = network, query, case, limits
        self.margins = Margins(case.unsafe)
        lower, upper = case.box.enclosing_floats
        self.lower = np.clip(lower, -1e300, 1e300)
        self.upper = np.clip(upper, -1e300, 1e300)
        self.violated: Violated | None = None
        self.nearest = 0.5 * self.lower + 0.5 * self.upper
        self.margin = np.inf
        self.tries = _EXACT_TRIES

    def try_points(self, points: np.ndarray) -> None:
        """Evaluate a batch in float64 and confirm what looks unsafe."""
        self.note(points, self.margins.smallest(self.network.evaluate(points)))

    def note(self, points: np.ndarray, margins: np.ndarray) -> None:
        if not len(points) or self.violated is not None:
            return
        margins = np.where(np.isnan(margins), np.inf, margins)
        for index in np.argsort(margins, kind="stable")[:3]:
            if margins[index] < self.margin or index == 0:
                self.margin, self.nearest = min(self.margin, float(margins[index])), points[index]
            if margins[index] > 0 or self.tries <= 0:
                return
            self.tries -= 1
            found = confirm(
                self.network, self.query, self.case.box.nearest_rationals(points[index])
            )
            if found is not None:
                self.violated = found
                return


def box_samples(
    rng: np.random.Generator, lower: np.ndarray, upper: np.ndarray, count: int
) -> np.ndarray:
    """Uniform points of the box, half of them with many coordinates snapped to its faces."""
    shares = rng.random((count, len(lower)))
    snapped = (rng.random((count, len(lower))) < _FACE_SHARE) & (np.arange(count)[:, None] % 2 == 0)
    shares = np.where(snapped, np.round(shares), shares)
    return np.asarray(np.clip(lower + shares * (upper - lower), lower, upper))


def _descend(run: _Run, points: np.ndarray, steps: int) -> None:
    """Projected sign gradient descent of every point towards one polyhedron each."""
    count = len(points)
    targets = np.arange(count) % run.margins.count
    points[0] = run.nearest
    if np.isfinite(run.margin):
        outputs = run.network.evaluate(points[:1])
        targets[0] = int(run.margins.each(outputs)[0].argmin())
    radius, step = 0.5 * run.upper - 0.5 * run.lower, 0.5
    for _ in range(steps):
        outputs, active = forward(run.network.layers, points)
        run.note(points, run.margins.smallest(outputs))
        if run.violated is not None or run.limits.out_of_time:
            return
        gradient = run.margins.gradient(outputs, targets)
        gradient = backward(run.network.layers, active, gradient)
        points = np.clip(points - step * radius * np.sign(gradient), run.lower, run.upper)
        step = max(0.01, step * 0.93)
    run.try_points(points)


def forward(layers: tuple[Layer, ...], points: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """Outputs and, for every layer, which coordinates let the gradient through."""
    active = []
    for layer in layers:
        z = layer.affine(points)
        through = ~layer.relu | (z > 0)
        points = np.where(through, z, 0.0)
        active.append(through)
    return points, active


def backward(
    layers: tuple[Layer, ...], active: list[np.ndarray], gradient: np.ndarray
) -> np.ndarray:
    """Gradient with respect to the inputs of ``gradient @ outputs``, (points, inputs)."""
    for layer, through in zip(reversed(layers), reversed(active), strict=True):
        gradient = gradient * through
        if layer.divisor is not None:
            gradient = gradient / layer.divisor
        gradient = np.asarray((layer.weight.T @ gradient.T).T)
    return gradient
