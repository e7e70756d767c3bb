"""How long and how large a computation may get, asked for at the places where it can stop."""

from __future__ import annotations

import math
import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Limits", "resident_bytes"]


def resident_bytes() -> int:
    """Memory that this process holds now (its peak where the system tells only that)."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        try:
            import resource
        except ImportError:
            return 0
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


@dataclass(frozen=True)
class Limits:
    """Wall-clock seconds from the moment of creation, memory in bytes, solver threads."""

    seconds: float = math.inf
    memory: float = math.inf
    threads: int = 1
    started: float = field(default_factory=time.monotonic)

    @property
    def remaining(self) -> float:
        """Seconds left; zero when the time is up."""
        return max(0.0, self.started + self.seconds - time.monotonic())

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    @property
    def out_of_time(self) -> bool:
        """Whether the time is up."""
        return self.remaining <= 0.0

    @property
    def out_of_memory(self) -> bool:
        """Whether this process holds more memory than allowed."""
        return self.memory < math.inf and resident_bytes() > self.memory

    def within(self, seconds: float) -> Limits:
        """The same limits with at most ``seconds`` from now."""
        return Limits(min(seconds, self.remaining), self.memory, self.threads)
