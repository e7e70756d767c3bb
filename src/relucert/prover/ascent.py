"""Good multipliers for bounds on a region: a few steps of Adam (Kingma & Ba 2015).

On the hand-written gradient of the bound, which is rounded as `relucert.search.relu_bounds` does.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from relucert.bounds.backward import Relaxation
from relucert.bounds.interval import Intervals
from relucert.search.relu_bounds import Bounded, Multipliers, PartLines, bounded

__all__ = ["ascend", "start_multipliers"]

_DECAY = 0.96
_BETA_RATE = 0.4
_PACE_STEPS = 3


def start_multipliers(lines: dict[int, PartLines], rows: int) -> Multipliers:
    """The default slopes, and zero for every fixed sign."""
    alpha, beta = {}, {}
    for layer, given in lines.items():
        shape = (rows, given.lower_slope.shape[1])
        alpha[layer] = np.broadcast_to(given.lower_slope, shape).copy()
        if given.signs.any():
            beta[layer] = np.zeros(shape)
    return Multipliers(alpha, beta)


def ascend(
    chain: Sequence[Relaxation],
    box: Intervals,
    rows: np.ndarray,
    lines: dict[int, PartLines],
    start: Multipliers,
    *,
    steps: int,
    rate: float,
    targets: np.ndarray | None = None,
    after_relu: bool = True,
) -> tuple[Bounded, Multipliers]:
    """The best bounds found in ``steps`` of gradient ascent, and their multipliers.

    Stops when every row is above its target (rows,) or too far below it.
    """
    current, best, best_at = start, None, start
    adam, history = _Adam(rate), list[np.ndarray]()
    for step in range(steps + 1):
        found = bounded(chain, box, rows, lines, current, after_relu=after_relu)
        best, best_at = _better(best, best_at, found, current)
        history.append(best.values)
        done = targets is not None and _settled(history, targets, steps - step)
        if step == steps or done or not np.isfinite(found.values).all():
            break
        slopes = _gradients(chain, found, lines, current, after_relu)
        current = adam.step(current, slopes, lines, np.abs(rows).max(axis=1, keepdims=True))
    if best is None:  # pragma: no cover - the loop runs at least once
        raise ValueError("steps must not be negative")
    return best, best_at


def _settled(history: list[np.ndarray], targets: np.ndarray, steps: int) -> bool:
    """Whether every row is above its target, or at its present pace never will be."""
    short = targets - history[-1]
    if len(history) <= _PACE_STEPS:
        return bool((short < 0).all())
    gain = (history[-1] - history[-1 - _PACE_STEPS]) / _PACE_STEPS
    return bool(((short < 0) | (gain * steps < short)).all())


def _better(
    best: Bounded | None, at: Multipliers, found: Bounded, current: Multipliers
) -> tuple[Bounded, Multipliers]:
    """Row by row the better of two bounds, with its multipliers and coefficients."""
    if best is None or bool((found.values >= best.values).all()):
        return found, current
    chosen = (found.values > best.values)[:, None]

    def pick(new: dict[int, np.ndarray], old: dict[int, np.ndarray]) -> dict[int, np.ndarray]:
        return {layer: np.where(chosen, new[layer], old[layer]) for layer in old}

    merged = Bounded(
        np.maximum(found.values, best.values),
        np.where(chosen, found.points, best.points),
        pick(found.coefficients, best.coefficients),
    )
    return merged, Multipliers(pick(current.alpha, at.alpha), pick(current.beta, at.beta))


def _gradients(
    chain: Sequence[Relaxation],
    found: Bounded,
    lines: dict[int, PartLines],
    at: Multipliers,
    after_relu: bool,
) -> Multipliers:
    """How the bounds move with the multipliers: the pre-activations at the minimising points."""
    alpha, beta = {}, {}
    x = found.points
    last = len(chain) - 1
    with np.errstate(all="ignore"):
        for index, relaxation in enumerate(chain):
            if index == last and not after_relu:
                break
            z = relaxation.layer.affine(x)
            if index not in found.coefficients:
                x = z
                continue
            given, rows = lines[index], found.coefficients[index]
            positive = rows > 0
            alpha[index] = np.where(given.unstable & positive, rows * z, 0.0)
            if index in at.beta:
                beta[index] = -given.signs * z
            lower = np.where(given.unstable, at.alpha[index], given.lower_slope) * z
            x = np.where(positive, lower, given.chord_slope * z + given.chord_offset)
    return Multipliers(alpha, beta)


class _Adam:
    """Adam for maximisation with projection; state for one call of `ascend`."""

    def __init__(self, rate: float) -> None:
        self.rate, self.count = rate, 0
        self.first: dict[tuple[str, int], np.ndarray] = {}
        self.second: dict[tuple[str, int], np.ndarray] = {}

    def step(
        self, at: Multipliers, slopes: Multipliers, lines: dict[int, PartLines], scale: np.ndarray
    ) -> Multipliers:
        self.count += 1
        rate = self.rate * _DECAY**self.count
        alpha = {
            layer: np.clip(value + rate * self._way("alpha", layer, slopes.alpha[layer]), 0.0, 1.0)
            if layer in slopes.alpha else value
            for layer, value in at.alpha.items()
        }  # fmt: skip
        beta = {}
        for layer, value in at.beta.items():
            moved = value + _BETA_RATE * rate * scale * self._way("beta", layer, slopes.beta[layer])
            beta[layer] = np.where(lines[layer].signs != 0, np.maximum(moved, 0.0), 0.0)
        return Multipliers(alpha, beta)

    def _way(self, kind: str, layer: int, slope: np.ndarray) -> np.ndarray:
        slope = np.nan_to_num(slope, nan=0.0, posinf=0.0, neginf=0.0)
        key = (kind, layer)
        first = 0.9 * self.first.get(key, 0.0) + 0.1 * slope
        second = 0.99 * self.second.get(key, 0.0) + 0.01 * slope**2
        self.first[key], self.second[key] = first, second
        first, second = first / (1 - 0.9**self.count), second / (1 - 0.99**self.count)
        return np.asarray(first / (np.sqrt(second) + 1e-8))
