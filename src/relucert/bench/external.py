"""Several verifiers on one instance, in turn, all as programs under the same clock."""

from __future__ import annotations

import math
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from relucert.bench.answers import Answer, Judge, own_answer, parse_answer
from relucert.bench.instances import Instance
from relucert.bench.options import BenchOptions
from relucert.bench.peers import Peer
from relucert.bench.processes import Run, run_watched
from relucert.bench.results import OWN_NAME, Measurement, status_of
from relucert.errors import FileError
from relucert.read.files import read_bytes

__all__ = ["measure_in_turn"]

_LONGEST_DETAIL = 300
_MOST_RESULT = 64 * 2**20


def measure_in_turn(
    item: Instance, tools: Sequence[Peer], options: BenchOptions, stopping: threading.Event
) -> Iterator[Measurement]:
    """A row for each tool, in the order given; ends early once ``stopping`` is set.

    Compressed files are decompressed beforehand, for all tools alike and outside the clock.
    """
    with tempfile.TemporaryDirectory(prefix="relucert-bench-") as name:
        folder = Path(name)
        try:
            files = [
                _plain(item.folder / path, folder, kind)
                for path, kind in ((item.network, ".onnx"), (item.query, ".vnnlib"))
            ]
        except FileError as error:
            yield from (_row(item, tool, _Outcome("error", "files", str(error))) for tool in tools)
            return
        judge = Judge(*files)
        for number, tool in enumerate(tools):
            place = folder / f"run{number}"
            place.mkdir()
            outcome = _outcome(tool, files, min(item.timeout, options.timeout), options, judge,
                               stopping, place)  # fmt: skip
            if stopping.is_set():
                return
            yield _row(item, tool, outcome)


def _plain(path: Path, folder: Path, kind: str) -> Path:
    """The file itself, or its decompressed copy under a name of the same ending."""
    if path.suffix != ".gz":
        if not path.is_file():
            raise FileError(path, "no such file")
        return path.absolute()
    copy = folder / (path.name.removesuffix(".gz") if path.stem.endswith(kind) else path.stem)
    copy.write_bytes(read_bytes(path))
    return copy


@dataclass(frozen=True)
class _Outcome:
    verdict: str
    how: str
    detail: str = ""
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    late: bool = False


def _row(item: Instance, tool: Peer, outcome: _Outcome) -> Measurement:
    status = status_of(item.expected, outcome.verdict, outcome.how)
    if outcome.verdict == "violated" and not item.expected and outcome.how != "confirmed":
        status = "unconfirmed"
    if outcome.late and status == "solved":
        status = "unsolved"
    return Measurement(
        item.family, item.network, item.query, item.expected, outcome.verdict, outcome.how,
        status, round(outcome.seconds, 3), " ".join(outcome.detail.split())[:_LONGEST_DETAIL],
        tool.name, round(outcome.cpu_seconds, 3),
    )  # fmt: skip


def _outcome(
    tool: Peer,
    files: Sequence[Path],
    limit: float,
    options: BenchOptions,
    judge: Judge,
    stopping: threading.Event,
    place: Path,
) -> _Outcome:
    result = place / "result.txt"
    # A whole number where it is one: some tools take nothing else.
    seconds = str(math.ceil(limit)) if limit >= 1 else repr(limit)
    values = {
        "onnx": str(files[0]), "vnnlib": str(files[1]), "timeout": seconds, "result": str(result),
    }  # fmt: skip
    run = run_watched(
        tool.arguments(values), limit + options.grace, options.memory, stopping, place
    )
    answer = _answer(tool, run, result)
    late = run.seconds > limit or run.ended != ""
    if answer is None or (run.ended and answer.verdict in ("unknown", "error")):
        verdict, how, detail = _no_answer(run)
    else:
        verdict, how, detail = answer.verdict, answer.how, ""
        if verdict == "violated":
            how = judge.word(answer, place)
        if late:
            detail = "after the time limit: does not count"
    return _Outcome(verdict, how, detail, run.seconds, run.cpu_seconds, late)


def _answer(tool: Peer, run: Run, result: Path) -> Answer | None:
    text = _text(result if tool.writes_result else run.output)
    return own_answer(text) if tool.name == OWN_NAME else parse_answer(text)


def _no_answer(run: Run) -> tuple[str, str, str]:
    if run.ended in ("time", "memory"):
        return "unknown", run.ended, f"killed: over the {run.ended} limit"
    if run.ended == "output":
        return "error", "crashed", "killed: too much output"
    lines = _text(run.errors).strip().splitlines() or _text(run.output).strip().splitlines()
    said = f": {lines[-1]}" if lines else ""
    if run.code is None:
        return "error", "crashed", f"did not start{said}"
    if run.code < 0:
        return "error", "crashed", f"ended by signal {-run.code}{said}"
    return "error", "crashed" if run.code else "no answer", f"exit code {run.code}, no answer{said}"


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MOST_RESULT).decode("utf-8", "replace")
    except OSError:
        return ""
