"""One network for every budget, with the smallest possible Lipschitz constant 2 / lambda.

YGZ24, section 5; docs/theory.md, section 6.2. Binary labels -1 and +1:

F(x) = max_{y_i = +1} relu(1 - 2 d_i / lambda) - max_{y_i = -1} relu(1 - 2 d_i / lambda)

with d_i the l_inf distance from sample i. Width 4n + 2, depth N (ceil(log2 n) + 2) + 1.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import scipy.sparse as sp

from relucert.errors import QueryError
from relucert.exact import format_rational, nearest_float
from relucert.memorization.boxes import power_of_two_at_most
from relucert.memorization.constructions.tree import tree_levels
from relucert.memorization.coordinates import coordinates
from relucert.memorization.separation import Separation
from relucert.network import Layer
from relucert.read.points import LabelledPoints

__all__ = ["lipschitz_layers"]


def lipschitz_layers(
    points: LabelledPoints, separation: Separation, targets: np.ndarray
) -> tuple[Layer, ...]:
    """The layers; targets: int64 (points,), -1 or +1.

    Sample after sample; x is carried as relu(x) and relu(-x). The coordinates are weights: where
    they are decimals, everything is computed in multiples of one over their common denominator,
    and a divisor makes 2 / lambda exact. Raises QueryError when float64 cannot hold the
    coordinates or lambda exactly.
    """
    centres, scale = _centres(points)
    bound = separation.bound * scale
    if Fraction(nearest_float(bound)) != bound:
        raise QueryError(
            f"the separation bound {format_rational(separation.bound)} is not a float64 number, "
            "so no network holds it exactly: use the construction deep or wide"
        )
    build = _Builder(points.input_size, float(scale), float(bound))
    layers: list[Layer] = []
    for sample, target in enumerate(targets.tolist()):
        layers.append(build.distances(centres[sample], sample > 0))
        layers.extend(build.levels)
        layers.append(build.gain(target))
    layers.append(build.output())
    return tuple(layers)


def _centres(points: LabelledPoints) -> tuple[np.ndarray, Fraction]:
    """The points times a positive scale, as exact float64."""
    if points.exact:
        return points.values, Fraction(1)
    data = coordinates(points)
    if data.slack:
        raise QueryError(
            f"{points.name}: the coordinates have no common denominator that float64 can hold: "
            "use the construction deep or wide"
        )
    return data.values, 1 / data.unit


class _Builder:
    """The layers of one sample; ``carried`` are relu(x), relu(-x) and both running maxima.

    Layout of a layer: 2n carried inputs, the running maxima of the labels -1 and +1, then what
    the layer computes.
    """

    def __init__(self, size: int, scale: float, bound: float) -> None:
        self.size, self.bound = size, bound
        self.kept = 2 * size + 2
        eye = sp.eye_array(size, format="csr")
        signed = sp.hstack([eye, -eye], format="csr")
        self._entry = scale * sp.vstack([eye, -eye, sp.csr_array((2, size)), eye, -eye])
        carried = sp.eye_array(self.kept, self.kept + 1, format="lil")
        self._carried = sp.csr_array(carried)
        self._signed = sp.hstack([signed, sp.csr_array((size, 3))], format="csr")
        sums = sp.hstack([sp.csr_array((size, self.kept)), eye, eye], format="csr")
        rows, self._distance = tree_levels(sums)
        self.levels = [self._level(row) for row in rows]
        self._last_added: int | None = None

    def distances(self, centre: np.ndarray, accumulated: bool) -> Layer:
        """relu(x - centre) and relu(centre - x), after the last gain went to its maximum."""
        bias = np.concatenate([np.zeros(self.kept), -centre, centre])
        weight = self._entry
        if accumulated:
            weight = sp.vstack([self._joined(), self._signed, -self._signed])
        return Layer(sp.csr_array(weight), bias, np.ones(len(bias), dtype=bool))

    def _joined(self) -> sp.csr_array:
        """What is kept, the gain (the last coordinate) added to the maximum of its label."""
        added = sp.coo_array(
            ([1.0], ([2 * self.size + int(self._last_added == 1)], [self.kept])),
            shape=(self.kept, self.kept + 1),
        )
        return sp.csr_array(self._carried + added)

    def _level(self, rows: sp.csr_array) -> Layer:
        """A level of the maximum; its first one reads the layer of distances."""
        inputs = rows.shape[1]
        if inputs < self.kept:
            rows = sp.hstack([sp.csr_array((rows.shape[0], self.kept)), rows], format="csr")
        kept = sp.eye_array(self.kept, rows.shape[1], format="csr")
        weight = sp.csr_array(sp.vstack([kept, rows]))
        return Layer(weight, np.zeros(weight.shape[0]), np.ones(weight.shape[0], dtype=bool))

    def gain(self, target: int) -> Layer:
        """relu(1 - 2 d / lambda - maximum), the maximum being that of the sample's label."""
        self._last_added = target
        distance = self._distance
        if self.levels:
            distance = sp.hstack([sp.csr_array((1, self.kept)), distance], format="csr")
        inputs = distance.shape[1]
        power = Fraction(self.bound) == power_of_two_at_most(Fraction(self.bound))
        unit, divisor = (1.0, None) if power else (self.bound, np.ones(self.kept + 1))
        if divisor is not None:
            divisor[-1] = self.bound
        place = 2 * self.size + int(target == 1)
        kept = sp.eye_array(self.kept, inputs, format="csr")
        row = (-2.0 * unit / self.bound) * distance - unit * sp.coo_array(
            ([1.0], ([0], [place])), shape=(1, inputs)
        )
        weight = sp.csr_array(sp.vstack([kept, row]))
        bias = np.zeros(self.kept + 1)
        bias[-1] = unit
        return Layer(weight, bias, np.ones(len(bias), dtype=bool), divisor)

    def output(self) -> Layer:
        """Maximum of the label +1 less that of the label -1."""
        joined = self._joined()
        row = joined[[2 * self.size + 1]] - joined[[2 * self.size]]
        return Layer(sp.csr_array(row), np.zeros(1), np.zeros(1, dtype=bool))
