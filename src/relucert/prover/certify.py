"""Attack, prove, and read the written proof again before anything is called proved."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from relucert.bounds.backward import Relaxation, bound_network
from relucert.bounds.interval import Intervals
from relucert.bounds.unsafe import distance, float_rows
from relucert.limits import Limits
from relucert.network import Network
from relucert.proof.check import Checked, NotAccepted, check_proof, check_records
from relucert.proof.region import Region
from relucert.proof.stream import ProofReader
from relucert.proof.subject import Subject
from relucert.prover.ground import checked_bounds
from relucert.prover.prove import prove
from relucert.prover.ties import Watching
from relucert.query import Case, Query
from relucert.search.attack import Attack, attack_case
from relucert.search.few_inputs import MAX_FREE_INPUTS, free_inputs, search_few_inputs
from relucert.search.split_log import Refutation, SplitLog
from relucert.verdict import Proved, Reason, Unknown, Verdict, Violated

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

    The rounded arithmetic always checks, the exact one where asked, and where rounding decides what
    counts as stable (see `ties`), for there it may judge differently. A proof that is not accepted
    is kept beside, its name ending in ``.not-accepted``, and the verdict is Unknown. Raises
    FileError when the file cannot be written, QueryError when query and network do not fit.
    """
    query.fits(network.input_size, network.output_size)
    logs, known, verdict = _searched(network, query, limits, seed, progress)
    if verdict is not None:
        return Certified(verdict, limits.elapsed)
    before = time.monotonic()
    try:
        result = prove(network, query, subject, path, limits, progress, logs=logs, known=known)
    except MemoryError:
        return Certified(Unknown(Reason.MEMORY, "ran out of memory"), limits.elapsed)
    proving = time.monotonic() - before
    if not isinstance(result.verdict, Proved):
        return Certified(result.verdict, limits.elapsed, prove_seconds=proving)
    before = time.monotonic()
    arithmetics = list[str]()
    for arithmetic in ("rounded", "exact"):
        if arithmetic == "exact" and not exact:
            break
        if progress is not None:
            progress(f"checking the proof, {arithmetic}")
        checked, tie = _checked(path, network, query, subject, arithmetic)
        if isinstance(checked, NotAccepted):
            kept = path.replace(path.with_name(path.name + ".not-accepted"))
            words = f"the proof is not accepted ({arithmetic}): {checked.words}; kept as {kept}"
            return Certified(Unknown(Reason.ROUNDING, words), limits.elapsed)
        arithmetics.append(arithmetic)
        exact |= tie
    checking = time.monotonic() - before
    return Certified(
        result.verdict, limits.elapsed, path, result.size, result.records, proving, checking,
        tuple(arithmetics),
    )  # fmt: skip


def _checked(
    path: Path, network: Network, query: Query, subject: Subject, arithmetic: str
) -> tuple[Checked, bool]:
    """What the checker says, and whether rounding decided what counts as stable."""
    if arithmetic == "exact":
        return check_proof(path, network, query, subject, arithmetic), False
    reader, watching = ProofReader(path), Watching(network)
    reader.expect_subject(subject)
    return check_records(reader, network, query, watching), watching.tie


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
