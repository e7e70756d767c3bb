"""Tighter pre-activation bounds by linear programming, layer by layer.

For every unstable neuron the pre-activation is minimised and maximised over the triangle
relaxation of the layers before it. Only the solver's duals are used, re-evaluated with bounded
rounding, so the bounds stay valid whatever the solver does.
"""

from __future__ import annotations

import numpy as np

from relucert.bounds.backward import Relaxation, refine_from
from relucert.bounds.interval import Intervals
from relucert.limits import Limits
from relucert.lp.highs import LpSolver
from relucert.lp.model import LinearModel
from relucert.lp.safe_dual import safe_lower_bound
from relucert.milp.encode import UnstableNeuron, encode_network
from relucert.network import Network

__all__ = ["tighten"]


def tighten(
    network: Network, box: Intervals, chain: list[Relaxation], limits: Limits
) -> list[Relaxation]:
    """The chain with tighter bounds, as many as ``limits`` allow; layers in order.

    Every layer after a tightened one is bounded anew by backward substitution.
    """
    for index in range(1, len(chain)):
        if limits.out_of_time or limits.out_of_memory:
            break
        if not chain[index].unstable.any() or not _any_unstable(chain[:index]):
            continue
        pre, improved = _tightened(chain, index, box, limits)
        if improved:
            known = [relaxation.pre for relaxation in chain]
            known[index] = pre
            chain = refine_from(network, box, chain[:index], known)
    return chain


def _any_unstable(chain: list[Relaxation]) -> bool:
    return any(relaxation.unstable.any() for relaxation in chain)


def _tightened(
    chain: list[Relaxation], index: int, box: Intervals, limits: Limits
) -> tuple[Intervals, bool]:
    encoding = encode_network(chain, box, upto=index + 1)
    model = encoding.builder.build({})
    solver, absolute_rows = LpSolver(model), abs(model.rows)
    lower, upper = chain[index].pre.lower.copy(), chain[index].pre.upper.copy()
    improved = False
    for neuron in encoding.neurons:
        if neuron.layer != index:
            continue
        for sign in (1.0, -1.0):
            if limits.out_of_time:
                return Intervals(lower, upper), improved
            bound = _bound(solver, model, absolute_rows, neuron, sign, limits)
            if sign > 0 and bound > lower[neuron.index]:
                lower[neuron.index], improved = min(bound, upper[neuron.index]), True
            if sign < 0 and -bound < upper[neuron.index]:
                upper[neuron.index], improved = max(-bound, lower[neuron.index]), True
    return Intervals(lower, upper), improved


def _bound(
    solver: LpSolver,
    model: LinearModel,
    absolute_rows: object,
    neuron: UnstableNeuron,
    sign: float,
    limits: Limits,
) -> float:
    """A valid lower bound on ``sign`` times the neuron's pre-activation."""
    scale = max(neuron.value_exponent, neuron.negative_exponent)
    cost = np.zeros(model.variable_count)
    cost[neuron.value] = sign * np.ldexp(1.0, neuron.value_exponent - scale)
    cost[neuron.negative] = -sign * np.ldexp(1.0, neuron.negative_exponent - scale)
    duals = solver.minimise(cost, limits).duals
    if duals is None:
        return -np.inf
    return float(np.ldexp(safe_lower_bound(model, cost, duals, absolute_rows), scale))
