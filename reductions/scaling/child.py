"""The process of one measurement: ``python -m reductions.scaling.child``, a job on its input.

Standard input stays open for as long as the parent lives: its end means that nobody waits for
the answer any more. The answer goes to a file, for libraries print where they like.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from reductions.problems.satisfiability import Satisfiability
from reductions.scaling.doors.door import Allowed, Door, Found
from reductions.scaling.doors.external import External
from reductions.scaling.doors.registry import opened
from relucert.errors import RelucertError
from relucert.limits import resident_bytes

__all__ = ["READY", "REPLY", "main", "reply_to"]

READY, REPLY = "ready", "reply.json"
"""Files in the job's folder: the clock starts; the answer."""

_ADDRESS_ROOM = 4 * 2**30
_CLEAN_UP_SECONDS = 8.0
_PARENT_DEATH_SIGNAL = 1


def main() -> None:
    """Read the job, decide, write the reply."""
    job = json.loads(sys.stdin.buffer.readline())
    door = opened([] if job["external"] else [job["door"]], job["external"])[job["door"]]
    _end_with_parent(door)
    folder = Path(job["folder"])
    if not isinstance(door, External):
        # Other programs may reserve addresses without using them; memory held is watched anyway.
        _limit_addresses(job["memory"])
    formula = Satisfiability(job["variables"], tuple(map(tuple, job["clauses"])))
    allowed = Allowed(job["seconds"], job["memory"], job["seed"])
    with suppress(RelucertError):
        door.warm_up()
    (folder / READY).touch()
    reply = reply_to(door, formula, allowed)
    unfinished = folder / f"{REPLY}.part"
    unfinished.write_text(json.dumps(reply), encoding="utf-8")
    unfinished.replace(folder / REPLY)
    # Threads of solvers may still run.
    os._exit(0)


def reply_to(door: Door, formula: Satisfiability, allowed: Allowed) -> dict[str, Any]:
    """What the door finds and what it took, as JSON values; a fault is a reply, too."""
    wall, cpu = time.monotonic(), _cpu_seconds()
    found = _decided(door, formula, allowed)
    wall, cpu = time.monotonic() - wall, _cpu_seconds() - cpu
    return {
        "answer": found.answer,
        "status": found.status,
        "assignment": found.assignment,
        "effort": found.effort,
        "instance_size": found.instance_size,
        "detail": found.detail,
        "wall_seconds": wall if found.wall_seconds is None else found.wall_seconds,
        "cpu_seconds": cpu if found.cpu_seconds is None else found.cpu_seconds,
        "peak_bytes": _peak_bytes(),
    }


def _decided(door: Door, formula: Satisfiability, allowed: Allowed) -> Found:
    try:
        return door.decide(formula, allowed)
    except MemoryError:
        return Found("unknown", detail="out of memory", status="memout")
    except Exception as error:  # a fault of whatever kind costs its own row only
        return Found("unknown", detail=f"{type(error).__name__}: {error}", status="error")


def _cpu_seconds() -> float:
    """Of this process, and of its children that ended."""
    waited = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + waited.ru_utime + waited.ru_stime


def _peak_bytes() -> int:
    """Most memory that this process held; getrusage would count what the parent held before it."""
    with suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return 1024 * int(line.split()[1])
    return resident_bytes()


def _limit_addresses(memory: float) -> None:
    """A second fence, for what grows faster than the parent looks."""
    with suppress(OSError, ValueError):
        most = int(memory) + _ADDRESS_ROOM
        resource.setrlimit(resource.RLIMIT_AS, (most, resource.getrlimit(resource.RLIMIT_AS)[1]))


def _end_with_parent(door: Door) -> None:
    """End this process, and what it started, when the parent is gone."""
    if not isinstance(door, External) and sys.platform == "linux":
        # Python's threads wait where a library keeps the interpreter's lock; the kernel does not.
        # Not where another program runs: that has to be ended first.
        ctypes.CDLL(None, use_errno=True).prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    threading.Thread(target=_watch_input, args=(door,), daemon=True).start()


def _watch_input(door: Door) -> None:
    while os.read(0, 4096):
        pass
    if isinstance(door, External):
        door.stopping.set()
        time.sleep(_CLEAN_UP_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    main()
