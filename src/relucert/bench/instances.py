"""Lists of (family, network, property, time limit, expected answer)."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from relucert.errors import FileError
from relucert.read.files import read_text

__all__ = ["Instance", "read_list"]

_REQUIRED = ("family", "network", "property")
_EXPECTED = {"sat": "violated", "unsat": "proved", "holds": "proved",
             "violated": "violated", "proved": "proved", "": "", "unknown": ""}  # fmt: skip


@dataclass(frozen=True)
class Instance:
    """One line of the list; paths as written there, and where they lead."""

    family: str
    network: str
    query: str
    timeout: float
    expected: str
    folder: Path

    @property
    def key(self) -> tuple[str, str]:
        """What identifies the instance in a results file."""
        return self.network, self.query


def read_list(path: str | Path) -> list[Instance]:
    """Read a CSV with columns family, network, property and optionally timeout_s, expected.

    Paths are relative to the list's folder. Raises FileError with the line at fault.
    """
    path = Path(path)
    reader = csv.DictReader(io.StringIO(read_text(path)))
    try:
        missing = [name for name in _REQUIRED if name not in (reader.fieldnames or [])]
        if missing:
            raise FileError(path, f"has no column {missing[0]!r}", "line 1")
        found: dict[tuple[str, str], tuple[int, Instance]] = {}
        for row in reader:
            one = _instance(path, reader.line_num, row)
            line, _ = found.setdefault(one.key, (reader.line_num, one))
            if line != reader.line_num:
                problem = f"the same network and property as line {line}; remove one"
                raise FileError(path, problem, f"line {reader.line_num}")
        return [one for _, one in found.values()]
    except csv.Error as error:
        place = f"line {reader.reader.line_num}"
        raise FileError(path, f"is not a table ({error})", place) from None


def _instance(path: Path, line: int, row: dict[str, str | None]) -> Instance:
    expected = (row.get("expected") or "").strip().lower()
    if expected not in _EXPECTED:
        raise FileError(path, f"expected answer {expected!r} is not sat or unsat", f"line {line}")
    text = row.get("timeout_s") or "inf"
    try:
        timeout = float(text)
    except ValueError:
        raise FileError(path, f"time limit {text!r} is not a number", f"line {line}") from None
    if not timeout > 0:
        raise FileError(path, f"time limit {text} is not positive", f"line {line}")
    names = [(row.get(name) or "").strip() for name in _REQUIRED]
    if not all(names):
        raise FileError(path, "an empty cell", f"line {line}")
    family, network, query = names
    return Instance(family, network, query, timeout, _EXPECTED[expected], path.parent)
