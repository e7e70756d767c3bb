"""VNN-LIB files against an evaluator that knows nothing of boxes or normal forms."""

from __future__ import annotations

import gzip
import operator
import random
import re
from fractions import Fraction
from functools import reduce
from itertools import pairwise, product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relucert.errors import FileError, QueryError
from relucert.query import Query
from relucert.read.vnnlib import read_vnnlib

F = Fraction
SHARED = Path(__file__).parents[2] / "../shared/data/vnncomp"
SHARED_FILES = sorted(SHARED.glob("*/vnnlib/**/*.vnnlib*")) if SHARED.is_dir() else []
HEADER = """(declare-const X_0 Real)
(declare-const X_1 Real)
(declare-const Y_0 Real)
(declare-const Y_1 Real)
"""
BOX = "(assert (and (>= X_0 0) (<= X_0 1) (>= X_1 0) (<= X_1 1)))\n"


def parsed(text: str, folder: Path, name: str = "p.vnnlib") -> Query:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return read_vnnlib(path)


def parsed_or_empty(text: str, folder: Path) -> Query:
    """The query; one that nothing violates when the file says that its box is empty."""
    try:
        return parsed(text, folder)
    except QueryError as error:
        if "the box is empty" not in str(error):
            raise
        return Query(())


# The evaluator: nested lists, one truth value at a point.


def trees(text: str) -> list:
    stack: list[list] = [[]]
    for line in text.splitlines():
        for token in re.findall(r"[()]|[^\s()]+", line.split(";")[0]):
            if token == "(":
                stack.append([])
            elif token == ")":
                done = stack.pop()
                stack[-1].append(done)
            else:
                stack[-1].append(token)
    return stack[0]


def value(tree, point):
    if isinstance(tree, str):
        return point[tree] if tree in point else Fraction(tree)
    head, arguments = tree[0], [value(part, point) for part in tree[1:]]
    if head == "-" and len(arguments) == 1:
        return -arguments[0]
    operators = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}
    return reduce(operators[head], arguments)


def holds(tree, point) -> bool:
    if isinstance(tree, str):
        return tree == "true"
    head = tree[0]
    if head == "and":
        return all(holds(part, point) for part in tree[1:])
    if head == "or":
        return any(holds(part, point) for part in tree[1:])
    if head == "not":
        return not holds(tree[1], point)
    if head == "=>":
        return not holds(tree[1], point) or holds(tree[2], point)
    signs = {
        "<=": operator.le,
        ">=": operator.ge,
        "=": operator.eq,
        "<": operator.lt,
        ">": operator.gt,
    }
    values = [value(part, point) for part in tree[1:]]
    return all(signs[head](a, b) for a, b in pairwise(values))


def said(text: str, x, y) -> bool:
    point = {f"X_{i}": v for i, v in enumerate(x)} | {f"Y_{i}": v for i, v in enumerate(y)}
    asserts = [tree[1] for tree in trees(text) if tree[0] == "assert"]
    return all(holds(tree, point) for tree in asserts)


# Random files.

CONSTANTS = ["0", "1", "-1", "0.5", "2.5e-1", "(- 2)", "(/ 1 3)", "(+ 1 (* 2 0.25))", "(- 3 1)"]
OUTPUT_TERMS = st.recursive(
    st.sampled_from(["Y_0", "Y_1", *CONSTANTS]),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda p: f"(+ {p[0]} {p[1]})"),
        st.tuples(inner, inner).map(lambda p: f"(- {p[0]} {p[1]})"),
        inner.map(lambda term: f"(- {term})"),
        st.tuples(st.sampled_from(CONSTANTS), inner).map(lambda p: f"(* {p[0]} {p[1]})"),
        inner.map(lambda term: f"(/ {term} 2 1.5)"),
    ),
    max_leaves=4,
)
CLOSED = st.sampled_from(["<=", ">="])
OUTPUT_ATOMS = (
    st.tuples(st.one_of(CLOSED, st.just("=")), OUTPUT_TERMS, OUTPUT_TERMS)
    .map(" ".join)
    .map("({})".format)
)
INPUT_ATOMS = st.tuples(
    CLOSED, st.sampled_from(["X_0", "X_1", "(* 2 X_1)", "(- X_0)", "(- 1 X_1)"]),
    st.sampled_from(CONSTANTS)
).flatmap(lambda t: st.permutations(t[1:]).map(lambda p: f"({t[0]} {p[0]} {p[1]})"))  # fmt: skip
OPEN = st.recursive(
    st.tuples(st.sampled_from(["<", ">"]), OUTPUT_TERMS, OUTPUT_TERMS)
    .map(" ".join)
    .map("({})".format),
    lambda inner: st.tuples(st.sampled_from(["and", "or"]), inner, inner).map(
        lambda t: f"({t[0]} {t[1]} {t[2]})"
    ),
    max_leaves=4,
)
NEGATED = OPEN.map("(not {})".format)
CONDITIONS = st.recursive(
    st.one_of(OUTPUT_ATOMS, INPUT_ATOMS, NEGATED, st.sampled_from(["true", "false"])),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda p: f"(and {' '.join(p)})"),
        st.lists(inner, min_size=1, max_size=3).map(lambda p: f"(or {' '.join(p)})"),
        st.tuples(NEGATED, inner).map(lambda p: f"(=> (not {p[0]}) {p[1]})"),
    ),
    max_leaves=8,
)
COORDINATES = st.one_of(
    st.sampled_from([F(0), F(1), F(1, 2), F(1, 4), F(1, 3), F(-1), F(3, 2)]),
    st.fractions(-2, 2, max_denominator=12),
)


@given(
    conditions=st.lists(CONDITIONS, min_size=1, max_size=3),
    points=st.lists(st.tuples(*[COORDINATES] * 4), min_size=20, max_size=20),
)
def test_the_query_says_what_the_file_says(tmp_path_factory, conditions, points):
    text = HEADER + BOX + "".join(f"(assert {condition})\n" for condition in conditions)
    query = parsed_or_empty(text, tmp_path_factory.getbasetemp())
    for x0, x1, y0, y1 in points:
        assert query.violated_by((x0, x1), (y0, y1)) == said(text, (x0, x1), (y0, y1))


DIRECTED = [
    "(<= (* 4 X_0) 1)",
    "(>= (/ X_0 0.5) 1.5)",
    "(<= (* -0.5 X_0) -0.25)",
    "(<= 0.25 (- 1 X_0 0.25))",
    "(<= (- Y_0 Y_1 1 0.5) 0)",
    "(<= (- Y_0) (* -2 (+ Y_1 0.5 0.5)))",
    "(not (or (< Y_0 0) (> Y_1 1)))",
    "(not (and (< Y_0 0) (> Y_1 1)))",
    "(not (not (or (<= Y_0 0) (<= Y_1 0))))",
    "(not (and (or (< Y_0 0) (< Y_1 0)) (not (<= Y_1 1))))",
    "(or (< 1 1) (<= Y_0 0))",
    "(or (not (<= 1 1)) (<= Y_0 0))",
    "(or (<= 1 1) (<= Y_0 0))",
    "(or (not (< 1 1)) (<= Y_0 0))",
    "(and (> 2 1) (not (>= 1 2)) (<= Y_0 0))",
    "(=> (> Y_0 0) (<= Y_1 0))",
    "(>= 1 Y_0 Y_1 0)",
    "(= Y_0 (* 2 Y_1))",
    "(or (and (<= X_0 0.5) (<= Y_0 0)) (and (>= X_0 0.5) (>= Y_0 1)))",
]


@pytest.mark.parametrize("condition", DIRECTED)
def test_every_operator_on_a_grid(tmp_path, condition):
    text = HEADER + BOX + f"(assert {condition})"
    query = parsed(text, tmp_path)
    seen = set()
    ends = [F(-1), F(0), F(1, 4), F(1, 2), F(3, 4), F(1), F(3, 2), F(2)]
    for x0, y0, y1 in product(ends, repeat=3):
        expected = said(text, (x0, F(1)), (y0, y1))
        seen.add(expected)
        assert query.violated_by((x0, F(1)), (y0, y1)) == expected
    assert seen == {True, False}


@pytest.mark.skipif(not SHARED_FILES, reason="no folder shared/data/vnncomp beside the checkout")
@pytest.mark.parametrize(
    "family", sorted({path.relative_to(SHARED).parts[0] for path in SHARED_FILES})
)
def test_competition_files_say_what_they_said(family):
    """Points near the boundary of every file: at bounds, and around the constants in it."""
    picks = random.Random(family)
    files = [path for path in SHARED_FILES if path.relative_to(SHARED).parts[0] == family]
    for path in files[: 8 if files[0].stat().st_size < 2000 else 1]:
        query = read_vnnlib(path)
        assert query.name == path.name
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rt", encoding="utf-8") as stream:
            text = stream.read()
        outputs = len(re.findall(r"declare-const Y_", text))
        numbers = [F(n) for n in re.findall(r"[<>]= Y_\d+ ([-+0-9.eE]+)", text)] + [F(0), F(1)]
        both = set()
        box = query.cases[0].box
        for trial in range(8):
            x = [picks.choice(ends) for ends in zip(box.lower, box.upper, strict=True)]
            if trial == 0:
                x[picks.randrange(len(x))] += F(10) ** 9
            nudge = picks.choice([F(0), F(1, 10**30), -F(1, 10**30)])
            y = [picks.choice(numbers) + nudge for _ in range(outputs)]
            expected = said(text, x, y)
            both.add(expected)
            assert query.violated_by(x, y) == expected
        assert False in both


@pytest.mark.skipif(not SHARED_FILES, reason="no folder shared/data/vnncomp beside the checkout")
def test_every_competition_file_is_read():
    smallest = sorted(SHARED_FILES, key=lambda path: path.stat().st_size)
    for path in smallest[:150] + smallest[-3:]:
        query = read_vnnlib(path)
        assert all(case.unsafe for case in query.cases)


def test_inputs_in_disjunctions_become_cases(tmp_path):
    text = (
        HEADER
        + """
    (assert (or (and (>= X_0 0) (<= X_0 1) (>= X_1 0) (<= X_1 1) (<= Y_0 0))
                (and (>= X_0 5) (<= X_0 6) (>= X_1 0) (<= X_1 1) (<= Y_0 0))
                (and (<= X_0 1) (>= X_0 0) (<= X_1 1) (>= X_1 0) (<= Y_1 0))))"""
    )
    query = parsed(text, tmp_path)
    assert [len(case.unsafe) for case in query.cases] == [2, 1]
    assert query.cases[1].box.lower == (5, 0)


def test_several_disjunctions_multiply(tmp_path):
    text = (
        HEADER
        + BOX
        + "(assert (or (<= X_0 0.25) (>= X_0 0.75)))(assert (or (<= Y_0 0) (<= Y_1 0)))"
    )
    query = parsed(text, tmp_path)
    assert [(case.box.lower[0], case.box.upper[0], len(case.unsafe)) for case in query.cases] == [
        (0, F(1, 4), 2),
        (F(3, 4), 1, 2),
    ]


def test_numbers_are_exact_decimals(tmp_path):
    text = HEADER + BOX + "(assert (<= X_0 0.1))(assert (<= Y_0 (/ 1 3)))(assert (>= Y_1 1e-5))"
    (case,) = parsed(text, tmp_path).cases
    assert case.box.upper[0] == F(1, 10)
    assert case.unsafe[0].limits == (F(1, 3), -F(1, 10**5))


def test_outputs_without_conditions_are_all_unsafe(tmp_path):
    (case,) = parsed(HEADER + BOX, tmp_path).cases
    assert [part.limits for part in case.unsafe] == [()]


def test_a_contradiction_of_constants_leaves_nothing_unsafe(tmp_path):
    query = parsed(HEADER + BOX + "(assert (<= 2 1))(assert (<= Y_0 0))", tmp_path)
    assert [case.unsafe for case in query.cases] == [()]


def test_alternatives_with_an_empty_box_are_dropped(tmp_path):
    text = HEADER + BOX + "(assert (or (and (>= X_0 2) (<= Y_0 0)) (<= Y_1 0)))"
    (case,) = parsed(text, tmp_path).cases
    assert case.unsafe[0].coefficients == ((0, 1),)


def test_what_smt_lib_adds_is_read_or_ignored(tmp_path):
    text = """\ufeff; comment (with parenthesis
    (set-logic QF_LRA) (set-info :source |several (words); here|)(set-info :note "a ) b")
    (declare-fun X_0 () Real)(declare-const Y_0 Real);(
    (assert (<= -1 X_0 1)) (assert (= Y_0 2.0))
    (check-sat)"""
    (case,) = parsed(text, tmp_path).cases
    assert (case.box.lower, case.box.upper) == ((-1,), (1,))
    assert case.unsafe[0].contains([F(2)])
    assert not case.unsafe[0].contains([F(2) + F(1, 10**30)])


def test_compressed_files(tmp_path):
    path = tmp_path / "p.vnnlib.gz"
    path.write_bytes(gzip.compress((HEADER + BOX).encode()))
    assert read_vnnlib(path).cases == parsed(HEADER + BOX, tmp_path).cases
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(FileError, match="gzip"):
        read_vnnlib(path)
