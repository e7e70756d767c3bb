"""Projected adversarial training of depth-2 networks, by hand: what gradient descent finds.

``F(x) = c + a . relu(W x + b)`` is fitted to labelled l_inf balls: in every step each point of a
batch is moved inside its ball, by projected signed gradient ascent of the loss from a random
start, and Adam descends the loss at the moved points (Madry et al., 2018). The radius grows from
zero to the budget over the first half of the steps. Nothing here proves anything: the result is
judged afterwards by its stored weights alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from relucert.errors import QueryError
from relucert.exact import nearest_float
from relucert.network import Network

__all__ = ["Descent", "Task", "descend", "task"]

_BATCH = 256
_RATE = 0.05
_FIRST_DECAY, _SECOND_DECAY, _TINY = 0.9, 0.99, 1e-8
_ATTACK_STEPS = 5
_CHECK_ATTACKS = 4
_CHECK_EVERY = 50
_ENOUGH = 2.0  # of sharpened margin, at which more steps would only scale the weights
_NEAREST_SHARPNESS = 8.0
_LARGEST_EXPONENT = 1000

Tick = Callable[[int], None]
Stop = Callable[[], bool]


@dataclass(frozen=True, eq=False)
class Task:
    """Balls in coordinates of at most 2 to 4 in size, ``(x - shift) / scale``.

    points: (points, inputs). A point with label bounds lower < F < upper is classified rightly;
    both (points,), infinite where nothing bounds. sharpness: margins are multiplied by it before
    the logistic loss.
    """

    points: np.ndarray
    radius: float
    lower: np.ndarray
    upper: np.ndarray
    sharpness: float
    shift: np.ndarray
    scale: float


@dataclass(frozen=True, eq=False)
class Descent:
    """A trained network, the steps it took, and the mean loss over attacked points at the end."""

    network: Network
    steps: int
    loss: float


def task(points: np.ndarray, targets: np.ndarray, labels: int, budget: Fraction) -> Task:
    """Prepare balls of l_inf radius ``budget`` around ``points`` (points, inputs), float64.

    targets: (points,), -1 and +1 where ``labels`` is at most 2, else 1..labels told apart by
    nearest. Raises QueryError where float64 cannot hold the scale of the data.
    """
    low, high = points.min(axis=0), points.max(axis=0)
    shift = 0.5 * low + 0.5 * high
    size = float(np.max(0.5 * high - 0.5 * low, initial=0.0))
    radius = nearest_float(budget)
    # A single point has no extent of its own.
    size = size or radius or 1.0
    exponent = math.frexp(size)[1]
    if abs(exponent) > _LARGEST_EXPONENT:
        raise QueryError(f"coordinates that spread over {size!r} cannot be trained on: scale them")
    if labels <= 2:
        lower = np.where(targets > 0, 0.0, -np.inf)
        upper = np.where(targets > 0, np.inf, 0.0)
    else:
        lower = np.where(targets > 1, targets - 0.5, -np.inf)
        upper = np.where(targets < labels, targets + 0.5, np.inf)
    scale = math.ldexp(1.0, exponent - 2)
    sharpness = 1.0 if labels <= 2 else _NEAREST_SHARPNESS
    scaled = (points - shift) / scale
    return Task(scaled, radius / scale, lower, upper, sharpness, shift, scale)


class _Weights:
    """W (width, inputs), b (width,), a (width,), c (1,), as views of one vector for Adam."""

    def __init__(self, width: int, inputs: int) -> None:
        self.vector = np.zeros(width * (inputs + 2) + 1)
        ends = np.cumsum([width * inputs, width, width])
        weight, self.b, self.a, self.c = np.split(self.vector, ends)
        self.w = weight.reshape(width, inputs)

    def draw(self, task: Task, generator: np.random.Generator) -> None:
        """Neurons that switch somewhere between two random points of the data."""
        width, inputs = self.w.shape
        self.w[:] = generator.normal(0.0, 2.0 / np.sqrt(inputs), (width, inputs))
        ends = task.points[generator.integers(0, len(task.points), (2, width))]
        share = generator.random((width, 1))
        self.b[:] = -np.sum(self.w * (share * ends[0] + (1.0 - share) * ends[1]), axis=1)
        self.a[:] = generator.choice([-1.0, 1.0], width) * generator.uniform(0.5, 1.5, width)
        finite = np.isfinite(task.lower) & np.isfinite(task.upper)
        middle = 0.5 * (task.lower[finite] + task.upper[finite])
        self.c[:] = generator.normal() + (middle.mean() if len(middle) else 0.0)


def _loss_slopes(task: Task, rows: np.ndarray, value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The logistic loss of every point and its derivative by F: each (points,)."""
    above = task.sharpness * (value - task.lower[rows])
    below = task.sharpness * (task.upper[rows] - value)
    loss = np.logaddexp(0.0, -above) + np.logaddexp(0.0, -below)
    slope = task.sharpness * (_sigmoid(-below) - _sigmoid(-above))
    return loss, slope


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * x)))


def _values(weights: _Weights, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Hidden values (points, width) and outputs (points,)."""
    hidden = np.maximum(x @ weights.w.T + weights.b, 0.0)
    return hidden, np.asarray(hidden @ weights.a + weights.c[0])


def _attacked(
    task: Task, weights: _Weights, rows: np.ndarray, radius: float, generator: np.random.Generator
) -> np.ndarray:
    """Points of the balls where the loss is large: (rows, inputs)."""
    centres: np.ndarray = task.points[rows]
    if not radius:
        return centres
    low, high = centres - radius, centres + radius
    # Half of the coordinates start at an end of the ball, where the worst points lie.
    x: np.ndarray = np.clip(
        centres + radius * generator.uniform(-2.0, 2.0, centres.shape), low, high
    )
    for _ in range(_ATTACK_STEPS):
        hidden, value = _values(weights, x)
        slope = _loss_slopes(task, rows, value)[1]
        uphill = ((hidden > 0) * weights.a * slope[:, None]) @ weights.w
        x = np.clip(x + 0.5 * radius * np.sign(uphill), low, high)
    return x


def _gradient(task: Task, weights: _Weights, rows: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The gradient of the mean loss, laid out as `_Weights.vector`."""
    hidden, value = _values(weights, x)
    slope = _loss_slopes(task, rows, value)[1] / len(rows)
    inner = (hidden > 0) * weights.a * slope[:, None]
    parts = ((inner.T @ x).reshape(-1), inner.sum(axis=0), slope @ hidden, [slope.sum()])
    return np.concatenate(parts)


def _margins(task: Task, weights: _Weights, generator: np.random.Generator) -> tuple[float, float]:
    """The smallest sharpened margin over all attacked points, and their mean loss."""
    smallest, total = np.inf, 0.0
    for start in range(0, len(task.points), _BATCH):
        rows = np.arange(start, min(start + _BATCH, len(task.points)))
        worst = np.zeros(len(rows))
        for _ in range(_CHECK_ATTACKS):
            x = _attacked(task, weights, rows, task.radius, generator)
            value = _values(weights, x)[1]
            own = np.minimum(value - task.lower[rows], task.upper[rows] - value)
            smallest = min(smallest, task.sharpness * float(own.min()))
            worst = np.maximum(worst, _loss_slopes(task, rows, value)[0])
        total += float(worst.sum())
    return smallest, total / len(task.points)


def descend(
    task: Task,
    width: int,
    steps: int,
    generator: np.random.Generator,
    tick: Tick | None = None,
    stop: Stop | None = None,
) -> Descent | None:
    """Train one network of ``width`` hidden ReLUs from a random start.

    Ends after ``steps`` steps, or before when every attacked point has a clear margin. tick:
    called now and then with the steps done. stop: asked now and then whether to give up; None is
    then returned. The generator's state alone decides the outcome. Raises QueryError when the
    weights, in the data's own coordinates, are beyond float64.
    """
    weights = _Weights(width, task.points.shape[1])
    weights.draw(task, generator)
    first, second = np.zeros_like(weights.vector), np.zeros_like(weights.vector)
    count, done = len(task.points), 0
    while done < steps:
        rows = np.arange(count)
        if count > _BATCH:
            rows = np.sort(generator.choice(count, _BATCH, replace=False))
        radius = task.radius * min(1.0, 2.0 * done / steps)
        x = _attacked(task, weights, rows, radius, generator)
        gradient = _gradient(task, weights, rows, x)
        done += 1
        first += (1.0 - _FIRST_DECAY) * (gradient - first)
        second += (1.0 - _SECOND_DECAY) * (gradient**2 - second)
        mean = first / (1.0 - _FIRST_DECAY**done)
        size = np.sqrt(second / (1.0 - _SECOND_DECAY**done)) + _TINY
        rate = _RATE * 0.5 * (1.0 + np.cos(np.pi * done / steps))
        weights.vector -= rate * mean / size
        if done % _CHECK_EVERY:
            continue
        if tick is not None:
            tick(done)
        if stop is not None and stop():
            return None
        if 2 * done >= steps and _margins(task, weights, generator)[0] >= _ENOUGH:
            break
    return Descent(_network(task, weights), done, _margins(task, weights, generator)[1])


def _network(task: Task, weights: _Weights) -> Network:
    """The network in the data's own coordinates; rounding is left to the judge of the result."""
    with np.errstate(all="ignore"):
        inner = weights.w / task.scale
        bias = weights.b - inner @ task.shift
    if not (np.isfinite(inner).all() and np.isfinite(bias).all()):
        raise QueryError("the trained weights are beyond float64: scale the data")
    return Network.dense([inner, weights.a[None, :]], [bias, weights.c], "trained")
