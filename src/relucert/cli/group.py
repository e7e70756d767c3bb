"""The group of all commands, and what errors look like."""

from __future__ import annotations

import sys

import click

from relucert import __version__
from relucert.cli import analysis, decision, memorization, proofs, training, verification
from relucert.errors import RelucertError

__all__ = ["cli", "run"]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="relucert")
def cli() -> None:
    """Exact verification of ReLU networks: every verdict checked, every doubt named.

    Exit codes: 0 all proved, 1 something violated, 2 bad input or usage, 3 something unknown,
    130 and 143 ended by Ctrl-C and SIGTERM.
    """


for _command in (
    *verification.COMMANDS,
    *proofs.COMMANDS,
    *decision.COMMANDS,
    *memorization.COMMANDS,
    *training.COMMANDS,
    *analysis.COMMANDS,
):
    cli.add_command(_command)


def run(arguments: list[str] | None = None) -> int:
    """The exit code; KeyboardInterrupt, and errors that nobody raised on purpose, pass."""
    try:
        code = cli.main(args=arguments, prog_name="relucert", standalone_mode=False)
    except click.Abort:
        raise KeyboardInterrupt from None
    except Exception as error:
        code = _explained(error)
    return code or 0


def _explained(error: Exception) -> int:
    """Say in one line what is wrong; what was not raised on purpose is raised again."""
    if isinstance(error, click.exceptions.Exit):
        return int(error.exit_code)
    if isinstance(error, click.ClickException):
        return _failed(f"error: {' '.join(error.format_message().split())}", 2)
    if isinstance(error, RelucertError):
        return _failed(f"error: {error}", 2)
    if isinstance(error, BrokenPipeError):
        # The reader of our output went away (`| head`): nothing is left to be said.
        sys.stderr.close()
        return 3
    raise error


def _failed(words: str, code: int) -> int:
    click.echo(f"relucert: {words}", err=True)
    return code
