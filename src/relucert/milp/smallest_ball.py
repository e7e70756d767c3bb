"""The smallest l_inf ball around a point that reaches an unsafe set, as a MILP.

Minimise eps subject to ``|x_i - p_i| <= eps`` and the unsafe rows, over a ball that is known to
be large enough. The unsafe rows are loosened by what the solver's tolerance could hide, so the
minimum errs downward; the upper end comes from exactly checked points only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from relucert.bounds.backward import Relaxation
from relucert.bounds.interval import Intervals
from relucert.bounds.unsafe import float_rows
from relucert.limits import Limits
from relucert.lp.answer import Answer, Status
from relucert.lp.highs import solve_mip
from relucert.milp.encode import Encoding, encode_network, scaled_row
from relucert.milp.objective import add_unsafe_rows, solver_margin
from relucert.milp.pulp_model import solve_with_pulp
from relucert.query import Polyhedron

__all__ = ["Nearest", "nearest_unsafe"]

_RELATIVE_LOSS = 1e-6


@dataclass(frozen=True, eq=False)
class Nearest:
    """lower: no unsafe input lies closer (up to the solver's tolerance). x: float64 (inputs,)
    candidate, or None. finished: whether the solver closed its gap."""

    lower: float
    x: np.ndarray | None
    finished: bool


def nearest_unsafe(
    chain: list[Relaxation],
    box: Intervals,
    point: Intervals,
    part: Polyhedron,
    cutoff: float,
    limits: Limits,
    *,
    solver: str = "HiGHS",
    start: np.ndarray | None = None,
    progress: Callable[[float, float, int], None] | None = None,
) -> Nearest:
    """The smallest eps up to ``cutoff`` at which ``part`` is reached within the box.

    point: float enclosure of the centre, (inputs,). start: an unsafe input, (inputs,), as a warm
    start. A result of ``lower == cutoff`` means that nothing closer than the cutoff was found.
    """
    encoding = encode_network(chain, box)
    rows = float_rows(part)
    exponent = int(np.frexp(cutoff)[1])
    eps = encoding.builder.variable(0.0, float(np.ldexp(cutoff, -exponent)))
    _tie_inputs(encoding, point, eps, exponent)
    add_unsafe_rows(encoding, rows, solver_margin(chain, rows))
    model = encoding.builder.build({eps: 1.0})
    warm = None if start is None else _assignment(chain, encoding, start, point, eps, exponent)
    if solver.upper() == "HIGHS":
        answer = solve_mip(model, limits, start=warm, progress=progress)
    else:
        answer = solve_with_pulp(model, solver, limits, start=warm)
    x = None if answer.x is None else encoding.inputs.values(answer.x)
    return Nearest(_proven(answer, cutoff, exponent), x, _closed(answer))


def _closed(answer: Answer) -> bool:
    return answer.status in (Status.OPTIMAL, Status.INFEASIBLE)


def _proven(answer: Answer, cutoff: float, exponent: int) -> float:
    if answer.status is Status.INFEASIBLE:
        return cutoff
    if not np.isfinite(answer.bound):
        return 0.0
    bound = float(np.ldexp(answer.bound, exponent))
    return min(cutoff, max(0.0, bound - _RELATIVE_LOSS * cutoff))


def _tie_inputs(encoding: Encoding, point: Intervals, eps: int, exponent: int) -> None:
    """``-eps <= x_i - p_i <= eps`` for every input, the enclosure's outer ends used."""
    wires = encoding.inputs
    for column, power, low, high in zip(
        wires.columns, wires.exponents, point.lower, point.upper, strict=True
    ):
        columns = np.array([column, eps])
        powers = np.array([power, exponent])
        scaled_row(encoding.builder, columns, np.array([1.0, 1.0]), powers, float(low), np.inf)
        scaled_row(encoding.builder, columns, np.array([1.0, -1.0]), powers, -np.inf, float(high))


def _assignment(
    chain: list[Relaxation],
    encoding: Encoding,
    start: np.ndarray,
    point: Intervals,
    eps: int,
    exponent: int,
) -> np.ndarray:
    """Values of the known variables at an input: inputs, eps, and every unstable neuron."""
    x = np.zeros(len(encoding.builder.lower))
    wires = encoding.inputs
    x[wires.columns] = np.ldexp(start, -wires.exponents)
    reach = np.maximum(start - point.lower, point.upper - start).max()
    x[eps] = np.ldexp(reach, -exponent)
    values = start[None, :]
    pre = []
    for relaxation in chain:
        pre.append(relaxation.layer.affine(values)[0])
        values = relaxation.layer.evaluate(values)
    for neuron in encoding.neurons:
        z = float(pre[neuron.layer][neuron.index])
        x[neuron.value] = np.ldexp(max(z, 0.0), -neuron.value_exponent)
        x[neuron.negative] = np.ldexp(max(-z, 0.0), -neuron.negative_exponent)
        x[neuron.phase] = float(z > 0)
    for column, layer, index, power in encoding.stable:
        x[column] = np.ldexp(pre[layer][index], -power)
    return x
