"""The tree of a proof while it is written, depth first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from relucert.limits import Limits
from relucert.network import Network
from relucert.proof.arithmetic import Relaxation
from relucert.proof.bounding import bounded, lower_bounds, mixture
from relucert.proof.check import step
from relucert.proof.records import BoundRecord, CloseRecord, EmptyRecord, Record
from relucert.proof.region import Refused, Region
from relucert.prover.guide import Guide
from relucert.prover.leaf import reached_exactly
from relucert.prover.outcomes import Found, Stopped
from relucert.query import Case, Query
from relucert.search.margins import Margins
from relucert.verdict import confirm

__all__ = ["CLEAR_SHARE", "Progress", "Tree", "Writer"]

# With bounds larger than this share of the numbers that went into them, small differences between
# the arithmetics do not matter. Where all signs are known there are no slopes to differ.
CLEAR_SHARE = 1e-12
_EXACT_TRIES = 20

Progress = Callable[[str], None]


class Writer(Protocol):
    """Takes the records of a proof, as they are or as text."""

    def write(self, record: Record) -> None: ...

    def write_text(self, text: str) -> None: ...


@dataclass(eq=False)
class Tree:
    """Writes only records that the checker's rounded arithmetic takes.

    exact_leaves: where all signs are known and the margin is within rounding, rational arithmetic
    decides; no record says so, so this is for checks without a proof file.
    doubtful: how many parts are open that are divided further although a search had closed them.
    """

    network: Network
    query: Query
    case: Case
    guide: Guide
    writer: Writer
    limits: Limits
    progress: Progress | None = None
    regions: int = 0
    closed: float = 0.0
    tries: int = _EXACT_TRIES
    exact_leaves: bool = False
    doubtful: int = 0

    @cached_property
    def margins(self) -> Margins:
        """How far outputs are from the case's unsafe sets."""
        return Margins(self.case.unsafe)

    def look(self, point: np.ndarray) -> None:
        """Raise Found when the point (inputs,) is a counterexample."""
        with np.errstate(all="ignore"):
            margin = float(self.margins.smallest(self.network.evaluate(point[None, :]))[0])
        if margin <= 0 and self.tries > 0:
            self.tries -= 1
            found = confirm(self.network, self.query, self.case.box.nearest_rationals(point))
            if found is not None:
                raise Found(found)

    def emit(self, region: Region, record: Record) -> tuple[Region, ...]:
        """Take a step of the proof, and write it; raises Refused where it is none."""
        left = step(self.network, region, record)
        self.writer.write(record)
        if not left:
            self.closed += 0.5**region.depth
        return left

    def bounded(self, region: Region, slopes: Mapping[int, Mapping[int, int]]) -> Region:
        """Bounds anew."""
        self.guide.forget()
        (found,) = bounded(self.guide, self.network, [region], [slopes])
        if isinstance(found, Refused):
            raise found
        self.writer.write(BoundRecord(slopes))
        return found

    def ended(self, region: Region) -> bool:
        """Whether the region is empty, and said to be so."""
        return region.empty and not self.emit(region, EmptyRecord())

    def refutes(self, region: Region, record: CloseRecord) -> bool:
        """Whether the checker takes it, with a little to spare."""
        part = self.case.unsafe[record.unsafe]
        objective = mixture(part, record.weights)
        (value,) = lower_bounds(self.guide, self.network, [(region, record)], [objective])
        if isinstance(value, Refused):
            raise value
        if not self.relaxed(region):
            return value > 0
        ends = region.layers[-1].after(self.network.layers[-1])
        size = np.maximum(np.abs(ends.lower), np.abs(ends.upper))
        scale = float(np.abs(np.array([float(c) for c in objective.coefficients])) @ size)
        return value > CLEAR_SHARE * scale

    def relaxed(self, region: Region) -> bool:
        """Whether the sign of any ReLU is open."""
        pairs = zip(self.network.layers, region.layers, strict=True)
        return any(Relaxation(layer, pre).unstable.any() for layer, pre in pairs)

    def close(self, region: Region, record: CloseRecord) -> Region | None:
        """Write that a set is refuted, which `refutes` has shown; None when it was the last."""
        self.writer.write(record)
        return self._without(region, record.unsafe)

    def _without(self, region: Region, unsafe: int) -> Region | None:
        region = region.without(unsafe)
        if region.open:
            return region
        self.closed += 0.5**region.depth
        return None

    def decide_exactly(self, region: Region, unsafe: int) -> Region | None:
        """What is left of a region where all signs are known when a set is refuted in rationals.

        Raises Found when the set is reached, Stopped where such leaves are not wanted.
        """
        if not self.exact_leaves:
            raise Stopped("a region with all signs fixed is not refuted")
        point = reached_exactly(self.network, self.case, region, unsafe)
        if point is not None:
            found = confirm(self.network, self.query, point)
            if found is not None:
                raise Found(found)
            raise Stopped("bounds and exact evaluation disagree on a region")
        return self._without(region, unsafe)

    def visit(self) -> None:
        """One more region; raises Stopped at a limit."""
        self.regions += 1
        if self.regions % 16 == 0:
            if self.limits.out_of_time:
                raise Stopped("time")
            if self.limits.out_of_memory:
                raise Stopped("memory")
        if self.progress is not None and self.regions % 64 == 0:
            self.progress(f"{self.regions} regions, {100 * self.closed:.3g} % proved")
