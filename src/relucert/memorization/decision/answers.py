"""The answers of the decision problem: Yes with a network, No with a certificate, Unknown."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

from relucert.exact import nearest_float
from relucert.network import Network
from relucert.verdict import Unknown

__all__ = ["Answer", "No", "Unknown", "Yes"]


@dataclass(frozen=True)
class Yes:
    """``network`` robustly memorizes the data: checked on whole balls.

    margin: the least ``label * F`` over all balls, exactly; None for labels by nearest, where
    the verifier proved every ball. shape: which form it has, in words.
    """

    network: Network
    margin: Fraction | None
    shape: str

    @property
    def words(self) -> str:
        """The answer as people read it."""
        if self.margin is None:
            return f"Yes ({self.shape}, every ball proved)"
        return f"Yes ({self.shape}, checked exactly, margin {nearest_float(self.margin):.6g})"


@dataclass(frozen=True)
class No:
    """No network of this depth and width memorizes the data.

    certificate: the checked record of a complete refutation, or None where a MILP with
    tolerances says so: then only networks of a margin above ``eps_min`` (weights at most 1 on
    points of size 1) are excluded, which is a weaker word.
    """

    certificate: dict[str, Any] | None
    eps_min: float | None = None

    @property
    def words(self) -> str:
        """The answer as people read it."""
        if self.certificate is not None:
            return "No (certificate checked exactly)"
        return f"No network with a margin above {self.eps_min:.1e} (MILP, solver tolerance)"


Answer: TypeAlias = Yes | No | Unknown
