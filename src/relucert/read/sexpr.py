"""Parenthesised text (S-expressions), as SMT-LIB and VNN-LIB write it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

from relucert.errors import FileError

__all__ = ["Group", "Source", "Symbol", "fold", "groups", "shown"]

MAX_NESTING = 1000
_TOKEN = re.compile(r'[()]|[^\s();"|]+|;[^\n]*|"[^"]*"|\|[^|]*\||["|]')
_QUOTES = ('"', "|")

Value = TypeVar("Value")


@dataclass(frozen=True)
class Source:
    """A text and the file it is from; places in it are offsets until someone asks."""

    path: Path
    text: str

    def line(self, at: int) -> int:
        """The line, from 1, of offset ``at``."""
        return self.text.count("\n", 0, at) + 1

    def error(self, at: int, problem: str) -> FileError:
        """A FileError that names the line of offset ``at``."""
        return FileError(self.path, problem, f"line {self.line(at)}")


class Symbol(NamedTuple):
    """A word, number or quoted text at offset ``at``."""

    text: str
    at: int


class Group(NamedTuple):
    """What stands between two parentheses; the opening one is at offset ``at``."""

    items: list[Symbol | Group]
    at: int

    @property
    def head(self) -> str:
        """The first word; "" when there is none."""
        first = self.items[0] if self.items else None
        return first.text if isinstance(first, Symbol) else ""


def groups(source: Source) -> Iterator[Group]:
    """The outermost groups of a text, one after another; ``;`` starts a comment.

    Raises FileError for parentheses that do not match or nest deeper than 1,000, and for words
    outside of them.
    """
    opened: list[Group] = []
    for token, at in _tokens(source):
        if token == ")":
            if not opened:
                raise source.error(at, "')' closes nothing")
            group = opened.pop()
            if not opened:
                yield group
        elif token == "(":
            group = Group([], at)
            if opened:
                opened[-1].items.append(group)
            opened.append(group)
            if len(opened) > MAX_NESTING:
                raise source.error(at, f"parentheses nest deeper than {MAX_NESTING:,}")
        elif not opened:
            raise source.error(at, f"{shown(token)} stands outside of all parentheses")
        else:
            opened[-1].items.append(Symbol(token, at))
    if opened:
        raise source.error(opened[-1].at, "'(' is never closed; the file may be truncated")


def _tokens(source: Source) -> Iterator[tuple[str, int]]:
    """Parentheses and words with their offsets, without comments."""
    for match in _TOKEN.finditer(source.text):
        token = match.group()
        if token in _QUOTES:
            raise source.error(match.start(), f"the quotation mark {token} has no second one")
        if token[0] != ";":
            yield token, match.start()


def fold(
    root: Symbol | Group,
    leaf: Callable[[Symbol], Value],
    combine: Callable[[Group, list[Value]], Value],
) -> Value:
    """The value of a tree from the bottom up: ``combine`` gets a group and its arguments' values.

    The first item of a group is its operator and not evaluated. Nothing recurses, so that no
    file can exhaust the stack.
    """
    if isinstance(root, Symbol):
        return leaf(root)
    pending: list[tuple[Group, Iterator[Symbol | Group], list[Value]]] = []
    inner: Group | None = root
    while True:
        if inner is not None:
            pending.append((inner, iter(inner.items[1:]), []))
        group, rest, values = pending[-1]
        inner = _next_group(rest, leaf, values)
        if inner is None:
            pending.pop()
            value = combine(group, values)
            if not pending:
                return value
            pending[-1][2].append(value)


def _next_group(
    rest: Iterator[Symbol | Group], leaf: Callable[[Symbol], Value], values: list[Value]
) -> Group | None:
    """Evaluate symbols into ``values`` up to the next group; None when there is none."""
    for item in rest:
        if isinstance(item, Group):
            return item
        values.append(leaf(item))
    return None


def shown(text: str) -> str:
    """A word as messages quote it, cut when it is long."""
    return repr(text if len(text) <= 40 else text[:37] + "...")
