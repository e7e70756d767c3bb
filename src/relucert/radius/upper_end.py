"""The upper end of a bracket: the nearest unsafe input found so far, always checked exactly."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from relucert.exact import float_above, float_below, nearest_float
from relucert.limits import Limits
from relucert.network import Network
from relucert.query import Case, Decision, Query, robustness_query
from relucert.radius.together import LARGEST
from relucert.search.attack import Attack, attack_case
from relucert.search.margins import Margins
from relucert.search.nearest import Near, nearest_candidates
from relucert.verdict import Witness

__all__ = ["UpperEnd"]

_HALVINGS = 12
_ATTACK_SECONDS = 0.5
_ATTACK_ROUNDS = 4
_SETTLING_STEPS = 10
_PUSHES = (0.0, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2)


class UpperEnd:
    """``upper`` is None, or the distance of ``witness``, whose exact output is unsafe."""

    def __init__(
        self,
        network: Network,
        point: tuple[Fraction, ...],
        label: int,
        decision: Decision,
        clip: tuple[Fraction, Fraction] | None,
        limits: Limits,
        seed: int,
    ) -> None:
        self.network, self.point, self.label = network, point, label
        self.decision, self.clip, self.limits, self.seed = decision, clip, limits, seed
        self.wrong = decision.wrong_outputs(label)
        self.upper: Fraction | None = None
        self.witness: Witness | None = None

    def query(self, radius: Fraction) -> Query:
        return robustness_query(
            self.point, self.label, self.decision, radius=radius, clip=self.clip
        )

    def look_at_the_point(self) -> None:
        """A point that is already misclassified has radius zero."""
        self.record(self.point)

    def find_a_witness(self) -> None:
        """Attack balls of growing radius until one holds a witness, then settle it."""
        largest = self.largest()
        radius = min(Fraction(1, 64), largest)
        while self.upper is None and not self.limits.out_of_time:
            self._attack(radius)
            if radius >= largest:
                break
            radius = min(2 * radius, largest)
        self.settle()

    def known_upper(self) -> Fraction:
        if self.upper is None:
            raise RuntimeError("no witness is known yet")
        return self.upper

    def largest(self) -> Fraction:
        return LARGEST if self.clip is None else self.clip[1] - self.clip[0]

    def _attack(self, radius: Fraction) -> None:
        query = self.query(radius)
        attack = Attack(seconds=_ATTACK_SECONDS, rounds=_ATTACK_ROUNDS, seed=self.seed)
        case: Case = query.cases[0]
        found = attack_case(self.network, query, case, attack, self.limits).violated
        if found is not None:
            self.record(found.witness.input)

    def settle(self) -> None:
        """Go from the witness to the nearest one around it, as far as steps lead."""
        if self.witness is None or not self.upper:
            return
        self._shrink_along_segment()
        clip = self.clip
        near = Near(
            np.array([[nearest_float(value) for value in self.point]]),
            [Margins(self.wrong)],
            -math.inf if clip is None else float_below(clip[0]),
            math.inf if clip is None else float_above(clip[1]),
            float_above(self.known_upper()),
        )
        start = np.array([[nearest_float(value) for value in self.witness.input]])
        rng = np.random.default_rng(self.seed)
        (found,) = nearest_candidates(self.network, near, rng, start, _SETTLING_STEPS)
        if found is not None:
            self.confirm_near(found)

    def confirm_near(self, x: np.ndarray) -> None:
        """Push the solver's point outward, a little more each time, until it really is unsafe."""
        centre = np.array([nearest_float(value) for value in self.point])
        for push in _PUSHES:
            if self.record(self._rational(centre + (x - centre) * (1.0 + push))):
                self._shrink_along_segment()
                return

    def _shrink_along_segment(self) -> None:
        """Pull the witness towards the point while it stays unsafe (exactly checked)."""
        if self.witness is None:
            return
        far = np.array([nearest_float(value) for value in self.witness.input])
        centre = np.array([nearest_float(value) for value in self.point])
        low, high = 0.0, 1.0
        for _ in range(_HALVINGS):
            middle = 0.5 * (low + high)
            if self.record(self._rational(centre + (far - centre) * middle)):
                high = middle
            else:
                low = middle

    def _rational(self, x: np.ndarray) -> tuple[Fraction, ...]:
        values = [Fraction(repr(float(value))) for value in x]
        if self.clip is not None:
            low, high = self.clip
            values = [min(max(value, low), high) for value in values]
        return tuple(values)

    def record(self, x: tuple[Fraction, ...]) -> bool:
        """Keep ``x`` when its exact output is unsafe and it is the nearest so far."""
        distance = max(
            (abs(a - b) for a, b in zip(x, self.point, strict=True)), default=Fraction(0)
        )
        if self.upper is not None and distance >= self.upper:
            return False
        output = self.network.evaluate_exactly(x)
        if not any(part.contains(output) for part in self.wrong):
            return False
        self.upper, self.witness = distance, Witness(x, output)
        return True
