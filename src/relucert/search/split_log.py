"""The tree of a finished search over few inputs, as its kernels wrote it down (`star.log`)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from relucert.search.star.pool import LOGGED, NUMBERS, Pool

__all__ = ["Refutation", "Split", "SplitLog"]


@dataclass(frozen=True)
class Split:
    """Of an input at ``value`` (layer -1), or of a ReLU; first: the first half's name."""

    layer: int
    index: int
    value: float
    first: int


@dataclass(frozen=True)
class Refutation:
    """Multipliers with which an unsafe set was refuted: by row, and by (layer, neuron)."""

    weights: dict[int, float]
    betas: dict[tuple[int, int], float]
    slopes: dict[tuple[int, int], float]


@dataclass(eq=False)
class SplitLog:
    """Pass one to a search to have it filled in. The root's name is 0.

    splits: by name. closed: by name, by unsafe set; empty where the log ran out of room. most:
    splits to keep. full: there were more, and none is kept.
    """

    splits: dict[int, Split] = field(default_factory=dict)
    closed: dict[int, dict[int, Refutation]] = field(default_factory=dict)
    most: int = 4_000_000
    full: bool = False

    def take(self, pool: Pool, starts: np.ndarray, free: np.ndarray) -> None:
        """Add what was written down in a pool; ``starts``, ``free``: of the flattened problem."""
        count, base = int(pool.counters[LOGGED]), int(pool.first_name[0])
        if self.full or len(self.splits) + count > self.most:
            self.full = True
            self.splits.clear()
            self.closed.clear()
            return
        columns = (pool.log_node[:count], pool.log_what[:count], pool.log_value[:count])
        layers = starts[1:-1].tolist()
        for place, (name, what, value) in enumerate(
            zip(*(c.tolist() for c in columns), strict=True)
        ):
            layer, index = (-1, int(free[what])) if what >= 0 else _neuron(layers, -1 - what)
            self.splits[name] = Split(layer, index, value, base + 2 * place + 1)
        numbers = pool.log_numbers[: int(pool.counters[NUMBERS])].tolist()
        at = 0
        while at < len(numbers):
            name, part = int(numbers[at]), int(numbers[at + 1])
            weights, at = _pairs(numbers, at + 2)
            betas, at = _pairs(numbers, at)
            slopes, at = _pairs(numbers, at)
            self.closed.setdefault(name, {})[part] = Refutation(
                weights,
                {_neuron(layers, c): value for c, value in betas.items()},
                {_neuron(layers, c): value for c, value in slopes.items()},
            )


def _pairs(numbers: Sequence[float], at: int) -> tuple[dict[int, float], int]:
    end = at + 1 + 2 * int(numbers[at])
    return {int(numbers[i]): numbers[i + 1] for i in range(at + 1, end, 2)}, end


def _neuron(layers: Sequence[int], coordinate: int) -> tuple[int, int]:
    layer = bisect_right(layers, coordinate) - 1
    return layer, coordinate - layers[layer]
