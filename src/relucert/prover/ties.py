"""Where the rounding of a bound decides what others go by: say, whether a ReLU counts as stable.

Without biases many bounds are exactly zero, and z is as good a line as 0 where z is zero: an exact
bound and a rounded one may then choose differently, with very different bounds to follow.
"""

from __future__ import annotations

import numpy as np

from relucert.limits import Limits
from relucert.network import Network
from relucert.proof.arithmetic import Bounds, Chosen, Relaxation
from relucert.proof.rounded import RoundedRows
from relucert.prover.guide import Timed

__all__ = ["Watching"]

_NEARLY = 2.0**-30
_CLOSE = 64.0  # times what rounding may have lost
_TINY = 2.0**-900


class Watching(Timed):
    """The checker's rounded arithmetic, which notes ties.

    tie: whether a bound met so far was so close to where it decides something that rounding may
    decide: whether a ReLU is stable, has a default slope of one, or is bounded anew; or whether a
    bound is positive.
    """

    def __init__(self, network: Network, limits: Limits | None = None) -> None:
        super().__init__(network, limits)
        self.tie = False

    def before_relu(self, rows: RoundedRows, relaxation: Relaxation, chosen: Chosen) -> RoundedRows:
        """As the checker's; every relaxation passes here."""
        if not self.tie and "watched" not in relaxation.cache:
            relaxation.cache["watched"] = True
            self.tie = _has_tie(relaxation)
        return super().before_relu(rows, relaxation, chosen)

    def interval(self, index: int, inputs: Bounds) -> Bounds:
        """As the checker's; whether a ReLU is bounded anew depends on these."""
        found = super().interval(index, inputs)
        self.tie = self.tie or _has_tie(Relaxation(self.layers[index], found))
        return found

    def minimum(self, rows: RoundedRows, box: Bounds, regions: np.ndarray) -> np.ndarray:
        """As the checker's; every bound passes here."""
        found = super().minimum(rows, box, regions)
        with np.errstate(all="ignore"):
            close = (np.abs(found) <= _CLOSE * rows.lost) & (rows.lost > _TINY)
        self.tie |= bool(close.any())
        return found


@np.errstate(all="ignore")
def _has_tie(relaxation: Relaxation) -> bool:
    lower, upper = relaxation.pre.lower, relaxation.pre.upper
    size = relaxation.pre.magnitude
    least = _NEARLY * size.max(axis=1, initial=0.0)[:, None]
    near = (upper - lower) / 1024
    decisive = lower, upper, upper + lower * (1023 / 1024), lower - near, upper + near
    close = [(np.abs(value) <= least) & (value != 0) for value in decisive[:2]]
    close += [(np.abs(value) <= least) & (size > least) for value in decisive[2:]]
    return bool((relaxation.layer.relu & np.any(close, axis=0)).any())
