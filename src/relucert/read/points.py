"""Labelled points from ``.npz`` archives and ``.csv`` tables, exactly as stored."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from pathlib import Path

import numpy as np

from relucert.errors import FileError
from relucert.exact import nearest_float, parse_rational
from relucert.read.archive import Archive
from relucert.read.points_csv import read_cells

__all__ = ["LabelledPoints", "read_points"]

_POINTS = ("points", "x", "X", "images")
_LABELS = ("labels", "label", "y", "Y")
_INT64 = np.iinfo(np.int64)
_ALL_INTEGERS = 2.0**53


@dataclass(frozen=True, eq=False)
class LabelledPoints:
    """Points of equal size with integer labels, read from the file ``name``.

    labels: int64 (points,), read-only. The coordinates stay as stored (an array, or the cells of
    every row) and become rationals one point at a time.
    """

    labels: np.ndarray
    name: str
    _stored: np.ndarray | tuple[str, ...] = field(repr=False)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def input_size(self) -> int:
        """Coordinates of a point."""
        stored = self._stored
        if isinstance(stored, np.ndarray):
            return int(stored.shape[1])
        return stored[0].count(",") + 1

    def point(self, index: int) -> tuple[Fraction, ...]:
        """The exact coordinates of one point; raises IndexError beyond the last."""
        row = self._stored[index]
        if isinstance(row, str):
            return tuple(parse_rational(cell) for cell in row.split(","))
        return tuple(Fraction(value) for value in row.tolist())

    def label(self, index: int) -> int:
        """The label of one point."""
        return int(self.labels[index])

    @cached_property
    def values(self) -> np.ndarray:
        """The nearest float64 values, (points, inputs), read-only, for work on many points."""
        if isinstance(self._stored, np.ndarray):
            values = self._stored.astype(np.float64)
        else:
            values = np.array([_nearest_floats(row) for row in self._stored])
        values.setflags(write=False)
        return values

    @cached_property
    def exact(self) -> bool:
        """Whether ``values`` are the points themselves, none of them rounded."""
        stored = self._stored
        if not isinstance(stored, np.ndarray):
            cells = {cell for row in stored for cell in row.split(",")}
            return all(Fraction(_nearest_floats(cell)[0]) == parse_rational(cell) for cell in cells)
        if stored.dtype.kind == "f" or bool((np.abs(self.values) < _ALL_INTEGERS).all()):
            return True
        return all(
            tuple(map(Fraction, row.tolist())) == self.point(index)
            for index, row in enumerate(self.values)
        )


def read_points(path: str | Path, label_column: str | None = None) -> LabelledPoints:
    """Read labelled points from ``.npz``, or else from comma-separated text (also ``.csv.gz``).

    npz: an array ``points`` (or x, X, images), first axis the points, the others flattened, of
    float16 to float64 or integers; and an array ``labels`` (or label, y, Y) of integers. csv: a
    header is optional; cells are exact decimals; the label stands in the column called label, else
    y, else the last; empty lines and lines that start with # are skipped. ``label_column`` names
    the label array or column (or says its number, from 1).

    Raises FileError naming the row or the line and column: cells or entries that are not
    finite numbers, ragged rows, labels that are not integers, pickled or missing arrays.
    """
    path = Path(path)
    if path.suffix == ".npz":
        return _from_archive(Archive.open(path), label_column)
    cells, labels = read_cells(path, label_column)
    return LabelledPoints(_read_only(labels), path.name, cells)


def _from_archive(archive: Archive, label_column: str | None) -> LabelledPoints:
    points_name = _choose(archive, _POINTS, "points")
    labels_name = label_column or _choose(archive, _LABELS, "labels")
    points, labels = archive.optional(points_name), archive.optional(labels_name)
    if points is None or labels is None:
        names = ", ".join(archive.names)
        raise FileError(archive.path, f"there is no such array; it has {names}", labels_name)
    if points.ndim < 2 or points.size == 0:
        problem = f"has shape {points.shape}; expected (points, inputs), neither of them zero"
        raise FileError(archive.path, problem, points_name)
    if points.dtype.kind not in "fiub" or points.dtype.itemsize > 8:
        problem = f"has the element type {points.dtype}, not float16 to float64 or integers"
        raise FileError(archive.path, problem, points_name)
    if labels.size != len(points):
        problem = f"has shape {labels.shape}, one label for each of the {len(points)} points"
        raise FileError(archive.path, f"{problem} is needed", labels_name)
    flat = points.reshape(len(points), -1)
    wrong = np.argwhere(~np.isfinite(flat))
    if len(wrong):
        row, column = wrong[0].tolist()
        problem = f"entry {column} is {flat[row, column].item()}, not a finite number"
        raise FileError(archive.path, problem, f"{points_name} row {row}")
    return LabelledPoints(
        _label_array(archive.path, labels.reshape(-1), labels_name), archive.path.name, flat
    )


def _choose(archive: Archive, wanted: tuple[str, ...], what: str) -> str:
    found = [name for name in wanted if name in archive.names]
    if len(found) == 1:
        return found[0]
    if found:
        problem = f"has {' and '.join(found)}: which of them are the {what}? Keep one"
    else:
        problem = f"has no array {what!r} (or {', '.join(wanted[1:])}), only: "
        problem += ", ".join(archive.names) or "nothing"
    raise FileError(archive.path, problem)


def _label_array(path: Path, labels: np.ndarray, name: str) -> np.ndarray:
    if labels.dtype.kind not in "fiub":
        raise FileError(path, f"has the element type {labels.dtype}, not integers", name)
    for row, label in enumerate(labels.tolist()):
        if not math.isfinite(label) or int(label) != label:
            raise FileError(path, f"label {label!r} is not an integer", f"{name} row {row}")
        if not _INT64.min <= label <= _INT64.max:
            raise FileError(path, f"label {label!r} is too large", f"{name} row {row}")
    return _read_only([int(label) for label in labels.tolist()])


def _read_only(labels: list[int]) -> np.ndarray:
    own = np.array(labels, dtype=np.int64)
    own.setflags(write=False)
    return own


def _nearest_floats(row: str) -> list[float]:
    return [
        nearest_float(parse_rational(cell)) if "/" in cell else float(cell)
        for cell in row.split(",")
    ]
