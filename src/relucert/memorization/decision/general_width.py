"""Any width, any labels: a MILP over activation patterns, with the verifier as ball oracle.

``G = c + sum a_k relu(z_k)`` with fixed signs a (up to order, width + 1 cases); a binary for every
neuron and point. Two labels: ``y G >= eps``. Labels 1..L by nearest: ``(y - 1/2) s + eps <= G <=
(y + 1/2) s - eps`` (one side only for 1 and L) and F = G / s, where s is a variable as well:
everything is homogeneous, so weights, biases, c and s of at most 1 are no restriction.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from relucert.limits import Limits
from relucert.lp.answer import Status
from relucert.lp.model import LinearModel, ModelBuilder
from relucert.memorization.decision.answers import Answer, No, Unknown, Yes
from relucert.memorization.decision.balls import Balls, SparsePoint
from relucert.memorization.decision.shape_milp import EPS_MIN, reason_of, solve_model
from relucert.network import Network
from relucert.query import robustness_query
from relucert.read.points import LabelledPoints
from relucert.verdict import Proved, Reason, Violated
from relucert.verify import certify

__all__ = ["decide_general_width"]

Progress = Callable[[str], None]
_ROUNDS = 200


def decide_general_width(
    data: LabelledPoints,
    balls: Balls,
    width: int,
    solver: str,
    seed: int,
    limits: Limits,
    progress: Progress | None = None,
) -> Answer:
    """Yes (every ball proved by the verifier), No with `EPS_MIN`, or Unknown."""
    unknown: Unknown | None = None
    for positive in range(width + 1):
        signs = np.array([1.0] * positive + [-1.0] * (width - positive))
        answer = _Signs(data, balls, signs).decide(solver, seed, limits, progress)
        if isinstance(answer, Yes):
            return answer
        if isinstance(answer, Unknown):
            unknown = unknown or answer
            if limits.out_of_time:
                return answer
    return unknown or No(None, EPS_MIN)


class _Signs:
    """One choice of output signs, with the points that the model knows so far."""

    def __init__(self, data: LabelledPoints, balls: Balls, signs: np.ndarray) -> None:
        self.data, self.balls, self.signs = data, balls, signs
        self.name = f"output signs {''.join('+' if sign > 0 else '-' for sign in signs)}"
        self.points: list[tuple[int, SparsePoint]] = list(enumerate(balls.points))

    def decide(self, solver: str, seed: int, limits: Limits, progress: Progress | None) -> Answer:
        for _ in range(_ROUNDS):
            model, layout = self._model()
            solved = solve_model(model, layout["eps"][0], solver, limits, progress, self.name)
            if solved.status is Status.OPTIMAL and solved.objective >= -EPS_MIN:
                return No(None, EPS_MIN)
            if solved.x is None or solved.x[layout["eps"][0]] <= EPS_MIN:
                return Unknown(reason_of(solved.status), f"{self.name}: {solved.detail}")
            network = self._network(solved.x, layout)
            found = self._wrong_points(network, seed, limits, progress)
            if isinstance(found, Unknown):
                return found
            if not found:
                return Yes(network, None, f"depth 2, width {len(self.signs)}, {self.name}")
            known = set(self.points)
            if all(entry in known for entry in found):
                return Unknown(Reason.MARGIN, f"{self.name}: margins within rounding")
            self.points += found
        return Unknown(Reason.MARGIN, f"{self.name}: more and more points of balls matter")

    def _wrong_points(
        self, network: Network, seed: int, limits: Limits, progress: Progress | None
    ) -> list[tuple[int, SparsePoint]] | Unknown:
        """For every ball that the network does not classify, a point of it that shows so."""
        found = []
        for row, label in enumerate(self.balls.labels):
            if limits.out_of_time:
                return Unknown(Reason.TIME, self.name)
            if progress is not None:
                progress(f"{self.name}: verifying ball {row + 1} of {len(self.balls)}")
            query = robustness_query(
                self.data.point(row), label, self.balls.label_map.decision,
                radius=self.balls.budget,
            )  # fmt: skip
            left = min(limits.remaining, 1e9)
            verdict = certify(network, query, timeout=max(left, 1e-3), seed=seed).verdict
            if isinstance(verdict, Violated):
                point = verdict.witness.input
                found.append((row, tuple((i, v) for i, v in enumerate(point) if v)))
            elif not isinstance(verdict, Proved) or not verdict.method.rigorous:
                return Unknown(Reason.ENGINE, f"{self.name}: ball {row}: {verdict.words}")
        return found

    def _model(self) -> tuple[LinearModel, dict[str, np.ndarray]]:
        builder = ModelBuilder()
        width, n = len(self.signs), self.balls.dimension

        def block(*shape: int, low: float = -1.0) -> np.ndarray:
            count = int(np.prod(shape))
            return np.array([builder.variable(low, 1.0) for _ in range(count)]).reshape(shape)

        layout = {
            "weights": block(width, n),
            "biases": block(width),
            "constant": block(1),
            "scale": block(1, low=0.0),
            "eps": block(1, low=0.0),
        }
        for k in range(width - 1):
            if self.signs[k] == self.signs[k + 1]:  # neurons of one sign may be exchanged
                pair = layout["biases"][[k, k + 1]]
                builder.row(pair, np.array([1.0, -1.0]), 0.0)
        for row, point in self.points:
            outputs = self._neurons(builder, layout, self.balls.coordinates.of(point))
            self._classified(builder, layout, outputs, self.balls.labels[row])
        return builder.build({int(layout["eps"][0]): -1.0}), layout

    def _neurons(
        self, builder: ModelBuilder, layout: dict[str, np.ndarray], x: np.ndarray
    ) -> np.ndarray:
        """Variables of relu(z_k) at x, each with its binary."""
        used = np.flatnonzero(x)
        size = float(np.abs(x).sum()) + 1.0
        outputs = []
        for k in range(len(self.signs)):
            relu = builder.variable(0.0, size)
            active = builder.variable(0.0, 1.0, integer=True)
            z = np.append(layout["weights"][k][used], layout["biases"][k])
            factors = np.append(x[used], 1.0)
            builder.row(np.append(z, relu), np.append(-factors, 1.0), 0.0)
            builder.row(np.append(z, [relu, active]), np.append(factors, [-1.0, -size]), -size)
            builder.row(np.array([active, relu]), np.array([size, -1.0]), 0.0)
            outputs.append(relu)
        return np.array(outputs)

    def _classified(
        self, builder: ModelBuilder, layout: dict[str, np.ndarray], outputs: np.ndarray, label: int
    ) -> None:
        """Rows that put G on the label's side of every threshold by eps."""
        decision = self.balls.label_map.decision
        columns = np.concatenate([outputs, layout["constant"], layout["scale"], layout["eps"]])
        thresholds = [(float(label), 0.0)]
        if decision.kind == "nearest":
            low, high = (1.0, 0.5 - label), (-1.0, label + 0.5)
            thresholds = [low] * (label > 1) + [high] * (label < decision.labels)
        for side, threshold in thresholds:
            values = np.concatenate([side * self.signs, [side, threshold, -1.0]])
            builder.row(columns, values, 0.0)

    def _network(self, x: np.ndarray, layout: dict[str, np.ndarray]) -> Network:
        """F = G / s in the data's own coordinates; what rounding does is the verifier's to see."""
        coordinates = self.balls.coordinates
        nearest = self.balls.label_map.decision.kind == "nearest"
        scale = float(x[layout["scale"][0]]) if nearest else 1.0
        weights = x[layout["weights"]] / scale * np.array([float(s) for s in coordinates.scales])
        shift = np.array([float(v) for v in coordinates.shift] or [0.0] * self.balls.dimension)
        biases = x[layout["biases"]] / scale - weights @ shift
        constant = x[layout["constant"]] / scale
        return Network.dense([weights, self.signs[None, :]], [biases, constant], "memorizer")
