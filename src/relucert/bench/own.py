"""relucert alone: an instance in a process of its own, so that a fault costs only its instance."""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import threading
import time
from contextlib import suppress
from multiprocessing.connection import Connection

from relucert.bench.instances import Instance
from relucert.bench.options import BenchOptions
from relucert.bench.processes import Family
from relucert.bench.results import Measurement, status_of
from relucert.errors import RelucertError
from relucert.limits import resident_bytes, usable_cores
from relucert.read.network import read_network
from relucert.read.vnnlib import read_vnnlib
from relucert.report.records import how, verdict_word
from relucert.verify import certify

__all__ = ["measure_alone"]

_GRACE_SECONDS, _GRACE_SHARE = 5.0, 0.1
_GRACE_BYTES = 2**26

_Answer = tuple[str, str, str, float]
"""Verdict, how, detail and seconds."""


def measure_alone(item: Instance, options: BenchOptions, stopping: threading.Event) -> Measurement:
    """Run one instance in a child and watch its time and memory from outside.

    The time is the child's own, from reading the files to the answer.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(item, options, sender), daemon=True)
    started = time.monotonic()
    process.start()
    sender.close()
    try:
        verdict, method, detail, seconds = _watched(process, receiver, item, options, stopping)
    except (EOFError, OSError):
        verdict, method, detail = "unknown", "crashed", "the process died"
        seconds = time.monotonic() - started
    finally:
        _end(process)
    return Measurement(
        item.family, item.network, item.query, item.expected, verdict, method,
        status_of(item.expected, verdict, method), round(seconds, 3), detail,
    )  # fmt: skip


def _watched(
    process: multiprocessing.process.BaseProcess,
    receiver: Connection,
    item: Instance,
    options: BenchOptions,
    stopping: threading.Event,
) -> _Answer:
    """What the child answers, or why it is to be killed; it keeps its limits itself, mostly."""
    started, family = time.monotonic(), Family(process.pid or 0, "")
    limit = min(item.timeout, options.timeout)
    allowed = limit + _GRACE_SHARE * limit + _GRACE_SECONDS
    most = (1 + _GRACE_SHARE) * options.memory + _GRACE_BYTES
    while not receiver.poll(0.1):
        seconds = time.monotonic() - started
        if stopping.is_set() or not (process.is_alive() or receiver.poll(0)):
            return "unknown", "crashed", "the process died", seconds
        if seconds > allowed:
            return "unknown", "time", "killed: over the time limit", seconds
        if options.memory < math.inf:
            family.look()
            if family.memory > most:
                held = f"killed: over the memory limit, at {family.memory / 2**20:.0f} MiB"
                return "unknown", "memory", held, seconds
    answer: _Answer = receiver.recv()
    return answer


def _end(process: multiprocessing.process.BaseProcess) -> None:
    """Kill a child, and the solver's process that it may have started."""
    if hasattr(os, "killpg") and process.pid is not None:
        with suppress(OSError):  # it is gone, or has no group of its own yet
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.join()


def _end_with_parent() -> None:
    """Kill this child's group when the parent is gone: nobody would read the answer."""
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(1.0)
    os.killpg(0, signal.SIGKILL)


def _limit_processor(seconds: float) -> None:
    """A child without a parent may hang in native code, where no thread of Python runs."""
    with suppress(ImportError, OSError, ValueError, OverflowError):
        import resource

        most = int(usable_cores() * (2 * seconds + 60))
        resource.setrlimit(resource.RLIMIT_CPU, (most, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def _child(item: Instance, options: BenchOptions, sender: Connection) -> None:
    """Read, certify, send the answer; the clock includes reading the files."""
    started = time.monotonic()
    if hasattr(os, "setsid"):
        os.setsid()
        _limit_processor(min(item.timeout, options.timeout))
        threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        network = read_network(item.folder / item.network)
        query = read_vnnlib(item.folder / item.query)
        limit = min(item.timeout, options.timeout) - (time.monotonic() - started)
        outcome = certify(
            network,
            query,
            engine=options.engine,
            solver=options.solver,
            timeout=max(limit, 0.1),
            memory=options.memory,
            seed=options.seed,
            jobs=max(1, usable_cores() // options.jobs),
            check=options.check,
        )
        words = outcome.verdict.words
        answer = (verdict_word(outcome.verdict), how(outcome.verdict), words)
    except RelucertError as error:
        answer = ("error", type(error).__name__, str(error))
    except MemoryError:
        answer = ("unknown", "memory", f"out of memory at {resident_bytes() / 2**20:.0f} MiB")
    sender.send((*answer, time.monotonic() - started))
