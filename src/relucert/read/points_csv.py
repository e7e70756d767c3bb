"""Labelled points as comma-separated text: header, cells, label column."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from relucert.errors import FileError
from relucert.exact import nearest_float, parse_rational
from relucert.read.files import read_text

__all__ = ["read_cells"]

_LABEL_NAMES = ("label", "y")
_PLAIN = re.compile(r"[0-9+\-., ]*")
_PLAIN_WIDTH = 300  # wider numbers may leave the float64 range
_INT64 = range(-(2**63), 2**63)


@dataclass(frozen=True)
class _Columns:
    """The columns of a table; ``names`` is empty without a header, ``label`` counts from 0."""

    path: Path
    count: int
    names: tuple[str, ...]
    label: int

    def place(self, line: int, column: int) -> str:
        """Where a cell is, as messages say it (columns without a name count from 1)."""
        name = repr(self.names[column]) if self.names else str(column + 1)
        return f"line {line}, column {name}"


def read_cells(path: Path, label_column: str | None) -> tuple[tuple[str, ...], list[int]]:
    """The coordinates of every point, as checked cells joined by commas, and the labels.

    Raises FileError naming line and column; `relucert.read.points` describes the format.
    """
    rows = _rows(path)
    line, first = next(rows, (0, []))
    if not first:
        raise FileError(path, "holds no rows")
    columns, is_header = _columns(path, line, first, label_column)
    points: list[str] = []
    labels: list[int] = []
    if not is_header:
        _take(columns, line, first, points, labels)
    for line, cells in rows:
        _take(columns, line, cells, points, labels)
    if not points:
        raise FileError(path, "has a header but no points")
    return tuple(points), labels


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Rows with their lines; empty lines and lines that start with # are skipped."""
    reader = csv.reader(
        io.StringIO(read_text(path).removeprefix("\ufeff"), newline=""), skipinitialspace=True
    )
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise FileError(path, f"is not a table ({error})", f"line {reader.line_num}") from None
        if cells is None:
            return
        cells = [cell.strip() for cell in cells]
        if any(cells) and not cells[0].startswith("#"):
            yield reader.line_num, cells


def _columns(
    path: Path, line: int, first: list[str], label_column: str | None
) -> tuple[_Columns, bool]:
    """The columns, and whether the first row is their header.

    It is when no cell is a number or one of them names the label column; a first row in which
    only some cell is spoilt must not vanish as a header.
    """
    if len(first) < 2:
        problem = "has one column; expected coordinates and a label, separated by commas"
        raise FileError(path, problem, f"line {line}")
    named = [i for i, name in enumerate(first) if name.lower() in _LABEL_NAMES]
    exactly = [i for i in named if first[i].lower() == "label"]
    if len(exactly) == 1:
        named = exactly  # beside it y is a coordinate, as x is
    is_header = (
        bool(named)
        or (label_column in first and not _is_number(label_column))
        or not any(_is_number(cell) for cell in first)
    )
    names = tuple(first) if is_header else ()
    if label_column is not None:
        label = _wanted(path, names, len(first), label_column)
    elif len(named) > 1:
        problem = "several columns could hold the label: name it by --label-column"
        raise FileError(path, problem, f"line {line}")
    else:
        label = named[0] if named else len(first) - 1
    return _Columns(path, len(first), names, label), is_header


def _wanted(path: Path, names: tuple[str, ...], count: int, label_column: str) -> int:
    if names.count(label_column) == 1:
        return names.index(label_column)
    if re.fullmatch(r"[0-9]{1,9}", label_column) and 1 <= int(label_column) <= count:
        return int(label_column) - 1
    known = f" or one of {', '.join(names[:8])}" if names else " (there is no header)"
    problem = f"no label column {label_column!r}: it is a number from 1 to {count}{known}"
    raise FileError(path, problem)


def _is_number(cell: str | None) -> bool:
    try:
        parse_rational(cell or "")
    except ValueError:
        return False
    return True


def _take(
    columns: _Columns, line: int, cells: list[str], points: list[str], labels: list[int]
) -> None:
    """Check a row and append its point and label."""
    if len(cells) != columns.count:
        problem = f"has {len(cells)} cells, the first row {columns.count}"
        raise FileError(columns.path, problem, f"line {line}")
    joined = ",".join(cells)
    if not _PLAIN.fullmatch(joined) or max(map(len, cells)) > _PLAIN_WIDTH or not _floats(cells):
        _check_cells(columns, line, cells)
    label = parse_rational(cells.pop(columns.label))
    if label.denominator != 1 or int(label) not in _INT64:
        problem = "the label is not an integer, or too large"
        raise FileError(columns.path, problem, columns.place(line, columns.label))
    labels.append(int(label))
    points.append(",".join(cells))


def _floats(cells: list[str]) -> bool:
    """Whether all cells of digits, signs and points are numbers; fast, as most rows are fine."""
    try:
        return all(map(math.isfinite, map(float, cells)))
    except ValueError:
        return False


def _check_cells(columns: _Columns, line: int, cells: list[str]) -> None:
    for column, cell in enumerate(cells):
        try:
            value = parse_rational(cell)
        except ValueError as error:
            problem = "is empty" if not cell else str(error)
            raise FileError(columns.path, problem, columns.place(line, column)) from None
        if not math.isfinite(nearest_float(value)):
            problem = "is beyond the range of float64"
            raise FileError(columns.path, problem, columns.place(line, column))
