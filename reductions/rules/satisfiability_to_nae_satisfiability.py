"""Satisfiability to not-all-equal satisfiability: one helper variable in every clause."""

from __future__ import annotations

from dataclasses import dataclass

from reductions.problems.clauses import Assignment
from reductions.problems.nae_satisfiability import NotAllEqualSatisfiability
from reductions.problems.problem import Size
from reductions.problems.satisfiability import Satisfiability
from reductions.rules.rule import Rule

__all__ = ["SatisfiabilityToNaeSatisfiability"]


@dataclass(frozen=True)
class SatisfiabilityToNaeSatisfiability(Rule[Satisfiability, NotAllEqualSatisfiability]):
    """Add the positive literal of a new last variable s to every clause.

    Theorem: the formula is satisfiable iff the new one is, in the not-all-equal sense. Forward:
    s false. Backward: a solution and its complement are both solutions; take the one with s
    false, then every clause has a true literal other than s. (docs/theory.md, section 3, step 1;
    the idea is Schaefer's, 1978.) An empty clause becomes (s), which is never not-all-equal.
    Repeated literals, tautologies and repeated clauses are dropped first.

    >>> rule = SatisfiabilityToNaeSatisfiability()
    >>> reduction = rule.reduce(Satisfiability(2, ((1, 2), (-1,))))
    >>> reduction.target.clauses
    ((1, 2, 3), (-1, 3))
    >>> reduction.encode((False, True))
    (False, True, False)
    >>> reduction.decode((True, False, True))
    (False, True)
    """

    source_problem = Satisfiability
    target_problem = NotAllEqualSatisfiability

    def prepare(self, source: Satisfiability) -> Satisfiability:
        return source.normalised()

    def construct(self, source: Satisfiability) -> NotAllEqualSatisfiability:
        helper = source.variables + 1
        clauses = tuple((*clause, helper) for clause in source.clauses)
        return NotAllEqualSatisfiability(helper, clauses)

    def size_formula(self, size: Size) -> dict[str, int]:
        """One more variable, one more literal in every clause."""
        return {
            "variables": size["variables"] + 1,
            "clauses": size["clauses"],
            "literals": size["literals"] + size["clauses"],
            "largest_clause": size["largest_clause"] + 1 if size["clauses"] else 0,
        }

    def encode(
        self, source: Satisfiability, target: NotAllEqualSatisfiability, solution: Assignment
    ) -> Assignment:
        return (*solution, False)

    def decode(
        self, source: Satisfiability, target: NotAllEqualSatisfiability, solution: Assignment
    ) -> Assignment:
        *values, helper = solution
        return tuple(value != helper for value in values)
