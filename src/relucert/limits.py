"""How long and how large a computation may get, asked for at the places where it can stop."""

from __future__ import annotations

import math
import os
import sys
import threading
import time
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

__all__ = ["Limits", "Work", "resident_bytes", "usable_bytes", "usable_cores"]

_USABLE_SHARE = 0.8
_STALE_SECONDS = 0.05


def usable_cores() -> int:
    """How many cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def usable_bytes() -> float:
    """Memory that this process may hold in all without bringing the system into need.

    What it holds, and four fifths of what the system has left for it; inf where nothing tells.
    """
    left = min(_available_to_system(), _available_to_group())
    return resident_bytes() + _USABLE_SHARE * left


def _available_to_system() -> float:
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return 1024.0 * int(line.split()[1])
    except (OSError, ValueError, IndexError):
        pass
    return math.inf


def _available_to_group() -> float:
    """Of the memory limit of the control group (container), where there is one."""
    for most, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        try:
            root = Path("/sys/fs/cgroup")
            limit = int((root / most).read_text(encoding="ascii"))
            return max(0.0, float(limit - int((root / used).read_text(encoding="ascii"))))
        except (OSError, ValueError):  # not there, or "max"
            continue
    return math.inf


def _resident_lately() -> int:
    """`resident_bytes`, at most a twentieth of a second old: solvers ask thousands of times."""
    return _resident_during(int(time.monotonic() / _STALE_SECONDS))


@lru_cache(maxsize=1)
def _resident_during(_moment: int) -> int:
    return resident_bytes()


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


@dataclass(eq=False)
class Work:
    """What was done, counted where it is done; no clock enters.

    programmes: linear programmes solved, MILPs included. iterations: of the simplex method.
    nodes: of branch and bound, by MILP or search. Exact with one thread; work in other processes
    is not counted.
    """

    programmes: int = 0
    iterations: int = 0
    nodes: int = 0


@dataclass(frozen=True)
class Limits:
    """Wall-clock seconds from the moment of creation, memory in bytes, solver threads.

    stopped: when set, the time is up at once, whoever asks. work: what is done within these
    limits and all that are made from them.
    """

    seconds: float = math.inf
    memory: float = math.inf
    threads: int = 1
    started: float = field(default_factory=time.monotonic)
    stopped: threading.Event | None = None
    work: Work = field(default_factory=Work, compare=False, repr=False)

    @property
    def remaining(self) -> float:
        """Seconds left; zero when the time is up."""
        if self.stopped is not None and self.stopped.is_set():
            return 0.0
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
        return self.memory < math.inf and _resident_lately() > self.memory

    def within(self, seconds: float) -> Limits:
        """The same limits with at most ``seconds`` from now."""
        seconds = min(seconds, self.remaining)
        return Limits(seconds, self.memory, self.threads, stopped=self.stopped, work=self.work)
