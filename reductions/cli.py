"""The ``reductions`` program.

Exit codes: 0 done; 1 refuted (a network that does not memorize, a point that is no
counterexample, a proof that is none, a rule that is wrong); 2 bad input or usage, one line on
standard error; 3 unknown (time limit).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from reductions.commands.analyse import analyse
from reductions.commands.bundles import encode, extract, inspect, reduce
from reductions.commands.common import printable
from reductions.commands.explain import explain
from reductions.commands.formulas import check_proof_command, generate, solve_command
from reductions.commands.rules import check, graph, list_command, path
from reductions.commands.scale import scale
from reductions.errors import DecodingError
from relucert import __version__
from relucert.errors import RelucertError

__all__ = ["main", "program", "run"]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="reductions")
def program() -> None:
    """Hard instances of network problems from satisfiability, and the way back."""


for _command in (
    generate,
    reduce,
    extract,
    encode,
    inspect,
    solve_command,
    check_proof_command,
    list_command,
    path,
    graph,
    check,
    explain,
    scale,
    analyse,
):
    program.add_command(_command)


def run(arguments: Sequence[str]) -> int:
    """Run the program with these arguments; returns the exit code."""
    try:
        code = program.main(
            list(arguments) or ["--help"],
            prog_name="reductions",
            standalone_mode=False,
            obj=tuple(arguments),
        )
    except click.ClickException as error:
        return _fail(error.format_message(), 2)
    except (click.Abort, KeyboardInterrupt):
        return _fail("interrupted", 130)
    except DecodingError as error:
        return _fail(str(error), 1)
    except RelucertError as error:
        return _fail(str(error), 2)
    except MemoryError:
        return _fail("not enough memory", 2)
    except BrokenPipeError:
        # The reader went away (`| head`); keep the interpreter from complaining at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 3
    return code if isinstance(code, int) else 0


def _fail(message: str, code: int) -> int:
    click.echo(printable(f"reductions: error: {' '.join(message.split())}"), err=True)
    return code


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """The entry point of the ``reductions`` program."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))
