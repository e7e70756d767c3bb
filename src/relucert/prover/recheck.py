"""What a search has proved, derived again in the checker's arithmetic before anybody says so.

Where few inputs vary, every leaf of the search's tree is bounded anew and, where that does not
refute it, divided further. Where many vary, the search's trees are written down as the records of a
proof and the checker goes through them. No file is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from relucert.bounds.backward import Relaxation
from relucert.limits import Limits
from relucert.network import Network
from relucert.proof.check import NotAccepted, check_records
from relucert.proof.records import (
    BoundRecord,
    CaseRecord,
    EndRecord,
    Record,
    parse_record,
)
from relucert.proof.region import Refused
from relucert.proof.stream import ProofReader
from relucert.prover.ground import Ground
from relucert.prover.guide import Guide, Timed, chain_of
from relucert.prover.outcomes import Found, Stopped
from relucert.prover.relus import tree_records
from relucert.prover.replay import replay
from relucert.prover.signs import deeper_bounds
from relucert.prover.tree import Progress, Tree
from relucert.query import Query
from relucert.search.question_log import BoxLog
from relucert.search.split_log import SplitLog
from relucert.verdict import Method, Proved, Reason, Unknown, Verdict

__all__ = ["Deeper", "recheck_signs", "recheck_splits"]


@dataclass(eq=False)
class _Kept:
    """Takes records as a `ProofWriter` does."""

    records: list[Record]

    def write(self, record: Record) -> None:
        self.records.append(record)

    def write_text(self, text: str) -> None:
        self.records.append(parse_record(text))


class _Nothing:
    """Takes records and forgets them: they have been checked one by one."""

    def write(self, record: Record) -> None:
        pass

    def write_text(self, text: str) -> None:
        pass


class _RecordReader(ProofReader):
    """The records of a proof that is in no file, and never was text."""

    def __init__(self, records: Iterator[Record]) -> None:
        super().__init__(Path("proof"))
        self._records = records

    def next(self) -> Record:
        """See `ProofReader`."""
        record = next(self._records, None)
        if record is None:
            return EndRecord(self.records)
        self.records += 1
        return record


def recheck_splits(
    network: Network,
    query: Query,
    ground: Ground,
    log: SplitLog,
    limits: Limits,
    progress: Progress | None = None,
) -> Verdict:
    """Follow the tree of a search that halved inputs, every leaf in the checker's arithmetic.

    Where all signs are known and the margin is within rounding, rational arithmetic decides.
    Proved(CHECKED); Proved(BOUNDS), the search's word, when time or memory ends before, or
    where there is no room for the tree; Unknown(ROUNDING) when a leaf cannot be refuted,
    Unknown(TIME) when time ends while one is divided further; Violated where one is found to be
    unsafe.
    """
    if log.full:
        return Proved(Method.BOUNDS)
    guide = _guide(ground, limits)
    tree = Tree(
        network, query, ground.case, guide, _Nothing(), limits, progress, exact_leaves=True
    )  # fmt: skip

    def follow() -> Verdict:
        replay(tree, ground.region, log)
        return Proved(Method.CHECKED)

    return _within(limits, follow, lambda: tree.doubtful > 0)


@dataclass(frozen=True, eq=False)
class Deeper:
    """The ground with bounds by other slopes too, as a search over signs wants them.

    records: of a proof that derives them.
    """

    ground: Ground
    records: tuple[Record, ...]
    chain: list[Relaxation]

    @classmethod
    def of(cls, network: Network, query: Query, ground: Ground, limits: Limits) -> Deeper | None:
        """None where time ends, or the bounds contradict each other."""
        kept = _Kept([CaseRecord(0), BoundRecord()])
        tree = Tree(network, query, ground.case, _guide(ground, limits), kept, limits)
        try:
            region = deeper_bounds(tree, ground.region)
        except (Refused, Stopped):
            return None
        if region.empty:
            return None
        return cls(ground, tuple(kept.records), chain_of(network, region))


def recheck_signs(network: Network, start: Deeper, log: BoxLog, limits: Limits) -> Verdict:
    """Have the checker read what a search over signs of ReLUs wrote down; see `recheck_splits`.

    Also the search's own word where its log is full.
    """
    if log.full:
        return Proved(Method.BOUNDS)
    case = start.ground.case
    records = chain(start.records, tree_records(network, log))

    def check() -> Verdict:
        arithmetic = Timed.sharing(start.ground.arithmetic)
        arithmetic.limits = limits
        found = check_records(_RecordReader(records), network, Query((case,)), arithmetic)
        if isinstance(found, NotAccepted):
            return Unknown(Reason.ROUNDING, f"the search's proof is not accepted: {found.words}")
        return Proved(Method.CHECKED)

    return _within(limits, check)


def _guide(ground: Ground, limits: Limits) -> Guide:
    guide = Guide.sharing(ground.arithmetic)
    guide.limits = limits
    return guide


def _within(
    limits: Limits, check: Callable[[], Verdict], doubtful: Callable[[], bool] = lambda: False
) -> Verdict:
    """What the check says; the search's own word where it has no time or memory for it.

    doubtful: whether a part is known not to check as the search left it.
    """
    does_not_check = "a part that the search closed does not check"
    try:
        return check()
    except Found as found:
        return found.violated
    except Stopped as stop:
        if not (limits.out_of_time or limits.out_of_memory):
            return Unknown(Reason.ROUNDING, f"{does_not_check}: {stop}")
        if doubtful():
            reason = Reason.TIME if limits.out_of_time else Reason.MEMORY
            return Unknown(reason, does_not_check)
        return Proved(Method.BOUNDS)
    except Refused as refusal:
        return Unknown(Reason.ROUNDING, f"{does_not_check}: {refusal}")
    except MemoryError:
        if doubtful():
            return Unknown(Reason.MEMORY, does_not_check)
        return Proved(Method.BOUNDS)
    except (ArithmeticError, LookupError, ValueError) as error:
        words = f"what the search wrote down is not a proof: {type(error).__name__} ({error})"
        return Unknown(Reason.ROUNDING, words)
