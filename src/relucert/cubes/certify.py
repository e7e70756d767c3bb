"""Certifying a query cube by cube on any `concurrent.futures.Executor`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass, field, replace

from relucert.cubes.division import Cube, divided, halved, roots
from relucert.cubes.local import LocalProcesses
from relucert.cubes.work import Answer, Settings, Task, solved
from relucert.errors import RelucertError
from relucert.limits import Limits
from relucert.network import Network
from relucert.query import Query
from relucert.verdict import (
    Interrupted,
    Method,
    Proved,
    Reason,
    Standing,
    Unknown,
    Verdict,
    Violated,
    combined,
    confirm,
)

__all__ = ["Cubes", "certify_cubes"]

_ALONE_SECONDS, _ALONE_SHARE = 1.0, 0.1
_FIRST_SECONDS = 10.0  # for a cube, before it is halved
_LATE_SECONDS = 10.0  # after the limit, for an answer that is on its way
_LOOK_SECONDS = 0.2
_MOST_LOST = 2
_MOST_TRIES = 12
# What more time would not cure comes first.
_WORST_FIRST = (
    Reason.ENGINE, Reason.NUMERICS, Reason.ROUNDING, Reason.MARGIN, Reason.SIZE, Reason.SOLVER,
    Reason.MEMORY, Reason.TIME, Reason.INTERRUPTED,
)  # fmt: skip

Progress = Callable[[str], None]


@dataclass(eq=False)
class Cubes:
    """What became of a query: the verdict, the trees of its cubes, and their proofs.

    proofs: of the cubes that were proved with one, where proofs were wanted. seconds: wall-clock.
    given: how many cubes were handed out. times: processor seconds of those that came back;
    nodes: that they visited.
    """

    verdict: Verdict
    roots: list[Cube]
    proofs: dict[Cube, bytes] = field(default_factory=dict)
    seconds: float = 0.0
    given: int = 0
    nodes: int = 0
    times: list[float] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many cubes there are in the end."""
        return sum(1 for root in self.roots for _ in root.leaves())


def certify_cubes(
    network: Network,
    query: Query,
    executor: Executor,
    slots: Callable[[], int],
    *,
    cubes: int,
    settings: Settings,
    limits: Limits,
    alone_seconds: float = _ALONE_SECONDS,
    first_seconds: float = _FIRST_SECONDS,
    progress: Progress | None = None,
) -> Cubes:
    """Divide the query's boxes into about ``cubes`` parts and certify them on ``executor``.

    slots: how many cubes it works on at a time now; no more are handed out, so that a cube's time
    begins when it is submitted. alone_seconds: for the undivided question, before all else; 0 for
    none. A cube has ``first_seconds``; one that needs more is halved, and
    its halves have twice as long, and so on (a cube that cannot be halved has what is left).

    Proved: every cube is, by the weakest of the methods. Violated: a cube's counterexample is one
    of the whole query, evaluated here again; the rest is not waited for. Else Unknown, with the
    reason that more time would cure least, and a standing over all cubes. Raises QueryError
    where query and network do not fit.
    """
    query.fits(network.input_size, network.output_size)
    run = _Run(network, query, executor, slots, settings, limits, first_seconds, progress)
    try:
        return run.run(cubes, alone_seconds)
    except KeyboardInterrupt as stop:
        run.cancel()
        raise Interrupted.joined(run.standing, stop) from None
    except BaseException:
        run.cancel()
        raise


class _Run:
    """The cubes that wait, those that are handed out, and what is known so far."""

    def __init__(
        self,
        network: Network,
        query: Query,
        executor: Executor,
        slots: Callable[[], int],
        settings: Settings,
        limits: Limits,
        first_seconds: float,
        progress: Progress | None,
    ) -> None:
        self.network, self.query, self.executor, self.slots = network, query, executor, slots
        self.settings, self.limits, self.first_seconds = settings, limits, first_seconds
        self.progress = progress
        self.waiting: list[Cube] = []
        self.running: dict[Future[Answer], Cube] = {}
        self.lost: dict[Cube, int] = {}
        self.result = Cubes(Unknown(Reason.TIME), [])

    def run(self, wanted: int, alone_seconds: float) -> Cubes:
        """Until every cube has a verdict, one has a counterexample, or the time is up."""
        result = self.result
        at_once = self._at_once(alone_seconds) if alone_seconds > 0 else None
        if at_once is not None:
            result.verdict, result.seconds = at_once, self.limits.elapsed
            return result
        if self.progress is not None:
            self.progress("dividing the box")
        result.roots = roots(self.network, self.query)
        self.waiting = divided(self.network, self.query, result.roots, wanted, self.limits)
        closed = [leaf for leaf in self._leaves() if leaf.verdict is not None]
        self.waiting += [leaf for leaf in closed if self._left(leaf)]
        found = self._found()
        self.cancel()
        result.verdict = found or self._merged()
        result.seconds = self.limits.elapsed
        return result

    def _at_once(self, most: float) -> Verdict | None:
        """What a moment of the whole question tells: easy ones are not worth dividing."""
        seconds = min(most, _ALONE_SHARE * self.limits.remaining)
        task = Task(self.network, self.query, replace(self.settings, network_content=None), seconds)
        verdict = solved(task).verdict
        wanted = (Violated,) if self.settings.network_content is not None else (Violated, Proved)
        return verdict if isinstance(verdict, wanted) else None

    def _leaves(self) -> Iterator[Cube]:
        for root in self.result.roots:
            yield from root.leaves()

    def _left(self, cube: Cube) -> bool:
        """Whether a cube is to be handed out: where proofs are wanted each is, none else proved."""
        if self.settings.network_content is not None:
            cube.verdict = None
        return cube.verdict is None

    def cancel(self) -> None:
        """What was not begun never is; what was is not waited for."""
        for future in self.running:
            with suppress(Exception):  # a cluster may be gone
                future.cancel()

    def _found(self) -> Violated | None:
        """Hand out and collect; a counterexample ends it."""
        while self.waiting or self.running:
            self._hand_out()
            if not self.running:  # the time is up, and nobody works
                break
            done, _ = wait(self.running, _LOOK_SECONDS, FIRST_COMPLETED)
            for future in done:
                if future not in self.running:  # its pool broke, and it waits again
                    continue
                violated = self._collected(self.running.pop(future), future)
                if violated is not None:
                    return violated
            if self.progress is not None:
                self.progress(f"{self.standing.words}, {len(self.running)} cubes at work")
            if self.limits.elapsed > self.limits.seconds + _LATE_SECONDS:
                break
        return None

    def _hand_out(self) -> None:
        """To everybody who is free, the worst cubes first."""
        while self.waiting and not self.limits.out_of_time:
            if len(self.running) >= max(1, self.slots()):
                return
            if self.running and (self.waiting[0] in self.lost or self._suspect_runs):
                return  # what may have killed a worker runs alone
            cube = self.waiting.pop(0)
            question = cube.question(self.query, self.settings.network_content is not None)
            seconds, left = self._seconds(cube), self.limits.remaining
            task = Task(self.network, question, self.settings, seconds, left)
            try:
                self.running[self.executor.submit(solved, task)] = cube
            except BrokenProcessPool as error:
                self._lost([cube], error)
                continue
            self.result.given += 1

    @property
    def _suspect_runs(self) -> bool:
        return any(cube in self.lost for cube in self.running.values())

    def _seconds(self, cube: Cube) -> float:
        left = max(0.1, self.limits.remaining)
        if cube.branch is None or cube.tries >= _MOST_TRIES:
            return left
        return min(left, self.first_seconds * 2.0**cube.tries)

    def _collected(self, cube: Cube, future: Future[Answer]) -> Violated | None:
        """Take in an answer; the counterexample where it holds one."""
        try:
            answer = future.result()
        except RelucertError:
            raise
        except Exception as error:  # whatever an executor raises for a worker that is gone
            self._lost([cube], error)
            return None
        self.result.times.append(answer.seconds)
        self.result.nodes += answer.nodes
        verdict = answer.verdict
        if isinstance(verdict, Violated):
            confirmed = confirm(self.network, self.query, verdict.witness.input)
            if confirmed is not None:
                return confirmed
            verdict = Unknown(Reason.ENGINE, "a cube's counterexample is none of the query")
        if isinstance(verdict, Unknown) and verdict.reason is Reason.TIME and self._halved(cube):
            return None
        if answer.proof is not None:
            self.result.proofs[cube] = answer.proof
        cube.verdict = verdict
        return None

    def _halved(self, cube: Cube) -> bool:
        """Whether a cube that took too long goes on as two."""
        if self.limits.out_of_time or cube.tries >= _MOST_TRIES:
            return False
        halves = halved(self.network, self.query, cube)
        for half in halves:
            half.tries = cube.tries + 1
            if self._left(half):
                self.waiting.append(half)
        self.waiting.sort(key=lambda one: one.margin)
        return bool(halves)

    def _lost(self, cubes: list[Cube], error: Exception) -> None:
        """A worker died: once more, and then alone, for it may have been another cube's fault.

        A pool of local processes breaks with all that was given to it.
        """
        if isinstance(error, BrokenProcessPool) and isinstance(self.executor, LocalProcesses):
            cubes = [*cubes, *self.running.values()]
            self.running.clear()
            self.executor.renew()
        for cube in cubes:
            self.lost[cube] = self.lost.get(cube, 0) + 1
            if self.lost[cube] < _MOST_LOST:
                self.waiting.append(cube)
            else:
                words = f"a worker died of it {_MOST_LOST} times ({type(error).__name__})"
                cube.verdict = Unknown(Reason.MEMORY, words)

    def _merged(self) -> Verdict:
        """Of all cubes; those without an answer had no time."""
        leaves = list(self._leaves())
        verdicts = [leaf.verdict or Unknown(Reason.TIME) for leaf in leaves]
        unknown = [verdict for verdict in verdicts if isinstance(verdict, Unknown)]
        if not unknown:
            return combined(verdicts) if verdicts else Proved(Method.EMPTY)
        worst = min(unknown, key=lambda verdict: _WORST_FIRST.index(verdict.reason))
        words = f"{len(unknown)} of {len(leaves)} cubes open"
        detail = "; ".join(part for part in (words, worst.detail) if part)
        return Unknown(worst.reason, detail, self.standing)

    @property
    def standing(self) -> Standing:
        """Over all cubes: the least margin, what share is proved, how many nodes."""
        share, margin, left = 0.0, math.inf, 0
        for leaf in self._leaves():
            if isinstance(leaf.verdict, Proved):
                share += leaf.share
                continue
            left += 1
            known = leaf.verdict.standing if isinstance(leaf.verdict, Unknown) else None
            share += leaf.share * ((known.share if known else None) or 0.0)
            best = known.margin if known is not None and known.margin is not None else leaf.margin
            margin = min(margin, max(best, leaf.margin))
        return Standing(margin if math.isfinite(margin) else None, share, left, self.result.nodes)
