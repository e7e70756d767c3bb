"""relucert's own network format; `relucert.read.npz` describes it."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from relucert.network import Network
from relucert.write.files import write_atomically

__all__ = ["write_network_npz"]


def write_network_npz(network: Network, path: str | Path) -> None:
    """Write every weight bit for bit; the same network gives the same bytes.

    Raises FileError when ``path`` cannot be written.
    """
    arrays: dict[str, np.ndarray] = {
        "format": np.array("relucert network 1"),
        "name": np.array(network.name),
        "notes": np.array(network.notes, dtype=np.str_),
        "input_shape": np.array(network.input_shape, dtype=np.int64),
        "layers": np.array(len(network.layers), dtype=np.int64),
    }
    for index, layer in enumerate(network.layers):
        prefix = f"layer{index}_"
        if isinstance(layer.weight, np.ndarray):
            arrays[f"{prefix}weight"] = layer.weight
        else:
            for part in ("data", "indices", "indptr"):
                dtype = np.float64 if part == "data" else np.int64
                arrays[f"{prefix}weight_{part}"] = getattr(layer.weight, part).astype(dtype)
            arrays[f"{prefix}weight_shape"] = np.array(layer.weight.shape, dtype=np.int64)
        arrays[f"{prefix}bias"] = layer.bias
        arrays[f"{prefix}relu"] = layer.relu
        if layer.divisor is not None:
            arrays[f"{prefix}divisor"] = layer.divisor
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=False, **arrays)  # zip entries carry a fixed date: same bytes
    write_atomically(path, stream.getvalue())
