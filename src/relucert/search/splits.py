"""Which ReLU to split next: guesses that decide how much there is to do, not what is true."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from relucert.search.ascent import Ascent, Guess
from relucert.search.relu_bounds import Bounded, PartLines

__all__ = ["Splits", "costliest_chords", "look_ahead"]

_LIKELY = 1e-3
_CANDIDATES = 16
_STEP = 2.0  # times the coefficient; how far beyond a sign's own coefficient its multiplier may be
_SPARE = 1e-3  # of what is missing; so that one half alone counts for something


@dataclass(frozen=True, eq=False)
class Splits:
    """By row the ReLU to split: layer (-1: none is open) and column.

    start: of the multipliers of both signs, (rows, 2): active, inactive.
    """

    layers: np.ndarray
    neurons: np.ndarray
    start: np.ndarray


@np.errstate(all="ignore")
def costliest_chords(
    found: Bounded, lines: Mapping[int, PartLines], widths: Mapping[int, int]
) -> Splits:
    """The ReLU whose chord costs the bound most; ``widths``: how many are unstable, by layer."""
    count = len(found.values)
    best, layers = np.zeros(count), np.full(count, -1)
    neurons = np.zeros(count, dtype=np.int64)
    for index, width in widths.items():
        if not width:
            continue
        own = slice(width)
        c = found.coefficients[index][:, own]
        cost = np.where(lines[index].unstable[:, own], lines[index].chord_offset[:, own], 0.0)
        score = cost * np.where(c < 0, -c, _LIKELY * np.abs(c))
        score = np.where(np.isfinite(score), score, 0.0)
        place = score.argmax(axis=1)
        value = score[np.arange(count), place]
        better = value > best
        best[better], layers[better], neurons[better] = value[better], index, place[better]
    return Splits(layers, neurons, np.zeros((count, 2), dtype=np.float32))


@np.errstate(all="ignore")
def look_ahead(
    ascent: Ascent, rows: np.ndarray, signs: dict[int, np.ndarray], guess: Guess
) -> tuple[np.ndarray, np.ndarray]:
    """By row the ReLU of the only layer, number 0, whose two halves have the best bounds; and
    with which multipliers of its signs, (rows, 2). -1 where float32 sees none that is open.

    A half fixes what the coefficient of its pre-activation may be: at most the ReLU's own where it
    is active (less a multiplier of the sign), at least zero where it is not. With everything else
    as it is, the bound is concave in that coefficient, and two values of it are tried, for
    the likeliest ReLUs only. The product of both gains counts (Achterberg, Koch & Martin 2005).
    """
    rows = rows.astype(np.float32)
    given = signs[0] != 0
    lines = ascent.lines(guess, signs, {0: given})
    values, met, last = ascent.bounds(rows, lines, guess, signs, {0} if given.any() else set())
    first, every = ascent.chain[0], np.arange(len(rows))
    c, (slope, chord, offset) = met[0], lines[0]
    cost = np.where(given, 0.0, offset * np.where(c < 0, -c, np.float32(_LIKELY) * np.abs(c)))
    z = (ascent.middle - np.copysign(ascent.radius, last) @ first.transposed)[:, : first.unstable]
    likely = _at_the_minimum(c, z, chord * z + offset) * ~given + _LIKELY * cost
    most = min(_CANDIDATES, first.unstable)
    chosen = np.argpartition(-likely, most - 1, axis=1)[:, :most]

    at = every[:, None], chosen
    own, now = c[at], np.where(c < 0, c * chord, c * slope)[at]
    weight, middle = first.weight[chosen], ascent.middle[chosen]
    before = np.minimum(own, 0.0) * offset[at] - (np.abs(last) @ ascent.radius)[:, None]

    def gain(coefficient: np.ndarray) -> np.ndarray:
        change = coefficient - now
        moved = last[:, None, :] + change[:, :, None] * weight
        return np.asarray(change * middle - np.abs(moved, out=moved) @ ascent.radius - before)

    step, zero = np.float32(_STEP) * np.abs(own), np.zeros_like(own)
    missing = np.maximum(-values, np.float32(1e-30))[:, None]
    freely = gain(own), gain(zero)
    pressed = gain(own - step), gain(step)
    both = np.ones_like(own)
    for free, press in zip(freely, pressed, strict=True):
        both *= np.clip(np.maximum(free, press), 0.0, missing) / missing + np.float32(_SPARE)
    score = np.where(cost[at] > 0, both, 0.0)
    place = every, np.where(np.isfinite(score), score, 0.0).argmax(axis=1)
    start = [
        np.where((press > free) & np.isfinite(step), step, zero)[place]
        for free, press in zip(freely, pressed, strict=True)
    ]
    known = score[place] > 0
    neurons = np.where(known, chosen[place], -1)
    return neurons, np.where(known[:, None], np.stack(start, axis=1), np.float32(0.0))


def _at_the_minimum(c: np.ndarray, z: np.ndarray, chord: np.ndarray) -> np.ndarray:
    """What both signs change where the bound is attained: z there, and the chord's value."""
    price = np.maximum(-c, 0.0)
    active, inactive = price * np.maximum(chord - z, 0.0), price * np.maximum(chord, 0.0)
    return np.asarray(np.sqrt(active * inactive))
