"""What the rows of a run come to: counts a family, ratios between tools, disagreements."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from relucert.bench.results import OWN_NAME, Measurement

__all__ = [
    "COMPARISON_HEADER",
    "FAMILY_HEADER",
    "Disagreement",
    "comparison_rows",
    "disagreements",
    "family_rows",
    "judged",
]

FAMILY_HEADER = (
    "family", "all", "solved", "proved", "violated", "open", "wrong", "error", "median", "sum",
)  # fmt: skip
COMPARISON_HEADER = (
    "family", "tool", "all", "solved", "wrong", "PAR-2", "median", "both",
    "sum", f"sum {OWN_NAME}", "sum ratio", "median ratio",
)  # fmt: skip
_SHORTEST = 0.001

Limits = Mapping[tuple[str, str], float]


def family_rows(rows: Iterable[Measurement]) -> list[list[str]]:
    """Per family: instances, solved, proved, violated, unsolved, wrong, errors, median, sum."""
    return [_family_row(name, part) for name, part in _parts(rows)]


def _parts(rows: Iterable[Measurement]) -> list[tuple[str, list[Measurement]]]:
    families: dict[str, list[Measurement]] = {}
    for row in rows:
        families.setdefault(row.family, []).append(row)
    everything = [row for part in families.values() for row in part]
    return [*((name, families[name]) for name in sorted(families)), ("all", everything)]


def _family_row(name: str, rows: list[Measurement]) -> list[str]:
    solved = [row for row in rows if row.status == "solved"]
    times = sorted(row.seconds for row in solved)
    middle = times[len(times) // 2] if times else math.nan
    counts = [
        len(rows),
        len(solved),
        sum(row.verdict == "proved" for row in solved),
        sum(row.verdict == "violated" for row in solved),
        *(sum(row.status == status for row in rows) for status in ("unsolved", "WRONG", "error")),
    ]
    return [name, *map(str, counts), f"{middle:.2f}", f"{sum(row.seconds for row in rows):.0f}"]


def comparison_rows(
    rows: Iterable[Measurement], tools: Sequence[str], limits: Limits
) -> list[list[str]]:
    """Per family and tool: counts, PAR-2, median of the solved, and against relucert.

    PAR-2: the mean time, twice the limit where not solved. "both": how many instances the tool
    and relucert both solve; on those the sums of both, their ratio, and the median of the
    ratios theirs / relucert's: above one, relucert is the quicker.
    """
    return [
        _comparison_row(name, tool, part, limits) for name, part in _parts(rows) for tool in tools
    ]


def _comparison_row(
    family: str, tool: str, rows: Sequence[Measurement], limits: Limits
) -> list[str]:
    mine = [row for row in rows if row.tool == tool]
    solved = {row.key: row.seconds for row in mine if row.status == "solved"}
    penalties = [solved.get(row.key, 2.0 * limits[row.key]) for row in mine]
    start = [
        family,
        tool,
        str(len(mine)),
        str(len(solved)),
        str(sum(row.status == "WRONG" for row in mine)),
        f"{sum(penalties) / len(mine):.2f}" if mine else "-",
        f"{median(solved.values()):.2f}" if solved else "-",
    ]
    if tool == OWN_NAME:
        return [*start, *["-"] * 5]
    own = {r.key: r.seconds for r in rows if r.tool == OWN_NAME and r.status == "solved"}
    both = sorted(solved.keys() & own.keys())
    if not both:
        return [*start, "0", *["-"] * 4]
    theirs, ours = sum(solved[key] for key in both), sum(own[key] for key in both)
    ratios = [max(solved[key], _SHORTEST) / max(own[key], _SHORTEST) for key in both]
    return [
        *start, str(len(both)), f"{theirs:.2f}", f"{ours:.2f}",
        f"{max(theirs, _SHORTEST) / max(ours, _SHORTEST):.2f}", f"{median(ratios):.2f}",
    ]  # fmt: skip


@dataclass(frozen=True)
class Disagreement:
    """An instance on which answers cannot all be right.

    against_relucert: whether the expected answer or an exactly checked counterexample
    contradicts relucert.
    """

    network: str
    query: str
    words: str
    against_relucert: bool


def disagreements(rows: Iterable[Measurement]) -> list[Disagreement]:
    """Where the tools contradict one another, a checked counterexample or the expected answer."""
    found = []
    for key, part in _by_instance(rows).items():
        answers = {row.tool: row.verdict for row in part if row.verdict in _DEFINITE}
        expected = {row.expected for row in part} - {""}
        if len({*answers.values(), *expected}) < 2:
            continue
        confirmed = sorted(row.tool for row in part if row.confirmed)
        own = answers.get(OWN_NAME)
        against = own is not None and (
            bool(expected - {own}) or (bool(confirmed) and own == "proved")
        )
        words = ", ".join(f"{tool}: {answers[tool]}" for tool in sorted(answers))
        words += "".join(f"; expected: {answer}" for answer in sorted(expected))
        if confirmed:
            words += f"; counterexample of {confirmed[0]} checked exactly"
        found.append(Disagreement(*key, words, against))
    return found


_DEFINITE = ("proved", "violated")


def judged(rows: Iterable[Measurement]) -> list[Measurement]:
    """The rows, each in the light of the others on its instance.

    A checked counterexample makes "proved" wrong and confirms every "violated".
    """
    result = []
    for part in _by_instance(rows).values():
        refuted = any(row.confirmed for row in part)
        for row in part:
            status = row.status
            if refuted and row.verdict == "proved":
                status = "WRONG"
            elif refuted and status == "unconfirmed":
                status = "solved"
            result.append(replace(row, status=status))
    return result


def _by_instance(rows: Iterable[Measurement]) -> dict[tuple[str, str], list[Measurement]]:
    found: dict[tuple[str, str], list[Measurement]] = {}
    for row in rows:
        found.setdefault(row.key, []).append(row)
    return found
