"""Every error relucert raises on purpose, in one tree::

    RelucertError
    ├── InputError            what the user handed in is wrong (exit code 2)
    │   ├── FileError         a file is missing, empty, truncated, too large or not of its format
    │   │   └── UnsupportedOperatorError   a network node is not piecewise linear, or not known
    │   ├── QueryError        a box, property, label or radius makes no sense for the network
    │   └── UsageError        options that exclude each other, an unknown solver name
    └── SolverError           a solver is not installed, crashed, or answered nonsense

Messages are one line: what is wrong, where (file, line, node, row), and what to do about it.
"""

from __future__ import annotations

from pathlib import Path

__all__ = [
    "FileError",
    "InputError",
    "QueryError",
    "RelucertError",
    "SolverError",
    "UnsupportedOperatorError",
    "UsageError",
]


class RelucertError(Exception):
    """Base of every error that relucert raises on purpose."""


class InputError(RelucertError):
    """What the user handed in is wrong; the command line exits with code 2."""


class FileError(InputError):
    """A file is missing, empty, truncated, hostile, or not of its format.

    ``path`` is the file, ``place`` the line, node, row or array inside it ("" when the whole
    file is meant), ``problem`` what is wrong and what to do.
    """

    def __init__(self, path: str | Path, problem: str, place: str = "") -> None:
        self.path = str(path)
        self.place = place
        self.problem = " ".join(problem.split())
        where = f"{self.path}: {place}" if place else self.path
        super().__init__(f"{where}: {self.problem}")


class UnsupportedOperatorError(FileError):
    """A network node computes something that relucert cannot represent exactly."""


class QueryError(InputError):
    """A box, property, label or radius makes no sense, or does not fit the network."""


class UsageError(InputError):
    """Options that exclude each other, or a name that is not known."""


class SolverError(RelucertError):
    """A solver is not installed, crashed, or returned something that cannot be read."""
