"""A small forward checker for DRUP proofs of unsatisfiability.

A proof is a list of clauses ended by the empty one. Each must follow from the clauses before it
by reverse unit propagation (RUP): assuming all its literals false, propagating unit clauses
leads to a conflict (Goldberg and Novikov 2003; Van Gelder 2008). A line ``d ...`` deletes a
clause. Deleting never makes a wrong proof pass, as every line must follow from what is left;
literals already derived from unit clauses stay, since they remain consequences of the formula.

The checker shares nothing with the solvers whose proofs it reads. It accepts DRUP only: a proof
that needs the stronger RAT steps of DRAT is refused, never believed.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from relucert.errors import FileError
from relucert.read.files import read_text

__all__ = ["ProofCheck", "check_proof", "check_proof_file"]


@dataclass(frozen=True)
class ProofCheck:
    """The outcome of checking a proof.

    ``accepted``: the proof shows that the formula is unsatisfiable. ``line``: the first failing
    line counted from 1 (0 when none, or when the proof as a whole falls short), ``problem`` says
    why. ``lemmas`` and ``deletions`` count what was checked and deleted; ``unknown_deletions``
    counts deletions of clauses that are not there, which are ignored. ``timed_out``: the check
    stopped at the time limit, which says nothing about the proof.
    """

    accepted: bool
    line: int = 0
    problem: str = ""
    lemmas: int = 0
    deletions: int = 0
    unknown_deletions: int = 0
    timed_out: bool = False

    @property
    def words(self) -> str:
        """The outcome as people read it."""
        if self.accepted:
            return f"proof accepted ({self.lemmas} lemmas, {self.deletions} deletions)"
        if self.timed_out:
            return "proof not checked to its end (time limit)"
        where = f"line {self.line}: " if self.line else ""
        return f"proof rejected: {where}{self.problem}"


def check_proof(
    variables: int,
    clauses: Iterable[tuple[int, ...]],
    proof: Iterable[str],
    timeout: float | None = None,
) -> ProofCheck:
    """Check DRUP text lines against a formula; ``timeout`` in seconds.

    >>> check_proof(2, [(1, 2), (1, -2), (-1, 2), (-1, -2)], ["1 0", "0"]).accepted
    True
    >>> check_proof(2, [(1, 2), (1, -2), (-1, 2)], ["1 0", "0"]).words
    'proof rejected: line 2: the clause does not follow by unit propagation'
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    database = _Clauses(variables)
    for clause in clauses:
        database.add(_literal_set(clause))
    lemmas = deletions = unknown = 0
    for number, text in enumerate(proof, 1):
        try:
            step = _parsed(text, variables)
        except ValueError as error:
            return ProofCheck(False, number, str(error), lemmas, deletions, unknown)
        if step is None:
            continue
        delete, literals = step
        if delete:
            if database.delete(literals):
                deletions += 1
            else:
                unknown += 1
            continue
        if not database.implies(literals):
            problem = "the clause does not follow by unit propagation"
            return ProofCheck(False, number, problem, lemmas, deletions, unknown)
        lemmas += 1
        if not literals:
            return ProofCheck(True, 0, "", lemmas, deletions, unknown)
        database.add(literals)
        if deadline is not None and time.monotonic() > deadline:
            return ProofCheck(False, 0, "", lemmas, deletions, unknown, timed_out=True)
    problem = "the proof ends without the empty clause"
    return ProofCheck(False, 0, problem, lemmas, deletions, unknown)


def check_proof_file(
    variables: int,
    clauses: Iterable[tuple[int, ...]],
    path: str | Path,
    timeout: float | None = None,
) -> ProofCheck:
    """Like `check_proof`, the proof from a text file (``.gz`` is decompressed).

    Raises FileError when the file is missing, empty or in the binary proof format.
    """
    text = read_text(path)
    if "\x00" in text:
        raise FileError(path, "is a binary proof; write it as text")
    return check_proof(variables, clauses, text.splitlines(), timeout)


def _literal_set(clause: Iterable[int]) -> tuple[int, ...]:
    return tuple(sorted(set(clause)))


def _parsed(text: str, variables: int) -> tuple[bool, tuple[int, ...]] | None:
    """(is a deletion, literals), None for blank lines and comments; ValueError else."""
    words = text.split()
    if not words or words[0].startswith("c"):
        return None
    delete = words[0] == "d"
    if delete:
        words = words[1:]
    try:
        numbers = [int(word) for word in words]
    except ValueError:
        raise ValueError("not a clause of integers") from None
    if not numbers or numbers[-1] != 0 or 0 in numbers[:-1]:
        raise ValueError("the clause is not closed by one 0; the line seems truncated")
    for number in numbers:
        if abs(number) > variables:
            raise ValueError(f"variable {abs(number)} is beyond the formula's {variables}")
    return delete, _literal_set(numbers[:-1])


class _Clauses:
    """Clauses with two watched literals each, and the literals implied at top level.

    ``value[l]`` is 1 when literal l is true, -1 when false, 0 when open; negative literals index
    the list from its end. ``watches[l]`` holds the clauses that watch l, a clause being a list
    whose first two literals are the watched ones; a deleted clause is emptied.
    """

    def __init__(self, variables: int) -> None:
        self.value = [0] * (2 * variables + 1)
        self.watches: list[list[list[int]]] = [[] for _ in range(2 * variables + 1)]
        self.copies: dict[tuple[int, ...], list[list[int]]] = {}
        self.trail: list[int] = []
        self.contradiction = False

    def add(self, literals: tuple[int, ...]) -> None:
        """Add a clause without repeated literals, and propagate it at top level."""
        value = self.value
        if not literals:
            self.contradiction = True
        if self.contradiction:
            return
        # Literals already false at top level are false for ever: watch others where there are any.
        clause = sorted(literals, key=lambda literal: value[literal] < 0)
        self.copies.setdefault(literals, []).append(clause)
        if len(clause) > 1:
            self.watches[clause[0]].append(clause)
            self.watches[clause[1]].append(clause)
        if value[clause[0]] < 0:
            self.contradiction = True
        elif (len(clause) == 1 or value[clause[1]] < 0) and value[clause[0]] == 0:
            start = len(self.trail)
            self._assign(clause[0])
            self.contradiction = not self._propagate(start)

    def delete(self, literals: tuple[int, ...]) -> bool:
        """Remove one copy of a clause; False when there is none."""
        copies = self.copies.get(literals)
        if not copies:
            return False
        clause = copies.pop()
        if not copies:
            del self.copies[literals]
        clause.clear()
        return True

    def implies(self, literals: tuple[int, ...]) -> bool:
        """Whether assuming all literals false propagates to a conflict; leaves no trace."""
        if self.contradiction:
            return True
        start = len(self.trail)
        follows = False
        for literal in literals:
            if self.value[literal] > 0:
                follows = True
                break
            if self.value[literal] == 0:
                self._assign(-literal)
        if not follows:
            follows = not self._propagate(start)
        for literal in self.trail[start:]:
            self.value[literal] = self.value[-literal] = 0
        del self.trail[start:]
        return follows

    def _assign(self, literal: int) -> None:
        self.value[literal] = 1
        self.value[-literal] = -1
        self.trail.append(literal)

    def _propagate(self, head: int) -> bool:
        """Propagate the trail from ``head`` on; False at a conflict."""
        trail = self.trail
        while head < len(trail):
            if not self._visit(-trail[head]):
                return False
            head += 1
        return True

    def _visit(self, false: int) -> bool:
        """Find new watches for the clauses that watch the newly false literal."""
        value, watches, trail = self.value, self.watches, self.trail
        watching = watches[false]
        kept: list[list[int]] = []
        watches[false] = kept
        for index, clause in enumerate(watching):
            if not clause:
                continue
            other = clause[1] if clause[0] == false else clause[0]
            if value[other] > 0:
                kept.append(clause)
                continue
            for position in range(2, len(clause)):
                literal = clause[position]
                if value[literal] >= 0:
                    clause[0], clause[1], clause[position] = other, literal, false
                    watches[literal].append(clause)
                    break
            else:
                kept.append(clause)
                if value[other] < 0:
                    kept.extend(watching[index + 1 :])
                    return False
                value[other] = 1
                value[-other] = -1
                trail.append(other)
        return True
