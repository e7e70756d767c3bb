"""Satisfiability to 3-SAT: long clauses are split with fresh variables."""

from __future__ import annotations

from dataclasses import dataclass

from reductions.problems.clauses import Assignment, Clause, is_true
from reductions.problems.problem import Size
from reductions.problems.satisfiability import KSatisfiability, Satisfiability
from reductions.rules.rule import Rule

__all__ = ["SatisfiabilityToThreeSatisfiability"]


@dataclass(frozen=True)
class SatisfiabilityToThreeSatisfiability(Rule[Satisfiability, KSatisfiability]):
    """Split a clause of more than three literals into a chain of clauses of three.

    ``(l1 l2 l3 ... lk)`` becomes ``(l1 l2 y1) (-y1 l3 y2) ... (-y_{k-3} l_{k-1} lk)`` with fresh
    y: satisfiable together iff one of the literals is true (Karp 1972; Garey and Johnson 1979,
    section 3.1.1). Smaller clauses stay as they are. A solution of the target, cut to the
    first variables, solves the source.

    >>> rule = SatisfiabilityToThreeSatisfiability()
    >>> reduction = rule.reduce(Satisfiability(4, ((1, 2, 3, 4),)))
    >>> reduction.target.clauses
    ((1, 2, 5), (-5, 3, 4))
    >>> reduction.encode((False, False, False, True))
    (False, False, False, True, True)
    >>> reduction.decode((False, False, True, False, True))
    (False, False, True, False)
    """

    source_problem = Satisfiability
    target_problem = KSatisfiability

    def construct(self, source: Satisfiability) -> KSatisfiability:
        variables = source.variables
        clauses: list[Clause] = []
        for clause in source.clauses:
            pieces = _split(clause, variables + 1)
            variables += len(pieces) - 1
            clauses.extend(pieces)
        return KSatisfiability(variables, tuple(clauses))

    def size_formula(self, size: Size) -> dict[str, int]:
        """Every literal beyond the third of its clause adds a variable, a clause, two literals."""
        beyond = size["literals_beyond_three"]
        return {
            "variables": size["variables"] + beyond,
            "clauses": size["clauses"] + beyond,
            "literals": size["literals"] + 2 * beyond,
            "largest_clause": min(3, size["largest_clause"]),
            "literals_beyond_three": 0,
        }

    def encode(
        self, source: Satisfiability, target: KSatisfiability, solution: Assignment
    ) -> Assignment:
        """y_i is true while none of the literals before -y_i is."""
        values = list(solution)
        for clause in source.clauses:
            if len(clause) > 3:
                satisfied = is_true(clause[0], solution)
                for literal in clause[1:-2]:
                    satisfied = satisfied or is_true(literal, solution)
                    values.append(not satisfied)
        return tuple(values)

    def decode(
        self, source: Satisfiability, target: KSatisfiability, solution: Assignment
    ) -> Assignment:
        return tuple(solution[: source.variables])


def _split(clause: Clause, fresh: int) -> list[Clause]:
    """The clauses that replace ``clause``, with variables from ``fresh`` on."""
    if len(clause) <= 3:
        return [clause]
    pieces: list[Clause] = [(clause[0], clause[1], fresh)]
    for literal in clause[2:-2]:
        pieces.append((-fresh, literal, fresh + 1))
        fresh += 1
    pieces.append((-fresh, clause[-2], clause[-1]))
    return pieces
