"""How bounds on rows were found: the divisions of the box, and the multipliers of the last ones.

Written down where a proof is wanted, in the numbering of a compact chain; `RowTree` is in that of
the network.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from relucert.search.ascent import SLOPE_STEPS, Guess

__all__ = ["BoxLog", "Leaf", "QuestionLog", "RowTree"]


@dataclass(frozen=True, eq=False)
class Leaf:
    """Multipliers for one part of the box, by layer.

    slopes: neurons and their lower slopes in 1/128. betas: of ReLUs with a fixed sign.
    """

    slopes: dict[int, tuple[np.ndarray, np.ndarray]]
    betas: dict[int, dict[int, float]]


@dataclass(frozen=True, eq=False)
class RowTree:
    """Divisions by name: (layer, neuron, first half's name; the second's is one more); leaves."""

    root: int
    splits: dict[int, tuple[int, int, int]]
    leaves: dict[int, Leaf]

    def depth_first(self) -> Iterator[tuple[int, int] | Leaf]:
        """Each split (layer, neuron) followed by what is in its first half and in its second."""
        waiting = [self.root]
        while waiting:
            name = waiting.pop()
            split = self.splits.get(name)
            if split is None:
                yield self.leaves[name]
                continue
            yield split[0], split[1]
            waiting += [split[2] + 1, split[2]]


@dataclass(frozen=True, eq=False)
class _Rows:
    """Multipliers of some divisions, a row each: slopes in 1/128, betas."""

    slopes: dict[int, np.ndarray]
    betas: dict[int, np.ndarray]


class QuestionLog:
    """Of one `Questions`; ``neurons``: by layer of its chain, their numbers in the network."""

    def __init__(self, neurons: Sequence[np.ndarray]) -> None:
        self.neurons = neurons
        self.splits: dict[int, tuple[int, int, int]] = {}
        self.rows: list[_Rows] = []
        self.places: dict[int, tuple[int, int]] = {}

    def divided(
        self, names: np.ndarray, layers: np.ndarray, neurons: np.ndarray, first: np.ndarray
    ) -> None:
        """Divisions ``names`` were halved by signs of ReLUs (columns of the chain)."""
        for name, layer, neuron, half in zip(
            names.tolist(), layers.tolist(), neurons.tolist(), first.tolist(), strict=True
        ):
            self.splits[name] = layer, int(self.neurons[layer][neuron]), half

    def bounded(self, names: np.ndarray, best: Guess, chosen: np.ndarray) -> None:
        """The chosen divisions have these multipliers."""
        if not chosen.any():
            return
        slopes = {
            layer: np.round(values[chosen] * SLOPE_STEPS).astype(np.uint8)
            for layer, values in best.alpha.items()
        }
        betas = {layer: values[chosen] for layer, values in best.beta.items() if values.any()}
        for row, name in enumerate(names[chosen].tolist()):
            self.places[name] = len(self.rows), row
        self.rows.append(_Rows(slopes, betas))

    def tree(self, root: int) -> RowTree:
        """The tree of one question."""
        splits: dict[int, tuple[int, int, int]] = {}
        leaves: dict[int, Leaf] = {}
        waiting = [root]
        while waiting:
            name = waiting.pop()
            if name in self.splits:
                splits[name] = self.splits[name]
                waiting += [splits[name][2], splits[name][2] + 1]
            else:
                leaves[name] = self._leaf(*self.places[name])
        return RowTree(root, splits, leaves)

    def _leaf(self, block: int, row: int) -> Leaf:
        rows = self.rows[block]
        slopes = {
            layer: (self.neurons[layer][: values.shape[1]], values[row])
            for layer, values in rows.slopes.items()
        }
        betas: dict[int, dict[int, float]] = {}
        for layer, values in rows.betas.items():
            columns = np.flatnonzero(values[row] > 0)
            if len(columns):
                own = self.neurons[layer][columns].tolist()
                betas[layer] = dict(zip(own, values[row, columns].tolist(), strict=True))
        return Leaf(slopes, betas)


@dataclass(eq=False)
class BoxLog:
    """Pass one to `split_relus` to have it filled in.

    bounds: by (layer, neuron, side), 1 for the lower bound and -1 for the upper one, the tree of
    the best that was found. sets: by unsafe set that was refuted, the weights of its rows and the
    tree.
    Trees go by bounds that are no better than those that all of ``bounds`` give together.
    """

    bounds: dict[tuple[int, int, int], RowTree] = field(default_factory=dict)
    sets: dict[int, tuple[dict[int, float], RowTree]] = field(default_factory=dict)
