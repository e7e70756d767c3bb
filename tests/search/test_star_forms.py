"""Every bound of the kernels against exact evaluation: never above the true value."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.random_networks import corner_values, questions

from relucert.network import Layer, Network
from relucert.query import Box, Case, Polyhedron
from relucert.search.star.problem import RefusedError

pytest.importorskip("numba")
from .star_kernels import (
    INACTIVE,
    SYMBOL,
    Star,
    run_ascent,
    run_multipliers,
    run_programme,
    run_substitution,
)

RELAXED = settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
_HUGE = st.sampled_from([1e17, -1e17, 9.0, -10.0, 1.0, 3.0, 2.0**60, -(2.0**60), 1e-20, 0.1])


def _star(question, data=None):
    network, query = question
    try:
        star = Star(network, query.cases[0])
        if data is None or star.empty or not star.symbols:
            return star
        chosen = star.work.where[: star.symbols].tolist()
        decided = {c: data.draw(st.sampled_from([0, 2, -2])) for c in chosen}
        return Star(network, query.cases[0], decided)
    except RefusedError:
        return None


def _points(star, data, count=4):
    """Exact points of the box that obey the decided ReLUs."""
    for _ in range(count):
        x = corner_values(star.case.box, data.draw)
        before, after = star.coordinates(x)
        splits = zip(star.work.splits, star.work.split_sign, strict=True)
        if all(Fraction(s) * before[c] >= 0 for c, s in list(splits)[: star.splits]):
            yield x, before, after


def _fill(star, data, part):
    """Random multipliers >= 0."""
    values = st.sampled_from([0.0, 0.0, 1.0, 0.3, 2.5, 1e-3])
    first, last = (int(star.flat.segments[part + k]) for k in (0, 1))
    work = star.work
    work.weight[: last - first] = [data.draw(values) for _ in range(last - first)]
    work.beta[: star.splits] = [data.draw(values) for _ in range(star.splits)]
    for array in (work.mu_low, work.mu_high):
        array[: star.symbols] = [data.draw(values) for _ in range(star.symbols)]
    slopes = st.sampled_from([0.0, 1.0, 0.5, 0.1])
    work.alpha[: star.symbols] = [data.draw(slopes) for _ in range(star.symbols)]
    return first, last


def _mixture(star, before, first, last):
    """What a bound with the multipliers in work must not exceed, exactly."""
    work, atoms = star.work, int(star.flat.starts[-2])
    total = Fraction(0)
    for index, a in enumerate(range(first, last)):
        total += Fraction(work.weight[index]) * before[atoms + a]
    for s in range(star.splits):
        value = Fraction(work.split_sign[s]) * before[work.splits[s]]
        total -= Fraction(work.beta[s]) * value
    return total


@pytest.mark.parametrize("entries", [None, _HUGE], ids=["wild", "cancelling"])
def test_forms_and_bounds_hold_at_exact_points(entries):
    strategy = questions() if entries is None else questions(entries=entries)

    @RELAXED
    @given(strategy, st.data())
    def check(question, data):
        star = _star(question, data)
        if star is None or star.empty:
            return
        work = star.work
        for x, before, after in _points(star, data):
            t = star.normalised(x)
            assert all(abs(value) <= 1 for value in t)
            for c in star.used():
                assert abs(before[c] - star.form_at(c, t, after)) <= Fraction(work.error[c])
            for q in range(star.symbols):
                c = work.where[q]
                assert Fraction(work.low[q]) <= before[c] <= Fraction(work.high[q])
            for c in np.flatnonzero(work.state[: star.flat.starts[-2]] == INACTIVE):
                assert before[c] <= 0

    check()


@pytest.mark.parametrize("entries", [None, _HUGE], ids=["wild", "cancelling"])
def test_bounds_from_any_multipliers_are_never_above_the_exact_value(entries):
    strategy = questions() if entries is None else questions(entries=entries)

    @RELAXED
    @given(strategy, st.data())
    def check(question, data):
        star = _star(question, data)
        if star is None or star.empty:
            return
        for part in range(len(star.case.unsafe)):
            first, last = _fill(star, data, part)
            call = (star.flat, star.work, first, last, star.symbols, star.splits)
            bounds = [run_substitution(*call), run_multipliers(*call)]
            for _, before, _ in _points(star, data):
                exact = _mixture(star, before, first, last)
                assert all(not b > -np.inf or Fraction(b) <= exact for b in bounds)

    check()


@RELAXED
@given(questions(), st.data())
def test_a_positive_bound_means_that_the_set_is_not_reached(question, data):
    star = _star(question, data)
    if star is None or star.empty:
        return
    atoms = int(star.flat.starts[-2])
    for part in range(len(star.case.unsafe)):
        first, last = (int(star.flat.segments[part + k]) for k in (0, 1))
        call = (star.flat, star.work)
        rest = (first, last, star.symbols, star.splits)
        value = run_ascent(*call, *rest, 6)
        improved = value
        if not value > 0:
            improved = run_programme(*call, star.tableau, *rest, value)
            assert improved >= value
        for _, before, _ in _points(star, data):
            worst = max(before[atoms + a] for a in range(first, last))
            assert not improved > -np.inf or improved > 0 or Fraction(improved) <= worst
            assert not improved > 0 or worst > 0


def _cancelling():
    """y = 1e17 a + 9 a - 1e17 a - 10 a with a = x + 2: exactly -a, but 6 a or so in floats."""
    first = Layer(np.ones((4, 1)), np.full(4, 2.0), np.ones(4, dtype=bool))
    last = Layer(np.array([[1e17, 9.0, -1e17, -10.0]]), np.zeros(1), np.zeros(1, dtype=bool))
    box = Box((Fraction(-1),), (Fraction(1),))
    part = Polyhedron(((Fraction(1),),), (Fraction(0),))
    return Network((first, last)), Case(box, (part,))


def test_without_its_rounding_a_bound_would_be_wrong():
    """The same evaluation with gamma zero calls a reachable set unreachable; with it, never."""
    network, case = _cancelling()
    careless, careful = Star(network, case, gamma=0.0), Star(network, case)
    wrong = run_ascent(careless.flat, careless.work, 0, 1, 0, 0, 6)
    right = run_ascent(careful.flat, careful.work, 0, 1, 0, 0, 6)
    exact = -3  # at x = 1
    assert wrong > 0 > exact
    assert right <= exact


def test_chords_are_rounded_up():
    """s >= u / (u - l) exactly, or the upper side of the relaxation would cut off values."""
    rng = np.random.default_rng(0)
    part = Polyhedron(((Fraction(1),),), (Fraction(0),))
    for _ in range(40):
        network = Network.dense(
            [rng.standard_normal((6, 2)), rng.standard_normal((1, 6))],
            [rng.standard_normal(6), [0]],
        )
        box = Box((Fraction(-3),) * 2, (Fraction(3),) * 2)
        star = Star(network, Case(box, (part,)))
        for q in range(star.symbols):
            low, high = Fraction(star.work.low[q]), Fraction(star.work.high[q])
            assert Fraction(star.work.chord[q]) >= high / (high - low)


def test_more_unstable_neurons_than_symbols_become_intervals():
    rng = np.random.default_rng(1)
    network = Network.dense(
        [rng.standard_normal((12, 2)), rng.standard_normal((8, 12)), rng.standard_normal((1, 8))],
        [np.zeros(12), np.zeros(8), np.zeros(1)],
    )
    box = Box((Fraction(-1),) * 2, (Fraction(1),) * 2)
    case = Case(box, (Polyhedron(((Fraction(1),),), (Fraction(-5),)),))
    star = Star(network, case)
    assert star.symbols > 6
    short = star.flat._replace(symbols=5)
    star.flat = short
    work = star.work
    low, high = np.full(2, -1.0), np.full(2, 1.0)
    count = star.flat.coordinates
    known = np.full(count, -1e6), np.full(count, 1e6)
    from .star_kernels import run_forms

    symbols, splits, empty = run_forms(
        short, work, low, high, np.zeros(count, dtype=np.int8), *known
    )
    assert (symbols, splits, empty) == (5, 0, False)
    assert (work.state >= SYMBOL).sum() == 5
    bound = run_ascent(short, work, 0, 1, symbols, 0, 6)
    for x in rng.uniform(-1, 1, (50, 2)):
        before, _ = star.coordinates([Fraction(float(value)) for value in x])
        assert Fraction(bound) <= before[-1]
