"""What a door spent on formulas, with what limits, clocks and start-ups hide of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["CLOCK", "FLOOR", "Costs", "quantile", "with_overhead"]

Floats = NDArray[np.float64]

FLOOR = 2.0
"""Times below so many times the door's smallest are mostly start-up, and are left-censored."""

CLOCK = 1e-3
"""Seconds that process clocks tell apart."""

_OVERHEAD_SHARES = (0.0, 0.4, 0.7, 0.9, 1.0, 1.1)


@dataclass(frozen=True)
class Costs:
    """What one door spent on formulas: one entry a formula, in any order.

    ``measured`` is as recorded. ``bound`` is positive: the cost where ``side`` is 0, a lower bound
    where it is 1 (a limit cut the run off), an upper bound where it is -1 (below what can be told
    from the start-up).
    ``overheads`` are the constant shares (of a process that starts, say) to be considered; all
    are below every observed cost.
    """

    size: Floats
    measured: Floats
    bound: Floats
    side: NDArray[np.int_]
    overheads: tuple[float, ...] = (0.0,)

    @property
    def sizes(self) -> list[float]:
        return sorted(set(self.size.tolist()))

    def at(self, keep: NDArray[np.bool_]) -> Costs:
        return Costs(
            self.size[keep], self.measured[keep], self.bound[keep], self.side[keep], self.overheads
        )  # fmt: skip

    def median(self, size: float) -> tuple[float, float]:
        """Bounds of the lower median at this size: equal where it was observed."""
        here = self.at(self.size == size)
        low = np.where(here.side < 0, 0.0, here.bound)
        high = np.where(here.side > 0, np.inf, here.bound)
        middle = (len(here.size) - 1) // 2
        return float(np.sort(low)[middle]), float(np.sort(high)[middle])


def with_overhead(size: Floats, seconds: Floats, cut_off: NDArray[np.bool_]) -> Costs:
    """Costs that may contain a constant overhead, which is no part of the growth.

    Times below twice the smallest are not taken at their word: the growth is at most that. For
    those above, overheads from none to slightly over the smallest time are all considered.
    """
    finished = seconds[~cut_off]
    smallest = max(float(finished.min()), CLOCK) if len(finished) else CLOCK
    floor = FLOOR * smallest
    low = ~cut_off & (seconds < floor)
    side = np.where(cut_off, 1, np.where(low, -1, 0))
    shares = tuple(share * smallest for share in _OVERHEAD_SHARES)
    bound = np.where(low, floor, np.maximum(seconds, CLOCK))
    return Costs(size, seconds, bound, side, shares)


def quantile(costs: Costs, size: float, share: float) -> tuple[float, float]:
    """Bounds of a quantile as measured; the upper is infinite where a limit hides it.

    What the fit takes as "at most" counts here as measured: it is a time all the same.
    """
    here = costs.at(costs.size == size)
    position = max(math.ceil(share * len(here.size)) - 1, 0)
    low = np.sort(here.measured)[position]
    high = np.sort(np.where(here.side > 0, np.inf, here.measured))[position]
    return float(low), float(high)
