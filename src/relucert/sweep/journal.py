"""The journal: a line for every finished item, appended and synced before the item counts.

First line: ``relucert sweep journal 1 DIGEST``, the digest being that of the sweep's settings.
Every other line: a CRC-32 in eight hexadecimal digits, a space, and a JSON array of the fields
of `Row`. A line that was cut off, or damaged anywhere, is no row: it is set aside and reported,
and its item is done again.
"""

from __future__ import annotations

import json
import math
import os
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from relucert.errors import FileError
from relucert.write.files import write_atomically

__all__ = ["Journal", "Row", "SetAside", "read_journal"]

_MAGIC = "relucert sweep journal 1"
_VERDICTS = ("proved", "violated", "unknown")
_CHECKSUM_DIGITS = 8


@dataclass(frozen=True)
class Row:
    """What became of an item.

    key: the item's. verdict: "proved", "violated" or "unknown". how: by which method it was
    proved, or why it is unknown. seconds: wall-clock. peak_bytes: the most that its processes
    were seen to hold. detail: more, in words. witness: the input of a counterexample, exact
    numbers as text; empty for other verdicts.
    """

    key: str
    verdict: str
    how: str
    seconds: float
    peak_bytes: int
    detail: str = ""
    witness: tuple[str, ...] = ()

    @property
    def line(self) -> bytes:
        """As the journal holds it, with its line end."""
        body = json.dumps(astuple(self), allow_nan=False, separators=(",", ":")).encode()
        return b"%08x %s\n" % (zlib.crc32(body), body)

    @classmethod
    def parsed(cls, line: bytes) -> Row:
        """What `line` gave, without its line end; ValueError says what is wrong."""
        checksum, _, body = line.partition(b" ")
        if len(checksum) != _CHECKSUM_DIGITS or checksum != b"%08x" % zlib.crc32(body):
            raise ValueError("the checksum does not fit")
        fields = json.loads(body)
        if not isinstance(fields, list) or len(fields) != 7:
            raise ValueError("not the fields of a row")
        key, verdict, how, seconds, peak, detail, witness = fields
        row = cls(key, verdict, how, seconds, peak, detail, tuple(witness))
        row.check()
        return row

    def check(self) -> None:
        """Raise ValueError unless every field is of its kind."""
        words: list[Any] = [self.key, self.verdict, self.how, self.detail, *self.witness]
        if not all(isinstance(word, str) for word in words) or self.verdict not in _VERDICTS:
            raise ValueError("a field is not of its kind")
        numbers = isinstance(self.seconds, float) and isinstance(self.peak_bytes, int)
        if not numbers or not math.isfinite(self.seconds):
            raise ValueError("a field is not a number")
        if bool(self.witness) != (self.verdict == "violated"):
            raise ValueError("a counterexample belongs to a violated item, and to no other")


@dataclass(frozen=True)
class SetAside:
    """A line that is no row: its number, its bytes, and why."""

    number: int
    line: bytes
    problem: str


def read_journal(path: Path, digest: str) -> tuple[dict[str, Row], list[SetAside]]:
    """Rows by key, the first of each where there are several, and the lines that are none.

    A file that was cut off within its first line holds nothing. Raises FileError where it
    belongs to another sweep, or is no journal.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return {}, []
    except OSError as error:
        raise _failed(path, "read", error) from None
    head = _head(digest)
    if head.startswith(content):
        return {}, []
    *lines, last = content.split(b"\n")
    if not lines or lines[0] + b"\n" != head:
        if content.startswith(_MAGIC.encode() + b" "):
            raise FileError(path, "is the journal of another sweep: choose another folder")
        raise FileError(path, "is not the journal of a sweep: choose another folder", "line 1")
    rows: dict[str, Row] = {}
    aside = []
    for number, line in enumerate(lines[1:], start=2):
        try:
            row = Row.parsed(line)
            rows.setdefault(row.key, row)
        except (ValueError, TypeError, RecursionError) as error:
            aside.append(SetAside(number, line, str(error)))
    if last:
        aside.append(SetAside(len(lines) + 1, last, "the line is cut off"))
    return rows, aside


def _head(digest: str) -> bytes:
    return f"{_MAGIC} {digest}\n".encode()


def _failed(path: Path, what: str, error: OSError) -> FileError:
    return FileError(path, f"cannot be {what} ({error.strerror or error})")


class Journal:
    """The open journal of a sweep; the caller holds the folder's lock.

    Lines that are no rows go to ``journal.set_aside`` beside it. Raises FileError where the file
    cannot be read or written, or belongs to another sweep.
    """

    def __init__(self, path: Path, digest: str) -> None:
        self.path, self._digest = path, digest
        rows, self.set_aside = read_journal(path, digest)
        self._rows = rows
        if self.set_aside:
            self._put_aside()
        if self.set_aside or not path.exists() or path.stat().st_size < len(_head(digest)):
            lines = [_head(digest), *(row.line for row in rows.values())]
            write_atomically(path, b"".join(lines))
        try:
            self._handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        except OSError as error:
            raise _failed(path, "written", error) from None

    @property
    def rows(self) -> Mapping[str, Row]:
        """By key."""
        return self._rows

    def append(self, rows: Sequence[Row]) -> None:
        """One write and one sync for all of them; they count when this returns.

        Raises FileError where the disk does not take them; then none of them is in the file.
        """
        if not rows:
            return
        for row in rows:
            row.check()
        data = b"".join(row.line for row in rows)
        before = os.fstat(self._handle).st_size
        try:
            if os.write(self._handle, data) != len(data):
                raise OSError("only a part could be written: is the disk full?")
            os.fsync(self._handle)
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._handle, before)
            raise _failed(self.path, "written", error) from None
        for row in rows:
            self._rows.setdefault(row.key, row)

    def reread(self) -> None:
        """Take the rows from the file, after an interrupt that may have come during `append`."""
        self._rows, _ = read_journal(self.path, self._digest)

    def close(self) -> None:
        """Nothing can be appended any more."""
        os.close(self._handle)

    def _put_aside(self) -> None:
        aside = self.path.with_name(f"{self.path.name}.set_aside")
        lines = (f"line {one.number}: {one.problem}: {one.line!r}\n" for one in self.set_aside)
        try:
            with aside.open("a", encoding="utf-8") as file:
                file.writelines(lines)
        except OSError as error:
            raise _failed(aside, "written", error) from None
