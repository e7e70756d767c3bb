"""Not-all-equal satisfiability to set splitting: literals are elements."""

from __future__ import annotations

from dataclasses import dataclass

from reductions.problems.clauses import Assignment
from reductions.problems.nae_satisfiability import NotAllEqualSatisfiability
from reductions.problems.problem import Size
from reductions.problems.set_splitting import SetSplitting
from reductions.rules.rule import Rule

__all__ = ["NaeSatisfiabilityToSetSplitting"]


@dataclass(frozen=True)
class NaeSatisfiabilityToSetSplitting(Rule[NotAllEqualSatisfiability, SetSplitting]):
    """Elements 2i - 2 and 2i - 1 are the literals i and -i; sets are the pairs and the clauses.

    A split pair has exactly one literal in the first part: these literals form an assignment,
    under which a clause has a true and a false literal iff its set is split. (Lovasz 1973;
    Garey and Johnson 1979, problem SP4.) Repeated literals, tautologies and repeated clauses
    are dropped first.

    >>> rule = NaeSatisfiabilityToSetSplitting()
    >>> reduction = rule.reduce(NotAllEqualSatisfiability(2, ((1, -2),)))
    >>> reduction.target.sets
    ((0, 1), (2, 3), (0, 3))
    >>> reduction.decode((True, False, True, False))
    (True, True)
    """

    source_problem = NotAllEqualSatisfiability
    target_problem = SetSplitting

    def prepare(self, source: NotAllEqualSatisfiability) -> NotAllEqualSatisfiability:
        return source.normalised()

    def construct(self, source: NotAllEqualSatisfiability) -> SetSplitting:
        pairs = [(2 * i, 2 * i + 1) for i in range(source.variables)]
        clauses = [tuple(map(_element, clause)) for clause in source.clauses]
        return SetSplitting(2 * source.variables, (*pairs, *clauses))

    def size_formula(self, size: Size) -> dict[str, int]:
        """Two elements and a pair for each variable, a set for each clause."""
        return {
            "elements": 2 * size["variables"],
            "sets": size["variables"] + size["clauses"],
            "memberships": 2 * size["variables"] + size["literals"],
        }

    def encode(
        self, source: NotAllEqualSatisfiability, target: SetSplitting, solution: Assignment
    ) -> Assignment:
        return tuple(side for value in solution for side in (value, not value))

    def decode(
        self, source: NotAllEqualSatisfiability, target: SetSplitting, solution: Assignment
    ) -> Assignment:
        return tuple(solution[::2])


def _element(literal: int) -> int:
    return 2 * abs(literal) - (2 if literal > 0 else 1)
