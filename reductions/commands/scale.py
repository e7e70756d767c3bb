"""``scale``: measure how hard formulas grow, for many ways to decide them."""

from __future__ import annotations

from pathlib import Path

import click

from reductions.commands.common import Finite, command_line

__all__ = ["scale"]


class _Command(click.Command):
    """A command whose help lists the solvers."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # Loaded only now: the other commands are not to wait for it.
        from reductions.scaling.doors.registry import DOORS

        with formatter.section("Solvers"):
            formatter.write_dl([(door.name, door.summary) for door in DOORS])


@click.command(cls=_Command)
@click.option("--family", help="Of the formulas, as in `reductions generate`.")
@click.option("--parameter", "parameters", multiple=True, metavar="NAME=VALUE",
              help="Another parameter of the family; may be repeated.")  # fmt: skip
@click.option("--sizes", help="FIRST:LAST:STEP with its last, or A,B,C: variables (-n).")
@click.option("--ratio", help="Clauses a variable: a number, FIRST:LAST:STEP, or A,B,C.")
@click.option("--seeds", type=click.IntRange(1), help="Formulas of each size and ratio; 20.")
@click.option("--curve-size", type=click.IntRange(1),
              help="Of more formulas, for a curve over the ratio.")  # fmt: skip
@click.option("--curve-ratio", help="The curve's clauses a variable, as for --ratio.")
@click.option("--curve-seeds", type=click.IntRange(1), help="Formulas of each; as --seeds.")
@click.option("--formula", "files", multiple=True, type=click.Path(), metavar="FILE",
              help="A DIMACS file instead of a family; may be repeated.")  # fmt: skip
@click.option("--solvers", help="Names, separated by commas; the first five below.")
@click.option("--external", "externals", multiple=True, metavar="NAME=COMMAND",
              help="Another verifier: its command with {onnx}, {vnnlib}, {timeout}; {result} if "
                   "it answers in a file. Its solver is verify-NAME.")  # fmt: skip
@click.option("--timeout", type=Finite(0, min_open=True),
              help="Seconds for each measurement; 60.")  # fmt: skip
@click.option("--memory", type=Finite(0, 2**30, min_open=True),
              help="GiB for the processes of a measurement; 4.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0), help="Of formulas and order; drawn if missing.")
@click.option("-o", "--output", required=True, help="The run's folder.")
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True,
              help="Measurements at once; with several, times disturb each other.")  # fmt: skip
@click.option("--resume", is_flag=True,
              help="Go on with the run in the folder; options need not be repeated.")  # fmt: skip
@click.pass_context
def scale(
    context: click.Context,
    family: str | None,
    parameters: tuple[str, ...],
    sizes: str | None,
    ratio: str | None,
    seeds: int | None,
    curve_size: int | None,
    curve_ratio: str | None,
    curve_seeds: int | None,
    files: tuple[str, ...],
    solvers: str | None,
    externals: tuple[str, ...],
    timeout: float | None,
    memory: float | None,
    seed: int | None,
    output: str,
    jobs: int,
    resume: bool,
) -> None:
    """Measure how the time to decide formulas grows, through many solvers and reductions.

    Every formula is given to every solver, in random order, each time in a process of its own
    with limits on time and memory; answers are decoded, checked and compared. A row for each goes
    to measurements.csv in the output folder as soon as it is known; an interrupted run goes on
    with --resume. `reductions analyse` makes a page of it. Exits with 1 when two solvers
    disagree, after saving the formula and the answers.
    """
    # Loaded only now: the other commands are not to wait for it.
    from reductions.commands.scale_session import Options, run_session

    options = Options(
        family, parameters, sizes, ratio, seeds, curve_size, curve_ratio, curve_seeds, files,
        solvers, externals, timeout, memory, seed,
    )  # fmt: skip
    code = run_session(options, Path(output), jobs, command_line(), resume=resume)
    if code:
        context.exit(code)
