"""Checking a proof: one pass over its records, with the regions still to be proved on a stack."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from relucert.network import Network
from relucert.proof.arithmetic import Arithmetic
from relucert.proof.exact_rows import Exact
from relucert.proof.records import (
    BoundRecord,
    CaseRecord,
    CloseRecord,
    EmptyRecord,
    EndRecord,
    InputSplitRecord,
    Record,
    ReluSplitRecord,
)
from relucert.proof.region import (
    Refused,
    Region,
    bounded,
    halves,
    input_halves,
    lower_bound,
    mixed,
    root_region,
)
from relucert.proof.rounded import Rounded
from relucert.proof.stream import MAX_BYTES, ProofReader
from relucert.proof.subject import Subject
from relucert.query import Case, Query

__all__ = ["ARITHMETICS", "Accepted", "Checked", "NotAccepted", "check_proof", "step"]

ARITHMETICS: dict[str, Callable[[Network], Arithmetic[Any]]] = {"rounded": Rounded, "exact": Exact}
_MAX_DEPTH = 1_000_000
_MAX_HELD = 8 * 1024**3
_SHOWN = 60

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Accepted:
    """The proof shows that the query holds. records: read; deepest: splits above a region."""

    records: int
    deepest: int


@dataclass(frozen=True)
class NotAccepted:
    """The proof does not show that the query holds: the record that fails, and why."""

    record: int
    text: str
    reason: str

    @property
    def words(self) -> str:
        """One line for people."""
        text = self.text if len(self.text) <= _SHOWN else self.text[: _SHOWN - 3] + "..."
        return f"record {self.record} ({text}): {self.reason}"


Checked = Accepted | NotAccepted


def check_proof(
    path: str | Path,
    network: Network,
    query: Query,
    subject: Subject,
    arithmetic: str = "rounded",
    progress: Progress | None = None,
    max_bytes: int = MAX_BYTES,
) -> Checked:
    """Check the proof file at ``path``, in the "rounded" or the "exact" arithmetic.

    network and query are what was read from the files that ``subject`` names. progress: called
    with the numbers of records done and of bytes read. max_bytes: of the decompressed proof.

    Raises FileError for a file that is not a proof about ``subject``, or is malformed; QueryError
    when the query does not fit the network.
    """
    query.fits(network.input_size, network.output_size)
    reader = ProofReader(path, max_bytes)
    reader.expect_subject(subject)
    checker = _Checker(ARITHMETICS[arithmetic](network), network, query, reader, progress)
    try:
        return checker.run()
    except Refused as refusal:
        return NotAccepted(reader.records, reader.text, str(refusal))


@dataclass(eq=False)
class _Checker:
    arithmetic: Arithmetic[Any]
    network: Network
    query: Query
    reader: ProofReader
    progress: Progress | None
    deepest: int = 0

    def run(self) -> Accepted:
        for index, case in enumerate(self.query.cases):
            record = self._next()
            if not isinstance(record, CaseRecord) or record.index != index:
                raise Refused(f"expected case {index}")
            self._case(case)
        if not isinstance(self._next(), EndRecord):
            raise Refused("every case is proved, but records are left over")
        return Accepted(self.reader.records, self.deepest)

    def _case(self, case: Case) -> None:
        """The tree of one case; ``waiting`` holds second halves, which share inherited bounds."""
        if not case.unsafe:
            return
        waiting = [root_region(case)]
        held = _MAX_HELD // max(1, _size(self.network))
        while waiting:
            region: Region | None = waiting.pop()
            while region is not None:
                regions = step(self.arithmetic, self.network, case, region, self._next())
                if len(regions) == 2:
                    waiting.append(regions[1])
                    self.deepest = max(self.deepest, regions[0].depth)
                    if self.deepest > _MAX_DEPTH or len(waiting) > held:
                        raise Refused("the tree is too deep to be checked in memory")
                region = regions[0] if regions else None

    def _next(self) -> Record:
        record = self.reader.next()
        if self.progress is not None and self.reader.records % 64 == 0:
            self.progress(self.reader.records, self.reader.bytes_read)
        return record


def _size(network: Network) -> int:
    """Bytes of the bounds of one region, and of what is derived from them and kept."""
    values = network.input_size + sum(layer.output_size for layer in network.layers)
    return 256 * values


def step(
    arithmetic: Arithmetic[Any], network: Network, case: Case, region: Region, record: Record
) -> tuple[Region, ...]:
    """What is left to prove after one record: nothing, the region, or its two halves.

    Raises Refused when the record is not allowed here or does not show what it should.
    """
    match record:
        case BoundRecord(slopes):
            return (bounded(arithmetic, network, region, slopes),)
        case CloseRecord():
            region = _closed(arithmetic, network, case, region, record)
            return (region,) if region.open else ()
        case EmptyRecord():
            if not region.empty:
                raise Refused("the bounds do not show that the region is empty")
            return ()
        case InputSplitRecord(index, value):
            return input_halves(region, index, value)
        case ReluSplitRecord(layer, neuron):
            return halves(network, region, layer, neuron)
    raise Refused("the region before this record is not proved")


def _closed(
    arithmetic: Arithmetic[Any], network: Network, case: Case, region: Region, record: CloseRecord
) -> Region:
    if record.unsafe not in region.open:
        known = record.unsafe < len(case.unsafe)
        raise Refused(f"unsafe set {record.unsafe} {'is refuted already' if known else 'is none'}")
    objective = mixed(case.unsafe[record.unsafe], record.weights)
    value = lower_bound(arithmetic, network, region, objective, record.slopes, record.betas)
    if not value > 0:
        raise Refused(f"the bound of unsafe set {record.unsafe} is {value:.6g}, not positive")
    return region.without(record.unsafe)
