"""Tighter pre-activation bounds by linear programming, layer by layer.

For every unstable neuron the pre-activation is minimised and maximised over the triangle
relaxation of the layers before it; or, towards one unsafe set, over the whole network with that
set's rows added, which bounds the inputs and neurons of all counterexamples. Only the solver's
duals are used, re-evaluated with bounded rounding, so the bounds stay valid whatever it does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from relucert.bounds.backward import Relaxation, refine_from
from relucert.bounds.interval import Intervals
from relucert.bounds.unsafe import FloatRows
from relucert.errors import SolverError
from relucert.limits import Limits
from relucert.lp.answer import Status
from relucert.lp.highs import LpSolver
from relucert.lp.model import LinearModel
from relucert.lp.safe_dual import safe_lower_bound
from relucert.milp.encode import UnstableNeuron, encode_network
from relucert.milp.objective import add_unsafe_rows
from relucert.network import Network

__all__ = ["Narrowed", "narrow_towards", "tighten"]

_ROUNDS = 20
_WORTHWHILE = 0.9
_FEW_INPUTS = 64


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
        try:
            pre, improved = _tightened(chain, index, box, limits)
        except SolverError:
            break  # numbers too wide for a linear programme: the bounds stay as they are
        if improved:
            known = [relaxation.pre for relaxation in chain]
            known[index] = pre
            chain = refine_from(network, box, chain[:index], known)
    return chain


@dataclass(frozen=True, eq=False)
class Narrowed:
    """Where counterexamples of one unsafe set can lie: an input box and bounds on every layer."""

    box: Intervals
    chain: list[Relaxation]


def narrow_towards(
    network: Network, start: Narrowed, rows: FloatRows, limits: Limits
) -> Narrowed | None:
    """Shrink box and bounds to what can reach the unsafe set; None when nothing can (a proof).

    Rounds of linear programmes while they pay (a tenth of the total width gone) and time lasts.
    """
    now = start
    for _ in range(_ROUNDS):
        if limits.out_of_time or limits.out_of_memory:
            return now
        after = _narrowed_once(network, now, rows, limits)
        if after is None:
            return None
        if _width(after) > _WORTHWHILE * _width(now):
            return after
        now = after
    return now


def _width(narrowed: Narrowed) -> float:
    """Sum of the widths of unstable neurons: what big-M rows lose by."""
    return sum(float((r.pre.upper - r.pre.lower)[r.unstable].sum()) for r in narrowed.chain)


def _narrowed_once(
    network: Network, now: Narrowed, rows: FloatRows, limits: Limits
) -> Narrowed | None:
    encoding = encode_network(now.chain, now.box)
    add_unsafe_rows(encoding, rows)
    model = encoding.builder.build({})
    search = _Search(model, limits)
    if search.minimum({}) > 0:
        return None
    lower, upper = now.box.lower.copy(), now.box.upper.copy()
    for index in range(len(lower)) if len(lower) <= _FEW_INPUTS else ():
        if lower[index] < upper[index]:
            terms = {int(encoding.inputs.columns[index]): 1.0}
            low, high = search.range(terms, int(encoding.inputs.exponents[index]))
            lower[index], upper[index] = max(lower[index], low), min(upper[index], high)
    known = [(r.pre.lower.copy(), r.pre.upper.copy()) for r in now.chain]
    for neuron in encoding.neurons:
        low, high = search.range(*_pre_activation(neuron))
        ends = known[neuron.layer]
        ends[0][neuron.index] = max(ends[0][neuron.index], low)
        ends[1][neuron.index] = min(ends[1][neuron.index], high)
    bounds = [Intervals(low, high) for low, high in known]
    if search.empty or _crossed(lower, upper) or any(_crossed(*ends) for ends in known):
        return None
    box = Intervals(lower, upper)
    return Narrowed(box, refine_from(network, box, [], bounds))


def _crossed(lower: np.ndarray, upper: np.ndarray) -> bool:
    return bool((lower > upper).any())


def _any_unstable(chain: list[Relaxation]) -> bool:
    return any(relaxation.unstable.any() for relaxation in chain)


def _tightened(
    chain: list[Relaxation], index: int, box: Intervals, limits: Limits
) -> tuple[Intervals, bool]:
    encoding = encode_network(chain, box, upto=index + 1)
    search = _Search(encoding.builder.build({}), limits)
    lower, upper = chain[index].pre.lower.copy(), chain[index].pre.upper.copy()
    for neuron in encoding.neurons:
        if neuron.layer == index and not limits.out_of_time:
            low, high = search.range(*_pre_activation(neuron))
            # Valid bounds cannot cross here: the box is not empty, so some point obeys both.
            lower[neuron.index] = max(lower[neuron.index], low)
            upper[neuron.index] = min(upper[neuron.index], high)
    before = chain[index].pre
    improved = bool((lower > before.lower).any() or (upper < before.upper).any())
    return Intervals(lower, upper), improved


def _pre_activation(neuron: UnstableNeuron) -> tuple[dict[int, float], int]:
    """The neuron's pre-activation as terms over model variables, and a power of two."""
    scale = max(neuron.value_exponent, neuron.negative_exponent)
    terms = {
        neuron.value: float(np.ldexp(1.0, neuron.value_exponent - scale)),
        neuron.negative: -float(np.ldexp(1.0, neuron.negative_exponent - scale)),
    }
    return terms, scale


class _Search:
    """Valid minima of linear functions over one model's relaxation."""

    def __init__(self, model: LinearModel, limits: Limits) -> None:
        self._model, self._limits = model, limits
        self._solver, self._absolute_rows = LpSolver(model), abs(model.rows)
        self.empty = False

    def range(self, terms: dict[int, float], exponent: int) -> tuple[float, float]:
        """Valid bounds on ``2**exponent * terms``; infinite once the time is up."""
        low = self.minimum(terms)
        high = -self.minimum({column: -value for column, value in terms.items()})
        return float(np.ldexp(low, exponent)), float(np.ldexp(high, exponent))

    def minimum(self, terms: dict[int, float]) -> float:
        """A valid lower bound on the sum of terms; inf when the model is proved empty."""
        if self.empty:
            return np.inf
        if self._limits.out_of_time:
            return -np.inf
        cost = np.zeros(self._model.variable_count)
        for column, value in terms.items():
            cost[column] = value
        answer = self._solver.minimise(cost, self._limits)
        if answer.duals is None:
            return -np.inf
        if answer.status is Status.INFEASIBLE:
            cost = np.zeros(self._model.variable_count)
            bound = safe_lower_bound(self._model, cost, answer.duals, self._absolute_rows)
            self.empty = bound > 0
            return np.inf if self.empty else -np.inf
        return safe_lower_bound(self._model, cost, answer.duals, self._absolute_rows)
