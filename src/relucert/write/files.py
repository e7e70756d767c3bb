"""Writing files so that a reader never meets half of one."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from relucert.errors import FileError

__all__ = ["check_target", "make_folder", "write_atomically"]


def write_atomically(path: str | Path, content: bytes | str) -> None:
    """Write ``content`` to a temporary file beside ``path``, then rename it.

    Text is written as UTF-8; what that cannot hold, as of a file name that is no text, as
    ``\\udc..``. Raises FileError when the folder is missing or cannot be written
    to; an existing file is then left as it was.
    """
    path = Path(path)
    data = content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(path)
        except BaseException:  # an interrupt too must not leave half a file behind
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise FileError(path, f"cannot be written ({error.strerror or error})") from None


def check_target(path: Path | None, *, folder: bool = False) -> None:
    """Raise FileError when a file (or a folder of files) cannot be written at ``path``.

    For asking before a long computation; nothing is created. None is always fine.
    """
    if path is None:
        return
    if folder:
        if path.exists() and not path.is_dir():
            raise FileError(path, "is a file, a folder is needed")
        place = next(p for p in (path, *path.absolute().parents) if p.exists())
    else:
        if path.is_dir():
            raise FileError(path, "cannot be written (it is a folder)")
        place = path.parent
        if not place.exists():
            raise FileError(path, f"cannot be written (there is no folder {str(place)!r})")
    if not (place.is_dir() and os.access(place, os.W_OK | os.X_OK)):
        raise FileError(path, f"cannot be written ({str(place)!r} is not a folder to write to)")


def make_folder(path: Path) -> None:
    """Create a folder and those above it; raises FileError where that is not possible."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(path, f"cannot be made a folder ({error.strerror or error})") from None


def _umask() -> int:
    """The process's file mode mask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
