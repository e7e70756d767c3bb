"""The solver adapter and the bounds that do not trust it."""

import itertools
import signal
import threading
import time
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relucert.limits import Limits
from relucert.lp.answer import Status
from relucert.lp.highs import LpSolver, solve_mip
from relucert.lp.model import ModelBuilder
from relucert.lp.safe_dual import safe_lower_bound


@st.composite
def models(draw):
    builder = ModelBuilder()
    size = draw(st.integers(1, 4))
    for _ in range(size):
        low = draw(st.integers(-3, 2))
        builder.variable(low, low + draw(st.integers(0, 3)), draw(st.booleans()))
    for _ in range(draw(st.integers(0, 4))):
        values = np.array([float(draw(st.integers(-3, 3))) for _ in range(size)])
        low = draw(st.integers(-6, 3))
        builder.row(np.arange(size), values, low, low + draw(st.integers(0, 9)))
    return builder.build({i: float(draw(st.integers(-3, 3))) for i in range(size)})


@given(models(), st.data())
def test_safe_bound_is_below_every_feasible_point(model, data):
    multipliers = np.array(
        [data.draw(st.floats(-10, 10, allow_nan=False)) for _ in range(len(model.row_lower))]
    )
    bound = safe_lower_bound(model, model.cost, multipliers, abs(model.rows))
    grid = [np.unique([a, (a + b) / 2, b]) for a, b in zip(model.lower, model.upper, strict=True)]
    for x in itertools.product(*grid):
        activity = model.rows @ np.array(x)
        if (activity >= model.row_lower).all() and (activity <= model.row_upper).all():
            value = sum(Fraction(c) * Fraction(v) for c, v in zip(model.cost, x, strict=True))
            assert value >= Fraction(bound)


@given(models())
def test_safe_bound_from_the_solver_is_nearly_its_optimum(model):
    answer = LpSolver(model).minimise(model.cost, Limits())
    assert answer.status in (Status.OPTIMAL, Status.INFEASIBLE)
    if answer.status is Status.OPTIMAL:
        bound = safe_lower_bound(model, model.cost, answer.duals, abs(model.rows))
        assert answer.objective - 1e-5 <= bound <= answer.objective + 1e-5


@given(models())
def test_mip_agrees_with_enumeration(model):
    assume_all_integer = np.ones(model.variable_count, dtype=bool)
    model = type(model)(
        model.cost, model.lower, model.upper, assume_all_integer, model.rows,
        model.row_lower, model.row_upper,
    )  # fmt: skip
    ranges = [range(int(a), int(b) + 1) for a, b in zip(model.lower, model.upper, strict=True)]
    values = [
        float(model.cost @ np.array(x))
        for x in itertools.product(*ranges)
        if (model.rows @ np.array(x, dtype=float) >= model.row_lower).all()
        and (model.rows @ np.array(x, dtype=float) <= model.row_upper).all()
    ]
    answer = solve_mip(model, Limits())
    if values:
        assert answer.status is Status.OPTIMAL
        assert answer.objective == pytest.approx(min(values), abs=1e-6)
    else:
        assert answer.status is Status.INFEASIBLE


def _knapsack(size: int, seed: int):
    rng = np.random.default_rng(seed)
    builder = ModelBuilder()
    for _ in range(size):
        builder.variable(0, 1, integer=True)
    for _ in range(size // 4):
        builder.row(np.arange(size), rng.integers(1, 99, size).astype(float), -np.inf, 12.0 * size)
    return builder.build({i: -float(v) for i, v in enumerate(rng.integers(50, 60, size))})


def test_time_limit_is_reported_as_time_and_kept():
    started = time.monotonic()
    answer = solve_mip(_knapsack(120, 1), Limits(seconds=1.0))
    assert answer.status is Status.TIME
    assert time.monotonic() - started < 20


def test_stop_ends_the_solve_with_the_point_it_saw():
    seen = []

    def stop(x):
        seen.append(x)
        return True

    answer = solve_mip(_knapsack(60, 2), Limits(seconds=30), stop=stop)
    assert seen
    assert answer.status is Status.STOPPED
    assert answer.x is not None


def test_an_exception_in_a_callback_comes_out():
    def stop(x):
        raise ValueError("from the callback")

    with pytest.raises(ValueError, match="from the callback"):
        solve_mip(_knapsack(30, 3), Limits(seconds=30), stop=stop)


def test_memory_limit_is_reported():
    answer = solve_mip(_knapsack(120, 4), Limits(seconds=60, memory=1.0))
    assert answer.status is Status.MEMORY


def _dense_model(size):
    """A linear programme that takes seconds."""
    rng = np.random.default_rng(0)
    builder = ModelBuilder()
    for _ in range(size):
        builder.variable(-1.0, 1.0, False)
    for _ in range(size):
        builder.row(np.arange(size), rng.normal(size=size), -5.0, 5.0)
    return builder.build(dict(enumerate(rng.normal(size=size))))


def test_a_long_programme_gives_the_same_in_a_thread(monkeypatch):
    model = _dense_model(60)
    direct = LpSolver(model).minimise(model.cost, Limits())
    monkeypatch.setattr("relucert.lp.highs._LONG_PROGRAMME", 0)
    solver = LpSolver(model)
    for cost in (model.cost, -model.cost, model.cost):
        found = solver.minimise(cost, Limits())
        assert found.status is Status.OPTIMAL
    assert found.objective == pytest.approx(direct.objective)


def test_ctrl_c_reaches_a_long_programme(monkeypatch):
    """Interrupted in the middle of it, long before it would end."""
    monkeypatch.setattr("relucert.lp.highs._LONG_PROGRAMME", 0)
    model = _dense_model(500)
    timer = threading.Timer(0.5, lambda: signal.raise_signal(signal.SIGINT))
    timer.start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        LpSolver(model).minimise(model.cost, Limits(60.0))
    timer.join()
    assert time.monotonic() - started < 10.0
