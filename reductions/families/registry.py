"""All families by name."""

from __future__ import annotations

from collections.abc import Mapping

from reductions.families.coloring import COLORING
from reductions.families.family import Family, Generated, Value
from reductions.families.parity import PARITY_CHAINS, TSEITIN
from reductions.families.pigeonhole import PIGEONHOLE
from reductions.families.planted import HIDDEN_KSAT, PLANTED_KSAT
from reductions.families.random_ksat import RANDOM_3SAT, RANDOM_KSAT
from reductions.families.threshold import THRESHOLD_KSAT
from relucert.errors import UsageError

__all__ = ["FAMILIES", "family_named", "generate"]

FAMILIES: tuple[Family, ...] = (
    RANDOM_3SAT,
    RANDOM_KSAT,
    PLANTED_KSAT,
    HIDDEN_KSAT,
    THRESHOLD_KSAT,
    TSEITIN,
    PARITY_CHAINS,
    PIGEONHOLE,
    COLORING,
)


def family_named(name: str) -> Family:
    """The family of that name; UsageError, listing the names, when there is none."""
    for family in FAMILIES:
        if family.name == name:
            return family
    names = ", ".join(family.name for family in FAMILIES)
    raise UsageError(f"there is no family {name!r}; there are {names}")


def generate(
    name: str, parameters: Mapping[str, Value] | None = None, seed: int | None = None
) -> Generated:
    """Make a formula of the named family; see `Family.generate`."""
    return family_named(name).generate(parameters, seed)
