"""Another program under a hard limit: it may crash, hang, fork or flood; it ends with its time.

POSIX only. The clock stops at the moment the program ends, not when somebody looks.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

__all__ = ["MARK", "Family", "Run", "run_watched"]

_LOOK_SECONDS = 0.25
_MOST_OUTPUT = 64 * 2**20
_AFTER_KILL_SECONDS = 10.0
MARK = "RELUCERT_BENCH_RUN"
"""The variable of the environment by which processes that left their session are found."""


@dataclass(frozen=True)
class Run:
    """How a program ended.

    ended: "" by itself, else why it was killed: "time", "memory", "output", "stopped", or
    "not started". code: exit code, negative for a signal, None where it was not started.
    seconds: wall-clock. cpu_seconds: of the program and the children it waited for.
    """

    ended: str
    code: int | None
    seconds: float
    cpu_seconds: float
    output: Path
    errors: Path


def run_watched(
    arguments: Sequence[str], seconds: float, memory: float, stopping: threading.Event, folder: Path
) -> Run:
    """Run a program in a session of its own and kill everything it started at the end.

    seconds: when it is killed. memory: bytes of its processes together (read from /proc; without
    that, not limited). Standard output and error go to files in ``folder``.
    """
    output, errors = folder / "stdout.txt", folder / "stderr.txt"
    mark = secrets.token_hex(16)
    with output.open("wb") as out, errors.open("wb") as err:
        started = time.monotonic()
        try:
            process = subprocess.Popen(
                list(arguments), stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                start_new_session=True, env=os.environ | {MARK: mark},
            )  # fmt: skip
        except OSError as error:
            err.write(str(error).encode())
            return Run("not started", None, 0.0, 0.0, output, errors)
    waiter = _Waiter(process)
    family = Family(process.pid, mark)
    ended = ""
    try:
        while not waiter.over.wait(min(_LOOK_SECONDS, _left(started, seconds))):
            ended = _why_end(started, seconds, memory, stopping, family, (output, errors))
            if ended:
                break
    finally:
        family.kill()
    if not waiter.over.wait(_AFTER_KILL_SECONDS):
        return Run(ended or "time", None, time.monotonic() - started, 0.0, output, errors)
    return Run(ended, process.returncode, waiter.ended - started, waiter.cpu, output, errors)


def _left(started: float, seconds: float) -> float:
    return max(0.001, started + seconds - time.monotonic())


def _why_end(
    started: float,
    seconds: float,
    memory: float,
    stopping: threading.Event,
    family: Family,
    files: tuple[Path, Path],
) -> str:
    if stopping.is_set():
        return "stopped"
    if time.monotonic() - started >= seconds:
        return "time"
    family.look()
    if family.memory > memory:
        return "memory"
    if sum(path.stat().st_size for path in files) > _MOST_OUTPUT:
        return "output"
    return ""


class _Waiter:
    """A thread that waits for the end, so that the moment is exact."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.over = threading.Event()
        self.ended, self.cpu = 0.0, 0.0
        threading.Thread(target=self._wait, args=(process,), daemon=True).start()

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        _, status, usage = os.wait4(process.pid, 0)
        self.ended = time.monotonic()
        self.cpu = usage.ru_utime + usage.ru_stime
        process.returncode = os.waitstatus_to_exitcode(status)
        self.over.set()


class Family:
    """A process and all that descend from it, also those that left its session."""

    def __init__(self, first: int, mark: str) -> None:
        self.first = first
        self.mark = f"{MARK}={mark}".encode()
        self.memory = 0

    def look(self) -> None:
        """What the members hold together now."""
        found = _processes()
        members = {pid for pid, (_, session) in found.items() if session == self.first}
        members.add(self.first)
        before = 0
        while before < len(members):
            before = len(members)
            members |= {pid for pid, (parent, _) in found.items() if parent in members}
        self.memory = sum(_resident(pid) for pid in members)

    def kill(self) -> None:
        """Kill the session's group, and by the mark that all inherit those that left it."""
        with suppress(OSError):
            os.killpg(self.first, signal.SIGKILL)
        for pid in _processes():
            with suppress(OSError):
                if self.mark in Path(f"/proc/{pid}/environ").read_bytes():
                    os.kill(pid, signal.SIGKILL)


def _processes() -> dict[int, tuple[int, int]]:
    """Parent and session of every process; empty where there is no /proc."""
    found = {}
    with suppress(OSError):
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            with suppress(OSError, ValueError, IndexError):
                fields = (entry / "stat").read_text(encoding="latin-1").rpartition(")")[2].split()
                found[int(entry.name)] = (int(fields[1]), int(fields[3]))
    return found


def _resident(pid: int) -> int:
    with suppress(OSError, ValueError, IndexError):
        pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")
    return 0
