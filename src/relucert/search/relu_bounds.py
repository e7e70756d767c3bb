"""Bounds on parts of a box where the signs of some ReLUs are fixed (beta-CROWN; Wang et al. 2021).

A part is given by bounds on the pre-activations, valid wherever the fixed signs hold. Every bound
is a backward substitution with two kinds of multipliers: the slope alpha of each unstable ReLU's
lower line, in [0, 1], and beta >= 0 for each fixed sign, which takes ``beta * z`` off where z is
known to be at least zero. Any multipliers give a valid bound; a few steps of Adam (Kingma & Ba
2015) on the hand-written gradient look for good ones. Rounding is accounted for throughout, as in
`relucert.bounds.backward`, so that a positive bound is a proof.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from relucert.bounds.backward import Relaxation, Substitution
from relucert.bounds.interval import Intervals
from relucert.bounds.rounding import round_up
from relucert.limits import Limits

__all__ = [
    "Bounded",
    "Multipliers",
    "PartLines",
    "ascend",
    "bounded",
    "part_lines",
    "start_multipliers",
]

_DECAY = 0.96
_BETA_RATE = 0.4
_PACE_STEPS = 3


@dataclass(frozen=True, eq=False)
class PartLines:
    """Lines that bound the ReLUs of one layer, each (rows, outputs) or (1, outputs).

    unstable: where the sign is open. signs: +1 or -1 where it was fixed by a split, else 0.
    """

    lower_slope: np.ndarray
    chord_slope: np.ndarray
    chord_offset: np.ndarray
    unstable: np.ndarray
    signs: np.ndarray

    def rows(self, index: np.ndarray) -> PartLines:
        """The lines of some rows, in that order."""
        return PartLines(
            self.lower_slope[index], self.chord_slope[index], self.chord_offset[index],
            self.unstable[index], self.signs[index],
        )  # fmt: skip

    def sloped(self, alpha: np.ndarray) -> PartLines:
        """The same with ``alpha`` (rows, outputs) for the lower slopes of unstable ReLUs."""
        slope = np.where(self.unstable, alpha, self.lower_slope)
        return PartLines(slope, self.chord_slope, self.chord_offset, self.unstable, self.signs)


def part_lines(
    relu: np.ndarray, lower: np.ndarray, upper: np.ndarray, signs: np.ndarray
) -> PartLines:
    """Lines from bounds: relu (outputs,); lower, upper, signs (parts, outputs)."""
    unstable = relu & (lower < 0) & (upper > 0)
    dead = relu & (upper <= 0)
    with np.errstate(all="ignore"):
        width = np.nextafter(upper - lower, 0.0)
        quotient = np.minimum(round_up(upper / width), 1.0)
        chord = np.where(unstable, quotient, np.where(dead, 0.0, 1.0))
        offset = np.where(unstable, round_up(chord * -lower), 0.0)
    slope = np.where(unstable, upper > -lower, ~dead)
    return PartLines(slope.astype(np.float64), chord, offset, unstable, signs.astype(np.float64))


@dataclass(frozen=True, eq=False)
class Multipliers:
    """alpha and beta for each layer with ReLUs, by layer index: (rows, outputs) each."""

    alpha: dict[int, np.ndarray]
    beta: dict[int, np.ndarray]

    def rows(self, index: np.ndarray) -> Multipliers:
        """The multipliers of some rows, in that order."""
        return Multipliers(
            {layer: value[index] for layer, value in self.alpha.items()},
            {layer: value[index] for layer, value in self.beta.items()},
        )

    def adopt(self, row: int, other: Multipliers | None) -> None:
        """Overwrite one row by the first of ``other``, where it has one."""
        if other is None:
            return
        for mine, theirs in ((self.alpha, other.alpha), (self.beta, other.beta)):
            for layer in mine.keys() & theirs.keys():
                mine[layer][row] = theirs[layer][0]


def start_multipliers(lines: dict[int, PartLines], rows: int) -> Multipliers:
    """The default slopes, and zero for every fixed sign."""
    alpha, beta = {}, {}
    for layer, given in lines.items():
        shape = (rows, given.lower_slope.shape[1])
        alpha[layer] = np.broadcast_to(given.lower_slope, shape).copy()
        if given.signs.any():
            beta[layer] = np.zeros(shape)
    return Multipliers(alpha, beta)


@dataclass(frozen=True, eq=False)
class Bounded:
    """Valid lower bounds (rows,), with what they were made of.

    points: where each linear bound is smallest, (rows, inputs). coefficients: by layer, the
    coefficients on the outputs of its ReLUs, (rows, outputs).
    """

    values: np.ndarray
    points: np.ndarray
    coefficients: dict[int, np.ndarray]


def bounded(
    chain: Sequence[Relaxation],
    box: Intervals,
    rows: np.ndarray,
    lines: dict[int, PartLines],
    multipliers: Multipliers | None = None,
    *,
    after_relu: bool = True,
) -> Bounded:
    """Lower bounds on ``rows @ v`` wherever the fixed signs of ``lines`` hold.

    ``v`` is the output of the last layer of ``chain``, or its pre-activation when ``after_relu``
    is false. rows (rows, outputs) are taken as exact; ``lines`` by layer, for every layer with
    ReLUs that is passed.
    """
    coefficients: dict[int, np.ndarray] = {}
    with np.errstate(all="ignore"):
        state = Substitution(rows, np.zeros(len(rows)), np.zeros(len(rows)))
        for index in range(len(chain) - 1, -1, -1):
            relaxation = chain[index]
            if relaxation.layer.relu.any() and (after_relu or index < len(chain) - 1):
                coefficients[index] = state.rows
                given = lines[index]
                if multipliers is not None:
                    given = given.sloped(multipliers.alpha[index])
                state.through_relu(relaxation, given)
                if multipliers is not None and index in multipliers.beta:
                    state.less(multipliers.beta[index] * given.signs, relaxation)
            state.through_affine(relaxation)
        values = state.minimum_over(box, len(chain))
        points = np.where(state.rows > 0, box.lower, box.upper)
    return Bounded(values, points, coefficients)


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
    limits: Limits | None = None,
) -> tuple[Bounded, Multipliers]:
    """The best bounds found in ``steps`` of gradient ascent, and their multipliers.

    Stops when every row is above its target (rows,) or too far below it, or the time is up.
    """
    current, best, best_at = start, None, start
    adam, history = _Adam(rate), list[np.ndarray]()
    for step in range(steps + 1):
        found = bounded(chain, box, rows, lines, current, after_relu=after_relu)
        best, best_at = _better(best, best_at, found, current)
        history.append(best.values)
        done = targets is not None and _settled(history, targets, steps - step)
        late = limits is not None and limits.out_of_time
        if step == steps or done or late or not np.isfinite(found.values).all():
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
