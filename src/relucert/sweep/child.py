"""A worker process under watch: it is fed items one at a time and killed when it overdoes one.

The clock and the memory are read from outside, so that a worker that hangs in native code, or
fills the memory there, costs its item alone.
"""

from __future__ import annotations

import json
import os
import secrets
import selectors
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NoReturn

from relucert.bench.processes import MARK, Family
from relucert.errors import SolverError

__all__ = [
    "WORKER",
    "Child",
    "Ended",
    "Stopped",
    "allow_children",
    "reap_children",
    "stop_children",
]

WORKER = (sys.executable, "-P", "-m", "relucert.sweep.worker")

_STARTING_SECONDS = 120.0
_READING_SECONDS = 120.0
_GRACE_SECONDS, _GRACE_SHARE = 2.0, 0.1
_LOOK_SECONDS = 0.2
_MEMORY_SLACK = 1.1
_KEPT_SHARE, _KEPT_BYTES = 0.1, 64 * 2**20
_LONGEST_ANSWER = 64 * 2**20
_MOST_ERRORS = 4 * 2**20
_LAST_WORDS = 300
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")

_children: set[Child] = set()
_registry = threading.Lock()
_stopping = threading.Event()


class Stopped(Exception):  # noqa: N818 (nothing went wrong)
    """The sweep is being ended; the item at hand was not finished."""


class Ended(Exception):  # noqa: N818 (an outcome of an item, not a fault of this program)
    """The child is gone, or was killed. why: "time", "memory", "died" or "nonsense"."""

    def __init__(self, why: str, detail: str, seconds: float, peak: int) -> None:
        super().__init__(detail)
        self.why, self.detail, self.seconds, self.peak = why, detail, seconds, peak


def stop_children() -> None:
    """Kill all children of this process; whoever waits for one of them gets `Stopped`.

    When nobody waits any more, `reap_children` clears away what is left of them.
    """
    _stopping.set()
    with _registry:
        for child in _children:
            child.family.kill()


def reap_children() -> None:
    """End and forget all children; no thread may be asking one of them."""
    for child in list(_children):
        child.kill()


def allow_children() -> None:
    """Children may be started again, after `stop_children`."""
    _stopping.clear()


class Child:
    """A running worker. ``command`` starts it; memory: bytes that it and its own children may hold.

    Raises SolverError when it does not get as far as to say that it is ready.
    """

    def __init__(self, command: Sequence[str], memory: float) -> None:
        self.command, self.memory = tuple(command), memory
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the child)
        self._rest = b""
        self._peak = 0
        self._at_first: int | None = None
        self._looked = 0.0
        mark = secrets.token_hex(16)
        environment = os.environ | dict.fromkeys(_THREADS, "1")
        with _registry:
            if _stopping.is_set():
                raise Stopped
            try:
                self.process = subprocess.Popen(
                    self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                    stderr=self._errors, start_new_session=True, env=environment | {MARK: mark},
                )  # fmt: skip
            except OSError as error:
                words = f"{self.command[0]}: {error.strerror or error}"
                raise SolverError(f"a worker process cannot be started ({words})") from None
            self.family = Family(self.process.pid, mark)
            _children.add(self)
        self._selector = selectors.DefaultSelector()
        if self.process.stdout is not None:
            os.set_blocking(self.process.stdout.fileno(), False)
            self._selector.register(self.process.stdout, selectors.EVENT_READ)
        self._until_ready()

    def _until_ready(self) -> None:
        self._started = time.monotonic()
        try:
            answer = self._answer(_STARTING_SECONDS)
            if answer.get("ready") is not True:
                self._end("nonsense", f"it said {str(answer)[:_LAST_WORDS]}")
        except Ended as end:
            raise SolverError(f"a worker process does not start: {end.detail}") from None

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def ask(self, request: Mapping[str, Any], seconds: float) -> tuple[dict[str, Any], int]:
        """The answer to a request with a ``number``, and the most bytes that were seen held.

        seconds: from the moment that the child has read the files. Raises `Ended` when there is
        no answer: the child is gone then. Raises `Stopped` when the sweep ends.
        """
        self._started, self._peak = time.monotonic(), 0
        number = request["number"]
        self._send(json.dumps(request, allow_nan=False).encode() + b"\n")
        limit = _READING_SECONDS + seconds
        while True:
            answer = self._answer(limit)
            if answer.get("begun") == number:
                self._started = time.monotonic()
                if self._at_first is None and isinstance(answer.get("resident"), int):
                    self._at_first = answer["resident"]
                limit = seconds * (1.0 + _GRACE_SHARE) + _GRACE_SECONDS
            elif answer.get("number") == number:
                return answer, self._peak
            else:
                self._end("nonsense", f"the worker answered {str(answer)[:_LAST_WORDS]}")

    def worn_out(self, resident: int) -> bool:
        """Whether it holds much more than before its first item, which the next would miss."""
        most = (self._at_first or resident) + _KEPT_SHARE * self.memory + _KEPT_BYTES
        return resident > most

    def _send(self, line: bytes) -> None:
        try:
            if self.process.stdin is not None:
                self.process.stdin.write(line)
                self.process.stdin.flush()
        except OSError:  # it is gone; reading its answer finds out how
            pass

    def _answer(self, seconds: float) -> dict[str, Any]:
        """The next line, as an object; ``seconds`` count from ``self._started``."""
        line = self._line(seconds)
        try:
            answer = json.loads(line)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            self._end("nonsense", f"the worker answered {line[:_LAST_WORDS]!r}")
        return answer

    def _line(self, seconds: float) -> bytes:
        while b"\n" not in self._rest:
            left = self._started + seconds - time.monotonic()
            if self._selector.select(max(0.0, min(left, _LOOK_SECONDS))):
                self._receive()
            if _stopping.is_set():
                self.kill()
                raise Stopped
            if left <= 0.0:
                self._end("time", f"killed from outside: no answer for {seconds:.0f} s")
            self._look()
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def _receive(self) -> None:
        piece = b""
        if self.process.stdout is not None:
            with suppress(BlockingIOError):
                piece = os.read(self.process.stdout.fileno(), 1 << 20)
                if not piece:
                    self._died()
        self._rest += piece
        if len(self._rest) > _LONGEST_ANSWER:
            self._end("nonsense", "the worker's answer has no end")

    def _look(self) -> None:
        """At its memory, from time to time, and at what it prints."""
        now = time.monotonic()
        if now - max(self._looked, self._started) < _LOOK_SECONDS:
            return
        self._looked = now
        self.family.look()
        self._peak = max(self._peak, self.family.memory)
        if self.family.memory > _MEMORY_SLACK * self.memory:
            held = self.family.memory / 2**20
            self._end("memory", f"killed from outside while it held {held:.0f} MiB")
        if os.fstat(self._errors.fileno()).st_size > _MOST_ERRORS:
            os.ftruncate(self._errors.fileno(), 0)
            os.lseek(self._errors.fileno(), 0, os.SEEK_SET)

    def _died(self) -> NoReturn:
        """It closed its output: tell how it ended."""
        if _stopping.is_set():
            self.kill()
            raise Stopped
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(1.0)
        code, words = self.process.poll(), self._words()
        if code is None:
            self._end("nonsense", "the worker closed its output")
        said = f": {words}" if words else ""
        ended = f"signal {-code}" if code < 0 else f"exit code {code}"
        # Signal 9 is how a system ends a process when memory runs out.
        of_memory = code == -9 or "bad_alloc" in words or "MemoryError" in words
        self._end("memory" if of_memory else "died", f"the worker ended by {ended}{said}")

    def _words(self) -> str:
        """The last line that it printed."""
        with suppress(OSError, ValueError):
            size = os.fstat(self._errors.fileno()).st_size
            self._errors.seek(max(0, size - 4096))
            lines = self._errors.read().decode("utf-8", "replace").split("\n")
            return next((one.strip() for one in reversed(lines) if one.strip()), "")[:_LAST_WORDS]
        return ""

    def _end(self, why: str, detail: str) -> NoReturn:
        seconds = time.monotonic() - self._started
        self.kill()
        if _stopping.is_set():
            raise Stopped
        raise Ended(why, detail, seconds, self._peak)

    def kill(self) -> None:
        """End it and all that it started; again does no harm."""
        with _registry:
            _children.discard(self)
        self.family.kill()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(10.0)
        self._selector.close()
        for stream in (self.process.stdin, self.process.stdout, self._errors):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
