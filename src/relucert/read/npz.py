"""relucert's own network format: a ``.npz`` archive of plain arrays.

====================================  ========================================================
``format``                            the text ``relucert network 1``
``name``, ``notes``                   text, and an array of texts
``input_shape``                       int64, without the batch
``layers``                            int64, the number of layers
``layer{i}_weight``                   float64 (outputs, inputs), or for a sparse matrix
``layer{i}_weight_{part}``            its CSR parts ``data``, ``indices``, ``indptr``, ``shape``
``layer{i}_bias``, ``layer{i}_relu``  float64 and bool (outputs,)
``layer{i}_divisor``                  float64 (outputs,), only where not all ones
====================================  ========================================================

The weights are the exact float64 values; nothing in the file is executed (no pickles).
"""

from __future__ import annotations

import io
import math
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from relucert.errors import FileError
from relucert.network import Layer, Matrix, Network
from relucert.read.files import MAX_BYTES, read_bytes

__all__ = ["read_network_npz"]

_FORMAT = "relucert network 1"
_MAX_LAYERS = 1_000_000


def read_network_npz(path: str | Path) -> Network:
    """Read a network written by relucert; raises FileError naming the array."""
    path = Path(path)
    try:
        archive = zipfile.ZipFile(io.BytesIO(read_bytes(path)))
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise FileError(path, f"is not a complete .npz archive ({error})") from None
    arrays = _Arrays(path, archive)
    if arrays.optional("format") is None or arrays.text("format") != _FORMAT:
        raise FileError(path, f"is not a network of this format (no entry {_FORMAT!r})", "format")
    count = arrays.naturals("layers")
    if count.size != 1 or not 1 <= count.item() <= _MAX_LAYERS:
        raise FileError(path, "is not a number of layers", "layers")
    layers = tuple(_layer(path, arrays, index) for index in range(count.item()))
    notes = tuple(str(note) for note in arrays.get("notes", "U").reshape(-1))
    shape = tuple(arrays.naturals("input_shape").tolist())
    if math.prod(shape) != layers[0].input_size:
        problem = f"{list(shape)} does not hold {layers[0].input_size} values"
        raise FileError(path, problem, "input_shape")
    try:
        return Network(layers, arrays.text("name"), shape, notes)
    except ValueError as error:
        raise FileError(path, str(error)) from None


def _layer(path: Path, arrays: _Arrays, index: int) -> Layer:
    prefix = f"layer{index}_"
    try:
        weight = _weight(arrays, prefix + "weight")
        bias, relu = arrays.get(prefix + "bias", "f"), arrays.get(prefix + "relu", "b")
        return Layer(weight, bias, relu, arrays.optional(prefix + "divisor"))
    except ValueError as error:
        raise FileError(path, str(error), f"layer {index}") from None


def _weight(arrays: _Arrays, name: str) -> Matrix:
    if arrays.optional(name) is not None:
        return arrays.get(name, "f")
    data = arrays.get(f"{name}_data", "f")
    indices, indptr = arrays.naturals(f"{name}_indices"), arrays.naturals(f"{name}_indptr")
    shape = arrays.naturals(f"{name}_shape")
    if shape.shape != (2,):
        raise ValueError("the shape of the weight is not two numbers")
    rows, columns = (int(size) for size in shape)
    if max(rows, columns) > MAX_BYTES or len(indptr) != rows + 1:
        raise ValueError(f"shape ({rows}, {columns}) does not fit {len(indptr)} row starts")
    starts_fit = indptr[0] == 0 and indptr[-1] == len(data) and not (np.diff(indptr) < 0).any()
    if not starts_fit or len(indices) != len(data) or (indices >= columns).any():
        raise ValueError("the CSR parts of the weight do not fit each other")
    return sp.csr_array((data, indices, indptr), shape=(rows, columns))


class _Arrays:
    """The arrays of an archive, their declared sizes checked before anything is allocated."""

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self._path, self._archive = path, archive
        members = archive.infolist()
        self._names = {member.filename for member in members}
        if len(self._names) != len(members):
            raise FileError(path, "two arrays have the same name")
        total = sum(member.file_size for member in members)
        if total > MAX_BYTES:
            raise FileError(path, f"unpacks to {total:,} bytes (limit {MAX_BYTES:,})")

    def optional(self, name: str) -> np.ndarray | None:
        """The array ``name``, None when there is none; no objects, no surprises in size."""
        if f"{name}.npy" not in self._names:
            return None
        try:
            content = self._archive.read(f"{name}.npy")
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as e:
            raise FileError(self._path, f"cannot be unpacked ({e})", name) from None
        stream = io.BytesIO(content)
        try:
            shape, fortran, dtype = _header(stream)
        except ValueError as error:
            raise FileError(self._path, f"is not an array ({error})", name) from None
        if dtype.hasobject:
            raise FileError(self._path, "holds pickled objects, which are never loaded", name)
        rest = content[stream.tell() :]
        if dtype.itemsize * math.prod(shape) != len(rest) or any(size < 0 for size in shape):
            raise FileError(self._path, f"declares shape {shape} but holds {len(rest)} bytes", name)
        if dtype.itemsize == 0:
            return np.zeros(shape, dtype=dtype)
        array = np.frombuffer(rest, dtype=dtype)
        return array.reshape(shape, order="F" if fortran else "C")

    def get(self, name: str, kind: str) -> np.ndarray:
        """The array ``name`` of dtype kind ``kind`` ("f", "b", "i" or "U")."""
        array = self.optional(name)
        if array is None:
            raise FileError(self._path, "is missing", name)
        if array.dtype.kind != kind or (kind == "f" and array.dtype.itemsize > 8):
            raise FileError(self._path, f"has the wrong element type {array.dtype}", name)
        return array

    def naturals(self, name: str) -> np.ndarray:
        """The integer array ``name``, without negative entries."""
        array = self.get(name, "i")
        if (array < 0).any():
            raise FileError(self._path, "has negative entries", name)
        return array

    def text(self, name: str) -> str:
        """The text ``name``."""
        array = self.get(name, "U")
        if array.size != 1:
            raise FileError(self._path, "is not one text", name)
        return str(array.item())


def _header(stream: io.BytesIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(stream)
    if version == (2, 0):
        return np.lib.format.read_array_header_2_0(stream)
    raise ValueError(f"version {version} of the array format")
