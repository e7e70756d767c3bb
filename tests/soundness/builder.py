"""Building gallery cases: a question, its answer, and why that is the answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from importlib import import_module
from pathlib import Path

import numpy as np

from relucert.network import Layer, Network
from relucert.query import Box, Case, Polyhedron, Query

Number = int | float | str | Fraction


@dataclass(frozen=True, eq=False)
class GalleryCase:
    """A query whose answer is known: ``witness`` is a counterexample, None when it holds.

    why: the argument. small: whether all activation patterns can be enumerated in a moment, so
    that the test checks the argument by exact enumeration as well.
    """

    name: str
    network: Network
    query: Query
    witness: tuple[Fraction, ...] | None
    why: str
    small: bool = True


def rational(value: Number) -> Fraction:
    """Strings are decimals or quotients, floats the numbers they are."""
    return Fraction(value)


def dense(*layers: tuple[Sequence[Sequence[Number]], Sequence[Number]]) -> Network:
    """A plain network from (weight, bias) pairs; numbers become float64."""
    return Network.dense(
        [np.array([[float(w) for w in row] for row in weight]) for weight, _ in layers],
        [np.array([float(b) for b in bias]) for _, bias in layers],
    )


def affine(weight: Sequence[Sequence[Number]], bias: Sequence[Number]) -> Layer:
    """A layer without ReLUs."""
    return Layer(np.array(weight, dtype=float), np.array(bias), np.zeros(len(bias), dtype=bool))


def question(
    box: Sequence[tuple[Number, Number]],
    *parts: Sequence[tuple[Sequence[Number], Number]],
) -> Query:
    """A box of (lower, upper) pairs; each part is a list of rows ``coefficients @ y <= limit``."""
    ends = [tuple(map(rational, pair)) for pair in box]
    unsafe = tuple(
        Polyhedron(
            tuple(tuple(map(rational, row)) for row, _ in part),
            tuple(rational(limit) for _, limit in part),
        )
        for part in parts
    )
    return Query((Case(Box(tuple(a for a, _ in ends), tuple(b for _, b in ends)), unsafe),))


def at_least(limit: Number, row: Sequence[Number] = (1,)) -> list[tuple[list[Fraction], Fraction]]:
    """The part ``row @ y >= limit``."""
    return [([-rational(value) for value in row], -rational(limit))]


def at_most(limit: Number, row: Sequence[Number] = (1,)) -> list[tuple[list[Fraction], Fraction]]:
    """The part ``row @ y <= limit``."""
    return [([rational(value) for value in row], rational(limit))]


def point(*values: Number) -> tuple[Fraction, ...]:
    return tuple(rational(value) for value in values)


def whole_gallery() -> Iterator[GalleryCase]:
    """The cases of every module in ``gallery/``, by file name."""
    for path in sorted((Path(__file__).parent / "gallery").glob("[a-z]*.py")):
        yield from import_module(f"soundness.gallery.{path.stem}").cases()
