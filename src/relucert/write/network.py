"""A network to the file its name asks for, in the shortest float type that holds it exactly."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import scipy.sparse as sp

from relucert.errors import UsageError
from relucert.network import Network
from relucert.write.npz import write_network_npz
from relucert.write.onnx import write_onnx

__all__ = ["fits_float32", "save_network"]

_MOST_ONNX_BYTES = 200_000_000


def fits_float32(network: Network) -> bool:
    """Whether float32 holds every weight, bias and divisor exactly."""
    for layer in network.layers:
        weight = sp.csr_array(layer.weight).data
        arrays = [weight, layer.bias, *([] if layer.divisor is None else [layer.divisor])]
        with np.errstate(over="ignore", under="ignore"):
            if any((values.astype(np.float32) != values).any() for values in arrays):
                return False
    return True


def save_network(network: Network, path: Path) -> str:
    """Write ``.npz`` (always possible) or ``.onnx``; returns the element type that was enough.

    Raises UsageError for other endings and for ONNX beyond 200 MB, FileError when ``path``
    cannot be written.
    """
    element: Literal["float32", "float64"] = "float32" if fits_float32(network) else "float64"
    if path.suffix == ".npz":
        write_network_npz(network, path)
        return element
    if path.suffix != ".onnx":
        raise UsageError(f"{path}: networks are written as .onnx or .npz")
    entries = sum(layer.output_size * (layer.input_size + 1) for layer in network.layers)
    size = entries * np.dtype(element).itemsize
    if size > _MOST_ONNX_BYTES:
        raise UsageError(
            f"{path}: would take {size / 1e6:.0f} MB, as ONNX stores zeros too "
            f"(limit {_MOST_ONNX_BYTES / 1e6:.0f} MB); write .npz instead"
        )
    write_onnx(network, path, element)
    return element
