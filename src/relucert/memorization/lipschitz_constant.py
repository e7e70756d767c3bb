"""The Lipschitz constant of a network, exactly where it is small (Jordan & Dimakis 2020).

The constant of ``f = coefficients @ outputs`` on a box, or on all inputs, is the largest dual
norm of f's gradient over the activation regions that have an interior there: f is affine on
each, and a segment crosses boundaries only at finitely many places, or can be moved a little so
that it does. Patterns that only ties can show have no interior and do not count. Inputs of
width zero do not move; what is asked for is then the constant on the box as it is.

The lower end is always the slope of a pair of points, evaluated exactly; the upper end an
interval gradient of the regions left, in integers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from relucert.errors import QueryError, SolverError, UsageError
from relucert.exact import nearest_float
from relucert.limits import Limits
from relucert.memorization.lipschitz_constant_domain import Domain
from relucert.memorization.lipschitz_constant_layers import ExactLayer
from relucert.memorization.lipschitz_constant_pair import (
    NORMS,
    Norm,
    Pair,
    float_steepness,
    gradient_in,
    promising_points,
    steepest_pair,
)
from relucert.memorization.lipschitz_constant_phases import first_reach
from relucert.memorization.lipschitz_constant_search import PatternSearch
from relucert.network import Network
from relucert.query import Box
from relucert.verdict import Reason

__all__ = ["LipschitzBracket", "lipschitz_constant"]

_ROUNDS = (None, 0.1, 0.02, 0.004)
_SAMPLING_SHARE = 0.2
_STEEPER = 1e-9
_MOST_FAILURES = 8
_LARGEST_FORMS = 3_000_000

Progress = Callable[[str], None]


@dataclass(frozen=True)
class LipschitzBracket:
    """``lower <= constant**power <= upper``, exact rationals; power is 2 for l2, else 1.

    pair: two inputs whose slope is ``lower``, None when ``lower`` is zero. regions: parts of the
    domain looked at. reason: why the ends differ, None when they agree.
    """

    norm: Norm
    lower: Fraction
    upper: Fraction
    pair: Pair | None
    regions: int
    seconds: float
    reason: Reason | None = None

    @property
    def exact(self) -> bool:
        """Whether both ends agree."""
        return self.lower == self.upper


def lipschitz_constant(
    network: Network,
    coefficients: Sequence[int],
    *,
    box: Box | None = None,
    norm: str = "linf",
    timeout: float = math.inf,
    memory: float = math.inf,
    seed: int = 0,
    progress: Progress | None = None,
) -> LipschitzBracket:
    """The smallest L with ``|f(x) - f(x')| <= L ||x - x'||`` for all x, x' in the box.

    f is ``coefficients @ outputs``, (outputs,) integers. box: None means all inputs. norm: of the
    inputs, "linf", "l1" or "l2". timeout: seconds. memory: bytes that this process may hold.
    seed: of the sampling that finds a first pair. Ctrl-C ends the search; what is known then is
    returned. Raises QueryError when the box or the coefficients do not fit, UsageError for an
    unknown norm.
    """
    if norm not in NORMS:
        raise UsageError(f"unknown norm {norm!r}; choose from {', '.join(NORMS)}")
    if len(coefficients) != network.output_size:
        raise QueryError(
            f"{len(coefficients)} coefficients for {network.output_size} outputs of the network"
        )
    if box is not None and box.size != network.input_size:
        raise QueryError(f"the box has {box.size} inputs, the network {network.input_size}")
    limits = Limits(timeout, memory)
    search = _Search(network, tuple(coefficients), Domain.of(network.input_size, box), NORMS[norm])
    return search.run(limits, np.random.default_rng(seed), progress)


class _Search:
    """The bracket while it shrinks."""

    def __init__(
        self, network: Network, coefficients: tuple[int, ...], domain: Domain, norm: Norm
    ) -> None:
        self._network, self._coefficients = network, coefficients
        self._domain, self._norm = domain, norm
        self._layers = [ExactLayer.of(layer) for layer in network.layers]
        self._patterns = PatternSearch(network, self._layers, coefficients, domain, norm)
        self._pair: Pair | None = None
        self._lower = Fraction(0)
        self._unpaired = Fraction(0)  # regions that no pair of points attained
        self._upper = self._patterns.anywhere
        self._failures = 0  # points at which floats saw a steepness that no pair has

    def run(
        self, limits: Limits, generator: np.random.Generator, progress: Progress | None
    ) -> LipschitzBracket:
        try:
            self._sample(limits, generator)
            reason = self._close(limits, progress)
        # The upper end is lowered only after a step, so it holds whatever ends one early.
        except KeyboardInterrupt:
            reason = Reason.INTERRUPTED
        except MemoryError:
            reason = Reason.MEMORY
        except SolverError:
            reason = Reason.NUMERICS
        if self._lower == self._upper:
            reason = None
        return LipschitzBracket(
            self._norm, self._lower, self._upper, self._pair, self._patterns.regions,
            limits.elapsed, reason,
        )  # fmt: skip

    def _sample(self, limits: Limits, generator: np.random.Generator) -> None:
        """Pairs at sampled inputs, then near the best of them."""
        share = limits.within(_SAMPLING_SHARE * limits.remaining)
        unit = 1.0 if self._domain.box is not None else nearest_float(first_reach(self._network))
        for spread in _ROUNDS:
            near = None if spread is None or self._pair is None else self._pair.first
            found = promising_points(
                self._network, self._coefficients, self._domain, self._norm, generator, near,
                (spread or 1.0) * unit,
            )  # fmt: skip
            for start, phases in found:
                if share.out_of_time or self._lower >= self._upper:
                    return
                gradient = gradient_in(self._layers, self._coefficients, phases)
                self._record(start, gradient, share)

    def _try(self, start: Sequence[Fraction] | None, limits: Limits) -> None:
        """A pair at a point that the search came across, if floats say that it is steeper."""
        if start is None or self._failures >= _MOST_FAILURES:
            return
        x = np.array([[nearest_float(value) for value in start]])
        sizes, phases = float_steepness(
            self._network, self._coefficients, self._domain, self._norm, x
        )
        if sizes[0] > nearest_float(self._lower) * (1.0 + _STEEPER):
            before = self._lower
            gradient = gradient_in(self._layers, self._coefficients, [p[0] for p in phases])
            self._record(start, gradient, limits)
            self._failures += self._lower == before

    def _record(
        self, start: Sequence[Fraction], gradient: Sequence[Fraction], limits: Limits
    ) -> None:
        pair = steepest_pair(
            self._network, self._coefficients, self._domain, self._norm, start, gradient, limits
        )
        if pair is not None and pair.slope > self._lower:
            self._pair, self._lower = pair, pair.slope

    def _close(self, limits: Limits, progress: Progress | None) -> Reason | None:
        """Branch and bound until both ends agree; returns what stopped it earlier."""
        if self._lower >= self._upper:
            return None
        columns = len(self._domain.free) + 1
        if max(len(layer.values) for layer in self._layers) * columns > _LARGEST_FORMS:
            return Reason.SIZE
        patterns = self._patterns
        patterns.start()
        while patterns.open:
            if limits.out_of_time:
                return Reason.TIME
            if patterns.regions % 64 == 0 and limits.out_of_memory:
                return Reason.MEMORY
            leaf = patterns.step(max(self._lower, self._unpaired))
            if leaf is None:
                self._try(patterns.visited, limits)
            else:
                self._record(leaf.point, leaf.gradient, limits)
                if self._lower < leaf.steepness:
                    self._unpaired = max(self._unpaired, leaf.steepness)
            self._upper = max(self._lower, self._unpaired, patterns.bound)
            if progress is not None:
                progress(self._words())
        return Reason.NUMERICS if self._lower < self._upper else None

    def _words(self) -> str:
        power = "" if self._norm.power == 1 else "squared, "
        return (
            f"{power}{nearest_float(self._lower):.6g} to {nearest_float(self._upper):.6g}, "
            f"{self._patterns.regions} regions, {self._patterns.open} open"
        )
