"""Counterexamples in the form that the verification competition (VNN-COMP) uses."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from fractions import Fraction
from pathlib import Path

from relucert.errors import QueryError
from relucert.exact import format_rational
from relucert.write.files import write_atomically

__all__ = ["format_witness", "write_witness"]

_EXACT_WIDTH = 60
_EXACT_BITS = 4 * _EXACT_WIDTH  # more bits than this cannot fit the width
_ROUNDING = Context(prec=17, Emax=MAX_EMAX, Emin=MIN_EMIN)
_MAX_EXPONENT = 4000
_REMARK = (
    "; the inputs are exact; outputs of more than 60 characters are rounded to 17 digits\n"
    "; (exact outputs: evaluate the network at the inputs)\n"
)


def format_witness(inputs: Sequence[Fraction], outputs: Sequence[Fraction] = ()) -> str:
    """``((X_0 0.1)`` ... ``(Y_0 3))``, one variable a line; `read_witness` reads it back.

    Inputs are exact: decimals where they are finite, else ``p/q``. Outputs are exact up to 60
    characters; beyond, they are rounded to 17 significant digits and a comment says so (they
    follow from the inputs); left out, with a comment, beyond 10**4000. Raises QueryError for
    an input too long to be read back.
    """
    pairs = [f"(X_{index} {_exact(index, value)})" for index, value in enumerate(inputs)]
    short = [_short(value) for value in outputs]
    remark = ""
    if any(text is None for text in short):
        remark = _REMARK
        rounded = [_rounded(value) for value in outputs]
        if None in rounded:
            remark, short, rounded = "; the outputs are left out: beyond 10**4000\n", [], []
        short = [rounded[i] if text is None else text for i, text in enumerate(short)]
    pairs += [f"(Y_{index} {text})" for index, text in enumerate(short)]
    return remark + "(" + "\n ".join(pairs) + ")\n"


def write_witness(
    inputs: Sequence[Fraction], outputs: Sequence[Fraction], path: str | Path
) -> None:
    """Write `format_witness` to a file; raises FileError when it cannot be written."""
    write_atomically(path, format_witness(inputs, outputs))


def _exact(index: int, value: Fraction) -> str:
    try:
        text = format_rational(value)
    except QueryError:
        text = ""
    if not 0 < len(text) <= 4000:
        raise QueryError(f"input {index} has more than 4,000 digits and cannot be written")
    return text


def _short(value: Fraction) -> str | None:
    """Exact text of at most 60 characters, None when there is none."""
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > _EXACT_BITS:
        return None
    text = format_rational(value)
    return text if len(text) <= _EXACT_WIDTH else None


def _rounded(value: Fraction) -> str | None:
    """17 significant digits; None when too large to be read back."""
    quotient = _ROUNDING.divide(Decimal(value.numerator), Decimal(value.denominator))
    if quotient.adjusted() > _MAX_EXPONENT - 20:
        return None
    return "0.0" if quotient.adjusted() < 20 - _MAX_EXPONENT else f"{quotient:e}"
