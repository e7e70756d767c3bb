"""The results file: a row for every tool on every instance, appended as soon as it is known.

A row is one line, written and synced with one call, so that a run that is killed loses none; a
line that was cut off is dropped, and its instance run again. Two runs cannot share a file.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass, replace
from pathlib import Path

from relucert.errors import FileError, UsageError
from relucert.read.files import read_bytes
from relucert.report.records import csv_text
from relucert.write.files import write_atomically

__all__ = ["CONFIRMED", "OWN_NAME", "Measurement", "append", "locked", "resume", "status_of"]

OWN_NAME = "relucert"
CONFIRMED = "confirmed"
_OLD_COLUMNS = (
    "family", "network", "property", "expected", "verdict", "how", "status", "seconds", "detail",
)  # fmt: skip
_COLUMNS = (*_OLD_COLUMNS, "tool", "cpu_seconds", "digest")
_EARLIER = {_OLD_COLUMNS: (OWN_NAME, "", ""), _COLUMNS[:-1]: ("",), _COLUMNS: ()}
"""Headers of this and of earlier versions, with what their rows lack."""


@dataclass(frozen=True)
class Measurement:
    """One row of the results file.

    verdict: "proved", "violated", "unknown" or "error". how: by which method it was proved, why
    unknown, or what became of the counterexample. status: "solved", "unsolved", "WRONG" (not
    the expected answer), "unconfirmed" (violated, but neither expected nor confirmed), "error".
    seconds: wall-clock. cpu_seconds: of the process and the children it waited for; None for a
    run that was timed from inside, as relucert's is where it runs alone. digest: of files, limit
    and settings (`digests`); empty in files of earlier versions.
    """

    family: str
    network: str
    query: str
    expected: str
    verdict: str
    how: str
    status: str
    seconds: float
    detail: str
    tool: str = OWN_NAME
    cpu_seconds: float | None = None
    digest: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """What identifies the instance."""
        return self.network, self.query

    @property
    def confirmed(self) -> bool:
        """Whether it brought a counterexample that was evaluated exactly."""
        own = self.tool == OWN_NAME and self.cpu_seconds is None
        return self.verdict == "violated" and (own or self.how == CONFIRMED)


def status_of(expected: str, verdict: str, how: str) -> str:
    """What a row's answer is worth by itself (see `Measurement`)."""
    if verdict == "error" or how == "crashed":
        return "error"
    if verdict == "unknown":
        return "unsolved"
    if expected and verdict != expected:
        return "WRONG"
    return "solved"


def resume(results: Path | None) -> list[Measurement]:
    """Rows of an earlier run; a last line that was cut off is dropped from the file.

    A file of an earlier version is rewritten with the columns that it lacks; without the column
    "tool" it holds relucert's rows.
    """
    if results is None or not results.exists() or results.stat().st_size == 0:
        return []
    whole, cut_off = _lines(results)
    if not whole:
        if not csv_text(_COLUMNS, []).encode().startswith(cut_off):
            raise _no_results(results)
        write_atomically(results, "")
        return []
    try:
        rows = list(csv.reader(io.StringIO(whole)))
    except csv.Error as error:
        raise FileError(results, f"is not a table ({error})") from None
    if not rows or tuple(rows[0]) not in _EARLIER:
        raise _no_results(results)
    lacking = _EARLIER[tuple(rows[0])]
    cells = [[*row, *lacking] for row in rows[1:]]
    found = [_measurement(results, number, row) for number, row in enumerate(cells, start=2)]
    if lacking:
        write_atomically(results, csv_text(_COLUMNS, cells))
    elif cut_off:
        write_atomically(results, whole)
    return found


def _lines(results: Path) -> tuple[str, bytes]:
    """The whole lines of the file, and what follows the last of them."""
    content = read_bytes(results)
    end = content.rfind(b"\n") + 1
    try:
        return content[:end].decode("utf-8"), content[end:]
    except UnicodeDecodeError as error:
        raise FileError(results, "is not UTF-8 text", f"byte {error.start}") from None


def _no_results(results: Path) -> FileError:
    return FileError(results, f"is not a results file: the header is not {','.join(_COLUMNS)}")


@contextmanager
def locked(results: Path | None) -> Iterator[None]:
    """Nobody else works with the file meanwhile; raises UsageError where somebody does.

    The lock is on a file beside it, whose name begins with a dot, and ends with the process.
    """
    if results is None:
        yield
        return
    try:
        import fcntl
    except ImportError:  # Windows: nothing guards against two at once
        yield
        return
    path = results.with_name(f".{results.name}.lock")
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise _cannot_be_written(results, error) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        ours = path.stat().st_ino == os.fstat(handle).st_ino  # not one just removed
    except OSError:
        ours = False
    if not ours:
        os.close(handle)
        raise UsageError(f"another relucert writes {results}: wait, or name another file")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)


def _cannot_be_written(results: Path, error: OSError) -> FileError:
    return FileError(results, f"cannot be written ({error.strerror or error})")


def _measurement(results: Path, number: int, row: list[str]) -> Measurement:
    try:
        *words, seconds, detail, tool, cpu, digest = row
        family, network, query, expected, verdict, method, status = words
        return Measurement(
            family, network, query, expected, verdict, method, status, float(seconds), detail,
            tool, float(cpu) if cpu else None, digest,
        )  # fmt: skip
    except ValueError:
        raise FileError(results, "row cannot be read; remove it", f"row {number}") from None


def append(results: Path | None, row: Measurement) -> None:
    """Add a row at the end; raises FileError when the file cannot be written."""
    if results is None:
        return
    one_line = replace(row, detail=" ".join(row.detail.split()))
    cells = ["" if cell is None else cell for cell in astuple(one_line)]
    text = csv_text(_COLUMNS, [cells])
    try:
        handle = os.open(results, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise _cannot_be_written(results, error) from None
    try:
        before = os.fstat(handle).st_size
        data = (text[text.index("\n") + 1 :] if before else text).encode()
        try:
            if os.write(handle, data) != len(data):
                raise OSError("only a part could be written: is the disk full?")
            os.fsync(handle)
        except OSError as error:
            with suppress(OSError):  # what is no file on a disk cannot be cut
                os.ftruncate(handle, before)
            raise _cannot_be_written(results, error) from None
    finally:
        os.close(handle)
