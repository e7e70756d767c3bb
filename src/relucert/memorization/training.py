"""Train networks of one hidden layer from random starts, and judge each of them exactly."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from relucert.errors import UsageError
from relucert.limits import Limits
from relucert.memorization.certify_balls import (
    Balls,
    certify_alone,
    proved_together,
    violated_at_corners,
)
from relucert.memorization.decision.balls import sign_or_nearest
from relucert.memorization.gradient_descent import descend, task
from relucert.memorization.labels import LabelMap
from relucert.memorization.separation import check_budget, separation_bound
from relucert.network import Network
from relucert.query import robustness_query
from relucert.read.points import LabelledPoints
from relucert.report.records import Item
from relucert.verdict import Proved, Verdict, Violated

__all__ = ["Restart", "Trainer", "best_restart"]

_LIMIT_OF_SEEDS = 2**32

Progress = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Restart:
    """One trained network and what is true of it.

    index: which restart, from 0. items: the verdict of every ball, in the order of the data.
    loss: mean training loss at the end. seconds: of training, then of certification.
    """

    index: int
    network: Network
    items: tuple[Item, ...]
    steps: int
    loss: float
    train_seconds: float
    certify_seconds: float

    @property
    def proved(self) -> int:
        """Balls proved."""
        return sum(isinstance(item.verdict, Proved) for item in self.items)

    @property
    def violated(self) -> int:
        """Balls with an exactly checked point that is classified wrongly."""
        return sum(isinstance(item.verdict, Violated) for item in self.items)

    @property
    def succeeded(self) -> bool:
        """Whether the network robustly memorizes the data: every ball proved."""
        return self.proved == len(self.items)


def best_restart(restarts: list[Restart]) -> Restart | None:
    """Most balls proved, then fewest violated, then least loss, then first; None of none."""
    return min(
        restarts, key=lambda one: (-one.proved, one.violated, one.loss, one.index), default=None
    )


class Trainer:
    """Training of depth-2 networks on the balls of one data set.

    data: points with labels; at most two labels are told apart by sign, more by the nearest of
    1..L. budget: l_inf radius of the balls. width: hidden neurons. steps: of Adam in a restart.
    seed: restart k depends on (seed, k) alone. Raises QueryError for a budget at which no network
    memorizes the data, UsageError for numbers that are not positive.
    """

    def __init__(
        self, data: LabelledPoints, budget: Fraction, width: int, *, steps: int, seed: int
    ) -> None:
        for name, value in (("width", width), ("number of steps", steps)):
            if value < 1:
                raise UsageError(f"the {name} must be at least 1, not {value}")
        check_budget(data, separation_bound(data), budget)
        self.labels: LabelMap = sign_or_nearest(data)
        targets = self.labels.of(data.labels)
        kinds = 2 if self.labels.decision.kind == "sign" else self.labels.decision.labels
        self._task = task(data.values, targets, kinds, budget)
        self._width, self._steps, self._seed = width, steps, seed
        self._balls = Balls.of(
            [
                robustness_query(
                    data.point(row), label, self.labels.decision, radius=budget,
                    name=f"point {row}",
                )
                for row, label in enumerate(targets.tolist())
            ]
        )  # fmt: skip

    def run(
        self, restarts: int, limits: Limits | None = None, progress: Progress | None = None
    ) -> Iterator[Restart]:
        """Train and certify one restart after another; ends early when the time is up.

        progress: called with a line about the work at hand. A restart whose training is cut short
        is not given; one whose certification is cut short has Unknown verdicts.
        """
        if restarts < 1:
            raise UsageError(f"the number of restarts must be at least 1, not {restarts}")
        limits = limits or Limits()
        for index in range(restarts):
            found = None if limits.out_of_time else self._restart(index, limits, progress)
            if found is None:
                return
            yield found

    def _restart(self, index: int, limits: Limits, progress: Progress | None) -> Restart | None:
        def say(words: str) -> None:
            if progress is not None:
                progress(words)

        started = time.monotonic()
        found = descend(
            self._task, self._width, self._steps, np.random.default_rng([self._seed, index]),
            lambda done: say(f"step {done} of {self._steps}"), lambda: limits.out_of_time,
        )  # fmt: skip
        if found is None:
            return None
        trained = time.monotonic()
        about = f"trained, restart {index} of seed {self._seed}"
        network = replace(found.network, notes=(about, self.labels.note))
        items = self._certified(network, limits, say)
        return Restart(
            index, network, items, found.steps, found.loss, trained - started,
            time.monotonic() - trained,
        )  # fmt: skip

    def _certified(self, network: Network, limits: Limits, say: Progress) -> tuple[Item, ...]:
        """Bounds for all balls together, then centres and corners, then ball by ball."""
        balls, seed = self._balls, self._seed % _LIMIT_OF_SEEDS
        say("bounds for all balls")
        seconds = dict.fromkeys(range(len(balls)), 0.0)
        verdicts: dict[int, Verdict] = {
            place: proved for place, proved in proved_together(network, balls) if proved is not None
        }
        left = [place for place in range(len(balls)) if place not in verdicts]
        if left:
            say("looking for counterexamples")
            for place, violated in violated_at_corners(network, balls.chosen(left), seed):
                if violated is not None:
                    verdicts[left[place]] = violated
        for place in left:
            if place in verdicts:
                continue
            query = balls.queries[place]
            say(f"{len(verdicts)} of {len(balls)} balls decided")
            # A time limit must be positive; what is begun too late is soon Unknown.
            timeout = max(limits.remaining, 1e-3)
            outcome = certify_alone(network, query, seed, timeout=timeout)
            verdicts[place], seconds[place] = outcome.verdict, outcome.seconds
        return tuple(
            Item(balls.queries[place].name, verdicts[place], seconds[place])
            for place in range(len(balls))
        )
