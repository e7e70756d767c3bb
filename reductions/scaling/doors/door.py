"""What a door is: a way to decide a formula."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import itertools
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from reductions.problems.satisfiability import Assignment, Satisfiability

__all__ = ["Allowed", "Door", "Found"]

_WARM_UP_SECONDS = 1.0
_TINY = Satisfiability(3, tuple(itertools.product((1, -1), (2, -2), (3, -3))))


@dataclass(frozen=True)
class Allowed:
    """seconds and memory (bytes) for one formula; seed: of whatever is drawn at random."""

    seconds: float
    memory: float
    seed: int = 0


@dataclass(frozen=True)
class Found:
    """What a door says about a formula.

    answer: "sat", "unsat" or "unknown"; assignment: the one decoded, satisfying, where sat.
    effort: the door's counter, None where it is not known. instance_size: how large its own
    instance was. status: "ok", or why there is no answer that counts: "timeout", "memout",
    "error". wall_seconds, cpu_seconds: where the door knows better than who calls it.
    """

    answer: str
    assignment: Assignment | None = None
    effort: int | None = None
    instance_size: int | None = None
    detail: str = ""
    status: str = "ok"
    wall_seconds: float | None = None
    cpu_seconds: float | None = None


class Door(ABC):
    """A way to decide formulas, known by its ``name``.

    summary: what is decided, and how, in a line. solver: what decides; distribution: the
    installed package whose version tells which one. effort_name: what is counted; it does not
    depend on the machine. instance: what instance_size counts. modules: what must be installed.
    """

    name: str
    summary: ClassVar[str]
    solver: ClassVar[str]
    distribution: ClassVar[str]
    effort_name: ClassVar[str]
    instance: ClassVar[str]
    modules: ClassVar[tuple[str, ...]] = ()
    warm_up_seconds: ClassVar[float] = _WARM_UP_SECONDS

    @abstractmethod
    def decide(self, formula: Satisfiability, allowed: Allowed) -> Found:
        """Decide a formula; an assignment has been checked.

        Raises RelucertError and MemoryError when something fails.
        """

    def warm_up(self) -> None:
        """Load libraries and compiled code, so that no measurement pays for it."""
        self.decide(_TINY, Allowed(self.warm_up_seconds, memory=math.inf))

    @property
    def solver_name(self) -> str:
        """Of what decides."""
        return self.solver

    @property
    def version(self) -> str:
        """Of the package that decides; empty where it is not installed."""
        try:
            return importlib.metadata.version(self.distribution)
        except importlib.metadata.PackageNotFoundError:
            return ""

    @property
    def missing(self) -> str:
        """What has to be installed before this door opens; empty when nothing."""
        for module in self.modules:
            if importlib.util.find_spec(module) is None:
                return f"the Python module {module!r} is not installed"
        return ""
