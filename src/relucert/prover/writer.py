"""Writing proof files, one record after another."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from relucert.errors import FileError
from relucert.proof.records import CaseRecord, EndRecord, Record
from relucert.proof.stream import FORMAT
from relucert.proof.subject import SEMANTICS, Subject
from relucert.prover.text import text_of

__all__ = ["ProofWriter", "rename"]

_LEVEL = 5  # the best compression takes longer than many a search


def rename(temporary: Path, path: Path) -> None:
    """Give a finished file its name; raises FileError where that cannot be done."""
    try:
        temporary.replace(path)
    except OSError as error:
        raise FileError(path, f"cannot be written ({error.strerror or error})") from None


class ProofWriter:
    """Writes a proof to a temporary name; it gets its own name when it is complete."""

    def __init__(self, path: str | Path, subject: Subject) -> None:
        self.path = Path(path)
        self.temporary = self.path.with_name(f".{self.path.name}.part")
        self.records = 0
        try:
            self._raw: BinaryIO = self.temporary.open("wb")
        except OSError as error:
            raise FileError(path, f"cannot be written ({error.strerror or error})") from None
        zipped = gzip.GzipFile("", "wb", _LEVEL, self._raw, mtime=0)
        self._text = io.TextIOWrapper(zipped, encoding="ascii", newline="\n")
        header = (FORMAT, subject.network, subject.query, *subject.query_lines, SEMANTICS)
        for line in header:
            self._text.write(line + "\n")

    def __enter__(self) -> ProofWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Without `finish` nothing is left behind."""
        self._close()
        self.temporary.unlink(missing_ok=True)

    def write(self, record: Record) -> None:
        """One more record (`CaseRecord` and inner ones; `finish` writes the end)."""
        self.write_text(text_of(record))

    def write_text(self, text: str) -> None:
        """The same for a record that is text already."""
        self.records += 1
        self._text.write(text + "\n")

    def start_case(self, index: int) -> None:
        """The tree of case ``index`` follows."""
        self.write(CaseRecord(index))

    def complete(self) -> None:
        """Write the end; the file can be read, by its temporary name."""
        self._text.write(text_of(EndRecord(self.records)) + "\n")
        self._close()

    def finish(self) -> None:
        """Write the end if that is not done, and give the file its name."""
        if not self._raw.closed:
            self.complete()
        rename(self.temporary, self.path)

    def _close(self) -> None:
        if not self._raw.closed:
            self._text.close()
            self._raw.close()
