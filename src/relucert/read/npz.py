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

import math
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from relucert.errors import FileError
from relucert.network import Layer, Matrix, Network
from relucert.read.archive import Archive
from relucert.read.files import MAX_BYTES

__all__ = ["read_network_npz"]

_FORMAT = "relucert network 1"
_MAX_LAYERS = 1_000_000


def read_network_npz(path: str | Path) -> Network:
    """Read a network written by relucert; raises FileError naming the array."""
    path = Path(path)
    arrays = Archive.open(path)
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


def _layer(path: Path, arrays: Archive, index: int) -> Layer:
    prefix = f"layer{index}_"
    try:
        weight = _weight(arrays, prefix + "weight")
        bias, relu = arrays.get(prefix + "bias", "f"), arrays.get(prefix + "relu", "b")
        return Layer(weight, bias, relu, arrays.optional(prefix + "divisor"))
    except ValueError as error:
        raise FileError(path, str(error), f"layer {index}") from None


def _weight(arrays: Archive, name: str) -> Matrix:
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
