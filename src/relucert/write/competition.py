"""Result files of the verification competition (VNN-COMP, VNN-LIB 1.0).

The first line is one word: sat, unsat, timeout, unknown or error. After sat follows the
counterexample, one pair of parentheses around ``(X_0 0.5)`` ... ``(Y_0 1.2)``, a line each, and
nothing else: the competition's checker knows no comments, no quotients and no blank lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from fractions import Fraction
from pathlib import Path

from relucert.errors import QueryError
from relucert.exact import format_rational
from relucert.verdict import Proved, Reason, Unknown, Verdict
from relucert.write.files import write_atomically

__all__ = ["ERROR", "format_result", "is_decimal", "result_word", "write_result"]

ERROR = "error"
_SHORT = 60
_ROUNDING = Context(prec=17, Emax=MAX_EMAX, Emin=MIN_EMIN)


def result_word(verdict: Verdict) -> str:
    """What the competition calls a verdict."""
    if isinstance(verdict, Proved):
        return "unsat"
    if isinstance(verdict, Unknown):
        return "timeout" if verdict.reason is Reason.TIME else "unknown"
    return "sat"


def is_decimal(value: Fraction) -> bool:
    """Whether the number has a finite decimal of sensible length."""
    try:
        return "/" not in format_rational(value)
    except QueryError:
        return False


def format_result(
    word: str, inputs: Sequence[Fraction] = (), outputs: Sequence[Fraction] = ()
) -> str:
    """The file's text: the word, and the counterexample where there is one.

    Inputs are written exactly; outputs exactly up to 60 characters, else rounded to 17 digits.
    Raises QueryError for an input without a finite decimal.
    """
    if not inputs:
        return f"{word}\n"
    pairs = [f"(X_{index} {_exact(index, value)})" for index, value in enumerate(inputs)]
    pairs += [f"(Y_{index} {_near(value)})" for index, value in enumerate(outputs)]
    return f"{word}\n(" + "\n".join(pairs) + ")\n"


def write_result(
    path: str | Path,
    word: str,
    inputs: Sequence[Fraction] = (),
    outputs: Sequence[Fraction] = (),
) -> None:
    """Write `format_result`, all at once; raises FileError when it cannot be written."""
    write_atomically(path, format_result(word, inputs, outputs))


def _exact(index: int, value: Fraction) -> str:
    if not is_decimal(value):
        raise QueryError(f"input {index} has no finite decimal, which the competition asks for")
    return format_rational(value)


def _near(value: Fraction) -> str:
    if is_decimal(value) and len(format_rational(value)) <= _SHORT:
        return format_rational(value)
    return f"{_ROUNDING.divide(Decimal(value.numerator), Decimal(value.denominator)):e}"
