"""A forward checker of DRUP proofs, written for certificates and used by nothing else."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

__all__ = ["refutes_clauses"]


def refutes_clauses(clauses: Iterable[Iterable[int]], proof: Iterable[str]) -> str | None:
    """None when the DRUP lines derive the empty clause from the clauses, else what is wrong."""
    state = _State()
    for clause in clauses:
        state.add(frozenset(clause))
    for number, line in enumerate(proof, start=1):
        words = line.split()
        delete = bool(words) and words[0] == "d"
        try:
            literals = [int(word) for word in words[delete:]]
        except ValueError:
            return f"proof line {number} is not a clause of integers"
        if not literals or literals[-1] != 0 or 0 in literals[:-1]:
            return f"proof line {number} is not closed by one 0"
        clause = frozenset(literals[:-1])
        if delete:
            state.delete(clause)
            continue
        if not state.follows(clause):
            return f"proof line {number} does not follow by unit propagation"
        if not clause:
            return None
        state.add(clause)
    return "the proof ends without the empty clause"


class _State:
    """Clauses by number with two watched literals each, and what follows without assumptions.

    A false literal is watched only when the clause is true or its falsity is on the trail of
    assumptions at hand; assignments at top level are never undone.
    """

    def __init__(self) -> None:
        self.literals: list[list[int]] = []
        self.by_clause: dict[frozenset[int], list[int]] = defaultdict(list)
        self.watching: dict[int, list[int]] = defaultdict(list)
        self.true: set[int] = set()
        self.trail: list[int] = []
        self.contradiction = False

    def add(self, clause: frozenset[int]) -> None:
        """Add a clause and propagate it; tautologies are harmless."""
        # Literals false at top level stay false: those that are not come first.
        ordered = sorted(clause, key=lambda literal: -literal in self.true)
        number = len(self.literals)
        self.literals.append(ordered)
        self.by_clause[clause].append(number)
        if len(ordered) > 1:
            self.watching[ordered[0]].append(number)
            self.watching[ordered[1]].append(number)
        open_literals = [literal for literal in ordered if -literal not in self.true]
        if not open_literals:
            self.contradiction = True
        elif len(open_literals) == 1 and open_literals[0] not in self.true:
            self.contradiction |= not self._propagate(open_literals)

    def delete(self, clause: frozenset[int]) -> None:
        """Forget one copy of a clause; what it implied at top level stays (as solvers assume)."""
        copies = self.by_clause.get(clause)
        if copies:
            self.literals[copies.pop()] = []

    def follows(self, clause: frozenset[int]) -> bool:
        """Whether the negated literals propagate to a contradiction."""
        if self.contradiction or any(-literal in clause for literal in clause):
            return True
        if any(literal in self.true for literal in clause):
            return True
        start = len(self.trail)
        consistent = self._propagate([-literal for literal in clause if -literal not in self.true])
        for literal in self.trail[start:]:
            self.true.discard(literal)
        del self.trail[start:]
        return not consistent

    def _propagate(self, decided: Iterable[int]) -> bool:
        """Make literals true and all that follows; False at a contradiction."""
        head = len(self.trail)
        for literal in decided:
            self.true.add(literal)
            self.trail.append(literal)
        while head < len(self.trail):
            if not self._visit(-self.trail[head]):
                return False
            head += 1
        return True

    def _visit(self, false: int) -> bool:
        """Give the clauses that watch a newly false literal another one to watch."""
        numbers = self.watching[false]
        kept = self.watching[false] = []
        for place, number in enumerate(numbers):
            literals = self.literals[number]
            if not literals:
                continue
            if literals[0] == false:
                literals[0], literals[1] = literals[1], false
            other = literals[0]
            if other in self.true:
                kept.append(number)
                continue
            for index in range(2, len(literals)):
                candidate = literals[index]
                if -candidate not in self.true:
                    literals[1], literals[index] = candidate, false
                    self.watching[candidate].append(number)
                    break
            else:
                kept.append(number)
                if -other in self.true:
                    kept.extend(numbers[place + 1 :])
                    return False
                self.true.add(other)
                self.trail.append(other)
        return True
