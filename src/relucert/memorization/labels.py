"""Which numbers a memorizing network gives for the labels of a data set."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from relucert.errors import QueryError
from relucert.query import Decision
from relucert.read.points import LabelledPoints

__all__ = ["LabelMap", "label_map", "label_map_in", "relabelled"]

_NOTE = "label map: "
_PAIR = re.compile(r"(-?\d+)->(-?\d+)")


@dataclass(frozen=True)
class LabelMap:
    """``targets[label]`` is the output that stands for ``label``; ``decision`` reads outputs.

    Nearest labels are 1..L, signs are -1 and +1 (docs/theory.md, section 1).
    """

    targets: Mapping[int, int]
    decision: Decision

    @property
    def is_identity(self) -> bool:
        """Whether every label stands for itself."""
        return all(label == target for label, target in self.targets.items())

    @property
    def note(self) -> str:
        """The map as a line for a network's notes; `label_map_in` reads it back."""
        pairs = ", ".join(f"{label}->{target}" for label, target in self.targets.items())
        return f"{_NOTE}{pairs}"

    def of(self, labels: np.ndarray) -> np.ndarray:
        """The targets of an array of labels, int64; raises QueryError for one not in the map."""
        unknown = sorted(set(labels.tolist()) - set(self.targets))
        if unknown:
            raise QueryError(f"label {unknown[0]} is not in the network's {self.note}")
        return np.array([self.targets[label] for label in labels.tolist()], dtype=np.int64)


def label_map(points: LabelledPoints, kind: str = "nearest") -> LabelMap:
    """Labels that are 1..L (or -1 and +1 for kind "sign") stay; others are numbered in order.

    Raises QueryError for kind "sign" when there are not exactly two labels.
    """
    labels = sorted(set(points.labels.tolist()))
    if kind == "sign":
        if len(labels) != 2:
            raise QueryError(
                f"{points.name} has {len(labels)} labels; this construction needs exactly two: "
                "use deep or wide"
            )
        return LabelMap(dict(zip(labels, (-1, 1), strict=True)), Decision("sign", 2))
    targets = range(1, len(labels) + 1)
    return LabelMap(dict(zip(labels, targets, strict=True)), Decision("nearest", len(labels)))


def relabelled(points: LabelledPoints, notes: Sequence[str]) -> tuple[LabelledPoints, str]:
    """The points with their labels as the label map in a network's notes has them.

    Also returns the note, "" where there is none and the points stay as they are. Raises
    QueryError for a label that the map does not name.
    """
    targets = label_map_in(notes)
    if targets is None:
        return points, ""
    labels = LabelMap(targets, Decision("nearest", max(1, *targets.values())))
    return replace(points, labels=labels.of(points.labels)), labels.note


def label_map_in(notes: Sequence[str]) -> dict[int, int] | None:
    """The label map among a network's notes, or None."""
    for note in notes:
        if note.startswith(_NOTE):
            pairs = _PAIR.findall(note)
            return {int(label): int(target) for label, target in pairs} or None
    return None
