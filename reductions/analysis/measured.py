"""The measurements of a run as an analysis needs them: by door, by formula, by slice."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from reductions.analysis.costs import Costs, with_overhead
from reductions.analysis.run_folder import Row

__all__ = [
    "ANSWERS",
    "Disagreement",
    "Measured",
    "Slice",
    "effort_costs",
    "seconds_of",
    "time_costs",
]

ANSWERS = ("sat", "unsat")


class Slice(NamedTuple):
    """Formulas of one family and one clause ratio (None where the family has none)."""

    family: str
    ratio: float | None

    @property
    def title(self) -> str:
        return self.family if self.ratio is None else f"{self.family}, ratio {self.ratio:g}"


@dataclass(frozen=True)
class Disagreement:
    """A formula that doors answered differently."""

    formula: str
    sat: tuple[str, ...]
    unsat: tuple[str, ...]


@dataclass(frozen=True)
class Measured:
    """The rows of a run. A formula is satisfiable or not as the doors that decided it say."""

    rows: tuple[Row, ...]

    @cached_property
    def doors(self) -> tuple[str, ...]:
        """By name, so that the order of the run changes nothing."""
        return tuple(sorted({row.door for row in self.rows}))

    @cached_property
    def truth(self) -> dict[str, str]:
        """The answer of each formula that some door decided and no other contradicted."""
        return {
            formula: next(iter(answers))
            for formula, answers in self._decided.items()
            if len(answers) == 1 and len(self._said[formula]) == 1
        }

    @cached_property
    def disagreements(self) -> tuple[Disagreement, ...]:
        """Also those with answers that came too late or were not confirmed: they stop a run."""
        return tuple(
            Disagreement(formula, tuple(sorted(answers["sat"])), tuple(sorted(answers["unsat"])))
            for formula, answers in sorted(self._said.items())
            if len(answers) > 1
        )

    @cached_property
    def _decided(self) -> dict[str, dict[str, set[str]]]:
        return _by_answer(row for row in self.rows if row.decided)

    @cached_property
    def _said(self) -> dict[str, dict[str, set[str]]]:
        return _by_answer(row for row in self.rows if row.answer in ANSWERS)

    @cached_property
    def slices(self) -> tuple[Slice, ...]:
        """Those with the most sizes first, then those with the most rows."""
        sizes: dict[Slice, set[int]] = defaultdict(set)
        rows: Counter[Slice] = Counter()
        for row in self.rows:
            sizes[Slice(row.family, row.ratio)].add(row.size)
            rows[Slice(row.family, row.ratio)] += 1
        return tuple(sorted(sizes, key=lambda key: (-len(sizes[key]), -rows[key], str(key))))

    def of(
        self, slice_: Slice | None = None, door: str | None = None, answer: str | None = None
    ) -> list[Row]:
        """The rows that did not fail, of that slice, door and answer of the formula."""
        return [
            row
            for row in self.rows
            if row.status != "error"
            and (slice_ is None or (row.family, row.ratio) == slice_)
            and (door is None or row.door == door)
            and (answer is None or self.truth.get(row.formula) == answer)
        ]


def _by_answer(rows: Iterable[Row]) -> dict[str, dict[str, set[str]]]:
    """Which doors gave which answer to each formula."""
    answers: dict[str, dict[str, set[str]]] = {}
    for row in rows:
        answers.setdefault(row.formula, {}).setdefault(row.answer, set()).add(row.door)
    return answers


def time_costs(rows: list[Row]) -> Costs:
    """CPU seconds until the answer; a run without one took longer than the time it was given."""
    timed = [(row, seconds_of(row)) for row in rows]
    known = [(row, seconds) for row, seconds in timed if seconds is not None]
    return with_overhead(
        np.array([row.size for row, _ in known], dtype=float),
        np.array([seconds for _, seconds in known], dtype=float),
        np.array([not row.decided for row, _ in known], dtype=bool),
    )


def seconds_of(row: Row) -> float | None:
    """CPU seconds; those of the wall clock where the CPU's are not known.

    The CPU seconds of a run that was killed include the start of its process, so they may exceed
    what was spent on the formula; the wall clock was started later, so the smaller is a bound.
    """
    if not row.decided and row.cpu_seconds is not None and row.wall_seconds is not None:
        return min(row.cpu_seconds, row.wall_seconds)
    return row.cpu_seconds if row.cpu_seconds is not None else row.wall_seconds


def effort_costs(rows: list[Row]) -> tuple[Costs, int]:
    """The effort until the answer, and how many sizes had to go.

    A count of 0 says only that the effort is below 1. A run that was cut off without telling its
    effort has no bound at all, so its size is left out as a whole: to leave out only the hard
    formulas would flatter the door.
    """
    blind = {row.size for row in rows if row.effort is None}
    kept = [row for row in rows if row.size not in blind]
    effort = np.array([row.effort or 0.0 for row in kept], dtype=float)
    decided = np.array([row.decided for row in kept], dtype=bool)
    side = np.where(~decided, 1, np.where(effort < 1, -1, 0))
    size = np.array([row.size for row in kept], dtype=float)
    return Costs(size, effort, np.maximum(effort, 1.0), side), len(blind)
