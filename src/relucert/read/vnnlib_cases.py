"""From the conditions of a VNN-LIB file to boxes and polyhedra."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from relucert.errors import FileError, QueryError
from relucert.exact import nearest_float
from relucert.query import Box, Case, Polyhedron, Query
from relucert.read.normal_form import (
    MAX_ATOMS,
    Atom,
    Condition,
    Conjunction,
    conjuncts,
    disjuncts,
    product,
)
from relucert.read.sexpr import Source

__all__ = ["Property"]

_MAX_ENDS = 20_000_000


class _Bounds:
    """The tightest bound of every input so far, and where it stands."""

    def __init__(self, size: int) -> None:
        self.lower: list[Fraction | None] = [None] * size
        self.upper: list[Fraction | None] = [None] * size
        self.crossed: tuple[int, int] | None = None  # an input with lower > upper, and the offset

    def copy(self) -> _Bounds:
        """Bounds that can be tightened on their own."""
        own = _Bounds(0)
        own.lower, own.upper, own.crossed = list(self.lower), list(self.upper), self.crossed
        return own

    def tighten(self, atoms: Iterable[Atom]) -> None:
        """Take in atoms over one input each."""
        for atom in atoms:
            ((name, factor),) = atom.coefficients.items()
            index, value = int(name[2:]), atom.limit / factor
            low, high = self.lower[index], self.upper[index]
            if factor > 0:
                self.upper[index] = high = value if high is None else min(value, high)
            else:
                self.lower[index] = low = value if low is None else max(value, low)
            if self.crossed is None and low is not None and high is not None and low > high:
                self.crossed = index, atom.at

    def box(self, source: Source, own: Conjunction) -> Box:
        """The box; raises QueryError for a missing bound, naming the alternative ``own``."""
        lower, upper = [], []
        for index, (low, high) in enumerate(zip(self.lower, self.upper, strict=True)):
            if low is None or high is None:
                side = "lower" if low is None else "upper"
                where = f"alternative at line {source.line(own[0].at)}: " if own else ""
                raise QueryError(f"{source.path}: {where}X_{index} has no {side} bound")
            lower.append(low)
            upper.append(high)
        return Box(tuple(lower), tuple(upper))

    def empty(self, source: Source) -> QueryError:
        """The error that says where two bounds contradict each other."""
        index, at = self.crossed or (0, 0)
        low, high = self.lower[index] or Fraction(0), self.upper[index] or Fraction(0)
        return QueryError(
            f"{source.path}: line {source.line(at)}: the box is empty: X_{index} lies between "
            f"{nearest_float(low)!r} and {nearest_float(high)!r}"
        )


@dataclass(frozen=True)
class Property:
    """How many variables a file declares."""

    source: Source
    inputs: int
    outputs: int

    def query(self, asserted: Iterable[Condition]) -> Query:
        """The query of conditions that must all hold.

        Raises FileError where there are too many alternatives, QueryError for a missing bound
        or when no alternative has an input.
        """
        common, alternatives = self._alternatives(asserted)
        bounds = _Bounds(self.inputs)
        bounds.tighten(_about_inputs(common))
        if bounds.crossed is not None:
            raise bounds.empty(self.source)
        rows = _about_outputs(common)
        if len(rows) * len(alternatives) > MAX_ATOMS:
            problem = f"its alternatives have more than {MAX_ATOMS:,} inequalities altogether"
            raise FileError(self.source.path, problem)
        unsafe = self._unsafe_by_box(bounds, rows, alternatives)
        if not alternatives:
            unsafe[bounds.box(self.source, ())] = {}
        cases = tuple(Case(box, tuple(parts)) for box, parts in unsafe.items())
        return Query(cases, self.source.path.name)

    def _alternatives(self, asserted: Iterable[Condition]) -> tuple[Conjunction, list[Conjunction]]:
        """Atoms that always hold, and the conjunctions of which one must hold besides."""
        common: list[Atom] = []
        choices: list[list[Conjunction]] = []
        at = 0
        for condition in asserted:
            for part in conjuncts(condition):
                found = disjuncts(part, self.source)
                if len(found) == 1:
                    common.extend(found[0])
                else:
                    choices.append(found)
                    at = part.at
        return tuple(common), product(choices, at, self.source)

    def _unsafe_by_box(
        self, common: _Bounds, rows: Conjunction, alternatives: list[Conjunction]
    ) -> dict[Box, dict[Polyhedron, None]]:
        """The polyhedra of every box that is not empty, in the order of the file."""
        cases: dict[Box, dict[Polyhedron, None]] = {}
        known: dict[Conjunction, dict[Polyhedron, None] | None] = {}  # spares hashing large boxes
        table: dict[Atom, tuple[Fraction, ...]] = {}
        crossed: _Bounds | None = None
        for atoms in alternatives:
            own = _about_inputs(atoms)
            if own not in known:
                bounds = common.copy()
                bounds.tighten(own)
                if bounds.crossed is None:
                    known[own] = cases.setdefault(bounds.box(self.source, own), {})
                else:
                    known[own], crossed = None, bounds
                if len(known) * self.inputs > _MAX_ENDS:
                    problem = f"its boxes have more than {_MAX_ENDS:,} bounds altogether"
                    raise FileError(self.source.path, problem)
            parts = known[own]
            if parts is not None:
                parts[self._polyhedron(rows + _about_outputs(atoms), table)] = None
        if crossed is not None and not cases:
            raise crossed.empty(self.source)
        return cases

    def _polyhedron(
        self, atoms: Conjunction, table: dict[Atom, tuple[Fraction, ...]]
    ) -> Polyhedron:
        for atom in atoms:
            if atom not in table:
                row = [Fraction(0)] * self.outputs
                for name, value in atom.coefficients.items():
                    row[int(name[2:])] = value
                table[atom] = tuple(row)
        return Polyhedron(tuple(table[atom] for atom in atoms), tuple(a.limit for a in atoms))


def _about_inputs(atoms: Conjunction) -> Conjunction:
    return tuple(atom for atom in atoms if next(iter(atom.coefficients))[0] == "X")


def _about_outputs(atoms: Conjunction) -> Conjunction:
    return tuple(atom for atom in atoms if next(iter(atom.coefficients))[0] == "Y")
