"""What the checker asks of an arithmetic; `rounded` and `exact_rows` give it.

Several regions are worked on at once. Bounds are float64 numbers in both arithmetics, rounded
outward: a valid bound may always be made weaker. What comes in between is their own affair.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, Protocol, TypeVar

import numpy as np

from relucert.network import Layer
from relucert.proof.records import SLOPE_STEPS

__all__ = ["Arithmetic", "Bounds", "Chosen", "Objective", "Relaxation"]

Rows = TypeVar("Rows")
_NEARLY_ONE = 1023 / 1024


@dataclass(frozen=True, eq=False)
class Bounds:
    """``lower <= value <= upper``, both float64: (values,), or (regions, values) when stacked."""

    lower: np.ndarray
    upper: np.ndarray

    @classmethod
    def stacked(cls, several: Sequence[Bounds]) -> Bounds:
        """Those of several regions, one a row."""
        lower, upper = [one.lower for one in several], [one.upper for one in several]
        return cls(np.stack(lower), np.stack(upper))

    def row(self, region: int) -> Bounds:
        """Those of one region."""
        return Bounds(self.lower[region], self.upper[region])

    @property
    def finite(self) -> np.ndarray:
        """Whether there is no infinity and no NaN, for each region."""
        return np.asarray((np.isfinite(self.lower) & np.isfinite(self.upper)).all(axis=-1))

    @property
    def contradictory(self) -> np.ndarray:
        """Whether no value satisfies them, for each region."""
        return np.asarray((self.lower > self.upper).any(axis=-1))

    @cached_property
    def magnitude(self) -> np.ndarray:
        """The largest absolute values."""
        return np.asarray(np.maximum(np.abs(self.lower), np.abs(self.upper)))

    @cached_property
    def cache(self) -> dict[Any, Any]:
        """Room for what an arithmetic derives from these bounds more than once."""
        return {}

    def meet(self, other: Bounds) -> Bounds:
        """Both at once."""
        return Bounds(np.maximum(self.lower, other.lower), np.minimum(self.upper, other.upper))

    def after(self, layer: Layer) -> Bounds:
        """Bounds on the outputs of ``layer``, of whose pre-activations these are bounds."""
        lower = np.where(layer.relu, np.maximum(self.lower, 0.0), self.lower)
        return Bounds(lower, np.where(layer.relu, np.maximum(self.upper, 0.0), self.upper))


@dataclass(frozen=True)
class Objective:
    """``coefficients @ y - limit`` over the outputs, in rationals."""

    coefficients: tuple[Fraction, ...]
    limit: Fraction

    @cached_property
    def cache(self) -> dict[str, Any]:
        """Room for what an arithmetic derives from these numbers."""
        return {}


@dataclass(frozen=True, eq=False)
class Relaxation:
    """How the ReLUs of one layer are bounded: by the bounds on its pre-activations z.

    Where z <= 0 is known the ReLU is 0. Elsewhere (``sloped``) it is at least ``slope / 256 * z``
    for a slope in 0, ..., 256; and at most z where z >= 0 is known, else (``unstable``) at most
    ``s (z - l)`` for any s >= u / (u - l). pre: (regions, outputs).
    """

    layer: Layer
    pre: Bounds

    @cached_property
    def unstable(self) -> np.ndarray:
        """ReLUs with l < 0 < u, as a mask."""
        return np.asarray(self.layer.relu & (self.pre.lower < 0) & (self.pre.upper > 0))

    @cached_property
    def dead(self) -> np.ndarray:
        """ReLUs that always give zero, as a mask."""
        return np.asarray(self.layer.relu & (self.pre.upper <= 0))

    @cached_property
    def sloped(self) -> np.ndarray:
        """ReLUs that may be other than zero, as a mask."""
        return np.asarray(self.layer.relu & (self.pre.upper > 0))

    @cached_property
    def slopes(self) -> np.ndarray:
        """Default lower slopes times 256, int16: 256 where u > -l 1023/1024, else 0.

        Not where u > -l: in symmetric boxes the two are often equal, and then the rounding of
        bounds would decide, differently in different arithmetics.
        """
        steep = self.pre.upper > self.pre.lower * -_NEARLY_ONE
        return np.where(steep, SLOPE_STEPS, 0).astype(np.int16)

    @cached_property
    def cache(self) -> dict[str, Any]:
        """Room for what an arithmetic derives from these bounds."""
        return {}


@dataclass(frozen=True, eq=False)
class Chosen:
    """What a proof chooses for the rows of one block at one layer.

    regions: (rows,), whose bounds each row goes by. slopes: int16 (rows, outputs), None for the
    default. taken: (rows, outputs), None for nothing; ``taken * z`` is known to be at least zero
    and is taken off: multipliers of fixed signs, with the sign. signs: int8 (rows, outputs), 1
    where z >= 0 and -1 where z <= 0 are known besides the bounds of the region, only of ReLUs;
    None for none.
    """

    regions: np.ndarray
    slopes: np.ndarray | None = None
    taken: np.ndarray | None = None
    signs: np.ndarray | None = None


class Arithmetic(Protocol[Rows]):
    """Linear functions in blocks of rows, each a lower bound on what the block began as.

    at_once: how many regions it likes to have together.
    """

    name: str
    at_once: int

    def interval(self, index: int, inputs: Bounds) -> Bounds:
        """Bounds on the pre-activations of layer ``index`` for inputs of the layer in bounds."""

    def neurons(
        self, index: int, chosen: np.ndarray, sides: np.ndarray, inputs: Bounds, regions: np.ndarray
    ) -> Rows:
        """Rows ``side * z_neuron`` over the inputs of layer ``index``; sides 1 or -1."""

    def objectives(
        self, objectives: Sequence[Objective], outputs: Bounds, regions: np.ndarray
    ) -> Rows:
        """A row for each objective over the outputs, which are within ``outputs``."""

    def before_relu(self, rows: Rows, relaxation: Relaxation, chosen: Chosen) -> Rows:
        """Rows over a layer's outputs become rows over its pre-activations."""

    def before_affine(self, rows: Rows, index: int, inputs: Bounds, regions: np.ndarray) -> Rows:
        """Rows over a layer's pre-activations become rows over its inputs."""

    def minimum(self, rows: Rows, box: Bounds, regions: np.ndarray) -> np.ndarray:
        """At most the least value of every row over its region's box; NaN is no bound."""
