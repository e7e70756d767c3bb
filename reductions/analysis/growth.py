"""Growth laws fitted on the smaller sizes and challenged on the larger.

Three laws compete for the cost of formulas with n variables, each with log-normal noise: the
exponential c 2^(a n), the root-exponential c 2^(a sqrt n) and the polynomial c n^b. All have two
parameters and one noise, so their likelihoods compare without a penalty.

A law is rejected when, fitted on the lower two thirds of the sizes whose median was observed, its
predictive band misses the median of a larger size, or when over all sizes the data are a hundred
times less likely under it than under the best of the three. Otherwise the data are consistent with
it, which is all that finitely many sizes can say.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reductions.analysis.costs import Costs
from reductions.analysis.laws import LAWS, Law, Lines, fit_law, resampled, without_overhead

__all__ = ["LEVEL", "Band", "Challenge", "Growth", "LawResult", "NoFit", "fit_growth"]

Floats = NDArray[np.float64]

LEVEL = 0.99
"""Of every band; shared out over what one verdict looks at (Bonferroni)."""

LIKELIHOOD_RATIO = 100.0
"""A law under which all data are so many times less likely than under the best is rejected."""

SMALLEST_GROUP = 5
"""Formulas per size below which medians and resamples mean little."""

RESAMPLES = 400
_DRAWS_PER_RESAMPLE = 5


@dataclass(frozen=True)
class Band:
    """An estimate and the interval that a bootstrap over formulas gives it."""

    value: float
    low: float
    high: float

    def __contains__(self, other: float) -> bool:
        return self.low <= other <= self.high


@dataclass(frozen=True)
class Challenge:
    """The median of a size that the fit did not see, and what the law predicts for it.

    ``observed_low`` and ``observed_high`` differ where a limit hides the median.
    """

    size: float
    formulas: int
    predicted: Band
    observed_low: float
    observed_high: float

    @property
    def passed(self) -> bool:
        return self.observed_low <= self.predicted.high and self.observed_high >= self.predicted.low


@dataclass(frozen=True)
class LawResult:
    """One law against the data.

    ``exponent`` (a or b), ``factor`` (c) and ``sigma`` come from all sizes; ``curve`` is the
    fitted median at ``Growth.grid``; ``log_loss`` is how many natural units of log likelihood
    the law stays behind the best; ``held_out`` the mean log likelihood of an unseen formula.
    """

    law: Law
    exponent: Band
    factor: Band
    sigma: Band
    overhead: float
    log_likelihood: float
    log_loss: float
    held_out: float
    challenges: tuple[Challenge, ...]
    curve: tuple[Band, ...]

    @property
    def missed(self) -> tuple[Challenge, ...]:
        return tuple(challenge for challenge in self.challenges if not challenge.passed)

    @property
    def consistent(self) -> bool:
        return not self.missed and self.log_loss < math.log(LIKELIHOOD_RATIO)


@dataclass(frozen=True)
class Growth:
    """The three laws, best first, and the sizes that they were fitted on and challenged on."""

    results: tuple[LawResult, ...]
    fitted_sizes: tuple[float, ...]
    challenged_sizes: tuple[float, ...]
    grid: tuple[float, ...]
    costs: Costs
    lost_resamples: int

    @property
    def consistent(self) -> tuple[LawResult, ...]:
        return tuple(result for result in self.results if result.consistent)

    @property
    def best(self) -> LawResult:
        return self.results[0]


@dataclass(frozen=True)
class NoFit:
    """Why no law was fitted, in words."""

    reason: str


def fit_growth(costs: Costs, seed: int, resamples: int = RESAMPLES) -> Growth | NoFit:
    """Fit and challenge every law. The same seed gives the same bands."""
    costs, problem = _usable(costs)
    if problem:
        return NoFit(problem)
    split = _split(costs)
    if split is None:
        return NoFit(
            "it takes two sizes whose median is neither hidden by the limit nor mostly start-up, "
            "and a larger size to challenge them"
        )
    fitted, challenged = split
    random = np.random.default_rng(seed)
    whole = resampled(costs, resamples, random)
    lower = costs.at(np.isin(costs.size, fitted))
    part = resampled(lower, resamples, random)
    grid = np.linspace(min(costs.sizes), max(costs.sizes), 41)
    results, lost = [], 0
    for law in LAWS:
        all_fits = fit_law(law, costs, whole)
        part_fits = fit_law(law, lower, part)
        good, good_part = all_fits.fits.converged, part_fits.fits.converged
        if not (good[0] and good_part[0]) or min(good.mean(), good_part.mean()) < 0.9:
            return NoFit("too much is hidden by the limits for the fit to settle")
        lost += int((~good).sum() + (~good_part).sum())
        results.append(
            _result(law, costs, all_fits.only(good), part_fits.only(good_part), challenged,
                    grid, random)
        )  # fmt: skip
    return _ranked(results, fitted, challenged, grid, costs, lost)


def _ranked(
    results: Sequence[LawResult],
    fitted: Sequence[float],
    challenged: Sequence[float],
    grid: Floats,
    costs: Costs,
    lost: int,
) -> Growth:
    top = max(result.log_likelihood for result in results)
    ranked = sorted(
        (replace(result, log_loss=top - result.log_likelihood) for result in results),
        key=lambda result: result.log_loss,
    )
    return Growth(
        tuple(ranked), tuple(fitted), tuple(challenged), tuple(grid.tolist()), costs, lost
    )


def _usable(costs: Costs) -> tuple[Costs, str]:
    """The costs at sizes with formulas enough, or why there are none."""
    if not len(costs.size):
        return costs, "no measurement"
    if not (costs.side == 0).any():
        hidden = "every run was cut off" if (costs.side > 0).any() else "no cost is above the floor"
        return costs, hidden
    counts = {size: int((costs.size == size).sum()) for size in costs.sizes}
    large = [size for size, count in counts.items() if count >= SMALLEST_GROUP and size > 0]
    if len(large) < 4:
        words = f"only {len(large)} size{'s have' if len(large) != 1 else ' has'}"
        return costs, f"{words} {SMALLEST_GROUP} formulas or more; four are needed"
    return costs.at(np.isin(costs.size, large)), ""


def _split(costs: Costs) -> tuple[list[float], list[float]] | None:
    """Lower two thirds of the sizes whose median no limit hides, and everything above them.

    Two of the fitted sizes have medians above the floor: fewer do not make a slope.
    """
    medians = {size: costs.median(size) for size in costs.sizes}
    observed = [size for size, (_, high) in medians.items() if math.isfinite(high)]
    above = [size for size in observed if medians[size][0] > 0]
    if len(above) < 2:
        return None
    last = max(observed[math.ceil(len(observed) * 2 / 3) - 1], above[1])
    fitted = [size for size in costs.sizes if size <= last]
    challenged = [size for size in costs.sizes if size > last]
    return (fitted, challenged) if challenged else None


def _result(
    law: Law,
    costs: Costs,
    lines: Lines,
    part: Lines,
    challenged: Sequence[float],
    grid: Floats,
    random: np.random.Generator,
) -> LawResult:
    fits = lines.fits
    unseen = costs.at(np.isin(costs.size, challenged))
    curves = lines.overhead[:, None] + np.exp(np.minimum(lines.centre(law, grid), 700.0))
    # The two parameters are looked at together, so each gets half of what may go wrong.
    return LawResult(
        law=law,
        exponent=_band(fits.slope, 2),
        factor=_exponential(_band(fits.intercept, 2)),
        sigma=_band(fits.sigma, 1),
        overhead=float(lines.overhead[0]),
        log_likelihood=float(fits.log_likelihood[0]),
        log_loss=0.0,
        held_out=_log_likelihood(law, unseen, part) / len(unseen.size),
        challenges=tuple(
            _challenge(law, costs, part, size, len(challenged), random) for size in challenged
        ),
        curve=tuple(_band(curves[:, k], 1) for k in range(len(grid))),
    )


def _challenge(
    law: Law, costs: Costs, part: Lines, size: float, looks: int, random: np.random.Generator
) -> Challenge:
    """The band for the median of as many formulas as were measured at this size.

    Each resample of the fitted part predicts a median; fresh noise adds what a sample of that
    size makes of it.
    """
    formulas = int((costs.size == size).sum())
    centre = part.centre(law, np.array([size]))[:, 0]
    noise = random.standard_normal((_DRAWS_PER_RESAMPLE, len(centre), formulas))
    draws = np.sort(centre[:, None] + part.fits.sigma[:, None] * noise, axis=2)
    medians = part.overhead + np.exp(np.minimum(draws[:, :, (formulas - 1) // 2], 700.0))
    tail = (1 - LEVEL) / 2 / looks
    low, high = np.quantile(medians, (tail, 1 - tail))
    expected = part.overhead[0] + math.exp(min(centre[0], 700.0))
    return Challenge(
        size, formulas, Band(float(expected), float(low), float(high)), *costs.median(size)
    )


def _log_likelihood(law: Law, costs: Costs, part: Lines) -> float:
    """Of these costs under the first fit, by the logarithm of the cost."""
    from scipy.stats import norm

    growth, correction = without_overhead(costs, float(part.overhead[0]))
    sigma = part.fits.sigma[0]
    distance = (np.log(growth) - part.centre(law, costs.size)[0]) / sigma
    terms = np.select(
        [costs.side == 0, costs.side > 0],
        [norm.logpdf(distance) - np.log(sigma), norm.logsf(distance)],
        norm.logcdf(distance),
    )
    return float((terms + correction).sum())


def _band(values: Floats, looks: int) -> Band:
    """The percentile interval of the resamples (rows after the first) around the estimate."""
    tail = (1 - LEVEL) / 2 / looks
    low, high = np.quantile(values[1:], (tail, 1 - tail))
    return Band(
        float(values[0]), min(float(low), float(values[0])), max(float(high), float(values[0]))
    )


def _exponential(band: Band) -> Band:
    return Band(*(float(np.exp(min(value, 700.0))) for value in (band.value, band.low, band.high)))
