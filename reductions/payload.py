"""The files of a bundle that other tools read: points, or a network and its property."""

from __future__ import annotations

import dataclasses
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from reductions.problems.network_verification import NetworkVerification
from reductions.problems.problem import Problem
from reductions.problems.robust_memorization import RobustMemorization
from relucert.errors import UsageError
from relucert.exact import format_rational, nearest_float
from relucert.write.files import write_atomically
from relucert.write.npz import write_network_npz
from relucert.write.onnx import write_onnx
from relucert.write.points import write_points_npz
from relucert.write.vnnlib import write_vnnlib

__all__ = ["ANSWER_WORDS", "DENSE_LIMIT", "Payload", "write_payload"]

DENSE_LIMIT = 200_000_000
"""Bytes of float32 weights or points up to which the dense formats are written."""

CSV_LIMIT = 10_000_000
"""Cells up to which the points are also written as text."""

ANSWER_WORDS = {
    RobustMemorization.name: {True: "memorizable", False: "not memorizable"},
    NetworkVerification.name: {True: "sat", False: "unsat"},
}
"""What yes and no mean for each target; for verification the words of VNN-LIB."""


@dataclass(frozen=True)
class Payload:
    """The names of the files written, the question in one line, and remarks for the reader."""

    files: tuple[str, ...]
    question: str
    notes: tuple[str, ...] = ()


def write_payload(target: Problem[Any], directory: Path, remarks: Sequence[str] = ()) -> Payload:
    """Write a target's files; UsageError for problems that bundles are not made for.

    ``remarks`` go into the files whose format has a place for them.
    """
    if isinstance(target, RobustMemorization):
        return _write_memorization(target, directory)
    if isinstance(target, NetworkVerification):
        return _write_verification(target, directory, remarks)
    known = " and ".join(ANSWER_WORDS)
    raise UsageError(f"bundles are made for {known}, not for {target.name}")


def _write_memorization(target: RobustMemorization, directory: Path) -> Payload:
    question = (
        f"is there a ReLU network of depth {target.depth} and width {target.width} whose sign is "
        f"the label on the whole l_inf ball of radius {format_rational(target.budget)} around "
        "every point?"
    )
    points = _float_points(target)
    labels = np.array(target.labels, dtype=np.int64)
    size = points.dtype.itemsize * points.shape[0] * points.shape[1]
    if size > DENSE_LIMIT:
        write_atomically(directory / "points.npz", _sparse_archive(points, labels))
        note = (
            f"the points are sparse: dense they would take {size:,} bytes (limit "
            f"{DENSE_LIMIT:,}); points.npz holds points_data, points_indices, points_indptr and "
            "points_shape (CSR) and labels"
        )
        return Payload(("points.npz",), question, (note,))
    write_points_npz(points.toarray(), target.labels, directory / "points.npz")
    if points.shape[0] * points.shape[1] > CSV_LIMIT:
        return Payload(("points.npz",), question, ("no CSV file: the points are too many",))
    write_atomically(directory / "points.csv", _table(target))
    return Payload(("points.npz", "points.csv"), question)


def _float_points(target: RobustMemorization) -> sp.csr_array:
    """The points as a sparse matrix, float32 where that is exact, else float64."""
    entries = [entry for point in target.points for entry in point]
    floats = {value: _exact_float(value) for value in {value for _, value in entries}}
    narrow = all(float(np.float32(value)) == value for value in floats.values())
    lengths = [len(point) for point in target.points]
    return sp.csr_array(
        (
            np.array([floats[value] for _, value in entries], dtype="f4" if narrow else "f8"),
            np.array([index for index, _ in entries], dtype=np.int64),
            np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        ),
        shape=(len(target.points), target.dimension),
    )


def _exact_float(value: Fraction) -> float:
    rounded = nearest_float(value)
    if not math.isfinite(rounded) or Fraction(rounded) != value:
        raise UsageError(
            f"the coordinate {format_rational(value)} is not a float: choose a scale that is a "
            "power of two"
        )
    return rounded


def _sparse_archive(points: sp.csr_array, labels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    # Members of the archive carry a fixed date, so the bytes depend on the data alone.
    np.savez_compressed(
        stream,
        allow_pickle=False,
        points_data=points.data,
        points_indices=points.indices,
        points_indptr=points.indptr,
        points_shape=np.array(points.shape, dtype=np.int64),
        labels=labels,
    )
    return stream.getvalue()


def _table(target: RobustMemorization) -> str:
    """One point a line, exact decimals, the label last."""
    lines = [",".join([*(f"x{index}" for index in range(target.dimension)), "label"])]
    for point, label in zip(target.points, target.labels, strict=True):
        cells = ["0"] * target.dimension
        for index, value in point:
            cells[index] = format_rational(value)
        lines.append(",".join([*cells, str(label)]))
    return "\n".join(lines) + "\n"


def _write_verification(
    target: NetworkVerification, directory: Path, remarks: Sequence[str]
) -> Payload:
    network = dataclasses.replace(target.network, notes=(*target.network.notes, *remarks))
    question = "is there an input in the box of property.vnnlib with an unsafe output?"
    write_vnnlib(target.query, directory / "property.vnnlib", remarks)
    size = 4 * sum(layer.input_size * layer.output_size for layer in network.layers)
    if size <= DENSE_LIMIT:
        write_onnx(network, directory / "network.onnx")
        return Payload(("network.onnx", "property.vnnlib"), question)
    write_network_npz(network, directory / "network.npz")
    note = (
        f"no ONNX file: its dense weights would take {size:,} bytes (limit {DENSE_LIMIT:,}); "
        "network.npz holds the same network with sparse weights (CSR)"
    )
    return Payload(("network.npz", "property.vnnlib"), question, (note,))
