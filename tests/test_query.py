"""Boxes, unsafe sets and what robustness of a label means."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relucert.errors import QueryError
from relucert.query import Box, Case, Decision, Polyhedron, Query, robustness_query

F = Fraction
HUGE = F(10) ** 400
SMALL = st.fractions(-5, 5, max_denominator=8)


@st.composite
def boxes(draw):
    pairs = draw(st.lists(st.tuples(st.fractions(), st.fractions()), min_size=1, max_size=4))
    return Box(tuple(min(p) for p in pairs), tuple(max(p) for p in pairs))


def test_a_box_contains_its_ends_and_nothing_beyond():
    box = Box((F(0), F(-1)), (F(1, 3), F(2)))
    assert box.contains([F(0), F(2)])
    assert box.contains([F(1, 3), F(-1)])
    assert not box.contains([F(1, 3) + F(1, 10**50), F(0)])
    assert not box.contains([F(0)])


@given(boxes())
def test_the_enclosing_floats_enclose(box):
    lower, upper = box.enclosing_floats
    assert all(F(low) <= end for low, end in zip(lower, box.lower, strict=True))
    assert all(F(high) >= end for high, end in zip(upper, box.upper, strict=True))


@given(boxes(), st.data())
def test_the_nearest_rationals_are_inside(box, data):
    x = np.array(data.draw(st.lists(st.floats(), min_size=box.size, max_size=box.size)))
    assert box.contains(box.nearest_rationals(x))


def test_boxes_that_make_no_sense():
    with pytest.raises(QueryError, match="input 1 lies between"):
        Box((F(0), F(2)), (F(1), F(1)))
    with pytest.raises(QueryError, match="1 lower and 2 upper"):
        Box((F(0),), (F(1), F(1)))
    with pytest.raises(QueryError, match="between inf and -inf"):
        Box((HUGE,), (-HUGE,))
    with pytest.raises(QueryError, match="2 rows and 1 limits"):
        Polyhedron(((F(1),), (F(2),)), (F(0),))


def test_a_polyhedron_is_closed_and_without_rows_everything():
    half_space = Polyhedron(((F(1), F(-1)),), (F(1, 3),))
    assert half_space.contains([F(1, 3), F(0)])
    assert not half_space.contains([F(1, 3), -F(1, 10**60)])
    assert Polyhedron((), ()).contains([F(5)])


def test_a_query_is_the_union_of_its_cases():
    low, high = Box((F(0),), (F(1),)), Box((F(2),), (F(3),))
    negative, large = Polyhedron(((F(1),),), (F(0),)), Polyhedron(((F(-1),),), (F(-9),))
    query = Query((Case(low, (negative, large)), Case(high, (negative,))))
    assert query.violated_by([F(1)], [F(9)])
    assert query.violated_by([F(2)], [F(0)])
    assert not query.violated_by([F(2)], [F(9)])
    assert not query.violated_by([F(3, 2)], [F(0)])
    assert not Query((Case(low, ()),)).violated_by([F(0)], [F(0)])


def test_a_query_knows_whether_it_fits():
    query = Query((Case(Box((F(0),), (F(1),)), (Polyhedron(((F(1), F(0)),), (F(0),)),)),), "p")
    query.fits(1, 2)
    with pytest.raises(QueryError, match="p: the box has 1 inputs, the network 3"):
        query.fits(3, 2)
    with pytest.raises(QueryError, match="p: the property speaks of 2 outputs"):
        query.fits(1, 1)


def wins(kind, labels, label, y):
    """Whether ``label`` is the strict winner, said in another way than `Decision` says it."""
    if kind == "argmax":
        return all(y[label] > value for other, value in enumerate(y) if other != label)
    if kind == "sign":
        return y[0] * label > 0
    distances = {other: abs(y[0] - other) for other in range(1, labels + 1)}
    return all(distances[label] < d for other, d in distances.items() if other != label)


@given(st.data())
def test_wrong_outputs_are_those_where_the_label_does_not_win(data):
    kind = data.draw(st.sampled_from(["argmax", "sign", "nearest"]))
    labels = 2 if kind == "sign" else data.draw(st.integers(1, 4))
    size = labels if kind == "argmax" else 1
    y = data.draw(
        st.lists(st.one_of(SMALL, st.integers(-1, 5).map(F)), min_size=size, max_size=size)
    )
    if data.draw(st.booleans()):
        y[-1] = y[0]
    choices = {"argmax": range(labels), "sign": (-1, 1), "nearest": range(1, labels + 1)}[kind]
    label = data.draw(st.sampled_from(list(choices)))
    wrong = Decision(kind, labels).wrong_outputs(label)
    assert any(part.contains(y) for part in wrong) == (not wins(kind, labels, label, y))


@pytest.mark.parametrize(
    ("decision", "label", "tie"),
    [
        (Decision("argmax", 3), 1, [F(0), F(2), F(2)]),
        (Decision("sign", 2), 1, [F(0)]),
        (Decision("sign", 2), -1, [F(0)]),
        (Decision("nearest", 3), 2, [F(5, 2)]),
        (Decision("nearest", 3), 3, [F(5, 2)]),
        (Decision("nearest", 3), 1, [F(3, 2)]),
    ],
)
def test_ties_are_wrong(decision, label, tie):
    assert any(part.contains(tie) for part in decision.wrong_outputs(label))


@pytest.mark.parametrize(
    ("decision", "label", "names"),
    [
        (Decision("argmax", 3), 3, "0 to 2"),
        (Decision("argmax", 3), -1, "0 to 2"),
        (Decision("sign", 2), 0, "-1 or 1"),
        (Decision("nearest", 4), 0, "1 to 4"),
        (Decision("nearest", 4), 5, "1 to 4"),
    ],
)
def test_labels_out_of_range(decision, label, names):
    with pytest.raises(QueryError, match=f"label {label} is out of range.*{names}"):
        decision.wrong_outputs(label)


@given(st.data())
def test_the_ball_of_a_robustness_query(data):
    point = data.draw(st.lists(st.fractions(0, 1), min_size=1, max_size=3))
    radius = data.draw(st.fractions(0, 2))
    clip = data.draw(st.sampled_from([None, (F(0), F(1))]))
    query = robustness_query(point, 1, Decision("sign", 2), radius=radius, clip=clip)
    x = data.draw(st.lists(st.fractions(-1, 2), min_size=len(point), max_size=len(point)))
    near = max(abs(a - b) for a, b in zip(x, point, strict=True)) <= radius
    allowed = clip is None or all(0 <= value <= 1 for value in x)
    assert query.cases[0].box.contains(x) == (near and allowed)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"radius": F(-1)}, "radius -1.0 is negative"),
        ({"radius": -HUGE}, "radius -inf is negative"),
        ({"radius": F(1), "clip": (F(1), F(0))}, "clip range is empty"),
        ({"radius": F(1), "clip": (HUGE, -HUGE)}, "clip range is empty"),
        ({"radius": F(1), "clip": (F(1), F(2))}, "input 0 is 0.5, outside the clip range"),
        ({"radius": F(1), "clip": (HUGE, HUGE)}, "input 0 is 0.5, outside the clip range"),
    ],
)
def test_balls_that_make_no_sense(options, message):
    with pytest.raises(QueryError, match=message):
        robustness_query([F(1, 2)], 1, Decision("sign", 2), **options)


@pytest.mark.parametrize("arguments", [("softmax", 3), ("argmax", 0)])
def test_decisions_that_make_no_sense(arguments):
    with pytest.raises(QueryError):
        Decision(*arguments)
