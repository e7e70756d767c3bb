"""What a report is made of: sections of sentences, charts and tables, all plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reductions.analysis.charts import Chart

__all__ = ["Figure", "Section", "Table", "slug_of"]


@dataclass(frozen=True)
class Table:
    """Header and rows as they go into the CSV; the page rounds numbers and may show fewer rows.

    A ``folded`` table waits behind a click; one that is not ``shown`` is only linked.
    """

    slug: str
    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]
    shown: bool = True
    folded: bool = False

    def table(self) -> list[Sequence[object]]:
        return [self.header, *self.rows]


@dataclass(frozen=True)
class Figure:
    """A chart and what to say under it."""

    chart: Chart
    text: str


@dataclass(frozen=True)
class Section:
    """``findings`` also open the page; ``folded`` figures wait behind a click."""

    title: str
    intro: str
    findings: tuple[str, ...] = ()
    figures: tuple[Figure, ...] = ()
    folded: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()
    remarks: tuple[str, ...] = ()


def slug_of(*words: object) -> str:
    """A file name from words: lower case, digits, dashes; what it drops, a code stands for."""
    import re
    import zlib

    text = "-".join(str(word) for word in words if word not in (None, ""))
    plain = re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.").replace(".", "_")
    kept = plain == text.lower().replace(" ", "-").replace(".", "_") and len(plain) <= 80
    return plain if kept else f"{plain[:70]}-{zlib.crc32(text.encode('utf-8', 'replace')):08x}"
