"""Witnesses: what is written is read back exactly; other tools' files are read too."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relucert.errors import FileError, QueryError
from relucert.read.witness import read_witness
from relucert.write.witness import format_witness, write_witness

F = Fraction
RATIONALS = st.one_of(
    st.fractions(),
    st.floats(allow_nan=False, allow_infinity=False).map(Fraction),
    st.sampled_from([F(1, 3**300), F(-1, 2**1500), F(10) ** 350]),
)


@given(st.lists(RATIONALS, min_size=1, max_size=5), st.lists(RATIONALS, max_size=3))
def test_the_inputs_come_back_exactly(tmp_path_factory, inputs, outputs):
    path = tmp_path_factory.getbasetemp() / "witness.txt"
    write_witness(inputs, outputs, path)
    x, y = read_witness(path)
    assert x == tuple(inputs)
    assert (y is None) == (not outputs)
    for claimed, exact in zip(y or (), outputs, strict=True):
        assert abs(claimed - exact) <= abs(exact) / 10**16


def test_short_outputs_come_back_exactly(tmp_path):
    outputs = (F(1, 3), F(-123456789, 10**9), F(0), F(1, 2**30))
    write_witness([F(1)], outputs, tmp_path / "w")
    assert read_witness(tmp_path / "w") == ((F(1),), outputs)


def test_the_form():
    assert format_witness([F(1, 10), F(-1, 3)], [F(3)]) == ("((X_0 0.1)\n (X_1 -1/3)\n (Y_0 3))\n")


def test_long_outputs_are_rounded_and_it_is_said(tmp_path):
    outputs = [F(1, 3) + F(1, 2**20000), F(1, 2), F(7) ** 3000]
    text = format_witness([F(0)], outputs)
    assert text.startswith("; the inputs are exact; outputs of more than 60 characters are rounded")
    assert "(Y_0 3.3333333333333333e-1)" in text
    assert "(Y_1 0.5)" in text
    assert max(map(len, text.splitlines())) < 100
    (tmp_path / "w").write_text(text)
    claimed = read_witness(tmp_path / "w")[1]
    assert abs(claimed[2] / outputs[2] - 1) < F(1, 10**16)


def test_outputs_beyond_every_reader(tmp_path):
    (tmp_path / "w").write_text(format_witness([F(1)], [F(10) ** 6000, F(1)]))
    assert read_witness(tmp_path / "w") == ((F(1),), None)
    (tmp_path / "w").write_text(format_witness([F(1)], [F(-1, 10**6000), F(1)]))
    assert read_witness(tmp_path / "w") == ((F(1),), (F(0), F(1)))


def test_inputs_that_cannot_be_read_back_are_refused():
    for value in (F(10) ** 6000, F(1, 3**9000), F(1, 10**3999)):
        with pytest.raises(QueryError, match="input 1 has more than 4,000 digits"):
            format_witness([F(0), value])


@pytest.mark.parametrize(
    "text",
    [
        "sat\n((X_0 1e-05)\n(X_1 -2.0)\n(Y_0 0.25))",
        "sat\r\n((Y_0 2.5E-1)\r\n(X_1 -2)\r\n(X_0 0.00001))\r\n",
        "; a comment (with one parenthesis\nsat ; more\n((X_1 (- 2)) (X_0 (/ 1 100000)) (Y_0 1/4))",
        "(X_0 1e-5) (X_1 -2) (Y_0 .25)",
        "violated\n((X_0 1e-05)) ((X_1 -2.)) ((Y_0 +0.25))",
    ],
)
def test_files_of_other_tools(tmp_path, text):
    (tmp_path / "w").write_text(text)
    assert read_witness(tmp_path / "w") == ((F(1, 10**5), F(-2)), (F(1, 4),))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("unsat", "says 'unsat', it holds no counterexample"),
        ("timeout\n", "says 'timeout'"),
        ("sat\n", "gives no input X_0"),
        ("((Y_0 1))", "gives no input X_0"),
        ("sat\n((X_0 1)\n (X_0 2))", "line 3: X_0 has two values"),
        ("((X_0 1) (X_2 2))", "gives 2 values X_i but none for X_1"),
        ("((X_0 1) (Y_1 2))", "gives 1 values Y_i but none for Y_0"),
        ("((X_0 1)\n (X_1 0x10))", "line 2: not a number: '0x10'"),
        ("((X_0 1)\n (X_1 nan))", "line 2: not a number: 'nan'"),
        ("((X_0 1)\n (X_1 X_0))", "line 2: not a number: 'X_0'"),
        ("((X_0 1)\n (X_1 (/ 1 0)))", "line 2: division by zero"),
        ("((X_0 1)\n (X_1 (sqrt 2)))", "line 2: operator 'sqrt'"),
        ("((X_0 1)\n (X_1))", "line 2: expected .X_i NUMBER."),
        ("((X_0 1)\n (Z_0 1))", "line 2: expected .X_i NUMBER."),
        ("((X_0 1)\n X_1)", "line 2: expected .X_i NUMBER., found 'X_1'"),
        ("((X_0 1)\n (X_1 2)", "line 1: '.' is never closed"),
        ("", "empty"),
    ],
)
def test_bad_files(tmp_path, text, message):
    (tmp_path / "w").write_text(text)
    with pytest.raises(FileError, match=message) as caught:
        read_witness(tmp_path / "w")
    assert "\n" not in str(caught.value)
