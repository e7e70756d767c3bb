"""Lower slopes that a proof names for the bounds of single neurons, and that regions inherit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from relucert.proof.records import TuneRecord

__all__ = ["Tuned"]


@dataclass(frozen=True, eq=False)
class Tuned:
    """For bounds on neurons of one layer: slopes of the ReLUs of earlier layers.

    place: (2, neurons), in which row a neuron's lower and upper bound have their slopes, -1 for
    none. slopes: by earlier layer (rows, outputs), int16 in 1/256, -1 for the default.
    """

    place: np.ndarray
    slopes: Mapping[int, np.ndarray]

    @classmethod
    def adding(
        cls, old: Tuned | None, record: TuneRecord, width: int, widths: Sequence[int]
    ) -> Tuned:
        """With the slopes of a record for a layer of ``width`` after layers of ``widths``."""
        place = np.full((2, width), -1) if old is None else old.place.copy()
        count = 0 if old is None else len(old.slopes[0])
        slopes = {}
        for index, size in enumerate(widths):
            rows = np.full((len(record.targets), size), -1, dtype=np.int16)
            for row, (_, _, given) in enumerate(record.targets):
                for neuron, slope in given.get(index, {}).items():
                    rows[row, neuron] = slope
            slopes[index] = rows if old is None else np.concatenate([old.slopes[index], rows])
        for row, (neuron, side, _) in enumerate(record.targets):
            place[int(side < 0), neuron] = count + row
        return cls(place, slopes)

    @property
    def size(self) -> int:
        """Bytes."""
        return self.place.nbytes + sum(rows.nbytes for rows in self.slopes.values())

    def rows(self, index: int, neurons: np.ndarray, sides: np.ndarray) -> np.ndarray:
        """Slopes of layer ``index`` for bounds on ``sides * neurons``: (bounds, outputs)."""
        place = self.place[(sides < 0).astype(int), neurons]
        return np.where(place[:, None] >= 0, self.slopes[index][place], np.int16(-1))
