"""3-SAT is satisfiability: the inclusion, so that chains can go on from 3-SAT."""

from __future__ import annotations

from dataclasses import dataclass

from reductions.problems.clauses import Assignment
from reductions.problems.problem import Size
from reductions.problems.satisfiability import KSatisfiability, Satisfiability
from reductions.rules.rule import Rule

__all__ = ["ThreeSatisfiabilityToSatisfiability"]


@dataclass(frozen=True)
class ThreeSatisfiabilityToSatisfiability(Rule[KSatisfiability, Satisfiability]):
    """The same formula, the same solutions, without the bound on the clauses.

    >>> rule = ThreeSatisfiabilityToSatisfiability()
    >>> rule.reduce(KSatisfiability(1, ((-1,),))).decode((False,))
    (False,)
    """

    source_problem = KSatisfiability
    target_problem = Satisfiability

    def construct(self, source: KSatisfiability) -> Satisfiability:
        return Satisfiability(source.variables, source.clauses)

    def size_formula(self, size: Size) -> dict[str, int]:
        """Nothing changes."""
        return dict(size)

    def encode(
        self, source: KSatisfiability, target: Satisfiability, solution: Assignment
    ) -> Assignment:
        return solution

    def decode(
        self, source: KSatisfiability, target: Satisfiability, solution: Assignment
    ) -> Assignment:
        return tuple(solution)
