"""What the checker asks of an arithmetic; `rounded` and `exact_rows` give it.

Bounds are float64 numbers in both, rounded outward: a valid bound may always be made weaker.
What an arithmetic works out in between is its own affair.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any, Protocol, TypeVar

import numpy as np

from relucert.network import Layer
from relucert.proof.records import SLOPE_STEPS

__all__ = ["Arithmetic", "Bounds", "Objective", "Relaxation"]

Rows = TypeVar("Rows")
_NEARLY_ONE = 1023 / 1024


@dataclass(frozen=True, eq=False)
class Bounds:
    """``lower <= value <= upper``, both float64 (values,)."""

    lower: np.ndarray
    upper: np.ndarray

    @property
    def finite(self) -> bool:
        """Whether there is no infinity and no NaN."""
        return bool(np.isfinite(self.lower).all() and np.isfinite(self.upper).all())

    @property
    def contradictory(self) -> bool:
        """Whether no value satisfies them."""
        return bool((self.lower > self.upper).any())

    @cached_property
    def cache(self) -> dict[str, Any]:
        """Room for what is derived from these bounds more than once."""
        return {}

    def meet(self, other: Bounds) -> Bounds:
        """Both at once."""
        return Bounds(np.maximum(self.lower, other.lower), np.minimum(self.upper, other.upper))

    def after(self, layer: Layer) -> Bounds:
        """Bounds on the outputs of ``layer``, of whose pre-activations these are bounds."""
        known: Bounds | None = self.cache.get("after")
        if known is None:
            lower = np.where(layer.relu, np.maximum(self.lower, 0.0), self.lower)
            upper = np.where(layer.relu, np.maximum(self.upper, 0.0), self.upper)
            known = self.cache["after"] = Bounds(lower, upper)
        return known


@dataclass(frozen=True)
class Objective:
    """``coefficients @ y - limit`` over the outputs, in rationals."""

    coefficients: tuple[Fraction, ...]
    limit: Fraction


@dataclass(frozen=True, eq=False)
class Relaxation:
    """How the ReLUs of one layer are bounded: by the bounds on its pre-activations z.

    Where z >= 0 is known the ReLU is z, where z <= 0 it is 0. Elsewhere (``unstable``) it is at
    least ``slope / 256 * z`` and at most ``s (z - l)`` for any s >= u / (u - l). ``taken`` times z
    is known to be at least zero and may be taken off any lower bound: multipliers of fixed
    signs, with the sign; None for none.
    """

    layer: Layer
    pre: Bounds
    given: Mapping[int, int] = field(default_factory=dict)
    taken: np.ndarray | None = None

    @classmethod
    def of(
        cls, layer: Layer, pre: Bounds, given: Mapping[int, int], taken: np.ndarray | None = None
    ) -> Relaxation:
        """Like the constructor; shared where there are no slopes and nothing is taken off."""
        if given or taken is not None:
            return cls(layer, pre, given, taken)
        known: Relaxation | None = pre.cache.get("relaxation")
        if known is None:
            known = pre.cache["relaxation"] = cls(layer, pre)
        return known

    @cached_property
    def unstable(self) -> np.ndarray:
        """ReLUs with l < 0 < u, as a mask."""
        return np.asarray(self.layer.relu & (self.pre.lower < 0) & (self.pre.upper > 0))

    @cached_property
    def dead(self) -> np.ndarray:
        """ReLUs that always give zero, as a mask."""
        return np.asarray(self.layer.relu & (self.pre.upper <= 0))

    @cached_property
    def slopes(self) -> np.ndarray:
        """Lower slopes times 256, int64: as given, else 256 where u > -l 1023/1024, else 0.

        Not where u > -l: in symmetric boxes the two are often equal, and then the rounding of
        bounds would decide, differently in different arithmetics.
        """
        steep = self.pre.upper > self.pre.lower * -_NEARLY_ONE
        slopes = np.where(steep, SLOPE_STEPS, 0).astype(np.int64)
        for neuron, slope in self.given.items():
            slopes[neuron] = slope
        return slopes

    @cached_property
    def cache(self) -> dict[str, Any]:
        """Room for what an arithmetic derives from these bounds."""
        return {}


class Arithmetic(Protocol[Rows]):
    """Linear functions in blocks of rows, each a lower bound on what the block began as."""

    name: str

    def interval(self, index: int, inputs: Bounds) -> Bounds:
        """Bounds on the pre-activations of layer ``index`` for inputs of the layer in bounds."""

    def units(self, index: int, neurons: np.ndarray) -> Rows:
        """Rows z_n and then rows -z_n over the pre-activations of layer ``index``."""

    def objective(self, objective: Objective, outputs: Bounds) -> Rows:
        """One row: the objective over the network's outputs, which are within ``outputs``."""

    def before_relu(self, rows: Rows, relaxation: Relaxation) -> Rows:
        """Rows over a layer's outputs become rows over its pre-activations."""

    def before_affine(self, rows: Rows, index: int, inputs: Bounds) -> Rows:
        """Rows over a layer's pre-activations become rows over its inputs."""

    def minimum(self, rows: Rows, box: Bounds) -> np.ndarray:
        """At most the least value of every row over the box, float64; NaN is no bound."""
