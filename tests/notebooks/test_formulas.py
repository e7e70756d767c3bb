"""Formulas as students type them: what is read, and the friendly line for what is not."""

import importlib
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

_FOLDER = Path(__file__).parents[2] / "docs" / "notebooks"
sys.path.insert(0, str(_FOLDER))
try:
    formulas = importlib.import_module("formulas")
finally:
    sys.path.remove(str(_FOLDER))

read_formula, PageLimits, TypedFormula = (
    formulas.read_formula,
    formulas.PageLimits,
    formulas.TypedFormula,
)


@pytest.mark.parametrize(
    ("text", "clauses", "names"),
    [
        ("(a or b) and (not a)", ((1, 2), (-1,)), ("a", "b")),
        ("a or b\nnot a", ((1, 2), (-1,)), ("a", "b")),
        ("(a | b) & (!a || ~c) ∧ (¬b ∨ c)", ((1, 2), (-1, -3), (-2, 3)), ("a", "b", "c")),
        ("(a\n or b)\n\nand\n(NOT a)", ((1, 2), (-1,)), ("a", "b")),
        ("a and not b", ((1,), (-2,)), ("a", "b")),
        ("not not a", ((1,),), ("a",)),
        ("c or d", ((1, 2),), ("c", "d")),
        ("p or q", ((1, 2),), ("p", "q")),
        ("p\nnot q", ((1,), (-2,)), ("p", "q")),
        ("c no header\n1 2 0\n-1 0", ((1, 2), (-1,)), ("x1", "x2")),
        ("1 2 0\n\n-1 0", ((1, 2), (-1,)), ("x1", "x2")),
        ("1 -2\n+2", ((1, -2), (2,)), ("x1", "x2")),
        ("c made by hand\np cnf 3 2\n1 2 0\n-1 0\n", ((1, 2), (-1,)), ("x1", "x2", "x3")),
        ("(2 or -1) and x2", ((1, -2), (1,)), ("x2", "x1")),
    ],
)
def test_formulas_are_read(text, clauses, names):
    read = read_formula(text)
    assert isinstance(read, TypedFormula), read
    assert read.formula.clauses == clauses
    assert read.names == names
    assert read.formula.variables == len(names)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no formula yet"),
        (" \n ", "no formula yet"),
        ("1 0 2", "0 is no literal"),
        ("0", "0 is no literal"),
        ("a or 0", "0 is no literal"),
        ("a or b and c", "into parentheses"),
        ("(a or b", "never closed"),
        ("(a or b) (c)", "and</code> or a new line"),
        ("(a and b)", "or</code> or <code>)"),
        ("not (a or b)", "nothing else"),
        ("a or", "a literal"),
        ("a and", "missing after"),
        ("()", "empty clause"),
        ("a xor b", "not read"),
        ("a $ b", "not read"),
        ("x_1", "no name"),
        ("p cnf 2 3\n1 2 0\n-1 0", "header says 3 clauses"),
        ("p cnf 1 1\n1 2 0", "says 1 variables"),
        ("p cnf 2\n1 2 0", "a header is"),
        ("p cnf 2 1\n1 x 0", "in numbers"),
        ("p cnf 999999999999 1\n1 0", "up to 8"),
        (" ".join(map(str, range(1, 41))), "40 variables"),
        ("\n".join(f"{k} 0" for k in range(1, 41)), "40 variables"),
        ("c a comment\np cnf 2 1\n1 0 2", "Line 3"),
        (" and ".join(f"y{k}" for k in range(40)), "40 variables"),
        ("99999999999999999999", "at most 8"),
        ("1\n" * 17, "17 clauses"),
        ("a or " * 6 + "a", "7 literals"),
        ("a" * 3000, "3,000 characters"),
        ("1" * 1999, "numbered from 1"),
    ],
)
def test_mistakes_are_answered(text, words):
    answer = read_formula(text)
    assert isinstance(answer, str)
    assert words in answer
    assert "\n" not in answer


def test_limits_are_those_of_the_page():
    assert isinstance(read_formula("a or b\nc", PageLimits(3, 2, 2)), TypedFormula)
    assert "up to 2" in read_formula("a or b\nc", PageLimits(2, 2, 2))
    assert "up to 1" in read_formula("a or b\nc", PageLimits(3, 1, 2))
    assert "up to 1" in read_formula("a or b\nc", PageLimits(3, 2, 1))


def test_formulas_are_shown():
    read = read_formula("(s or not b) and t")
    assert read.clause(read.formula.clauses[0]) == "s ∨ ¬b"
    assert read.helper == "u"
    assert read.literal(-4) == "¬u"
    assert read.clause(()) == "(empty)"


@given(st.text(alphabet=st.sampled_from("ab1 0-()\n!&|$<>`*_%p cnfortd"), max_size=60))
def test_anything_typed_is_read_or_answered(text):
    read = read_formula(text)
    if isinstance(read, str):
        assert read.strip()
        assert not set(read) & set("$`*_"), "what was typed would be taken for Markdown"
    else:
        shown = " and ".join(f"({read.clause(clause)})" for clause in read.formula.clauses)
        again = read_formula(shown)
        used = [abs(literal) for clause in read.formula.clauses for literal in clause]
        assert [abs(x) for c in again.formula.clauses for x in c] == [
            list(dict.fromkeys(used)).index(variable) + 1 for variable in used
        ]


def test_what_is_quoted_stays_text():
    assert formulas.quoted("a`$<") == "<code>a&#96;&#36;&#60;</code>"
