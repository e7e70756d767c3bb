"""DIMACS CNF files: reading what cnfgen, SATLIB and the solver competitions emit, and writing.

The format: comment lines start with ``c``, one line ``p cnf VARIABLES CLAUSES`` precedes the
clauses, a clause is a run of non-zero integers closed by ``0``. Clauses may span lines or share
them; a line ``%`` ends a SATLIB file. A lone ``0`` is the empty clause. Variables that no clause
uses are kept, because a solution assigns them too.

Nothing is guessed: a last clause without its ``0``, a clause count that differs from the header
and a variable beyond it are errors, as each of them is what a truncated or edited file looks like.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TextIO, TypeAlias, cast

from reductions.problems.satisfiability import Satisfiability
from relucert.errors import FileError
from relucert.read.files import MAX_BYTES
from relucert.write.files import write_atomically

__all__ = [
    "DimacsFile",
    "Progress",
    "dimacs_lines",
    "parse_dimacs",
    "read_dimacs",
    "read_dimacs_file",
    "write_dimacs",
]

Clause: TypeAlias = tuple[int, ...]
Progress: TypeAlias = Callable[[int, int], None]
Source: TypeAlias = "str | Path | BinaryIO | TextIO"

MAX_VARIABLES = 1 << 26
MAX_CLAUSES = 1 << 28
MAX_LINE = 1 << 26
_PROGRESS_STEP = 1 << 16
_STDIN = "standard input"


@dataclass(frozen=True)
class DimacsFile:
    """A formula and the file's comments, without their leading ``c``, in order."""

    formula: Satisfiability
    comments: tuple[str, ...] = ()


def read_dimacs(
    source: Source, *, normalise: bool = False, progress: Progress | None = None
) -> Satisfiability:
    """Read a formula from a file (``.gz`` is decompressed), ``-`` (standard input) or a stream.

    Clauses are kept as they stand; with ``normalise`` duplicate literals, tautologies and
    repeated clauses are dropped. ``progress(clauses read, clauses declared)`` is
    called every 65,536 clauses and at the end. Raises FileError, with the line, on anything
    that is not DIMACS CNF.
    """
    return read_dimacs_file(source, normalise=normalise, progress=progress).formula


def read_dimacs_file(
    source: Source, *, normalise: bool = False, progress: Progress | None = None
) -> DimacsFile:
    """Like `read_dimacs`, with the comments."""
    with _opened(source) as (lines, name):
        parser = _Parser(name, progress)
        try:
            parser.read(lines)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise FileError(name, f"broken gzip stream ({error})", parser.place) from None
        except UnicodeDecodeError:
            raise FileError(name, "is not text", parser.place) from None
        except OSError as error:
            raise FileError(name, f"cannot be read ({error.strerror or error})") from None
    formula = Satisfiability(parser.variables, tuple(parser.finished()))
    return DimacsFile(formula.normalised() if normalise else formula, tuple(parser.comments))


def parse_dimacs(text: str, name: str = "text") -> DimacsFile:
    """Read DIMACS from a string; ``name`` is what error messages call it.

    >>> parse_dimacs("p cnf 2 2\\n1 -2 0 2\\n0\\n").formula.clauses
    ((1, -2), (2,))
    """
    stream = io.BytesIO(text.encode("utf-8"))
    stream.name = name
    return read_dimacs_file(stream)


@contextlib.contextmanager
def _opened(source: Source) -> Iterator[tuple[Iterable[bytes], str]]:
    """The source as an iterable of lines of bytes, and what to call it."""
    if source == "-":
        yield _limited(sys.stdin.buffer, _STDIN), _STDIN
    elif isinstance(source, str | Path):
        path = Path(source)
        opener = gzip.open if path.suffix == ".gz" else open
        try:
            stream = cast(BinaryIO, opener(path, "rb"))
        except FileNotFoundError:
            raise FileError(path, "no such file") from None
        except IsADirectoryError:
            raise FileError(path, "is a directory, not a file") from None
        except OSError as error:
            raise FileError(path, f"cannot be read ({error.strerror or error})") from None
        with stream:
            yield _limited(stream, str(path)), str(path)
    else:
        name = getattr(source, "name", "stream")
        name = name if isinstance(name, str) else "stream"
        if isinstance(source, io.TextIOBase):
            yield (line.encode("utf-8", "surrogateescape") for line in source), name
        else:
            yield _limited(source, name), name  # type: ignore[arg-type]


def _limited(stream: BinaryIO, name: str) -> Iterator[bytes]:
    """The lines; neither one line nor a compressed file's whole text may fill the memory."""
    total = 0
    while line := stream.readline(MAX_LINE + 1):
        total += len(line)
        if len(line) > MAX_LINE or total > MAX_BYTES:
            limit = MAX_LINE if len(line) > MAX_LINE else MAX_BYTES
            what = "a line" if len(line) > MAX_LINE else "the text"
            raise FileError(name, f"{what} is longer than the limit of {limit:,} bytes")
        yield line


class _Parser:
    """Reads lines; keeps what has been read so far, so that errors can say where."""

    def __init__(self, name: str, progress: Progress | None) -> None:
        self.name = name
        self.progress = progress
        self.number = 0
        self.header_line = 0
        self.variables = 0
        self.declared = 0
        self.clauses: list[Clause] = []
        self.comments: list[str] = []
        self.open_clause: list[int] = []
        self.open_line = 0

    @property
    def place(self) -> str:
        return f"line {self.number}"

    def error(self, problem: str, line: int | None = None) -> FileError:
        return FileError(self.name, problem, f"line {self.number if line is None else line}")

    def read(self, lines: Iterable[bytes]) -> None:
        iterator = iter(lines)
        self._read_until_header(iterator)
        clauses, next_report = self.clauses, _PROGRESS_STEP
        for line in iterator:
            self.number += 1
            words = line.split()
            if not words:
                continue
            marked = words[0][:1] in b"cp%"  # such a line may end in 0, like a clause
            if marked or words[-1] != b"0" or words.count(b"0") != 1 or self.open_clause:
                if words[0][:1] == b"%":
                    self._skip_trailer(iterator)
                    return
                self._irregular(words, line)
            else:
                # The common case, one clause a line, decides how fast large files are read.
                clauses.append(self._literals(words[:-1], line))
            if len(clauses) > self.declared:
                raise self.error(
                    f"there are more clauses than the {self.declared} that the header "
                    f"(line {self.header_line}) declares; every 0 closes a clause"
                )
            if len(clauses) >= next_report and self.progress is not None:
                self.progress(len(clauses), self.declared)
                next_report = len(clauses) + _PROGRESS_STEP

    def _read_until_header(self, lines: Iterator[bytes]) -> None:
        for line in lines:
            self.number += 1
            if self.number == 1:
                line = line.removeprefix(b"\xef\xbb\xbf")  # noqa: PLW2901
            words = line.split()
            if not words:
                continue
            if words[0][:1] == b"c":
                self._keep_comment(line)
            elif words[0] == b"p":
                self._read_header(words)
                return
            else:
                raise self.error("expected the header 'p cnf VARIABLES CLAUSES' or a comment")
        raise FileError(
            self.name,
            "is empty" if self.number == 0 else "has no header 'p cnf VARIABLES CLAUSES'",
        )

    def _read_header(self, words: list[bytes]) -> None:
        if len(words) < 2 or words[1] != b"cnf":
            kind = words[1].decode("utf-8", "replace") if len(words) > 1 else ""
            raise self.error(f"the format is {kind!r}, not 'cnf'")
        counts = words[2:]
        if len(counts) != 2 or not all(word.isdigit() and len(word) < 20 for word in counts):
            raise self.error("the header is not 'p cnf VARIABLES CLAUSES' with two counts")
        self.variables, self.declared = int(counts[0]), int(counts[1])
        self.header_line = self.number
        if self.variables > MAX_VARIABLES:
            raise self.error(f"{self.variables:,} variables (the limit is {MAX_VARIABLES:,})")
        if self.declared > MAX_CLAUSES:
            raise self.error(f"{self.declared:,} clauses (the limit is {MAX_CLAUSES:,})")

    def _literals(self, words: Sequence[bytes], line: bytes) -> Clause:
        """Integers in range; ``int`` alone would also accept ``1_0``, and take ``-0`` for 0."""
        try:
            literals = tuple(map(int, words))
        except ValueError:
            literals = ()
        if b"_" in line or len(literals) != len(words) or literals.count(0) != words.count(b"0"):
            bad = next((word for word in words if not _is_integer(word)), line)
            raise self.error(f"not a literal: {bad[:40].decode('utf-8', 'replace')!r}")
        if literals and (max(literals) > self.variables or min(literals) < -self.variables):
            worst = max(literals, key=abs)
            raise self.error(
                f"variable {abs(worst)} is beyond the {self.variables} that the header "
                f"(line {self.header_line}) declares"
            )
        return literals

    def _irregular(self, words: list[bytes], line: bytes) -> None:
        """A comment, or a line that does not hold exactly one whole clause."""
        if words[0][:1] == b"c":
            self._keep_comment(line)
            return
        if words[0] == b"p":
            raise self.error(f"a second header (the first is on line {self.header_line})")
        if b"c" in words:
            cut = words.index(b"c")
            self._keep_comment(b" ".join(words[cut:]))
            words = words[:cut]
        for literal in self._literals(words, b" ".join(words)):
            if literal:
                if not self.open_clause:
                    self.open_line = self.number
                self.open_clause.append(literal)
            else:
                self.clauses.append(tuple(self.open_clause))
                self.open_clause.clear()

    def _keep_comment(self, line: bytes) -> None:
        text = line.strip()[1:].decode("utf-8", "replace")
        self.comments.append(text.removeprefix(" ").rstrip())

    def _skip_trailer(self, lines: Iterator[bytes]) -> None:
        """After ``%`` SATLIB writes a ``0``; anything else would be clauses left unread."""
        for line in lines:
            self.number += 1
            words = line.split()
            if words and words != [b"0"] and words[0][:1] not in (b"c", b"%"):
                raise self.error("there is text after the end mark '%'")

    def finished(self) -> list[Clause]:
        """The clauses, once the file is known to be whole."""
        if self.open_clause:
            raise self.error(
                "the last clause is not closed by 0; the file seems truncated", self.open_line
            )
        if len(self.clauses) != self.declared:
            raise self.error(
                f"the header declares {self.declared} clauses, the file holds "
                f"{len(self.clauses)}; it seems truncated",
                self.header_line,
            )
        if self.progress is not None:
            self.progress(self.declared, self.declared)
        return self.clauses


def _is_integer(word: bytes) -> bool:
    if word != b"0" and not word.strip(b"+-0"):
        return False  # 0 closes clauses, +0, -0 and 00 are neither that nor literals
    return (
        word.lstrip(b"+-").isdigit() and len(word) < 20 and len(word.lstrip(b"+-")) + 1 >= len(word)
    )


def dimacs_lines(formula: Satisfiability, comments: Iterable[str] = ()) -> Iterator[str]:
    """The lines of a DIMACS file, each with its line end; comments come first.

    >>> "".join(dimacs_lines(Satisfiability(2, ((1, -2), ())), ["two clauses"]))
    'c two clauses\\np cnf 2 2\\n1 -2 0\\n0\\n'
    """
    for comment in comments:
        for line in comment.splitlines() or [""]:
            yield f"c {line}".rstrip() + "\n"
    yield f"p cnf {formula.variables} {len(formula.clauses)}\n"
    for clause in formula.clauses:
        yield " ".join(map(str, (*clause, 0))) + "\n"


def write_dimacs(
    formula: Satisfiability, target: str | Path | TextIO, comments: Iterable[str] = ()
) -> None:
    """Write a formula to a file (compressed when it ends in ``.gz``), ``-`` or a text stream.

    The same formula and comments give the same bytes. Raises FileError when the file cannot be
    written; an existing file is then left as it was.
    """
    lines = dimacs_lines(formula, comments)
    if isinstance(target, str | Path) and target != "-":
        content = "".join(lines).encode("utf-8")
        if Path(target).suffix == ".gz":
            content = gzip.compress(content, mtime=0)
        write_atomically(target, content)
        return
    stream: TextIO = sys.stdout if isinstance(target, str | Path) else target
    stream.writelines(lines)
    stream.flush()
