"""What to split: an input of the box, or a ReLU.

Halving input i is worth, to first order, what the bound moves with it: its own slope, and for
every unstable neuron q the loss ``|c_q| gap_q`` of its relaxation times the share of q's range
that i is responsible for (all in normalised inputs, so box widths are included):

    |A_i| + kappa * sum_q |c_q| gap_q |G_qi| / (u_q - l_q)

gap_q is the height of the chord, ``-u l / (u - l)``, for negative c_q and ``min(u, -l)`` else.
"""

from __future__ import annotations

import numpy as np

from relucert.search.star.compiling import compiled
from relucert.search.star.problem import Flat
from relucert.search.star.work import Work

__all__ = ["input_to_halve", "relu_to_split"]


@compiled
def relaxation_loss(work: Work, q: int) -> float:
    """What the relaxation of symbol q may cost the bound that branching is for."""
    c, low, high = work.branch_coefficients[q], work.low[q], work.high[q]
    gap = -low * high / (high - low) if c < 0.0 else min(high, -low)
    loss: float = abs(c) * gap
    return loss


@compiled
def input_to_halve(
    flat: Flat, work: Work, low: np.ndarray, high: np.ndarray, symbols: int, kappa: float
) -> int:  # fmt: skip
    """The free input whose halving promises most, or -1 when no input can be halved."""
    free = len(flat.free)
    score = work.score  # no memory of its own: machine code from disk has no allocator
    for j in range(free):
        score[j] = abs(work.branch_vec[j])
    for q in range(symbols):
        share = kappa * relaxation_loss(work, q) / (work.high[q] - work.low[q])
        for j in range(free):
            score[j] += share * abs(work.inputs[q, j])
    chosen, best = -1, -1.0
    for j in range(free):
        middle = 0.5 * low[j] + 0.5 * high[j]
        if low[j] < middle < high[j]:
            value = score[j] if score[j] >= 0.0 else 0.0
            # Among inputs without influence the widest, so that all of them shrink in the end.
            if value > best or (value == best and high[j] - low[j] > high[chosen] - low[chosen]):
                chosen, best = j, value
    return chosen


@compiled
def relu_to_split(work: Work, symbols: int) -> int:
    """The symbol whose relaxation costs the bound most, at the programme's minimiser if known."""
    chosen, best = 0, -1.0
    for q in range(symbols):
        loss = 1e-3 * relaxation_loss(work, q)
        loss += abs(work.branch_coefficients[q]) * work.branch_distance[q]
        if loss > best:
            chosen, best = q, loss
    return chosen
