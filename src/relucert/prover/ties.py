"""Where the rounding of a bound decides whether a ReLU counts as stable.

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

    tie: whether a bound on a ReLU met so far was nearly zero, for the size of others in its layer,
    and not zero; or a bound so close to zero that rounding makes much of it.
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

    def minimum(self, rows: RoundedRows, box: Bounds, regions: np.ndarray) -> np.ndarray:
        """As the checker's; every bound passes here."""
        found = super().minimum(rows, box, regions)
        with np.errstate(all="ignore"):
            close = (np.abs(found) <= _CLOSE * rows.lost) & (rows.lost > _TINY)
        self.tie |= bool(close.any())
        return found


@np.errstate(all="ignore")
def _has_tie(relaxation: Relaxation) -> bool:
    size = np.stack([np.abs(relaxation.pre.lower), np.abs(relaxation.pre.upper)])
    least = _NEARLY * size.max(axis=(0, 2), initial=0.0)[:, None]
    return bool((relaxation.layer.relu & (size <= least) & (size > 0)).any())
