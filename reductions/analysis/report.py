"""From a run folder to a report folder: report.html and the CSV behind every chart and table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reductions.analysis.charts import table_text
from reductions.analysis.comparison_sections import (
    agreement_section,
    cactus_section,
    ratio_section,
)
from reductions.analysis.costs import FLOOR
from reductions.analysis.growth import LEVEL, LIKELIHOOD_RATIO, RESAMPLES
from reductions.analysis.growth_section import growth_section
from reductions.analysis.measured import Measured
from reductions.analysis.page import page
from reductions.analysis.run_folder import Run, read_run
from reductions.analysis.section import Section
from reductions.analysis.transfer import hardness_transfer
from reductions.analysis.transfer_section import encoding_section, transfer_section
from relucert.write.files import check_target, make_folder, write_atomically

__all__ = ["Written", "write_report"]


@dataclass(frozen=True)
class Written:
    """What was written, and the lines to print."""

    page: Path
    tables: int
    rows: int
    notes: tuple[str, ...]
    findings: tuple[str, ...]


def write_report(run: str | Path, folder: str | Path, seed: int, command: str) -> Written:
    """Analyse the run and write the report into ``folder``, which is made if missing.

    The same run and seed give the same files. Raises FileError for a run that cannot be read or
    a folder that cannot be written.
    """
    folder = Path(folder)
    check_target(folder, folder=True)
    source = read_run(run)
    sections = _sections(source, seed)
    facts = {**_facts(source), "analysis": command, "analysis seed": str(seed)}
    text = page(_title(source), source.notes, facts, sections, _CLOSING)
    make_folder(folder)
    tables = dict(_tables(sections))
    for name, rows in tables.items():
        write_atomically(folder / f"{name}.csv", table_text(rows))
    write_atomically(folder / "report.html", text)
    findings = tuple(finding for section in sections for finding in section.findings)
    return Written(folder / "report.html", len(tables), len(source.rows), source.notes, findings)


def _sections(run: Run, seed: int) -> list[Section]:
    measured = Measured(run.rows)
    if not run.rows:
        return [_caveats()]
    pairs = hardness_transfer(measured, seed)
    candidates = (
        agreement_section(measured),
        growth_section(measured, seed),
        cactus_section(measured),
        ratio_section(measured),
        transfer_section(pairs),
        encoding_section(measured, pairs),
        _caveats(),
    )
    return [section for section in candidates if section is not None]


def _tables(sections: Sequence[Section]) -> Iterator[tuple[str, list[Sequence[object]]]]:
    for section in sections:
        for figure in (*section.figures, *section.folded):
            yield figure.chart.slug, figure.chart.table()
        for table in section.tables:
            yield table.slug, table.table()


def _title(run: Run) -> str:
    families = sorted({row.family for row in run.rows})
    return f"How hard instances grow: {', '.join(families) or 'an empty run'}"


def _facts(run: Run) -> dict[str, str]:
    """run.json in lines, nested values joined; what it does not know, the rows tell."""
    facts = {"folder": run.folder.name or str(run.folder), "measurements": f"{len(run.rows)}"}
    for name, value in run.facts.items():
        facts[str(name).replace("_", " ")] = _plain(value)
    sizes = sorted({row.size for row in run.rows})
    if sizes:
        facts.setdefault("sizes", ", ".join(map(str, sizes)))
    return facts


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {_plain(inner)}" for name, inner in value.items())
    if isinstance(value, list):
        return ", ".join(_plain(inner) for inner in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)


def _caveats() -> Section:
    return Section(
        title="What these numbers cannot say",
        intro="“Consistent with” is not “proved”: finitely many sizes never "
        "settle how a cost grows for ever, and a law that fits here may fail at larger n.",
        remarks=(
            f"A law is rejected when the {LEVEL:.0%} predictive band that it gets from the lower "
            "two thirds of the sizes with an observed median misses the median of a larger size "
            "(the level is shared out over the larger sizes), or when all data are "
            f"{LIKELIHOOD_RATIO:.0f} times less likely under it than under the best law.",
            "The noise is taken to be log-normal with the same spread at every size. Where the "
            "spread grows with the size, as on satisfiable formulas it often does, the bands are "
            "too narrow.",
            f"Bands come from {RESAMPLES} resamples of the formulas within each size, at "
            f"{LEVEL:.0%}, shared out over the two parameters of a law. The machine is the same "
            "throughout: another one may change every constant.",
            "The start of a process takes the same time at every size. Each law is fitted as "
            "overhead + growth, the overhead being at most slightly more than the door's smallest "
            f"time; times below {FLOOR:g} times that smallest say only that the growth part is "
            "no larger. Counted effort has no start-up.",
            "Timeouts, runs out of memory and answers “unknown” count as “takes at "
            "least that long”. A run that failed with an error says nothing and is left out.",
            "A formula counts as satisfiable or not when some door decided it. Where no door did, "
            "it is missing from the fits: large sizes then look easier than they are.",
            "The doors do not get the same instance but encodings of the same formula. A slow door "
            "may be slow because of the encoding (the number of neurons, of rows, of points) and "
            "not because of the formula; the correlation within a size and the table above tell "
            "these apart.",
        ),
    )  # fmt: skip


_CLOSING = (
    "Every number drawn is in the CSV linked under its chart. Medians are lower medians: of an "
    "even number of values, the smaller of the two in the middle."
)
