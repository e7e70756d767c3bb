"""Reading proof files as streams of lines: compressed, and never more than one in memory."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from relucert.errors import FileError
from relucert.proof.records import EndRecord, Record, parse_record
from relucert.proof.subject import SEMANTICS, Subject

__all__ = ["FORMAT", "MAX_BYTES", "Progress", "ProofReader"]

FORMAT = "relucert-proof 3"
MAX_LINE = 8 * 1024**2
MAX_BYTES = 64 * 1024**3
_CHUNK = 1 << 16

Progress = Callable[[int, int], None]


class ProofReader:
    """The records of a proof file, one after another.

    Every way of being malformed is a FileError naming the line: not gzip, truncated, bytes after
    the end, over-long lines, more than ``max_bytes`` decompressed, another version, a record
    that cannot be read, a count that is not the number of records.
    """

    def __init__(
        self, path: str | Path, max_bytes: int = MAX_BYTES, progress: Progress | None = None
    ) -> None:
        self.path, self.progress = Path(path), progress
        self.line_number = 0
        self.records = 0
        self.bytes_read = 0
        self.text = ""
        self._lines = self._split(max_bytes)

    def expect_subject(self, subject: Subject) -> None:
        """Read the header; FileError when it is not about ``subject``."""
        # Every arithmetic reads the file anew, which a pipe does not give; opening one may wait.
        if self.path.exists() and not (self.path.is_file() or self.path.is_dir()):
            raise FileError(self.path, "not a regular file")
        if self._line() != FORMAT:
            version = self.text.startswith(FORMAT.split(" ", maxsplit=1)[0])
            what = "another version of the format" if version else "not a relucert proof"
            raise self._error(f"{what}; this program reads {FORMAT!r}")
        for name, wanted in (("network", subject.network), ("query", subject.query)):
            if self._line() != wanted:
                if not self.text.startswith(f"{name} "):
                    raise self._error(f"expected the line of the {name}")
                raise self._error(f"the proof is for another {name}; here it is {wanted!r}")
        for line in subject.query_lines:
            if self._line() != line:
                raise self._error("the proof is for another query")
        if self._line() != SEMANTICS:
            raise self._error(f"expected {SEMANTICS!r}")

    def next(self) -> Record:
        """The next record; at the end, `EndRecord`, after which nothing follows."""
        line = self._line()
        try:
            record = parse_record(line)
        except (ValueError, OverflowError) as error:
            raise self._error(str(error)) from None
        if isinstance(record, EndRecord):
            if record.count != self.records:
                raise self._error(f"the end counts {record.count} records of {self.records}")
            if next(self._lines, None) is not None:
                raise self._error("something follows the end")
            return record
        self.records += 1
        if self.progress is not None and self.records % 64 == 0:
            self.progress(self.records, self.bytes_read)
        return record

    def _line(self) -> str:
        line = next(self._lines, None)
        if line is None:
            self.line_number += 1
            raise self._error("the file stops before the end of the proof")
        self.line_number += 1
        try:
            self.text = line.decode("ascii")
        except UnicodeDecodeError:
            raise self._error("not ASCII text") from None
        return self.text

    def _error(self, problem: str) -> FileError:
        return FileError(self.path, problem, f"line {max(1, self.line_number)}")

    def _split(self, max_bytes: int) -> Iterator[bytes]:
        """Lines without their ends; what follows the last end of line is malformed."""
        rest = b""
        for chunk in self._decompressed(max_bytes):
            *lines, rest = (rest + chunk).split(b"\n")
            yield from lines
            if len(rest) > MAX_LINE:
                raise self._error(f"a line of more than {MAX_LINE:,} bytes follows")
        if rest:
            raise self._error("the file stops within the next line")

    def _decompressed(self, max_bytes: int) -> Iterator[bytes]:
        """One gzip member and nothing after it, a little at a time."""
        inflate, total = zlib.decompressobj(wbits=31), 0
        try:
            with self.path.open("rb") as raw:
                while data := raw.read(_CHUNK):
                    self.bytes_read += len(data)
                    if inflate.eof:
                        raise self._error("bytes follow the compressed stream")
                    while data:
                        piece = inflate.decompress(data, _CHUNK)
                        data = inflate.unconsumed_tail
                        total += len(piece)
                        if total > max_bytes:
                            raise self._error(f"decompresses to more than {max_bytes:,} bytes")
                        yield piece
                    if inflate.unused_data:
                        raise self._error("bytes follow the compressed stream")
        except zlib.error as error:
            raise self._error(f"broken gzip stream ({error})") from None
        except OSError as error:
            raise FileError(self.path, f"cannot be read ({error.strerror or error})") from None
        while not inflate.eof and (piece := inflate.decompress(inflate.unconsumed_tail, _CHUNK)):
            yield piece
        if not inflate.eof:
            raise self._error("the compressed stream is cut off")
