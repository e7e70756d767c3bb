"""Where a Lipschitz constant is asked for: a box, or all inputs; and open regions inside it.

Points are written as integer vectors (w_1, ..., w_m, t) with t > 0, for the m coordinates that
are free (width above zero). In a box, w / t lies in [-1, 1]^m: x_j = centre_j + half_j w_j / t.
Otherwise x = w / t. An affine form is then an integer row, its value at a point has the sign of
``row @ (w, t)``, and all inputs at once are a bounded set, too.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from relucert.errors import SolverError
from relucert.exact import float_above, float_below, nearest_float
from relucert.limits import Limits
from relucert.lp.answer import Status
from relucert.lp.exact import Infeasible, feasible_point
from relucert.lp.highs import LpSolver
from relucert.lp.model import LinearModel
from relucert.memorization.lipschitz_constant_half_spaces import SLACK, HalfSpace, propagated
from relucert.memorization.lipschitz_constant_layers import Affine
from relucert.query import Box

__all__ = ["Domain"]

_SUPPORT = 1e-9
_BITS = 24
_MULTIPLIER_BITS = 60
_ZERO = Fraction(0)
_MOST_HALVINGS = 20_000
_PASSES = 2


@dataclass(frozen=True, eq=False)
class Domain:
    """All x with ``lower <= x <= upper``; None where an input has no end. Both (inputs,)."""

    lower: tuple[Fraction | None, ...]
    upper: tuple[Fraction | None, ...]

    @classmethod
    def of(cls, size: int, box: Box | None) -> Domain:
        """A box, or all inputs."""
        if box is None:
            return cls((None,) * size, (None,) * size)
        return cls(box.lower, box.upper)

    @property
    def size(self) -> int:
        return len(self.lower)

    @cached_property
    def box(self) -> Box | None:
        """The domain as a box, None when it is not bounded."""
        lower = tuple(value for value in self.lower if value is not None)
        upper = tuple(value for value in self.upper if value is not None)
        whole = len(lower) == len(upper) == self.size
        return Box(lower, upper) if whole else None

    @cached_property
    def free(self) -> tuple[int, ...]:
        """The inputs that vary."""
        ends = zip(self.lower, self.upper, strict=True)
        return tuple(j for j, (low, high) in enumerate(ends) if low is None or low != high)

    @cached_property
    def halves(self) -> tuple[Fraction, ...]:
        """Half the width of every free input; one where the domain is not bounded."""
        if self.box is None:
            return (Fraction(1),) * len(self.free)
        return tuple((self.box.upper[j] - self.box.lower[j]) / 2 for j in self.free)

    def inputs(self) -> Affine:
        """The network's inputs as forms of (w, t)."""
        rows = [[_ZERO] * (len(self.free) + 1) for _ in range(self.size)]
        for place, (index, half) in enumerate(zip(self.free, self.halves, strict=True)):
            rows[index][place] = half
        for index, (low, high) in enumerate(zip(self.lower, self.upper, strict=True)):
            if low is not None and high is not None and (self.box is not None or low == high):
                rows[index][-1] = (low + high) / 2
        common = math.lcm(*(value.denominator for row in rows for value in row))
        numerators = np.empty((self.size, len(self.free) + 1), dtype=object)
        for index, row in enumerate(rows):
            numerators[index] = [value.numerator * (common // value.denominator) for value in row]
        return Affine(numerators, common)

    def point(self, place: np.ndarray) -> tuple[Fraction, ...]:
        """The input at (w, t)."""
        inputs = self.inputs()
        scale = inputs.denominator * int(place[-1])
        return tuple(Fraction(int(value), scale) for value in inputs.rows @ place)

    def start(self) -> np.ndarray:
        """A point strictly inside the `faces`, and in the middle of a box."""
        if self.box is None and len(self.faces) > 1:
            place = self.inside(self.faces)
            if place is None:
                raise SolverError("a part of the domain is empty")
            return place
        return self._middle()

    def _middle(self) -> np.ndarray:
        place = np.zeros(len(self.free) + 1, dtype=object)
        place[-1] = 1
        return place

    @cached_property
    def faces(self) -> tuple[HalfSpace, ...]:
        """What (w, t) must satisfy beside ``|w| <= 1``: ``t > 0`` and ends that are not scaled."""
        if self.box is not None:
            return ()
        found = [HalfSpace.of(self._middle())]
        for place, index in enumerate(self.free):
            for sign, end in ((1, self.lower[index]), (-1, self.upper[index])):
                if end is not None:
                    row = np.zeros(len(self.free) + 1, dtype=object)
                    row[place], row[-1] = sign * end.denominator, -sign * end.numerator
                    found.append(HalfSpace.of(row))
        return tuple(found)

    @cached_property
    def ends(self) -> tuple[np.ndarray, np.ndarray]:
        """Float64 ends rounded outward, infinite where there is none: (inputs,) each."""
        lower = [-math.inf if value is None else float_below(value) for value in self.lower]
        upper = [math.inf if value is None else float_above(value) for value in self.upper]
        return np.array(lower), np.array(upper)

    def ends_inside(self, spaces: Sequence[HalfSpace]) -> tuple[np.ndarray, np.ndarray]:
        """Ends of a box around the part of the domain inside all half-spaces; like `ends`.

        By propagating each half-space to its coordinates a few times, with slack for rounding.
        """
        rows = np.array([space.floats for space in spaces])
        a, b = rows[:, :-1], rows[:, -1]
        lower, upper = (end[list(self.free)] for end in self.ends)
        centre, half = self._scale
        low, high = (np.full(len(centre), -1.0), np.full(len(centre), 1.0))
        if self.box is None:
            low, high = lower.copy(), upper.copy()
        for _ in range(_PASSES):
            low, high = propagated(a, b, low, high)
        with np.errstate(all="ignore"):
            slack = SLACK * (np.abs(centre) + np.abs(half))
            least, most = centre + half * low - slack, centre + half * high + slack
        first, last = (end.copy() for end in self.ends)
        free = list(self.free)
        first[free] = np.fmax(lower, least)
        last[free] = np.fmin(upper, most)
        return first, last

    @cached_property
    def _scale(self) -> tuple[np.ndarray, np.ndarray]:
        """Centre and half width of every free input; 0 and 1 where the domain is not bounded."""
        if self.box is None:
            return np.zeros(len(self.free)), np.ones(len(self.free))
        box = self.box
        centre = [nearest_float((box.lower[j] + box.upper[j]) / 2) for j in self.free]
        return np.array(centre), np.array([nearest_float(half) for half in self.halves])

    def split(self, index: int, reach: Fraction) -> list[Domain]:
        """Halves of one input's range; a range without ends is cut at -reach and reach."""
        low, high = self.lower[index], self.upper[index]
        if low is not None and high is not None:
            cuts = [(low + high) / 2]
        else:
            cuts = [cut for cut in (-reach, reach)
                    if (low is None or low < cut) and (high is None or cut < high)]  # fmt: skip
        ends = [low, *cuts, high]
        parts = []
        for first, last in itertools.pairwise(ends):
            lower, upper = list(self.lower), list(self.upper)
            lower[index], upper[index] = first, last
            parts.append(Domain(tuple(lower), tuple(upper)))
        return parts

    def never_positive(self, row: np.ndarray) -> bool:
        """Whether ``row @ (w, t)`` is at most zero everywhere."""
        spread = sum(abs(int(value)) for value in row[:-1])
        constant = int(row[-1])
        return spread + (constant if self.box is not None else max(constant, 0)) <= 0

    def inside(self, spaces: Sequence[HalfSpace]) -> np.ndarray | None:
        """A point strictly inside all half-spaces, or None when there is none.

        A float programme proposes a point or multipliers; either is checked in integers, and
        where it falls short, exact programmes decide.
        """
        point, multipliers = self._proposed(spaces)
        if point is not None and _holds(spaces, point):
            return point
        if self._contradicts(spaces, multipliers):
            return None
        chosen = [s for s, value in zip(spaces, multipliers, strict=True) if value > _SUPPORT]
        if chosen and self._contradict(chosen):
            return None
        return None if self._contradict(spaces) else self._exact_point(spaces)

    def _proposed(self, spaces: Sequence[HalfSpace]) -> tuple[np.ndarray | None, np.ndarray]:
        """The point of largest margin and the rows that hold it back; both are hints."""
        size, count = len(self.free), len(spaces)
        rows = np.column_stack([np.array([space.floats for space in spaces]), -np.ones(count)])
        model = LinearModel(
            np.append(np.zeros(size + 1), -1.0),
            np.concatenate([np.full(size, -1.0), [0.0 if self.box is None else 1.0, -1.0]]),
            np.ones(size + 2),
            np.zeros(size + 2, dtype=bool),
            sp.csr_array(rows),
            np.zeros(count),
            np.full(count, np.inf),
        )
        answer = LpSolver(model).minimise(model.cost, Limits())
        if answer.status is not Status.OPTIMAL or answer.x is None or answer.duals is None:
            return None, np.zeros(count)
        return self._rounded(answer.x[: size + 1], spaces), np.abs(answer.duals)

    def _rounded(self, x: np.ndarray, spaces: Sequence[HalfSpace]) -> np.ndarray | None:
        """A short integer point near ``x`` that is strictly inside, if rounding finds one."""
        for bits in (8, _BITS, 60):
            place = np.empty(len(x), dtype=object)
            place[:] = [round(Fraction(float(value)) * (1 << bits)) for value in x]
            if self.box is not None:
                place[-1] = 1 << bits
                place[:-1] = np.minimum(np.maximum(place[:-1], -(1 << bits)), 1 << bits)
            if place[-1] > 0 and _holds(spaces, place):
                return place
        return None

    def _contradicts(self, spaces: Sequence[HalfSpace], multipliers: np.ndarray) -> bool:
        """Whether these multipliers of the rows at size one add up to nowhere positive; exact."""
        sizes = [max(abs(int(value)) for value in space.row) for space in spaces]
        common = max(sizes) << _MULTIPLIER_BITS
        total, used = np.zeros(len(self.free) + 1, dtype=object), False
        for space, size, multiplier in zip(spaces, sizes, multipliers.tolist(), strict=True):
            if math.isfinite(multiplier) and multiplier > _SUPPORT:
                weight = round(Fraction(multiplier) * common / size)
                total, used = total + weight * space.row, used or weight > 0
        return used and self.never_positive(total)

    def _contradict(self, spaces: Sequence[HalfSpace]) -> bool:
        """Whether no point is strictly inside: some combination is nowhere positive (Gordan).

        Exact: y >= 0 with sum 1 and ``max over (w, t) of sum y_i row_i @ (w, t) <= 0``. In a box,
        r_j bounds the absolute value of the combination's coefficient of w_j; elsewhere w and t
        range freely, so that the coefficients must be zero and the constant not positive.
        """
        count, size = len(spaces), len(self.free) if self.box is not None else 0
        table = np.array([space.row for space in spaces], dtype=object)
        rows = []
        for j, column in enumerate(table[:, :-1].T):
            for sign in (1, -1):
                absolute = [Fraction(-int(j == k)) for k in range(size)]
                rows.append([*(Fraction(sign * int(value)) for value in column), *absolute])
        rows.append([*(Fraction(int(value)) for value in table[:, -1]), *[Fraction(1)] * size])
        limits = [_ZERO] * len(rows)
        for sign in (1, -1):
            rows.append([Fraction(sign)] * count + [_ZERO] * size)
            limits.append(Fraction(sign))
        sums = [Fraction(sum(abs(int(value)) for value in table[:, j])) for j in range(size)]
        lower, upper = [_ZERO] * (count + size), [Fraction(1)] * count + sums
        return not isinstance(feasible_point(lower, upper, rows, limits), Infeasible)

    def _exact_point(self, spaces: Sequence[HalfSpace]) -> np.ndarray:
        """A point of a region that is known not to be empty, by smaller and smaller margins."""
        rows = [[Fraction(-int(value)) for value in space.row] for space in spaces]
        margins = [Fraction(max(abs(int(value)) for value in space.row)) for space in spaces]
        halvings, found = 1, None
        while found is None:
            if halvings > _MOST_HALVINGS:
                raise SolverError("an activation region is too small for exact arithmetic to enter")
            found = self._with_margin(rows, [margin / 2**halvings for margin in margins])
            halvings *= 2
        # A point deeper inside has shorter numbers and room for the steps taken from it.
        low, high = halvings // 4, halvings // 2
        while high - low > 1:
            middle = (low + high) // 2
            deeper = self._with_margin(rows, [margin / 2**middle for margin in margins])
            low, high, found = (middle, high, found) if deeper is None else (low, middle, deeper)
        common = math.lcm(*(value.denominator for value in found))
        place = np.empty(len(found), dtype=object)
        place[:] = [value.numerator * (common // value.denominator) for value in found]
        return place

    def _with_margin(
        self, rows: list[list[Fraction]], margins: list[Fraction]
    ) -> tuple[Fraction, ...] | None:
        size = len(self.free)
        lower = [Fraction(-1)] * size + [_ZERO if self.box is None else Fraction(1)]
        upper = [Fraction(1)] * (size + 1)
        found = feasible_point(lower, upper, rows, [-margin for margin in margins])
        return None if isinstance(found, Infeasible) else found


def _holds(spaces: Sequence[HalfSpace], place: np.ndarray) -> bool:
    return all(int(space.row @ place) > 0 for space in spaces)
