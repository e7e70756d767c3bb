"""Set splitting (hypergraph 2-colouring): no set may be of one colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from reductions.problems.clauses import Assignment, enumerate_assignments
from reductions.problems.problem import Problem
from relucert.errors import InputError

__all__ = ["SetSplitting"]


@dataclass(frozen=True)
class SetSplitting(Problem[Assignment]):
    """Can the elements be split in two parts so that every set meets both?

    elements: their number; they are 0..elements-1. sets: tuples of elements.
    Solution: a tuple of bool, for every element whether it is in the first part.
    Sets of no or one element are never split. (Garey and Johnson 1979, problem SP4.)

    >>> SetSplitting(3, ((0, 1), (1, 2))).solve_by_enumeration()
    (False, True, False)
    """

    elements: int
    sets: tuple[tuple[int, ...], ...]
    name: ClassVar[str] = "set-splitting"

    def __post_init__(self) -> None:
        if self.elements < 0:
            raise InputError(f"the number of elements is {self.elements}")
        own = tuple(map(tuple, self.sets))
        object.__setattr__(self, "sets", own)
        for number, members in enumerate(own, start=1):
            for member in members:
                if not 0 <= member < self.elements:
                    raise InputError(
                        f"set {number} holds {member}, which is none of {self.elements} elements"
                    )

    def size(self) -> dict[str, int]:
        """elements, sets and memberships (the sum of the sets' sizes)."""
        return {
            "elements": self.elements,
            "sets": len(self.sets),
            "memberships": sum(map(len, self.sets)),
        }

    def check(self, solution: Sequence[bool]) -> bool:
        return self.first_unsplit(solution) is None

    def first_unsplit(self, solution: Sequence[bool]) -> int | None:
        """The index of the first set that lies in one part; None when there is none."""
        if len(solution) != self.elements:
            raise InputError(
                f"the splitting has {len(solution)} values, there are {self.elements} elements"
            )
        for index, members in enumerate(self.sets):
            if len({bool(solution[member]) for member in members}) < 2:
                return index
        return None

    def why_not(self, solution: Sequence[bool]) -> str | None:
        index = self.first_unsplit(solution)
        return None if index is None else f"set {index + 1} {self.sets[index]} is not split"

    def solve_by_enumeration(self) -> Assignment | None:
        return enumerate_assignments(self.elements, self.check)

    @property
    def text(self) -> str:
        """``p split ELEMENTS SETS``, then a line of elements for each set."""
        lines = [f"p split {self.elements} {len(self.sets)}"]
        lines.extend(" ".join(map(str, members)) for members in self.sets)
        return "\n".join(lines) + "\n"
