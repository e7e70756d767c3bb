"""What every problem here offers: a size, an exact check, enumeration for tiny instances, text."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Generic, TypeAlias, TypeVar

__all__ = ["Problem", "Size"]

Size: TypeAlias = Mapping[str, int]
"""Named integer sizes of an instance, for example ``{"variables": 3, "clauses": 8}``."""

Solution = TypeVar("Solution")


class Problem(ABC, Generic[Solution]):
    """An instance of a decision problem, immutable and exact.

    ``name`` is the problem's name in the graph of reductions and on the command line.
    """

    name: ClassVar[str]

    @abstractmethod
    def size(self) -> Size:
        """The sizes that the reductions' size formulas speak about."""

    @abstractmethod
    def check(self, solution: Solution) -> bool:
        """Whether ``solution`` solves the instance, in exact arithmetic.

        Raises InputError when it is not even of the right form (length, shape, depth).
        """

    @abstractmethod
    def solve_by_enumeration(self) -> Solution | None:
        """A solution, or None when there is none; for tiny instances.

        Raises EnumerationError when the instance is too large.
        """

    @property
    @abstractmethod
    def text(self) -> str:
        """The instance as plain text, one item a line."""

    def why_not(self, solution: Solution) -> str | None:
        """One line that says why ``solution`` is none, or None when it is one."""
        return None if self.check(solution) else f"it does not solve the {self.name} instance"
