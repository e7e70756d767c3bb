"""Writing VNN-LIB and reading it back."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relucert.errors import FileError, QueryError
from relucert.query import Box, Case, Polyhedron, Query
from relucert.read.vnnlib import read_vnnlib
from relucert.write.vnnlib import format_vnnlib, write_vnnlib

F = Fraction
UNIT = Box((F(0), F(0)), (F(1), F(1)))
DECIMALS = st.one_of(
    st.decimals(-100, 100, places=3).map(Fraction),
    st.floats(allow_nan=False, allow_infinity=False).map(Fraction),
    st.sampled_from([F(0), F(1), F(-1), F(10) ** 300, F(1, 2**1074)]),
)


@st.composite
def polyhedra(draw, outputs):
    unit = st.sampled_from([F(0), F(1), F(-1)])
    rows = draw(
        st.lists(
            st.tuples(*[st.one_of(unit, DECIMALS)] * outputs).filter(any), min_size=1, max_size=3
        )
    )
    limits = draw(st.lists(DECIMALS, min_size=len(rows), max_size=len(rows)))
    return Polyhedron(tuple(rows), tuple(limits))


@st.composite
def queries(draw):
    inputs, outputs = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    ends = st.lists(st.tuples(DECIMALS, DECIMALS).map(sorted), min_size=inputs, max_size=inputs)
    boxes = draw(st.lists(ends, min_size=1, max_size=3, unique_by=str))
    cases = []
    for pairs in boxes:
        parts = draw(st.lists(polyhedra(outputs), min_size=1, max_size=3, unique=True))
        box = Box(tuple(low for low, _ in pairs), tuple(high for _, high in pairs))
        cases.append(Case(box, tuple(parts)))
    return Query(tuple(cases), "q.vnnlib")


@given(queries())
def test_what_is_written_is_read_back(tmp_path_factory, query):
    path = tmp_path_factory.getbasetemp() / "q.vnnlib"
    write_vnnlib(query, path)
    again = read_vnnlib(path)
    assert again == query
    write_vnnlib(again, path.with_suffix(".again"))
    assert path.with_suffix(".again").read_bytes() == path.read_bytes()


def test_the_competition_form_of_one_case():
    rows = Polyhedron(((F(1), F(-1)), (F(-1), F(0))), (F(0), F(-1, 2)))
    other = Polyhedron(((F(2), F(-1, 4)),), (F(3),))
    text = format_vnnlib(Query((Case(Box((F(-1, 8),), (F(1),)), (rows, other)),)), ["a\nb"])
    assert text == (
        "; a\n; b\n"
        "(declare-const X_0 Real)\n(declare-const Y_0 Real)\n(declare-const Y_1 Real)\n"
        "(assert (>= X_0 -0.125))\n(assert (<= X_0 1.0))\n"
        "(assert (or\n"
        "    (and (<= Y_0 Y_1) (>= Y_0 0.5))\n"
        "    (and (<= (+ (* 2.0 Y_0) (* -0.25 Y_1)) 3.0))\n"
        "))\n"
    )


def test_one_polyhedron_needs_no_disjunction():
    rows = Polyhedron(((F(1), F(0)), (F(-1), F(1))), (F(2), F(0)))
    text = format_vnnlib(Query((Case(UNIT, (rows,)),)))
    assert text.endswith("(assert (<= Y_0 2.0))\n(assert (<= Y_1 Y_0))\n")


def test_everything_unsafe_is_written_without_rows(tmp_path):
    everything, half = Polyhedron((), ()), Polyhedron(((F(0),),), (F(0),))
    for part in (everything, half):
        write_vnnlib(Query((Case(UNIT, (part,)),)), tmp_path / "q.vnnlib", output_size=1)
        (case,) = read_vnnlib(tmp_path / "q.vnnlib").cases
        assert case == Case(UNIT, (everything,))


def test_impossible_parts_are_left_out(tmp_path):
    never, negative = Polyhedron(((F(0),),), (F(-1),)), Polyhedron(((F(1),),), (F(0),))
    query = Query((Case(UNIT, (never, negative)), Case(Box((F(2), F(2)), (F(3), F(3))), ())))
    write_vnnlib(query, tmp_path / "q.vnnlib")
    assert read_vnnlib(tmp_path / "q.vnnlib").cases == (Case(UNIT, (negative,)),)


def test_compressed_files_have_the_same_bytes(tmp_path):
    query = Query((Case(UNIT, (Polyhedron(((F(1),),), (F(0),)),)),), "one.vnnlib.gz")
    write_vnnlib(query, tmp_path / "one.vnnlib.gz")
    write_vnnlib(query, tmp_path / "two.vnnlib.gz")
    assert (tmp_path / "one.vnnlib.gz").read_bytes() == (tmp_path / "two.vnnlib.gz").read_bytes()
    assert read_vnnlib(tmp_path / "one.vnnlib.gz") == query


def unsafe(row, limit, box=UNIT):
    return Query((Case(box, (Polyhedron((tuple(row),), (limit,)),)),), "q")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (unsafe([F(1)], F(1, 3)), "a limit is 1/3: no finite decimal"),
        (unsafe([F(1, 7), F(1)], F(1)), "a coefficient is 1/7"),
        (unsafe([F(1)], F(0), Box((F(0),), (F(2, 3),))), "the upper bound of X_0 is 2/3"),
        (unsafe([F(1)], F(0), Box((F(-2, 3),), (F(1),))), "the lower bound of X_0 is -2/3"),
        (unsafe([F(1)], F(10) ** 5000), "a limit has more than 4,000 digits"),
        (Query((Case(UNIT, ()),), "q"), "q: nothing is unsafe"),
        (Query((), "q"), "q: nothing is unsafe"),
        (unsafe([F(0)], F(-1)), "q: nothing is unsafe"),
        (Query((Case(UNIT, (Polyhedron((), ()),)),), "q"), "no row tells the number of outputs"),
        (unsafe([F(1)], F(0), Box((), ())), "at least one input"),
    ],
)
def test_what_vnnlib_cannot_say(tmp_path, query, message):
    with pytest.raises(QueryError, match=message):
        write_vnnlib(query, tmp_path / "q.vnnlib")
    assert not list(tmp_path.iterdir())


def test_sizes_that_do_not_fit(tmp_path):
    small = Box((F(0),), (F(1),))
    part = Polyhedron(((F(1),),), (F(0),))
    with pytest.raises(QueryError, match="inputs"):
        format_vnnlib(Query((Case(UNIT, (part,)), Case(small, (part,)))))
    with pytest.raises(QueryError, match="speaks of 1 outputs"):
        format_vnnlib(Query((Case(small, (part,)),)), output_size=2)


def test_a_folder_that_is_missing(tmp_path):
    with pytest.raises(FileError, match="cannot be written"):
        write_vnnlib(unsafe([F(1)], F(0)), tmp_path / "absent" / "q.vnnlib")
