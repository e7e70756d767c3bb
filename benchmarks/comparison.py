"""What the runs of against_omlt.py leave behind: rows, files of rows, a table of medians."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

REFERENCES = ("omlt-feasibility", "omlt-margin")
OWN = ("relucert-milp", "relucert-auto")
TOOLS = REFERENCES + OWN
CLOCKS = ("wall", "cpu")
_NUMBERS = {"repeat": int, "seconds": float, "cpu_seconds": float}


@dataclass(frozen=True)
class Run:
    """One row of the results; seconds: total, of which building and inside HiGHS (OMLT only).

    cpu_seconds: of the process, all its threads, in the same interval.
    answer: "right", "WRONG" or "none".
    """

    instance: str
    expected: str
    tool: str
    repeat: int
    verdict: str
    answer: str
    seconds: float
    cpu_seconds: float
    build_seconds: float | str
    solve_seconds: float | str
    detail: str


def read_runs(text: str) -> tuple[list[str], list[Run]]:
    """The comment lines and the rows of a results file."""
    lines = text.splitlines()
    comments = [line for line in lines if line.startswith("#")]
    rows = csv.DictReader(line for line in lines if not line.startswith("#"))
    runs = [
        Run(**(row | {key: kind(row[key]) for key, kind in _NUMBERS.items()}))  # type: ignore[arg-type]
        for row in rows
    ]
    return comments, runs


def limit_of(comments: Sequence[str]) -> float:
    """The time limit that a results file names."""
    found = re.search(r"limit ([\d.]+) s", " ".join(comments))
    if found is None:
        raise SystemExit("the results file does not name its time limit")
    return float(found[1])


def markdown(runs: Sequence[Run], seconds: float, clock: str = "wall") -> str:
    """A table of medians, and how many times OMLT's each of relucert's fits into.

    clock: "wall", or "cpu" for a machine that had other work; then a missing answer counts as the
    time that was used on it, not as the limit.
    """
    limit = seconds if clock == "wall" else None
    if clock == "cpu":
        runs = [replace(run, seconds=run.cpu_seconds) for run in runs]
    lines = [
        "| instance | expected | OMLT feasibility (HiGHS) | OMLT margin (HiGHS) | relucert `milp` "
        "| ratio | relucert `auto` | ratio |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    ratios: dict[str, list[float]] = {tool: [] for tool in OWN}
    for name in dict.fromkeys(run.instance for run in runs):
        own = {tool: [r for r in runs if r.instance == name and r.tool == tool] for tool in TOOLS}
        if not all(own.values()):
            continue
        cells = [name, own[REFERENCES[0]][0].expected]
        cells += [f"{_cell(own[tool])} ({_inside(own[tool])})" for tool in REFERENCES]
        for tool in OWN:
            ratio, mark = _ratio([own[t] for t in REFERENCES], own[tool], limit)
            ratios[tool].append(ratio)
            cells += [_cell(own[tool]), mark + (f"{ratio:.0f}" if ratio >= 10 else f"{ratio:.1f}")]
        lines.append("| " + " | ".join(cells) + " |")
    for tool, values in ratios.items():
        if values:
            lines.append(
                f"\nmedian ratio, {tool}: {median(values):.1f} (smallest {min(values):.2f}, "
                f"largest {max(values):.0f})"
            )
    wrong = [run for run in runs if run.answer == "WRONG"]
    lines.append(f"\nwrong answers: {len(wrong)} of {len(runs)} runs")
    return "\n".join(lines) + "\n"


def _ratio(
    references: Sequence[Sequence[Run]], own: Sequence[Run], limit: float | None
) -> tuple[float, str]:
    """The quicker OMLT median over relucert's; a missing or wrong answer counts as the limit.

    Marks: ">" where OMLT, "<" where relucert, "=" where neither had the answer every time.
    """
    reference = min(_time(runs, limit) for runs in references)
    missing = (all(map(_missing, references)), _missing(own))
    if all(missing):
        return 1.0, "="
    return reference / _time(own, limit), ">" if missing[0] else "<" if missing[1] else ""


def _missing(runs: Sequence[Run]) -> bool:
    return any(run.answer != "right" for run in runs)


def _time(runs: Sequence[Run], limit: float | None) -> float:
    if limit is not None and _missing(runs):
        return limit
    return median(run.seconds for run in runs)


def _inside(runs: Sequence[Run]) -> str:
    inside = [float(run.solve_seconds) for run in runs if run.solve_seconds != ""]
    return f"{median(inside):.2f}" if inside else "-"


def _cell(runs: Sequence[Run]) -> str:
    times = [run.seconds for run in runs]
    notes = sorted({run.answer for run in runs} - {"right"})
    words = {"none": "no answer", "WRONG": "**wrong**"}
    note = "".join(f" ({words[n]})" for n in notes)
    return f"{median(times):.2f}{note}"
