"""The brackets of many points, one after another or in parallel processes.

The number of processes changes nothing but the time: what is done together is done in the same
groups, here, and every point is then worked on by itself.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from multiprocessing.connection import Connection

from relucert.errors import RelucertError
from relucert.network import Network
from relucert.query import Decision
from relucert.radius.bracketing import robustness_radius
from relucert.radius.together import GROUP, Start, starts_together
from relucert.radius_bracket import RadiusBracket
from relucert.verdict import Method, Reason

__all__ = ["Done", "RadiusOptions", "bracket_points"]

Progress = Callable[[str], None]


@dataclass(frozen=True)
class RadiusOptions:
    """As for `robustness_radius`; timeout: seconds a point; memory: bytes a process."""

    clip: tuple[Fraction, Fraction] | None = None
    timeout: float = math.inf
    solver: str = "HiGHS"
    threads: int = 1
    memory: float = math.inf
    seed: int = 0


@dataclass(frozen=True)
class Done:
    """The bracket of the point at ``place`` in the list; seconds: its own and its share of what
    was done together."""

    place: int
    bracket: RadiusBracket
    seconds: float


@dataclass(frozen=True, eq=False)
class _Task:
    place: int
    point: tuple[Fraction, ...]
    label: int
    start: Start
    seconds: float

    def given_up(self, reason: Reason) -> RadiusBracket:
        """What is known without working on the point by itself."""
        return RadiusBracket(self.start.proved, None, Method.BOUNDS, None, reason)


@dataclass(frozen=True, eq=False)
class _Asker:
    """What every point is asked with."""

    network: Network
    decision: Decision
    options: RadiusOptions

    def tasks(
        self, points: Sequence[tuple[Fraction, ...]], labels: Sequence[int]
    ) -> Generator[_Task, None, None]:
        """Group by group, as they are needed."""
        for first in range(0, len(points), GROUP):
            began = time.monotonic()
            chosen, theirs = points[first : first + GROUP], labels[first : first + GROUP]
            starts = starts_together(
                self.network, chosen, theirs, self.decision, self.options.clip, self.options.seed
            )
            share = (time.monotonic() - began) / len(chosen)
            for index, start in enumerate(starts):
                yield _Task(first + index, chosen[index], theirs[index], start, share)

    def done(self, task: _Task, progress: Progress | None = None) -> Done:
        """The bracket of one point, in this process."""
        began, ask = time.monotonic(), self.options
        try:
            bracket = robustness_radius(
                self.network, task.point, task.label, self.decision, clip=ask.clip,
                timeout=ask.timeout, solver=ask.solver, threads=ask.threads, memory=ask.memory,
                seed=ask.seed, progress=progress, start=task.start,
            )  # fmt: skip
        except MemoryError:
            bracket = task.given_up(Reason.MEMORY)
        return Done(task.place, bracket, task.seconds + time.monotonic() - began)


def bracket_points(
    network: Network,
    points: Sequence[tuple[Fraction, ...]],
    labels: Sequence[int],
    decision: Decision,
    options: RadiusOptions,
    jobs: int = 1,
    progress: Callable[[int, str], None] | None = None,
) -> Generator[Done, None, None]:
    """Brackets as they are done: in order with one job, in any order with more.

    progress: called with a point's place and what is done about it (one job only). A process
    that dies costs its point: the bracket then is what was found for many together. Closing the
    generator ends the processes.
    """
    asker = _Asker(network, decision, options)
    tasks = asker.tasks(points, labels)
    if jobs > 1 and len(points) > 1:
        yield from _in_processes(asker, tasks, min(jobs, len(points)))
        return
    for task in tasks:

        def say(words: str, place: int = task.place) -> None:
            if progress is not None:
                progress(place, words)

        say("")
        yield asker.done(task, say)


def _in_processes(
    asker: _Asker, tasks: Generator[_Task, None, None], jobs: int
) -> Generator[Done, None, None]:
    # Children inherit it, and read it before their first matrix product.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    found: queue.SimpleQueue[Done | BaseException] = queue.SimpleQueue()
    workers = [_Worker(asker, found) for _ in range(jobs)]
    idle = queue.SimpleQueue[_Worker]()
    for worker in workers:
        worker.idle = idle
        idle.put(worker)
    running = 0
    try:
        for task in tasks:
            worker = idle.get()
            worker.begin(task)
            running += 1
            while not found.empty():
                running -= 1
                yield _result(found.get())
        while running:
            running -= 1
            yield _result(found.get())
    finally:
        for worker in workers:
            worker.end()


def _result(done: Done | BaseException) -> Done:
    if isinstance(done, BaseException):
        raise done
    return done


class _Worker:
    """A process that answers one task after another, and a thread that waits for it."""

    def __init__(self, asker: _Asker, found: queue.SimpleQueue[Done | BaseException]) -> None:
        self.asker, self.found = asker, found
        self.idle: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        self.connection: Connection | None = None
        self.process: multiprocessing.process.BaseProcess | None = None

    def begin(self, task: _Task) -> None:
        """Hand over a task; its result goes to the queue."""
        threading.Thread(target=self._work, args=(task,), daemon=True).start()

    def _work(self, task: _Task) -> None:
        try:
            self.found.put(self._ask(task))
        except BaseException as error:
            self.found.put(error)
        finally:
            self.idle.put(self)

    def _ask(self, task: _Task) -> Done | BaseException:
        began = time.monotonic()
        connection = self.connection or self._start()
        try:
            connection.send(task)
            answer: Done | RelucertError = connection.recv()
            return answer
        except (EOFError, OSError):
            self.end()
            bracket = task.given_up(Reason.SOLVER)
            return Done(task.place, bracket, task.seconds + time.monotonic() - began)

    def _start(self) -> Connection:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(self.asker, theirs), daemon=True)
        self.process.start()
        theirs.close()
        return self.connection

    def end(self) -> None:
        """Kill the process; the next task would get a new one."""
        process, self.process, self.connection = self.process, None, None
        if process is not None:
            with suppress(OSError):
                process.kill()
            process.join()


def _serve(asker: _Asker, connection: Connection) -> None:
    """Answer until the parent closes; Ctrl-C is the parent's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(EOFError, OSError):
        while True:
            task = connection.recv()
            try:
                connection.send(asker.done(task))
            except RelucertError as error:
                connection.send(error)


def _end_with_parent() -> None:
    """Stop when the parent is gone: nobody would read the answer."""
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)
