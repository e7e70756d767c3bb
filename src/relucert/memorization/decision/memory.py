"""How much memory a decision will take, told before it is begun."""

from __future__ import annotations

import os

import numpy as np

from relucert.errors import QueryError
from relucert.limits import Limits
from relucert.read.points import LabelledPoints

__all__ = ["check_memory", "needed_bytes"]

_EXACT_ENTRY = 200
_SOLVER_ENTRY = 48
_MODEL_ENTRY = 250
_BRANCHING = 8
_GIB = 2.0**30


def needed_bytes(data: LabelledPoints, width: int, engine: str) -> int:
    """A rough upper estimate: dense floats, exact entries, and the engine's programmes.

    engine: "sat" (half a dozen programmes over the non-zero entries) or "milp" (a row for every
    point and neuron, held by the model builder and the solver's tree).
    """
    entries = int(np.count_nonzero(data.values)) + 4 * len(data)
    dense = 24 * len(data) * data.input_size
    if engine == "sat":
        return dense + entries * (_EXACT_ENTRY + 30 * _SOLVER_ENTRY)
    return dense + entries * (_EXACT_ENTRY + 3 * (width + 1) * _MODEL_ENTRY * _BRANCHING)


def check_memory(data: LabelledPoints, width: int, engine: str, limits: Limits) -> None:
    """Raise QueryError when the estimate is beyond what is allowed or what the machine has."""
    needed = needed_bytes(data, width, engine)
    allowed = min(limits.memory, _physical_bytes())
    if needed > allowed:
        raise QueryError(
            f"{data.name}: deciding {len(data)} points of {data.input_size} coordinates would "
            f"need about {needed / _GIB:.3g} GiB, {allowed / _GIB:.3g} GiB are allowed: decide "
            "fewer points, or raise --memory where the machine has more"
        )


def _physical_bytes() -> float:
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, OSError, ValueError):
        return float("inf")
