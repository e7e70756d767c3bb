"""Several pools of open nodes, each explored by a thread of its own.

The kernels run without the interpreter's lock, so threads share the cores: nothing has to be
started anew, and nothing stays behind. A node is in one pool at a time, or in the hands of that
pool's thread; a thread touches its own pool only, except under the lock, when it hands half of
its open nodes to a thread that waits with an empty pool. All is explored when all threads wait.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

from relucert.search.exploration import Exploration, concluded, hand_over
from relucert.verdict import Interrupted, Reason, Standing, Unknown, Verdict

__all__ = ["explore_together", "next_slice"]

Progress = Callable[[str], None]

_SLICE_SECONDS = 0.1
_SHARED_SLICE_SECONDS = 0.02
_REPORT_SECONDS = 1.0
_LOOK_SECONDS = 0.05
_PATIENCE_SECONDS = 2.0


def next_slice(nodes: int, full: bool, seconds: float, wanted: float = _SLICE_SECONDS) -> int:
    """How many nodes to visit next, for slices of about ``wanted`` seconds."""
    if seconds > 2.0 * wanted:
        return max(1, nodes // 2)
    return 2 * nodes if seconds < 0.5 * wanted and full else nodes


def explore_together(
    first: Exploration, jobs: int, nodes: int, progress: Progress | None = None
) -> Verdict:
    """Go on with ``first`` in ``jobs`` threads; ``nodes`` is the size of its slices so far."""
    others = [first.beside(first.seed + 7919 * index, index) for index in range(1, jobs)]
    return _Crew([first, *others], max(1, nodes // 4)).run(progress)


class _Crew:
    """The threads, and what they share under the lock ``changed``."""

    def __init__(self, members: list[Exploration], nodes: int) -> None:
        self.members, self.first_slice = members, nodes
        self.changed = threading.Condition()
        self.waiting: set[int] = set()
        # Taken whenever nodes may have moved, so that together they always cover all open nodes.
        self.standings = [one.standing for one in members]
        self.over = False
        self.verdict: Verdict | None = None
        self.error: BaseException | None = None

    def run(self, progress: Progress | None) -> Verdict:
        """The verdict of all together; Ctrl-C ends all threads and is raised on."""
        threads = [
            threading.Thread(target=self._work, args=(place,), daemon=True)
            for place in range(len(self.members))
        ]
        for thread in threads:
            thread.start()
        try:
            self._watch(progress)
        except KeyboardInterrupt:
            raise Interrupted(self.standing) from None
        finally:
            self._end(None)
            _gone(threads)
        if self.error is not None:
            raise self.error
        if self.verdict is None:
            return concluded(self.members)
        if isinstance(self.verdict, Unknown):
            return replace(self.verdict, standing=self.standing)
        return self.verdict

    @property
    def standing(self) -> Standing:
        """How far all are together."""
        with self.changed:
            standings = list(self.standings)
        return Standing(
            min(one.margin for one in standings if one.margin is not None),
            sum(one.share for one in standings if one.share is not None),
            sum(one.open for one in standings),
            sum(one.nodes for one in standings),
        )

    def _watch(self, progress: Progress | None) -> None:
        """Wait for the end, look at the limits, report."""
        limits, reported = self.members[0].subject.limits, time.monotonic()
        while True:
            with self.changed:
                if self.over or self.changed.wait_for(lambda: self.over, _LOOK_SECONDS):
                    return
            if limits.out_of_time or limits.out_of_memory:
                reason = Reason.TIME if limits.out_of_time else Reason.MEMORY
                self._end(Unknown(reason))
                return
            if progress is not None and time.monotonic() - reported > _REPORT_SECONDS:
                progress(self.standing.words)
                reported = time.monotonic()

    def _end(self, verdict: Verdict | None) -> None:
        """No thread begins another slice; the first verdict stays."""
        with self.changed:
            if not self.over:
                self.over, self.verdict = True, verdict
            self.changed.notify_all()

    def _work(self, place: int) -> None:
        """What a thread does: slices, until all is explored or somebody ends the search."""
        one, nodes = self.members[place], self.first_slice
        try:
            while self._has_nodes(place):
                started, before = time.monotonic(), one.visited
                verdict = one.visit(nodes)
                if verdict is not None:
                    self._end(verdict)
                    return
                full = one.visited - before >= nodes
                spent = time.monotonic() - started
                nodes = next_slice(nodes, full, spent, _SHARED_SLICE_SECONDS)
                self._share(place)
        except BaseException as error:  # raised again in the thread that asked
            self.error = error
            self._end(Unknown(Reason.ENGINE))

    def _has_nodes(self, place: int) -> bool:
        """Wait until there is something to explore; false when the search is over."""
        one = self.members[place]
        with self.changed:
            while not self.over and not one.open:
                self.waiting.add(place)
                if len(self.waiting) == len(self.members):
                    self.over = True
                    self.changed.notify_all()
                else:
                    self.changed.wait()
            return not self.over

    def _share(self, place: int) -> None:
        """Half of the open nodes for each thread that waits, and a new standing."""
        one = self.members[place]
        with self.changed:
            for other in sorted(self.waiting):
                if hand_over(one.pool, self.members[other].pool):
                    self.waiting.discard(other)
                    self.standings[other] = self.members[other].standing
                    self.changed.notify_all()
            self.standings[place] = one.standing


def _gone(threads: list[threading.Thread]) -> None:
    """Wait for the ends of slices, which are short, but never long."""
    until = time.monotonic() + _PATIENCE_SECONDS
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
