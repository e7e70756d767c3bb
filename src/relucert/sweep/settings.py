"""How the items of a sweep are done: the same for all of them, recorded, never changed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

__all__ = ["Settings"]


@dataclass(frozen=True)
class Settings:
    """timeout: seconds an item. memory: bytes an item. seed: of the whole sweep.

    An infinite memory limit means an equal share of four fifths of what the machine that does
    the item has left, one share a core.
    """

    engine: str = "auto"
    solver: str = "HiGHS"
    threads: int = 1
    timeout: float = math.inf
    memory: float = math.inf
    seed: int = 0

    @property
    def record(self) -> dict[str, Any]:
        """As JSON values; None for no limit."""
        return {
            "engine": self.engine,
            "solver": self.solver,
            "threads": self.threads,
            "timeout_s": None if math.isinf(self.timeout) else self.timeout,
            "memory_bytes": None if math.isinf(self.memory) else int(self.memory),
            "seed": self.seed,
        }
