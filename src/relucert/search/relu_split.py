"""Branch and bound by fixing the signs of ReLUs, for queries in which many inputs vary.

Rounds of growing effort: first the bounds on neurons are sharpened, layer by layer
(`relucert.search.sharpen`), then the box is divided for every unsafe set that is still open.
Sharper bounds on neurons are worth most: with them an unsafe set needs few divisions, and each
is cheap, as bounds on neurons stay what they are. A set is refuted when bounds with all rounding
accounted for are positive on divisions that together cover the box.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, replace

import numpy as np

from relucert.bounds.backward import Relaxation
from relucert.bounds.interval import Intervals, rectified
from relucert.bounds.unsafe import FloatRows, mixture, shifted
from relucert.limits import Limits
from relucert.network import Network
from relucert.query import Case, Query
from relucert.search.compact import compacted
from relucert.search.margins import Margins
from relucert.search.question_log import BoxLog, QuestionLog, RefutedSet
from relucert.search.questions import Effort, Questions
from relucert.search.sharpen import sharpened
from relucert.verdict import (
    Interrupted,
    Method,
    Proved,
    Reason,
    Standing,
    Unknown,
    Verdict,
    Violated,
    confirm,
)

__all__ = ["ROUNDS", "Plan", "Round", "split_relus"]


@dataclass(frozen=True)
class Round:
    """One round: divisions: for each side of a neuron. parts: for all unsafe sets together."""

    divisions: int
    parts: int


ROUNDS = (
    Round(1, 2_000), Round(50, 8_000), Round(200, 20_000), Round(800, 60_000),
    Round(3_200, 200_000), Round(12_800, 2**62),
)  # fmt: skip


_NEURONS, _OUTPUTS = Effort(), Effort(first_steps=40, steps=8)
_OUTPUTS_OF_ONE_LAYER = Effort(first_steps=40, steps=5)


@dataclass(frozen=True)
class Plan:
    """How much is done; none of it matters to what is true.

    neurons, outputs: effort for each bound; outputs_of_one_layer: of a network with one hidden
    layer, where new signs' multipliers have a good start. worthwhile: the share of open neurons
    that a round must settle for another to sharpen again.
    """

    rounds: tuple[Round, ...] = ROUNDS
    neurons: Effort = _NEURONS
    outputs: Effort = _OUTPUTS
    outputs_of_one_layer: Effort = _OUTPUTS_OF_ONE_LAYER
    worthwhile: float = 0.02


_PLAN = Plan()
_SHARPENING_SHARE = 0.4
_PARTS_AT_ONCE = 1_000
_EXACT_TRIES = 20
_SPARE_SHARE = 2.0**-32
_FIRST_FALSIFICATION, _FALSIFICATION_FACTOR, _FALSIFICATION_SHARE = 2.0, 4.0, 0.25

Progress = Callable[[str], None]
Falsify = Callable[[float], Violated | None]


def split_relus(
    network: Network,
    query: Query,
    case: Case,
    chain: list[Relaxation],
    limits: Limits,
    progress: Progress | None = None,
    falsify: Falsify | None = None,
    jobs: int = 1,
    plan: Plan = _PLAN,
    log: BoxLog | None = None,
) -> Verdict:
    """Proved, Violated, or Unknown with how far it came; ``chain`` bounds the box.

    ``falsify`` looks for a counterexample for so many seconds; asked at growing intervals.
    ``jobs`` threads share the work; what is found does not depend on how many, unless a limit
    ends it. ``log``: is told how bounds were found, for a proof. Unsafe sets of no rows
    (everything is unsafe) are not for this search.
    """
    if any(not part.limits for part in case.unsafe):
        return Unknown(Reason.ENGINE, "an unsafe set without rows")
    stopped = limits.stopped or threading.Event()
    limits = replace(limits, stopped=stopped)
    with ThreadPoolExecutor(jobs) if jobs > 1 else nullcontext() as executor:
        search = _Search(
            network, query, case, chain, limits, progress, falsify, executor, plan, log
        )  # fmt: skip
        try:
            return search.run()
        except KeyboardInterrupt as stop:
            stopped.set()  # so that threads end after the step at hand
            raise Interrupted.joined(search.standing, stop) from None


class _Search:
    """The unsafe sets still open, the bounds on neurons, and what was seen."""

    def __init__(
        self,
        network: Network,
        query: Query,
        case: Case,
        chain: list[Relaxation],
        limits: Limits,
        progress: Progress | None,
        falsify: Falsify | None,
        executor: Executor | None,
        plan: Plan,
        log: BoxLog | None,
    ) -> None:
        self.plan, self.log = plan, log
        self.network, self.query, self.case = network, query, case
        self.chain, self.limits, self.progress = chain, limits, progress
        self.executor = executor
        self.box = Intervals(*case.box.enclosing_floats)
        self.margins = Margins(case.unsafe)
        self.bounds = {i: one.pre for i, one in enumerate(chain) if one.layer.relu.any()}
        self.unsafe = {
            index: mixture(chain, self.box, part) for index, part in enumerate(case.unsafe)
        }
        self.sets = len(self.unsafe)
        self.standing = Standing()
        self.tries = _EXACT_TRIES
        self.violated: Violated | None = None
        self.falsify, self.falsify_at = falsify, _FIRST_FALSIFICATION
        self.parts = 0

    def run(self) -> Verdict:
        """Round after round; those that have nothing to sharpen are left out."""
        for number, effort in enumerate(self.plan.rounds):
            before = self._open_neurons
            self._sharpen(effort.divisions)
            worthwhile = number == 0 or self._open_neurons < (1 - self.plan.worthwhile) * before
            self._refute(effort.parts if worthwhile else self.plan.rounds[-1].parts)
            if self.violated is not None:
                return self.violated
            if not self.unsafe:
                return Proved(Method.BOUNDS)
            if self.limits.out_of_time or self.limits.out_of_memory or not worthwhile:
                break
        return self._unknown()

    def _sharpen(self, divisions: int) -> None:
        """Better bounds on neurons."""
        self._say("sharpening bounds on neurons")
        share = self.limits.within(_SHARPENING_SHARE * self.limits.remaining)
        self.bounds = sharpened(
            self.chain, self.box, self.bounds, share, self.plan.neurons, divisions, self.executor,
            self.log,
        )  # fmt: skip

    @property
    def _open_neurons(self) -> int:
        return sum(
            int((self.chain[i].layer.relu & (one.lower < 0) & (one.upper > 0)).sum())
            for i, one in self.bounds.items()
        )

    def _refute(self, most: int) -> None:
        """Divide the box for the unsafe sets that are open; keep those that stay so."""
        small = compacted(self.chain, self.box, self.bounds, len(self.chain) - 1)
        chain, outputs = small.chain, small.neurons[-1]
        mixed = [one.rows for one in self.unsafe.values()]
        rows = FloatRows(
            np.concatenate([one.coefficients[:, outputs] for one in mixed]),
            np.concatenate([one.error[:, outputs] for one in mixed]),
            np.concatenate([one.limits for one in mixed]),
        )

        spare = np.zeros(len(rows.limits))
        if self.log is not None:  # a checker rounds otherwise; what is closer is divided further
            ends = rectified(chain[-1].pre, chain[-1].layer.relu).magnitude
            spare = _SPARE_SHARE * (np.abs(rows.coefficients) @ ends + np.abs(rows.limits))

        def shift(values: np.ndarray, asked: np.ndarray) -> np.ndarray:
            own = FloatRows(rows.coefficients[asked], rows.error[asked], rows.limits[asked])
            return np.asarray(shifted(values, chain, own) - spare[asked])

        one_layer = sum(bool(one.layer.relu.any()) for one in chain) == 1
        effort = self.plan.outputs_of_one_layer if one_layer else self.plan.outputs
        questions = Questions(
            chain, self.box, rows.coefficients, effort, after_relu=True, shift=shift,
            look=self._look, executor=self.executor,
            log=None if self.log is None else QuestionLog(small.neurons, self.log),
        )  # fmt: skip
        questions.start(self.limits)

        def wanted(index: int) -> bool:
            return self.violated is None and not questions.questions[index].bound > 0

        end = questions.visited + most
        while not self._told(questions):
            before = questions.visited
            if before >= end or self.limits.out_of_time or self.limits.out_of_memory:
                break
            questions.run(wanted, self.limits, min(_PARTS_AT_ONCE, end - before))
            if questions.visited == before:
                break
        self.parts += questions.visited
        self._settle(questions)

    def _settle(self, questions: Questions) -> None:
        """Forget the sets that are refuted, but for the log."""
        for number, (index, mixed) in enumerate(list(self.unsafe.items())):
            if questions.questions[number].bound > 0:
                del self.unsafe[index]
                if self.log is not None:
                    tree = questions.tree(number)
                    if tree is not None:
                        self.log.add(RefutedSet(index, mixed.weights, tree))

    def _told(self, questions: Questions) -> bool:
        """Report, look for counterexamples when it is time; whether all is answered."""
        asked = questions.questions
        margin = min(question.bound for question in asked)
        closed = self.sets - len(asked) + sum(min(1.0, question.closed) for question in asked)
        waiting = sum(len(question.open) for question in asked)
        visited = self.parts + questions.visited
        # A round begins anew; what an earlier one certified stays certified.
        now = Standing(float(margin), closed / self.sets).joined(self.standing)
        self.standing = replace(now, open=waiting, nodes=visited)
        self._say(self.standing.words)
        self._falsified()
        return bool(margin > 0) or self.violated is not None

    def _falsified(self) -> None:
        """After 2 s, 8 s, ...: a look for counterexamples, for a quarter of the time spent."""
        if self.falsify is None or self.violated or self.limits.elapsed < self.falsify_at:
            return
        self.falsify_at = _FALSIFICATION_FACTOR * self.limits.elapsed
        self.violated = self.falsify(_FALSIFICATION_SHARE * self.limits.elapsed)

    def _unknown(self) -> Unknown:
        reason = Reason.MARGIN
        if self.limits.out_of_time:
            reason = Reason.TIME
        elif self.limits.out_of_memory:
            reason = Reason.MEMORY
        return Unknown(reason, self.standing.words, self.standing)

    def _look(self, points: np.ndarray, _: np.ndarray) -> None:
        """The inputs where the bounds are smallest may be counterexamples."""
        if self.tries <= 0 or self.violated is not None:
            return
        with np.errstate(all="ignore"):
            margins = self.margins.smallest(self.network.evaluate(points))
        nearest = int(np.where(np.isnan(margins), np.inf, margins).argmin())
        if margins[nearest] <= 0:
            self.tries -= 1
            point = self.case.box.nearest_rationals(points[nearest])
            self.violated = confirm(self.network, self.query, point)

    def _say(self, words: str) -> None:
        if self.progress is not None:
            self.progress(words)
