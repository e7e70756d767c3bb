"""Growth fits: censored likelihood against other programs, known laws found again."""

import math

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import norm
from support.synthetic_runs import LIMIT, PARAMETERS, growth_rows, write_run

from reductions.analysis.censored import fit_lines
from reductions.analysis.costs import Costs, with_overhead
from reductions.analysis.growth import Growth, NoFit, fit_growth
from reductions.analysis.laws import LAWS, Law
from reductions.analysis.measured import Measured, effort_costs, time_costs
from reductions.analysis.run_folder import read_run


def sample(seed: int, left: float = -math.inf, right: float = math.inf):
    """x, log cost cut to [left, right], side: a line of slope 0.3 with noise 0.8."""
    random = np.random.default_rng(seed)
    x = np.repeat(np.arange(5.0, 45.0, 5.0), 12)
    y = -4 + 0.3 * x + 0.8 * random.standard_normal(x.size)
    side = np.where(y > right, 1, np.where(y < left, -1, 0))
    return x, np.clip(y, left, right), side


def by_another_program(x, y, side):
    """The same maximum by a simplex search that knows nothing of gradients."""

    def loss(theta):
        sigma = math.exp(theta[2])
        z = (y - theta[0] - theta[1] * x) / sigma
        terms = np.where(side == 0, norm.logpdf(z) - theta[2], norm.logcdf(-side * z))
        return -float(terms.sum())

    precise = {"xatol": 1e-9, "fatol": 1e-10, "maxiter": 20000, "maxfev": 20000}
    best = minimize(loss, [y.mean(), 0.1, 0.5], method="Nelder-Mead", options=precise)
    return best.x[0], best.x[1], math.exp(best.x[2]), -best.fun


@pytest.mark.parametrize(("left", "right"), [(-9e9, 9e9), (-9e9, 4.0), (-2.0, 9e9), (-2.0, 4.0)])
@pytest.mark.parametrize("seed", range(3))
def test_the_fit_is_the_maximum_that_a_simplex_search_finds(seed, left, right):
    x, y, side = sample(seed, left, right)
    fits = fit_lines(x, y, side, np.ones((1, len(x))))
    expected = by_another_program(x, y, side)
    found = (fits.intercept[0], fits.slope[0], fits.sigma[0], fits.log_likelihood[0])
    assert fits.converged[0]
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_the_fit_agrees_with_lifelines():
    lifelines = pytest.importorskip("lifelines", reason="lifelines is not installed")
    pandas = pytest.importorskip("pandas")
    x, y, side = sample(4, right=4.0)
    table = pandas.DataFrame({"x": x, "time": np.exp(y), "seen": side == 0})
    fitter = lifelines.LogNormalAFTFitter().fit(table, "time", "seen")
    fits = fit_lines(x, y, side, np.ones((1, len(x))))
    assert fits.slope[0] == pytest.approx(fitter.params_["mu_", "x"], rel=1e-3)
    assert fits.intercept[0] == pytest.approx(fitter.params_["mu_", "Intercept"], rel=1e-3)
    assert math.log(fits.sigma[0]) == pytest.approx(fitter.params_["sigma_", "Intercept"], abs=1e-3)


def test_weights_are_repetitions():
    x, y, side = sample(5, right=4.0)
    weights = np.random.default_rng(0).integers(0, 3, len(x))
    weighted = fit_lines(x, y, side, weights[None, :].astype(float))
    repeated = [np.repeat(values, weights) for values in (x, y, side)]
    plain = fit_lines(*repeated, np.ones((1, len(repeated[0]))))
    assert weighted.slope[0] == pytest.approx(plain.slope[0], rel=1e-5)
    assert weighted.log_likelihood[0] == pytest.approx(plain.log_likelihood[0], rel=1e-6)


def test_ignoring_the_censoring_would_be_wrong_and_the_fit_is_not():
    x, y, side = sample(6, right=4.0)
    naive = np.polyfit(x, y, 1)[0]
    fitted = fit_lines(x, y, side, np.ones((1, len(x)))).slope[0]
    assert abs(fitted - 0.3) < 0.05 < abs(naive - 0.3)


def test_a_fit_without_a_maximum_says_so():
    x = np.array([5.0, 5.0, 10.0, 10.0])
    fits = fit_lines(x, np.ones(4), np.ones(4, dtype=int), np.ones((1, 4)))
    assert not fits.converged[0]


def test_exact_data_stop_at_the_smallest_noise():
    x = np.arange(1.0, 9.0)
    fits = fit_lines(x, 2 + 0.5 * x, np.zeros(8, dtype=int), np.ones((1, 8)))
    assert fits.slope[0] == pytest.approx(0.5)
    assert fits.sigma[0] == pytest.approx(0.02)


def growth_of(folder, law, seed, sigma, overhead) -> Growth | NoFit:
    """Through the files, as a run is analysed."""
    rows = growth_rows(law, seed, sigma=sigma, overhead=overhead)
    measured = Measured(read_run(write_run(folder, rows)).rows)
    return fit_growth(time_costs(measured.of(door="cdcl", answer="unsat")), seed)


def recovered(growth: Growth | NoFit, law: str) -> bool:
    """The right law is consistent and best, and both its parameters are within their bands."""
    if isinstance(growth, NoFit):
        return False
    exponent, factor = PARAMETERS[law]
    best = growth.best
    return (
        best.law is Law(law)
        and best.consistent
        and exponent in best.exponent
        and factor in best.factor
    )


NOISE_AND_START = [(0.5, 0.0), (1.0, 0.0), (0.5, 0.004), (1.0, 0.004)]


@pytest.mark.parametrize("law", [law.value for law in LAWS])
def test_a_known_law_is_found_again(tmp_path, law):
    cases = [(seed, *NOISE_AND_START[seed % 4]) for seed in range(10)]
    found = [recovered(growth_of(tmp_path, law, *case), law) for case in cases]
    assert sum(found) >= 9


@pytest.mark.slow
@pytest.mark.parametrize(("sigma", "overhead"), NOISE_AND_START)
@pytest.mark.parametrize("law", [law.value for law in LAWS])
def test_a_known_law_is_found_again_in_ninety_of_a_hundred_runs(tmp_path, law, sigma, overhead):
    growths = [growth_of(tmp_path, law, seed, sigma, overhead) for seed in range(100)]
    found = sum(recovered(growth, law) for growth in growths)
    hidden = np.mean([(g.costs.side > 0).mean() for g in growths if isinstance(g, Growth)])
    print(f"{law}, noise {sigma}, overhead {overhead}: {found} of 100, {hidden:.0%} cut off")
    assert 0.2 < hidden < 0.45
    assert found >= 90


def test_a_start_up_that_hides_half_the_sizes_rejects_no_true_law(tmp_path):
    for law in LAWS:
        growth = growth_of(tmp_path, law.value, 1, 0.5, 0.05)
        assert isinstance(growth, NoFit) or law in [r.law for r in growth.consistent]


def test_wrong_laws_are_rejected_and_the_reason_is_a_missed_median_or_likelihood(tmp_path):
    growth = growth_of(tmp_path, "exponential", 3, 0.5, 0.0)
    assert isinstance(growth, Growth)
    rejected = {result.law: result for result in growth.results if not result.consistent}
    assert Law.POLYNOMIAL in rejected
    assert rejected[Law.POLYNOMIAL].missed or rejected[Law.POLYNOMIAL].log_loss >= math.log(100)


def test_a_band_for_an_unseen_median_covers_what_the_law_makes(tmp_path):
    passed = [
        challenge.passed
        for seed in range(6)
        for result in growth_of(tmp_path, "exponential", seed, 1.0, 0.0).results
        if result.law is Law.EXPONENTIAL
        for challenge in result.challenges
    ]
    assert passed
    assert all(passed)


def test_the_same_seed_gives_the_same_bands(tmp_path):
    one, two = (growth_of(tmp_path, "polynomial", 5, 1.0, 0.0) for _ in range(2))
    assert [r.exponent for r in one.results] == [r.exponent for r in two.results]


def plain(size, seconds, cut_off=None):
    size = np.array(size, dtype=float)
    cut_off = np.zeros(len(size), bool) if cut_off is None else np.array(cut_off)
    return with_overhead(size, np.array(seconds, dtype=float), cut_off)


@pytest.mark.parametrize(
    ("costs", "reason"),
    [
        (plain([], []), "no measurement"),
        (plain([5] * 9, [1, 2, 3, 4, 5, 6, 7, 8, 9]), "only 1 size"),
        (plain([5] * 5 + [10] * 5, [60] * 10, [True] * 10), "every run was cut off"),
        (plain(np.repeat([5, 10, 15, 20], 6), np.full(24, 0.3)), "floor"),
        (plain(np.repeat([5, 10, 15, 20], 2), np.arange(1, 9)), "formulas or more"),
        (plain(np.repeat([5, 10, 15, 20], 6), np.zeros(24)), "floor"),
    ],
)
def test_too_little_to_fit_is_said(costs, reason):
    result = fit_growth(costs, 0)
    assert isinstance(result, NoFit)
    assert reason in result.reason


def test_medians_are_bounds_where_a_limit_hides_them():
    costs = Costs(np.full(4, 5.0), np.array([1.0, 2, 60, 60]), np.array([1.0, 2, 60, 60]),
                  np.array([0, 0, 1, 1]))  # fmt: skip
    assert costs.median(5) == (2, 2)
    hidden = Costs(costs.size, costs.measured, costs.bound, np.array([0, 1, 1, 1]))
    assert hidden.median(5) == (2, math.inf)


def test_effort_that_a_killed_run_did_not_tell_takes_its_size_out(tmp_path):
    rows = growth_rows("exponential", 0, sigma=0.5)
    measured = Measured(read_run(write_run(tmp_path, rows)).rows)
    costs, left_out = effort_costs(measured.of(door="cdcl"))
    cut = {r.size for r in measured.of(door="cdcl") if r.status == "timeout"}
    assert left_out == len(cut) > 0
    assert set(costs.size.tolist()).isdisjoint(cut)
    assert max(r.cpu_seconds for r in measured.rows) == LIMIT
