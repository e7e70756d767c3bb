"""Every activation pattern of a tiny network, each decided by exact rational arithmetic.

Inside one activation pattern the network is affine in its input. Patterns are built neuron by
neuron; a phase whose region is empty (an exact Farkas certificate says so) is not entered. At
the end of the last layer the unsafe polyhedra are asked for exactly. No float decides anything:
the oracle of the tests, and a teaching aid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import scipy.sparse as sp

from relucert.limits import Limits
from relucert.lp.exact import Infeasible, feasible_point
from relucert.network import Layer, Network
from relucert.query import Case, Query
from relucert.verdict import Method, Proved, Reason, Unknown, Verdict, confirm

__all__ = ["MAX_PATTERNS", "Enumeration", "enumerate_case"]

MAX_PATTERNS = 200_000
_ZERO = Fraction(0)


@dataclass(frozen=True)
class _Form:
    """An affine function of the input: ``slopes @ x + offset``."""

    slopes: tuple[Fraction, ...]
    offset: Fraction

    def ends(self, case: Case) -> tuple[Fraction, Fraction]:
        """Its exact smallest and largest value over the case's box."""
        low = high = self.offset
        for slope, a, b in zip(self.slopes, case.box.lower, case.box.upper, strict=True):
            if slope:
                low += slope * (a if slope > 0 else b)
                high += slope * (b if slope > 0 else a)
        return low, high


@dataclass(frozen=True)
class _Region:
    """A partial pattern: the forms after ``layer`` layers, and the half-spaces that hold.

    ``pre`` are the pre-activations of the layer in work, ``done`` how many are decided.
    Rows mean ``rows @ x <= limits``.
    """

    layer: int
    forms: tuple[_Form, ...]
    pre: tuple[_Form, ...] | None = None
    done: int = 0
    rows: tuple[tuple[Fraction, ...], ...] = ()
    limits: tuple[Fraction, ...] = ()


@dataclass(frozen=True)
class Enumeration:
    """A verdict and the number of activation regions that were visited."""

    verdict: Verdict
    regions: int


def enumerate_case(
    network: Network, query: Query, case: Case, limits: Limits, patterns: int = MAX_PATTERNS
) -> Enumeration:
    """Decide one case exactly; Unknown when time or the number of patterns runs out."""
    rows = [_exact_rows(layer) for layer in network.layers]
    size = case.box.size
    inputs = tuple(
        _Form(tuple(Fraction(int(i == j)) for j in range(size)), _ZERO) for i in range(size)
    )
    stack, steps, regions = [_Region(0, inputs)], 0, 0
    while stack:
        steps += 1
        if limits.out_of_time:
            return Enumeration(Unknown(Reason.TIME, f"{regions} regions done"), regions)
        if steps > patterns:
            return Enumeration(Unknown(Reason.SIZE, f"more than {patterns} patterns"), regions)
        region = stack.pop()
        if region.layer < len(network.layers):
            stack.extend(_advance(network.layers[region.layer], rows[region.layer], case, region))
            continue
        regions += 1
        verdict = _unsafe_point(network, query, case, region)
        if verdict is not None:
            return Enumeration(verdict, regions)
    return Enumeration(Proved(Method.ENUMERATION), regions)


_Row = tuple[tuple[tuple[int, Fraction], ...], Fraction]


def _exact_rows(layer: Layer) -> list[_Row]:
    """Sparse rows and biases of a layer as Fractions, divided by the divisor."""
    matrix = sp.csr_array(layer.weight)
    rows: list[_Row] = []
    for index in range(layer.output_size):
        divisor = Fraction(1 if layer.divisor is None else float(layer.divisor[index]))
        start, end = matrix.indptr[index], matrix.indptr[index + 1]
        terms = tuple(
            (int(column), Fraction(float(value)) / divisor)
            for column, value in zip(matrix.indices[start:end], matrix.data[start:end], strict=True)
            if value != 0
        )
        rows.append((terms, Fraction(float(layer.bias[index])) / divisor))
    return rows


def _image(row: _Row, forms: Sequence[_Form]) -> _Form:
    terms, offset = row
    slopes = [_ZERO] * (len(forms[0].slopes) if forms else 0)
    for column, weight in terms:
        form = forms[column]
        offset += weight * form.offset
        for index, slope in enumerate(form.slopes):
            if slope:
                slopes[index] += weight * slope
    return _Form(tuple(slopes), offset)


def _advance(layer: Layer, rows: list[_Row], case: Case, region: _Region) -> list[_Region]:
    """Decide neurons until one has to be split; returns the regions that follow."""
    pre = region.pre or tuple(_image(row, region.forms) for row in rows)
    settled = list(region.forms) if region.pre else []
    zero = _Form((_ZERO,) * case.box.size, _ZERO)
    for index in range(region.done, len(pre)):
        form = pre[index]
        if not layer.relu[index]:
            settled.append(form)
            continue
        low, high = form.ends(case)
        if low >= 0 or high <= 0:
            settled.append(form if low >= 0 else zero)
            continue
        return _split(case, region, pre, settled, index)
    return [_Region(region.layer + 1, tuple(settled), None, 0, region.rows, region.limits)]


def _split(
    case: Case, region: _Region, pre: tuple[_Form, ...], settled: list[_Form], index: int
) -> list[_Region]:
    form = pre[index]
    zero = _Form((_ZERO,) * case.box.size, _ZERO)
    children = []
    for active in (False, True):
        # active: form >= 0, that is -slopes @ x <= offset; inactive: slopes @ x <= -offset
        sign = -1 if active else 1
        rows = (*region.rows, tuple(sign * slope for slope in form.slopes))
        limits = (*region.limits, -sign * form.offset)
        found = feasible_point(case.box.lower, case.box.upper, rows, limits)
        if isinstance(found, Infeasible):
            continue
        children.append(
            _Region(
                region.layer,
                (*settled, form if active else zero),
                pre,
                index + 1,
                rows,
                limits,
            )
        )
    return children


def _unsafe_point(network: Network, query: Query, case: Case, region: _Region) -> Verdict | None:
    for polyhedron in case.unsafe:
        rows, limits = list(region.rows), list(region.limits)
        for coefficients, limit in zip(polyhedron.coefficients, polyhedron.limits, strict=True):
            terms = tuple((index, value) for index, value in enumerate(coefficients) if value)
            form = _image((terms, _ZERO), region.forms)
            rows.append(form.slopes)
            limits.append(limit - form.offset)
        found = feasible_point(case.box.lower, case.box.upper, rows, limits)
        if not isinstance(found, Infeasible):
            # Exact on both sides, so the evaluation must agree; it is made all the same.
            verdict = confirm(network, query, found)
            return verdict or Unknown(Reason.ENGINE, "region and evaluation disagree")
    return None
