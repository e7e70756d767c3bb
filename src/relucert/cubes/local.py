"""Local worker processes for cubes: an executor that can be ended at once, and made anew."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

__all__ = ["LocalProcesses", "local_processes"]

_LOOK_SECONDS = 1.0

Result = TypeVar("Result")


class LocalProcesses(Executor):
    """``ProcessPoolExecutor`` with spawned processes; `renew` replaces a pool that broke."""

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._foreign = set(multiprocessing.active_children())
        self._pool = self._new()

    def _new(self) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(self._jobs, context, initializer=_begin)

    def submit(self, fn: Callable[..., Result], /, *args: Any, **kwargs: Any) -> Future[Result]:
        """As every executor's."""
        return self._pool.submit(fn, *args, **kwargs)

    def renew(self) -> None:
        """A new pool after a process died, which ends a pool with all that was given to it."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._pool = self._new()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Ends the processes at once: nobody waits for what they still do."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        for process in set(multiprocessing.active_children()) - self._foreign:
            process.kill()
        self._pool.shutdown(wait=True)


@contextmanager
def local_processes(jobs: int) -> Iterator[LocalProcesses]:
    """So many processes, which are gone when the context is left."""
    processes = LocalProcesses(jobs)
    try:
        yield processes
    finally:
        processes.shutdown()


def _begin() -> None:
    """In a worker: Ctrl-C is the parent's business; without a parent there is nothing to do."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()


def _end_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_SECONDS)
    os._exit(1)
