"""Declaration of ``check``."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import click

from relucert.cli.options import DATA, FILE, GIB, RATIONAL
from relucert.errors import UsageError

__all__ = ["COMMANDS"]


@click.command()
@click.argument("proof_path", metavar="PROOF", type=FILE)
@click.argument("network_path", metavar="NETWORK", type=FILE)
@click.argument("property_path", metavar="[PROPERTY]", type=FILE, required=False)
@click.option(
    "--arithmetic",
    type=click.Choice(["both", "rounded", "exact"]),
    default="both",
    show_default=True,
    help="Exact integers, or float64 with all rounding bounded.",
)
@click.option("--data", type=FILE, default=None, help="Labelled points, .npz or .csv.")
@click.option("--radius", type=RATIONAL, default=None, help="Radius of the balls.")
@DATA
@click.option("--max-size", type=click.FloatRange(0, 2**30, min_open=True), default=64.0,
              metavar="GIB", show_default=True, help="Largest proof, decompressed.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON to standard output.")
def check(proof_path: Path, network_path: Path, max_size: float, **arguments: Any) -> int:
    """Check that PROOF shows that PROPERTY, or the robustness of a labelled point, holds.

    relucert check out.rcp net.onnx prop.vnnlib

    relucert check point_3.rcp net.onnx --data points.npz --radius 0.05 --points 3

    With --data, PROOF may be a folder, as `relucert certify --proof` writes it. Exit codes:
    0 accepted, 1 not accepted (with the place), 2 not a proof about these files, or bad usage.
    """
    from relucert.commands.check import check_command

    if math.isnan(max_size):  # no range keeps it out
        raise UsageError("--max-size must be a number")
    return check_command(proof_path, network_path, max_bytes=int(max_size * GIB), **arguments)


COMMANDS = (check,)
