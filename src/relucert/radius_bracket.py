"""The answer to "how far can this point be moved": an exact rational bracket."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from relucert.verdict import Method, Reason, Witness

__all__ = ["RadiusBracket"]

_CLOSE_ENOUGH = Fraction(1, 1000)


@dataclass(frozen=True)
class RadiusBracket:
    """``lower <= radius <= upper``: exact rationals; ``upper`` is None when no witness is known.

    method: how the lower end was proved. reason: why the bracket is not closed to 0.1 %, or
    None. witness: an unsafe input at distance ``upper``.
    """

    lower: Fraction
    upper: Fraction | None
    method: Method
    witness: Witness | None
    reason: Reason | None = None

    @property
    def closed(self) -> bool:
        """Whether both ends agree to 0.1 %."""
        if self.upper is None:
            return False
        return self.upper - self.lower <= _CLOSE_ENOUGH * self.upper
