"""The growth laws, and their likeliest lines through costs with a constant overhead."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from reductions.analysis.censored import Fits, fit_lines
from reductions.analysis.costs import Costs

__all__ = ["LAWS", "Law", "Lines", "fit_law", "resampled", "without_overhead"]

Floats = NDArray[np.float64]


class Law(Enum):
    """A way in which cost may grow with the size n."""

    EXPONENTIAL = "exponential"
    ROOT_EXPONENTIAL = "root-exponential"
    POLYNOMIAL = "polynomial"

    @property
    def formula(self) -> str:
        return _FORMULAS[self]

    @property
    def parameter(self) -> str:
        return "b" if self is Law.POLYNOMIAL else "a"

    def covariate(self, size: Floats) -> Floats:
        """What the logarithm of the cost is linear in."""
        if self is Law.EXPONENTIAL:
            return size * math.log(2)
        if self is Law.ROOT_EXPONENTIAL:
            return np.sqrt(size) * math.log(2)
        return np.log(size)


_FORMULAS = {
    Law.EXPONENTIAL: "c·2^(a·n)",
    Law.ROOT_EXPONENTIAL: "c·2^(a·√n)",
    Law.POLYNOMIAL: "c·n^b",
}

LAWS = tuple(Law)


@dataclass(frozen=True)
class Lines:
    """The growth part of each resample, and the overhead that is likeliest with it."""

    fits: Fits
    overhead: Floats

    def only(self, keep: NDArray[np.bool_]) -> Lines:
        return Lines(Fits(*(values[keep] for values in vars(self.fits).values())),
                      self.overhead[keep])  # fmt: skip

    def centre(self, law: Law, size: Floats) -> Floats:
        """Median log growth, (resamples, sizes)."""
        return self.fits.intercept[:, None] + self.fits.slope[:, None] * law.covariate(size)


def fit_law(law: Law, costs: Costs, weights: Floats) -> Lines:
    """For every resample the likeliest line over the overheads considered."""
    best = None
    for overhead in costs.overheads:
        growth, correction = without_overhead(costs, overhead)
        fits = fit_lines(law.covariate(costs.size), np.log(growth), costs.side, weights)
        value = fits.log_likelihood + weights @ correction
        fits = replace(fits, log_likelihood=np.where(fits.converged, value, -np.inf))
        lines = Lines(fits, np.full(len(weights), overhead))
        best = lines if best is None else _likelier(best, lines)
    if best is None:
        raise ValueError("no overhead to consider")
    return best


def without_overhead(costs: Costs, overhead: float) -> tuple[Floats, Floats]:
    """The growth left when the overhead is taken off, and what that does to each log density."""
    growth = np.maximum(costs.bound - overhead, 1e-3 * costs.bound)
    return growth, np.where(costs.side == 0, np.log(costs.bound / growth), 0.0)


def _likelier(one: Lines, other: Lines) -> Lines:
    better = other.fits.log_likelihood > one.fits.log_likelihood
    fields = zip(vars(one.fits).values(), vars(other.fits).values(), strict=True)
    fits = Fits(*(np.where(better, new, old) for old, new in fields))
    return Lines(fits, np.where(better, other.overhead, one.overhead))


def resampled(costs: Costs, resamples: int, random: np.random.Generator) -> Floats:
    """Weights: first every formula once, then resamples of the formulas within each size."""
    weights = np.ones((resamples + 1, len(costs.size)))
    for size in costs.sizes:
        here = np.flatnonzero(costs.size == size)
        count = len(here)
        weights[1:, here] = random.multinomial(count, np.full(count, 1 / count), size=resamples)
    return weights
