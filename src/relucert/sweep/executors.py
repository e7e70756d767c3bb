"""What a sweep runs on: any `concurrent.futures.Executor`, local by default.

Threads of this process, each of which watches a worker process of its own; the threads of Dask
workers, on any machines; or the ranks of an MPI job.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from relucert.errors import SolverError, UsageError
from relucert.sweep.child import allow_children, reap_children, stop_children

__all__ = ["Engine", "opened"]

_CONNECT_SECONDS = "20s"


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
    elif cluster.startswith("dask://") and cluster != "dask://":
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
        from distributed import Client
    except ImportError:
        raise SolverError("--cluster dask:// needs Dask: pip install 'relucert[cluster]'") from None
    try:
        client: Any = Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, ImportError) as error:
        words = str(error).split("\n")[0] or type(error).__name__
        raise UsageError(f"no Dask scheduler answers at {address} ({words})") from None

    def slots() -> int:
        with suppress(OSError, RuntimeError):
            return max(1, int(sum(client.nthreads().values())))
        return 1

    try:
        yield Engine(client.get_executor(), slots, f"Dask at {address}, {slots()} threads")
    finally:
        client.close()


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
