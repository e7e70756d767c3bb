"""The command line: arguments in, facade called, result printed.

Exit codes: 0 all proved, 1 something violated, 2 bad input or usage, 3 something unknown.
"""

from __future__ import annotations

import math
import secrets
import signal
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import click

from relucert import __version__
from relucert.errors import RelucertError, UsageError
from relucert.exact import parse_rational

__all__ = ["main"]

_GIB = 2.0**30


class _Rational(click.ParamType):
    name = "number"

    def convert(self, value: Any, param: Any, ctx: Any) -> Fraction:
        """Decimals are exact: 0.1 is one tenth."""
        if isinstance(value, Fraction):
            return value
        try:
            return parse_rational(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


_RATIONAL = _Rational()
_FILE = click.Path(path_type=Path)


def _options(*decorators: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def decorate(function: Any) -> Any:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


_SOLVING = _options(
    click.option("--timeout", type=float, default=math.inf, metavar="SECONDS",
                 help="Time limit for each question (default: none)."),
    click.option("--solver", default="HiGHS", show_default=True,
                 help="MILP solver: HiGHS in memory, or any that PuLP knows (CBC, SCIP, ...)."),
    click.option("--threads", type=click.IntRange(1), default=1, show_default=True,
                 help="Threads of the solver."),
    click.option("--memory", type=float, default=math.inf, metavar="GIB",
                 help="Stop with Unknown above this much memory."),
    click.option("--seed", type=int, default=None,
                 help="Seed of the search for counterexamples (default: drawn and printed)."),
)  # fmt: skip

_DATA = _options(
    click.option("--clip", type=_RATIONAL, nargs=2, default=None, metavar="LOW HIGH",
                 help="Range that perturbed inputs must stay in, such as 0 1 for pixels."),
    click.option("--points", "selection", default=None, metavar="ROWS",
                 help="Rows of the data to use, such as 0,3,5-9 (default: all)."),
    click.option("--label-column", default=None, help="Label column of a CSV file."),
    click.option("--decision", type=click.Choice(["auto", "argmax", "sign", "nearest"]),
                 default="auto", show_default=True, help="How outputs become a label."),
)  # fmt: skip

_OUTPUT = _options(
    click.option("--json", "as_json", is_flag=True, help="Print JSON to standard output."),
    click.option("--csv", "csv_path", type=_FILE, default=None, help="Also write a CSV file."),
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="relucert")
def cli() -> None:
    """Exact verification of ReLU networks: every verdict checked, every doubt named.

    Exit codes: 0 all proved, 1 something violated, 2 bad input or usage, 3 something unknown.
    """


@cli.command()
@click.argument("network_path", metavar="NETWORK", type=_FILE)
@click.argument("property_path", metavar="[PROPERTY]", type=_FILE, required=False)
@click.option("--data", type=_FILE, default=None, help="Labelled points, .npz or .csv.")
@click.option("--radius", type=_RATIONAL, default=None, help="Radius of the balls.")
@click.option("--norm", type=click.Choice(["linf"]), default="linf", show_default=True)
@click.option("--engine", type=click.Choice(["auto", "bounds", "milp", "enumerate"]),
              default="auto", show_default=True)  # fmt: skip
@click.option("--witness-out", type=_FILE, default=None,
              help="Write counterexamples: a file, or with --data a folder.")  # fmt: skip
@_DATA
@_SOLVING
@_OUTPUT
def certify(network_path: Path, **arguments: Any) -> int:
    """Decide a VNN-LIB PROPERTY, or the robustness of labelled points, about NETWORK.

    relucert certify net.onnx prop.vnnlib --timeout 60

    relucert certify net.onnx --data points.npz --radius 0.05 --clip 0 1
    """
    from relucert.commands.certify import certify_command

    return certify_command(network_path, **_seeded(arguments))


@cli.command()
@click.argument("network_path", metavar="NETWORK", type=_FILE)
@click.option("--data", type=_FILE, required=True, help="Labelled points, .npz or .csv.")
@click.option("--plot", type=_FILE, default=None, help="Histogram of the radii (.png, .svg).")
@_DATA
@_SOLVING
@_OUTPUT
def radius(network_path: Path, **arguments: Any) -> int:
    """Bracket, for every point, the smallest l_inf perturbation that changes its label.

    relucert radius net.onnx --data points.npz --clip 0 1 --plot radii.png
    """
    from relucert.commands.radius import radius_command

    return radius_command(network_path, **_seeded(arguments))


@cli.command()
@click.argument("network_path", metavar="NETWORK", type=_FILE)
@click.argument("property_path", metavar="[PROPERTY]", type=_FILE, required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON to standard output.")
def inspect(network_path: Path, property_path: Path | None, as_json: bool) -> int:
    """Show what was read: layers, sizes, weights, notes; and a property's boxes and sets."""
    from relucert.commands.inspect import inspect_command

    return inspect_command(network_path, property_path, as_json)


@cli.command()
@click.argument("list_path", metavar="LIST", type=_FILE)
@click.option("--timeout", type=float, default=math.inf, metavar="SECONDS",
              help="Cap on the list's own time limits.")  # fmt: skip
@click.option("--families", default=None, help="Only these families, separated by commas.")
@click.option("--results", type=_FILE, default=None,
              help="CSV file to append rows to; rows already there are not run again.")  # fmt: skip
@click.option("--engine", type=click.Choice(["auto", "bounds", "milp", "enumerate"]),
              default="auto", show_default=True)  # fmt: skip
@click.option("--solver", default="HiGHS", show_default=True)
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True,
              help="Instances at a time, each in its own process.")  # fmt: skip
@click.option("--memory", type=float, default=math.inf, metavar="GIB")
@click.option("--seed", type=int, default=0, show_default=True)
def bench(list_path: Path, **arguments: Any) -> int:
    """Run a LIST.csv of (family, network, property, timeout_s, expected); a table per family."""
    from relucert.commands.bench import bench_command

    arguments["memory"] *= _GIB
    return bench_command(list_path, **arguments)


def _seeded(arguments: dict[str, Any]) -> dict[str, Any]:
    """Draw the seed that was not given; memory to bytes."""
    if arguments["seed"] is None:
        arguments["seed"] = secrets.randbelow(2**31)
    arguments["memory"] *= _GIB
    for name in ("timeout", "memory"):
        if not arguments[name] > 0:
            raise UsageError(f"--{name} must be positive")
    return arguments


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
