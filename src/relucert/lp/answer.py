"""What a solver said, in words of our own: every status of every solver is mapped on purpose."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

__all__ = ["Answer", "Status"]


class Status(Enum):
    """How a solve ended. Only OPTIMAL and INFEASIBLE are claims about the model."""

    OPTIMAL = "optimal"
    INFEASIBLE = "infeasible"
    TIME = "time limit"
    MEMORY = "memory limit"
    STOPPED = "stopped by us"
    FAILED = "failed"


@dataclass(frozen=True, eq=False)
class Answer:
    """A solver's answer; everything in it is a hint.

    x: (variables,) best point, or None. bound: lower bound on the objective that the solver
    claims. duals: (rows,) of a linear programme (a Farkas ray when infeasible), or None.
    """

    status: Status
    x: np.ndarray | None = None
    objective: float = np.inf
    bound: float = -np.inf
    duals: np.ndarray | None = None
    nodes: int = 0
    detail: str = ""
