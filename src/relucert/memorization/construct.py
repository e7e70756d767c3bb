"""Build a network that robustly memorizes a data set (YGZ24, sections 4 and 5)."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from relucert.errors import UsageError
from relucert.exact import format_rational
from relucert.memorization.boxes import enclosing_boxes
from relucert.memorization.constructions.deep import deep_layers
from relucert.memorization.constructions.lipschitz import lipschitz_layers
from relucert.memorization.constructions.wide import wide_layers
from relucert.memorization.labels import LabelMap, label_map
from relucert.memorization.separation import Separation, check_budget
from relucert.network import Layer, Network
from relucert.read.points import LabelledPoints

__all__ = ["CONSTRUCTIONS", "Memorizer", "budget_of_ratio", "construct"]

CONSTRUCTIONS = ("deep", "wide", "lipschitz")


@dataclass(frozen=True, eq=False)
class Memorizer:
    """A network that memorizes, how its outputs stand for labels, and for which budget.

    ``budget`` is None for the construction that serves every budget below half of the separation
    bound. ``trivial`` says that there is one label only, so that a constant does.
    """

    network: Network
    labels: LabelMap
    budget: Fraction | None
    trivial: bool = False


def budget_of_ratio(ratio: Fraction, separation: Separation | None) -> Fraction:
    """``ratio`` times half of the separation bound; raises UsageError unless 0 <= ratio < 1."""
    if not 0 <= ratio < 1:
        raise UsageError(f"the ratio must be at least 0 and below 1, not {format_rational(ratio)}")
    if separation is None:
        raise UsageError("there is one label only, so no separation bound: give --budget")
    return ratio * separation.bound / 2


def construct(
    points: LabelledPoints,
    separation: Separation | None,
    budget: Fraction | None,
    construction: str = "deep",
) -> Memorizer:
    """A network whose value is the label's number on the whole ball around every point.

    separation: of `separation_bound`, None when there is one label only. budget: l_inf radius,
    below half of the separation bound; the construction "lipschitz" needs none. On the balls the
    value is exactly the number that the label map gives ("deep", "wide"), or has the label's sign
    ("lipschitz"). Raises QueryError for a budget too large, and where float64 cannot hold the
    weights; UsageError for an unknown construction.
    """
    if construction not in CONSTRUCTIONS:
        names = ", ".join(CONSTRUCTIONS)
        raise UsageError(f"unknown construction {construction!r}; choose from {names}")
    if budget is None and construction != "lipschitz":
        raise UsageError(f"the construction {construction} needs a budget")
    check_budget(points, separation, budget or Fraction(0))
    if separation is None:
        return _constant(points, budget)
    labels = label_map(points, "sign" if construction == "lipschitz" else "nearest")
    targets = labels.of(points.labels)
    if construction == "lipschitz":
        layers = lipschitz_layers(points, separation, targets)
    else:
        boxes = enclosing_boxes(points, separation, budget or Fraction(0))
        layers = (deep_layers if construction == "deep" else wide_layers)(boxes, targets)
    about = f"{construction} robust memorization of {points.name}, {len(points)} points"
    how_large = "every budget below half of"
    if construction != "lipschitz" and budget is not None:
        how_large = f"budget {format_rational(budget)} of"
    about += f", {how_large} the separation bound {format_rational(separation.bound)}"
    notes = (about,) if labels.is_identity else (about, labels.note)
    network = Network(layers, f"{construction}_memorizer", notes=notes)
    return Memorizer(network, labels, None if construction == "lipschitz" else budget)


def _constant(points: LabelledPoints, budget: Fraction | None) -> Memorizer:
    labels = label_map(points)
    layer = Layer(np.zeros((1, points.input_size)), np.ones(1), np.zeros(1, dtype=bool))
    about = f"{points.name} has one label only: the constant 1 memorizes it with every budget"
    notes = (about,) if labels.is_identity else (about, labels.note)
    return Memorizer(Network((layer,), "constant", notes=notes), labels, budget, trivial=True)
