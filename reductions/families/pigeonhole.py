"""The pigeonhole principle: pigeons into holes, no hole twice."""

from __future__ import annotations

from itertools import combinations

from reductions.families.family import Family, Parameter, at_least
from reductions.problems.satisfiability import Satisfiability

__all__ = ["PIGEONHOLE", "pigeonhole"]


def pigeonhole(pigeons: int, holes: int) -> tuple[Satisfiability, tuple[bool, ...] | None]:
    """Variable ``(p - 1) * holes + h`` says that pigeon p sits in hole h; satisfiable iff p <= h.

    ``pigeons + holes * pigeons (pigeons - 1) / 2`` clauses. Resolution proofs of the
    unsatisfiable ones are exponentially long.
    """
    at_least(1, pigeons=pigeons)
    at_least(0, holes=holes)

    def sits(pigeon: int, hole: int) -> int:
        return pigeon * holes + hole + 1

    somewhere = [tuple(sits(p, h) for h in range(holes)) for p in range(pigeons)]
    alone = [
        (-sits(p, h), -sits(q, h)) for h in range(holes) for p, q in combinations(range(pigeons), 2)
    ]
    solution = None
    if pigeons <= holes:
        solution = tuple(p == h for p in range(pigeons) for h in range(holes))
    return Satisfiability(pigeons * holes, (*somewhere, *alone)), solution


PIGEONHOLE = Family(
    "pigeonhole",
    "pigeons into holes, unsatisfiable when there are more pigeons",
    "Haken 1985",
    (Parameter("pigeons", 6, "pigeons"), Parameter("holes", 5, "holes")),
    pigeonhole,
    seeded=False,
)
