"""Conflicts: points that no network of a shape excludes in a given way, with exact multipliers.

A wedge is ``{h1 > 0, h2 > 0}``, a bevel ``{c > 0}`` with ``h1 = c - z1``, ``h2 = c - z2`` and
``h3 = c - z1 - z2`` positive. Atoms about a point q outside: ``c_j``: h_j(q) < 0 (half-space j
excludes q), and for bevels ``g_k``: z_k(q) >= z_k(p) for one fixed inside point p, the
reference. Every h_j exceeds 0 on the whole balls inside, ``h_j(x) > mu ||w_j||_1``.

A conflict is a conjunction of atoms that no such functions satisfy: multipliers >= 0, not all 0,
combine strict inequalities to one whose left-hand side is never positive.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TypeAlias

from relucert.memorization.decision.balls import SparsePoint
from relucert.memorization.decision.rational import LinearSystem

__all__ = [
    "AloneConflict",
    "Conflict",
    "Multipliers",
    "TiedConflict",
    "alone_system",
    "tied_system",
]

Multipliers: TypeAlias = Mapping[int, Fraction]
Column: TypeAlias = tuple[str, int]


@dataclass(frozen=True)
class AloneConflict:
    """One half-space cannot exclude the points of ``excluded`` while g holds for ``beyond``.

    inside: multipliers of balls inside, sum 1. excluded: of points with c_j, sum 1. beyond: of
    points with g_j. In every coordinate ``|sum inside x - sum excluded q + sum beyond (p - q)|``
    is at most mu: the hull of the balls inside meets the hull of what must be excluded. Without
    ``beyond`` it holds for every half-space of a shape, else for h1 and h2 of a bevel.
    """

    inside: Multipliers
    excluded: Multipliers
    beyond: Multipliers = field(default_factory=dict)


@dataclass(frozen=True)
class TiedConflict:
    """h1, h2, h3 of a bevel cannot exclude ``excluded[0]``, ``[1]``, ``[2]`` together.

    inside, excluded: multipliers for every half-space, of balls and of points; level: of c > 0.
    Holds as well with h1 and h2 exchanged.
    """

    inside: tuple[Multipliers, Multipliers, Multipliers]
    excluded: tuple[Multipliers, Multipliers, Multipliers]
    level: Fraction


Conflict: TypeAlias = AloneConflict | TiedConflict


def alone_system(
    inside: Sequence[tuple[int, SparsePoint]],
    excluded: Sequence[tuple[int, SparsePoint]],
    beyond: Sequence[tuple[int, SparsePoint]],
    reference: SparsePoint,
    radius: Fraction,
) -> LinearSystem:
    """The conditions on an `AloneConflict` with the given supports."""
    system = LinearSystem()
    rows: dict[int, dict[Column, Fraction]] = defaultdict(dict)
    for kind, sign, members in (("inside", 1, inside), ("excluded", -1, excluded)):
        system.equal({(kind, index): Fraction(1) for index, _ in members}, Fraction(1))
        for index, point in members:
            for coordinate, value in point:
                rows[coordinate][kind, index] = sign * value
    for index, point in beyond:
        for coordinate, value in _difference(reference, point).items():
            rows[coordinate]["beyond", index] = value
    for row in rows.values():
        system.absolute(row, {}, radius)
    return system


def tied_system(
    inside: Sequence[Sequence[tuple[int, SparsePoint]]],
    excluded: Sequence[Sequence[tuple[int, SparsePoint]]],
    radius: Fraction,
) -> LinearSystem:
    """The conditions on a `TiedConflict` with the given supports (three of each).

    With Y_j, L_j the sums of multipliers: ``Y1 + Y3 = L1 + L3``, ``Y2 + Y3 = L2 + L3``,
    ``Y1 + Y2 + Y3 + level = L1 + L2 + L3``; and in every coordinate, with a and b the factors of
    w1 and w2, ``|a| <= mu (Y1 + Y3)``, ``|b| <= mu (Y2 + Y3)``, ``|a - b| <= mu (Y1 + Y2)``: then
    and only then a = t1 + t3, b = t2 + t3 with |t_j| <= mu Y_j (intervals that meet pairwise).
    """
    system = LinearSystem()
    kept = [[(f"inside{j + 1}", i) for i, _ in inside[j]] for j in range(3)]
    out = [[(f"excluded{j + 1}", i) for i, _ in excluded[j]] for j in range(3)]
    level = ("level", 0)
    for own in (0, 1):
        balance = dict.fromkeys(kept[own] + kept[2], Fraction(-1))
        system.equal(balance | dict.fromkeys(out[own] + out[2], Fraction(1)), Fraction(0))
    every = dict.fromkeys([*kept[0], *kept[1], *kept[2], level], Fraction(1))
    all_out = out[0] + out[1] + out[2]
    system.equal(every | dict.fromkeys(all_out, Fraction(-1)), Fraction(0))
    system.equal(every | dict.fromkeys(all_out, Fraction(1)), Fraction(1))
    factors = [_factor(inside, excluded, own) for own in (0, 1)]
    for coordinate in sorted({*factors[0], *factors[1]}):
        a, b = (factor.get(coordinate, {}) for factor in factors)
        between = {key: a.get(key, Fraction(0)) - b.get(key, Fraction(0)) for key in {**a, **b}}
        for row, first, second in ((a, 0, 2), (b, 1, 2), (between, 0, 1)):
            system.absolute(row, dict.fromkeys(kept[first] + kept[second], radius), Fraction(0))
    return system


def _factor(
    inside: Sequence[Sequence[tuple[int, SparsePoint]]],
    excluded: Sequence[Sequence[tuple[int, SparsePoint]]],
    own: int,
) -> dict[int, dict[Column, Fraction]]:
    """By coordinate: how the multipliers make up the factor of w1 (own 0) or w2 (own 1)."""
    rows: dict[int, dict[Column, Fraction]] = defaultdict(dict)
    for j in (own, 2):
        for kind, sign, members in (("inside", -1, inside[j]), ("excluded", 1, excluded[j])):
            for index, point in members:
                for coordinate, value in point:
                    rows[coordinate][f"{kind}{j + 1}", index] = sign * value
    return rows


def _difference(first: SparsePoint, second: SparsePoint) -> dict[int, Fraction]:
    difference = dict(first)
    for index, value in second:
        difference[index] = difference.get(index, Fraction(0)) - value
    return {index: value for index, value in difference.items() if value}
