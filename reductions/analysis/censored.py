"""Log-normal regression on censored costs by maximum likelihood, many resamples at once.

A cost that a limit cut off is known only to be larger than the limit, and one below what a clock
or a counter can tell apart is known only to be smaller: their likelihood is a tail probability,
nothing is put in their place (the Tobit likelihood; Tobin, Econometrica 1958). In the parameters
1/sigma and beta/sigma its logarithm is concave (Olsen, Econometrica 1978), so Newton's method
finds the one maximum, and every bootstrap resample, a row of weights, is fitted in the same array
operations: some thousand fits a second. The tests compare it with lifelines' LogNormalAFTFitter,
which finds the same numbers but is too slow for a bootstrap of every door and model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["SMALLEST_SIGMA", "Fits", "fit_lines"]

Floats = NDArray[np.float64]

SMALLEST_SIGMA = 0.02
"""Noise (of the natural logarithm) below which no fit is sharper than a clock."""

_ROUNDS = 60
_HALVINGS = 12
_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Fits:
    """Straight lines log(cost) = intercept + slope * x + sigma * noise, one per row of weights.

    ``log_likelihood`` is that of the logarithms; ``converged`` is false where the data of that
    row have no maximum (everything censored, or a single size observed).
    """

    intercept: Floats
    slope: Floats
    sigma: Floats
    log_likelihood: Floats
    converged: NDArray[np.bool_]


def fit_lines(x: Floats, log_cost: Floats, side: NDArray[np.int_], weights: Floats) -> Fits:
    """Fit one line per row of ``weights`` (rows, observations) by maximum likelihood.

    side: -1 where the cost is at most exp(log_cost), 0 where it is observed, 1 where it is at
    least that. A weight is how often the observation occurs.
    """
    x_shift, x_scale = float(x.min()), float(np.ptp(x)) or 1.0
    y_shift, y_scale = float(log_cost.mean()), float(log_cost.std()) or 1.0
    steepest = y_scale / SMALLEST_SIGMA
    columns = np.column_stack(
        (-np.ones_like(x), -(x - x_shift) / x_scale, (log_cost - y_shift) / y_scale)
    )
    likelihood = _Likelihood(columns, side, weights)
    # The resamples all start at the maximum of the first row: they are its neighbours.
    start, _ = _maximise(
        _Likelihood(columns, side, weights[:1]), np.array([[0.0, 0.0, 1.0]]), steepest
    )
    theta, converged = _maximise(likelihood, np.repeat(start, len(weights), axis=0), steepest)
    sigma = y_scale / theta[:, 2]
    slope = theta[:, 1] * sigma / x_scale
    intercept = theta[:, 0] * sigma + y_shift - slope * x_shift
    observed = (weights * (side == 0)).sum(axis=1)
    value = likelihood.value(theta) - observed * np.log(y_scale)
    return Fits(intercept, slope, sigma, value, converged)


class _Likelihood:
    """The log likelihood of theta = (intercept, slope, 1) / sigma, all concave in it.

    Each observation depends on theta through one residual z = columns . theta.
    """

    def __init__(self, columns: Floats, side: NDArray[np.int_], weights: Floats) -> None:
        self.columns, self.side, self.weights = columns, side, weights
        self.observed = (weights * (side == 0)).sum(axis=1)

    def value(self, theta: Floats) -> Floats:
        from scipy.special import log_ndtr

        z = theta @ self.columns.T
        terms = np.where(self.side == 0, -0.5 * z**2 - 0.5 * np.log(2 * np.pi), 0.0)
        censored = self.side != 0
        terms[:, censored] = log_ndtr(-z[:, censored] * self.side[censored])
        total: Floats = (self.weights * terms).sum(axis=1) + self.observed * np.log(theta[:, 2])
        return total

    def derivatives(self, theta: Floats) -> tuple[Floats, Floats]:
        """Gradient (rows, 3) and Hessian (rows, 3, 3)."""
        from scipy.special import log_ndtr

        z = theta @ self.columns.T
        first, second = -z, -np.ones_like(z)
        censored = self.side != 0
        sign = -self.side[censored]
        u = z[:, censored] * sign
        mills = np.exp(-0.5 * u**2 - 0.5 * np.log(2 * np.pi) - log_ndtr(u))
        first[:, censored] = sign * mills
        second[:, censored] = -mills * (mills + u)
        gradient = (self.weights * first) @ self.columns
        gradient[:, 2] += self.observed / theta[:, 2]
        size = self.columns.shape[1]
        products = (self.columns[:, :, None] * self.columns[:, None, :]).reshape(-1, size * size)
        hessian = ((self.weights * second) @ products).reshape(-1, size, size)
        hessian[:, 2, 2] -= self.observed / theta[:, 2] ** 2
        return gradient, hessian


def _maximise(
    likelihood: _Likelihood, theta: Floats, steepest: float
) -> tuple[Floats, NDArray[np.bool_]]:
    """Newton's method with halved steps, one problem a row; 1/sigma stays below ``steepest``."""
    value = likelihood.value(theta)
    converged = np.zeros(len(theta), dtype=bool)
    for _ in range(_ROUNDS):
        gradient, hessian = likelihood.derivatives(theta)
        at_cap = (theta[:, 2] >= steepest) & (gradient[:, 2] > 0)
        gradient[at_cap, 2] = 0.0
        hessian[at_cap, 2, :] = hessian[at_cap, :, 2] = 0.0
        hessian[at_cap, 2, 2] = -1.0
        hessian -= 1e-9 * np.eye(3)
        solved = np.linalg.solve(-hessian, gradient[:, :, None])
        step = np.asarray(solved[:, :, 0], dtype=np.float64)
        converged = (step * gradient).sum(axis=1) < _TOLERANCE
        if converged.all():
            break
        theta, value = _climb(likelihood, theta, value, step, steepest)
    return theta, converged & np.isfinite(value) & (likelihood.observed > 0)


def _climb(
    likelihood: _Likelihood, theta: Floats, value: Floats, step: Floats, steepest: float
) -> tuple[Floats, Floats]:
    """Take the Newton step, halved until it does not lose likelihood."""
    length = np.ones(len(theta))
    best, best_value = theta.copy(), value.copy()
    waiting = np.ones(len(theta), dtype=bool)
    for _ in range(_HALVINGS):
        trial = theta + length[:, None] * step
        trial[:, 2] = np.clip(trial[:, 2], theta[:, 2] / 4, steepest)
        trial_value = likelihood.value(trial)
        better = waiting & (trial_value >= value - 1e-12)
        best[better], best_value[better] = trial[better], trial_value[better]
        waiting &= ~better
        if not waiting.any():
            break
        length[waiting] /= 2
    return best, best_value
