"""Satisfiability to maximum satisfiability: all clauses are the target."""

from __future__ import annotations

from dataclasses import dataclass

from reductions.problems.clauses import Assignment
from reductions.problems.max_satisfiability import MaxSatisfiability
from reductions.problems.problem import Size
from reductions.problems.satisfiability import Satisfiability
from reductions.rules.rule import Rule

__all__ = ["SatisfiabilityToMaxSatisfiability"]


@dataclass(frozen=True)
class SatisfiabilityToMaxSatisfiability(Rule[Satisfiability, MaxSatisfiability]):
    """The same clauses, and their number as the target; the same solutions.

    Repeated literals, tautologies and repeated clauses are dropped first.

    >>> rule = SatisfiabilityToMaxSatisfiability()
    >>> rule.reduce(Satisfiability(1, ((1,), (1,)))).target.target
    1
    """

    source_problem = Satisfiability
    target_problem = MaxSatisfiability

    def prepare(self, source: Satisfiability) -> Satisfiability:
        return source.normalised()

    def construct(self, source: Satisfiability) -> MaxSatisfiability:
        return MaxSatisfiability(source.variables, source.clauses, len(source.clauses))

    def size_formula(self, size: Size) -> dict[str, int]:
        """The target is the number of clauses."""
        kept = {key: size[key] for key in ("variables", "clauses", "literals")}
        return {**kept, "target": size["clauses"]}

    def encode(
        self, source: Satisfiability, target: MaxSatisfiability, solution: Assignment
    ) -> Assignment:
        return solution

    def decode(
        self, source: Satisfiability, target: MaxSatisfiability, solution: Assignment
    ) -> Assignment:
        return tuple(solution)
