"""From the checker's regions to the search's bounds, which guide where to split and what to mix."""

from __future__ import annotations

import math
from typing import Self

import numpy as np
import scipy.sparse as sp

from relucert.bounds.backward import Relaxation, Substitution, substituted
from relucert.bounds.interval import Intervals, rectified
from relucert.bounds.unsafe import FloatRows
from relucert.limits import Limits
from relucert.network import Network
from relucert.proof.arithmetic import Bounds, Chosen
from relucert.proof.arithmetic import Relaxation as ProofRelaxation
from relucert.proof.region import Region
from relucert.proof.rounded import Rounded, RoundedRows
from relucert.prover.branching import Influence
from relucert.prover.outcomes import Stopped

__all__ = [
    "Guide",
    "Timed",
    "Wary",
    "chain_of",
    "linear_rows",
    "mixing_weights",
    "short_float",
    "short_weights",
]

_FEW_INPUTS = 64
_MIXING_STEPS = 30
_WEIGHT_STEPS = 64
_WARY, _SPARE = 4.0, 2.0**-50


class Timed(Rounded):
    """The checker's rounded arithmetic, which raises Stopped when the time is up."""

    def __init__(self, network: Network, limits: Limits | None = None) -> None:
        super().__init__(network)
        self.limits = limits or Limits()

    @classmethod
    def sharing(cls, other: Timed) -> Self:
        """For the same network and limits, with the matrices that the other one has made."""
        made = cls.__new__(cls)
        made.layers, made.limits = other.layers, other.limits
        made.absolute, made.transposed = other.absolute, other.transposed
        return made

    def before_affine(
        self, rows: RoundedRows, index: int, inputs: Bounds, regions: np.ndarray
    ) -> RoundedRows:
        """As the checker's; here a large network spends its time."""
        if self.limits.out_of_time:
            raise Stopped("time")
        return super().before_affine(rows, index, inputs, regions)


class Wary(Timed):
    """The checker's rounded arithmetic, with bounds that are a little weaker.

    The checker works at other numbers of regions at once, where sums are rounded differently, and
    must find at least as much.
    """

    def minimum(self, rows: RoundedRows, box: Bounds, regions: np.ndarray) -> np.ndarray:
        """As the checker's, with rounding counted several times."""
        wary = RoundedRows(rows.rows, rows.constant, _WARY * rows.lost)
        return super().minimum(wary, box, regions)

    def interval(self, index: int, inputs: Bounds) -> Bounds:
        """As the checker's, a little wider."""
        found = super().interval(index, inputs)
        with np.errstate(all="ignore"):
            spare = _SPARE * (np.abs(found.lower) + np.abs(found.upper))
            return Bounds(found.lower - spare, found.upper + spare)


class Guide(Wary):
    """The wary arithmetic, that also remembers the last linear bounds of neurons.

    slopes: by layer (outputs, inputs): how a pre-activation moves with the inputs, roughly.
    """

    def __init__(self, network: Network, limits: Limits | None = None) -> None:
        super().__init__(network, limits)
        self._begin()

    @classmethod
    def sharing(cls, other: Timed) -> Self:
        """See `Timed.sharing`; nothing is remembered yet."""
        made = super().sharing(other)
        made._begin()
        return made

    def _begin(self) -> None:
        self.slopes: dict[int, np.ndarray] = {}
        self._asked: tuple[int, np.ndarray] | None = None
        self._numbers = {id(layer): index for index, layer in enumerate(self.layers)}
        self._influences: dict[int, Influence] = {}

    def neurons(
        self, index: int, chosen: np.ndarray, sides: np.ndarray, inputs: Bounds, regions: np.ndarray
    ) -> RoundedRows:
        """As the checker's; remembers who asks."""
        self._asked = (index, chosen[sides > 0])
        self._influences[index] = Influence(index, chosen[sides > 0], {})
        return super().neurons(index, chosen, sides, inputs, regions)

    def before_relu(
        self, rows: RoundedRows, relaxation: ProofRelaxation, chosen: Chosen
    ) -> RoundedRows:
        """As the checker's; keeps what the bounds of the neurons asked for rest on."""
        if self._asked is not None:
            number = self._numbers[id(relaxation.layer)]
            self._influences[self._asked[0]].rows[number] = rows.rows
        return super().before_relu(rows, relaxation, chosen)

    def forget(self) -> None:
        """Bounds are to be found anew."""
        self.slopes, self._influences = {}, {}

    def influences(self) -> tuple[Influence, ...]:
        """What the bounds found last rest on, layer by layer."""
        return tuple(one for one in self._influences.values() if one.rows)

    def minimum(self, rows: RoundedRows, box: Bounds, regions: np.ndarray) -> np.ndarray:
        """As the checker's; keeps the linear bounds it is about."""
        if self._asked is not None:
            index, neurons = self._asked
            count = len(neurons)
            if rows.rows.shape[1] <= _FEW_INPUTS:
                slopes = np.zeros((self.layers[index].output_size, rows.rows.shape[1]))
                slopes[neurons] = 0.5 * (rows.rows[:count] - rows.rows[count:])
                self.slopes[index] = slopes
            self._asked = None
        return super().minimum(rows, box, regions)


def chain_of(
    network: Network, region: Region, slopes: dict[int, np.ndarray] | None = None
) -> list[Relaxation]:
    """The region's bounds in the form that `relucert.bounds` works with."""
    chain = []
    inputs = Intervals(region.box.lower, region.box.upper)
    for index, (layer, bounds) in enumerate(zip(network.layers, region.layers, strict=True)):
        pre = Intervals(bounds.lower, bounds.upper)
        own = None if slopes is None else slopes.get(index)
        if slopes is not None and index == 0:
            own = np.asarray(
                layer.weight if layer.is_dense else sp.csr_array(layer.weight).toarray()
            )
        chain.append(Relaxation(layer, pre, inputs, own))
        inputs = rectified(pre, layer.relu)
    return chain


def linear_rows(chain: list[Relaxation], rows: FloatRows) -> Substitution:
    """The rows of an unsafe set substituted back to the inputs."""
    with np.errstate(all="ignore"):
        found: Substitution = substituted(chain, rows.coefficients)
    return found


def mixing_weights(slopes: np.ndarray, constants: np.ndarray, box: Bounds) -> np.ndarray:
    """Weights of the rows ``slopes @ x + constants`` whose mixture is large on the whole box.

    Multiplicative weights for the game "rows against x", and every row alone; the best is taken.
    """
    count = len(constants)
    if count == 1 or not (np.isfinite(slopes).all() and np.isfinite(constants).all()):
        return np.array(np.eye(count)[0])
    centre = 0.5 * box.lower + 0.5 * box.upper
    radius = 0.5 * (box.upper - box.lower)
    middle = slopes @ centre + constants
    reach = np.abs(slopes) @ radius + np.abs(middle)
    lone = middle - np.abs(slopes) @ radius
    if (lone > 0).any():
        return np.array(np.eye(count)[int((lone / np.maximum(reach, 1e-300)).argmax())])
    scale = 1.0 / np.maximum(reach, 1e-300)
    score = np.zeros(count)
    total = np.zeros(count)
    candidates = list(np.eye(count))
    for step in range(_MIXING_STEPS):
        weights = np.exp(score - score.max()) * scale
        weights /= weights.sum()
        total += weights
        candidates.append(weights)
        mixed = weights @ slopes
        values = middle - slopes @ (radius * np.sign(mixed))
        score += (4.0 / np.sqrt(1.0 + step)) * scale * values
    weights = np.array([*candidates, total / total.sum()])
    value = weights @ middle - np.abs(weights @ slopes) @ radius
    best = int((value / np.maximum(weights @ reach, 1e-300)).argmax())
    return np.array(weights[best], dtype=np.float64)


def short_weights(weights: np.ndarray) -> dict[int, float]:
    """Weights as whole numbers of 1/64 of the largest, which is one; zeros are left out."""
    steps: list[int] = np.round(weights / weights.max() * _WEIGHT_STEPS).astype(int).tolist()
    return {index: step / _WEIGHT_STEPS for index, step in enumerate(steps) if step > 0}


def short_float(value: float, bits: int) -> float:
    """The float nearest to a positive ``value`` with a mantissa of so many bits."""
    mantissa, exponent = math.frexp(value)
    return math.ldexp(round(math.ldexp(mantissa, bits)), exponent - bits)
