"""Progress on standard error, results on standard output."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from relucert import __version__
from relucert.read.files import read_bytes

__all__ = ["Bar", "data_header", "header", "print_json", "progress_bar", "say"]


def say(line: str) -> None:
    """One line for the person at the terminal, on standard error."""
    print(line, file=sys.stderr, flush=True)


def print_json(record: dict[str, Any]) -> None:
    """A JSON document on standard output."""
    print(json.dumps(record, indent=2, allow_nan=False))


def header(network_path: Path, seed: int | None = None) -> dict[str, Any]:
    """What every JSON result begins with: version, file, hash, seed."""
    digest = hashlib.sha256(read_bytes(network_path)).hexdigest()
    record: dict[str, Any] = {
        "relucert": __version__,
        "semantics": "real arithmetic over the stored weights",
        "network": str(network_path),
        "network_sha256": digest,
    }
    return record if seed is None else record | {"seed": seed}


def data_header(data_path: Path) -> dict[str, Any]:
    """What a JSON result about a data set begins with: version, file, hash."""
    digest = hashlib.sha256(read_bytes(data_path)).hexdigest()
    return {"relucert": __version__, "data": str(data_path), "data_sha256": digest}


class Bar:
    """A progress bar over many items, with what the current one is doing and how they went."""

    def __init__(self, progress: Progress, total: int, done: int = 0) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=total, completed=done)
        self._counts: dict[str, int] = {}
        self._item = ""

    def item(self, name: str) -> None:
        """A new item begins."""
        self._item = name
        self._show("")

    def work(self, words: str) -> None:
        """What the current item is doing."""
        self._show(words)

    def reach(self, done: int, total: int) -> None:
        """So much of the whole is done, for work that counts by itself."""
        self._progress.update(self._task, completed=done, total=total)

    def done(self, word: str) -> None:
        """The current item ended in ``word``."""
        self._counts[word] = self._counts.get(word, 0) + 1
        self._progress.advance(self._task)
        self._show("")

    def _show(self, words: str) -> None:
        counts = ", ".join(f"{count} {word}" for word, count in sorted(self._counts.items()))
        text = " · ".join(part for part in (self._item, words, counts) if part)
        self._progress.update(self._task, description=escape(text))


@contextmanager
def progress_bar(total: int, done: int = 0) -> Iterator[Bar]:
    """A bar with ETA on standard error, ``done`` of it full; silent where that is no terminal."""
    console = Console(stderr=True)
    columns = (
        BarColumn(20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("ETA"),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True,
                  refresh_per_second=5) as progress:  # fmt: skip
        yield Bar(progress, total, done)
