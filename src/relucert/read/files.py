"""Opening files that may be missing, compressed, truncated or hostile."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from relucert.errors import FileError

__all__ = ["read_bytes", "read_text"]

MAX_BYTES = 2 * 1024**3
_CHUNK = 1 << 20


def read_bytes(path: str | Path, limit: int = MAX_BYTES) -> bytes:
    """The content of ``path``, decompressed when its name ends in ``.gz``.

    Raises FileError when the file is missing, a directory, unreadable, empty, a broken gzip
    stream, or longer than ``limit`` bytes after decompression.
    """
    path = Path(path)
    try:
        with path.open("rb") as raw:
            content = _read_gzip(raw, path, limit) if path.suffix == ".gz" else raw.read(limit + 1)
    except FileNotFoundError:
        raise FileError(path, "no such file") from None
    except IsADirectoryError:
        raise FileError(path, "is a directory, not a file") from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise FileError(path, f"broken gzip stream ({error})") from None
    except OSError as error:
        raise FileError(path, f"cannot be read ({error.strerror or error})") from None
    if len(content) > limit:
        raise FileError(path, f"holds more than the limit of {limit:,} bytes")
    if not content:
        raise FileError(path, "is empty")
    return content


def _read_gzip(raw: object, path: Path, limit: int) -> bytes:
    """Decompress piece by piece, so that a small file cannot fill the memory."""
    pieces, total = [], 0
    with gzip.GzipFile(fileobj=raw) as stream:  # type: ignore[call-overload]
        while piece := stream.read(_CHUNK):
            total += len(piece)
            if total > limit:
                raise FileError(path, f"decompresses to more than the limit of {limit:,} bytes")
            pieces.append(piece)
    return b"".join(pieces)


def read_text(path: str | Path, limit: int = MAX_BYTES) -> str:
    """Like `read_bytes`, as UTF-8 text; raises FileError where it is not."""
    try:
        return read_bytes(path, limit).decode("utf-8")
    except UnicodeDecodeError as error:
        raise FileError(path, "is not UTF-8 text", f"byte {error.start}") from None
