"""The worker process: reads items from standard input, answers on standard output.

``python -m relucert.sweep.worker``; one JSON object a line each way. It says ``{"ready": true}``
when all is imported; for every item ``{"begun": number, ...}`` when its files are read, and then
the answer. What libraries print goes to standard error. It ends with its standard input, and on
Linux with the thread that started it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

from relucert.errors import FileError, InputError, SolverError
from relucert.exact import format_rational
from relucert.limits import resident_bytes
from relucert.memorization.certify_balls import Balls, certify_alone, proved_together
from relucert.network import Network
from relucert.query import Decision, Query, robustness_query
from relucert.read.network import read_network
from relucert.read.points import LabelledPoints, read_points
from relucert.report.records import how, verdict_word
from relucert.sweep.items import data_digest, network_digest
from relucert.verdict import Reason, Unknown, Verdict, Violated
from relucert.verify import certify

__all__ = ["main"]

_NETWORKS_KEPT = 4
_RESERVE = 2**30  # libraries that are loaded later, address space that is never touched
_DEATH_OF_PARENT = 1  # PR_SET_PDEATHSIG of Linux


def main() -> None:
    """Answer until standard input ends."""
    _end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)  # a library that prints must not garble the answers
        base = _virtual_bytes()

        def say(record: dict[str, Any]) -> None:
            answers.write(json.dumps(record, allow_nan=False) + "\n")
            answers.flush()

        say({"ready": True})
        for line in sys.stdin.buffer:
            say(_answer(json.loads(line), say, base))


def _answer(request: dict[str, Any], say: Any, base: int) -> dict[str, Any]:
    number = request["number"]
    try:
        network = _network(request["network"], request["network_digest"])
        query = _query(request)
        say({"begun": number, "resident": resident_bytes()})
        started = time.monotonic()
        with _limited_memory(base, request["memory"]):
            verdict = _verdict(network, query, request)
        seconds = time.monotonic() - started
    except InputError as error:
        return {"number": number, "error": str(error)}
    return {
        "number": number,
        "verdict": verdict_word(verdict),
        "how": how(verdict),
        "seconds": seconds,
        "resident": resident_bytes(),
        "detail": verdict.words if isinstance(verdict, Unknown) else "",
        "witness": _witness(verdict),
    }


def _witness(verdict: Verdict) -> list[str]:
    if not isinstance(verdict, Violated):
        return []
    return [format_rational(value) for value in verdict.witness.input]


def _query(request: dict[str, Any]) -> Query:
    points = _points(request["data"], request["data_digest"], request["label_column"])
    row, clip = request["row"], request["clip"]
    return robustness_query(
        points.point(row), request["label"], Decision(*request["decision"]),
        radius=Fraction(request["radius"]),
        clip=None if clip is None else (Fraction(clip[0]), Fraction(clip[1])),
        name=f"point {row}",
    )  # fmt: skip


def _verdict(network: Network, query: Query, request: dict[str, Any]) -> Verdict:
    """With one core and the item's own seed, so that nothing done before or beside it matters."""
    limits: dict[str, Any] = {
        "timeout": _limit(request["timeout"]), "memory": _limit(request["memory"]),
        "solver": request["solver"], "threads": request["threads"], "jobs": 1,
    }  # fmt: skip
    engine, seed = request["engine"], request["seed"]
    try:
        if engine != "auto":
            return certify(network, query, engine=engine, seed=seed, **limits).verdict
        verdict = certify_alone(network, query, seed, **limits).verdict
        if isinstance(verdict, Unknown) and verdict.reason is Reason.ENGINE:
            # Too deep for the engines: the bounds for constructed networks are left.
            verdict = dict(proved_together(network, Balls.of([query])))[0] or verdict
        return verdict
    except MemoryError:
        return Unknown(Reason.MEMORY, "ran out of memory")
    except SolverError as error:
        return Unknown(Reason.SOLVER, str(error))


def _limit(value: float | None) -> float:
    return float("inf") if value is None else float(value)


@lru_cache(maxsize=_NETWORKS_KEPT)
def _network(path: str, digest: str) -> Network:
    network = read_network(path)
    _check(path, network_digest(path, network), digest)
    return network


@lru_cache(maxsize=1)
def _points(path: str, digest: str, label_column: str | None) -> LabelledPoints:
    points = read_points(path, label_column=label_column)
    _check(path, data_digest(path), digest)
    return points


def _check(path: str, found: str, wanted: str) -> None:
    if found != wanted:
        problem = f"has other content than when the sweep began (on host {os.uname().nodename})"
        raise FileError(path, f"{problem}; all workers must see the same file")


def _virtual_bytes() -> int:
    with suppress(OSError, ValueError, IndexError):
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[0]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")
    return 0


@contextmanager
def _limited_memory(base: int, memory: float | None) -> Iterator[None]:
    """A bound on what is reserved, for what grows faster than anybody looks from outside.

    Not while files are read, which reserves more than it needs.
    """
    if memory is None or not base:
        yield
        return
    import resource

    before = resource.getrlimit(resource.RLIMIT_AS)
    try:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_AS, (base + int(memory) + _RESERVE, before[1]))
        yield
    finally:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_AS, before)


def _end_with_parent() -> None:
    """On Linux the system ends this process with its parent, even while native code hangs."""
    if sys.platform == "linux":
        import ctypes

        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_DEATH_OF_PARENT, signal.SIGKILL, 0, 0, 0)


if __name__ == "__main__":
    main()
