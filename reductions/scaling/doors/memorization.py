"""The formula as points to memorize robustly (docs/theory.md, section 3), decided or trained on."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from reductions.chains import chain_to
from reductions.graph import ChainReduction
from reductions.problems.robust_memorization import RobustMemorization
from reductions.problems.satisfiability import Satisfiability
from reductions.scaling.doors.door import Allowed, Door, Found
from reductions.scaling.doors.verification import STATUS_OF
from relucert.limits import Limits, Work
from relucert.memorization.decision.answers import No, Yes
from relucert.memorization.decision.decide import decide
from relucert.memorization.training import Restart, Trainer
from relucert.read.points import LabelledPoints

__all__ = ["ExactDecision", "GradientDescent", "MilpDecision"]

_WIDTH = 2


def _data(target: Any) -> LabelledPoints:
    """The points: their coordinates are 0, 1/2 or 1, exact in every float."""
    values = np.array([[float(value) for value in row] for row in target.dense_points()])
    return LabelledPoints(np.array(target.labels, dtype=np.int64), "formula", values)


def _reduced(formula: Satisfiability) -> tuple[ChainReduction, Any, int]:
    """The reduction, its target, and how many points that has."""
    chain = chain_to(RobustMemorization.name, formula, {})
    return chain, chain.target, chain.target.size()["points"]


class _Decision(Door):
    engine: ClassVar[str]
    distribution = "relucert"
    instance = "points"

    def decide(self, formula: Satisfiability, allowed: Allowed) -> Found:
        chain, target, size = _reduced(formula)
        found = decide(
            _data(target), target.budget, _WIDTH, engine=self.engine, timeout=allowed.seconds,
            memory=allowed.memory, seed=allowed.seed,
        )  # fmt: skip
        answer, effort = found.answer, self.effort(found.work)
        if isinstance(answer, Yes):
            return Found("sat", chain.decode(answer.network), effort, size, answer.words)
        if isinstance(answer, No):
            return Found("unsat", None, effort, size, answer.words)
        status = STATUS_OF.get(answer.reason, "ok")
        return Found("unknown", None, effort, size, answer.words, status)

    @abstractmethod
    def effort(self, work: Work) -> int:
        """What is counted."""


class ExactDecision(_Decision):
    """Clause learning over linear programmes; both answers are checked exactly."""

    name = "decide"
    summary = "existence of a memorizing network, by clause learning over linear programmes"
    engine = "sat"
    solver = "relucert decide, clause learning"
    effort_name = "linear programmes"
    modules = ("pysat",)

    def effort(self, work: Work) -> int:
        return work.programmes


class MilpDecision(_Decision):
    """A MILP for every shape of network (docs/theory.md, section 4)."""

    name = "decide-milp"
    summary = "existence of a memorizing network, by MILPs"
    engine = "milp"
    solver = "relucert decide, MILP"
    effort_name = "simplex iterations"

    def effort(self, work: Work) -> int:
        return work.iterations


class GradientDescent(Door):
    """Adversarial training from random starts; a network found is judged exactly.

    It can only ever say yes. All restarts are made, so that there is a rate of success.
    """

    name = "train"
    summary = "search for a memorizing network, by gradient descent; it never says no"
    solver = "relucert train, gradient descent"
    distribution = "relucert"
    effort_name = "gradient steps"
    instance = "points"
    restarts = 5
    steps = 1000

    def decide(self, formula: Satisfiability, allowed: Allowed) -> Found:
        chain, target, size = _reduced(formula)
        data = _data(target)
        trainer = Trainer(data, target.budget, _WIDTH, steps=self.steps, seed=allowed.seed)
        done = list(trainer.run(self.restarts, Limits(allowed.seconds, allowed.memory)))
        effort = sum(one.steps for one in done)
        good = [one for one in done if one.succeeded]
        detail = f"{len(good)} of {len(done)} restarts succeeded; {_violations(done)}"
        if good:
            return Found("sat", chain.decode(good[0].network), effort, size, detail)
        status = "ok" if len(done) == self.restarts else "timeout"
        return Found("unknown", None, effort, size, detail, status)

    def warm_up(self) -> None:
        """A moment of training is enough to load everything."""
        self.decide(Satisfiability(1, ((1,),)), Allowed(seconds=0.1, memory=math.inf))


def _violations(done: Sequence[Restart]) -> str:
    if not done:
        return "none finished"
    return f"at least {min(one.violated for one in done)} balls of {len(done[0].items)} violated"
