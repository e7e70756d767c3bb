"""``relucert check``: does a proof show that a query holds?"""

from __future__ import annotations

import time
import zlib
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from relucert.commands.questions import read_questions
from relucert.commands.screen import Bar, header, print_json, progress_bar
from relucert.errors import UsageError
from relucert.network import Network
from relucert.proof.check import ARITHMETICS, Accepted, Checked, check_proof
from relucert.proof.subject import Subject
from relucert.query import Query
from relucert.read.files import read_bytes
from relucert.read.network import network_content, read_network
from relucert.read.vnnlib import read_vnnlib

__all__ = ["check_command", "point_file"]

_CHUNK, _TAIL = 1 << 16, 64


@dataclass(frozen=True)
class _Job:
    """One proof file and what it must be about."""

    path: Path
    query: Query
    subject: Subject


def point_file(name: str) -> str:
    """The file of a point's proof inside a folder of proofs."""
    return f"{name.replace(' ', '_')}.rcp"


def check_command(
    proof_path: Path,
    network_path: Path,
    *,
    property_path: Path | None,
    arithmetic: str,
    data: Path | None,
    radius: Fraction | None,
    clip: tuple[Fraction, Fraction] | None,
    selection: str | None,
    label_column: str | None,
    decision: str,
    max_bytes: int,
    as_json: bool,
) -> int:
    """Run the command; exit code 0 when every proof is accepted by every arithmetic, else 1."""
    content = network_content(network_path)
    network = read_network(network_path)
    if property_path is not None:
        if data is not None:
            raise UsageError("give either a PROPERTY file or --data with --radius")
        if radius is not None or clip is not None or selection is not None:
            raise UsageError("--radius, --clip and --points go with --data")
        subject = Subject.of_files(content, read_bytes(property_path))
        jobs = [_Job(proof_path, read_vnnlib(property_path), subject)]
    else:
        if data is None or radius is None or radius < 0:
            raise UsageError("give a PROPERTY file, or --data with a --radius not negative")
        questions = read_questions(
            data, network, selection=selection, label_column=label_column, decision=decision,
            clip=clip,
        )  # fmt: skip
        points = questions.points
        folder = proof_path.is_dir()
        if not folder and len(points) != 1:
            raise UsageError("PROOF is one file: choose its point by --points ROW")
        jobs = []
        for point in points:
            query = questions.ball(point, radius)
            path = proof_path / point_file(point.name) if folder else proof_path
            jobs.append(_Job(path, query, Subject.of_query(content, query)))
    names = tuple(ARITHMETICS) if arithmetic == "both" else (arithmetic,)
    with progress_bar(len(jobs) * len(names)) as bar:
        found = [_checked(job, network, name, max_bytes, bar) for job in jobs for name in names]
    _show(network_path, found, as_json)
    return 0 if all(isinstance(checked, Accepted) for _, _, checked, _ in found) else 1


def _checked(
    job: _Job, network: Network, arithmetic: str, max_bytes: int, bar: Bar
) -> tuple[Path, str, Checked, float]:
    started = time.monotonic()
    total = _record_count(job.path, max_bytes)
    bar.item(f"{job.path.name}, {arithmetic}")

    def show(records: int, read: int) -> None:
        words = f"{records:,} records"
        if total is not None and 0 < records <= total:
            left = (time.monotonic() - started) * (total - records) / records
            words = f"{records:,} of {total:,} records, about {left:.0f} s left"
        bar.work(words)

    checked = check_proof(job.path, network, job.query, job.subject, arithmetic, show, max_bytes)
    bar.done("accepted" if isinstance(checked, Accepted) else "not accepted")
    return job.path, arithmetic, checked, time.monotonic() - started


def _record_count(path: Path, max_bytes: int) -> int | None:
    """What the last line says: for the person who waits, nothing rests on it."""
    if not path.is_file():  # a pipe could be waited for without end
        return None
    inflate, tail, total = zlib.decompressobj(wbits=31), b"", 0
    try:
        with path.open("rb") as raw:
            while (data := raw.read(_CHUNK)) and total <= max_bytes:
                while data:
                    piece = inflate.decompress(data, _CHUNK)
                    data, total = inflate.unconsumed_tail, total + len(piece)
                    tail = (tail + piece)[-_TAIL:]
        words = tail.splitlines()[-1].split() if total <= max_bytes and tail else []
        return int(words[1]) if len(words) == 2 and words[0] == b"end" else None
    except (OSError, ValueError, zlib.error):
        return None


def _show(network_path: Path, found: list[tuple[Path, str, Checked, float]], as_json: bool) -> None:
    if as_json:
        results = []
        for path, arithmetic, checked, seconds in found:
            record: dict[str, object] = {"proof": str(path), "arithmetic": arithmetic}
            record["accepted"] = isinstance(checked, Accepted)
            record["seconds"] = round(seconds, 3)
            if isinstance(checked, Accepted):
                record |= {"records": checked.records, "deepest": checked.deepest}
            else:
                record |= {"record": checked.record, "text": checked.text, "reason": checked.reason}
            results.append(record)
        print_json(header(network_path) | {"results": results})
        return
    for path, arithmetic, checked, seconds in found:
        if isinstance(checked, Accepted):
            words = f"accepted: {checked.records} records, at most {checked.deepest} splits deep"
        else:
            words = f"not accepted: {checked.words}"
        print(f"{path}: {arithmetic} arithmetic: {words} ({seconds:.2f} s)")
