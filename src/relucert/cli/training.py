"""Declaration of ``train``."""

from __future__ import annotations

import math
import secrets
from pathlib import Path
from typing import Any

import click

from relucert.cli.options import FILE, RATIONAL
from relucert.errors import UsageError

__all__ = ["COMMANDS"]


@click.command()
@click.argument("data_path", metavar="DATA", type=FILE)
@click.option(
    "--width", type=click.IntRange(1), default=2, show_default=True, help="Hidden neurons."
)
@click.option(
    "--budget",
    type=RATIONAL,
    required=True,
    metavar="MU",
    help="Radius of the closed l_inf balls, below half of the separation bound.",
)
@click.option(
    "--restarts",
    type=click.IntRange(1),
    default=10,
    show_default=True,
    help="Random starts, each trained and certified.",
)
@click.option(
    "--steps",
    type=click.IntRange(1),
    default=1000,
    show_default=True,
    help="Steps of Adam in a restart, at most.",
)
@click.option(
    "--label-column",
    default=None,
    help="Label column of a CSV (name, or number from 1), or array of an .npz.",
)
@click.option(
    "-o", "--output", type=FILE, default=None, help="Write the best network (.npz or .onnx)."
)
@click.option(
    "--plot", type=FILE, default=None, help="Draw the best network (.png, .svg): data in the plane."
)
@click.option(
    "--timeout",
    type=float,
    default=math.inf,
    metavar="SECONDS",
    help="Time limit for all restarts together (default: none).",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=None,
    help="Seed of starts and attacks (default: drawn and printed).",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON to standard output.")
def train(data_path: Path, **arguments: Any) -> int:
    """Train depth-2 networks to robustly memorize DATA (.npz, .csv), and certify each.

    Projected adversarial training in l_inf from random starts; the share of restarts that
    succeed is to be compared with what `decide` says is possible. Two labels are told apart by
    sign, more by the nearest of 1..L. Exit codes: 0 found, 1 every restart failed, 2 bad input,
    3 unknown or cut short.

    relucert train points.csv --width 2 --budget 0.05 --restarts 20 -o net.onnx
    """
    from relucert.commands.train import train_command

    if not arguments["timeout"] > 0:
        raise UsageError("--timeout must be positive")
    if arguments["seed"] is None:
        arguments["seed"] = secrets.randbelow(2**31)
    return train_command(data_path, **arguments)


COMMANDS = (train,)
