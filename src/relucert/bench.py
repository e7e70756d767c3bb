"""Run a list of (network, property, time limit, expected answer) and compare the answers.

Every instance runs in a process of its own, so that a solver that hangs or eats memory costs
only its instance. A row is appended to the results file as soon as it is known; a second run
with the same file skips the rows that are there.
"""

from __future__ import annotations

import csv
import io
import math
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import astuple, dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from relucert.errors import FileError, RelucertError
from relucert.limits import resident_bytes
from relucert.read.files import read_text
from relucert.read.network import read_network
from relucert.read.vnnlib import read_vnnlib
from relucert.report.records import how, verdict_word
from relucert.verify import certify
from relucert.write.files import write_atomically

__all__ = ["BenchOptions", "Instance", "Measurement", "family_rows", "read_list", "run_bench"]

_GRACE_SECONDS = 20.0
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


@dataclass(frozen=True)
class BenchOptions:
    """engine, solver as for `certify`; timeout caps the list's own; memory in bytes a process."""

    engine: str = "auto"
    solver: str = "HiGHS"
    timeout: float = math.inf
    memory: float = math.inf
    seed: int = 0
    jobs: int = 1


@dataclass(frozen=True)
class Measurement:
    """One row of the results file."""

    family: str
    network: str
    query: str
    expected: str
    verdict: str
    how: str
    status: str
    seconds: float
    detail: str


_COLUMNS = (
    "family", "network", "property", "expected", "verdict", "how", "status", "seconds", "detail",
)  # fmt: skip


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
        return [_instance(path, reader.line_num, row) for row in reader]
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


def run_bench(
    instances: Sequence[Instance],
    options: BenchOptions,
    results: Path | None,
    report: Callable[[Measurement], None] | None = None,
) -> list[Measurement]:
    """Run what the results file does not hold yet; returns all measurements, old and new.

    ``report`` is called once for every new one. Ctrl-C ends the running processes, keeps what
    is done and is raised on.
    """
    wanted = {instance.key for instance in instances}
    known = {row.network + "\n" + row.query: row for row in _resume(results)}
    done = [row for row in known.values() if (row.network, row.query) in wanted]
    todo = [item for item in instances if "\n".join(item.key) not in known]
    # Children inherit it, and read it before their first matrix product.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    pool = ThreadPoolExecutor(max(1, options.jobs))
    stopping = threading.Event()
    futures = [pool.submit(_measured, item, options, stopping) for item in todo]
    try:
        for future in as_completed(futures):
            row = future.result()
            done.append(row)
            _append(results, row)
            if report is not None:
                report(row)
    except BaseException:  # Ctrl-C, or a results file that can no longer be written
        stopping.set()
        for future in futures:
            future.cancel()
        raise
    finally:
        pool.shutdown(wait=True)
    return done


def _measured(
    item: Instance,
    options: BenchOptions,
    stopping: threading.Event,
) -> Measurement:
    """Run one instance in a child and watch its time and memory from outside."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(item, options, sender), daemon=True)
    started = time.monotonic()
    process.start()
    sender.close()
    allowed = min(item.timeout, options.timeout) + _GRACE_SECONDS
    answer = ("unknown", "crashed", "the process died", time.monotonic() - started)
    try:
        while True:
            if receiver.poll(0.1):
                answer = receiver.recv()
                break
            if stopping.is_set():
                break
            if time.monotonic() - started > allowed:
                answer = ("unknown", "time", "killed: over the time limit", allowed)
                break
            if not process.is_alive() and not receiver.poll(0):
                break
    except (EOFError, OSError):
        pass
    finally:
        _end(process)
    verdict, method, detail, seconds = answer
    status = _status(item.expected, verdict, method)
    return Measurement(
        item.family, item.network, item.query, item.expected, verdict, method, status,
        round(seconds, 3), detail,
    )  # fmt: skip


def _end(process: multiprocessing.process.BaseProcess) -> None:
    """Kill a child, and the solver's process that it may have started."""
    if hasattr(os, "killpg") and process.pid is not None:
        with suppress(OSError):  # it is gone, or has no group of its own yet
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.join()


def _end_with_parent() -> None:
    """Kill this child's group when the parent is gone: nobody would read the answer."""
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(1.0)
    os.killpg(0, signal.SIGKILL)


def _child(item: Instance, options: BenchOptions, sender: Connection) -> None:
    """Read, certify, send the answer; the clock includes reading the files."""
    started = time.monotonic()
    if hasattr(os, "setsid"):
        os.setsid()
        threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        network = read_network(item.folder / item.network)
        query = read_vnnlib(item.folder / item.query)
        limit = min(item.timeout, options.timeout) - (time.monotonic() - started)
        outcome = certify(
            network,
            query,
            engine=options.engine,
            solver=options.solver,
            timeout=max(limit, 0.1),
            memory=options.memory,
            seed=options.seed,
        )
        words = outcome.verdict.words
        answer = (verdict_word(outcome.verdict), how(outcome.verdict), words)
    except RelucertError as error:
        answer = ("error", type(error).__name__, str(error))
    except MemoryError:
        answer = ("unknown", "memory", f"out of memory at {resident_bytes() / 2**20:.0f} MiB")
    sender.send((*answer, time.monotonic() - started))


def _status(expected: str, verdict: str, method: str) -> str:
    if verdict == "error" or method == "crashed":
        return "error"
    if verdict == "unknown":
        return "unsolved"
    if expected and verdict != expected:
        return "WRONG"
    return "solved"


def _resume(results: Path | None) -> list[Measurement]:
    """Rows of an earlier run; a last line that was cut off is dropped from the file."""
    if results is None or not results.exists() or results.stat().st_size == 0:
        return []
    text = read_text(results)
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        write_atomically(results, whole)
    try:
        rows = list(csv.reader(io.StringIO(whole)))
    except csv.Error as error:
        raise FileError(results, f"is not a table ({error})") from None
    if not rows or tuple(rows[0]) != _COLUMNS:
        raise FileError(results, f"is not a results file: the header is not {','.join(_COLUMNS)}")
    return [_measurement(results, number, row) for number, row in enumerate(rows[1:], start=2)]


def _measurement(results: Path, number: int, row: list[str]) -> Measurement:
    try:
        family, network, query, expected, verdict, method, status, seconds, detail = row
        return Measurement(
            family, network, query, expected, verdict, method, status, float(seconds), detail
        )
    except ValueError:
        raise FileError(results, "row cannot be read; remove it", f"row {number}") from None


def _append(results: Path | None, row: Measurement) -> None:
    if results is None:
        return
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    if not results.exists() or results.stat().st_size == 0:
        writer.writerow(_COLUMNS)
    writer.writerow(astuple(row))
    try:
        with results.open("a", encoding="utf-8") as file:
            file.write(buffer.getvalue())
    except OSError as error:
        raise FileError(results, f"cannot be written ({error.strerror or error})") from None


def family_rows(rows: Iterable[Measurement]) -> list[list[str]]:
    """Per family: instances, solved, proved, violated, unsolved, wrong, errors, median, sum."""
    families: dict[str, list[Measurement]] = {}
    for row in rows:
        families.setdefault(row.family, []).append(row)
    everything = [row for part in families.values() for row in part]
    parts = [(name, families[name]) for name in sorted(families)]
    return [_family_row(name, part) for name, part in [*parts, ("all", everything)]]


def _family_row(name: str, rows: list[Measurement]) -> list[str]:
    solved = [row for row in rows if row.status == "solved"]
    times = sorted(row.seconds for row in solved)
    median = times[len(times) // 2] if times else math.nan
    counts = [
        len(rows),
        len(solved),
        sum(row.verdict == "proved" for row in solved),
        sum(row.verdict == "violated" for row in solved),
        *(sum(row.status == status for row in rows) for status in ("unsolved", "WRONG", "error")),
    ]
    return [name, *map(str, counts), f"{median:.2f}", f"{sum(row.seconds for row in rows):.0f}"]
