"""Reading a run folder: what is whole is used, what is not is set aside and said."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from relucert.errors import FileError

__all__ = ["COLUMNS", "Row", "Run", "read_run"]

COLUMNS = (
    "run_version", "family", "size", "ratio", "seed", "formula_sha256", "door", "solver",
    "solver_version", "answer", "status", "wall_seconds", "cpu_seconds", "peak_bytes",
    "effort_name", "effort", "variables", "clauses", "instance_size", "detail",
)  # fmt: skip
RUN_VERSION = "1"
_ANSWERS = ("sat", "unsat", "unknown")
_STATUSES = ("ok", "timeout", "memout", "error")
_LARGEST_FILE = 1 << 30
_MOST_NOTES = 5


@dataclass(frozen=True)
class Row:
    """One measurement; None where the run left a number out.

    ``size`` is the number of variables asked for; seconds are CPU seconds, ``effort`` counts
    ``effort_name`` (conflicts, nodes), ``instance_size`` is how large the door's own instance was.
    """

    line: int
    family: str
    size: int
    ratio: float | None
    seed: str
    formula: str
    door: str
    solver: str
    answer: str
    status: str
    wall_seconds: float | None
    cpu_seconds: float | None
    effort_name: str
    effort: float | None
    instance_size: float | None

    @property
    def decided(self) -> bool:
        return self.status == "ok" and self.answer in ("sat", "unsat")


@dataclass(frozen=True)
class Run:
    """The whole rows, sorted, since runs measure in random order; ``notes``: what was left out."""

    folder: Path
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    facts: Mapping[str, Any]


def read_run(folder: str | Path) -> Run:
    """Read measurements.csv and run.json of a run folder.

    Raises FileError when there is no such run, or it is of another version or layout.
    """
    folder = Path(folder)
    path = folder / "measurements.csv"
    facts, notes = _read_facts(folder / "run.json")
    rows: dict[tuple[object, ...], Row] = {}
    bad: list[str] = []
    first, *lines = _text(path).split("\n")
    try:
        header = _cells(first)
    except csv.Error as error:
        raise FileError(path, f"is no table ({error})", "line 1") from None
    _check_header(path, header)
    copies = 0
    for line, text in enumerate(lines, start=2):
        if not text.strip():
            continue
        try:
            # A row without its line end may lack digits, however whole it looks.
            if line == len(lines) + 1:
                raise ValueError("the row is cut off")
            row = _row(line, dict(zip(header, _cells(text), strict=True)), path)
        except (ValueError, csv.Error) as error:
            bad.append(f"line {line}: {error}")
            continue
        key = (row.family, row.size, row.ratio, row.seed, row.formula, row.door, row.solver)
        copies += key in rows
        rows[key] = row
    notes += _notes(bad, copies)
    if not rows:
        notes.append("the run has no measurement yet")
    ordered = sorted(
        rows.values(),
        key=lambda row: (row.family, row.size, row.ratio or 0.0, row.formula, row.door, row.solver),
    )
    return Run(folder, tuple(ordered), tuple(notes), facts)


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise FileError(path, "is larger than a gigabyte")
        return path.read_bytes().decode("utf-8", "replace").replace("\0", "\ufffd")
    except OSError as error:
        raise FileError(
            path, f"cannot be read ({error.strerror or error}); give the folder of a run"
        ) from None


def _cells(line: str) -> list[str]:
    """The cells of one line: a run never breaks a row, so a stray quote costs its own line only."""
    return next(csv.reader([line.removesuffix("\r")], strict=True), [])


def _check_header(path: Path, header: list[str]) -> None:
    if not header:
        raise FileError(path, "is empty: not even the line of column names is there")
    unknown = [name for name in header if name not in COLUMNS]
    missing = [name for name in COLUMNS if name not in header]
    if unknown or missing or len(set(header)) != len(header):
        words = [f"unknown columns {', '.join(map(repr, unknown[:3]))}"] if unknown else []
        words += [f"missing columns {', '.join(map(repr, missing[:3]))}"] if missing else []
        raise FileError(path, "; ".join(words) or "a column occurs twice", "line 1")


def _row(line: int, cell: Mapping[str, str], path: Path) -> Row:
    """One row; raises ValueError where it is not whole, FileError for another version."""
    if cell["run_version"] != RUN_VERSION:
        if cell["run_version"].isdigit():
            raise FileError(
                path,
                f"is of run version {cell['run_version']}, this program reads {RUN_VERSION}",
                f"line {line}",
            )
        raise ValueError(f"run_version is {cell['run_version'][:20]!r}")
    for name, words in (("answer", _ANSWERS), ("status", _STATUSES)):
        if cell[name] not in words:
            raise ValueError(f"{name} is {cell[name][:20]!r}")
    for name in ("family", "formula_sha256", "door"):
        if not cell[name]:
            raise ValueError(f"{name} is missing")
    size = _number(cell, "size")
    if size is None or size < 1 or size != int(size):
        raise ValueError(f"size is {cell['size'][:20]!r}")
    return Row(
        line=line, family=cell["family"], size=int(size), ratio=_number(cell, "ratio"),
        seed=cell["seed"], formula=cell["formula_sha256"], door=cell["door"],
        solver=f"{cell['solver']} {cell['solver_version']}".strip(), answer=cell["answer"],
        status=cell["status"], wall_seconds=_number(cell, "wall_seconds"),
        cpu_seconds=_number(cell, "cpu_seconds"), effort_name=cell["effort_name"],
        effort=_number(cell, "effort"), instance_size=_number(cell, "instance_size"),
    )  # fmt: skip


def _number(cell: Mapping[str, str], name: str) -> float | None:
    """A finite number that is not negative, None for an empty cell."""
    text = cell[name].strip()
    if text in ("", "None"):
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"{name} is {text[:20]!r}, not a finite number from 0 on")
    return value


def _notes(bad: list[str], copies: int) -> list[str]:
    notes = [f"set aside: measurements.csv {problem}" for problem in bad[:_MOST_NOTES]]
    if len(bad) > _MOST_NOTES:
        notes.append(f"set aside: {len(bad) - _MOST_NOTES} more rows that are not whole")
    if copies:
        notes.append(f"{copies} measurements were made twice; the later one counts")
    return notes


def _read_facts(path: Path) -> tuple[Mapping[str, Any], list[str]]:
    """What run.json says; a report can be made without it."""
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        return {}, [f"run.json cannot be read ({error.strerror or error}): how the run was made "
                    "is not known"]  # fmt: skip
    except (ValueError, RecursionError):
        return {}, ["run.json is not whole JSON: how the run was made is not known"]
    if not isinstance(facts, dict):
        return {}, ["run.json is no JSON object: how the run was made is not known"]
    return facts, []
