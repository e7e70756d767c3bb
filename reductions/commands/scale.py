"""``scale``: measure how hard formulas grow, for many ways to decide them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from types import TracebackType

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as RichProgress

from reductions.commands.common import command_line
from reductions.families import FAMILIES
from reductions.families.family import fresh_seed
from reductions.scaling.doors.registry import DOORS, closest, external_name
from reductions.scaling.measurement import Measurement
from reductions.scaling.plan import FROM_FILE, Plan, numbers, parse_sizes
from reductions.scaling.run import Finished, Progress, RunFolder, recorded_plan
from relucert.errors import UsageError

__all__ = ["scale"]

_GIBIBYTE = 2**30
_DEFAULT_DOORS = ("cdcl", "milp-cnf", "verify-milp", "verify-search", "decide")
_INTERRUPTED = 130


@click.command(epilog="Solvers: " + "; ".join(f"{door.name}: {door.summary}" for door in DOORS))
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
@click.option("--solvers", help=f"Names, separated by commas; {','.join(_DEFAULT_DOORS)}.")
@click.option("--external", "externals", multiple=True, metavar="NAME=COMMAND",
              help="Another verifier: its command with {onnx}, {vnnlib}, {timeout}; {result} if "
                   "it answers in a file. Its solver is verify-NAME.")  # fmt: skip
@click.option("--timeout", type=click.FloatRange(0, min_open=True),
              help="Seconds for each measurement; 60.")  # fmt: skip
@click.option("--memory", type=click.FloatRange(0, min_open=True),
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
    folder = Path(output)
    known = recorded_plan(folder) if resume else None
    fresh = known is None
    if known is None:
        known = _new_plan(family, files, (sizes, ratio, curve_size, curve_ratio))
    plan = _changed(known, {
        "family": family if not files else FROM_FILE,
        "parameters": tuple(sorted(map(_parameter, parameters))) or None,
        "sizes": None if sizes is None else parse_sizes(sizes),
        "ratios": None if ratio is None else numbers(ratio, "ratio"),
        "formulas": seeds,
        "curve_size": curve_size,
        "curve_ratios": None if curve_ratio is None else numbers(curve_ratio, "curve-ratio"),
        "curve_formulas": curve_seeds or seeds if fresh else curve_seeds,
        "files": files or None,
        "externals": externals or None,
        "seconds": timeout,
        "memory": None if memory is None else int(memory * _GIBIBYTE),
        "seed": seed,
    })  # fmt: skip
    plan = replace(plan, doors=_doors(plan, solvers, externals))
    run = RunFolder(folder, plan, command=command_line(), resume=resume)
    click.echo(f"seed: {plan.seed}", err=True)
    with _Bar() as bar:
        try:
            finished = run.measure(jobs, bar)
        except KeyboardInterrupt:
            bar.stop()
            click.echo(f"interrupted; go on with: reductions scale --resume -o {output}", err=True)
            context.exit(_INTERRUPTED)
    _report(finished, folder)
    if finished.conflict is not None:
        context.exit(1)


def _new_plan(family: str | None, files: Sequence[str], ranges: Sequence[str | int | None]) -> Plan:
    """The defaults; UsageError where the question is not complete. The first range is the sizes."""
    if files and (family is not None or any(one is not None for one in ranges)):
        raise UsageError("--formula stands instead of --family, sizes and ratios")
    if not files and family is None:
        raise UsageError("what is to be measured? Give --family and --sizes, or --formula")
    if not files and ranges[0] is None:
        raise UsageError("--sizes is missing: for example --sizes 5:40:5")
    ratios: tuple[float, ...] = ()
    if not files:
        known = {entry.name: entry for entry in FAMILIES}
        if family not in known:
            raise UsageError(closest("family", str(family), known))
        ratios = tuple(
            float(entry.default) for entry in known[family].parameters if entry.name == "ratio"
        )
    return Plan(
        FROM_FILE, (), (), ratios, 1 if files else 20, 0, (), 20, (), fresh_seed(),
        _DEFAULT_DOORS, (), 60.0, 4 * _GIBIBYTE,
    )  # fmt: skip


def _changed(plan: Plan, given: Mapping[str, object]) -> Plan:
    values = {name: value for name, value in given.items() if value is not None}
    return replace(plan, **values)  # type: ignore[arg-type]


def _parameter(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise UsageError(f"--parameter {text!r}: write it as NAME=VALUE")
    if name.strip() == "ratio":
        raise UsageError("--parameter ratio: there is --ratio for it")
    return name.strip(), value.strip()


def _doors(plan: Plan, solvers: str | None, externals: Sequence[str]) -> tuple[str, ...]:
    """Those named, or the plan's; and those of the external commands."""
    names = list(plan.doors)
    if solvers is not None:
        names = [name.strip() for name in solvers.split(",") if name.strip()]
        if not names:
            raise UsageError("--solvers is empty")
    return tuple(dict.fromkeys([*names, *map(external_name, externals)]))


def _report(finished: Finished, folder: Path) -> None:
    counts = ", ".join(f"{count} {word}" for word, count in sorted(finished.statuses.items()))
    click.echo(f"{folder}: {sum(finished.statuses.values())} measurements ({counts or 'none'})")
    if finished.conflict is not None:
        click.echo(
            f"reductions: solvers disagree about formula {finished.conflict.formula_sha256[:12]} "
            f"({finished.conflict.words}); saved in {finished.reproducer}",
            err=True,
        )


class _Bar(Progress, AbstractContextManager["_Bar"]):
    """A bar with the time left on standard error; words alone where that is not a terminal."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        self._bar = RichProgress(
            BarColumn(20), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("ETA"),
            TimeRemainingColumn(elapsed_when_finished=True), TextColumn("{task.description}"),
            console=console, disable=not console.is_terminal, refresh_per_second=5,
        )  # fmt: skip
        self._task = self._bar.add_task("", total=None)
        self._counts: dict[str, int] = {}

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Leave the terminal as it was."""
        self._bar.stop()

    def planned(self, total: int, done: int, skipped: Mapping[str, str]) -> None:
        for name, reason in skipped.items():
            click.echo(f"skipping {name}: {reason}", err=True)
        click.echo(f"{total} measurements, {done} of them made already", err=True)
        self._bar.start()
        # The speed is that of this session: what was made before does not count for the ETA.
        self._bar.update(self._task, total=total - done)

    def rejected(self, lines: Sequence[tuple[int, str, str]]) -> None:
        for number, _, problem in lines:
            click.echo(
                f"measurements.csv, line {number}: {problem}; put aside in "
                "measurements.rejected.csv, to be measured again",
                err=True,
            )

    def measured(self, row: Measurement) -> None:
        word = row.answer if row.status == "ok" else row.status
        self._counts[word] = self._counts.get(word, 0) + 1
        counts = ", ".join(f"{count} {word}" for word, count in sorted(self._counts.items()))
        self._bar.update(self._task, advance=1, description=escape(f"{counts} · {row.door}"))
