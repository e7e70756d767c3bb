"""How the kernels search, and the codes with which they hand over to Python."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["BUDGET", "DONE", "FULL", "HIT", "KEPT_EVERY", "STUCK", "Tuning"]

DONE, BUDGET, FULL, HIT, STUCK = range(5)
"""No node is open; enough nodes; no room; a candidate point; a node without unstable neurons
that bounds do not refute, for exact arithmetic."""

KEPT_EVERY = 4
"""Nodes hand down their bounds at depths that are multiples of this; proofs derive them there."""


class Tuning(NamedTuple):
    """How the search is done; none of it matters to what is true.

    ascent: steps of dual ascent. linear: a linear programme up to this many unstable neurons.
    relus: split ReLUs instead of inputs up to this many. dive: of so many nodes one is that with
    the lowest bound, the others the newest. sampling: after each so many nodes random points are
    tried. descents: steps from a candidate point. gaps: in choosing the input to halve, the
    weight of what unstable neurons lose, beside the bound's own slope (kappa in `branching`).
    """

    ascent: int = 6
    linear: int = 30
    relus: int = 14
    dive: int = 8
    sampling: int = 8
    descents: int = 2
    gaps: float = 1.0
