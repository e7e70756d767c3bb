"""VNN-LIB files that are wrong, hostile or large."""

from __future__ import annotations

import time
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relucert.errors import FileError, InputError
from relucert.query import Query
from relucert.read.vnnlib import read_vnnlib

F = Fraction
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


BAD = [
    ("(assert (<= X_9 1))", "line 6: variable 'X_9' is not declared"),
    ("(assert (<= X_0 inf))", "line 6: variable 'inf' is not declared"),
    ("(declare-const X_0 Real)", "line 6: X_0 is declared twice"),
    ("(declare-const Z_0 Real)", "line 6: variable 'Z_0' is neither"),
    ("(declare-const X_02 Real)", "line 6: variable 'X_02' is neither"),
    ("(declare-const X_2 Int)", "line 6: X_2 is declared 'Int', not Real"),
    ("(declare-const X_3 Real)", "declares 3 inputs but not X_2"),
    ("(declare-const X_2)", "line 6: expected .declare-const NAME Real."),
    ("(declare-fun X_2 (Real) Real)(assert (<= X_2 X_3))", "line 6: variable 'X_3'"),
    ("(push 1)", "line 6: unknown command 'push'"),
    ("()", "line 6: unknown command ''"),
    ("(vnnlib-version <2.0>)", "line 6: this is VNN-LIB 2.0"),
    ("(declare-network N (declare-input X real [1]))", "line 6: this is VNN-LIB 2.0"),
    ("(assert (< Y_0 1))", "line 6: a strict inequality"),
    ("(assert\n(not\n(<= Y_0 1)))", "line 8: a strict inequality"),
    ("(assert (not (= Y_0 1)))", "line 6: a strict inequality"),
    ("(assert (<= X_0 Y_0))", "line 6: the inequality relates inputs and outputs"),
    ("(assert (<= X_0 X_1))", "line 6: the inequality relates inputs with each other"),
    ("(assert (<= (* Y_0 Y_1) 1))", "line 6: a product of two variables"),
    ("(assert (<= (/ 1 Y_0) 1))", "line 6: a quotient by a variable"),
    ("(assert (<= (/ Y_0 0) 1))", "line 6: division by zero"),
    ("(assert (<= (- ) 1))", "line 6: '-' has nothing"),
    ("(assert (<= (* Y_0) 1))", "line 6: .* needs two arguments"),
    ("(assert (<= (max Y_0 1) 1))", "line 6: operator 'max' is not known"),
    ("(assert (<= ((Y_0)) 1))", "line 6: expected an operator"),
    ("(assert (<= 1e99999 Y_0))", "line 6: exponent out of range"),
    ("(assert (<= 1x Y_0))", "line 6: not a number"),
    ("(assert (<= Y_0 (* 1e1000 1e1000)))", "line 6: a number grows beyond"),
    ("(assert (<= Y_0))", "line 6: '<=' compares two numbers, here is 1"),
    ("(assert (and))", "line 6: 'and' has the wrong number"),
    ("(assert (not true true))", "line 6: 'not' has the wrong number"),
    ("(assert (=> true))", "line 6: '=>' has the wrong number"),
    ("(assert (and Y_0 true))", "line 6: 'and' joins conditions"),
    ("(assert (<= (<= 1 2) 1))", "line 6: '<=' works on numbers"),
    ("(assert Y_0)", "line 6: assert needs a condition"),
    ("(assert)", "line 6: assert needs exactly one"),
    ("(assert true true)", "line 6: assert needs exactly one"),
    ("(assert (<= Y_0 1)", "line 6: '.' is never closed"),
    ("\n)", "line 7: '.' closes nothing"),
    ("sat", "line 6: 'sat' stands outside"),
    ('(set-info "open)', 'line 6: the quotation mark " has no second'),
    ("(assert |open)", "line 6: the quotation mark . has no second"),
    ("(assert (>= X_0 2))", "line 6: the box is empty: X_0 lies between 2.0 and 1.0"),
    ("(assert (or (>= X_0 2) (<= X_1 -1)))", "line 6: the box is empty: X_1"),
]  # fmt: skip


@pytest.mark.parametrize(("addition", "message"), BAD)
def test_bad_files(tmp_path, addition, message):
    with pytest.raises(InputError, match=message) as caught:
        parsed(HEADER + BOX + addition, tmp_path)
    assert "p.vnnlib: " in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("; nothing\n", "declares no inputs"),
        ("(declare-const X_0 Real)", "declares no outputs"),
        (HEADER, "X_0 has no lower bound"),
        (HEADER + "(assert (>= X_0 0))", "X_0 has no upper bound"),
        (HEADER + "(assert (<= 0 X_0 1))", "X_1 has no lower bound"),
        (HEADER + "(assert (<= 0 X_0 1))\n(assert (or (<= 0 X_1 1)\n(>= X_1 0)))",
         "alternative at line 7: X_1 has no upper bound"),
    ],
)  # fmt: skip
def test_files_that_lack_something(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        parsed(text, tmp_path)


def test_files_that_are_no_text(tmp_path):
    path = tmp_path / "p.vnnlib"
    for content, message in [(b"", "empty"), (b"\xff\xfe", "UTF-8"), (b"\x00" * 9, "line 1")]:
        path.write_bytes(content)
        with pytest.raises(FileError, match=message):
            read_vnnlib(path)
    with pytest.raises(FileError, match="no such file"):
        read_vnnlib(tmp_path / "absent.vnnlib")


@given(st.text(alphabet='()XY_01 <=>assertdclk-;"|\n', max_size=80))
def test_noise_never_escapes_the_error_tree(tmp_path_factory, text):
    with suppress(InputError):
        parsed(HEADER + BOX + text, tmp_path_factory.getbasetemp())


def test_deep_nesting_is_refused_and_moderate_nesting_read(tmp_path):
    deep = "(assert " + "(and " * 100_000 + "true" + ")" * 100_001
    with pytest.raises(FileError, match="line 6: parentheses nest deeper than 1,000"):
        parsed(HEADER + BOX + deep, tmp_path)
    for operator_name in ("and", "or", "not"):
        moderate = f"(assert {f'({operator_name} ' * 900}(<= Y_0 1){')' * 901}"
        assert parsed(HEADER + BOX + moderate, tmp_path).violated_by([F(0)] * 2, [F(1), F(0)])
    sums = f"(assert (<= {'(+ Y_0 ' * 900}1{')' * 900} 0))"
    assert parsed(HEADER + BOX + sums, tmp_path).cases[0].unsafe[0].coefficients == ((900, 0),)


def test_too_many_alternatives_are_refused(tmp_path):
    choices = "".join(f"(assert (or (<= Y_0 {i}) (<= Y_1 {i})))" for i in range(17))
    with pytest.raises(FileError, match="line 6: more than 100,000 alternatives"):
        parsed(HEADER + BOX + choices, tmp_path)
    nested = "(<= Y_0 0)"
    for index in range(60):
        nested = f"(and (or {nested} (<= Y_1 {index})) (or (<= Y_0 {index}) (<= Y_1 0)))"
    with pytest.raises(FileError, match=r"line 6: more than 100,000|altogether"):
        parsed(HEADER + BOX + f"(assert {nested})", tmp_path)


def test_alternatives_that_would_fill_the_memory_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("relucert.read.vnnlib_cases._MAX_ENDS", 10)
    boxes = " ".join(f"(<= X_0 0.{i})" for i in range(1, 8))
    with pytest.raises(FileError, match="bounds altogether"):
        parsed(HEADER + BOX + f"(assert (or {boxes}))", tmp_path)
    monkeypatch.setattr("relucert.read.vnnlib_cases.MAX_ATOMS", 10)
    rows = "(assert (<= Y_0 0))" * 5 + "(assert (or (<= Y_1 1) (<= Y_1 2) (<= Y_1 3)))"
    with pytest.raises(FileError, match="inequalities altogether"):
        parsed(HEADER + BOX + rows, tmp_path)


def test_large_files_take_linear_time(tmp_path):
    size = 5000
    lines = [f"(declare-const X_{i} Real)" for i in range(size)]
    lines += ["(declare-const Y_0 Real)(declare-const Y_1 Real)"]
    lines += [f"(assert (<= X_{i} 0.{i + 1}))\n(assert (>= X_{i} -0.{i + 1}))" for i in range(size)]
    lines += ["(assert (or (<= Y_0 Y_1) (<= Y_1 -3.5)))"]
    started = time.process_time()
    query = parsed("\n".join(lines), tmp_path)
    assert time.process_time() - started < 10
    assert query.cases[0].box.size == size
