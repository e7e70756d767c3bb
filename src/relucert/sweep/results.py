"""What a sweep found: tables that do not depend on how it was run, and times apart from them.

results.csv           network, point, label, radius, verdict, how: one line an item, sorted
counterexamples.csv   network, point, radius, and the exact input of every violated item
times.csv             network, point, radius, seconds, peak_mib, detail
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from relucert.report.records import csv_text
from relucert.sweep.items import Item, Plan
from relucert.sweep.journal import Row
from relucert.write.files import write_atomically

__all__ = ["COUNTEREXAMPLES", "RESULTS", "TIMES", "Total", "sorted_items", "totals", "write_tables"]

RESULTS, COUNTEREXAMPLES, TIMES = "results.csv", "counterexamples.csv", "times.csv"
_RESULTS = ("network", "point", "label", "radius", "verdict", "how")
_COUNTEREXAMPLES = ("network", "point", "radius", "input")
_TIMES = ("network", "point", "radius", "seconds", "peak_mib", "detail")


@dataclass(frozen=True)
class Total:
    """One network at one radius: how many points there are, and the verdicts that are in.

    weak: of the proved ones, how many to a solver's tolerance only. seconds: of all items
    together. slowest: of the longest.
    """

    network: str
    radius: str
    points: int
    proved: int
    weak: int
    violated: int
    unknown: int
    seconds: float
    slowest: float

    @property
    def accuracy(self) -> float:
        """Certified accuracy: the share of all points that is proved."""
        return self.proved / self.points if self.points else 0.0

    @property
    def possible(self) -> float:
        """The share that is not violated: what certified accuracy may still become."""
        return (self.points - self.violated) / self.points if self.points else 0.0


def sorted_items(plan: Plan) -> list[Item]:
    """Networks as given, then by radius, then as in the data."""
    places = {network.digest: place for place, network in enumerate(plan.networks)}
    return sorted(
        plan.items(),
        key=lambda item: (places[item.network.digest], Fraction(item.radius), item.row),
    )


def write_tables(folder: Path, items: Sequence[Item], rows: Mapping[str, Row]) -> None:
    """The three tables, of finished items; ``items`` in the order of the lines."""
    done = [(item, rows[item.key]) for item in items if item.key in rows]
    tables = {
        RESULTS: csv_text(_RESULTS, (
            (item.network.name, item.row, item.label, item.radius, row.verdict, row.how)
            for item, row in done
        )),
        COUNTEREXAMPLES: csv_text(_COUNTEREXAMPLES, (
            (item.network.name, item.row, item.radius, " ".join(row.witness))
            for item, row in done
            if row.witness
        )),
        TIMES: csv_text(_TIMES, (
            (item.network.name, item.row, item.radius, f"{row.seconds:.3f}",
             f"{row.peak_bytes / 2**20:.0f}", " ".join(row.detail.split()))
            for item, row in done
        )),
    }  # fmt: skip
    for name, text in tables.items():
        write_atomically(folder / name, text)


def totals(plan: Plan, items: Sequence[Item], rows: Mapping[str, Row]) -> list[Total]:
    """A line for every network and radius, in the order of the results."""
    groups: dict[tuple[str, str], list[Row]] = {
        (network.name, radius): [] for network in plan.networks for radius in plan.radii
    }
    for item in items:
        if item.key in rows:
            groups[item.network.name, item.radius].append(rows[item.key])
    return [_total(name, radius, len(plan.rows), found) for (name, radius), found in groups.items()]


def _total(network: str, radius: str, points: int, rows: Sequence[Row]) -> Total:
    words = [row.verdict for row in rows]
    seconds = [row.seconds for row in rows]
    weak = sum(row.verdict == "proved" and "tolerance" in row.how for row in rows)
    return Total(
        network, radius, points, words.count("proved"), weak, words.count("violated"),
        words.count("unknown"), sum(seconds), max(seconds, default=0.0),
    )  # fmt: skip
