"""Charts as plain data: what is drawn is what their CSV holds, number for number."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

__all__ = ["Chart", "Kind", "Series", "table_text"]

Kind = Literal["points", "medians", "cut-off", "line", "dashes", "band", "steps", "limit", "share"]


@dataclass(frozen=True)
class Series:
    """One thing to draw. ``low`` and ``high`` bound a band; ``colour`` counts through the palette.

    "cut-off" marks bounds that a limit left open upwards, "share" (from 0 to 1) has an axis of its
    own on the right.
    """

    name: str
    kind: Kind
    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    colour: int = 0


@dataclass(frozen=True)
class Chart:
    """A chart, its file name and the sentences under it; the y axis is logarithmic if ``log_y``."""

    slug: str
    title: str
    x_label: str
    y_label: str
    series: tuple[Series, ...]
    log_y: bool = True
    log_x: bool = False
    unseen_from: float | None = None

    def table(self) -> list[Sequence[object]]:
        """Header and one row per number drawn."""
        rows: list[Sequence[object]] = [
            ("series", "kind", self.x_label, self.y_label, "low", "high")
        ]
        for series in self.series:
            for index, (x, y) in enumerate(zip(series.x, series.y, strict=True)):
                bounds = (series.low[index], series.high[index]) if series.low else ("", "")
                rows.append((series.name, series.kind, x, y, *bounds))
        return rows


def table_text(rows: Sequence[Sequence[object]]) -> str:
    """The rows as CSV; floats as Python writes them, so that reading gives them back."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
