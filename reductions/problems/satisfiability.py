"""Satisfiability of formulas in conjunctive normal form, with clauses of any size."""

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
from relucert.errors import InputError

__all__ = ["Assignment", "Clause", "KSatisfiability", "Satisfiability"]


@dataclass(frozen=True)
class Satisfiability(Problem[Assignment]):
    """Is there an assignment that makes a literal of every clause true?

    variables: their number; they are 1..variables, used or not.
    clauses: tuples of DIMACS literals (i, or -i for its negation), of any size. The empty
    clause is never satisfied. Repeated literals and clauses are kept as they are given.
    Solution: a tuple of bool, the value of variable i at index i - 1.
    Raises InputError on a literal that is no variable's.

    >>> formula = Satisfiability(2, ((1, 2), (-1,)))
    >>> formula.solve_by_enumeration()
    (False, True)
    >>> formula.check((True, True))
    False
    """

    variables: int
    clauses: tuple[Clause, ...]
    name: ClassVar[str] = "satisfiability"

    def __post_init__(self) -> None:
        object.__setattr__(self, "clauses", check_clauses(self.variables, self.clauses))

    def size(self) -> dict[str, int]:
        """variables, clauses, literals, largest_clause, and literals_beyond_three.

        The last counts the literals that stand fourth or later in their clause.
        """
        return {
            "variables": self.variables,
            "clauses": len(self.clauses),
            "literals": sum(map(len, self.clauses)),
            "largest_clause": self.largest_clause,
            "literals_beyond_three": sum(max(0, len(clause) - 3) for clause in self.clauses),
        }

    @property
    def largest_clause(self) -> int:
        """The number of literals in the largest clause; 0 when there is no clause."""
        return max(map(len, self.clauses), default=0)

    def is_k_sat(self, k: int) -> bool:
        """Whether every clause has at most ``k`` literals."""
        return self.largest_clause <= k

    def normalised(self) -> Satisfiability:
        """The same solutions, without repeated literals, tautologies and repeated clauses.

        All variables stay, also those that no clause uses any more.
        """
        return Satisfiability(self.variables, normalised_clauses(self.clauses))

    def check(self, solution: Sequence[bool]) -> bool:
        return self.first_unsatisfied(solution) is None

    def first_unsatisfied(self, solution: Sequence[bool]) -> int | None:
        """The index of the first clause without a true literal; None when there is none."""
        values = checked_assignment(self.variables, solution)
        for index, clause in enumerate(self.clauses):
            if not any(is_true(literal, values) for literal in clause):
                return index
        return None

    def why_not(self, solution: Sequence[bool]) -> str | None:
        index = self.first_unsatisfied(solution)
        if index is None:
            return None
        return f"clause {index + 1} {self.clauses[index]} has no true literal"

    def solve_by_enumeration(self) -> Assignment | None:
        return enumerate_assignments(self.variables, self.check)

    @property
    def text(self) -> str:
        """The formula in the DIMACS CNF format."""
        header = f"p cnf {self.variables} {len(self.clauses)}"
        return "\n".join([header, *clause_lines(self.clauses)]) + "\n"


@dataclass(frozen=True)
class KSatisfiability(Satisfiability):
    """Satisfiability where every clause has at most ``k`` literals; by default 3-SAT.

    Raises InputError when a clause has more.
    """

    k: int = 3
    name: ClassVar[str] = "3-satisfiability"

    def __post_init__(self) -> None:
        super().__post_init__()
        for number, clause in enumerate(self.clauses, start=1):
            if len(clause) > self.k:
                raise InputError(
                    f"clause {number} has {len(clause)} literals, {self.k}-SAT allows {self.k}"
                )

    def normalised(self) -> KSatisfiability:
        """See `Satisfiability.normalised`."""
        return KSatisfiability(self.variables, normalised_clauses(self.clauses), self.k)
