"""What ``scale`` does: from options to a plan, to a run, to a few words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
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

from reductions.families import FAMILIES
from reductions.families.family import fresh_seed
from reductions.scaling.doors.registry import closest, external_name
from reductions.scaling.measurement import Measurement
from reductions.scaling.plan import FROM_FILE, Plan, numbers, parse_sizes
from reductions.scaling.run import Finished, Progress, RunFolder, recorded_plan
from relucert.errors import UsageError

__all__ = ["Options", "run_session"]

_GIBIBYTE = 2**30
_DEFAULT_DOORS = ("cdcl", "milp-cnf", "verify-milp", "verify-search", "decide")
_INTERRUPTED = 130


@dataclass(frozen=True)
class Options:
    """The command's options as given; None (or nothing) for those that were not."""

    family: str | None
    parameters: tuple[str, ...]
    sizes: str | None
    ratio: str | None
    seeds: int | None
    curve_size: int | None
    curve_ratio: str | None
    curve_seeds: int | None
    files: tuple[str, ...]
    solvers: str | None
    externals: tuple[str, ...]
    timeout: float | None
    memory: float | None
    seed: int | None


def run_session(options: Options, folder: Path, jobs: int, command: str, *, resume: bool) -> int:
    """Measure what is asked for and not there yet; returns the exit code.

    Raises UsageError and FileError like `RunFolder`.
    """
    plan = _planned(options, recorded_plan(folder) if resume else None)
    run = RunFolder(folder, plan, command=command, resume=resume)
    click.echo(f"seed: {plan.seed}", err=True)
    with _Bar() as bar:
        try:
            finished = run.measure(jobs, bar)
        except KeyboardInterrupt:
            bar.stop()
            click.echo(f"interrupted; go on with: reductions scale --resume -o {folder}", err=True)
            return _INTERRUPTED
    _report(finished, folder)
    return 0 if finished.conflict is None else 1


def _planned(options: Options, recorded: Plan | None) -> Plan:
    """The plan of the run in the folder, or a new one, with what the options say."""
    ranges = (options.sizes, options.ratio, options.curve_size, options.curve_ratio)
    curve, memory = options.curve_ratio, options.memory
    plan = recorded or _new_plan(options.family, options.files, ranges)
    given: dict[str, object] = {
        "family": options.family if not options.files else FROM_FILE,
        "parameters": tuple(sorted(map(_parameter, options.parameters))) or None,
        "sizes": None if options.sizes is None else parse_sizes(options.sizes),
        "ratios": None if options.ratio is None else numbers(options.ratio, "ratio"),
        "formulas": options.seeds,
        "curve_size": options.curve_size,
        "curve_ratios": None if curve is None else numbers(curve, "curve-ratio"),
        "curve_formulas": options.curve_seeds or (None if recorded else options.seeds),
        "files": options.files or None,
        "externals": options.externals or None,
        "seconds": options.timeout,
        "memory": None if memory is None else int(memory * _GIBIBYTE),
        "seed": options.seed,
    }
    changes = {name: value for name, value in given.items() if value is not None}
    plan = replace(plan, **changes)  # type: ignore[arg-type]
    return replace(plan, doors=_doors(plan, options.solvers, options.externals))


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
