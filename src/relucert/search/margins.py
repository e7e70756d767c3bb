"""How far outputs are from unsafe, in float64: a guide for searches, never a verdict."""

from __future__ import annotations

import numpy as np

from relucert.exact import nearest_float
from relucert.query import Polyhedron

__all__ = ["Margins"]


class Margins:
    """``max_i (C_i y - d_i)`` for each polyhedron of a union; at most zero means inside it."""

    def __init__(self, unsafe: tuple[Polyhedron, ...]) -> None:
        self.count = len(unsafe)
        self._parts = [
            (
                np.array([[nearest_float(v) for v in row] for row in part.coefficients]),
                np.array([nearest_float(v) for v in part.limits]),
            )
            for part in unsafe
        ]

    def each(self, outputs: np.ndarray) -> np.ndarray:
        """(points, outputs) -> (points, polyhedra)."""
        columns = [self._violation(part, outputs).max(axis=1) for part in self._parts]
        return np.stack(columns, axis=1) if columns else np.full((len(outputs), 0), np.inf)

    def smallest(self, outputs: np.ndarray) -> np.ndarray:
        """The distance to the union: (points, outputs) -> (points,)."""
        return np.asarray(self.each(outputs).min(axis=1, initial=np.inf))

    def gradient(self, outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """Gradient of the targeted polyhedron's violation, (points, outputs)."""
        gradient = np.zeros_like(outputs)
        for index, part in enumerate(self._parts):
            chosen = np.flatnonzero(targets == index)
            if len(chosen) and len(part[0]):
                worst = self._violation(part, outputs[chosen]).argmax(axis=1)
                gradient[chosen] = part[0][worst]
        return gradient

    @staticmethod
    @np.errstate(all="ignore")  # rows beyond the float range; callers take NaN for "far"
    def _violation(part: tuple[np.ndarray, np.ndarray], outputs: np.ndarray) -> np.ndarray:
        coefficients, limits = part
        if not len(coefficients):
            return np.full((len(outputs), 1), -1.0)
        return np.asarray(outputs @ coefficients.T - limits)
