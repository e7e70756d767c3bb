"""The one question: a box of inputs and an unsafe set of outputs.

A query is a list of cases; a case is a box and a union of polyhedra ``C y <= d`` over the
outputs. The query is violated when some input in some case's box has its output in one of that
case's polyhedra (VNN-LIB says "sat"), and holds otherwise. All numbers are exact rationals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np

from relucert.errors import QueryError
from relucert.exact import (
    dot,
    float_above,
    float_below,
    nearest_float,
    short_rational_between,
)

__all__ = ["Box", "Case", "Decision", "Polyhedron", "Query", "robustness_query"]

Rationals = tuple[Fraction, ...]


@dataclass(frozen=True)
class Box:
    """All x with ``lower <= x <= upper``, coordinate by coordinate; both (inputs,) rationals.

    Raises QueryError when the box is empty or the ends differ in length.
    """

    lower: Rationals
    upper: Rationals

    def __post_init__(self) -> None:
        object.__setattr__(self, "lower", tuple(Fraction(value) for value in self.lower))
        object.__setattr__(self, "upper", tuple(Fraction(value) for value in self.upper))
        if len(self.lower) != len(self.upper):
            raise QueryError(
                f"the box has {len(self.lower)} lower and {len(self.upper)} upper bounds"
            )
        for index, (low, high) in enumerate(zip(self.lower, self.upper, strict=True)):
            if low > high:
                raise QueryError(
                    f"the box is empty: input {index} lies between {nearest_float(low)!r} and "
                    f"{nearest_float(high)!r}"
                )

    @property
    def size(self) -> int:
        return len(self.lower)

    @cached_property
    def enclosing_floats(self) -> tuple[np.ndarray, np.ndarray]:
        """Float64 ends of a box that contains this one (rounded outward): each (inputs,)."""
        lower = np.array([float_below(value) for value in self.lower])
        upper = np.array([float_above(value) for value in self.upper])
        return lower, upper

    def contains(self, x: Sequence[Fraction]) -> bool:
        """Whether a rational point lies in the box, ends included."""
        return len(x) == self.size and all(
            low <= value <= high for low, value, high in zip(self.lower, x, self.upper, strict=True)
        )

    def nearest_rationals(self, x: np.ndarray) -> Rationals:
        """A rational point of the box close to the float64 point ``x`` (inputs,)."""
        return tuple(
            short_rational_between(float(value), low, high)
            for value, low, high in zip(x, self.lower, self.upper, strict=True)
        )


@dataclass(frozen=True)
class Polyhedron:
    """All y with ``coefficients @ y <= limits``: rows (rows, outputs) and (rows,) rationals.

    No rows at all means every output.
    """

    coefficients: tuple[Rationals, ...]
    limits: Rationals

    def __post_init__(self) -> None:
        if len(self.coefficients) != len(self.limits):
            raise QueryError(
                f"a polyhedron has {len(self.coefficients)} rows and {len(self.limits)} limits"
            )

    def contains(self, y: Sequence[Fraction]) -> bool:
        """Whether the rational output lies in the polyhedron, boundary included."""
        return all(
            dot(row, y) <= limit for row, limit in zip(self.coefficients, self.limits, strict=True)
        )


@dataclass(frozen=True)
class Case:
    """A box and the outputs that are unsafe on it: the union of ``unsafe``.

    An empty union means that nothing is unsafe.
    """

    box: Box
    unsafe: tuple[Polyhedron, ...]


@dataclass(frozen=True)
class Query:
    """The union of cases; ``name`` is for messages and reports."""

    cases: tuple[Case, ...]
    name: str = "query"

    def fits(self, input_size: int, output_size: int) -> None:
        """Raise QueryError unless the query is about this many inputs and outputs."""
        for case in self.cases:
            if case.box.size != input_size:
                raise QueryError(
                    f"{self.name}: the box has {case.box.size} inputs, the network {input_size}"
                )
            for polyhedron in case.unsafe:
                for row in polyhedron.coefficients:
                    if len(row) != output_size:
                        raise QueryError(
                            f"{self.name}: the property speaks of {len(row)} outputs, "
                            f"the network has {output_size}"
                        )

    def violated_by(self, x: Sequence[Fraction], y: Sequence[Fraction]) -> bool:
        """Whether the input ``x`` with exact output ``y`` is a counterexample."""
        return any(
            case.box.contains(x) and any(part.contains(y) for part in case.unsafe)
            for case in self.cases
        )


@dataclass(frozen=True)
class Decision:
    """How outputs become a label; ties are no classification and count as wrong.

    kind "argmax": several outputs, labels 0..outputs-1, the strictly largest output wins.
    kind "sign": one output, labels -1 and +1. kind "nearest": one output, labels 1..labels,
    the nearest label wins (YGZ24, section 3). Raises QueryError for other kinds.
    """

    kind: str
    labels: int

    def __post_init__(self) -> None:
        if self.kind not in ("argmax", "sign", "nearest"):
            raise QueryError(f"unknown decision {self.kind!r}: argmax, sign or nearest")
        if self.labels < 1:
            raise QueryError(f"a decision needs at least one label, not {self.labels}")

    def check(self, label: int) -> None:
        """Raise QueryError when ``label`` is not one of the labels."""
        allowed = {
            "argmax": range(self.labels),
            "sign": (-1, 1),
            "nearest": range(1, self.labels + 1),
        }[self.kind]
        if label not in allowed:
            names = "-1 or 1" if self.kind == "sign" else f"{allowed[0]} to {allowed[-1]}"
            raise QueryError(f"label {label} is out of range: this network's labels are {names}")

    def wrong_outputs(self, label: int) -> tuple[Polyhedron, ...]:
        """The outputs that are not classified ``label``, as a union of half-spaces."""
        self.check(label)
        if self.kind == "argmax":
            return tuple(
                Polyhedron((_difference(label, other, self.labels),), (Fraction(0),))
                for other in range(self.labels)
                if other != label
            )
        if self.kind == "sign":
            return (Polyhedron(((Fraction(label),),), (Fraction(0),)),)
        half = Fraction(1, 2)
        parts = []
        if label > 1:
            parts.append(Polyhedron(((Fraction(1),),), (label - half,)))
        if label < self.labels:
            parts.append(Polyhedron(((Fraction(-1),),), (-label - half,)))
        return tuple(parts)


def _difference(plus: int, minus: int, size: int) -> Rationals:
    row = [Fraction(0)] * size
    row[plus], row[minus] = Fraction(1), Fraction(-1)
    return tuple(row)


def robustness_query(
    point: Sequence[Fraction],
    label: int,
    decision: Decision,
    *,
    radius: Fraction,
    clip: tuple[Fraction, Fraction] | None = None,
    name: str = "point",
) -> Query:
    """Is ``label`` the strict winner on the whole closed l_inf ball around ``point``?

    ``clip`` intersects the ball with [low, high] in every coordinate (pixel range). Raises
    QueryError for a negative radius, a label out of range, or a ball outside the clip range.
    """
    if radius < 0:
        raise QueryError(f"{name}: the radius {nearest_float(radius)!r} is negative")
    lower = [value - radius for value in point]
    upper = [value + radius for value in point]
    if clip is not None:
        low, high = clip
        if low > high:
            raise QueryError(
                f"the clip range is empty: {nearest_float(low)!r} to {nearest_float(high)!r}"
            )
        for index, value in enumerate(point):
            if not low <= value <= high:
                raise QueryError(
                    f"{name}: input {index} is {nearest_float(value)!r}, outside the clip range "
                    f"{nearest_float(low)!r} to {nearest_float(high)!r}"
                )
        lower = [max(value, low) for value in lower]
        upper = [min(value, high) for value in upper]
    box = Box(tuple(lower), tuple(upper))
    return Query((Case(box, decision.wrong_outputs(label)),), name)
