"""Broken: claims that a formula is satisfiable iff it is not-all-equal satisfiable as it stands.

Exercise: where does the helper variable enter the proof?
"""

from dataclasses import dataclass

from reductions.problems import NotAllEqualSatisfiability
from reductions.rules import SatisfiabilityToNaeSatisfiability


@dataclass(frozen=True)
class NaeWithoutHelper(SatisfiabilityToNaeSatisfiability):
    def construct(self, source):
        return NotAllEqualSatisfiability(source.variables, source.clauses)

    def size_formula(self, size):
        kept = ("variables", "clauses", "literals", "largest_clause")
        return {key: size[key] for key in kept}

    def encode(self, source, target, solution):
        return solution

    def decode(self, source, target, solution):
        return tuple(solution)


RULE = NaeWithoutHelper()
