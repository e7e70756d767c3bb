"""Maximum satisfiability as a decision problem: at least so many clauses at once."""

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
)
from reductions.problems.problem import Problem

__all__ = ["MaxSatisfiability"]


@dataclass(frozen=True)
class MaxSatisfiability(Problem[Assignment]):
    """Is there an assignment that satisfies at least ``target`` of the clauses?

    variables, clauses: as in `Satisfiability`; repeated clauses count repeatedly.
    target: any integer (not above the number of clauses, if there is to be a solution).

    >>> formula = MaxSatisfiability(1, ((1,), (-1,)), target=1)
    >>> formula.check((True,)), formula.satisfied((True,))
    (True, 1)
    """

    variables: int
    clauses: tuple[Clause, ...]
    target: int
    name: ClassVar[str] = "max-satisfiability"

    def __post_init__(self) -> None:
        object.__setattr__(self, "clauses", check_clauses(self.variables, self.clauses))

    def size(self) -> dict[str, int]:
        """variables, clauses, literals and target."""
        return {
            "variables": self.variables,
            "clauses": len(self.clauses),
            "literals": sum(map(len, self.clauses)),
            "target": self.target,
        }

    def satisfied(self, solution: Sequence[bool]) -> int:
        """How many clauses have a true literal."""
        values = checked_assignment(self.variables, solution)
        return sum(any(is_true(literal, values) for literal in clause) for clause in self.clauses)

    def check(self, solution: Sequence[bool]) -> bool:
        return self.satisfied(solution) >= self.target

    def why_not(self, solution: Sequence[bool]) -> str | None:
        count = self.satisfied(solution)
        if count >= self.target:
            return None
        return f"it satisfies {count} clauses, {self.target} are asked for"

    def solve_by_enumeration(self) -> Assignment | None:
        return enumerate_assignments(self.variables, self.check)

    def optimum(self) -> int:
        """The largest number of clauses satisfied at once, by enumeration."""
        best = 0

        def improves(assignment: Assignment) -> bool:
            nonlocal best
            best = max(best, self.satisfied(assignment))
            return best == len(self.clauses)

        enumerate_assignments(self.variables, improves)
        return best

    @property
    def text(self) -> str:
        """As DIMACS CNF, with the target in a comment."""
        header = [
            f"c satisfy at least {self.target}",
            f"p cnf {self.variables} {len(self.clauses)}",
        ]
        return "\n".join([*header, *clause_lines(self.clauses)]) + "\n"
