"""Unsafe inputs near given points, many points at once; candidates only, nothing is claimed.

At an input x the margin m of an unsafe half-space and its gradient g say where the network, as
it is around x, would be unsafe: ``m + g (z - x) <= 0``. The z of that kind that is nearest to the
centre in l_inf is tried next (in the manner of DeepFool, Moosavi-Dezfooli et al. 2016, and FAB,
Croce & Hein 2020), from several starts for each half-space. Where the steps settle, x is the
nearest unsafe input of its linear region.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from relucert.network import Network
from relucert.search.attack import backward, forward
from relucert.search.margins import Margins

__all__ = ["Near", "nearest_candidates"]

_STEPS = 18
_STARTS, _STARTS_IF_FEW_INPUTS, _FEW_INPUTS = 3, 12, 16
_BEYOND = (1.0, 1.001, 1.05)
_HALVINGS = 26


@dataclass(frozen=True, eq=False)
class Near:
    """Points and what is wrong at them.

    centres: float64 (points, inputs). margins: for each point, of the outputs that are unsafe
    there (half-spaces). low, high: range of perturbed inputs. farthest: how far to look.
    """

    centres: np.ndarray
    margins: Sequence[Margins]
    low: float
    high: float
    farthest: float


def nearest_candidates(
    network: Network,
    near: Near,
    rng: np.random.Generator,
    starts: np.ndarray | None = None,
    steps: int = _STEPS,
) -> list[np.ndarray | None]:
    """For each point the nearest input found whose float outputs are unsafe, or None.

    starts: one more input for each point to begin from, (points, inputs).
    """
    count = _STARTS_IF_FEW_INPUTS if network.input_size <= _FEW_INPUTS else _STARTS
    rows = _Rows(network, near, count if starts is None else 1)
    if starts is not None:
        rows.x = starts[rows.owners]
    with np.errstate(all="ignore"):
        for step in range(steps):
            rows.advance(step, rng, spread=starts is None)
        rows.look()
    return rows.found()


class _Rows:
    """One row for each point, half-space and start."""

    def __init__(self, network: Network, near: Near, starts: int) -> None:
        self.network, self.near = network, near
        each = [(p, part, start) for p, margins in enumerate(near.margins)
                for part in range(margins.count) for start in range(starts)]  # fmt: skip
        table = np.array(each, dtype=np.int64).reshape(-1, 3)
        self.owners, self.parts, self.start = table.T
        self.centres = near.centres[self.owners]
        self.x = self.centres.copy()
        count = len(near.margins)
        self.best = np.full(count, np.inf)
        self.points = np.zeros_like(near.centres)

    def look(self) -> tuple[np.ndarray, np.ndarray]:
        """Margins (rows,) and gradients (rows, inputs) at x; unsafe points are kept."""
        outputs, active = forward(self.network.layers, self.x)
        margin = np.full(len(self.owners), np.inf)
        slope = np.zeros_like(outputs)
        unsafe = np.zeros(len(self.owners), dtype=bool)
        for mine, margins in self._kinds(self.owners):
            each = margins.each(outputs[mine])
            margin[mine] = each[np.arange(len(mine)), self.parts[mine]]
            unsafe[mine] = each.min(axis=1) <= 0
            slope[mine] = margins.gradient(outputs[mine], self.parts[mine])
        self._keep(unsafe)
        return margin, backward(self.network.layers, active, slope)

    def _kinds(self, owners: np.ndarray) -> list[tuple[np.ndarray, Margins]]:
        """The rows of points with the same unsafe outputs, kind by kind."""
        kinds = np.array([id(margins) for margins in self.near.margins], dtype=np.int64)[owners]
        groups = {id(margins): margins for margins in self.near.margins}
        found = [(np.flatnonzero(kinds == kind), margins) for kind, margins in groups.items()]
        return [(mine, margins) for mine, margins in found if len(mine)]

    def _keep(self, unsafe: np.ndarray) -> None:
        distance = np.abs(self.x - self.centres).max(axis=1, initial=0.0)
        distance[~unsafe | (distance > self.near.farthest)] = np.inf
        for row in np.flatnonzero(distance < self.best[self.owners]):
            owner = self.owners[row]
            if distance[row] < self.best[owner]:
                self.best[owner], self.points[owner] = distance[row], self.x[row]

    def advance(self, step: int, rng: np.random.Generator, spread: bool) -> None:
        """To the nearest input of each row's linearised half-space."""
        margin, gradient = self.look()
        z, reach = self._nearest(margin, gradient)
        beyond = _BEYOND[step % len(_BEYOND)]
        z = self.centres + beyond * (z - self.centres)
        if step % 6 == 4:  # rows that go to and fro between two regions settle in between
            z = 0.5 * (z + self.x)
        if spread and step == 0:
            noise = rng.uniform(-1.0, 1.0, z.shape) * (self.start * reach)[:, None]
            z += 0.7 * np.where(np.isfinite(noise), noise, 0.0)
        z = np.clip(z, self.near.low, self.near.high)
        self.x = np.where(np.isfinite(z), z, self.x)

    def _nearest(self, margin: np.ndarray, gradient: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """``centre - eps sign(g)``, clipped, with the smallest eps that the line allows."""
        way = np.sign(gradient)
        room = np.where(way > 0, self.centres - self.near.low, self.near.high - self.centres)
        weight = np.abs(gradient)
        # The margin that has to be made up from the centre, by sum_i |g_i| min(eps, room_i).
        needed = margin + np.einsum("ij,ij->i", gradient, self.centres - self.x)
        low = np.zeros(len(margin))
        total = weight.sum(axis=1)
        # Nothing further than what is known already is of use.
        high = np.minimum(self.near.farthest, self.best[self.owners])
        if np.isinf(self.near.low):
            high = np.minimum(np.maximum(needed, 0.0) / np.maximum(total, 1e-300), high)
        else:
            for _ in range(_HALVINGS):
                middle = 0.5 * (low + high)
                enough = np.einsum("ij,ij->i", weight, np.minimum(middle[:, None], room)) >= needed
                high = np.where(enough, middle, high)
                low = np.where(enough, low, middle)
        return self.centres - way * np.minimum(high[:, None], room), high

    def found(self) -> list[np.ndarray | None]:
        """The best points, drawn towards their centres as far as they stay unsafe."""
        known = np.flatnonzero(np.isfinite(self.best))
        far, centre = self.points[known], self.near.centres[known]
        low, high = np.zeros(len(known)), np.ones(len(known))
        for _ in range(_HALVINGS if len(known) else 0):
            middle = 0.5 * (low + high)
            outputs = self.network.evaluate(centre + middle[:, None] * (far - centre))
            unsafe = np.zeros(len(known), dtype=bool)
            for mine, margins in self._kinds(known):
                unsafe[mine] = margins.smallest(outputs[mine]) <= 0
            low, high = np.where(unsafe, low, middle), np.where(unsafe, middle, high)
        result: list[np.ndarray | None] = [None] * len(self.best)
        for place, point in zip(known, centre + high[:, None] * (far - centre), strict=True):
            result[place] = np.clip(point, self.near.low, self.near.high)
        return result
