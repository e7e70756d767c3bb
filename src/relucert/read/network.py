"""Reading a network of any supported format by its file name."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

from relucert.errors import FileError, RelucertError
from relucert.network import Network
from relucert.read.files import read_bytes
from relucert.read.nnet import read_nnet
from relucert.read.npz import read_network_npz
from relucert.read.onnx import read_onnx
from relucert.read.onnx_model import decode_model, other_files

__all__ = ["network_content", "read_network"]

_READERS: dict[str, Callable[[Path], Network]] = {
    ".onnx": read_onnx,
    ".onnx.gz": read_onnx,
    ".nnet": read_nnet,
    ".nnet.gz": read_nnet,
    ".npz": read_network_npz,
}


def read_network(path: str | Path) -> Network:
    """Read a network: ``.onnx``, ``.nnet`` (both also ``.gz``) or relucert's own ``.npz``.

    Raises FileError (one line: file, node or line, what to do) on anything that cannot be read,
    UnsupportedOperatorError on operators that are not piecewise linear.
    """
    path = Path(path)
    reader = next((r for suffix, r in _READERS.items() if path.name.endswith(suffix)), None)
    if reader is None:
        known = ", ".join(_READERS)
        raise FileError(path, f"unknown kind of network file; known are {known}")
    try:
        return reader(path)
    except RelucertError:
        raise
    except (ValueError, IndexError, KeyError, TypeError, OverflowError, struct.error) as error:
        # Malformed content that no reader foresaw: still one line for the user.
        raise FileError(path, f"malformed content ({type(error).__name__}: {error})") from error
    except MemoryError:
        raise FileError(path, "needs more memory than there is") from None


def network_content(path: str | Path) -> bytes:
    """All that a network is read from, for a proof to name; decompressed where it is ``.gz``.

    Raises FileError where other files hold some of its numbers: a hash of this one would not fix
    them.
    """
    path = Path(path)
    if path.name.endswith((".onnx", ".onnx.gz")):
        others = other_files(decode_model(path))
        if others:
            words = f"has weights in another file ({others[0]!r}), which a proof does not name"
            raise FileError(path, f"{words}; save the model as one file for this")
    return read_bytes(path)
