"""Declarations of ``certify``, ``radius``, ``inspect`` and ``bench``."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import click

from relucert.cli.options import (
    CHECK,
    DATA,
    ENGINES,
    FILE,
    OUTPUT,
    RATIONALS,
    SOLVING,
    limited,
    seeded,
)
from relucert.errors import UsageError

__all__ = ["COMMANDS"]


@click.command()
@click.argument("files", metavar="NETWORK... [PROPERTY]", type=FILE, nargs=-1, required=True)
@click.option("--data", type=FILE, default=None, help="Labelled points, .npz or .csv.")
@click.option("--radius", "radii", type=RATIONALS, default=None,
              help="Radius of the balls; several, separated by commas, with -o.")  # fmt: skip
@click.option("-o", "--output", type=FILE, default=None, metavar="FOLDER",
              help="A sweep: any number of networks and radii, journalled in this folder; the "
                   "same command goes on where it was stopped.")  # fmt: skip
@click.option("--cluster", default=None, metavar="WHERE",
              help="Run a sweep, or --cubes, on dask://HOST:PORT, or on an MPI job's ranks: "
                   "mpi.")  # fmt: skip
@click.option("--norm", type=click.Choice(["linf"]), default="linf", show_default=True)
@click.option("--semantics", type=click.Choice(["real", "float32"]), default="real",
              show_default=True, help="float32: as executed, in any order.")  # fmt: skip
@click.option("--engine", type=ENGINES, default="auto", show_default=True,
              help="search: no MILP, no enumeration; bounds: quick and incomplete.")  # fmt: skip
@click.option("--jobs", type=click.IntRange(1), default=None,
              help="Cores to use (default: all). With --jobs 1 the same seed does the same work "
                   "until a time limit ends it.")  # fmt: skip
@click.option("--cubes", type=click.IntRange(1), default=None, metavar="N",
              help="Divide the box of a PROPERTY into about N parts, for as many processes as "
                   "--jobs, or --cluster: for hard questions with few inputs.")  # fmt: skip
@click.option("--witness-out", type=FILE, default=None,
              help="Write counterexamples: a file, or with --data a folder.")  # fmt: skip
@click.option("--result-file", type=FILE, default=None,
              help="Also write the answer to a PROPERTY as the competition VNN-COMP wants it: sat "
                   "with a counterexample, unsat, timeout, unknown or error.")  # fmt: skip
@CHECK
@click.option("--proof", "proof_path", type=FILE, default=None,
              help="Write and check a proof: a file (.rcp), or with --data a folder.")  # fmt: skip
@click.option("--exact-check", is_flag=True,
              help="Check the proof in exact arithmetic too (slower).")  # fmt: skip
@DATA
@SOLVING
@OUTPUT
def certify(files: tuple[Path, ...], **arguments: Any) -> int:
    """Decide a VNN-LIB PROPERTY, or the robustness of labelled points, about NETWORKs.

    relucert certify net.onnx prop.vnnlib --timeout 60

    relucert certify net.onnx --data points.npz --radius 0.05 --clip 0 1

    relucert certify net.onnx prop.vnnlib --proof out.rcp

    relucert certify a.onnx b.onnx --data points.npz --radius 0.01,0.05 -o results/
    """
    if arguments["output"] is not None:
        from relucert.commands.sweep import sweep_command

        for option, name in (("--result-file", "result_file"), ("--cubes", "cubes")):
            if arguments.pop(name) is not None:
                raise UsageError(f"{option} is for one PROPERTY, and -o for sweeps")
        return sweep_command(files, **limited(arguments))
    from relucert.commands.certify import certify_command, one_question
    from relucert.commands.competition import errors_recorded

    with errors_recorded(arguments["result_file"]):
        return certify_command(**one_question(files, **seeded(arguments)))


@click.command()
@click.argument("network_path", metavar="NETWORK", type=FILE)
@click.option("--data", type=FILE, required=True, help="Labelled points, .npz or .csv.")
@click.option("--plot", type=FILE, default=None, help="Histogram of the radii (.png, .svg).")
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True,
              help="Points at a time, in processes; changes no result.")  # fmt: skip
@DATA
@SOLVING
@OUTPUT
def radius(network_path: Path, **arguments: Any) -> int:
    """Bracket, for every point, the smallest l_inf perturbation that changes its label.

    relucert radius net.onnx --data points.npz --clip 0 1 --plot radii.png
    """
    from relucert.commands.radius import radius_command

    return radius_command(network_path, **seeded(arguments))


@click.command()
@click.argument("network_path", metavar="NETWORK", type=FILE)
@click.argument("property_path", metavar="[PROPERTY]", type=FILE, required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON to standard output.")
def inspect(network_path: Path, property_path: Path | None, as_json: bool) -> int:
    """Show what was read: layers, sizes, weights, notes; and a property's boxes and sets."""
    from relucert.commands.inspect import inspect_command

    return inspect_command(network_path, property_path, as_json)


@click.command()
@click.argument("list_path", metavar="LIST", type=FILE)
@click.option("--timeout", type=float, default=math.inf, metavar="SECONDS",
              help="Cap on the list's own time limits.")  # fmt: skip
@click.option("--families", default=None, help="Only these families, separated by commas.")
@click.option("--results", type=FILE, default=None,
              help="CSV file to append rows to; rows already there are not run again.")  # fmt: skip
@click.option("--engine", type=ENGINES, default="auto", show_default=True)
@CHECK
@click.option("--solver", default="HiGHS", show_default=True)
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True,
              help="Instances at a time, each in its own process.")  # fmt: skip
@click.option("--memory", type=float, default=math.inf, metavar="GIB")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--external", multiple=True, metavar="NAME=COMMAND",
              help="Another verifier, in turn with relucert on every instance: "
                   "'name=cmd {onnx} {vnnlib} {timeout}', and {result} where it writes its answer "
                   "to a file. May be given several times.")  # fmt: skip
@click.option("--plot", type=FILE, default=None,
              help="Instances solved against time, a line a tool (.png, .svg).")  # fmt: skip
@OUTPUT
def bench(list_path: Path, **arguments: Any) -> int:
    """Run a LIST.csv of (family, network, property, timeout_s, expected); a table per family.

    relucert bench instances.csv --timeout 60 --results results.csv

    relucert bench instances.csv --timeout 60 --external 'other=other {onnx} {vnnlib} {timeout}'
    """
    from relucert.commands.bench import bench_command

    return bench_command(list_path, **seeded(arguments))


COMMANDS = (certify, radius, inspect, bench)
