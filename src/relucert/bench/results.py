"""The results file: a row for every tool on every instance, appended as soon as it is known."""

from __future__ import annotations

import csv
import io
from dataclasses import astuple, dataclass
from pathlib import Path

from relucert.errors import FileError
from relucert.read.files import read_text
from relucert.report.records import csv_text
from relucert.write.files import write_atomically

__all__ = ["CONFIRMED", "OWN_NAME", "Measurement", "append", "resume", "status_of"]

OWN_NAME = "relucert"
CONFIRMED = "confirmed"
_OLD_COLUMNS = (
    "family", "network", "property", "expected", "verdict", "how", "status", "seconds", "detail",
)  # fmt: skip
_COLUMNS = (*_OLD_COLUMNS, "tool", "cpu_seconds")


@dataclass(frozen=True)
class Measurement:
    """One row of the results file.

    verdict: "proved", "violated", "unknown" or "error". how: by which method it was proved, why
    unknown, or what became of the counterexample. status: "solved", "unsolved", "WRONG" (not
    the expected answer), "unconfirmed" (violated, but neither expected nor confirmed), "error".
    seconds: wall-clock. cpu_seconds: of the process and the children it waited for; None for a
    run that was timed from inside, as relucert's is where it runs alone.
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

    A file without the column "tool", from before there were other tools, holds relucert's rows;
    it is rewritten with that column.
    """
    if results is None or not results.exists() or results.stat().st_size == 0:
        return []
    text = read_text(results)
    whole = text[: text.rfind("\n") + 1]
    try:
        rows = list(csv.reader(io.StringIO(whole)))
    except csv.Error as error:
        raise FileError(results, f"is not a table ({error})") from None
    if not rows or tuple(rows[0]) not in (_COLUMNS, _OLD_COLUMNS):
        raise FileError(results, f"is not a results file: the header is not {','.join(_COLUMNS)}")
    old = tuple(rows[0]) == _OLD_COLUMNS
    cells = [[*row, OWN_NAME, ""] if old else row for row in rows[1:]]
    found = [_measurement(results, number, row) for number, row in enumerate(cells, start=2)]
    if old:
        write_atomically(results, csv_text(_COLUMNS, cells))
    elif whole != text:
        write_atomically(results, whole)
    return found


def _measurement(results: Path, number: int, row: list[str]) -> Measurement:
    try:
        *words, seconds, detail, tool, cpu = row
        family, network, query, expected, verdict, method, status = words
        return Measurement(
            family, network, query, expected, verdict, method, status, float(seconds), detail,
            tool, float(cpu) if cpu else None,
        )  # fmt: skip
    except ValueError:
        raise FileError(results, "row cannot be read; remove it", f"row {number}") from None


def append(results: Path | None, row: Measurement) -> None:
    """Add a row at the end; raises FileError when the file cannot be written."""
    if results is None:
        return
    cells = ["" if cell is None else cell for cell in astuple(row)]
    text = csv_text(_COLUMNS, [cells])
    try:
        if results.exists() and results.stat().st_size:
            text = text[text.index("\n") + 1 :]
        with results.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise FileError(results, f"cannot be written ({error.strerror or error})") from None
