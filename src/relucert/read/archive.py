"""Arrays in a ``.npz`` archive that may be broken or hostile; nothing in it is executed."""

from __future__ import annotations

import io
import lzma
import math
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from relucert.errors import FileError
from relucert.read.files import MAX_BYTES, read_bytes

__all__ = ["Archive"]

# What zipfile and the decompressors behind it raise; RuntimeError is an encrypted member,
# ValueError an offset before the file's beginning or a name that is no text.
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    OSError,
    EOFError,
    RuntimeError,
    NotImplementedError,
    ValueError,
    IndexError,
    OverflowError,
    struct.error,
)


@dataclass(frozen=True)
class Archive:
    """The arrays of an archive, their declared sizes checked before anything is allocated."""

    path: Path
    names: tuple[str, ...]
    _zip: zipfile.ZipFile

    @classmethod
    def open(cls, path: str | Path) -> Archive:
        """Open a ``.npz`` file; raises FileError when it is none, or unpacks to too much."""
        path = Path(path)
        try:
            archive = zipfile.ZipFile(io.BytesIO(read_bytes(path)))
        except _BROKEN as error:
            raise FileError(path, f"is not a complete .npz archive ({error})") from None
        members = archive.infolist()
        if len({member.filename for member in members}) != len(members):
            raise FileError(path, "two arrays have the same name")
        total = sum(member.file_size for member in members)
        if total > MAX_BYTES:
            raise FileError(path, f"unpacks to {total:,} bytes (limit {MAX_BYTES:,})")
        names = (m.filename for m in members if m.filename.endswith(".npy"))
        return cls(path, tuple(name.removesuffix(".npy") for name in names), archive)

    def optional(self, name: str) -> np.ndarray | None:
        """The array ``name``, None when there is none; no objects, no surprises in size."""
        try:
            self._zip.getinfo(f"{name}.npy")  # the names themselves would be searched one by one
        except KeyError:
            return None
        try:
            content = self._zip.read(f"{name}.npy")
        except _BROKEN as error:
            raise FileError(self.path, f"cannot be unpacked ({error})", name) from None
        stream = io.BytesIO(content)
        try:
            shape, fortran, dtype = _header(stream)
        except ValueError as error:
            raise FileError(self.path, f"is not an array ({error})", name) from None
        if dtype.hasobject:
            raise FileError(self.path, "holds pickled objects, which are never loaded", name)
        rest = content[stream.tell() :]
        if dtype.itemsize * math.prod(shape) != len(rest) or any(size < 0 for size in shape):
            raise FileError(self.path, f"declares shape {shape} but holds {len(rest)} bytes", name)
        if dtype.itemsize == 0:
            if math.prod(shape) > 1:
                raise FileError(self.path, f"declares shape {shape} of empty entries", name)
            return np.zeros(shape, dtype=dtype)
        array = np.frombuffer(rest, dtype=dtype)
        return array.reshape(shape, order="F" if fortran else "C")

    def get(self, name: str, kind: str) -> np.ndarray:
        """The array ``name`` of dtype kind ``kind`` ("f", "b", "i" or "U")."""
        array = self.optional(name)
        if array is None:
            raise FileError(self.path, "is missing", name)
        if array.dtype.kind != kind or (kind == "f" and array.dtype.itemsize > 8):
            raise FileError(self.path, f"has the wrong element type {array.dtype}", name)
        return array

    def naturals(self, name: str) -> np.ndarray:
        """The integer array ``name``, without negative entries."""
        array = self.get(name, "i")
        if (array < 0).any():
            raise FileError(self.path, "has negative entries", name)
        return array

    def text(self, name: str) -> str:
        """The text ``name``."""
        array = self.get(name, "U")
        if array.size != 1:
            raise FileError(self.path, "is not one text", name)
        return str(array.item())


def _header(stream: io.BytesIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(stream)
    if version == (2, 0):
        return np.lib.format.read_array_header_2_0(stream)
    raise ValueError(f"version {version} of the array format")
