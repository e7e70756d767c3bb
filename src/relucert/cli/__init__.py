"""The command line: arguments in, facade called, result printed.

Exit codes: 0 all proved, 1 something violated, 2 bad input or usage, 3 something unknown.
"""

from __future__ import annotations

import signal
import sys
import threading
from typing import Any

import click

from relucert import __version__
from relucert.cli import analysis, decision, memorization, proofs, training, verification
from relucert.errors import RelucertError

__all__ = ["main"]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="relucert")
def cli() -> None:
    """Exact verification of ReLU networks: every verdict checked, every doubt named.

    Exit codes: 0 all proved, 1 something violated, 2 bad input or usage, 3 something unknown.
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


def main(arguments: list[str] | None = None) -> None:
    """Entry point: run, and turn every deliberate error into one line and an exit code."""
    stopped = threading.Event()

    def stop(_signal: int, _frame: Any) -> None:
        stopped.set()
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    try:
        code = cli.main(args=arguments, prog_name="relucert", standalone_mode=False)
    except (KeyboardInterrupt, click.Abort):
        code = _failed("interrupted", 3)
    except Exception as error:
        # An extension that is interrupted while it is loaded raises what it likes.
        code = _failed("interrupted", 3) if stopped.is_set() else _explained(error)
    sys.exit(code or 0)


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
