"""Two engines at the same question, a core each: the first answer counts, the other is stopped.

One engine runs here; the MILP runs in a child process (`relucert.milp.child`), because HiGHS
asks for the interpreter's lock in every call-back and because a process can be ended at any time.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from relucert.limits import Limits
from relucert.milp.child import Task
from relucert.verdict import Proved, Unknown, Verdict, Violated, confirm

__all__ = ["MilpBeside", "first_answer"]

_PACKAGES = Path(__file__).parents[2]
_LOOK_SECONDS = 0.2


class MilpBeside:
    """The MILP in a child process that starts ``after`` seconds; use as a context.

    decided: set when it has an answer other than Unknown. ended: set when there is no more to
    wait for.
    """

    def __init__(self, task: Task, after: float) -> None:
        self.task, self.after = task, after
        self.decided, self.ended = threading.Event(), threading.Event()
        self.verdict: Verdict | None = None
        self._cancelled = threading.Event()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> MilpBeside:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End the child, whatever it does."""
        self._cancelled.set()
        with self._lock:
            if self._process is not None:
                self._process.kill()
        self._thread.join()

    def _run(self) -> None:
        try:
            if not self._cancelled.wait(self.after):
                self._ask()
        finally:
            self.ended.set()

    def _ask(self) -> None:
        """Start the child, send it the task, wait for its answer."""
        with self._lock:
            if self._cancelled.is_set():
                return
            try:
                self._process = process = _started()
            except OSError:  # no more processes: the other engine works alone
                return
        with process:
            if process.stdin is None or process.stdout is None:
                return
            # The child ends when its standard input is closed: not before its answer is read.
            with suppress(OSError):
                process.stdin.write(self.task.message)
                process.stdin.flush()
                self._take(process.stdout.read())

    def _take(self, answer: bytes) -> None:
        """Keep an answer; a counterexample is evaluated again, here."""
        if not answer:
            return
        try:
            verdict = pickle.loads(answer)
        except (pickle.UnpicklingError, EOFError):  # cut short: the other engine works alone
            return
        if isinstance(verdict, Violated):
            verdict = confirm(self.task.network, self.task.query, verdict.witness.input)
        if isinstance(verdict, Proved | Violated | Unknown):
            self.verdict = verdict
            if not isinstance(verdict, Unknown):
                self.decided.set()


def _started() -> subprocess.Popen[bytes]:
    """The child: this interpreter and this package, one thread."""
    paths = [str(_PACKAGES), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "relucert.milp.child"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment,
    )  # fmt: skip


def first_answer(
    engine: Callable[[Limits], Verdict], task: Task, limits: Limits, after: float
) -> tuple[Verdict, Verdict | None]:
    """The verdicts of ``engine``, which runs here, and of the MILP (None: it has not answered).

    The MILP starts ``after`` seconds. One Proved or Violated ends both; where the engine gives up
    early, the MILP is waited for as long as ``limits`` allow.
    """
    with MilpBeside(task, after) as milp:
        verdict = engine(replace(limits, stopped=milp.decided))
        while isinstance(verdict, Unknown) and not limits.out_of_time:
            if milp.ended.wait(min(_LOOK_SECONDS, limits.remaining)):
                break
        return verdict, milp.verdict
