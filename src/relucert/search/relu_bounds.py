"""Bounds on parts of a box where the signs of some ReLUs are fixed (beta-CROWN; Wang et al. 2021).

A part is given by bounds on the pre-activations, valid wherever the fixed signs hold. Every bound
is a backward substitution with two kinds of multipliers: the slope alpha of each unstable ReLU's
lower line, in [0, 1], and beta >= 0 for each fixed sign, which takes ``beta * z`` off where z is
known to be at least zero. Any multipliers give a valid bound. Rounding is accounted for throughout,
as in `relucert.bounds.backward`, so that a positive bound is a proof.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from relucert.bounds.backward import Relaxation, Substitution
from relucert.bounds.interval import Intervals
from relucert.bounds.rounding import round_up

__all__ = [
    "Bounded",
    "Multipliers",
    "PartLines",
    "bounded",
    "part_lines",
]


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
