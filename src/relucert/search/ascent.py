"""Multipliers for backward bounds by gradient ascent in float32: a guess that is bounded later.

Any slopes in [0, 1] and any multipliers beta >= 0 give a valid bound (beta-CROWN; Wang et al.
2021), so they may be sought carelessly: in float32, without errors, on unstable neurons only.
Adam (Kingma & Ba 2015) on the hand-written gradient, which is the pre-activation at the point
where the bound is smallest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from relucert.bounds.backward import Relaxation
from relucert.bounds.interval import Intervals
from relucert.limits import Limits
from relucert.network import Matrix

__all__ = ["SLOPE_STEPS", "Ascent", "Guess", "shortened"]

SLOPE_STEPS = 128
"""Lower slopes that bounds are evaluated with are whole numbers of 1/128."""

_BETA_STEPS = 2.0**12
_DECAY = 0.96
_BETA_RATE = 0.4
_WORTH_DROPPING = 0.8  # of the rows, or dropping the others costs more than it saves
_FIRST, _SECOND = 0.9, 0.99
Arrays = dict[int, np.ndarray]


@dataclass(frozen=True, eq=False)
class Guess:
    """alpha and beta by layer, float32 (rows, unstable neurons)."""

    alpha: Arrays
    beta: Arrays

    def chosen(self, rows: np.ndarray) -> Guess:
        """Of some rows only; a mask or numbers."""
        return Guess(_rows(self.alpha, rows), _rows(self.beta, rows))


def shortened(guess: Guess) -> Guess:
    """The same in few bits: any multipliers will do, and a proof has to write these down."""
    alpha = {
        layer: np.round(values * np.float32(SLOPE_STEPS)) * np.float32(1 / SLOPE_STEPS)
        for layer, values in guess.alpha.items()
    }
    beta = dict(guess.beta)
    for layer, values in beta.items():
        if values.any():
            mantissa, exponent = np.frexp(values)
            short = np.round(mantissa * np.float32(_BETA_STEPS)) * np.float32(1 / _BETA_STEPS)
            beta[layer] = np.ldexp(short, exponent)
    return Guess(alpha, beta)


@dataclass(frozen=True, eq=False)
class _Weights:
    """A layer in float32, its divisor multiplied in; ``unstable``: how many, they come first."""

    weight: Matrix
    transposed: Matrix
    bias: np.ndarray
    unstable: int
    chord: np.ndarray
    offset: np.ndarray


class Ascent:
    """Ascent over a compact chain, whose unstable neurons come first in every layer.

    layers: those whose ReLUs are passed. Rows are over the outputs of the chain, after its last
    ReLU if that layer is among them.
    """

    def __init__(
        self, chain: Sequence[Relaxation], box: Intervals, layers: Sequence[int], rate: float
    ) -> None:
        with np.errstate(all="ignore"):
            self.chain = [_weights(one) for one in chain]
            self.centre = (0.5 * box.lower + 0.5 * box.upper).astype(np.float32)
            self.radius = (0.5 * box.upper - 0.5 * box.lower).astype(np.float32)
            self.middle = self.chain[0].weight @ self.centre + self.chain[0].bias
        self.layers, self.rate = set(layers), rate

    @np.errstate(all="ignore")
    def run(
        self,
        rows: np.ndarray,
        signs: Arrays,
        start: Guess,
        steps: int,
        limits: Limits,
        enough: np.ndarray | None = None,
    ) -> Guess:
        """The best multipliers found for each row; ``signs``: int8, of fixed ReLUs, else 0.

        enough: bounds beyond which no better ones are wanted; those rows take no more steps.
        """
        if not steps:
            return start
        rows = rows.astype(np.float32)
        scale = np.abs(rows).max(axis=1, keepdims=True, initial=0.0)
        at = Guess({i: a.copy() for i, a in start.alpha.items()}, dict(start.beta))
        fixed = {index: own != 0 for index, own in signs.items()}
        split = {index for index, own in fixed.items() if own.any()}
        best = np.full(len(rows), -np.inf, dtype=np.float32)
        best_at = Guess(
            {i: a.copy() for i, a in at.alpha.items()},
            {i: b.copy() if i in split else b for i, b in at.beta.items()},
        )
        adam, going = _Adam(self.rate), np.arange(len(rows))
        for step in range(steps + 1):
            lines = self.lines(at, signs, fixed)
            values, met, last = self.bounds(rows, lines, at, signs, split)
            if not np.isfinite(values).all():
                return start if step == 0 else best_at
            better = np.flatnonzero(values > best[going])
            best[going[better]] = values[better]
            _copy(better, going[better], at, best_at, split)
            if step == steps or limits.out_of_time:
                return best_at
            if enough is not None:
                short = np.flatnonzero(~(best[going] > enough[going]))
                if not len(short):
                    return best_at
                if len(short) < _WORTH_DROPPING * len(going):
                    going, rows, last, scale = going[short], rows[short], last[short], scale[short]
                    signs, fixed, met = _rows(signs, short), _rows(fixed, short), _rows(met, short)
                    at = at.chosen(short)
                    lines = self.lines(at, signs, fixed)
                    adam.keep(short)
            adam.count += 1
            self._step(adam, at, lines, met, last, signs, fixed, split, scale)
        return best_at

    def lines(self, at: Guess, signs: Arrays, fixed: Arrays) -> dict[int, tuple[np.ndarray, ...]]:
        """Lower slope, chord and offset of the unstable neurons by layer, (rows, unstable)."""
        lines: dict[int, tuple[np.ndarray, ...]] = {}
        for index in self.layers:
            one, active = self.chain[index], (signs[index] > 0).astype(np.float32)
            given = fixed[index]
            lines[index] = (
                np.where(given, active, at.alpha[index]),
                np.where(given, active, one.chord),
                np.where(given, np.float32(0.0), one.offset),
            )
        return lines

    def bounds(
        self, rows: np.ndarray, lines: dict[int, tuple[np.ndarray, ...]], at: Guess,
        signs: Arrays, split: set[int],
    ) -> tuple[np.ndarray, Arrays, np.ndarray]:  # fmt: skip
        """Lower bounds, the unstable neurons' coefficients by layer, and those of the inputs."""
        constant, met = np.zeros(len(rows), dtype=np.float32), Arrays()
        for index in range(len(self.chain) - 1, -1, -1):
            one = self.chain[index]
            if index in self.layers:
                c = rows[:, : one.unstable].copy()
                met[index] = c
                slope, chord, offset = lines[index]
                negative = np.minimum(c, 0.0)
                constant += np.einsum("ij,ij->i", negative, offset)
                changed = np.where(c > 0, c * slope, negative * chord)
                if index in split:
                    changed -= at.beta[index] * signs[index]
                if index == len(self.chain) - 1:
                    rows = rows.copy()
                rows[:, : one.unstable] = changed
            constant += rows @ one.bias
            if sp.issparse(one.weight):
                rows = np.ascontiguousarray((one.transposed @ rows.T).T)
            else:
                rows = rows @ one.weight
        values = rows @ self.centre - np.abs(rows) @ self.radius + constant
        return values, met, rows

    def _step(
        self, adam: _Adam, at: Guess, lines: dict[int, tuple[np.ndarray, ...]], met: Arrays,
        last: np.ndarray, signs: Arrays, fixed: Arrays, split: set[int], scale: np.ndarray,
    ) -> None:  # fmt: skip
        """Move the multipliers along the gradient: forward from the minimising inputs."""
        rate = self.rate * _DECAY**adam.count
        away = np.copysign(self.radius, last)
        first = self.chain[0]
        z = self.middle - (
            (first.weight @ away.T).T if sp.issparse(first.weight) else away @ first.transposed
        )
        for index, one in enumerate(self.chain):
            if index:
                product = (one.weight @ z.T).T if sp.issparse(one.weight) else z @ one.transposed
                z = np.asarray(product) + one.bias
            if index not in self.layers:
                continue
            own, c = z[:, : one.unstable].copy(), met[index]
            slope, chord, offset = lines[index]
            rising = c > 0
            way = adam.way(("alpha", index), np.where(rising & ~fixed[index], c * own, 0.0))
            np.clip(at.alpha[index] + rate * way, 0.0, 1.0, out=at.alpha[index])
            if index in split:
                way = adam.way(("beta", index), -signs[index] * own)
                moved = np.maximum(at.beta[index] + _BETA_RATE * rate * scale * way, 0.0)
                at.beta[index] = np.where(fixed[index], moved, np.float32(0.0))
            z[:, : one.unstable] = np.where(rising, slope * own, chord * own + offset)


def _weights(relaxation: Relaxation) -> _Weights:
    layer, unstable = relaxation.layer, int(relaxation.unstable.sum())
    weight, bias = layer.weight, layer.bias
    if layer.divisor is not None:
        scale = 1.0 / layer.divisor
        weight = sp.diags_array(scale) @ weight if sp.issparse(weight) else weight * scale[:, None]
        bias = bias * scale
    if sp.issparse(weight):
        small = sp.csr_array(weight).astype(np.float32)
        transposed = sp.csr_array(small.T)
    else:
        small = np.asarray(weight, dtype=np.float32)
        transposed = np.ascontiguousarray(small.T)
    return _Weights(
        small,
        transposed,
        bias.astype(np.float32),
        unstable,
        relaxation.chord_slope[:unstable].astype(np.float32),
        relaxation.chord_offset[:unstable].astype(np.float32),
    )


def _rows(arrays: Arrays, rows: np.ndarray) -> Arrays:
    """Of some rows only."""
    return {index: values[rows] for index, values in arrays.items()}


def _copy(
    rows: np.ndarray, places: np.ndarray, source: Guess, target: Guess, split: set[int]
) -> None:
    """Keep the multipliers of rows that got better."""
    for index, alpha in source.alpha.items():
        target.alpha[index][places] = alpha[rows]
    for index in split:
        target.beta[index][places] = source.beta[index][rows]


class _Adam:
    """The directions that Adam takes; state for one ascent."""

    def __init__(self, rate: float) -> None:
        self.rate, self.count = rate, 0
        self.first: dict[tuple[str, int], np.ndarray] = {}
        self.second: dict[tuple[str, int], np.ndarray] = {}

    def keep(self, rows: np.ndarray) -> None:
        """Go on with these rows only."""
        for state in (self.first, self.second):
            for key, values in state.items():
                state[key] = values[rows]

    def way(self, key: tuple[str, int], slope: np.ndarray) -> np.ndarray:
        """The direction for one group of multipliers, given its gradient."""
        slope = np.asarray(slope, dtype=np.float32)
        if key not in self.first:
            self.first[key], self.second[key] = np.zeros_like(slope), np.zeros_like(slope)
        first, second = self.first[key], self.second[key]
        first *= _FIRST
        first += np.float32(1 - _FIRST) * slope
        second *= _SECOND
        second += np.float32(1 - _SECOND) * slope * slope
        ahead = np.float32(1.0 / (1 - _FIRST**self.count))
        size = np.sqrt(second * np.float32(1.0 / (1 - _SECOND**self.count))) + np.float32(1e-8)
        found = ahead * first / size
        found[~np.isfinite(found)] = 0.0
        return found
