"""What a sweep runs on: any `concurrent.futures.Executor`, local by default.

Threads of this process, each of which watches a worker process of its own; the threads of Dask
workers, on any machines; or the ranks of an MPI job.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from relucert.errors import SolverError, UsageError
from relucert.sweep.child import allow_children, reap_children, stop_children

__all__ = ["Engine", "opened"]

_DASK = re.compile(r"dask://.+:[0-9]+")
_CONNECT_SECONDS = "20s"
_PATIENCE_SECONDS, _CLOSE_SECONDS = 60.0, 5.0


@dataclass(frozen=True)
class Engine:
    """slots: how many items it works on at a time now, which may change on a cluster."""

    executor: Executor
    slots: Callable[[], int]
    words: str


@contextmanager
def opened(cluster: str | None, jobs: int) -> Iterator[Engine]:
    """The executor of a sweep; leaving the context ends the local worker processes.

    cluster: None (``jobs`` local processes), "dask://HOST:PORT" or "mpi". Raises UsageError for
    other words and where nobody answers at the address, SolverError where a library is missing.
    """
    if cluster is None:
        with _local(jobs) as engine:
            yield engine
    elif _DASK.fullmatch(cluster):
        with _dask(cluster.removeprefix("dask://")) as engine:
            yield engine
    elif cluster == "mpi":
        with _mpi() as engine:
            yield engine
    else:
        raise UsageError(f"--cluster {cluster!r}: use dask://HOST:PORT or mpi")


@contextmanager
def _local(jobs: int) -> Iterator[Engine]:
    allow_children()
    executor = ThreadPoolExecutor(jobs, "sweep")
    try:
        yield Engine(executor, lambda: jobs, f"{jobs} local process{'es' if jobs > 1 else ''}")
    finally:
        stop_children()
        executor.shutdown(wait=True, cancel_futures=True)
        reap_children()


@contextmanager
def _dask(address: str) -> Iterator[Engine]:
    try:
        import distributed
    except ImportError:
        raise SolverError("--cluster dask:// needs Dask: pip install 'relucert[cluster]'") from None
    with _silenced("distributed", "distributed.client", "tornado", "concurrent.futures"):
        try:
            client = distributed.Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError, ImportError) as error:
            words = str(error).split("\n")[0] or type(error).__name__
            raise UsageError(f"no Dask scheduler answers at {address} ({words})") from None
        try:
            yield _dask_engine(client, address)
        finally:
            with suppress(Exception):  # the scheduler may be gone
                client.close(timeout=_CLOSE_SECONDS)


@contextmanager
def _silenced(*names: str) -> Iterator[None]:
    """What these libraries log about a connection that is lost is said here in one line."""
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _dask_engine(client: Any, address: str) -> Engine:
    answered = time.monotonic()

    def threads() -> int:
        nonlocal answered
        try:
            count = int(sum(client.nthreads().values()))
        except Exception as error:
            # While Dask connects again it raises whatever it comes across.
            if time.monotonic() - answered > _PATIENCE_SECONDS or client.status == "closed":
                raise SolverError(
                    f"the Dask scheduler at {address} is gone; what is done is kept: "
                    "the same command goes on"
                ) from error
            return 0
        answered = time.monotonic()
        return count

    count = threads()
    words = f"Dask at {address}, {count} threads" + ("" if count else ": waiting for workers")
    return Engine(client.get_executor(), lambda: max(1, threads()), words)


@contextmanager
def _mpi() -> Iterator[Engine]:
    try:
        from mpi4py import MPI
        from mpi4py.futures import MPIPoolExecutor
    except (ImportError, RuntimeError) as error:
        words = str(error).split("\n")[0]
        raise SolverError(
            f"--cluster mpi needs mpi4py and an MPI library: pip install mpi4py ({words})"
        ) from None
    ranks = MPI.COMM_WORLD.Get_size() - 1
    if ranks < 1:
        raise UsageError(
            "--cluster mpi: start with mpiexec -n RANKS python -m mpi4py.futures -m relucert ..."
        )
    executor = MPIPoolExecutor()
    try:
        yield Engine(executor, lambda: ranks, f"MPI, {ranks} ranks")
    finally:
        executor.shutdown(wait=False, cancel_futures=True)
