"""What the commands share: recording the command line, progress, printing assignments."""

from __future__ import annotations

import math
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from reductions.answers import literals_of
from reductions.dimacs import DimacsFile, read_dimacs_file
from relucert.errors import UsageError
from relucert.exact import parse_rational

__all__ = [
    "RATIONAL",
    "Finite",
    "command_line",
    "new_directory",
    "printable",
    "read_formula",
    "value_lines",
]

_LINE_WIDTH = 78


class _Rational(click.ParamType):
    """An exact number on the command line: a decimal or a quotient of integers."""

    name = "rational"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> object:
        if not isinstance(value, str):
            return value
        try:
            return parse_rational(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


RATIONAL = _Rational()


class Finite(click.FloatRange):
    """A range of numbers without "nan", which no comparison keeps out, and without "inf"."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{number} is not a finite number.", param, ctx)
        return number


def command_line() -> str:
    """The command as it was typed, for generated files."""
    arguments = click.get_current_context().find_root().obj or ()
    return printable(shlex.join(["reductions", *arguments]))


def printable(text: str) -> str:
    """Text that UTF-8 can hold: file names may be bytes that it cannot."""
    return text.encode("utf-8", "replace").decode("utf-8")


def read_formula(path: str, *, show_progress: bool | None = None) -> DimacsFile:
    """Read DIMACS; progress goes to standard error when that is a terminal, or when asked for."""
    if path == "-" and sys.stdin.isatty():
        click.echo("reading DIMACS from the terminal; end with Ctrl-D", err=True)
    terminal = sys.stderr.isatty()
    if not (terminal if show_progress is None else show_progress):
        return read_dimacs_file(path)

    def report(done: int, total: int) -> None:
        end = done == total or not terminal
        click.echo(f"\r{done:,} of {total:,} clauses read", err=True, nl=end)

    return read_dimacs_file(path, progress=report)


def value_lines(assignment: Sequence[bool]) -> list[str]:
    """The assignment as the ``v`` lines of the SAT competitions, closed by 0."""
    lines, line = [], "v"
    for literal in (*literals_of(tuple(assignment)), 0):
        word = f" {literal}"
        if len(line) + len(word) > _LINE_WIDTH:
            lines.append(line)
            line = "v"
        line += word
    return [*lines, line]


def new_directory(path: str, force: bool) -> Path:
    """Create a directory for output; refuse one that holds files unless ``force``."""
    directory = Path(path)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if not force and any(os.scandir(directory)):
            raise UsageError(f"{path} is not empty: choose another directory, or add --force")
    except (FileExistsError, NotADirectoryError):
        raise UsageError(f"{path} is a file, not a directory") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be made ({error.strerror or error})") from None
    return directory
