"""Result files of the competition: one word, and a counterexample in its form."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relucert.errors import QueryError
from relucert.read.witness import read_witness
from relucert.verdict import Method, Proved, Reason, Unknown
from relucert.write.competition import format_result, result_word, write_result

F = Fraction
FLOATS = st.floats(allow_nan=False, allow_infinity=False, width=32)


def test_the_words():
    assert result_word(Proved(Method.BOUNDS)) == "unsat"
    assert result_word(Unknown(Reason.TIME)) == "timeout"
    assert result_word(Unknown(Reason.MEMORY)) == "unknown"


def test_the_form():
    assert format_result("unsat") == "unsat\n"
    text = format_result("sat", (F(1, 2), F(-3)), (F(1, 3),))
    assert text == "sat\n((X_0 0.5)\n(X_1 -3)\n(Y_0 3.3333333333333333e-1))\n"


@given(st.lists(FLOATS, min_size=1, max_size=4), st.lists(st.fractions(), max_size=3))
def test_it_reads_back(tmp_path_factory, inputs, outputs):
    path = tmp_path_factory.getbasetemp() / "result.txt"
    write_result(path, "sat", [F(value) for value in inputs], outputs)
    x, y = read_witness(path)
    assert [float(value) for value in x] == inputs
    for claimed, exact in zip(y or (), outputs, strict=True):
        assert abs(claimed - exact) <= abs(exact) / 10**16
    for line in path.read_text().splitlines()[1:]:
        float(line.strip("()").split(" ")[1])  # what the competition's checker does


def test_quotients_are_refused():
    with pytest.raises(QueryError, match="input 1 has no finite decimal"):
        format_result("sat", (F(1), F(1, 3)))
