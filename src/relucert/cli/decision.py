"""Declaration of ``decide``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from relucert.cli.options import FILE, RATIONAL, SOLVING, seeded

__all__ = ["COMMANDS"]


@click.command()
@click.argument("data_path", metavar="DATA", type=FILE)
@click.option(
    "--budget",
    type=RATIONAL,
    default=None,
    metavar="MU",
    help="Radius of the closed l_inf balls; decimals and quotients are exact.",
)
@click.option(
    "--largest-budget",
    "largest",
    is_flag=True,
    help="Bracket the largest feasible budget by bisection.",
)
@click.option(
    "--precision",
    type=RATIONAL,
    default="1/1000",
    show_default=True,
    help="Width of that bracket, relative to half of the separation bound.",
)
@click.option(
    "--width",
    type=click.IntRange(1),
    default=2,
    show_default=True,
    help="Hidden neurons allowed. 1 is a linear programme, 2 is NP-hard.",
)
@click.option(
    "--engine",
    type=click.Choice(["auto", "sat", "milp"]),
    default="auto",
    show_default=True,
    help="Width 2: clause learning over linear programmes (sat, auto) or a MILP.",
)
@click.option(
    "--label-column",
    default=None,
    help="Label column of a CSV (name, or number from 1), or array of an .npz.",
)
@click.option(
    "-o", "--output", type=FILE, default=None, help="Write the network of a Yes (.npz or .onnx)."
)
@click.option(
    "--plot",
    type=FILE,
    default=None,
    help="Draw the network of a Yes (.png, .svg): data in the plane.",
)
@click.option(
    "--certificate-out",
    type=FILE,
    default=None,
    help="Write the certificate of a No (.json or .json.gz).",
)
@click.option(
    "--check-certificate",
    type=FILE,
    default=None,
    metavar="FILE",
    help="Check a certificate written earlier instead (0 accepted, 1 rejected).",
)
@SOLVING
@click.option("--json", "as_json", is_flag=True, help="Print JSON to standard output.")
def decide(data_path: Path, **arguments: Any) -> int:
    """Does ANY depth-2 network of this width robustly memorize DATA (.npz, .csv)?

    Two labels are told apart by sign, more by the nearest of 1..L. Exit codes: 0 yes, 1 no,
    2 bad input, 3 unknown.

    relucert decide points.csv --budget 0.05 --width 2 --certificate-out no.json.gz

    relucert decide points.npz --largest-budget -o network.npz
    """  # fmt: skip
    from relucert.commands.decide import decide_command

    return decide_command(data_path, **seeded(arguments))


COMMANDS = (decide,)
