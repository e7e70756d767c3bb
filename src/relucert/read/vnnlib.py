"""VNN-LIB 1.0 properties: bounds on the inputs X_i, an unsafe set of the outputs Y_j.

The format is SMT-LIB 2 restricted to ``declare-const`` and ``assert``. Decimals are exact
decimals: 0.1 is one tenth. A satisfying assignment is a counterexample ("sat").
"""

from __future__ import annotations

import re
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from relucert.exact import parse_rational
from relucert.query import Query
from relucert.read.files import read_text
from relucert.read.linear import Term, combine_terms
from relucert.read.normal_form import Atom, Condition, Connective
from relucert.read.sexpr import Group, Source, Symbol, fold, groups, shown
from relucert.read.vnnlib_cases import Property

__all__ = ["read_vnnlib"]

MAX_TEXT = 512 * 1024**2
_VARIABLE = re.compile(r"[XY]_(0|[1-9][0-9]*)")
_NUMBER = re.compile(r"[+-]?[.]?[0-9]")
_IGNORED = ("set-logic", "set-info", "set-option", "check-sat", "get-model", "exit")
_VERSION_2 = ("vnnlib-version", "declare-network")
_COMPARISONS = ("<=", ">=", "<", ">", "=")


def read_vnnlib(path: str | Path) -> Query:
    """Read a VNN-LIB 1.0 file (``.vnnlib`` or ``.vnnlib.gz``) into exact rationals.

    Conditions may nest and, or, not and => over inequalities that are linear in the outputs, or
    bound one input. Every input needs both bounds in every alternative; alternatives with an
    empty box are dropped. Outputs without conditions make every output unsafe.

    Raises FileError with the line for text that is not VNN-LIB 1.0, strict inequalities,
    inequalities that relate inputs with outputs or with each other, and more than 100,000
    alternatives; QueryError for a missing bound and where every box is empty.
    """
    path = Path(path)
    source = Source(path, read_text(path, MAX_TEXT).removeprefix("\ufeff"))
    reader = _Reader(source)
    for group in groups(source):
        reader.command(group)
    return reader.query()


class _Reader:
    """Variables and conditions so far."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._terms: dict[str, Term] = {}
        self._asserted: list[Condition] = []

    def command(self, group: Group) -> None:
        """Take in one outermost group."""
        head = group.head
        if head == "assert":
            self._assert(group)
        elif head in ("declare-const", "declare-fun"):
            self._declare(group)
        elif head in _VERSION_2:
            problem = "this is VNN-LIB 2.0, which is not supported; convert it to VNN-LIB 1.0"
            raise self._source.error(group.at, problem)
        elif head not in _IGNORED:
            raise self._source.error(group.at, f"unknown command {shown(head)}")

    def query(self) -> Query:
        """The query of everything read."""
        sizes = {}
        for letter, kind in (("X", "inputs"), ("Y", "outputs")):
            names = {name for name in self._terms if name[0] == letter}
            if not names:
                problem = f"declares no {kind} ({letter}_0, {letter}_1, ... Real)"
                raise self._source.error(len(self._source.text), problem)
            for index in range(len(names)):
                if f"{letter}_{index}" not in names:
                    problem = f"declares {len(names)} {kind} but not {letter}_{index}"
                    raise self._source.error(len(self._source.text), problem)
            sizes[letter] = len(names)
        return Property(self._source, sizes["X"], sizes["Y"]).query(self._asserted)

    def _declare(self, group: Group) -> None:
        words = [item.text for item in group.items if isinstance(item, Symbol)]
        functional = group.head == "declare-fun"
        if len(words) != 3 or len(group.items) != (4 if functional else 3):
            expected = "(declare-fun NAME () Real)" if functional else "(declare-const NAME Real)"
            raise self._source.error(group.at, f"expected {expected}")
        _, name, sort = words
        if not _VARIABLE.fullmatch(name):
            problem = f"variable {shown(name)} is neither an input X_i nor an output Y_i"
            raise self._source.error(group.at, problem)
        if sort != "Real":
            raise self._source.error(group.at, f"{name} is declared {shown(sort)}, not Real")
        if name in self._terms:
            raise self._source.error(group.at, f"{name} is declared twice")
        self._terms[name] = Term({name: Fraction(1)}, Fraction(0))

    def _assert(self, group: Group) -> None:
        if len(group.items) != 2:
            raise self._source.error(group.at, "assert needs exactly one condition")
        condition = fold(group.items[1], self._leaf, self._combine)
        if isinstance(condition, Term):
            raise self._source.error(group.at, "assert needs a condition, this is a number")
        self._asserted.append(condition)

    def _leaf(self, symbol: Symbol) -> Term | Condition:
        term = self._terms.get(symbol.text)
        if term is not None:
            return term
        if symbol.text in ("true", "false"):
            return Connective("and" if symbol.text == "true" else "or", (), symbol.at)
        if not _NUMBER.match(symbol.text):
            raise self._source.error(symbol.at, f"variable {shown(symbol.text)} is not declared")
        try:
            return Term({}, parse_rational(symbol.text))
        except ValueError as error:
            raise self._source.error(symbol.at, str(error)) from None

    def _combine(self, group: Group, values: list[Term | Condition]) -> Term | Condition:
        head = group.head
        terms = [value for value in values if isinstance(value, Term)]
        conditions = [value for value in values if not isinstance(value, Term)]
        if head in ("and", "or", "not", "=>"):
            if terms:
                raise self._source.error(group.at, f"'{head}' joins conditions, not numbers")
            return self._connective(group, conditions)
        if conditions:
            raise self._source.error(group.at, f"{shown(head)} works on numbers, not conditions")
        if head in _COMPARISONS:
            return self._comparison(group, terms)
        if not head:
            raise self._source.error(group.at, "expected an operator after '('")
        try:
            return combine_terms(head, terms)
        except ValueError as error:
            raise self._source.error(group.at, str(error)) from None

    def _connective(self, group: Group, parts: list[Condition]) -> Condition:
        head, at = group.head, group.at
        if not parts or (head == "not" and len(parts) > 1) or (head == "=>" and len(parts) != 2):
            raise self._source.error(at, f"'{head}' has the wrong number of arguments")
        if head == "=>":
            return Connective("or", (Connective("not", (parts[0],), at), parts[1]), at)
        return Connective(head, tuple(parts), at)

    def _comparison(self, group: Group, terms: list[Term]) -> Condition:
        head, at = group.head, group.at
        if len(terms) < 2:
            raise self._source.error(at, f"'{head}' compares two numbers, here is {len(terms)}")
        atoms = []
        for left, right in pairwise(terms):
            if head in ("<=", "<", "="):
                atoms.append(self._atom(left, right, head == "<", at))
            if head in (">=", ">", "="):
                atoms.append(self._atom(right, left, head == ">", at))
        return atoms[0] if len(atoms) == 1 else Connective("and", tuple(atoms), at)

    def _atom(self, left: Term, right: Term, strict: bool, at: int) -> Atom:
        try:
            atom = Atom.at_most(left, right, strict, at)
        except ValueError as error:
            raise self._source.error(at, str(error)) from None
        inputs = sum(name[0] == "X" for name in atom.coefficients)
        if inputs and inputs < len(atom.coefficients):
            problem = "the inequality relates inputs and outputs, which is not supported"
            raise self._source.error(at, problem)
        if inputs > 1:
            problem = "the inequality relates inputs with each other; only bounds are supported"
            raise self._source.error(at, problem)
        return atom
