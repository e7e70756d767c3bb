"""The command line: arguments in, facade called, result printed.

Exit codes: 0 all proved, 1 something violated, 2 bad input or usage, 3 something unknown.
"""

from __future__ import annotations

import signal
import sys
from typing import Any

import click

from relucert import __version__
from relucert.cli import decision, memorization, proofs, verification
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
):
    cli.add_command(_command)


def _terminate(_signal: int, _frame: Any) -> None:
    raise KeyboardInterrupt


def main(arguments: list[str] | None = None) -> None:
    """Entry point: run, and turn every deliberate error into one line and an exit code."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        code = cli.main(args=arguments, prog_name="relucert", standalone_mode=False)
    except click.exceptions.Exit as stop:
        code = stop.exit_code
    except click.ClickException as error:
        message = " ".join(error.format_message().split())
        click.echo(f"relucert: error: {message}", err=True)
        code = 2
    except RelucertError as error:
        click.echo(f"relucert: error: {error}", err=True)
        code = 2
    except BrokenPipeError:
        # The reader of our output went away (`| head`): nothing is left to be said.
        sys.stderr.close()
        code = 3
    except (KeyboardInterrupt, click.Abort):
        click.echo("relucert: interrupted", err=True)
        code = 3
    sys.exit(code or 0)
