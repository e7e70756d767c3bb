"""Hardness transfer, and how much of the cost is the encoding's."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from reductions.analysis.costs import quantile
from reductions.analysis.growth import LEVEL, Band
from reductions.analysis.measured import Measured, Slice, seconds_of, time_costs
from reductions.analysis.run_folder import Row
from reductions.analysis.section import Section, Table
from reductions.analysis.transfer import FEWEST_FORMULAS, Transfer
from reductions.analysis.wording import band, joined, number

__all__ = ["encoding_section", "transfer_section"]

_STRONG = 0.5
_MUCH_SLOWER = 10
_MOST_PAIRS = 4


def transfer_section(pairs: list[Transfer]) -> Section:
    """Rank correlations of every two doors."""
    rows = tuple((p.first, p.second, p.formulas, *_cells(p.overall), *_cells(p.within))
                 for p in pairs)  # fmt: skip
    bounds = ("low", "high")
    header = (
        "door", "other door", "formulas", "overall", *(f"overall {b}" for b in bounds),
        "within a size", *(f"within {b}" for b in bounds),
    )  # fmt: skip
    return Section(
        title="Hardness transfer: are the same formulas hard?",
        intro="Spearman's rank correlation of two doors' times on the same formulas: 1 is the same "
        "order, 0 no relation; formulas that were cut off are ties at the top. “Overall” "
        "rises whenever both doors slow down with the size. “Within a size” ranks a "
        "formula only against others of its family, size, ratio and answer: there, a high value "
        "means that the formula itself is what is hard.",
        findings=tuple(_findings(pairs)),
        tables=(Table("transfer", f"Rank correlations with {LEVEL:.0%} bands", header, rows),)
        if pairs
        else (),
        remarks=() if pairs else ("A single door: there is nothing to compare.",),
    )


def _cells(band: object) -> tuple[object, object, object]:
    value = getattr(band, "value", None)
    return value, getattr(band, "low", None), getattr(band, "high", None)


def _findings(pairs: list[Transfer]) -> Iterator[str]:
    known = [(pair, pair.within) for pair in pairs if pair.within is not None]
    strong = [
        f"{pair.first} and {pair.second} ({number(within.value, 2)})"
        for pair, within in known
        if within.low > 0 and within.value >= _STRONG
    ]
    none = [f"{pair.first} and {pair.second}" for pair, within in known if 0.0 in within]
    if strong:
        yield f"Among formulas of one size, the same ones are hard for {joined(strong)}."
    if none and len(none) <= _MOST_PAIRS:
        yield f"Among formulas of one size, no common hardness shows for {joined(none)}."
    elif none:
        yield (
            f"Among formulas of one size, no common hardness shows for {len(none)} of "
            f"{len(pairs)} pairs of doors."
        )
    if pairs and not known:
        yield (
            f"No two doors share {FEWEST_FORMULAS} formulas with different times: hardness "
            "transfer cannot be seen."
        )


def encoding_section(measured: Measured, pairs: list[Transfer]) -> Section | None:
    """How the door's own instance and time grow, beside the door that decides most, soonest."""
    if not measured.slices:
        return None
    slice_ = measured.slices[0]
    doors = [door for door in map(partial(_door, measured, slice_), measured.doors) if door]
    if len(doors) < 2:
        return None
    reference = min(doors, key=lambda door: (-door.decided, door.total))
    within = {
        other: pair.within
        for pair in pairs
        for one, other in ((pair.first, pair.second), (pair.second, pair.first))
        if one == reference.name
    }
    rows = tuple(door.row(within.get(door.name)) for door in doors)
    findings = [
        f"{door.name}: at n = {door.sizes[1]} its median is {'over ' if door.hidden else ''}"
        f"{door.medians[1] / max(reference.medians[1], 1e-3):.0f} times that of {reference.name}, "
        f"and the two rank the formulas of a size hardly alike (correlation {band(rho)}): "
        "mostly the encoding or the method is what is hard, not the formula."
        for door in doors
        if (rho := within.get(door.name)) is not None
        and rho.high < _STRONG
        and door.medians[1] > _MUCH_SLOWER * max(reference.medians[1], 1e-3)
        and door.medians[1] > 2 * door.medians[0]
    ]
    return Section(
        title="Is it the formula or the encoding?",
        intro=f"{slice_.title}: what each door gets to see grows too. The spread is the factor "
        "between formulas of one size (one standard deviation, decided ones only); the correlation "
        f"is within a size, with {reference.name}, which decided most in the least time. A door "
        "that is far slower, and whose hard formulas are not the other's, spends its time on its "
        "encoding.",
        findings=tuple(findings),
        tables=(
            Table("encoding", "The door's own instance and its time, smallest and largest size",
                  ("door", "n", "instance", "median s", "largest n", "instance there",
                   "median s there", "is hidden by the limit", "spread within a size",
                   f"correlation with {reference.name}"), rows),
        ),
    )  # fmt: skip


@dataclass(frozen=True)
class _Door:
    """A door at its smallest and largest size; ``hidden`` if the last median is a lower bound."""

    name: str
    sizes: tuple[int, int]
    instances: tuple[float | None, float | None]
    medians: tuple[float, float]
    hidden: bool
    spread: float | None
    decided: int
    total: float

    def row(self, within: Band | None) -> tuple[object, ...]:
        return (
            self.name, self.sizes[0], self.instances[0], self.medians[0], self.sizes[1],
            self.instances[1], self.medians[1], "yes" if self.hidden else "no", self.spread,
            within.value if within is not None else None,
        )  # fmt: skip


def _door(measured: Measured, slice_: Slice, name: str) -> _Door | None:
    rows = measured.of(slice_, name)
    costs = time_costs(rows)
    if len(costs.sizes) < 2:
        return None
    first, last = costs.sizes[0], costs.sizes[-1]
    bounds = [quantile(costs, size, 0.5) for size in (first, last)]
    instances = [
        [row.instance_size for row in rows if row.size == n and row.instance_size is not None]
        for n in (first, last)
    ]
    typical = [float(np.median(found)) if found else None for found in instances]
    return _Door(
        name, (int(first), int(last)), (typical[0], typical[1]), (bounds[0][0], bounds[1][0]),
        math.isinf(bounds[1][1]), _spread(rows), sum(row.decided for row in rows),
        float(costs.measured.sum()),
    )  # fmt: skip


def _spread(rows: list[Row]) -> float | None:
    """exp of the standard deviation of log time within sizes."""
    logs: dict[int, list[float]] = defaultdict(list)
    for row in rows:
        spent = seconds_of(row)
        if row.decided and spent is not None and spent > 0:
            logs[row.size].append(math.log(spent))
    several = [np.array(found) for found in logs.values() if len(found) > 1]
    freedom = sum(len(found) - 1 for found in several)
    if not freedom:
        return None
    squares = sum(float(((found - found.mean()) ** 2).sum()) for found in several)
    return math.exp(math.sqrt(squares / freedom))
