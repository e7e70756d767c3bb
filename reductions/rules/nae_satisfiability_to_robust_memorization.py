"""Not-all-equal satisfiability to robust memorization with depth 2 and width 2."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from reductions.errors import DecodingError
from reductions.problems.clauses import Assignment, is_true
from reductions.problems.depth_two import DepthTwoForm, SparsePoint
from reductions.problems.nae_satisfiability import NotAllEqualSatisfiability
from reductions.problems.problem import Size
from reductions.problems.robust_memorization import RobustMemorization
from reductions.rules.rule import Rule
from relucert.errors import InputError
from relucert.exact import format_rational
from relucert.network import Network

__all__ = ["NaeSatisfiabilityToRobustMemorization"]

_SMALLEST_MARGIN = Fraction(1, 2**30)
_LARGEST_INTEGER = 2**53


@dataclass(frozen=True)
class NaeSatisfiabilityToRobustMemorization(Rule[NotAllEqualSatisfiability, RobustMemorization]):
    """Points in {0, 1/2, 1}^(2v): one coordinate for each of the 2v literals.

    Label +1: the origin; for every variable the pair e_x + e_{not x}; for every clause the sum of
    its literals' unit vectors; the midpoint (e_s + e_{not s}) / 2 for the last variable s.
    Label -1: every unit vector. Points in the order origin, e_1, e_{not 1}, e_2, ..., pairs,
    clauses, midpoint: N = 3v + m + 2.

    Theorem: for every budget 0 <= mu < 1 / (2 v k), k the largest clause (at least 2), a ReLU
    network of depth 2 and width 2 robustly memorizes the data iff the formula has a
    not-all-equal assignment. (docs/theory.md, section 3, with proof; that the question is
    NP-hard is Yu, Gao and Zhang, ICLR 2024; the construction descends from Blum and Rivest 1992
    and Megiddo 1988.) Any memorizing network decodes: wedge or bevel, however scaled or ordered.

    budget: mu, in units of unscaled points; None for half the bound. scale: multiplies the points
    and the budget. Repeated literals, tautologies and repeated clauses are dropped first; an empty
    clause becomes (v), which is as unsatisfiable; a formula without variables gets one.

    >>> rule = NaeSatisfiabilityToRobustMemorization()
    >>> reduction = rule.reduce(NotAllEqualSatisfiability(2, ((1, 2),)))
    >>> reduction.target.size(), reduction.target.budget
    ({'points': 9, 'dimension': 4, 'nonzeros': 12}, Fraction(1, 16))
    >>> network = reduction.encode((True, False))
    >>> reduction.decode(network)
    (True, False)
    """

    budget: Fraction | None = None
    scale: Fraction = Fraction(1)

    source_problem = NotAllEqualSatisfiability
    target_problem = RobustMemorization

    def __post_init__(self) -> None:
        object.__setattr__(self, "scale", Fraction(self.scale))
        if self.scale <= 0:
            raise InputError(f"the scale {format_rational(self.scale)} is not positive")
        if self.budget is not None:
            object.__setattr__(self, "budget", Fraction(self.budget))

    def prepare(self, source: NotAllEqualSatisfiability) -> NotAllEqualSatisfiability:
        variables = max(1, source.variables)
        clauses = tuple(clause or (variables,) for clause in source.clauses)
        return NotAllEqualSatisfiability(variables, clauses).normalised()

    def extend(self, prepared: NotAllEqualSatisfiability, solution: Assignment) -> Assignment:
        return (*solution, *[False] * (prepared.variables - len(solution)))

    def restore(self, source: NotAllEqualSatisfiability, solution: Assignment) -> Assignment:
        return solution[: source.variables]

    def used_budget(self, source: NotAllEqualSatisfiability) -> Fraction:
        """The budget for unscaled points; raises InputError outside [0, 1 / (2 v k))."""
        bound = Fraction(1, 2 * source.variables * _clause_bound(source))
        if self.budget is None:
            return bound / 2
        if not 0 <= self.budget < bound:
            raise InputError(
                f"the budget {format_rational(self.budget)} is not in [0, {format_rational(bound)})"
            )
        return self.budget

    def parameters(self, source: NotAllEqualSatisfiability) -> dict[str, Fraction]:
        return {"budget": self.used_budget(source), "scale": self.scale}

    def construct(self, source: NotAllEqualSatisfiability) -> RobustMemorization:
        budget = self.used_budget(source)
        one, half = self.scale, self.scale / 2
        literals = [(index,) for index in range(2 * source.variables)]
        pairs = [(index, index + 1) for index in range(0, 2 * source.variables, 2)]
        clauses = [tuple(sorted(map(_coordinate, clause))) for clause in source.clauses]
        points: list[SparsePoint] = [
            tuple((index, one) for index in support)
            for support in ((), *literals, *pairs, *clauses)
        ]
        points.append(tuple((index, half) for index in pairs[-1]))
        labels = [1] * len(points)
        labels[1 : 1 + len(literals)] = [-1] * len(literals)
        return RobustMemorization(
            2 * source.variables, tuple(points), tuple(labels), budget * self.scale
        )

    def size_formula(self, size: Size) -> dict[str, int]:
        """N = 3v + m + 2 points in dimension 2v."""
        return {
            "points": 3 * size["variables"] + size["clauses"] + 2,
            "dimension": 2 * size["variables"],
            "nonzeros": 4 * size["variables"] + size["literals"] + 2,
        }

    def encode(
        self, source: NotAllEqualSatisfiability, target: RobustMemorization, solution: Assignment
    ) -> Network:
        """F = 1 - relu(1 - t h1) - relu(1 - t h2), F = 1 and F <= -1 on the two labels' balls.

        h_j(x) = 1/2 + <a_j, x> with a_1 = -1 on true and k - 1 on false literals, a_2 the other
        way round; h_j moves by mu v k < 1/2 on a ball, and t is a power of two with
        t (1/2 - mu v k) >= 1. Everything is multiplied through to integers. Within 2^-30 of the
        largest budget t would leave float64; then F = -1 + relu(h1 + 1) - relu(h1 - h2).
        """
        k = _clause_bound(source)
        p, q = self.scale.numerator, self.scale.denominator
        first = [
            2 * q * (-1 if is_true(literal, solution) else k - 1)
            for variable in range(1, source.variables + 1)
            for literal in (variable, -variable)
        ]
        second = [2 * q * (k - 2) - weight for weight in first]
        if max(p, 2 * q * k) >= _LARGEST_INTEGER:
            raise InputError(
                f"the scale {format_rational(self.scale)} leads to weights beyond float64"
            )
        weights, bias = np.array([first, second], dtype=np.float64), float(p)
        slack = Fraction(1, 2) - self.used_budget(source) * source.variables * k
        if slack < _SMALLEST_MARGIN:
            hidden = np.array([weights[0], weights[0] - weights[1]])
            offsets, outer, constant = [bias + 1.0, 0.0], [[1.0, -1.0]], [-1.0]
        else:
            t = _power_of_two_above(1 / (2 * p * slack))
            hidden = -t * weights
            offsets, outer, constant = [1.0 - t * bias] * 2, [[-1.0, -1.0]], [1.0]
        return Network.dense(
            [hidden, np.array(outer)], [np.array(offsets), np.array(constant)], "memorizer"
        )

    def decode(
        self, source: NotAllEqualSatisfiability, target: RobustMemorization, solution: Network
    ) -> Assignment:
        """A literal is true iff the half-space that excludes its unit vector is the first."""
        literals = target.points[1 : 1 + 2 * source.variables]
        colors = _colors(target.form(solution), literals)
        return tuple(color == 1 for color in colors[::2])


def _colors(form: DepthTwoForm, points: Sequence[SparsePoint]) -> list[int]:
    """Which half-space of {F > 0}, 1 or 2, excludes each unit vector (the theorem's proof).

    Bevel, F = c - relu(z1) - relu(z2): a point excluded only by c - z1 - z2 <= 0 has colour 2
    where z1 is below its value at the origin, else colour 1. Wedge, F = c + relu(z1) - relu(z2)
    with c <= 0: the half-spaces are z1 + c > 0 and z1 - z2 + c > 0.
    """
    c = form.constant
    if len(form.signs) < 2:
        return [1] * len(points)
    z1, z2 = form.neurons if form.signs != (-1, 1) else form.neurons[::-1]
    if form.signs == (-1, -1):
        return [_bevel_color(z1(point), z2(point), c, z1.bias) for point in points]
    if form.signs == (1, 1) or c > 0:
        raise DecodingError("the convex side of the network has label -1")
    return [1 if z1(point) + c <= 0 else 2 for point in points]


def _bevel_color(z1: Fraction, z2: Fraction, c: Fraction, z1_at_origin: Fraction) -> int:
    if z1 >= c:
        return 1
    if z2 >= c:
        return 2
    return 2 if z1 < z1_at_origin else 1


def _clause_bound(source: NotAllEqualSatisfiability) -> int:
    return max(2, source.largest_clause)


def _coordinate(literal: int) -> int:
    return 2 * abs(literal) - (2 if literal > 0 else 1)


def _power_of_two_above(value: Fraction) -> float:
    """The smallest power of two that is at least ``value`` > 0."""
    exponent = value.numerator.bit_length() - value.denominator.bit_length() - 1
    while Fraction(2) ** exponent < value:
        exponent += 1
    return float(Fraction(2) ** exponent)
