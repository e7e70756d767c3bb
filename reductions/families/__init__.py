"""Seeded generators of formulas, one file a family, and the registry that lists them.

>>> generate("pigeonhole", {"pigeons": 3, "holes": 2}).formula.variables
6
"""

from reductions.families.family import Family, Generated, Parameter, comments_of, planted_solution
from reductions.families.registry import FAMILIES, family_named, generate

__all__ = [
    "FAMILIES",
    "Family",
    "Generated",
    "Parameter",
    "comments_of",
    "family_named",
    "generate",
    "planted_solution",
]
