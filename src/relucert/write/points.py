"""Labelled points as ``.npz``, for `relucert.read.points` and other programs."""

from __future__ import annotations

import io
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from relucert.errors import QueryError
from relucert.exact import nearest_float
from relucert.write.files import write_atomically

__all__ = ["write_points_npz"]


def write_points_npz(
    points: np.ndarray | Sequence[Sequence[Fraction]], labels: Sequence[int], path: str | Path
) -> None:
    """Write arrays ``points`` (points, inputs) and ``labels`` (points,); same data, same bytes.

    An array keeps its element type; rationals become float64 and must be such numbers. Raises
    QueryError for a point that float64 cannot hold, for entries that are not finite, and for
    labels that do not fit the points; FileError when ``path`` cannot be written.
    """
    array = points if isinstance(points, np.ndarray) else _float_array(points)
    if array.ndim < 2 or array.dtype.kind not in "fiub" or array.dtype.itemsize > 8:
        raise QueryError(f"points of shape {array.shape} and type {array.dtype} cannot be written")
    if len(labels) != len(array):
        raise QueryError(f"there are {len(array)} points but {len(labels)} labels")
    if not np.isfinite(array).all():
        raise QueryError("points must be finite numbers")
    try:
        label_array = np.array([int(label) for label in labels], dtype=np.int64)
    except OverflowError:
        raise QueryError("labels must fit 64 bits") from None
    stream = io.BytesIO()
    # Members of the archive carry a fixed date, so the bytes depend on the data alone.
    np.savez(stream, allow_pickle=False, points=array, labels=label_array)
    write_atomically(path, stream.getvalue())


def _float_array(points: Sequence[Sequence[Fraction]]) -> np.ndarray:
    sizes = {len(point) for point in points}
    if len(sizes) != 1:
        raise QueryError(f"points of different sizes: {sorted(sizes)}" if sizes else "no points")
    array = np.empty((len(points), sizes.pop()))
    for row, point in enumerate(points):
        for column, value in enumerate(point):
            rounded = nearest_float(Fraction(value))
            if not np.isfinite(rounded) or Fraction(rounded) != value:
                raise QueryError(f"point {row}: entry {column} is not a float64 number")
            array[row, column] = rounded
    return array
