"""Open divisions of branch and bound, in arrays that grow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["DivisionStore"]

_SPARE_SHARE = 16  # of a store that is full, kept free: growing copies all of it


class DivisionStore:
    """Open divisions by slot: what is needed to go on with them.

    most_bytes: more than these are taken only little by little.
    """

    def __init__(self, widths: dict[int, int]) -> None:
        self.widths = widths
        self.most_bytes = np.inf
        self.vacant: list[int] = []
        self._allocate(0)
        arrays = [self.question, self.name, self.depth, self.layer, self.neuron, self.bound]
        arrays += [self.start]
        arrays += [*self.signs.values(), *self.alpha.values(), *self.beta.values()]
        self.slot_bytes = sum(one.itemsize * int(np.prod(one.shape[1:])) for one in arrays)

    @property
    def full(self) -> bool:
        """Whether the open divisions fill the memory that they may take."""
        used = len(self.question) - len(self.vacant)
        return used * self.slot_bytes >= self.most_bytes

    def _allocate(self, size: int) -> None:
        old = getattr(self, "question", np.zeros(0, dtype=np.int64))

        def grown(values: np.ndarray | None, shape: tuple[int, ...], kind: type) -> np.ndarray:
            new: np.ndarray = np.zeros(shape, dtype=kind)
            if values is not None:
                new[: len(values)] = values
            return new

        def field_of(name: str, kind: type) -> np.ndarray:
            return grown(getattr(self, name, None), (size,), kind)

        def layers_of(name: str, kind: type) -> dict[int, np.ndarray]:
            known = getattr(self, name, {})
            return {i: grown(known.get(i), (size, w), kind) for i, w in self.widths.items()}

        self.question, self.depth = field_of("question", np.int64), field_of("depth", np.int64)
        self.name = field_of("name", np.int64)
        self.layer, self.neuron = field_of("layer", np.int64), field_of("neuron", np.int64)
        self.bound = field_of("bound", np.float64)
        self.start = grown(getattr(self, "start", None), (size, 2), np.float32)
        self.signs = layers_of("signs", np.int8)
        self.alpha, self.beta = layers_of("alpha", np.float32), layers_of("beta", np.float32)
        self.vacant += range(size - 1, len(old) - 1, -1)

    def take(self, count: int) -> np.ndarray:
        """Slots to be filled."""
        if len(self.vacant) < count:
            size, needed = len(self.question), len(self.question) - len(self.vacant) + count
            most = min(2 * size + count, self.most_bytes / self.slot_bytes)
            self._allocate(int(max(most, needed + size // _SPARE_SHARE)))
        return np.array([self.vacant.pop() for _ in range(count)], dtype=np.int64)

    def release(self, slots: Sequence[int]) -> None:
        """Give slots back."""
        self.vacant += slots

    def fill(
        self,
        slots: np.ndarray,
        keep: np.ndarray,
        question: np.ndarray,
        name: np.ndarray,
        bound: np.ndarray,
        depth: np.ndarray,
        layer: np.ndarray,
        neuron: np.ndarray,
        start: np.ndarray,
        signs: dict[int, np.ndarray],
        alpha: dict[int, np.ndarray],
        beta: dict[int, np.ndarray],
    ) -> None:
        """Write the kept rows into the slots; ``start``: of the new signs' multipliers, by half."""
        self.question[slots], self.bound[slots] = question[keep], bound[keep]
        self.name[slots] = name[keep]
        self.depth[slots], self.layer[slots] = depth[keep], layer[keep]
        self.neuron[slots], self.start[slots] = neuron[keep], start[keep]
        for mine, theirs in ((self.signs, signs), (self.alpha, alpha), (self.beta, beta)):
            for index, values in mine.items():
                values[slots] = theirs[index][keep]
