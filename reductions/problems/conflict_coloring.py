"""Colouring points so that no forbidden combination of colours occurs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

__all__ = ["Coloring", "Conflict", "conflict_free_coloring"]

Coloring: TypeAlias = tuple[int, ...]
"""The colour of every point, from 0."""

Conflict: TypeAlias = tuple[int, ...]
"""A set of points for every colour, as bits: not all of them can have these colours."""


def conflict_free_coloring(
    count: int, colors: int, conflicts: Sequence[Conflict]
) -> Coloring | None:
    """A colouring of the points 0..count-1 that contains no conflict, or None.

    The conflicts must be symmetric in the first two colours. For some dozens of points.

    >>> conflict_free_coloring(2, 2, [(0b11, 0), (0, 0b11)])
    (0, 1)
    """
    if not all(map(any, conflicts)):
        return None
    search = _Search(count, colors, conflicts)
    if not search.extend(frozenset(range(count))):
        return None
    return tuple(
        next(color for color, own in enumerate(search.classes) if own >> point & 1)
        for point in range(count)
    )


class _Search:
    """Backtracking; next comes the point with the fewest colours left."""

    def __init__(self, count: int, colors: int, conflicts: Sequence[Conflict]) -> None:
        self.classes = [0] * colors
        self.involving: list[list[list[Conflict]]] = [
            [[] for _ in range(colors)] for _ in range(count)
        ]
        for conflict in dict.fromkeys(conflicts):
            for color, mask in enumerate(conflict):
                for point in _bits(mask):
                    self.involving[point][color].append(conflict)

    def extend(self, rest: frozenset[int]) -> bool:
        """Colour the points in ``rest``, too; whether that is possible."""
        if not rest:
            return True
        options = {point: self.allowed(point) for point in sorted(rest)}
        point = min(options, key=lambda one: len(options[one]))
        for color in options[point]:
            if color == 1 and not self.classes[0] and not self.classes[1]:
                continue  # the mirror image of colour 0
            self.classes[color] |= 1 << point
            if self.extend(rest - {point}):
                return True
            self.classes[color] ^= 1 << point
        return False

    def allowed(self, point: int) -> list[int]:
        """The colours that complete no conflict with the points coloured so far."""
        return [
            color
            for color, conflicts in enumerate(self.involving[point])
            if not any(self._completes(point, color, conflict) for conflict in conflicts)
        ]

    def _completes(self, point: int, color: int, conflict: Conflict) -> bool:
        return all(
            mask & (own | (1 << point if other == color else 0)) == mask
            for other, (mask, own) in enumerate(zip(conflict, self.classes, strict=True))
        )


def _bits(mask: int) -> Iterator[int]:
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest
