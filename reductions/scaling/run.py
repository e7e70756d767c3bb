"""A run folder: what is planned, what is measured, and going on where it stopped."""

from __future__ import annotations

import json
import os
import queue
import threading
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reductions.scaling.agreement import Agreement, Conflict, save_reproducer
from reductions.scaling.doors.door import Door
from reductions.scaling.doors.registry import opened
from reductions.scaling.machine import machine_facts
from reductions.scaling.measurement import RUN_VERSION, Measurement, MeasurementsFile
from reductions.scaling.measuring import Measured, key_of, measure
from reductions.scaling.plan import Cell, Plan, Recipe, formula_hash
from relucert import __version__
from relucert.errors import FileError, InputError, SolverError, UsageError
from relucert.write.files import make_folder, write_atomically

__all__ = ["Finished", "Progress", "RunFolder", "recorded_plan"]

MEASUREMENTS, RECORD, PLANNED = "measurements.csv", "run.json", "plan.csv"


@dataclass(frozen=True)
class Finished:
    """How a run ended: rows by status, and the disagreement that stopped it with its folder."""

    statuses: Mapping[str, int]
    conflict: Conflict | None = None
    reproducer: Path | None = None


class Progress:
    """What is told on the way; does nothing by itself."""

    def planned(self, total: int, done: int, skipped: Mapping[str, str]) -> None:
        """How many measurements there are, are made already, and which doors stay shut, why."""

    def rejected(self, lines: Sequence[tuple[int, str, str]]) -> None:
        """Damaged rows of an earlier run, put aside: (line, text, what is wrong)."""

    def measured(self, row: Measurement) -> None:
        """A new row."""


def recorded_plan(folder: Path) -> Plan | None:
    """The plan of a run folder; None where there is no run.

    Raises FileError for a run of another version, or one that cannot be read.
    """
    path = folder / RECORD
    if not path.exists():
        return None
    record = _record(path)
    for name, own in (("run_version", RUN_VERSION), ("relucert", __version__)):
        if record.get(name) != own:
            raise FileError(
                path, f"was made by {name} {record.get(name)!r}, this is {own!r}: "
                "go on with that version, or choose another folder"
            )  # fmt: skip
    try:
        return Plan.from_record(record.get("plan", {}))
    except InputError as error:
        raise FileError(path, str(error)) from None


def _record(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise FileError(path, f"cannot be read ({error}): choose another folder") from None
    if not isinstance(record, dict):
        raise FileError(path, "is not the record of a run: choose another folder")
    return record


class RunFolder:
    """A folder with the measurements of one plan.

    Made where there is none. Raises UsageError when the folder holds other files, or a run and
    ``resume`` is false, or one with another plan; FileError when it cannot be written.
    """

    def __init__(self, folder: Path, plan: Plan, *, command: str, resume: bool) -> None:
        self.folder, self.plan = folder, plan
        self.doors = opened(plan.doors, plan.externals)
        self.skipped = {name: door.missing for name, door in self.doors.items() if door.missing}
        if len(self.skipped) == len(self.doors):
            raise UsageError(f"no solver can be used: {'; '.join(self.skipped.values())}")
        plan.check()
        self._begin(command, resume)

    def _begin(self, command: str, resume: bool) -> None:
        """Write what the run is, or check that it is this one."""
        recorded = recorded_plan(self.folder)
        path = self.folder / RECORD
        if recorded is None:
            if self.folder.is_dir() and any(os.scandir(self.folder)):
                raise UsageError(f"{self.folder} is not empty and holds no run: choose another")
            make_folder(self.folder)
            # First of all: a folder without it is nobody's run.
            self._write_record({"command": command, "resumed": []})
            write_atomically(self.folder / PLANNED, _planned(self.plan.cells))
            return
        if not resume:
            raise UsageError(f"{self.folder} holds a run: add --resume, or choose another folder")
        differing = _differing(recorded, self.plan)
        if differing:
            raise UsageError(f"{self.folder} holds a run with {differing}: choose another folder")
        record = _record(path)
        self._write_record(
            {"command": record.get("command"), "resumed": [*record.get("resumed", []), command]}
        )

    def _write_record(self, commands: Mapping[str, Any]) -> None:
        record = {
            "run_version": RUN_VERSION,
            "relucert": __version__,
            **commands,
            "seed": self.plan.seed,
            "doors": {name: self._about(door) for name, door in self.doors.items()},
            "plan": self.plan.record,
            "machine": machine_facts(),
        }
        text = json.dumps(record, indent=2, allow_nan=False)
        write_atomically(self.folder / RECORD, text + "\n")

    def _about(self, door: Door) -> dict[str, str]:
        about = {
            "what": door.summary, "solver": door.solver_name, "version": door.version,
            "effort": door.effort_name, "instance size": door.instance,
        }  # fmt: skip
        return {"skipped": door.missing, **about} if door.missing else about

    def measure(self, jobs: int = 1, progress: Progress | None = None) -> Finished:
        """Make the measurements that are not there yet, ``jobs`` at once; each is appended at once.

        Stops at the first disagreement. Ctrl-C ends the running ones and is raised on. Raises
        FileError when a row cannot be written, SolverError when no process can be started.
        """
        progress = progress or Progress()
        with MeasurementsFile(self.folder / MEASUREMENTS) as file:
            progress.rejected(file.rejected)
            agreement, statuses = Agreement(), Counter(row.status for row in file.rows)
            for row in file.rows:
                conflict = agreement.add(row)
                if conflict is not None:
                    return self._stopped(statuses, conflict)
            cells = [cell for cell in self.plan.cells if cell.door not in self.skipped]
            left = self._left(cells, file.rows)
            progress.planned(len(cells), len(cells) - len(left), self.skipped)
            with closing(self._measured(left, jobs)) as found:
                for one in found:
                    file.append(one.row)
                    statuses[one.row.status] += 1
                    progress.measured(one.row)
                    conflict = agreement.add(one.row, one.assignment)
                    if conflict is not None:
                        return self._stopped(statuses, conflict)
        return Finished(statuses)

    def _stopped(self, statuses: Mapping[str, int], conflict: Conflict) -> Finished:
        return Finished(statuses, conflict, save_reproducer(self.folder, self.plan, conflict))

    def _left(self, cells: Sequence[Cell], rows: Sequence[Measurement]) -> list[Cell]:
        """The cells without a row. Files may have equal sizes, so these go by their formula."""
        done = {(*key_of(row), row.formula_sha256 if row.seed is None else "") for row in rows}
        return [cell for cell in cells if self._key(cell) not in done]

    def _key(self, cell: Cell) -> tuple[Recipe, str, str]:
        recipe = cell.recipe
        known = Recipe(recipe.family, recipe.size, recipe.ratio, recipe.seed)
        text = formula_hash(self.plan.formula(recipe)) if recipe.seed is None else ""
        return known, cell.door, text

    def _measured(self, cells: Sequence[Cell], jobs: int) -> Generator[Measured, None, None]:
        """The measurements as they come; closing this ends the processes."""
        found: queue.SimpleQueue[Measured | BaseException] = queue.SimpleQueue()
        stopping = threading.Event()

        def work(cell: Cell) -> None:
            try:
                if stopping.is_set():
                    return
                one = measure(self.plan, cell.recipe, self.doors[cell.door], stopping)
                if one is not None:
                    found.put(one)
            except BaseException as error:
                found.put(error)

        pool = ThreadPoolExecutor(jobs)
        try:
            for cell in cells:
                pool.submit(work, cell)
            for _ in cells:
                one = found.get()
                if isinstance(one, OSError):
                    words = f"a measurement cannot be started ({one.strerror or one})"
                    raise SolverError(f"{words}; go on with --resume")
                if isinstance(one, BaseException):
                    raise one
                yield one
        finally:  # also on Ctrl-C, or where the file can no longer be written
            stopping.set()
            pool.shutdown(wait=True, cancel_futures=True)


def _planned(cells: Sequence[Cell]) -> str:
    lines = ["family,size,ratio,seed,door"]
    for cell in cells:
        recipe = cell.recipe
        values = (recipe.family, recipe.size, recipe.ratio, recipe.seed, cell.door)
        lines.append(",".join("" if value is None else str(value) for value in values))
    return "\n".join(lines) + "\n"


def _differing(recorded: Plan, wanted: Plan) -> str:
    """The first thing in which two plans differ, in words; empty when none."""
    before, after = recorded.record, wanted.record
    for name, value in before.items():
        if value != after[name]:
            return f"{name} {_short(value)}, not {_short(after[name])}"
    return ""


def _short(value: object) -> str:
    words = str(list(value) if isinstance(value, tuple) else value)
    return words if len(words) <= 60 else f"{words[:57]}..."
