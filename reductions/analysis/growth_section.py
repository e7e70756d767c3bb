"""The growth of time and effort with the size, door by door, SAT and UNSAT apart."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from reductions.analysis.charts import Chart, Kind, Series
from reductions.analysis.costs import Costs, quantile
from reductions.analysis.growth import (
    LEVEL,
    Growth,
    LawResult,
    NoFit,
    fit_growth,
)
from reductions.analysis.measured import ANSWERS, Measured, Slice, effort_costs, time_costs
from reductions.analysis.run_folder import Row
from reductions.analysis.section import Figure, Section, Table, slug_of
from reductions.analysis.wording import growth_sentence

__all__ = ["GrowthOf", "fits_of", "growth_section"]

ANSWER_WORDS = {"sat": "satisfiable", "unsat": "unsatisfiable"}
_MOST_SLICES = 4
_QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)


@dataclass(frozen=True)
class GrowthOf:
    """One cost of one door on one kind of formula, and what the fit made of it."""

    slice_: Slice
    answer: str
    door: str
    measure: str
    unit: str
    costs: Costs
    result: Growth | NoFit
    remark: str = ""

    @property
    def subject(self) -> str:
        return f"{self.door}, {self.measure} on {ANSWER_WORDS[self.answer]} formulas"

    @property
    def slug(self) -> str:
        kind = "time" if self.unit == "s" else "effort"
        return slug_of(
            "growth", kind, self.slice_.family, self.slice_.ratio, self.answer, self.door
        )


def fits_of(measured: Measured, slice_: Slice, seed: int) -> Iterator[GrowthOf]:
    """Every door, time and effort, satisfiable and unsatisfiable formulas apart."""
    for answer in ANSWERS:
        for door in measured.doors:
            rows = measured.of(slice_, door, answer)
            if not rows:
                continue
            costs = time_costs(rows)
            fit = fit_growth(costs, seed)
            yield GrowthOf(slice_, answer, door, "CPU time", "s", costs, fit)
            yield from _effort(slice_, answer, door, rows, seed)


def _effort(
    slice_: Slice, answer: str, door: str, rows: list[Row], seed: int
) -> Iterator[GrowthOf]:
    names = sorted({row.effort_name for row in rows if row.effort is not None})
    for name in names[:1]:
        costs, left_out = effort_costs(rows)
        remark = (
            f"{left_out} size(s) are left out: runs there were cut off without telling their "
            f"{name}." if left_out else ""
        )  # fmt: skip
        fit = fit_growth(costs, seed)
        yield GrowthOf(slice_, answer, door, name or "effort", name or "steps", costs, fit, remark)


def growth_section(measured: Measured, seed: int) -> Section:
    """Fits, charts and tables of the slices with several sizes; others are named."""
    sized = [s for s in measured.slices if len({row.size for row in measured.of(s)}) > 1]
    fits = [fit for s in sized[:_MOST_SLICES] for fit in fits_of(measured, s, seed)]
    fitted = [fit for fit in fits if isinstance(fit.result, Growth)]
    remarks = [
        f"{fit.slice_.title}: {fit.subject}: no fit, {fit.result.reason}."
        for fit in fits
        if isinstance(fit.result, NoFit)
    ]
    if not sized:
        remarks.append("Every family was measured at one size only: growth cannot be seen.")
    if len(sized) > _MOST_SLICES:
        remarks.append(
            f"{len(sized) - _MOST_SLICES} more combinations of family and ratio have several "
            "sizes; only the largest are fitted here."
        )
    undecided = _undecided(measured)
    if undecided:
        remarks.append(undecided)
    overview = [
        chart for s in sized[:_MOST_SLICES] for a in ANSWERS for chart in _medians(measured, s, a)
    ]
    return Section(
        title="How cost grows with the number of variables",
        intro="Each dot is one formula, each large mark the median of a size; an open triangle "
        "says that the median lies above the limit. Laws are fitted on the smaller sizes and "
        "challenged on the larger, shaded ones; runs that were cut off count as “at "
        "least this long”, never as a made-up time. "
        f"Brackets and the shaded curve are {LEVEL:.0%} bands.",
        findings=tuple(_finding(fit, len(sized) > 1) for fit in fitted if fit.unit == "s"),
        figures=(*overview, *(_figure(fit) for fit in fitted if fit.unit == "s")),
        folded=tuple(_figure(fit) for fit in fitted if fit.unit != "s"),
        tables=_tables(fits) if fits else (),
        remarks=tuple(remarks),
    )


def _finding(fit: GrowthOf, several_slices: bool) -> str:
    if isinstance(fit.result, NoFit):
        return ""
    where = f"{fit.slice_.title}: " if several_slices else ""
    return where + growth_sentence(fit.result, fit.subject, fit.unit, reasons=False)


def _undecided(measured: Measured) -> str:
    formulas = {row.formula for row in measured.of()}
    unknown = len(formulas - measured.truth.keys())
    if not unknown:
        return ""
    return (
        f"{unknown} of {len(formulas)} formulas were decided by no door (or doors disagree): "
        "whether they are satisfiable is not known, so no growth fit contains them."
    )


def _medians(measured: Measured, slice_: Slice, answer: str) -> Iterator[Figure]:
    """All doors in one chart: the medians of one slice and answer."""
    series: list[Series] = []
    for colour, door in enumerate(measured.doors):
        rows = measured.of(slice_, door, answer)
        if rows:
            costs = time_costs(rows)
            if len(costs.size):
                series += median_series(costs, door, colour)
    if series:
        words = ANSWER_WORDS[answer]
        yield Figure(
            Chart(
                slug_of("medians", slice_.family, slice_.ratio, answer),
                f"{slice_.title}: median CPU time, {words} formulas",
                "variables n", "CPU seconds", tuple(series),
            ),
            f"The median time of every door on the same {words} formulas. Times near the bottom "
            "of a curve are mostly the start of a process.",
        )  # fmt: skip


def median_series(costs: Costs, name: str, colour: int, *, line: bool = True) -> list[Series]:
    """Medians as marks, those that a limit hides as open triangles at their lower bound."""
    seen, hidden = [], []
    for size in costs.sizes:
        low, high = quantile(costs, size, 0.5)
        if math.isinf(high):
            hidden.append((size, low))
        else:
            seen.append((size, high))
    series = [_series(name, "medians", seen, colour)] if seen or line else []
    if hidden:
        words = f"{name}: median above" if name else "median above"
        series.append(_series(words, "cut-off", hidden, colour))
    return series


def _series(name: str, kind: Kind, pairs: list[tuple[float, float]], colour: int) -> Series:
    return Series(name, kind, tuple(x for x, _ in pairs), tuple(y for _, y in pairs), colour=colour)


def _figure(fit: GrowthOf) -> Figure:
    growth = fit.result
    if isinstance(growth, NoFit):
        raise ValueError("nothing was fitted")
    best, others = growth.results[0], growth.results[1:]
    series = [
        Series("formulas", "points", tuple(fit.costs.size[fit.costs.side <= 0].tolist()),
               tuple(fit.costs.measured[fit.costs.side <= 0].tolist()), colour=7),
        Series("cut off, at least", "points", tuple(fit.costs.size[fit.costs.side > 0].tolist()),
               tuple(fit.costs.measured[fit.costs.side > 0].tolist()), colour=1),
    ]  # fmt: skip
    top = 10 * float(fit.costs.measured.max())
    series.append(_law_series(growth, best, 0, top, band=True))
    series += [_law_series(growth, law, 1 + k, top) for k, law in enumerate(others)]
    series[2:2] = [_law_band(growth, best, top)]
    series += median_series(fit.costs, "median", 7, line=False)
    unseen = (growth.fitted_sizes[-1] + growth.challenged_sizes[0]) / 2
    label = "CPU seconds" if fit.unit == "s" else fit.measure
    chart = Chart(
        fit.slug, f"{fit.slice_.title}: {fit.subject}", "variables n", label,
        tuple(s for s in series if s.x), unseen_from=unseen,
    )  # fmt: skip
    text = growth_sentence(growth, fit.subject, fit.unit)
    return Figure(chart, f"{text} {fit.remark}".strip())


def _law_series(
    growth: Growth, result: LawResult, colour: int, top: float, *, band: bool = False
) -> Series:
    """The fitted median, as far as it stays within the chart."""
    verdict = "" if result.consistent else " (rejected)"
    points = [
        (n, b.value) for n, b in zip(growth.grid, result.curve, strict=True) if b.value <= top
    ]
    kind: Kind = "line" if band else "dashes"
    return _series(f"{result.law.value}{verdict}", kind, points, colour)


def _law_band(growth: Growth, result: LawResult, top: float) -> Series:
    kept = [(n, b) for n, b in zip(growth.grid, result.curve, strict=True) if b.value <= top]
    return Series(
        f"{result.law.value}, {LEVEL:.0%} band", "band", tuple(n for n, _ in kept),
        tuple(b.value for _, b in kept), tuple(b.low for _, b in kept),
        tuple(min(b.high, top) for _, b in kept),
    )  # fmt: skip


def _tables(fits: list[GrowthOf]) -> tuple[Table, ...]:
    laws, challenges, quantiles = [], [], []
    for fit in fits:
        start = (fit.slice_.family, fit.slice_.ratio, fit.answer, fit.door, fit.measure)
        if len(fit.costs.size):
            quantiles += [(*start, *row) for row in _quantile_rows(fit.costs)]
        if isinstance(fit.result, NoFit):
            continue
        for result in fit.result.results:
            laws.append((*start, *_law_row(result)))
            challenges += [
                (*start, result.law.value, c.size, c.formulas, c.predicted.value, c.predicted.low,
                 c.predicted.high, c.observed_low, c.observed_high, _pass_word(c.passed))
                for c in result.challenges
            ]  # fmt: skip
    start_names = ("family", "ratio", "answer", "door", "cost")
    bounds = tuple(f"q{int(100 * q)} {end}" for q in _QUANTILES for end in ("from", "to"))
    return (
        Table("growth-laws", "Every law: estimates from all sizes, with their bands",
              (*start_names, "law", "verdict", "log likelihood behind the best",
               "held-out log likelihood per formula", "exponent", "exponent low", "exponent high",
               "c", "c low", "c high", "sigma", "sigma low", "sigma high", "overhead s"),
              tuple(laws), folded=True),
        Table("growth-challenges", "Medians of unseen sizes against their predictive bands",
              (*start_names, "law", "n", "formulas", "predicted", "low", "high", "observed from",
               "observed to", "outcome"), tuple(challenges), folded=True),
        Table("quantiles", "Quantiles per size; “to” is inf where a limit hides them",
              (*start_names, "n", "formulas", "cut off", *bounds), tuple(quantiles), shown=False),
    )  # fmt: skip


def _pass_word(passed: bool) -> str:
    return "within" if passed else "missed"


def _law_row(result: LawResult) -> tuple[object, ...]:
    numbers = [v for b in (result.exponent, result.factor, result.sigma)
               for v in (b.value, b.low, b.high)]  # fmt: skip
    verdict = "consistent" if result.consistent else "rejected"
    return (
        result.law.value, verdict, result.log_loss, result.held_out, *numbers, result.overhead
    )  # fmt: skip


def _quantile_rows(costs: Costs) -> Iterator[tuple[object, ...]]:
    for size in costs.sizes:
        here = costs.size == size
        values = [v for q in _QUANTILES for v in quantile(costs, size, q)]
        yield int(size), int(here.sum()), int((here & (costs.side > 0)).sum()), *values
