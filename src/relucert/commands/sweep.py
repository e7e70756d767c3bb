"""``relucert certify NETWORKS... -o FOLDER``: many networks, points, radii, resumable."""

from __future__ import annotations

import secrets
import shlex
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any

from relucert.commands.screen import Bar, print_json, progress_bar, say
from relucert.errors import RelucertError, UsageError
from relucert.exact import format_rational, nearest_float
from relucert.limits import usable_cores
from relucert.milp.pulp_model import check_solver
from relucert.report.plots import AccuracyPoint, accuracy_svg, plot_accuracy
from relucert.report.sweep_page import sweep_page
from relucert.report.tables import plain_table, print_table
from relucert.sweep.executors import Engine, opened
from relucert.sweep.folder import SweepFolder, recorded_seed
from relucert.sweep.items import Item, Plan, make_plan
from relucert.sweep.journal import Row
from relucert.sweep.results import Total, sorted_items, totals, write_tables
from relucert.sweep.run import run_sweep
from relucert.sweep.settings import Settings
from relucert.sweep.supervise import Orders
from relucert.write.files import write_atomically

__all__ = ["sweep_command"]

_HEADER = (
    "network", "radius", "certified", "points", "proved", "violated", "unknown", "seconds",
    "slowest",
)  # fmt: skip
_SAY_SECONDS = 60.0
_RECENT_SECONDS = 30.0


def sweep_command(
    files: Sequence[Path],
    *,
    data: Path | None,
    radii: Sequence[Fraction] | None,
    output: Path,
    cluster: str | None,
    engine: str,
    jobs: int | None,
    clip: tuple[Fraction, Fraction] | None,
    selection: str | None,
    label_column: str | None,
    decision: str,
    timeout: float,
    solver: str,
    threads: int,
    memory: float,
    seed: int | None,
    as_json: bool,
    **others: Any,
) -> int:
    """Begin or go on with the sweep of a folder; returns the exit code.

    1: something is violated, 3: something is unknown or left undone, 130: interrupted, else 0.
    """
    if data is None or not radii:
        raise UsageError("-o is for sweeps over labelled points: it needs --data and --radius")
    _refuse(others, cluster, jobs, timeout)
    check_solver(solver)
    plan = make_plan(
        files, data, [format_rational(radius) for radius in radii], selection=selection,
        label_column=label_column, decision=decision, clip=clip,
    )  # fmt: skip
    if seed is None:
        seed = recorded_seed(output)
    settings = Settings(
        engine, solver, threads, timeout, memory, secrets.randbelow(2**31) if seed is None else seed
    )
    with SweepFolder(output, plan, settings, _command_line()) as folder:
        interrupted = _run(folder, plan, settings, cluster, jobs or usable_cores())
        items = sorted_items(plan)
        rows = folder.journal.rows
        found = totals(plan, items, rows)
        write_tables(output, items, rows)
        _write_report(output, plan, settings, items, rows, found)
    _show(output, settings, found, as_json)
    if interrupted:
        return 130
    if any(total.violated for total in found):
        return 1
    return 3 if any(total.unknown for total in found) else 0


def _refuse(others: dict[str, Any], cluster: str | None, jobs: int | None, timeout: float) -> None:
    """What a single question may be asked with, and a sweep not."""
    for option, value in (
        ("--proof", others["proof_path"]), ("--exact-check", others["exact_check"]),
        ("--witness-out", others["witness_out"]), ("--csv", others["csv_path"]),
    ):  # fmt: skip
        if value:
            raise UsageError(f"{option} does not go with -o; the folder holds all results as CSV")
    if not others["check"]:
        raise UsageError("--no-check does not go with -o: what a sweep proves is always checked")
    if others["semantics"] != "real":
        raise UsageError(
            "-o certifies for real arithmetic: --semantics float32 does not go with it"
        )
    if cluster is not None and jobs is not None:
        raise UsageError("--jobs counts local processes: it does not go with --cluster")
    if cluster is not None and timeout == float("inf"):
        raise UsageError("--cluster needs a time limit for each item: --timeout SECONDS")


def _command_line() -> str:
    return shlex.join(["relucert", *sys.argv[1:]])


def _run(
    folder: SweepFolder, plan: Plan, settings: Settings, cluster: str | None, jobs: int
) -> bool:
    """Do what is left; returns whether Ctrl-C came. On errors the tables are written first."""
    items = plan.items()
    left = [item for item in items if item.key not in folder.journal.rows]
    for note in dict.fromkeys(note for note in plan.notes if note):
        say(f"relucert: labels renamed as the network's notes say, {note}")
    if folder.journal.set_aside:
        count = len(folder.journal.set_aside)
        say(f"relucert: journal: {count} damaged or cut-off lines set aside; done again")
    if not left:
        return False
    if folder.resumed:
        say(f"relucert: {len(items) - len(left)} of {len(items)} items are done, going on")
    try:
        with opened(cluster, min(jobs, len(left))) as engine:
            if cluster is not None:
                say(f"relucert: runs on {engine.words}")
            _work(folder, items, len(left), settings, engine)
    except KeyboardInterrupt:
        folder.journal.reread()
        done = len(items) - sum(item.key not in folder.journal.rows for item in items)
        say(
            f"relucert: interrupted: {done} of {len(items)} items done and kept; "
            "the same command goes on"
        )
        return True
    except RelucertError:
        write_tables(folder.path, sorted_items(plan), folder.journal.rows)
        raise
    return False


def _work(
    folder: SweepFolder, items: Sequence[Item], left: int, settings: Settings, engine: Engine
) -> None:
    keys = {item.key for item in items}
    counts = Counter(row.verdict for key, row in folder.journal.rows.items() if key in keys)
    with progress_bar(len(items), len(items) - left) as bar:
        progress = _Progress(bar, counts, len(items))
        progress.show()
        run_sweep(items, Orders(settings), folder.journal, engine, progress.report)


class _Progress:
    """Done, violated, unknown, rate, ETA: on the bar, or a line a minute where there is none."""

    def __init__(self, bar: Bar, counts: Counter[str], total: int) -> None:
        self._bar, self._counts, self._total = bar, counts, total
        now = time.monotonic()
        self._recent = [(now, counts.total())]
        self._said = now

    def report(self, rows: Sequence[Row]) -> None:
        """New rows are in the journal."""
        self._counts.update(row.verdict for row in rows)
        now = time.monotonic()
        self._recent.append((now, self._counts.total()))
        while len(self._recent) > 2 and now - self._recent[0][0] > _RECENT_SECONDS:
            del self._recent[0]
        self.show()
        if now - self._said > _SAY_SECONDS and not sys.stderr.isatty():
            self._said = now
            say(f"relucert: {self._counts.total()} of {self._total} done: {self._words()}")

    def show(self) -> None:
        """The figures on the bar."""
        self._bar.reach(self._counts.total(), self._total)
        self._bar.work(self._words())

    def _words(self) -> str:
        (then, before), (now, done) = self._recent[0], self._recent[-1]
        words = f"{self._counts['violated']} violated, {self._counts['unknown']} unknown"
        if now > then and done > before:
            rate = (done - before) / (now - then)
            words += f" · {rate:.3g}/s"
            if not sys.stderr.isatty():
                words += f", {(self._total - done) / rate:.0f} s left at this rate"
        return words


def _cells(total: Total) -> tuple[str, ...]:
    proved = f"{total.proved} ({total.weak} to tolerance)" if total.weak else str(total.proved)
    return (
        total.network, total.radius, f"{100 * total.accuracy:.1f} %", str(total.points), proved,
        str(total.violated), str(total.unknown), f"{total.seconds:.1f}", f"{total.slowest:.2f}",
    )  # fmt: skip


def _write_report(
    folder: Path,
    plan: Plan,
    settings: Settings,
    items: Sequence[Item],
    rows: Mapping[str, Row],
    found: Sequence[Total],
) -> None:
    curves: dict[str, list[AccuracyPoint]] = {}
    for total in found:
        radius = nearest_float(Fraction(total.radius))
        point = AccuracyPoint(radius, total.accuracy, total.possible)
        curves.setdefault(total.network, []).append(point)
    title = f"Certified accuracy on {Path(plan.data.path).name}"
    for ending in ("png", "svg"):
        plot_accuracy(folder / f"curve.{ending}", curves, title)
    unknown = [
        (item.words, rows[item.key].detail or rows[item.key].how)
        for item in items
        if item.key in rows and rows[item.key].verdict == "unknown"
    ]
    page = sweep_page(
        title, _summary(found), _HEADER, [_cells(total) for total in found],
        accuracy_svg(curves), unknown, _facts(plan, settings),
    )  # fmt: skip
    write_atomically(folder / "report.html", page)


def _facts(plan: Plan, settings: Settings) -> list[tuple[str, str]]:
    from relucert import __version__

    record = {name: "none" if value is None else str(value) for name, value in
              settings.record.items()}  # fmt: skip
    clip = "none" if plan.clip is None else f"{plan.clip[0]} to {plan.clip[1]}"
    return [
        ("relucert", __version__),
        ("command", _command_line()),
        ("norm", "l∞, real arithmetic over the stored weights"),
        ("data", f"{plan.data.path}, SHA-256 {plan.data.digest}"),
        ("points", str(len(plan.rows))),
        ("radii", ", ".join(plan.radii)),
        ("clip", clip),
        *(
            (f"network {network.name}", f"digest {network.digest}{note and f'; labels: {note}'}")
            for network, note in zip(plan.networks, plan.notes, strict=True)
        ),
        *record.items(),
    ]


def _summary(found: Sequence[Total]) -> str:
    """ "3000 items: 2800 proved, 190 violated, 10 unknown"."""
    wanted = sum(total.points for total in found)
    proved, weak, violated, unknown = (
        sum(getattr(total, name) for total in found)
        for name in ("proved", "weak", "violated", "unknown")
    )
    tolerance = f" ({weak} to solver tolerance)" if weak else ""
    words = f"{wanted} items: {proved} proved{tolerance}, {violated} violated, {unknown} unknown"
    left = wanted - proved - violated - unknown
    return f"{words}, {left} not done" if left else words


def _show(folder: Path, settings: Settings, found: Sequence[Total], as_json: bool) -> None:
    if as_json:
        print_json({
            "folder": str(folder),
            "settings": settings.record,
            "totals": [asdict(one) | {"certified_accuracy": one.accuracy} for one in found],
        })  # fmt: skip
        return
    print_table(plain_table("certified accuracy (times in seconds)", _HEADER,
                            [_cells(total) for total in found]))  # fmt: skip
    print(f"{_summary(found)}; seed {settings.seed}; report: {folder / 'report.html'}")
