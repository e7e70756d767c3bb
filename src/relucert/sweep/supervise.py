"""What an executor runs: a few items, fed one by one to a worker process that is watched.

Plain functions and plain data, so that any `concurrent.futures.Executor` can carry them.
"""

from __future__ import annotations

import atexit
import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from relucert import __version__
from relucert.errors import InputError, SolverError
from relucert.limits import resident_bytes, usable_bytes, usable_cores
from relucert.sweep.child import WORKER, Child, Ended, reap_children, stop_children
from relucert.sweep.items import Item
from relucert.sweep.journal import Row
from relucert.sweep.settings import Settings
from relucert.verdict import Reason

__all__ = ["Orders", "fair_share", "run_chunk"]

_ATTEMPTS = 2
_STARTS = 3
_REASONS = {"time": Reason.TIME, "memory": Reason.MEMORY}
_own = threading.local()
atexit.register(reap_children)
atexit.register(stop_children)


@dataclass(frozen=True)
class Orders:
    """What a chunk is done with: settings, how a worker process is started, and by whom.

    chunk_seconds: a chunk ends with the first item after so long. version: of relucert, on both
    sides the same.
    """

    settings: Settings
    command: tuple[str, ...] = WORKER
    chunk_seconds: float = 0.5
    version: str = __version__


def run_chunk(orders: Orders, items: Sequence[Item]) -> list[Row]:
    """Rows of the first of ``items``, at least one; the others are for another call.

    Every thread that calls this has one worker process of its own, kept from call to call.
    Raises InputError for files that differ from those of the sweep's beginning, SolverError when
    no worker process can be started, `Stopped` when this process ends its children.
    """
    if orders.version != __version__:
        raise InputError(
            f"this worker has relucert {__version__}, the sweep {orders.version}: install the same"
        )
    started = time.monotonic()
    rows: list[Row] = []
    for item in items:
        if rows and time.monotonic() - started >= orders.chunk_seconds:
            break
        rows.append(_done(orders, item))
    return rows


def fair_share() -> float:
    """Bytes for one worker of as many as there are cores, of four fifths of what is left."""
    return (usable_bytes() - resident_bytes()) / usable_cores()


def _done(orders: Orders, item: Item) -> Row:
    """One item; a worker that dies by itself gets a second try with a new one."""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return _asked(orders, item)
        except Ended as end:
            own_fault = end.why in _REASONS and not end.detail.startswith("the worker ended")
            if own_fault or attempt == _ATTEMPTS:
                reason = _REASONS.get(end.why, Reason.SOLVER)
                return Row(
                    item.key, "unknown", reason.name.lower(), round(end.seconds, 3), end.peak,
                    end.detail,
                )  # fmt: skip
    raise SolverError("no attempt")


def _asked(orders: Orders, item: Item) -> Row:
    settings, child = orders.settings, _child(orders)
    _own.number = getattr(_own, "number", 0) + 1
    answer, peak = child.ask(_request(item, settings, child.memory, _own.number), settings.timeout)
    if "error" in answer:
        raise InputError(str(answer["error"]))
    try:
        row = Row(
            item.key, answer["verdict"], answer["how"], round(float(answer["seconds"]), 4),
            max(peak, int(answer["resident"])), answer["detail"], tuple(answer["witness"]),
        )  # fmt: skip
        row.check()
        if child.worn_out(answer["resident"]):
            child.kill()
    except (KeyError, TypeError, ValueError, OverflowError):
        child.kill()
        raise Ended("nonsense", f"the worker answered {str(answer)[:300]}", 0.0, peak) from None
    return row


def _request(item: Item, settings: Settings, memory: float, number: int) -> dict[str, Any]:
    decision = item.network.decision
    return {
        "number": number,
        "network": item.network.path,
        "network_digest": item.network.digest,
        "data": item.data.path,
        "data_digest": item.data.digest,
        "label_column": item.data.label_column,
        "row": item.row,
        "label": item.label,
        "decision": [decision.kind, decision.labels],
        "radius": item.radius,
        "clip": item.clip,
        "engine": settings.engine,
        "solver": settings.solver,
        "threads": settings.threads,
        "timeout": _finite(settings.timeout),
        "memory": _finite(memory),
        "seed": item.seed(settings.seed),
    }


def _finite(value: float) -> float | None:
    return None if math.isinf(value) else value


def _child(orders: Orders) -> Child:
    """This thread's worker process; a new one where there is none, or where it is another's."""
    child: Child | None = getattr(_own, "child", None)
    wanted = (orders.command, orders.settings.memory)
    if child is not None and child.alive and _own.wanted == wanted:
        return child
    if child is not None:
        child.kill()
    memory = orders.settings.memory
    for start in range(1, _STARTS + 1):
        try:
            child = Child(orders.command, fair_share() if math.isinf(memory) else memory)
        except SolverError:
            if start == _STARTS:
                raise
            time.sleep(0.2 * start)
        else:
            _own.child, _own.wanted = child, wanted
            return child
    raise SolverError("no worker process")
