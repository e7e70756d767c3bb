"""Declarations of ``separation``, ``memorize`` and ``refute``."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import click

from relucert.cli.options import FILE, RATIONAL, SOLVING, seeded

__all__ = ["COMMANDS"]

_LABELS = click.option(
    "--label-column",
    default=None,
    help="Label column of a CSV (name, or number from 1), or array of an .npz.",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON to standard output.")


@click.command()
@click.argument("data", type=FILE)
@_LABELS
@_JSON
def separation(data: Path, label_column: str | None, as_json: bool) -> int:
    """The smallest l_inf distance between differently labelled points of DATA, exactly.

    relucert separation points.csv --label-column kind
    """
    from relucert.commands.memorize import separation_command

    return separation_command(data, label_column=label_column, as_json=as_json)


@click.command()
@click.argument("data", type=FILE)
@click.option("--budget", type=RATIONAL, default=None, metavar="MU",
              help="Radius of the balls, below half of the separation bound.")  # fmt: skip
@click.option("--ratio", type=RATIONAL, default=None, metavar="RHO",
              help="The budget as a share of half of the separation bound, below 1.")  # fmt: skip
@click.option("--construction", type=click.Choice(["deep", "wide", "lipschitz"]), default="deep",
              show_default=True, help="deep: width 3n+1, depth 2N+1. wide: depth log2 N + 3. "
              "lipschitz: two labels, every budget.")  # fmt: skip
@click.option("-o", "--output", type=FILE, default=None,
              help="Network file: .npz, or .onnx up to 200 MB.")  # fmt: skip
@click.option("--plot", type=FILE, default=None,
              help="Draw the network (.png, .svg): data in the plane.")  # fmt: skip
@click.option("--certify", is_flag=True, help="Prove every ball.")
@_LABELS
@SOLVING
@_JSON
def memorize(data: Path, **arguments: Any) -> int:
    """Build a network that robustly memorizes DATA (.npz or .csv), and prove that it does.

    relucert memorize points.npz --ratio 0.9 --construction wide -o net.onnx --certify
    """
    from relucert.commands.memorize import memorize_command

    return memorize_command(data, **seeded(arguments))


@click.command()
@click.argument("network_path", metavar="NETWORK", type=FILE)
@click.option("--budget", type=RATIONAL, default="1/4", show_default=True, metavar="MU",
              help="Radius of the balls, at least 1/4 and below 1/2.")  # fmt: skip
@_JSON
def refute(network_path: Path, budget: Fraction, as_json: bool) -> int:
    """Two points with different labels that NETWORK, narrow at first, cannot tell apart.

    The data are 0 (label 1) and the unit vectors (label 2). Exit code 1 when refuted.
    """
    from relucert.commands.refute import refute_command

    return refute_command(network_path, budget=budget, as_json=as_json)


COMMANDS = (separation, memorize, refute)
