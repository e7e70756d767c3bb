"""What the commands' declarations share: parameter types, groups of options, the seed."""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import click

from relucert.errors import UsageError
from relucert.exact import parse_rational

__all__ = [
    "CHECK", "DATA", "ENGINES", "FILE", "GIB", "OUTPUT", "RATIONAL", "RATIONALS", "SOLVING",
    "limited", "options", "seeded",
]  # fmt: skip

GIB = 2.0**30


class RationalType(click.ParamType):
    name = "number"

    def convert(self, value: Any, param: Any, ctx: Any) -> Fraction:
        """Decimals are exact: 0.1 is one tenth."""
        if isinstance(value, Fraction):
            return value
        try:
            return parse_rational(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class RationalsType(click.ParamType):
    name = "number,..."

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[Fraction, ...]:
        """Numbers separated by commas."""
        if isinstance(value, tuple):
            return value
        return tuple(RATIONAL.convert(part.strip(), param, ctx) for part in value.split(","))


RATIONAL, RATIONALS = RationalType(), RationalsType()
ENGINES = click.Choice(["auto", "bounds", "search", "milp", "enumerate"])
FILE = click.Path(path_type=Path)


def options(*decorators: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Several option declarations as one decorator, shown in the order given."""

    def decorate(function: Any) -> Any:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


SOLVING = options(
    click.option("--timeout", type=float, default=math.inf, metavar="SECONDS",
                 help="Time limit for each question (default: none)."),
    click.option("--solver", default="HiGHS", show_default=True,
                 help="MILP solver: HiGHS in memory, or any that PuLP knows (CBC, SCIP, ...)."),
    click.option("--threads", type=click.IntRange(1), default=1, show_default=True,
                 help="Threads of the solver."),
    click.option("--memory", type=float, default=math.inf, metavar="GIB",
                 help="Stop with Unknown above this much memory (default: four fifths of what "
                      "the system has left)."),
    click.option("--seed", type=click.IntRange(0), default=None,
                 help="Seed of the search for counterexamples (default: drawn and printed)."),
)  # fmt: skip

CHECK = click.option(
    "--check/--no-check", default=True, show_default=True,
    help="Derive what bounds and searches prove again, in the arithmetic of the proof checker, "
         "before it is called proved.",
)  # fmt: skip

DATA = options(
    click.option("--clip", type=RATIONAL, nargs=2, default=None, metavar="LOW HIGH",
                 help="Range that perturbed inputs must stay in, such as 0 1 for pixels."),
    click.option("--points", "selection", default=None, metavar="ROWS",
                 help="Rows of the data to use, such as 0,3,5-9 (default: all)."),
    click.option("--label-column", default=None,
                 help="Label column of a CSV (name, or number from 1), or array of an .npz."),
    click.option("--decision", type=click.Choice(["auto", "argmax", "sign", "nearest"]),
                 default="auto", show_default=True, help="How outputs become a label."),
)  # fmt: skip

OUTPUT = options(
    click.option("--json", "as_json", is_flag=True, help="Print JSON to standard output."),
    click.option("--csv", "csv_path", type=FILE, default=None, help="Also write a CSV file."),
)


def seeded(arguments: dict[str, Any]) -> dict[str, Any]:
    """Draw the seed that was not given; memory to bytes."""
    if arguments["seed"] is None:
        arguments["seed"] = secrets.randbelow(2**31)
    return limited(arguments)


def limited(arguments: dict[str, Any]) -> dict[str, Any]:
    """Memory to bytes; UsageError for limits that are none."""
    arguments["memory"] *= GIB
    for name in ("timeout", "memory"):
        if not arguments[name] > 0:
            raise UsageError(f"--{name} must be positive")
    return arguments
