"""One measurement, and the file that a run appends its measurements to.

A row is one line: no cell holds a line break, so that a row that was cut off or damaged costs
itself alone. A row is written with one call and reaches the disk before the next begins.
"""

from __future__ import annotations

import csv
import dataclasses
import fcntl
import io
import math
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from relucert.errors import FileError

__all__ = [
    "ANSWERS",
    "COLUMNS",
    "RUN_VERSION",
    "STATUSES",
    "Key",
    "Measurement",
    "MeasurementsFile",
    "Read",
    "read_measurements",
]

RUN_VERSION = "1"
"""Of the layout of a run folder."""

ANSWERS = ("sat", "unsat", "unknown")
STATUSES = ("ok", "timeout", "memout", "error")
_LARGEST_FILE = 1 << 30


class Key(NamedTuple):
    """What tells one measurement of a run from the others."""

    family: str
    size: int
    ratio: float | None
    seed: int | None
    formula_sha256: str
    door: str


@dataclass(frozen=True)
class Measurement:
    """One formula given to one door; the fields are the columns of the file, in order.

    family, size, ratio, seed: how the formula was made (None where that has no meaning);
    formula_sha256: of its DIMACS text without comments. door, solver, solver_version: what
    decided it. answer: what was answered; it counts only where status is "ok" ("timeout" and
    "error" may carry an answer that came too late or could not be confirmed, which is still
    compared with all others). wall_seconds, cpu_seconds (with the processes it started): of
    reduction, solving, decoding and checks, without the start of Python; of the whole process
    where it had to be killed. peak_bytes: of its processes together. effort: a counter that does
    not depend on the machine, called effort_name. variables, clauses: of the formula;
    instance_size: parameters, points or neurons of what was solved. detail: more, in words.
    """

    run_version: str
    family: str
    size: int
    ratio: float | None
    seed: int | None
    formula_sha256: str
    door: str
    solver: str
    solver_version: str
    answer: str
    status: str
    wall_seconds: float
    cpu_seconds: float | None
    peak_bytes: int | None
    effort_name: str
    effort: int | None
    variables: int
    clauses: int
    instance_size: int | None
    detail: str

    @property
    def key(self) -> Key:
        """What tells this measurement from the others of its run."""
        return Key(self.family, self.size, self.ratio, self.seed, self.formula_sha256, self.door)

    @property
    def line(self) -> str:
        """The row of the file, with its line end."""
        stream = io.StringIO()
        csv.writer(stream, lineterminator="\n").writerow(
            [_cell(getattr(self, name)) for name in COLUMNS]
        )
        return stream.getvalue()


COLUMNS = tuple(field.name for field in dataclasses.fields(Measurement))
_HEADER = ",".join(COLUMNS) + "\n"
_OPTIONAL = ("ratio", "seed", "cpu_seconds", "peak_bytes", "effort", "instance_size")
_WHOLE = ("size", "seed", "peak_bytes", "effort", "variables", "clauses", "instance_size")
_REAL = ("ratio", "wall_seconds", "cpu_seconds")


def _cell(value: str | int | float | None) -> str:
    if value is None:
        return ""
    return " ".join(value.split()) if isinstance(value, str) else repr(value)


@dataclass(frozen=True)
class Read:
    """The rows of a file, and what stands in it beside them: (line number, text, what is wrong)."""

    rows: tuple[Measurement, ...]
    rejected: tuple[tuple[int, str, str], ...]


def read_measurements(path: str | Path) -> Read:
    """Read a measurements file; rows that are not whole are told apart, not dropped in silence.

    Raises FileError when there is no such file, or its header or run version is another's.
    """
    lines = _text(Path(path)).split("\n")
    if lines[0] + "\n" != _HEADER:
        raise FileError(path, f"is no measurements file: its columns are not {','.join(COLUMNS)}")
    rows, rejected = [], []
    for number, line in enumerate(lines[1:], start=2):
        if not line:
            continue
        try:
            # A row without its line end may lack digits, however whole it looks.
            if number == len(lines):
                raise ValueError("the row is cut off")
            rows.append(_parsed(line))
        except ValueError as error:
            rejected.append((number, line, str(error)))
    for row in rows:
        if row.run_version != RUN_VERSION:
            problem = f"holds run version {row.run_version}, this program reads {RUN_VERSION}"
            raise FileError(path, problem)
    return Read(tuple(rows), tuple(rejected))


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise FileError(path, "is larger than a gigabyte")
        return path.read_bytes().decode("utf-8", "replace")
    except OSError as error:
        raise FileError(path, f"cannot be read ({error.strerror or error})") from None


def _parsed(line: str) -> Measurement:
    """A row; ValueError says what is wrong with it."""
    try:
        cells = next(csv.reader([line], strict=True))
    except csv.Error as error:
        raise ValueError(str(error)) from None
    if len(cells) != len(COLUMNS):
        raise ValueError(f"{len(cells)} cells, not {len(COLUMNS)}")
    texts = dict(zip(COLUMNS, cells, strict=True))
    for name, words in (("answer", ANSWERS), ("status", STATUSES)):
        if texts[name] not in words:
            raise ValueError(f"{name} is {texts[name][:20]!r}")
    for name in ("run_version", "family", "door"):
        if not texts[name]:
            raise ValueError(f"{name} is empty")
    if len(texts["formula_sha256"]) != 64 or set(texts["formula_sha256"]) - set("0123456789abcdef"):
        raise ValueError("formula_sha256 is no hash")
    values: dict[str, str | int | float | None] = dict(texts)
    values |= {name: _number(texts, name) for name in (*_WHOLE, *_REAL)}
    return Measurement(**values)  # type: ignore[arg-type]


def _number(texts: Mapping[str, str], name: str) -> int | float | None:
    text = texts[name]
    if not text and name in _OPTIONAL:
        return None
    try:
        value = int(text) if name in _WHOLE else float(text)
    except ValueError:
        raise ValueError(f"{name} is {text[:20]!r}, not a number") from None
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"{name} is {text[:20]!r}, not a finite number from 0 on")
    return value


class MeasurementsFile:
    """A measurements file that rows are appended to, by one process at a time.

    Made with its header where there is none; damaged rows of an earlier run are put aside.
    Raises FileError when it cannot be written, or another process is writing to it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle = self._opened()
        try:
            self._lock()
            if not os.fstat(self._handle).st_size:
                self._write(_HEADER)
            read = read_measurements(path)
            self.rejected = read.rejected
            if read.rejected:
                self._put_aside(read)
        except BaseException:
            self.close()
            raise
        self.rows = read.rows

    def append(self, row: Measurement) -> None:
        """Add a row; it is on the disk when this returns. FileError leaves the file as it was."""
        self._write(row.line)

    def close(self) -> None:
        """Let others write."""
        os.close(self._handle)

    def __enter__(self) -> MeasurementsFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _opened(self) -> int:
        try:
            return os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise self._cannot(error) from None

    def _lock(self) -> None:
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FileError(self.path, "is being written to by another process") from None
        except OSError as error:
            raise self._cannot(error) from None

    def _write(self, text: str) -> None:
        before = os.fstat(self._handle).st_size
        data = text.encode("utf-8")
        try:
            if os.write(self._handle, data) != len(data):
                raise OSError("only a part could be written: is the disk full?")
            os.fsync(self._handle)
        except OSError as error:
            # Half a row would be put aside on resuming; better not to leave it there.
            with suppress(OSError):  # what is no file on a disk cannot be cut
                os.ftruncate(self._handle, before)
            raise self._cannot(error) from None

    def _put_aside(self, read: Read) -> None:
        """Move damaged lines into ``measurements.rejected.csv``, then rewrite the file."""
        aside = self.path.with_suffix(".rejected.csv")
        try:
            with aside.open("a", encoding="utf-8", newline="") as stream:
                for number, line, problem in read.rejected:
                    csv.writer(stream, lineterminator="\n").writerow([number, problem, line])
                stream.flush()
                os.fsync(stream.fileno())
            self._replace(read.rows)
        except OSError as error:
            raise self._cannot(error) from None

    def _replace(self, rows: Sequence[Measurement]) -> None:
        """The header and these rows; the new file comes into its place whole and locked."""
        new = self.path.with_suffix(".csv.new")
        new.write_text("".join([_HEADER, *(row.line for row in rows)]), encoding="utf-8")
        handle = os.open(new, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        os.fsync(handle)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        new.replace(self.path)
        os.close(self._handle)
        self._handle = handle

    def _cannot(self, error: OSError) -> FileError:
        return FileError(self.path, f"cannot be written ({error.strerror or error})")
