"""A measurement in a process of its own, whose time and memory are watched from outside."""

from __future__ import annotations

import json
import math
import os
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reductions.scaling.child import READY, REPLY
from relucert.bench.processes import MARK, Family

__all__ = ["Ended", "run_child"]

_POLL_SECONDS = 0.02
_LOOK_SECONDS = 0.2
_STARTING_SECONDS = 300.0
_GRACE_SECONDS, _GRACE_SHARE = 3.0, 0.1
_CLEAN_UP_SECONDS = 10.0
_LAST_WORDS = 300


@dataclass(frozen=True)
class Ended:
    """How a child ended.

    reply: what it answered; None where it did not. ended: "" by itself, else why it was killed:
    "time", "memory", "stopped". code: its exit code, negative for a signal. seconds: since it
    was ready. cpu_seconds: of the whole process. peak_bytes: most that its processes held
    together when looked at. words: the last of what it said on standard error.
    """

    reply: Mapping[str, Any] | None
    ended: str
    code: int
    seconds: float
    cpu_seconds: float
    peak_bytes: int
    words: str


def run_child(job: Mapping[str, Any], stopping: threading.Event) -> Ended:
    """Run a job (``seconds`` and ``memory`` are its limits) and end all that it started.

    The clock starts when the child has loaded its libraries. Setting ``stopping`` ends it.
    Raises OSError when no process can be started.
    """
    with tempfile.TemporaryDirectory(prefix="reductions-scale-") as name:
        return _Child(job, Path(name)).watched(stopping)


class _Child:
    def __init__(self, job: Mapping[str, Any], folder: Path) -> None:
        self.folder, self.seconds, self.memory = folder, float(job["seconds"]), float(job["memory"])
        self.external = bool(job["external"])
        mark = secrets.token_hex(16)
        self.errors = folder / "stderr.txt"
        with self.errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "reductions.scaling.child"],
                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors,
                start_new_session=True, env=_environment() | {MARK: mark},
            )  # fmt: skip
        self.family = Family(self.process.pid, mark)
        self.started = time.monotonic()
        self.ready: float | None = None
        self.ended_at: float | None = None
        self.cpu_seconds, self.peak = 0.0, 0
        self.looked = -math.inf
        with suppress(BrokenPipeError):
            self._send({**job, "folder": str(folder)})

    def watched(self, stopping: threading.Event) -> Ended:
        """Wait for the end, by itself or not."""
        ended = ""
        try:
            while not self._over() and not ended:
                ended = self._why_end(stopping)
                if not ended:
                    time.sleep(_POLL_SECONDS)
        finally:
            self._end()
        seconds = (self.ended_at or time.monotonic()) - (self.ready or self.started)
        return Ended(
            self._reply(), ended, self.process.returncode or 0, max(0.0, seconds),
            self.cpu_seconds, self.peak, self._words(),
        )  # fmt: skip

    def _send(self, job: Mapping[str, Any]) -> None:
        """The job is one line; the pipe stays open, so that its end tells the child of ours."""
        if self.process.stdin is not None:
            self.process.stdin.write(json.dumps(job).encode() + b"\n")
            self.process.stdin.flush()

    def _over(self) -> bool:
        """Whether it has ended; keeps what it used."""
        if self.ended_at is not None:
            return True
        with suppress(ChildProcessError):
            pid, status, usage = os.wait4(self.process.pid, os.WNOHANG)
            if not pid:
                return False
            self.process.returncode = os.waitstatus_to_exitcode(status)
            self.cpu_seconds = usage.ru_utime + usage.ru_stime
        self.ended_at = time.monotonic()
        return True

    def _why_end(self, stopping: threading.Event) -> str:
        now = time.monotonic()
        if stopping.is_set():
            return "stopped"
        if self.ready is None and (self.folder / READY).exists():
            self.ready = now
        late = self.seconds + _GRACE_SECONDS + _GRACE_SHARE * self.seconds
        if now - (self.ready or self.started) > (late if self.ready else _STARTING_SECONDS):
            return "time"
        if now - self.looked > _LOOK_SECONDS:
            self.looked = now
            self.family.look()
            self.peak = max(self.peak, self.family.memory)
            if self.family.memory > self.memory:
                return "memory"
        return ""

    def _end(self) -> None:
        """Kill it and its group; one that runs another program ends that first."""
        if self.process.stdin is not None:
            with suppress(BrokenPipeError):
                self.process.stdin.close()
        deadline = time.monotonic() + _CLEAN_UP_SECONDS
        while self.external and not self._over() and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        self.family.kill()
        while not self._over() and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)

    def _reply(self) -> Mapping[str, Any] | None:
        with suppress(OSError, ValueError):
            reply = json.loads((self.folder / REPLY).read_text(encoding="utf-8"))
            return reply if isinstance(reply, dict) else None
        return None

    def _words(self) -> str:
        with suppress(OSError):
            lines = self.errors.read_bytes()[-4096:].decode("utf-8", "replace").split("\n")
            return next((line.strip() for line in reversed(lines) if line.strip()), "")[
                :_LAST_WORDS
            ]
        return ""


def _environment() -> dict[str, str]:
    """One thread for every library that would take more."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
    return {**os.environ, **dict.fromkeys(names, "1")}
