"""``explain``: one page that shows a formula's way to points and a network."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import click

from reductions.answers import expected_answer
from reductions.commands.common import Finite, printable
from reductions.dimacs import DimacsFile, read_dimacs_file
from reductions.explaining.story import MAX_CLAUSES, MAX_VARIABLES, check_size, tell
from relucert.errors import FileError
from relucert.read.files import read_bytes
from relucert.write.files import check_target, write_atomically

__all__ = ["explain"]

MAX_BYTES = 1 << 20
"""A file of the largest formula that a page shows is a hundredth of this, without comments."""


@click.command()
@click.argument("formula", default="-")
@click.option("-o", "--output", required=True, type=click.Path(), help="The page, an HTML file.")
@click.option(
    "--timeout",
    type=Finite(0),
    default=20.0,
    show_default=True,
    help="Seconds to decide the formula in; 0: do not try.",
)
def explain(formula: str, output: str, timeout: float) -> None:
    """Show a DIMACS FORMULA as points, half-spaces and a network on one HTML page.

    The page needs no network and no other file. Variables can be flipped on it, and what belongs
    together lights up. Up to 40 variables, 200 clauses and 1,000 literals.
    """
    check_target(Path(output))
    source = _read(formula)
    check_size(source.formula)
    story = tell(source.formula, expected_answer(source.formula, source.comments, timeout))
    name = "formula.cnf" if formula == "-" else printable(Path(formula).name)
    from reductions.explaining.page import page

    write_atomically(output, page(story, name, source.comments))
    size = story.reduction.target.size()
    click.echo(
        printable(
            f"{output}: {story.answer.words}; {size['points']} points of dimension "
            f"{size['dimension']}"
        )
    )


def _read(path: str) -> DimacsFile:
    """A formula from a small file; FileError at once for a large one, before it is read."""
    if path == "-":
        if sys.stdin.isatty():
            click.echo("reading DIMACS from the terminal; end with Ctrl-D", err=True)
        name, content = "standard input", sys.stdin.buffer.read(MAX_BYTES + 1)
    else:
        name = path
        content = b"" if _is_long(path) else read_bytes(path, MAX_BYTES)
    if len(content) > MAX_BYTES or (path != "-" and _is_long(path)):
        raise FileError(
            name,
            f"holds more than {MAX_BYTES:,} bytes, and a page shows at most {MAX_VARIABLES} "
            f"variables and {MAX_CLAUSES} clauses: use 'reductions reduce'",
        )
    stream = io.BytesIO(content)
    stream.name = name
    return read_dimacs_file(stream)


def _is_long(path: str) -> bool:
    try:
        return Path(path).stat().st_size > MAX_BYTES
    except (OSError, ValueError):
        return False  # reading it says what is wrong
