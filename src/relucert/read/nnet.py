"""The Stanford ``.nnet`` text format (Julian and others, "NNet", SISL).

After comment lines starting with ``//`` come, separated by commas: the number of layers, inputs,
outputs and the largest layer; the layer sizes; an unused flag; the smallest and the largest
inputs; means and ranges (one each input, then one for all outputs); then for each layer its
weight matrix row by row and its biases, one a line.

The function read is ``range_out * N((x - mean) / range) + mean_out``: the normalisation and the
scaling of the outputs are part of it. The evaluator of the format also clips x to the smallest
and largest inputs; that is left out (and noted), so queries should stay within these. A decimal
means the float64 nearest to it.
"""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from relucert.errors import FileError
from relucert.network import Layer, Network
from relucert.read.files import read_text

__all__ = ["read_nnet"]

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_MAX_LAYERS = 100_000


def read_nnet(path: str | Path) -> Network:
    """Read a ``.nnet`` or ``.nnet.gz`` network; raises FileError naming the line."""
    path = Path(path)
    lines = _Lines(path, read_text(path))
    counts = lines.naturals("the header (layers, inputs, outputs, largest layer)")
    if len(counts) != 4 or not 1 <= counts[0] <= _MAX_LAYERS:
        raise lines.error("the header needs four numbers: layers, inputs, outputs, largest layer")
    sizes = lines.naturals("the layer sizes")
    if len(sizes) != counts[0] + 1 or sizes[0] != counts[1] or sizes[-1] != counts[2]:
        raise lines.error(f"layer sizes {sizes[:6]} do not fit the header {counts}")
    lines.next("the unused flag")
    smallest = lines.numbers(sizes[0], "smallest inputs")
    largest = lines.numbers(sizes[0], "largest inputs")
    means = lines.numbers(sizes[0] + 1, "means (inputs, then output)")
    ranges = lines.numbers(sizes[0] + 1, "ranges (inputs, then output)")
    if not ranges[:-1].all():
        raise lines.error("a range of the inputs is zero")
    hidden = [
        _stored_layer(lines, columns, rows, relu=index < counts[0] - 1)
        for index, (columns, rows) in enumerate(pairwise(sizes))
    ]
    lines.finish()
    layers = [
        *_normalisation(means[:-1], ranges[:-1]),
        *hidden,
        *_denormalisation(sizes[-1], means[-1], ranges[-1]),
    ]
    note = (
        f"inputs are not clipped to the stored limits {smallest.tolist()} .. {largest.tolist()}"
        if len(smallest) <= 8
        else "inputs are not clipped to the stored limits"
    )
    name = path.name.removesuffix(".gz").removesuffix(".nnet")
    return Network(tuple(layers), name, (sizes[0],), (note,))


def _stored_layer(lines: _Lines, columns: int, rows: int, relu: bool) -> Layer:
    weight = [lines.numbers(columns, "weights") for _ in range(rows)]
    bias = [lines.numbers(1, "bias")[0] for _ in range(rows)]
    return Layer(np.array(weight), np.array(bias), np.full(rows, relu))


def _normalisation(means: np.ndarray, ranges: np.ndarray) -> list[Layer]:
    """``(x - mean) / range`` as a layer with divisors; none where it changes nothing."""
    if not means.any() and (ranges == 1).all():
        return []
    sign = np.sign(ranges)
    diagonal = sp.csr_array(sp.diags_array(sign))
    relu = np.zeros(len(means), dtype=bool)
    return [Layer(diagonal, -sign * means, relu, np.abs(ranges))]


def _denormalisation(size: int, mean: float, scale: float) -> list[Layer]:
    """``scale * y + mean`` as a layer; none where it changes nothing."""
    if mean == 0 and scale == 1:
        return []
    diagonal = sp.csr_array(sp.diags_array(np.full(size, scale)))
    return [Layer(diagonal, np.full(size, mean), np.zeros(size, dtype=bool))]


class _Lines:
    """The lines of the file one after the other, with their numbers for messages."""

    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        self._lines = text.splitlines()
        self._at = 0

    def error(self, problem: str) -> FileError:
        return FileError(self._path, problem, f"line {self._at}")

    def next(self, what: str) -> str:
        """The next line that is neither empty nor a comment."""
        while self._at < len(self._lines):
            line = self._lines[self._at].strip()
            self._at += 1
            if line and not line.startswith("//"):
                return line
        raise FileError(self._path, f"ends where {what} should follow", f"line {self._at}")

    def finish(self) -> None:
        """Raise FileError when anything but empty lines is left."""
        for line in self._lines[self._at :]:
            self._at += 1
            if line.strip():
                raise self.error("more numbers than the header announces")

    def _parts(self, what: str) -> list[str]:
        parts = [part.strip() for part in self.next(what).split(",")]
        return parts[:-1] if len(parts) > 1 and not parts[-1] else parts

    def naturals(self, what: str) -> list[int]:
        """A line of positive whole numbers."""
        parts = self._parts(what)
        if not all(part.isascii() and part.isdigit() and len(part) < 9 for part in parts):
            raise self.error(f"{what}: not whole numbers")
        if not all(int(part) for part in parts):
            raise self.error(f"{what}: zero is not a size")
        return [int(part) for part in parts]

    def numbers(self, count: int, what: str) -> np.ndarray:
        """A line of ``count`` decimals, each as its nearest float64."""
        parts = self._parts(what)
        if len(parts) != count:
            raise self.error(f"{len(parts)} {what}, not {count}")
        for part in parts:
            if not part.isascii() or _NUMBER.fullmatch(part) is None:
                raise self.error(f"{what}: not a number: {part[:40]!r}")
        values = np.array([float(part) for part in parts])
        if not np.isfinite(values).all():
            raise self.error(f"{what}: a number exceeds the range of float64")
        return values
