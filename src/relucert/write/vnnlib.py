"""Queries as VNN-LIB 1.0, in the shapes that the competition's tools read."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

from relucert.errors import QueryError
from relucert.exact import format_rational
from relucert.query import Box, Case, Polyhedron, Query
from relucert.write.files import write_atomically

__all__ = ["format_vnnlib", "write_vnnlib"]


def write_vnnlib(
    query: Query,
    path: str | Path,
    comments: Iterable[str] = (),
    output_size: int | None = None,
) -> None:
    """Write `format_vnnlib`; compressed, always to the same bytes, when the name ends in .gz.

    Raises QueryError where VNN-LIB 1.0 cannot say the query, FileError when ``path`` cannot be
    written.
    """
    content = format_vnnlib(query, comments, output_size).encode("utf-8")
    if Path(path).suffix == ".gz":
        content = gzip.compress(content, mtime=0)
    write_atomically(path, content)


def format_vnnlib(
    query: Query, comments: Iterable[str] = (), output_size: int | None = None
) -> str:
    """The text: one case as plain asserts, several as one disjunction of conjunctions.

    Rows that always hold, polyhedra that nothing satisfies, and cases without any unsafe output
    are left out. ``output_size`` is needed only when no row of the query tells it. Raises
    QueryError when nothing is unsafe at all, for numbers without a finite decimal (the format
    has no other numbers), and when the sizes do not fit.
    """
    cases = [case for case in map(_simplified, query.cases) if case.unsafe]
    if not cases:
        raise QueryError(f"{query.name}: nothing is unsafe, which VNN-LIB cannot say")
    inputs = cases[0].box.size
    outputs = _output_size(query, output_size)
    query.fits(inputs, outputs)
    if inputs == 0 or outputs == 0:
        raise QueryError(f"{query.name}: VNN-LIB needs at least one input and one output")
    lines = [f"; {line}" for comment in comments for line in comment.splitlines()]
    lines += [f"(declare-const X_{index} Real)" for index in range(inputs)]
    lines += [f"(declare-const Y_{index} Real)" for index in range(outputs)]
    lines += _one_case(cases[0]) if len(cases) == 1 else _several_cases(cases)
    return "\n".join(lines) + "\n"


def _simplified(case: Case) -> Case:
    """Without constant rows; without polyhedra, or with the whole space only, where it is so."""
    parts = []
    for part in case.unsafe:
        rows = list(zip(part.coefficients, part.limits, strict=True))
        if all(any(row) or limit >= 0 for row, limit in rows):
            kept = [(row, limit) for row, limit in rows if any(row)]
            parts.append(Polyhedron(tuple(r for r, _ in kept), tuple(x for _, x in kept)))
    if any(not part.limits for part in parts):
        parts = [Polyhedron((), ())]
    return Case(case.box, tuple(parts))


def _output_size(query: Query, output_size: int | None) -> int:
    if output_size is not None:
        return output_size
    for case in query.cases:
        for part in case.unsafe:
            for row in part.coefficients:
                return len(row)
    raise QueryError(f"{query.name}: no row tells the number of outputs; give output_size")


def _one_case(case: Case) -> list[str]:
    lines = [f"(assert {bound})" for bound in _bounds(case.box)]
    if len(case.unsafe) == 1:
        return lines + [f"(assert {row})" for row in _rows(case.unsafe[0])]
    parts = [f"    (and {' '.join(_rows(part))})" for part in case.unsafe]
    return [*lines, "(assert (or", *parts, "))"]


def _several_cases(cases: Sequence[Case]) -> list[str]:
    lines = ["(assert (or"]
    for case in cases:
        bounds = " ".join(_bounds(case.box))
        lines += [f"    (and {' '.join([bounds, *_rows(part)])})" for part in case.unsafe]
    return [*lines, "))"]


def _bounds(box: Box) -> list[str]:
    bounds = []
    for index, (low, high) in enumerate(zip(box.lower, box.upper, strict=True)):
        bounds.append(f"(>= X_{index} {_decimal(low, f'the lower bound of X_{index}')})")
        bounds.append(f"(<= X_{index} {_decimal(high, f'the upper bound of X_{index}')})")
    return bounds


def _rows(part: Polyhedron) -> list[str]:
    return [_row(row, limit) for row, limit in zip(part.coefficients, part.limits, strict=True)]


def _row(row: Sequence[Fraction], limit: Fraction) -> str:
    """``row @ y <= limit``, in the shortest form that says it with the same coefficients."""
    terms = [(index, value) for index, value in enumerate(row) if value]
    if len(terms) == 1 and abs(terms[0][1]) == 1:
        ((index, value),) = terms
        comparison, end = ("<=", limit) if value > 0 else (">=", -limit)
        return f"({comparison} Y_{index} {_decimal(end, 'a limit')})"
    if limit == 0 and sorted(value for _, value in terms) == [-1, 1]:
        low, high = sorted(terms, key=lambda term: -term[1])
        return f"(<= Y_{low[0]} Y_{high[0]})"
    products = [f"(* {_decimal(value, 'a coefficient')} Y_{index})" for index, value in terms]
    total = products[0] if len(products) == 1 else f"(+ {' '.join(products)})"
    return f"(<= {total} {_decimal(limit, 'a limit')})"


def _decimal(value: Fraction, what: str) -> str:
    try:
        text = format_rational(value)
    except QueryError:
        text = ""
    if not 0 < len(text) <= 4000:
        raise QueryError(f"{what} has more than 4,000 digits, which no reader takes")
    if "/" in text:
        raise QueryError(f"{what} is {text[:60]}: no finite decimal, and VNN-LIB has no others")
    return text if "." in text else f"{text}.0"
