"""Doors side by side: their answers, cactus plots, and the curve over the clause ratio."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise

from reductions.analysis.charts import Chart, Kind, Series
from reductions.analysis.measured import ANSWERS, Measured, seconds_of
from reductions.analysis.run_folder import Row
from reductions.analysis.section import Figure, Section, Table, slug_of
from reductions.analysis.wording import joined, number, seconds

__all__ = ["agreement_section", "cactus_section", "ratio_section"]

_KINDS = {None: "formulas", "sat": "satisfiable formulas", "unsat": "unsatisfiable formulas"}
_FEWEST_RATIOS = 3
_MOST_CURVES = 6


def agreement_section(measured: Measured) -> Section:
    """Who answered what, and whether anyone contradicted anyone."""
    rows = []
    for door in measured.doors:
        mine = [row for row in measured.rows if row.door == door]
        counts = Counter(_outcome(row) for row in mine)
        solver = joined(sorted({row.solver for row in mine}))
        names = ("sat", "unsat", "undecided", "timeout", "memout", "error")
        rows.append((door, solver, len(mine), *(counts[name] for name in names)))
    formulas = len({row.formula for row in measured.rows})
    several = sum(len(doors) > 1 for doors in _deciders(measured).values())
    if measured.disagreements:
        finding = (
            f"Doors contradict each other on {len(measured.disagreements)} of {formulas} formulas: "
            "at least one program or reduction is wrong, and no time below should be cited."
        )
    elif several:
        finding = (
            f"Of {formulas} formulas, {several} were decided by two doors or more, "
            "and no two doors ever contradicted each other."
        )
    else:
        finding = f"None of the {formulas} formulas was decided by two doors: nothing was compared."
    tables = [
        Table("answers", "What each door answered",
              ("door", "solver", "runs", "sat", "unsat", "undecided", "timeout", "memout", "error"),
              tuple(rows)),
    ]  # fmt: skip
    if measured.disagreements:
        tables.append(
            Table("disagreements", "Formulas with contradicting answers",
                  ("formula", "sat says", "unsat says"),
                  tuple((d.formula, joined(d.sat), joined(d.unsat))
                        for d in measured.disagreements)),
        )  # fmt: skip
    return Section(
        title="Do the doors agree?",
        intro="One formula goes through every door: as it is, as a network to verify, as a data "
        "set to memorize. Each answer is led back to the formula and compared. “Undecided” "
        "ended by itself without an answer, as an incomplete method may.",
        findings=(finding,),
        tables=tuple(tables),
    )


def _outcome(row: Row) -> str:
    if row.status == "ok":
        return row.answer if row.decided else "undecided"
    return row.status


def _deciders(measured: Measured) -> dict[str, set[str]]:
    deciders: dict[str, set[str]] = defaultdict(set)
    for row in measured.rows:
        if row.decided:
            deciders[row.formula].add(row.door)
    return deciders


def cactus_section(measured: Measured) -> Section:
    """How many formulas each door decides within a time for one."""
    figures = [figure for answer in (None, *ANSWERS) for figure in _cactus(measured, answer)]
    return Section(
        title="Cactus plots",
        intro="How many formulas a door decides (across) when each may take so long (up): further "
        "right and lower is better. A curve ends where the door's last answer is.",
        findings=tuple(_most_solved(measured)),
        figures=tuple(figures),
    )


def _most_solved(measured: Measured) -> Iterator[str]:
    solved = Counter(row.door for row in measured.rows if row.decided)
    runs = Counter(row.door for row in measured.rows)
    if solved:
        doors = sorted(measured.doors, key=lambda door: -solved[door])
        words = [f"{door} {solved[door]} of {runs[door]}" for door in doors]
        yield f"Formulas decided: {joined(words)}."


def _cactus(measured: Measured, answer: str | None) -> Iterator[Figure]:
    series = []
    for colour, door in enumerate(measured.doors):
        times = sorted(
            t for row in measured.of(door=door, answer=answer)
            if row.decided and (t := seconds_of(row)) is not None
        )  # fmt: skip
        if times:
            name = f"{door} ({len(times)})"
            series.append(
                Series(name, "steps", tuple(range(1, len(times) + 1)), tuple(times), colour=colour)
            )
    if series:
        total = len({row.formula for row in measured.of(answer=answer)})
        chart = Chart(
            slug_of("cactus", answer or "all"),
            f"Cactus: {'all ' if answer is None else ''}{_KINDS[answer]}", "formulas decided",
            "CPU seconds for one formula", tuple(series),
        )  # fmt: skip
        yield Figure(chart, f"{total} {_KINDS[answer]} in the run; in brackets, how many decided.")


def ratio_section(measured: Measured) -> Section | None:
    """Median time over the clause ratio with the satisfiable fraction; None without ratios."""
    groups: dict[tuple[str, int], set[float]] = defaultdict(set)
    for row in measured.of():
        if row.ratio is not None:
            groups[row.family, row.size].add(row.ratio)
    swept = sorted(
        (key for key, ratios in groups.items() if len(ratios) >= _FEWEST_RATIOS),
        key=lambda key: (key[0], -key[1]),
    )
    if not swept:
        return None
    figures, findings = [], []
    for family, size in swept[:_MOST_CURVES]:
        figure, finding = _ratio_curve(measured, family, size)
        figures.append(figure)
        findings.append(finding)
    more = len(swept) - len(figures)
    return Section(
        title="Easy, hard, easy: the clause ratio",
        intro="Few clauses leave many satisfying assignments, many clauses contradict each other "
        "soon; around the ratio where the satisfiable fraction falls through one half, random "
        "formulas are hardest for solvers that see the formula.",
        findings=tuple(findings[:2]),
        figures=tuple(figures),
        remarks=(f"{more} smaller sizes with several ratios are not drawn.",) if more else (),
    )


def _ratio_curve(measured: Measured, family: str, size: int) -> tuple[Figure, str]:
    rows = [row for row in measured.of() if row.family == family and row.size == size]
    series: list[Series] = []
    peaks: list[str] = []
    flat: list[str] = []
    for colour, door in enumerate(measured.doors):
        medians = _medians_by_ratio([row for row in rows if row.door == door])
        seen = [(x, low) for x, low, high in medians if high < math.inf]
        hidden = [(x, low) for x, low, high in medians if high == math.inf]
        marks: tuple[tuple[str, Kind, list[tuple[float, float]]], ...] = (
            (door, "medians", seen), (f"{door}: above", "cut-off", hidden)
        )  # fmt: skip
        for name, kind, pairs in marks:
            if pairs:
                xs, ys = zip(*pairs, strict=True)
                series.append(Series(name, kind, xs, ys, colour=colour))
        if len(medians) >= _FEWEST_RATIOS:
            peak = _peak(door, medians)
            (peaks if peak else flat).append(peak or door)
    fraction = _satisfiable_fraction(measured, rows)
    if fraction:
        xs, ys = zip(*fraction, strict=True)
        series.append(Series("satisfiable fraction", "share", xs, ys))
    title = f"{family}, n = {size}: time over the clause ratio"
    chart = Chart(
        slug_of("ratio", family, size), title, "clauses per variable", "median CPU seconds",
        tuple(series),
    )  # fmt: skip
    if flat:
        peaks.append(f"no peak between the ends shows for {joined(flat)}")
    words = f"{family}, n = {size}, over the clause ratio: {'; '.join(peaks)}."
    return Figure(chart, words + _half(fraction)), words


def _medians_by_ratio(rows: list[Row]) -> list[tuple[float, float, float]]:
    """(ratio, lower bound, upper bound) of the lower median; the upper is inf where hidden."""
    times: dict[float, list[tuple[float, float]]] = defaultdict(list)
    for row in rows:
        spent = seconds_of(row)
        if spent is not None and row.ratio is not None:
            times[row.ratio].append((spent, spent if row.decided else math.inf))
    medians = []
    for ratio, pairs in sorted(times.items()):
        middle = (len(pairs) - 1) // 2
        low, high = (sorted(bounds)[middle] for bounds in zip(*pairs, strict=True))
        medians.append((ratio, low, high))
    return medians


def _peak(door: str, medians: list[tuple[float, float, float]]) -> str:
    """Where the median is largest and how far above the ends of the curve; "" for no peak."""
    top = max(medians, key=lambda median: (median[2], median[1]))
    hidden = math.isinf(top[2])
    tops = [x for x, low, high in medians if (math.isinf(high) if hidden else high == top[2])]
    ends = max(medians[0][1], medians[-1][1])
    at = number(tops[0]) if len(tops) == 1 else f"{number(tops[0])} to {number(tops[-1])}"
    height = f"above {seconds(top[1])}" if hidden else seconds(top[1])
    if top[1] < 1.5 * ends or top[0] in (medians[0][0], medians[-1][0]):
        return ""
    ratio = number(top[1] / max(ends, 1e-3), 2)
    return (
        f"{door} is slowest at {at} ({height}, {'over ' if hidden else ''}{ratio} times the ends)"
    )


def _satisfiable_fraction(measured: Measured, rows: list[Row]) -> list[tuple[float, float]]:
    answers: dict[float, dict[str, str]] = defaultdict(dict)
    for row in rows:
        if row.ratio is not None and row.formula in measured.truth:
            answers[row.ratio][row.formula] = measured.truth[row.formula]
    return [
        (ratio, sum(word == "sat" for word in found.values()) / len(found))
        for ratio, found in sorted(answers.items())
    ]


def _half(fraction: list[tuple[float, float]]) -> str:
    for (x, above), (z, below) in pairwise(fraction):
        if above >= 0.5 > below:
            return (
                f" The satisfiable fraction falls through one half between ratio {number(x)} "
                f"and {number(z)}."
            )
    return ""
