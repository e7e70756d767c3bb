"""Looking for counterexamples in float64: evaluation, descent, and random points of a box.

Nothing here decides anything: a point that looks unsafe is a candidate for the exact check.
"""

from __future__ import annotations

import numpy as np

from relucert.search.star.compiling import compiled
from relucert.search.star.problem import Flat
from relucert.search.star.work import Work

__all__ = ["descend", "forward", "sample"]

_FACE_SHARE = 0.4


@compiled
def row_times(flat: Flat, value: np.ndarray, start: int, end: int) -> float:
    """Entries start..end-1 of the rows times the values; four sums, for they run in parallel."""
    weights, columns = flat.weights, flat.columns
    a = b = c = d = 0.0
    fours = start + (end - start) // 4 * 4
    for k in range(start, fours, 4):
        a += weights[k] * value[columns[k]]
        b += weights[k + 1] * value[columns[k + 1]]
        c += weights[k + 2] * value[columns[k + 2]]
        d += weights[k + 3] * value[columns[k + 3]]
    for k in range(fours, end):
        a += weights[k] * value[columns[k]]
    return (a + b) + (c + d)


@compiled
def forward(flat: Flat, work: Work, point: np.ndarray) -> float:
    """Evaluate at ``point`` (free inputs): the smallest over parts of the largest atom.

    At most zero means that the output looks unsafe. Post-activations go to ``work.value``.
    """
    value = work.value
    for p in range(flat.starts[1]):
        value[p] = flat.centre[p]
    for j in range(len(flat.free)):
        value[flat.free[j]] = point[j]
    for c in range(flat.starts[1], flat.starts[-1]):
        z = flat.bias[c] + row_times(flat, value, flat.indptr[c], flat.indptr[c + 1])
        value[c] = 0.0 if flat.relu[c] and z <= 0.0 else z
    return closest(flat, work)[0]


@compiled
def closest(flat: Flat, work: Work) -> tuple[float, int]:
    """Margin of the last point, and the coordinate of the atom that decides it."""
    margin, decisive = np.inf, flat.starts[-2]
    for part in range(len(flat.segments) - 1):
        worst, atom = -np.inf, flat.starts[-2]
        for a in range(flat.segments[part], flat.segments[part + 1]):
            c = flat.starts[-2] + a
            if work.value[c] > worst:
                worst, atom = work.value[c], c
        if worst < margin:
            margin, decisive = worst, atom
    return margin, decisive


@compiled
def backward(flat: Flat, work: Work, atom: int) -> None:
    """Gradient of an atom at the last point evaluated, by coordinate, in ``work.adjoint``."""
    adjoint = work.adjoint
    for c in range(atom + 1):
        adjoint[c] = 0.0
    adjoint[atom] = 1.0
    for c in range(atom, flat.starts[1] - 1, -1):
        g = adjoint[c]
        if g != 0.0 and not (flat.relu[c] and work.value[c] <= 0.0):
            for k in range(flat.indptr[c], flat.indptr[c + 1]):
                adjoint[flat.columns[k]] += g * flat.weights[k]


@compiled
def descend(
    flat: Flat, work: Work, point: np.ndarray, low: np.ndarray, high: np.ndarray, steps: int
) -> float:
    """Newton-like steps from ``point`` towards margin zero within [low, high], in place.

    Ends at the first point that looks unsafe or no longer gets closer; the margin there.
    """
    margin = forward(flat, work, point)
    for _ in range(steps):
        if margin <= 0.0:
            break
        backward(flat, work, closest(flat, work)[1])
        norm = 0.0
        for j in range(len(flat.free)):
            norm += (work.adjoint[flat.free[j]] * (high[j] - low[j])) ** 2
        if not norm > 1e-300:
            break
        for j in range(len(flat.free)):
            width = high[j] - low[j]
            moved = point[j] - 1.2 * margin / norm * work.adjoint[flat.free[j]] * width * width
            point[j] = min(high[j], max(low[j], moved))
        before, margin = margin, forward(flat, work, point)
        if not margin < before:
            break
    return margin


@compiled
def uniform(random: np.ndarray) -> float:
    """A number in [0, 1) from a 64-bit state (xorshift; Marsaglia 2003), advanced in place."""
    state = random[0]
    state ^= state << np.uint64(13)
    state ^= state >> np.uint64(7)
    state ^= state << np.uint64(17)
    random[0] = state
    return float(state >> np.uint64(11)) * 2.0**-53


@compiled
def sample(point: np.ndarray, low: np.ndarray, high: np.ndarray, random: np.ndarray) -> None:
    """A random point of the box, about 40 % of its coordinates on faces."""
    for j in range(len(point)):
        share = uniform(random)
        if uniform(random) < _FACE_SHARE:
            share = 0.0 if share < 0.5 else 1.0
        point[j] = min(high[j], max(low[j], low[j] + share * (high[j] - low[j])))
