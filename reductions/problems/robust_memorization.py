"""Robust memorization: can a network of depth 2 and width 2 classify whole balls?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from reductions.problems.depth_two import DepthTwoForm, SparsePoint, depth_two_form
from reductions.problems.half_space_search import memorizing_network
from reductions.problems.problem import Problem
from relucert.errors import InputError
from relucert.exact import format_rational
from relucert.network import Network

__all__ = ["RobustMemorization", "Violation"]


@dataclass(frozen=True)
class Violation:
    """A ball that a network does not classify: ``value`` is the worst output on it.

    index: of the point, from 0. label: -1 or +1. value: the minimum of the network over the
    ball for label +1 (not positive), the maximum for label -1 (not negative).
    """

    index: int
    label: int
    value: Fraction

    def __str__(self) -> str:
        extreme = "minimum" if self.label > 0 else "maximum"
        return (
            f"point {self.index} with label {self.label:+d} is not memorized: "
            f"the {extreme} of the network on its ball is {format_rational(self.value)}"
        )


@dataclass(frozen=True)
class RobustMemorization(Problem[Network]):
    """Is there a ReLU network whose sign is the label on every closed ball around a point?

    dimension: of the points. points: their non-zero coordinates as (index, value), exact.
    labels: -1 or +1. budget: the radius of the balls in the l_inf metric, at least 0.
    depth, width: of the networks allowed: one hidden layer (depth 2) of at most two ReLUs, the
    smallest for which the question is NP-hard, and the one decided in closed form here.
    Solution: a relucert Network with one output; the output 0 counts as wrong. The whole balls
    are checked, exactly, over the real function of the stored weights.
    Raises InputError on malformed points, labels and budgets.

    >>> data = RobustMemorization.of_dense([[0], [1], [2]], [1, -1, 1], Fraction(1, 4))
    >>> network = data.solve_by_enumeration()
    >>> data.check(network)
    True
    """

    dimension: int
    points: tuple[SparsePoint, ...]
    labels: tuple[int, ...]
    budget: Fraction = Fraction(0)
    depth: int = 2
    width: int = 2
    name: ClassVar[str] = "robust-memorization"

    def __post_init__(self) -> None:
        if len(self.points) != len(self.labels):
            raise InputError(f"{len(self.points)} points have {len(self.labels)} labels")
        if self.depth != 2 or self.width not in (1, 2):
            raise InputError(
                f"depth {self.depth} and width {self.width}: only depth 2 and width 1 or 2 are "
                "decided here"
            )
        object.__setattr__(self, "budget", Fraction(self.budget))
        if self.budget < 0:
            raise InputError(f"the budget {format_rational(self.budget)} is negative")
        for index, (point, label) in enumerate(zip(self.points, self.labels, strict=True)):
            if label not in (-1, 1):
                raise InputError(f"point {index} has the label {label}, not -1 or 1")
            before = -1
            for coordinate, value in point:
                if not isinstance(value, Fraction | int):
                    raise InputError(f"point {index}: {value!r} is not an exact rational")
                if not before < coordinate < self.dimension:
                    raise InputError(
                        f"point {index}: coordinate {coordinate} is repeated, out of order, or "
                        f"beyond the dimension {self.dimension}"
                    )
                before = coordinate

    @classmethod
    def of_dense(
        cls,
        points: Sequence[Sequence[Fraction | int]],
        labels: Sequence[int],
        budget: Fraction = Fraction(0),
    ) -> RobustMemorization:
        """From full rows of coordinates; floats stand for exactly their binary value."""
        dimension = len(points[0]) if points else 0
        if any(len(point) != dimension for point in points):
            raise InputError("the points differ in their number of coordinates")
        sparse = tuple(
            tuple((index, Fraction(value)) for index, value in enumerate(point) if value)
            for point in points
        )
        return cls(dimension, sparse, tuple(map(int, labels)), budget)

    def size(self) -> dict[str, int]:
        """points, dimension and nonzeros (coordinates that are not 0)."""
        return {
            "points": len(self.points),
            "dimension": self.dimension,
            "nonzeros": sum(map(len, self.points)),
        }

    def form(self, network: Network) -> DepthTwoForm:
        """The network's exact form; raises InputError when its shape is not the one asked for."""
        if network.input_size != self.dimension:
            raise InputError(
                f"{network.name} takes {network.input_size} inputs, the points have "
                f"{self.dimension} coordinates"
            )
        return depth_two_form(network, self.width)

    def first_violation(self, network: Network) -> Violation | None:
        """The first ball that is not wholly classified as its label, or None."""
        form = self.form(network)
        for index, (point, label) in enumerate(zip(self.points, self.labels, strict=True)):
            signed = form if label < 0 else form.negated
            if not signed.is_negative_on_ball(point, self.budget):
                worst = label * -signed.maximum_on_ball(point, self.budget)
                return Violation(index, label, worst)
        return None

    def check(self, solution: Network) -> bool:
        return self.first_violation(solution) is None

    def why_not(self, solution: Network) -> str | None:
        violation = self.first_violation(solution)
        return None if violation is None else str(violation)

    def solve_by_enumeration(self) -> Network | None:
        """A memorizing network, or None, certified in rational arithmetic; see the search.

        Raises EnumerationError when there are too many points, or margins too narrow.
        """
        return memorizing_network(self)

    def dense_points(self) -> list[list[Fraction]]:
        """The points as full rows."""
        rows = [[Fraction(0)] * self.dimension for _ in self.points]
        for row, point in zip(rows, self.points, strict=True):
            for index, value in point:
                row[index] = value
        return rows

    @property
    def text(self) -> str:
        """A header, then ``label index:value ...`` for each point, indices from 1."""
        lines = [
            f"# {len(self.points)} points of dimension {self.dimension}, "
            f"budget {format_rational(self.budget)}, depth {self.depth}, width {self.width}"
        ]
        for point, label in zip(self.points, self.labels, strict=True):
            entries = (f"{index + 1}:{format_rational(value)}" for index, value in point)
            lines.append(" ".join([f"{label:+d}", *entries]))
        return "\n".join(lines) + "\n"
