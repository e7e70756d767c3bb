"""Counterexamples in the form that the verification competition (VNN-COMP) uses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from relucert.errors import FileError
from relucert.exact import parse_rational
from relucert.read.files import read_text
from relucert.read.linear import Term, combine_terms
from relucert.read.sexpr import Group, Source, Symbol, fold, groups, shown

__all__ = ["read_witness"]

_VERDICT = re.compile(r"(?:\s|;[^\n]*\n)*([A-Za-z]+)\b")
_VARIABLE = re.compile(r"([XY])_(0|[1-9][0-9]{0,8})")

Point = tuple[Fraction, ...]


def read_witness(path: str | Path) -> tuple[Point, Point | None]:
    """The inputs and the outputs (None when the file gives none) of a counterexample, exactly.

    Takes ``((X_0 0.1) ... (Y_0 3))`` in any order, with or without the outer parentheses and a
    first line "sat"; numbers are decimals, ``p/q`` or SMT-LIB terms such as ``(- 1.5)``.
    Outputs are what the file claims, no more. Raises FileError naming the line.
    """
    path = Path(path)
    text = read_text(path)
    verdict = _VERDICT.match(text)
    if verdict is not None:
        if verdict.group(1) not in ("sat", "violated"):
            problem = f"says {shown(verdict.group(1))}, it holds no counterexample"
            raise FileError(path, problem)
        start, end = verdict.span(1)
        text = text[:start] + text[end:]
    source = Source(path, text)
    values: dict[str, dict[int, Fraction]] = {"X": {}, "Y": {}}
    for group in _pairs(source):
        letter, index, value = _assignment(source, group)
        if index in values[letter]:
            raise source.error(group.at, f"{letter}_{index} has two values")
        values[letter][index] = value
    if not values["X"]:
        raise FileError(path, "gives no input X_0")
    inputs = _in_order(path, "X", values["X"])
    return inputs, _in_order(path, "Y", values["Y"]) if values["Y"] else None


def _pairs(source: Source) -> Iterator[Group]:
    """The groups ``(X_0 0.1)``, inside an outer group or not."""
    for group in groups(source):
        if group.head:
            yield group
            continue
        for item in group.items:
            if not isinstance(item, Group):
                raise source.error(item.at, f"expected (X_i NUMBER), found {shown(item.text)}")
            yield item


def _assignment(source: Source, group: Group) -> tuple[str, int, Fraction]:
    name = _VARIABLE.fullmatch(group.head)
    if name is None or len(group.items) != 2:
        raise source.error(group.at, "expected (X_i NUMBER) or (Y_i NUMBER)")

    def leaf(symbol: Symbol) -> Term:
        try:
            return Term({}, parse_rational(symbol.text))
        except ValueError as error:
            raise source.error(symbol.at, str(error)) from None

    def combine(inner: Group, terms: list[Term]) -> Term:
        try:
            return combine_terms(inner.head, terms)
        except ValueError as error:
            raise source.error(inner.at, str(error)) from None

    return name.group(1), int(name.group(2)), fold(group.items[1], leaf, combine).constant


def _in_order(path: Path, letter: str, values: dict[int, Fraction]) -> Point:
    for index in range(len(values)):
        if index not in values:
            problem = f"gives {len(values)} values {letter}_i but none for {letter}_{index}"
            raise FileError(path, problem)
    return tuple(values[index] for index in range(len(values)))
