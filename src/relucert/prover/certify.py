"""Attack, prove, and read the written proof again before anything is called proved."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from relucert.bounds.backward import Relaxation, bound_network
from relucert.bounds.interval import Intervals
from relucert.bounds.unsafe import distance, float_rows
from relucert.errors import FileError
from relucert.limits import Limits
from relucert.network import Network
from relucert.proof.check import Checked, NotAccepted, check_proof, check_records
from relucert.proof.region import Region
from relucert.proof.stream import ProofReader
from relucert.proof.subject import Subject
from relucert.prover.ground import checked_bounds
from relucert.prover.outcomes import Stopped
from relucert.prover.prove import prove
from relucert.prover.ties import Watching
from relucert.prover.transcript import Untold, transcript
from relucert.prover.writer import ProofWriter, rename
from relucert.query import Case, Query
from relucert.search.attack import Attack, attack_case
from relucert.search.few_inputs import MAX_FREE_INPUTS, free_inputs, search_few_inputs
from relucert.search.split_log import Refutation, SplitLog
from relucert.verdict import Method, Proved, Reason, Unknown, Verdict, Violated

__all__ = ["Certified", "certify_with_proof"]

_ATTACK_SECONDS = 0.4
_ATTACK_SHARE = 0.1
_BOUNDS_SHARE = 0.6

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Certified:
    """The verdict, and of a proof its file and what it cost; seconds are wall-clock.

    size: bytes of the file. arithmetics: by which the checker accepted it. ``path`` is None where
    there is no accepted proof.
    """

    verdict: Verdict
    seconds: float
    path: Path | None = None
    size: int = 0
    records: int = 0
    prove_seconds: float = 0.0
    check_seconds: float = 0.0
    arithmetics: tuple[str, ...] = ()


def certify_with_proof(
    network: Network,
    query: Query,
    subject: Subject,
    path: Path,
    limits: Limits,
    *,
    seed: int = 0,
    exact: bool = False,
    progress: Progress | None = None,
) -> Certified:
    """Proved only with a proof at ``path`` that the checker accepts when it reads the file.

    What searches over few inputs wrote down is tried as it stands, and derived region by region
    only where that is not accepted. The rounded arithmetic always checks, the exact one where
    asked, and where rounding decides what bounds go by (see `ties`), for there it may judge
    differently. A proof that is not accepted is kept beside, its name ending in
    ``.not-accepted``, and the verdict is Unknown. Raises FileError when the file cannot be
    written, QueryError when query and network do not fit.
    """
    query.fits(network.input_size, network.output_size)
    if path.is_dir():  # said before any work is done
        raise FileError(path, "a folder: give the name of a file to write the proof to")
    logs, known, verdict = _searched(network, query, limits, seed, progress)
    if verdict is not None:
        return Certified(verdict, limits.elapsed)
    asked = _Asked(network, query, subject, path, exact, progress)
    found = _transcribed(asked, limits, logs)
    if found is None:
        found = _proved(asked, limits, logs, known)
    return replace(found, seconds=limits.elapsed)


@dataclass(frozen=True)
class _Asked:
    """What a proof is to show, where it is to be, and whether the exact arithmetic reads it too."""

    network: Network
    query: Query
    subject: Subject
    path: Path
    exact: bool
    progress: Progress | None

    def say(self, words: str) -> None:
        if self.progress is not None:
            self.progress(words)


def _transcribed(asked: _Asked, limits: Limits, logs: Mapping[int, SplitLog]) -> Certified | None:
    """The searches' trees as they are; None, and no file, where that is not accepted in time."""
    cases = asked.query.cases
    if any(
        case.unsafe and (index not in logs or logs[index].full) for index, case in enumerate(cases)
    ):
        return None
    before = time.monotonic()
    asked.say("writing the proof")
    try:
        with ProofWriter(asked.path, asked.subject) as writer:
            for index, case in enumerate(cases):
                writer.start_case(index)
                for record in transcript(case, logs[index]) if case.unsafe else ():
                    writer.write(record)
            writer.complete()
            proving = time.monotonic() - before
            readings = _readings(replace(asked, path=writer.temporary), limits)
            if readings.refused is not None:
                return None
            writer.finish()
    except (Untold, Stopped, MemoryError):
        return None
    return Certified(
        Proved(Method.CHECKED), 0.0, asked.path, asked.path.stat().st_size, writer.records,
        proving, readings.seconds, readings.arithmetics,
    )  # fmt: skip


def _proved(
    asked: _Asked, limits: Limits, logs: Mapping[int, SplitLog], known: Mapping[int, Region]
) -> Certified:
    """Every record derived while it is written."""
    before, path = time.monotonic(), asked.path
    unread = path.with_name(f".{path.name}.unread")
    try:
        result = prove(
            asked.network, asked.query, asked.subject, unread, limits, asked.progress, logs=logs,
            known=known,
        )  # fmt: skip
        proving = time.monotonic() - before
        if not isinstance(result.verdict, Proved):
            return Certified(result.verdict, 0.0, prove_seconds=proving)
        readings = _readings(replace(asked, path=unread))
        if readings.refused is not None:
            kept = unread.replace(path.with_name(path.name + ".not-accepted"))
            words = f"the proof is not accepted {readings.refused}; kept as {kept}"
            return Certified(Unknown(Reason.ROUNDING, words), 0.0)
        rename(unread, path)
    except MemoryError:
        return Certified(Unknown(Reason.MEMORY, "ran out of memory"), 0.0)
    except FileError as error:  # about the file that was asked for, by whatever name
        raise FileError(path, error.problem, error.place) from None
    finally:
        unread.unlink(missing_ok=True)
    return Certified(
        result.verdict, 0.0, path, result.size, result.records, proving, readings.seconds,
        readings.arithmetics,
    )  # fmt: skip


@dataclass(frozen=True)
class _Readings:
    """By which arithmetics the checker accepts a file; refused: by which one not, and why."""

    arithmetics: tuple[str, ...]
    seconds: float
    refused: str | None = None


def _readings(asked: _Asked, limits: Limits | None = None) -> _Readings:
    """limits: for the rounded arithmetic, which then raises Stopped."""
    before, accepted, exact = time.monotonic(), list[str](), asked.exact
    for arithmetic in ("rounded", "exact"):
        if arithmetic == "exact" and not exact:
            break
        asked.say(f"checking the proof, {arithmetic}")
        checked, tie = _checked(asked, arithmetic, limits)
        if isinstance(checked, NotAccepted):
            refused = f"({arithmetic}): {checked.words}"
            return _Readings(tuple(accepted), time.monotonic() - before, refused)
        accepted.append(arithmetic)
        exact |= tie
    return _Readings(tuple(accepted), time.monotonic() - before)


def _checked(asked: _Asked, arithmetic: str, limits: Limits | None) -> tuple[Checked, bool]:
    """What the checker says, and whether rounding decided what bounds go by."""
    given = asked.network, asked.query
    if arithmetic == "exact":
        return check_proof(asked.path, *given, asked.subject, arithmetic), False
    reader, watching = ProofReader(asked.path), Watching(asked.network, limits)
    reader.expect_subject(asked.subject)
    return check_records(reader, *given, watching), watching.tie


def _searched(
    network: Network, query: Query, limits: Limits, seed: int, progress: Progress | None
) -> tuple[dict[int, SplitLog], dict[int, Region], Verdict | None]:
    """What searches write down, by case, and the checker's first bounds; a verdict where there is
    nothing left to prove."""
    logs: dict[int, SplitLog] = {}
    known: dict[int, Region] = {}
    for index, case in enumerate(query.cases):
        if not case.unsafe:
            continue
        box = Intervals(*case.box.enclosing_floats)
        if progress is not None:
            progress("bounds")
        first = limits.within(_BOUNDS_SHARE * limits.remaining)
        ground = checked_bounds(network, case, first)
        if ground is None or ground.region.empty:
            chain = bound_network(network, box, first)
        else:
            chain, known[index] = ground.chain, ground.region
        at_once = _at_once(chain, box, case)
        if at_once is not None:
            logs[index] = at_once
            continue
        if free_inputs(case) <= MAX_FREE_INPUTS:
            log = SplitLog()
            found = search_few_inputs(network, query, case, limits, seed, progress, chain, log=log)
            if isinstance(found, Proved):
                logs[index] = log
                continue
            if isinstance(found, Violated) or found.reason is not Reason.ENGINE:
                return logs, known, found
        violated = _attacked(network, query, case, limits, seed, progress)
        if violated is not None:
            return logs, known, violated
    return logs, known, None


def _at_once(chain: list[Relaxation], box: Intervals, case: Case) -> SplitLog | None:
    """What a search without splits would write down; None where the first bounds do not refute."""
    closed: dict[int, Refutation] = {}
    for unsafe, part in enumerate(case.unsafe):
        found = distance(chain, box, float_rows(part))
        if not found.best > 0:
            return None
        if found.rows.max(initial=-np.inf) > 0:
            closed[unsafe] = Refutation({int(found.rows.argmax()): 1.0}, {}, {})
    return SplitLog({}, {0: closed})


def _attacked(
    network: Network,
    query: Query,
    case: Case,
    limits: Limits,
    seed: int,
    progress: Progress | None,
) -> Violated | None:
    if progress is not None:
        progress("looking for a counterexample")
    seconds = min(_ATTACK_SECONDS, _ATTACK_SHARE * limits.remaining) / max(1, len(query.cases))
    attack = Attack(seconds=seconds, seed=seed)
    return attack_case(network, query, case, attack, limits).violated
