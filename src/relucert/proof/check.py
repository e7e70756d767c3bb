"""Checking a proof: one pass over its records, with the regions still to be proved on a stack."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from relucert.network import Network
from relucert.proof import records as rec
from relucert.proof.arithmetic import Arithmetic, Objective
from relucert.proof.bounding import bounded, closed
from relucert.proof.exact_rows import Exact
from relucert.proof.region import Refused, Region, halves, input_halves, root_region
from relucert.proof.rounded import Rounded
from relucert.proof.stream import MAX_BYTES, Progress, ProofReader
from relucert.proof.subject import Subject
from relucert.proof.trees import LETTERS_AHEAD, Read, RefusedAt, Trees
from relucert.query import Case, Query

__all__ = ["ARITHMETICS", "Accepted", "NotAccepted", "check_proof", "check_records", "step"]

ARITHMETICS: dict[str, Callable[[Network], Arithmetic[Any]]] = {"rounded": Rounded, "exact": Exact}
_MAX_DEPTH = 1_000_000
_MAX_HELD = 8 * 1024**3
_BYTES_EACH = 256  # of the bounds of one region, and of what is derived from them and kept
_MOST_AHEAD, _VALUES_AHEAD = 4096, 2**20
_SHOWN = 60


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
    path: str | Path, network: Network, query: Query, subject: Subject,
    arithmetic: str = "rounded", progress: Progress | None = None, max_bytes: int = MAX_BYTES,
) -> Checked:  # fmt: skip
    """Check the proof file at ``path``, in the "rounded" or the "exact" arithmetic.

    network and query are what was read from the files that ``subject`` names. progress: called
    with the numbers of records done and of bytes read. max_bytes: of the decompressed proof.

    Raises FileError for a file that is not a proof about ``subject``, or is malformed; QueryError
    when the query does not fit the network.
    """
    query.fits(network.input_size, network.output_size)
    reader = ProofReader(path, max_bytes, progress)
    reader.expect_subject(subject)
    return check_records(reader, network, query, ARITHMETICS[arithmetic](network))


def check_records(
    reader: ProofReader, network: Network, query: Query, arithmetic: Arithmetic[Any]
) -> Checked:
    """The same after the header, in an arithmetic made for ``network``.

    What the arithmetic raises to stop comes through.
    """
    try:
        return _Checker(arithmetic, network, query, reader).run()
    except RefusedAt as refusal:
        return NotAccepted(refusal.read.number, refusal.read.text, str(refusal))
    except Refused as refusal:
        return NotAccepted(reader.records, reader.text, str(refusal))


@dataclass(eq=False)
class _Node:
    """A region of a tree whose records are read but perhaps not yet worked through.

    region: None while records above it wait. open: the sets that its records leave open.
    """

    region: Region | None
    open: set[int]
    depth: int = 0
    records: deque[Read] = field(default_factory=deque)
    halves: tuple[_Node, _Node] | None = None

    def take(self, read: Read) -> bool:
        """Note one more record; whether it is the region's last."""
        self.records.append(read)
        record = read.record
        if isinstance(record, rec.InputSplitRecord | rec.ReluSplitRecord):
            first, second = (_Node(None, set(self.open), self.depth + 1) for _ in range(2))
            self.halves = first, second
        if isinstance(record, rec.CloseRecord):
            self.open.discard(record.unsafe)
            return not self.open
        return isinstance(record, rec.EmptyRecord) or self.halves is not None


class _Checker:
    """Reads records ahead, and works through many regions at once."""

    def __init__(
        self, arithmetic: Arithmetic[Any], network: Network, query: Query, reader: ProofReader
    ) -> None:
        self.arithmetic, self.network, self.query = arithmetic, network, query
        self.reader, self.deepest = reader, 0
        values = network.input_size + sum(layer.output_size for layer in network.layers)
        self.held = _MAX_HELD // (_BYTES_EACH * values)
        self.ahead = max(1, min(_MOST_AHEAD, _VALUES_AHEAD // values))
        self.mixed: dict[tuple[Any, ...], Objective] = {}
        self.pushed: Read | None = None

    def run(self) -> Accepted:
        for index, case in enumerate(self.query.cases):
            record = self._following().record
            if not isinstance(record, rec.CaseRecord) or record.index != index:
                raise Refused(f"expected case {index}")
            if case.unsafe:
                self._case(case)
        if not isinstance(self._following().record, rec.EndRecord):
            raise Refused("every case is proved, but records are left over")
        return Accepted(self.reader.records, self.deepest)

    def _case(self, case: Case) -> None:
        """The tree of one case; ``waiting`` holds regions whose records are still to be read."""
        region = self._first_bounds(case)
        waiting = [_Node(region, set(region.open))] if region.open else []
        self.mixed.clear()
        while waiting:
            begun: list[_Node] = []
            try:
                self._read(waiting, begun)
            finally:
                # Also when reading failed: a record before that place may be the first wrong one.
                self._work_through(case, begun)

    def _first_bounds(self, case: Case) -> Region:
        """The box of a case after the records that a proof may begin with, one after another."""
        region = root_region(case)
        trees = Trees(self.arithmetic, self.network, case, self.held, self._following)
        read = self._following()
        while region.open:
            match read.record:
                case rec.BoundRecord() | rec.IntervalRecord():
                    region = self._box_bounds(region, read)
                    read = self._following()
                case rec.NeuronRecord() | rec.RefuteRecord():
                    region, read = trees.run(region, read)
                case _:
                    break
        self.pushed = read
        return region

    def _box_bounds(self, region: Region, read: Read) -> Region:
        linear = isinstance(read.record, rec.BoundRecord)
        given = [read.record.slopes if isinstance(read.record, rec.BoundRecord) else {}]
        (found,) = bounded(self.arithmetic, self.network, [region], given, linear=linear)
        if isinstance(found, Refused):
            raise RefusedAt(read, str(found))
        return found

    def _read(self, waiting: list[_Node], begun: list[_Node]) -> None:
        """Some records ahead; ``begun``: the nodes that they belong to."""
        letters = 0
        for _ in range(self.ahead):
            if not waiting or letters >= LETTERS_AHEAD:
                return
            read, node = self._following(), waiting[-1]
            letters += len(read.text)
            if not isinstance(read.record, rec.TreeRecord):
                raise Refused("the region before this record is not proved")
            if not node.records:
                begun.append(node)
            if not node.take(read):
                continue
            waiting.pop()
            if node.halves is not None:
                waiting += reversed(node.halves)
                self.deepest = max(self.deepest, node.depth + 1)
                if self.deepest > _MAX_DEPTH or len(waiting) > self.held:
                    raise Refused("the tree is too deep to be checked in memory")

    def _work_through(self, case: Case, begun: list[_Node]) -> None:
        """Take the steps of all nodes, as many as possible at once."""
        wrong: list[RefusedAt] = []
        active = [node for node in begun if node.region is not None]
        while active:
            for kind, one_step in (
                (rec.BoundRecord, self._bounded),
                (rec.CloseRecord, self._closed),
                (rec.EmptyRecord | rec.InputSplitRecord | rec.ReluSplitRecord, self._stepped),
            ):
                chosen = [n for n in active if n.records and isinstance(n.records[0].record, kind)]
                for start in range(0, len(chosen), self.arithmetic.at_once):
                    wrong += one_step(case, chosen[start : start + self.arithmetic.at_once])
            children = [child for node in active if not node.records for child in node.halves or ()]
            active = [n for n in (*active, *children) if n.records and n.region is not None]
        if wrong:
            raise min(wrong, key=lambda one: one.read.number)

    def _bounded(self, case: Case, nodes: list[_Node]) -> list[RefusedAt]:
        """``b`` of several nodes, and which of them are refused."""
        taken = [node.records.popleft() for node in nodes]
        slopes = [r.record.slopes for r in taken if isinstance(r.record, rec.BoundRecord)]
        regions = [node.region for node in nodes if node.region is not None]
        found = bounded(self.arithmetic, self.network, regions, slopes)
        return self._noted(nodes, taken, found)

    def _closed(self, case: Case, nodes: list[_Node]) -> list[RefusedAt]:
        """Every ``c`` of several nodes up to another record, or to a second one of the same set."""
        taken, pairs = list[tuple[_Node, Read]](), list[tuple[Region, rec.CloseRecord]]()
        for node in nodes:
            seen, region = set[int](), node.region
            while region is not None and node.records:
                record = node.records[0].record
                if not isinstance(record, rec.CloseRecord) or record.unsafe in seen:
                    break
                seen.add(record.unsafe)
                pairs.append((region, record))
                taken.append((node, node.records.popleft()))
        wrong, found = [], closed(self.arithmetic, self.network, case, pairs, self.mixed)
        for (node, read), (_, record), refusal in zip(taken, pairs, found, strict=True):
            if refusal is not None:
                wrong.append(RefusedAt(read, str(refusal)))
                node.records.clear()
            elif node.region is not None:
                node.region = node.region.without(record.unsafe)
        return wrong

    def _stepped(self, case: Case, nodes: list[_Node]) -> list[RefusedAt]:
        """All else, one node after another."""
        wrong = []
        for node in nodes:
            taken = node.records.popleft()
            if node.region is None:
                continue
            try:
                left = step(self.network, node.region, taken.record)
            except Refused as refusal:
                wrong += self._noted([node], [taken], [refusal])
                continue
            if node.halves is not None and not node.records:
                node.halves[0].region, node.halves[1].region = left
            elif left:
                (node.region,) = left
        return wrong

    def _noted(
        self, nodes: list[_Node], taken: Sequence[Read], found: Sequence[Region | Refused]
    ) -> list[RefusedAt]:
        wrong = []
        for node, read, one in zip(nodes, taken, found, strict=True):
            if isinstance(one, Refused):
                wrong.append(RefusedAt(read, str(one)))
                node.records.clear()
            else:
                node.region = one
        return wrong

    def _following(self) -> Read:
        if self.pushed is not None:
            pushed, self.pushed = self.pushed, None
            return pushed
        record = self.reader.next()
        return Read(self.reader.records, self.reader.text, record)


def step(network: Network, region: Region, record: rec.Record) -> tuple[Region, ...]:
    """What is left to prove after a record that needs no arithmetic: nothing, one or two regions.

    Raises Refused when the record is not allowed here or does not show what it should.
    """
    match record:
        case rec.EmptyRecord():
            if not region.empty:
                raise Refused("the bounds do not show that the region is empty")
            return ()
        case rec.InputSplitRecord(index, value):
            return input_halves(region, index, value)
        case rec.ReluSplitRecord(layer, neuron):
            return halves(network, region, layer, neuron)
    raise Refused("the region before this record is not proved")
