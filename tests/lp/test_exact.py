"""Exact feasibility: answers check themselves, and agree with scipy away from the boundary."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

from relucert.lp.exact import Infeasible, feasible_point, refutes

_NUMBERS = st.integers(-4, 4).map(Fraction)


@st.composite
def systems(draw):
    n, m = draw(st.integers(1, 5)), draw(st.integers(0, 9))
    lower = [draw(_NUMBERS) for _ in range(n)]
    upper = [low + draw(st.integers(0, 4)) for low in lower]
    rows = [[draw(_NUMBERS) / draw(st.integers(1, 3)) for _ in range(n)] for _ in range(m)]
    limits = [draw(_NUMBERS) * 2 for _ in range(m)]
    return lower, upper, rows, limits


@given(systems())
def test_every_answer_carries_its_own_proof(system):
    lower, upper, rows, limits = system
    found = feasible_point(lower, upper, rows, limits)
    if isinstance(found, Infeasible):
        assert refutes(lower, upper, rows, limits, found.multipliers)
    else:
        assert all(a <= x <= b for a, x, b in zip(lower, found, upper, strict=True))
        for row, limit in zip(rows, limits, strict=True):
            assert sum(a * x for a, x in zip(row, found, strict=True)) <= limit


@given(systems())
def test_agrees_with_a_float_solver(system):
    lower, upper, rows, limits = system
    found = feasible_point(lower, upper, rows, limits)
    floats = [[float(value) for value in row] for row in rows]
    result = linprog(
        [0.0] * len(lower), A_ub=floats or None, b_ub=[float(v) for v in limits] if rows else None,
        bounds=[(float(a), float(b)) for a, b in zip(lower, upper, strict=True)],
    )  # fmt: skip
    assert (result.status == 2) == isinstance(found, Infeasible)


def test_multipliers_that_prove_nothing_are_refused():
    one = Fraction(1)
    lower, upper, rows, limits = [Fraction(0)], [one], [[-one]], [-Fraction(2)]
    assert refutes(lower, upper, rows, limits, [one])
    assert not refutes(lower, upper, rows, limits, [Fraction(0)])
    assert not refutes(lower, upper, rows, limits, [-one])
    assert not refutes(lower, upper, rows, [-one], [one])
