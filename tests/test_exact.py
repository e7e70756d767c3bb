"""Exact arithmetic against Fractions, one number at a time."""

from __future__ import annotations

import math
import random
from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from relucert.errors import QueryError
from relucert.exact import (
    ExactVector,
    dot,
    float_above,
    float_below,
    format_rational,
    integer_rows,
    nearest_float,
    parse_rational,
    scaled_by_reciprocals,
    short_rational_between,
)

LARGEST = Fraction(float.fromhex("0x1.fffffffffffffp+1023"))
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
DYADICS = FLOATS.map(Fraction)
RATIONALS = st.one_of(
    st.fractions(),
    DYADICS,
    st.builds(
        lambda value, scale: value * Fraction(10) ** scale, st.fractions(), st.integers(-400, 400)
    ),
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.1", Fraction(1, 10)),
        ("-1e-3", Fraction(-1, 1000)),
        ("+.5", Fraction(1, 2)),
        ("7.", Fraction(7)),
        ("1/3", Fraction(1, 3)),
        ("-6/4", Fraction(-3, 2)),
        (" 2E2 ", Fraction(200)),
    ],
)
def test_parse_rational_reads_decimals_exactly(text, value):
    assert parse_rational(text) == value


def test_a_decimal_is_not_the_nearest_float():
    assert parse_rational("0.1") != Fraction(0.1)


@pytest.mark.parametrize(
    "text",
    ["", ".", "e5", "1e", "inf", "-inf", "nan", "0x10", "1_000", "1,5", "1/0", "1/-2", "1/2/3",
     "--1", "1.5/2", "1e99999", "1e-99999",
     "1e" + "9" * 50, "9" * 4001, "\u0661", "1/\u0663", "1 2"],
)  # fmt: skip
def test_parse_rational_refuses(text):
    with pytest.raises(ValueError, match=r"number|exponent|zero"):
        parse_rational(text)


@given(RATIONALS)
def test_format_is_read_back_exactly(value):
    assert parse_rational(format_rational(value)) == value


@given(st.integers(-(10**30), 10**30), st.integers(0, 40))
def test_finite_decimals_are_written_as_decimals(digits, places):
    value = Fraction(digits, 10**places)
    text = format_rational(value)
    assert "/" not in text
    assert Fraction(text) == value


def test_format_keeps_the_sign_below_one():
    assert format_rational(Fraction(-1, 20)) == "-0.05"
    assert format_rational(Fraction(-1, 3)) == "-1/3"
    assert format_rational(Fraction(0)) == "0"


@given(RATIONALS)
def test_float_below_and_above_are_the_closest(value):
    below, above = float_below(value), float_above(value)
    assert below == -math.inf or Fraction(below) <= value
    assert above == math.inf or Fraction(above) >= value
    after, before = math.nextafter(below, math.inf), math.nextafter(above, -math.inf)
    assert after == math.inf or Fraction(after) > value
    assert before == -math.inf or Fraction(before) < value


def test_the_ends_of_the_float_range():
    assert float_below(LARGEST + 1) == float(LARGEST)
    assert float_above(LARGEST + 1) == math.inf
    assert float_below(-LARGEST * 2) == -math.inf
    assert float_above(-LARGEST * 2) == -float(LARGEST)
    assert nearest_float(LARGEST * 2) == math.inf
    assert nearest_float(-LARGEST * 2) == -math.inf
    tiny = Fraction(1, 2**1080)
    assert (float_below(tiny), float_above(tiny)) == (0.0, 5e-324)


@given(st.floats(), RATIONALS, RATIONALS)
def test_short_rational_is_always_inside(candidate, one, other):
    lower, upper = min(one, other), max(one, other)
    assert lower <= short_rational_between(candidate, lower, upper) <= upper


@given(FLOATS, st.integers(0, 3))
def test_short_rational_is_inside_tiny_intervals(end, width):
    lower = Fraction(end)
    upper = lower + width * Fraction(1, 2**1100)
    assert lower <= short_rational_between(end, lower, upper) <= upper


def test_short_rational_is_short_where_it_can_be():
    wide = short_rational_between(0.3, Fraction(0), Fraction(1))
    assert wide == Fraction(3, 10)


@given(st.lists(RATIONALS, max_size=6))
def test_exact_vector_keeps_its_fractions(values):
    vector = ExactVector.of(values)
    assert vector.fractions() == tuple(values)
    assert vector.reduced().fractions() == tuple(values)


@given(st.lists(st.tuples(RATIONALS, st.booleans()), max_size=6))
def test_rectified_only_where_asked(entries):
    values = [value for value, _ in entries]
    mask = np.array([bent for _, bent in entries], dtype=bool)
    expected = tuple(max(value, Fraction(0)) if bent else value for value, bent in entries)
    assert ExactVector.of(values).rectified(mask).fractions() == expected


def test_reduced_cancels_powers_of_two():
    vector = ExactVector(np.array([8, -12, 0], dtype=object), 16)
    assert vector.reduced().denominator == 4
    assert ExactVector(np.array([0, 0], dtype=object), 8).reduced().fractions() == (0, 0)


@given(st.data())
def test_integer_rows_apply_exactly(data):
    rows, columns = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 4))
    entries = st.one_of(FLOATS, st.just(0.0))
    weight = np.array(
        data.draw(st.lists(entries, min_size=rows * columns, max_size=rows * columns))
    ).reshape(rows, columns)
    bias = np.array(data.draw(st.lists(entries, min_size=rows, max_size=rows)))
    x = data.draw(st.lists(st.fractions(), min_size=columns, max_size=columns))
    expected = tuple(
        sum((Fraction(w) * v for w, v in zip(row, x, strict=True)), Fraction(b))
        for row, b in zip(weight.tolist(), bias.tolist(), strict=True)
    )
    for matrix in (weight, sp.csr_array(weight)):
        assert integer_rows(matrix, bias).apply(ExactVector.of(x)).fractions() == expected


@pytest.mark.parametrize(
    "value", [5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 2.0**-1060 * 3]
)
def test_integer_rows_hold_extreme_floats(value):
    rows = integer_rows(np.array([[value, -1.0]]), np.array([-value]))
    result = rows.apply(ExactVector.of([Fraction(3), Fraction(1, 7)])).fractions()
    assert result == (3 * Fraction(value) - Fraction(1, 7) - Fraction(value),)


def test_integer_rows_without_entries():
    rows = integer_rows(np.zeros((2, 3)), np.array([0.0, 0.5]))
    assert rows.apply(ExactVector.of([Fraction(1)] * 3)).fractions() == (0, Fraction(1, 2))


@given(
    st.lists(
        st.tuples(RATIONALS, st.floats(min_value=0, exclude_min=True, allow_infinity=False)),
        max_size=5,
    )
)
def test_division_is_exact(entries):
    values, divisors = [v for v, _ in entries], np.array([d for _, d in entries])
    expected = tuple(value / Fraction(divisor) for value, divisor in entries)
    assert scaled_by_reciprocals(ExactVector.of(values), divisors).fractions() == expected


@given(st.lists(st.tuples(st.fractions(), st.fractions()), max_size=6))
def test_dot(pairs):
    left, right = [a for a, _ in pairs], [b for _, b in pairs]
    assert dot(left, right) == sum((a * b for a, b in pairs), Fraction(0))


def test_dot_of_different_lengths_is_refused():
    with pytest.raises(ValueError, match="shorter"):
        dot([Fraction(1), Fraction(1)], [Fraction(1)])


def test_one_bit_decides():
    """The sum of 200 random dyadics, moved by one unit in the last place of their exact sum."""
    random_numbers = random.Random(7)
    weight = np.array(
        [
            [
                random_numbers.uniform(-1, 1) * 2.0 ** random_numbers.randint(-40, 40)
                for _ in range(200)
            ]
        ]
    )
    rows = integer_rows(weight, np.zeros(1))
    ones = [Fraction(1)] * 200
    exact = sum((Fraction(w) for w in weight[0].tolist()), Fraction(0))
    assert rows.apply(ExactVector.of(ones)).fractions() == (exact,)
    nudged = [*ones[:-1], 1 + Fraction(1, 10**40)]
    assert rows.apply(ExactVector.of(nudged)).fractions() != (exact,)


def test_numbers_too_long_to_write_are_an_error_of_ours():
    with pytest.raises(QueryError, match="4,300 digits"):
        format_rational(Fraction(1, 3**10000))
