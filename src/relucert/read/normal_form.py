"""Conditions built with and, or, not: their disjunctive normal form, within limits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from relucert.read.linear import Term
from relucert.read.sexpr import Source

__all__ = ["Atom", "Condition", "Conjunction", "Connective", "conjuncts", "disjuncts", "product"]

MAX_DISJUNCTS = 100_000
MAX_ATOMS = 5_000_000


@dataclass(frozen=True, eq=False)
class Atom:
    """``sum coefficients[name] * name <= limit``, or ``<`` when ``strict``; from offset ``at``."""

    coefficients: dict[str, Fraction]
    limit: Fraction
    strict: bool
    at: int

    @classmethod
    def at_most(cls, left: Term, right: Term, strict: bool, at: int) -> Atom:
        """``left <= right`` (or ``<``)."""
        difference = left.minus(right)
        return cls(difference.coefficients, -difference.constant, strict, at)

    def negated(self) -> Atom:
        """The condition that holds exactly where this one does not."""
        opposite = {name: -value for name, value in self.coefficients.items()}
        return Atom(opposite, -self.limit, not self.strict, self.at)


@dataclass(frozen=True, eq=False)
class Connective:
    """kind "and", "or" or "not" (with one part); no parts: true for "and", false for "or"."""

    kind: str
    parts: tuple[Condition, ...]
    at: int


Condition = Atom | Connective
Conjunction = tuple[Atom, ...]


def conjuncts(condition: Condition) -> list[Condition]:
    """The conditions that must all hold, nested "and" opened, in their order."""
    found: list[Condition] = []
    pending = [condition]
    while pending:
        part = pending.pop()
        if isinstance(part, Connective) and part.kind == "and":
            pending.extend(reversed(part.parts))
        else:
            found.append(part)
    return found


@dataclass
class _Frame:
    conjunctive: bool
    positive: bool
    rest: Iterator[Condition]
    at: int
    found: list[list[Conjunction]] = field(default_factory=list)


def disjuncts(condition: Condition, source: Source) -> list[Conjunction]:
    """The conjunctions of closed atoms whose union is ``condition``; [] is false, [()] true.

    Raises FileError with the line for a strict inequality (no solver that works on closed sets
    can tell it from the closed one) and for more than 100,000 conjunctions.
    """
    pending = [_frame(Connective("and", (condition,), condition.at), True)]
    while True:
        frame = pending[-1]
        part = next(frame.rest, None)
        if isinstance(part, Atom):
            frame.found.append(_closed(part, frame.positive, source))
        elif part is not None:
            pending.append(_frame(part, frame.positive))
        else:
            pending.pop()
            found = _joined(frame, source)
            if not pending:
                return found
            pending[-1].found.append(found)


def _frame(part: Connective, positive: bool) -> _Frame:
    if part.kind == "not":
        return _Frame(True, not positive, iter(part.parts), part.at)
    return _Frame((part.kind == "and") == positive, positive, iter(part.parts), part.at)


def _closed(atom: Atom, positive: bool, source: Source) -> list[Conjunction]:
    """An atom on its own; constant ones are true or false, whether strict or not."""
    atom = atom if positive else atom.negated()
    if not atom.coefficients:
        true = atom.limit > 0 or (atom.limit == 0 and not atom.strict)
        return [()] if true else []
    if atom.strict:
        problem = "a strict inequality (VNN-LIB 1.0 has only <= and >=; no negated ones either)"
        raise source.error(atom.at, problem)
    return [(atom,)]


def _joined(frame: _Frame, source: Source) -> list[Conjunction]:
    if frame.conjunctive:
        return product(frame.found, frame.at, source)
    union = [conjunction for part in frame.found for conjunction in part]
    _check_size(len(union), 0, frame.at, source)
    return union


def product(factors: Sequence[list[Conjunction]], at: int, source: Source) -> list[Conjunction]:
    """One conjunction of every factor, in all ways; raises FileError when there are too many."""
    common = tuple(atom for factor in factors if len(factor) == 1 for atom in factor[0])
    combined: list[Conjunction] = [common]
    for factor in factors:
        if len(factor) == 1:
            continue
        lengths = sum(map(len, combined)) * len(factor) + sum(map(len, factor)) * len(combined)
        _check_size(len(combined) * len(factor), lengths, at, source)
        combined = [first + second for first in combined for second in factor]
    return combined


def _check_size(count: int, atoms: int, at: int, source: Source) -> None:
    if count > MAX_DISJUNCTS:
        problem = f"more than {MAX_DISJUNCTS:,} alternatives; split the property into several files"
        raise source.error(at, problem)
    if atoms > MAX_ATOMS:
        problem = f"its alternatives have more than {MAX_ATOMS:,} inequalities altogether"
        raise source.error(at, problem)
