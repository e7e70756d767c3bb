"""Declarations of ``lipschitz`` and ``plot``."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import click

from relucert.cli.options import FILE, RATIONAL, seeded

__all__ = ["COMMANDS"]

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON to standard output.")


@click.command()
@click.argument("network_path", metavar="NETWORK", type=FILE)
@click.option("--box", "ranges", type=RATIONAL, nargs=2, multiple=True, metavar="LOW HIGH",
              help="Range of every input; or repeated, once for each input "
              "(default: all inputs).")  # fmt: skip
@click.option("--norm", type=click.Choice(["linf", "l1", "l2"]), default="linf", show_default=True,
              help="Norm of the inputs.")  # fmt: skip
@click.option("--output", type=int, default=None, metavar="I",
              help="This output only, from 0 (default: each, and their maximum).")  # fmt: skip
@click.option("--minus", type=int, default=None, metavar="J",
              help="With --output: the difference of outputs I and J.")  # fmt: skip
@click.option("--timeout", type=float, default=math.inf, metavar="SECONDS",
              help="Time limit for each function (default: none).")  # fmt: skip
@click.option("--memory", type=float, default=math.inf, metavar="GIB",
              help="Stop with a bracket above this much memory.")  # fmt: skip
@click.option("--seed", type=int, default=None,
              help="Seed of the search for steep pairs (default: drawn and printed).")  # fmt: skip
@_JSON
def lipschitz(network_path: Path, **arguments: Any) -> int:
    """The Lipschitz constant of each output of NETWORK: exact, or a rigorous bracket.

    The largest over the outputs is the constant of all of them, measured in l_inf. The lower end
    is the slope of two points, evaluated exactly; for l2 its square is exact.

    relucert lipschitz net.onnx --box 0 1 --norm l2

    relucert lipschitz net.npz --box -1 1 --box 0 2 --output 3 --minus 1

    Exit codes: 0 exact, 2 bad input, 3 only a bracket.
    """
    from relucert.commands.lipschitz import lipschitz_command

    return lipschitz_command(network_path, **seeded(arguments))


@click.command()
@click.argument("network_path", metavar="NETWORK", type=FILE)
@click.option("--data", type=FILE, required=True, help="Labelled points in the plane.")
@click.option("--radius", type=RATIONAL, default="0", metavar="MU",
              help="Draw the closed l_inf balls of this radius.")  # fmt: skip
@click.option("-o", "--output", type=FILE, required=True, help="Picture: .png, .svg or .pdf.")
@click.option("--label-column", default=None,
              help="Label column of a CSV, or array of an .npz.")  # fmt: skip
@click.option("--decision", type=click.Choice(["auto", "argmax", "sign", "nearest"]),
              default="auto", show_default=True, help="How outputs become a label.")  # fmt: skip
@click.option("--title", default=None, help="Title of the picture (default: names and radius).")
def plot(network_path: Path, **arguments: Any) -> int:
    """Draw points, balls, decision regions and the neurons' lines of a NETWORK with 2 inputs.

    relucert plot net.onnx --data points.csv --radius 0.1 -o picture.png
    """
    from relucert.commands.plot import plot_command

    return plot_command(network_path, **arguments)


COMMANDS = (lipschitz, plot)
