"""Refute networks whose first hidden layer is narrower than their input, exactly.

The data D_n = {(0, 1)} and {(e_j, 2) : j = 1..n} has separation bound 1. When W v = 0 for the
first weight matrix W and some v != 0, scaled so that v_j = max |v| = 1, the points

    x  = mu e_j - (t / 2) sum_{k != j} v_k e_k          in the ball around 0,
    x' = (1 - mu) e_j + (t / 2) sum_{k != j} v_k e_k    in the ball around e_j

with t = 1 - 2 mu differ by t v, for every mu in [1/4, 1/2): the network gives both the same
output, so under any reading of outputs as labels it is wrong on one of two balls whose labels
differ (YGZ24; docs/theory.md, section 6.3).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import lcm

import numpy as np
import scipy.sparse as sp

from relucert.errors import QueryError, RelucertError, UsageError
from relucert.exact import format_rational
from relucert.network import Network

__all__ = ["IndistinguishablePair", "refute"]

_MAX_FULL_SIZE = 64

Rationals = tuple[Fraction, ...]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class IndistinguishablePair:
    """``first`` in the ball around 0 (label 1) and ``second`` in the one around e_j (label 2).

    ``coordinate`` is j, from 0; ``direction`` the null vector with largest entry 1 at j;
    ``output`` the exact output at both points.
    """

    budget: Fraction
    coordinate: int
    direction: Rationals
    first: Rationals
    second: Rationals
    output: Rationals


def refute(
    network: Network, budget: Fraction, progress: Progress | None = None
) -> IndistinguishablePair | None:
    """Two points of D_n's balls that ``network`` cannot tell apart, checked exactly.

    None when the first hidden layer loses nothing: its matrix has rank n, and the theorem does
    not apply. budget: mu in [1/4, 1/2). progress: called with (columns eliminated, columns).
    Raises QueryError for other budgets, UsageError when the layer is as wide as the input and
    the input too large (over 64 values) to look for a null vector all the same.
    """
    if not Fraction(1, 4) <= budget < Fraction(1, 2):
        raise QueryError(
            f"the budget must be at least 1/4 and below 1/2, not {format_rational(budget)}"
        )
    size = network.input_size
    width = _first_width(network)
    if width >= size > _MAX_FULL_SIZE:
        raise UsageError(
            f"{network.name}: the first hidden layer has {width} neurons for {size} inputs; "
            "only a narrower one is refuted"
        )
    direction = _null_vector(_first_hidden_rows(network), size, progress)
    if direction is None:
        return None
    return _checked(network, budget, direction)


def _first_width(network: Network) -> int:
    """The narrowest of the layers up to the first with a ReLU."""
    sizes = []
    for layer in network.layers:
        sizes.append(layer.output_size)
        if layer.relu.any():
            break
    return min(sizes)


def _first_hidden_rows(network: Network) -> list[dict[int, Fraction]]:
    """The sparse rows, over the inputs, of the affine map before the first ReLU.

    Affine layers before it (a normalisation, say) are multiplied in exactly. Only directions
    matter for a null vector, so biases and divisors of the last map are left out.
    """
    rows: list[dict[int, Fraction]] = [{k: Fraction(1)} for k in range(network.input_size)]
    for layer in network.layers:
        matrix, composed = sp.csr_array(layer.weight), []
        for index in range(layer.output_size):
            divisor = Fraction(1 if layer.divisor is None else float(layer.divisor[index]))
            row: dict[int, Fraction] = {}
            for place in range(matrix.indptr[index], matrix.indptr[index + 1]):
                weight = Fraction(float(matrix.data[place])) / divisor
                for column, value in rows[int(matrix.indices[place])].items():
                    row[column] = row.get(column, Fraction(0)) + weight * value
            composed.append({column: value for column, value in row.items() if value})
        rows = composed
        if layer.relu.any():
            break
    return rows


def _null_vector(
    rows: list[dict[int, Fraction]], size: int, progress: Progress | None
) -> Rationals | None:
    """A vector v != 0 with ``rows @ v = 0``, or None: fraction-free elimination of columns.

    Columns are taken one after another, those with few entries first, until one depends on the
    columns before it, which happens after rank + 1 of them.
    """
    columns = _integer_columns(rows, size)
    order = sorted(range(size), key=lambda k: (np.count_nonzero(columns[k]), k))
    height = len(rows)
    most = min(size, height + 1)  # so many columns must be dependent
    basis: list[tuple[int, np.ndarray]] = []
    for done, k in enumerate(order[:most]):
        # Below the column stands the combination of columns that it has become.
        column = np.zeros(height + most, dtype=object)
        column[:height] = columns[k]
        column[height + done] = 1
        divisor = 1
        for pivot, known in basis:
            # Bareiss: entries are minors of the matrix, so the division leaves no remainder.
            column = (known[pivot] * column - column[pivot] * known) // divisor
            divisor = known[pivot]
        places = np.flatnonzero(column[:height] != 0)
        if not len(places):
            vector = [Fraction(0)] * size
            for place, value in zip(order, column[height:], strict=False):
                vector[place] = Fraction(int(value))
            return tuple(vector)
        basis.append((int(places[0]), column))
        if progress is not None:
            progress(done + 1, most)
    return None


def _integer_columns(rows: list[dict[int, Fraction]], size: int) -> list[np.ndarray]:
    """The columns, each row multiplied by its common denominator."""
    matrix = np.zeros((size, len(rows)), dtype=object)
    for index, row in enumerate(rows):
        scale = lcm(*(value.denominator for value in row.values()))
        for column, value in row.items():
            matrix[column, index] = int(value * scale)
    return list(matrix)


def _checked(network: Network, budget: Fraction, direction: Rationals) -> IndistinguishablePair:
    """The pair of the theorem; every claim about it is evaluated again, exactly."""
    j = max(range(len(direction)), key=lambda k: abs(direction[k]))
    direction = tuple(value / direction[j] for value in direction)
    half = (1 - 2 * budget) / 2
    first = tuple(budget if k == j else -half * v for k, v in enumerate(direction))
    second = tuple(1 - budget if k == j else half * v for k, v in enumerate(direction))
    inside = all(abs(a) <= budget for a in first) and all(
        abs(b - (k == j)) <= budget for k, b in enumerate(second)
    )
    output = network.evaluate_exactly(first)
    if not inside or output != network.evaluate_exactly(second):
        raise RelucertError("the pair of points failed its exact check: please report")
    return IndistinguishablePair(budget, j, direction, first, second, output)
