"""Network verification: is there an input in a box whose output is unsafe?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations, product
from math import comb
from typing import ClassVar, TypeAlias

import numpy as np

from reductions.errors import EnumerationError
from reductions.problems.depth_two import Affine, exact_rows
from reductions.problems.problem import Problem
from relucert.errors import InputError
from relucert.exact import format_rational
from relucert.network import Network
from relucert.query import Box, Query
from relucert.verdict import confirm

__all__ = ["NetworkVerification", "Point"]

Point: TypeAlias = tuple[Fraction, ...]

_MAX_CANDIDATES = 50_000


@dataclass(frozen=True, eq=False)
class NetworkVerification(Problem[Point]):
    """Is there an input in the query's boxes with an unsafe output (a counterexample)?

    network, query: relucert's. Solution: an input point of rationals, re-evaluated exactly.
    "Yes" is what VNN-LIB calls sat. Raises QueryError when the query does not fit the network.
    """

    network: Network
    query: Query
    name: ClassVar[str] = "network-verification"

    def __post_init__(self) -> None:
        self.query.fits(self.network.input_size, self.network.output_size)

    def size(self) -> dict[str, int]:
        """inputs, outputs, relus and weights (those that are not 0, without biases)."""
        weights = (layer.weight for layer in self.network.layers)
        return {
            "inputs": self.network.input_size,
            "outputs": self.network.output_size,
            "relus": self.network.relu_count,
            "weights": sum(
                int(np.count_nonzero(w if isinstance(w, np.ndarray) else w.data)) for w in weights
            ),
        }

    def check(self, solution: Sequence[Fraction]) -> bool:
        self._fits(solution)
        return confirm(self.network, self.query, solution) is not None

    def why_not(self, solution: Sequence[Fraction]) -> str | None:
        self._fits(solution)
        point = tuple(map(Fraction, solution))
        outputs = self.network.evaluate_exactly(point)
        if self.query.violated_by(point, outputs):
            return None
        if not any(case.box.contains(point) for case in self.query.cases):
            return f"the point lies outside the box{_first_outside(point, self.query)}"
        shown = ", ".join(format_rational(value) for value in outputs[:5])
        return f"the output at the point is not unsafe: {shown}"

    def _fits(self, point: Sequence[Fraction]) -> None:
        if len(point) != self.network.input_size:
            raise InputError(
                f"the point has {len(point)} values, the network takes {self.network.input_size}"
            )

    def solve_by_enumeration(self) -> Point | None:
        """A counterexample, or None, exactly; for one hidden layer and unsafe half-spaces.

        The largest value of a linear function of the outputs over the box is attained at a
        vertex of the arrangement of the box's facets and the neurons' kinks: all are tried.
        Raises EnumerationError for deeper networks, other properties, and too many vertices.
        """
        layers = self.network.layers
        if len(layers) != 2 or layers[1].relu.any():
            raise EnumerationError("only networks with one hidden layer can be enumerated")
        if any(len(part.limits) != 1 for case in self.query.cases for part in case.unsafe):
            raise EnumerationError("only unsafe half-spaces of outputs can be enumerated")
        neurons = [
            row for row, relu in zip(exact_rows(layers[0]), layers[0].relu, strict=True) if relu
        ]
        for case in self.query.cases:
            for point in _vertices(case.box, neurons):
                if self.check(point):
                    return point
        return None

    @property
    def text(self) -> str:
        """The sizes, and every case's box and unsafe sets, one bound a line."""
        lines = [" ".join(f"{key} {value}" for key, value in self.size().items())]
        for case in self.query.cases:
            lines.extend(
                f"X_{index} in [{format_rational(low)}, {format_rational(high)}]"
                for index, (low, high) in enumerate(
                    zip(case.box.lower, case.box.upper, strict=True)
                )
            )
            for part in case.unsafe:
                rows = zip(part.coefficients, part.limits, strict=True)
                lines.append("unsafe: " + " and ".join(_inequality(*row) for row in rows))
        return "\n".join(lines) + "\n"


def _first_outside(point: Point, query: Query) -> str:
    if len(query.cases) != 1:
        return "es"
    box = query.cases[0].box
    for index, (low, value, high) in enumerate(zip(box.lower, point, box.upper, strict=True)):
        if not low <= value <= high:
            return (
                f": input {index} is {format_rational(value)}, allowed is "
                f"{format_rational(low)} to {format_rational(high)}"
            )
    return ""


def _inequality(coefficients: Sequence[Fraction], limit: Fraction) -> str:
    terms = (f"{format_rational(c)} Y_{j}" for j, c in enumerate(coefficients) if c)
    return f"{' + '.join(terms) or '0'} <= {format_rational(limit)}"


def _vertices(box: Box, neurons: Sequence[Affine]) -> Iterator[Point]:
    """Every vertex of the arrangement in the box: some inputs at an end, the rest at kinks."""
    size = box.size
    total = sum(comb(size, k) * 2 ** (size - k) * comb(len(neurons), k) for k in range(size + 1))
    if total > _MAX_CANDIDATES:
        raise EnumerationError(f"{total} candidate points are too many to enumerate")
    for free_count in range(size + 1):
        for free in combinations(range(size), free_count):
            fixed = [index for index in range(size) if index not in free]
            for ends in product((False, True), repeat=len(fixed)):
                values = {
                    i: box.upper[i] if end else box.lower[i]
                    for i, end in zip(fixed, ends, strict=True)
                }
                for kinks in combinations(neurons, free_count):
                    point = _intersection(values, free, kinks)
                    if point is not None and box.contains(point):
                        yield point


def _intersection(
    fixed: dict[int, Fraction], free: Sequence[int], kinks: Sequence[Affine]
) -> Point | None:
    """The point with the fixed coordinates where all kinks vanish, if there is exactly one."""
    rows = []
    for kink in kinks:
        known = sum((w * fixed[i] for i, w in kink.weights.items() if i in fixed), kink.bias)
        rows.append([*(kink.weights.get(i, Fraction(0)) for i in free), -known])
    count = len(free)
    for column in range(count):
        pivot = next((r for r in range(column, count) if rows[r][column]), None)
        if pivot is None:
            return None
        rows[column], rows[pivot] = rows[pivot], rows[column]
        lead = rows[column][column]
        rows[column] = [value / lead for value in rows[column]]
        for r in range(count):
            factor = rows[r][column]
            if r != column and factor:
                rows[r] = [a - factor * b for a, b in zip(rows[r], rows[column], strict=True)]
    values = {**fixed, **{i: rows[position][-1] for position, i in enumerate(free)}}
    return tuple(values[i] for i in range(len(values)))
