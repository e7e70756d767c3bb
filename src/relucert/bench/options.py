"""What a run of a list is made with."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["BenchOptions"]


@dataclass(frozen=True)
class BenchOptions:
    """engine, solver as for `certify`; timeout caps the list's own; memory in bytes a process.

    grace: seconds beyond the time limit after which another tool is killed. check: as `certify`'s.
    """

    engine: str = "auto"
    solver: str = "HiGHS"
    timeout: float = math.inf
    memory: float = math.inf
    seed: int = 0
    jobs: int = 1
    grace: float = 5.0
    check: bool = True
