"""Width 1: a half-space on either side of which the labels' balls lie. A linear programme.

``c + a relu(z)`` is positive on a half-space (or everywhere, or nowhere), so a network of width 1
memorizes exactly when a hyperplane strictly separates the balls of the two labels: polynomial
time, where width 2 is NP-hard.
"""

from __future__ import annotations

from fractions import Fraction

import scipy.sparse as sp

from relucert.limits import Limits
from relucert.memorization.decision.alone_lp import AloneLp
from relucert.memorization.decision.answers import Unknown, Yes
from relucert.memorization.decision.balls import Balls
from relucert.memorization.decision.conflicts import AloneConflict, alone_system
from relucert.memorization.decision.construct import GRIDS, half_space, half_space_network
from relucert.memorization.decision.networks import smallest_margin
from relucert.verdict import Reason

__all__ = ["separate_balls"]


def separate_balls(balls: Balls, limits: Limits) -> Yes | AloneConflict | Unknown:
    """A network of width 1, or rows whose balls no hyperplane separates, exactly.

    The conflict's indices are rows of the data, those of label +1 inside.
    Raises SolverError when the linear programme fails.
    """
    inside, outside = balls.of_label(1), balls.of_label(-1)
    coordinates = balls.coordinates
    programme = AloneLp(
        sp.csr_array(coordinates.matrix[list(inside)]),
        sp.csr_array(coordinates.matrix[list(outside)]),
        coordinates.of(balls.points[inside[0]]),
        2 * coordinates.radius,
    )
    everything = range(len(outside))
    blocked = programme.conflict(everything, (), 0, limits)
    if blocked is not None:
        kept = {inside[index]: value for index, value in blocked.inside.items()}
        out = {outside[index]: value for index, value in blocked.excluded.items()}
        conflict = _exact(balls, kept, out)
        if conflict is not None:
            return conflict
    weights = programme.widest(everything, limits)
    for bits in GRIDS if weights is not None else ():
        points = [balls.points[row] for row in outside]
        h = half_space(weights, bits, balls, inside, points) if weights is not None else None
        if h is not None:
            network = half_space_network(h, 1, balls.dimension)
            margin = smallest_margin(network, balls)
            if isinstance(margin, Fraction):
                return Yes(network, margin, "half-space")
    return Unknown(Reason.MARGIN, "the labels' balls touch to within rounding")


def _exact(
    balls: Balls, inside: dict[int, float], outside: dict[int, float]
) -> AloneConflict | None:
    system = alone_system(
        [(row, balls.points[row]) for row in inside],
        [(row, balls.points[row]) for row in outside],
        [],
        (),
        2 * balls.budget,
    )
    hint = {("inside", row): value for row, value in inside.items()}
    hint |= {("excluded", row): value for row, value in outside.items()}
    exact = system.exact_solution(hint)
    if exact is None:
        return None
    kinds = ("inside", "excluded")
    return AloneConflict(
        *({key[1]: v for key, v in exact.items() if key[0] == kind and v} for kind in kinds)
    )
