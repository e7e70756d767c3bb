"""An unsafe polyhedron as an objective: the smallest ``max_i (C_i y - d_i)`` over the box.

The box reaches the polyhedron exactly when that minimum is at most zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from relucert.bounds.backward import Relaxation
from relucert.bounds.rounding import SAFETY, UNDERFLOW, round_up
from relucert.bounds.unsafe import FloatRows
from relucert.lp.highs import MIP_TOLERANCE
from relucert.lp.model import LinearModel
from relucert.milp.encode import Encoding, Wires, scaled_row

__all__ = ["Objective", "add_objective", "add_unsafe_rows", "solver_margin"]


@dataclass(frozen=True, eq=False)
class Objective:
    """A finished model that minimises ``2**exponent * x[column]``, cut off at ``margin``.

    ``margin`` (in the objective's real units) is what the solver's tolerances could hide.
    """

    model: LinearModel
    column: int
    exponent: int
    margin: float

    def value(self, scaled: float) -> float:
        """The objective in real units."""
        return float(np.ldexp(scaled, self.exponent))


def add_objective(
    encoding: Encoding, rows: FloatRows, bounds: np.ndarray, reach: np.ndarray, margin: float
) -> Objective:
    """Add ``t >= C_i y - d_i`` for every row and minimise t, with ``t <= margin``.

    bounds: valid lower bounds on the rows. reach: valid upper bounds on their absolute values.
    """
    builder, wires = encoding.builder, encoding.outputs
    low = float(bounds.max())
    exponent = int(np.frexp(float(reach.max()))[1])
    # The lower end is widened a little: it only keeps the model bounded.
    column = builder.variable(
        float(np.ldexp(low, -exponent)) - 1e-9, float(np.ldexp(margin, -exponent))
    )
    for coefficients, error, limit in zip(rows.coefficients, rows.error, rows.limits, strict=True):
        used = np.flatnonzero((coefficients != 0) & (wires.columns >= 0))
        loose = _hidden(error, wires)
        scaled_row(
            builder,
            np.concatenate([[column], wires.columns[used]]),
            np.concatenate([[1.0], -coefficients[used]]),
            np.concatenate([[exponent], wires.exponents[used]]),
            -float(round_up(np.array(float(limit) + loose))) if loose else -float(limit),
            np.inf,
        )
    return Objective(builder.build({column: 1.0}), column, exponent, margin)


def add_unsafe_rows(encoding: Encoding, rows: FloatRows, slack: float = 0.0) -> None:
    """Restrict the model to outputs of the polyhedron, each row loosened by ``slack``."""
    wires = encoding.outputs
    for coefficients, error, limit in zip(rows.coefficients, rows.error, rows.limits, strict=True):
        used = np.flatnonzero((coefficients != 0) & (wires.columns >= 0))
        loose = _hidden(error, wires) + slack
        scaled_row(
            encoding.builder,
            wires.columns[used],
            coefficients[used],
            wires.exponents[used],
            -np.inf,
            float(round_up(np.array(float(limit) + loose))) if loose else float(limit),
        )


def _hidden(error: np.ndarray, wires: Wires) -> float:
    """At least what rounding a row's coefficients may hide, those rounded to zero included."""
    rounded = np.flatnonzero((error > 0) & (wires.columns >= 0))
    if not len(rounded):
        return 0.0
    reach = np.ldexp(1.0, wires.exponents[rounded])
    return float(error[rounded] @ reach) * SAFETY + UNDERFLOW * len(rounded)


@np.errstate(all="ignore")  # beyond the float range it is infinite or NaN: no trust at all
def solver_margin(chain: list[Relaxation], rows: FloatRows) -> float:
    """How far the objective may be off when every row and phase is off by the tolerance.

    First-order propagation through the network, independent errors added in squares, times ten.
    A heuristic measure of trust, not a proof: it decides when a MILP answer counts as Unknown.
    """
    errors = np.zeros(chain[0].layer.input_size)
    for relaxation in chain:
        layer = relaxation.layer
        divisor = 1.0 if layer.divisor is None else layer.divisor
        squares = layer.weight * layer.weight
        carried = np.sqrt(squares @ errors**2) / divisor
        size = np.sqrt(squares @ relaxation.inputs.magnitude**2 + layer.bias**2) / divisor
        local = MIP_TOLERANCE * np.maximum(size, relaxation.pre.magnitude)
        errors = carried + np.where(_copies(relaxation), 0.0, local)
        errors = np.where(relaxation.dead, 0.0, errors)
    final = np.sqrt((rows.coefficients**2) @ (errors**2)).max(initial=0.0)
    return float(10.0 * final)


def _copies(relaxation: Relaxation) -> np.ndarray:
    """Rows that merely carry a coordinate along."""
    layer = relaxation.layer
    weight = abs(layer.weight)
    sums = np.asarray(weight.sum(axis=1)).ravel()
    counts = np.asarray((weight != 0).sum(axis=1)).ravel()
    return np.asarray((counts == 1) & (sums == 1.0) & (layer.bias == 0) & ~layer.relu)
