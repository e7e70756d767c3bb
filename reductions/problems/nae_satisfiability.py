"""Not-all-equal satisfiability: every clause needs a true and a false literal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from reductions.problems.clauses import (
    Assignment,
    Clause,
    check_clauses,
    checked_assignment,
    clause_lines,
    enumerate_assignments,
    is_true,
    normalised_clauses,
)
from reductions.problems.problem import Problem

__all__ = ["NotAllEqualSatisfiability"]


@dataclass(frozen=True)
class NotAllEqualSatisfiability(Problem[Assignment]):
    """Is there an assignment under which every clause has a true and a false literal?

    Fields as in `Satisfiability`. Clauses of no or one literal are never satisfied. With an
    assignment its complement is a solution, too.

    >>> formula = NotAllEqualSatisfiability(2, ((1, 2),))
    >>> formula.check((True, False)), formula.check((True, True))
    (True, False)
    """

    variables: int
    clauses: tuple[Clause, ...]
    name: ClassVar[str] = "nae-satisfiability"

    def __post_init__(self) -> None:
        object.__setattr__(self, "clauses", check_clauses(self.variables, self.clauses))

    def size(self) -> dict[str, int]:
        """variables, clauses, literals and largest_clause."""
        return {
            "variables": self.variables,
            "clauses": len(self.clauses),
            "literals": sum(map(len, self.clauses)),
            "largest_clause": self.largest_clause,
        }

    @property
    def largest_clause(self) -> int:
        """The number of literals in the largest clause; 0 when there is no clause."""
        return max(map(len, self.clauses), default=0)

    def normalised(self) -> NotAllEqualSatisfiability:
        """The same solutions, without repeated literals, tautologies and repeated clauses.

        A clause with a literal and its negation always has a true and a false literal.
        """
        return NotAllEqualSatisfiability(self.variables, normalised_clauses(self.clauses))

    def check(self, solution: Sequence[bool]) -> bool:
        return self.first_unsatisfied(solution) is None

    def first_unsatisfied(self, solution: Sequence[bool]) -> int | None:
        """The index of the first clause whose literals are all equal; None when none is."""
        values = checked_assignment(self.variables, solution)
        for index, clause in enumerate(self.clauses):
            if len({is_true(literal, values) for literal in clause}) < 2:
                return index
        return None

    def why_not(self, solution: Sequence[bool]) -> str | None:
        index = self.first_unsatisfied(solution)
        if index is None:
            return None
        return f"clause {index + 1} {self.clauses[index]} has not both a true and a false literal"

    def solve_by_enumeration(self) -> Assignment | None:
        return enumerate_assignments(self.variables, self.check)

    @property
    def text(self) -> str:
        """As DIMACS CNF, with the problem line ``p nae VARIABLES CLAUSES``."""
        header = f"p nae {self.variables} {len(self.clauses)}"
        return "\n".join([header, *clause_lines(self.clauses)]) + "\n"
