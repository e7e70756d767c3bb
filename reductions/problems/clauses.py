"""Clauses of DIMACS literals: what the problems over clauses share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from reductions.errors import EnumerationError
from relucert.errors import InputError

__all__ = [
    "Assignment",
    "Clause",
    "check_clauses",
    "checked_assignment",
    "clause_lines",
    "enumerate_assignments",
    "is_true",
    "normalised_clauses",
]

Clause: TypeAlias = tuple[int, ...]
"""Literals: variable i (from 1) is i, its negation -i. The empty clause is allowed."""

Assignment: TypeAlias = tuple[bool, ...]
"""The value of variable i (from 1) at index i - 1."""

_MAX_VARIABLES = 24


def check_clauses(variables: int, clauses: Iterable[Sequence[int]]) -> tuple[Clause, ...]:
    """The clauses as tuples; raises InputError on a literal that is no variable's."""
    if variables < 0:
        raise InputError(f"the number of variables is {variables}, it must not be negative")
    own = tuple(map(tuple, clauses))
    for number, clause in enumerate(own, start=1):
        for literal in clause:
            if not 0 < abs(literal) <= variables:
                raise InputError(
                    f"clause {number} holds the literal {literal}, "
                    f"which is none of the {variables} variables"
                )
    return own


def normalised_clauses(clauses: Iterable[Clause]) -> tuple[Clause, ...]:
    """Drop repeated literals, clauses with a literal and its negation, and repeated clauses.

    The order of what remains is kept. Every assignment satisfies the same (distinct) clauses.
    """
    kept: dict[frozenset[int], Clause] = {}
    for clause in clauses:
        literals = tuple(dict.fromkeys(clause))
        members = frozenset(literals)
        if not any(-literal in members for literal in literals):
            kept.setdefault(members, literals)
    return tuple(kept.values())


def checked_assignment(variables: int, assignment: Sequence[bool]) -> Assignment:
    """The assignment as a tuple of bool; raises InputError when its length is wrong."""
    if len(assignment) != variables:
        raise InputError(
            f"the assignment has {len(assignment)} values, the formula {variables} variables"
        )
    return tuple(map(bool, assignment))


def is_true(literal: int, assignment: Assignment) -> bool:
    """The literal's value."""
    return assignment[abs(literal) - 1] == (literal > 0)


def enumerate_assignments(
    variables: int, accepts: Callable[[Assignment], bool]
) -> Assignment | None:
    """The first assignment that is accepted, all false first; None when none is.

    Raises EnumerationError beyond 24 variables.
    """
    if variables > _MAX_VARIABLES:
        raise EnumerationError(
            f"{variables} variables are too many to enumerate (limit {_MAX_VARIABLES})"
        )
    for bits in range(1 << variables):
        assignment = tuple(bool(bits >> index & 1) for index in range(variables))
        if accepts(assignment):
            return assignment
    return None


def clause_lines(clauses: Iterable[Clause]) -> Iterable[str]:
    """Each clause as in DIMACS: its literals and a closing 0."""
    return (" ".join(map(str, (*clause, 0))) for clause in clauses)
