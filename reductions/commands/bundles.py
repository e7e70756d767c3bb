"""``reduce``, ``encode``, ``extract`` and ``inspect``: bundles, and solutions both ways."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import click

from reductions.answers import expected_answer
from reductions.bundle import read_bundle, write_bundle
from reductions.commands.common import (
    RATIONAL,
    Finite,
    command_line,
    new_directory,
    printable,
    read_formula,
    value_lines,
)
from reductions.solutions import read_assignment, read_solution, write_solution
from relucert.errors import UsageError

__all__ = ["encode", "extract", "inspect", "reduce"]

TARGETS = ("robust-memorization", "network-verification")


@click.command()
@click.argument("formula", default="-")
@click.option("--to", "target", type=click.Choice(TARGETS), required=True, help="The problem made.")
@click.option("-o", "--output", required=True, help="A directory for the bundle.")
@click.option("--budget", type=RATIONAL, help="Memorization: the radius of the balls.")
@click.option("--scale", type=RATIONAL, help="Memorization: multiplies the points.")
@click.option("--slack", type=RATIONAL, help="Verification: clauses minus threshold.")
@click.option("--threshold", type=RATIONAL, help="Verification: the least unsafe output.")
@click.option(
    "--timeout",
    type=Finite(0),
    default=10.0,
    show_default=True,
    help="Seconds to find the expected answer in, where none is planted; 0: do not try.",
)
@click.option("--force", is_flag=True, help="Write into a directory that is not empty.")
@click.option("--progress/--no-progress", default=None, help="Report on standard error.")
def reduce(
    formula: str,
    target: str,
    output: str,
    budget: Fraction | None,
    scale: Fraction | None,
    slack: Fraction | None,
    threshold: Fraction | None,
    timeout: float,
    force: bool,
    progress: bool | None,
) -> None:
    """Turn a DIMACS FORMULA into a bundle: files for other tools, and bundle.json.

    The target's answer is yes exactly when the formula is satisfiable.
    """
    source = read_formula(formula, show_progress=progress)
    directory = new_directory(output, force)
    options = {"budget": budget, "scale": scale, "slack": slack, "threshold": threshold}
    bundle = write_bundle(
        directory,
        source,
        target,
        parameters={name: value for name, value in options.items() if value is not None},
        answer=expected_answer(source.formula, source.comments, timeout),
        command=command_line(),
        name="standard input" if formula == "-" else printable(Path(formula).name),
    )
    click.echo(printable(bundle.summary))


@click.command()
@click.argument("bundle")
@click.option("--solution", required=True, help="A network, or a counterexample as text.")
def extract(bundle: str, solution: str) -> None:
    """Decode a solution of a BUNDLE's target into a satisfying assignment.

    Any solution will do: a network (.onnx, .nnet, .npz) that memorizes the points, or any
    counterexample (text, as in the VNN competition, or plain numbers). It is checked exactly; exits
    with 1, naming the first violated point, when it is none. Prints DIMACS v lines.
    """
    opened = read_bundle(bundle)
    opened.verify_files()
    assignment = opened.decode(read_solution(solution, opened.instance.target))
    click.echo("\n".join(value_lines(assignment)))


@click.command()
@click.argument("bundle")
@click.option("--assignment", help="DIMACS v lines or literals; else the bundle's own.")
@click.option("-o", "--output", required=True, help="network.onnx, or a text file.")
def encode(bundle: str, assignment: str | None, output: str) -> None:
    """Turn a satisfying assignment into a solution of a BUNDLE's target, the other way round."""
    opened = read_bundle(bundle)
    if assignment is not None:
        values = read_assignment(assignment, opened.source.formula.variables)
    elif opened.assignment is not None:
        values = opened.assignment
    else:
        raise UsageError(f"{bundle} holds no assignment: give one with --assignment")
    write_solution(output, opened.instance.target, opened.instance.encode(values))


@click.command()
@click.argument("bundle")
@click.option("--recheck", is_flag=True, help="Check the expected answer again, proof included.")
def inspect(bundle: str, recheck: bool) -> None:
    """Describe a BUNDLE, after verifying the hash of every file."""
    opened = read_bundle(bundle)
    click.echo(printable("\n".join(opened.description)))
    if recheck:
        click.echo(f"rechecked: {opened.recheck()}")
