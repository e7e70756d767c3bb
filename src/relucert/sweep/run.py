"""The loop: chunks of items to the executor, rows from it to the journal."""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait

from relucert.errors import RelucertError, SolverError
from relucert.sweep.executors import Engine
from relucert.sweep.items import Item
from relucert.sweep.journal import Journal, Row
from relucert.sweep.supervise import Orders, run_chunk

__all__ = ["run_sweep"]

_LARGEST_CHUNK = 64
_AHEAD = 2
_MOST_LOSSES = 5
_COUNT_SLOTS_SECONDS = 5.0
_WAIT_SECONDS = 1.0


def run_sweep(
    items: Sequence[Item],
    orders: Orders,
    journal: Journal,
    engine: Engine,
    report: Callable[[Sequence[Row]], None],
) -> None:
    """Do the items that the journal does not hold; ``report`` is called with rows once written.

    Ctrl-C cancels what waits and is raised on; what was journalled stays. Raises InputError for
    files that changed, FileError where the journal cannot be written, SolverError when the
    executor loses the same items again and again.
    """
    loop = _Loop([item for item in items if item.key not in journal.rows], orders, engine)
    try:
        while loop.waiting or loop.running:
            rows = loop.step()
            journal.append(rows)
            if rows:
                report(rows)
    finally:
        for future in loop.running:
            future.cancel()


class _Loop:
    """Chunks in flight: twice as many as there are slots, so that none waits for the journal."""

    def __init__(self, items: Sequence[Item], orders: Orders, engine: Engine) -> None:
        self.waiting = deque(items)
        self.running: dict[Future[list[Row]], list[Item]] = {}
        self._orders, self._engine = orders, engine
        self._losses: Counter[str] = Counter()
        self._item_seconds = math.inf
        self._slots, self._counted = 1, -math.inf

    def step(self) -> list[Row]:
        """Hand out, wait for a moment, and take what has come."""
        self._hand_out()
        done, _ = wait(self.running, timeout=_WAIT_SECONDS, return_when=FIRST_COMPLETED)
        return [row for future in done for row in self._taken(future)]

    def _hand_out(self) -> None:
        if time.monotonic() - self._counted > _COUNT_SLOTS_SECONDS:
            self._slots, self._counted = self._engine.slots(), time.monotonic()
        while self.waiting and len(self.running) < _AHEAD * self._slots:
            size = min(self._chunk_size(), len(self.waiting))
            chunk = [self.waiting.popleft() for _ in range(size)]
            self.running[self._submitted(chunk)] = chunk

    def _submitted(self, chunk: list[Item]) -> Future[list[Row]]:
        try:
            return self._engine.executor.submit(run_chunk, self._orders, chunk)
        except Exception as error:
            words = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            raise SolverError(
                f"the executor takes no more work ({words}); what is done is kept: "
                "the same command goes on"
            ) from error

    def _chunk_size(self) -> int:
        """As many as take about the time of a chunk, and near the end no more than others get."""
        fitting = self._orders.chunk_seconds / max(self._item_seconds, 1e-4)
        share = math.ceil(len(self.waiting) / (_AHEAD * self._slots))
        return max(1, min(_LARGEST_CHUNK, share, int(fitting)))

    def _taken(self, future: Future[list[Row]]) -> list[Row]:
        """The rows of a chunk; items that were not come to, or were lost, wait again."""
        chunk = self.running.pop(future)
        rows: list[Row] = []
        # A Dask future says by its own kinds of errors, CancelledError too, what became of it.
        error = _error_of(future)
        if error is None:
            rows = future.result()
            seconds = sum(row.seconds for row in rows) / len(rows)
            known = not math.isinf(self._item_seconds)
            self._item_seconds = 0.5 * (seconds + self._item_seconds) if known else seconds
        else:
            self._lost(chunk, error)
        self.waiting.extendleft(reversed(chunk[len(rows) :]))
        return rows

    def _lost(self, chunk: Sequence[Item], error: BaseException) -> None:
        """A worker of the executor was lost, which is no item's fault; but not without end."""
        if isinstance(error, RelucertError):
            raise error
        self._losses.update(item.key for item in chunk)
        if max(self._losses[item.key] for item in chunk) >= _MOST_LOSSES:
            words = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            raise SolverError(
                f"the executor lost {chunk[0].words} {_MOST_LOSSES} times ({words}); "
                "what is done is kept: the same command goes on"
            )


def _error_of(future: Future[list[Row]]) -> BaseException | None:
    try:
        return future.exception(timeout=0)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return error
