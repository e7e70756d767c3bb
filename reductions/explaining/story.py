"""What the page tells, as plain data: clauses, points and where each comes from, exact numbers.

Everything is read off the rules' own instances and off a network that `Rule.encode` made, in
rational arithmetic (docs/theory.md, section 3). Nothing here knows about HTML.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from itertools import product

from reductions.answers import ExpectedAnswer
from reductions.errors import ReductionError
from reductions.problems.clauses import Assignment, Clause, is_true
from reductions.problems.depth_two import Affine, DepthTwoForm, SparsePoint
from reductions.problems.nae_satisfiability import NotAllEqualSatisfiability
from reductions.problems.robust_memorization import RobustMemorization
from reductions.problems.satisfiability import Satisfiability
from reductions.rules.nae_satisfiability_to_robust_memorization import (
    NaeSatisfiabilityToRobustMemorization,
)
from reductions.rules.rule import Reduction
from reductions.rules.satisfiability_to_nae_satisfiability import SatisfiabilityToNaeSatisfiability
from relucert.errors import InputError

__all__ = [
    "MAX_CLAUSES",
    "MAX_LITERALS",
    "MAX_VARIABLES",
    "Kind",
    "PointState",
    "State",
    "Story",
    "StoryClause",
    "StoryPoint",
    "check_size",
    "tell",
]

MAX_VARIABLES = 40
MAX_CLAUSES = 200
MAX_LITERALS = 1000
"""What one page shows in full."""

Reduced = Reduction[NotAllEqualSatisfiability, RobustMemorization]


class Kind(Enum):
    """What a point stems from."""

    ORIGIN = "origin"
    LITERAL = "literal"
    PAIR = "pair"
    CLAUSE = "clause"
    MIDPOINT = "midpoint"


@dataclass(frozen=True)
class StoryPoint:
    """A point of the data set. ``coordinates``: its non-zero ones, as (DIMACS literal, value).

    ``source``: the literal, the variable of a pair or of the midpoint, or the index (from 0) of a
    not-all-equal clause; 0 for the origin. ``label``: -1 or +1.
    """

    kind: Kind
    source: int
    label: int
    coordinates: tuple[tuple[int, Fraction], ...]


@dataclass(frozen=True)
class StoryClause:
    """A clause as in the file. ``nae``: the index of the not-all-equal clause made of it.

    ``nae`` is None for a clause with a literal and its negation, which is dropped. ``same_as``:
    the index of an earlier clause with the same literals. ``repeats``: some literal comes twice.
    """

    literals: Clause
    nae: int | None
    same_as: int | None = None
    repeats: bool = False


@dataclass(frozen=True)
class PointState:
    """A point under one assignment's network, all numbers exact.

    ``sides``: h_1 and h_2 at the point. ``margin``: by how much the least favourable place of the
    ball is on the side it should be, in units of h; negative where it is not. ``pre_activations``:
    z_1 and z_2. ``output``: the network at the point. ``worst``: its minimum over the ball
    for label +1, its maximum for label -1. ``right``: the whole ball is classified as the label.
    """

    sides: tuple[Fraction, Fraction]
    margin: Fraction
    pre_activations: tuple[Fraction, Fraction]
    output: Fraction
    worst: Fraction
    right: bool


@dataclass(frozen=True)
class State:
    """What one assignment (of all variables, the helper false) makes of clauses and points.

    ``clauses``: each clause of the file has a true literal. ``nae``: each not-all-equal clause has
    a true and a false one. ``own``: the literals with weight -1 in h_1 and in h_2. ``neurons``: the
    functions z_1 and z_2 of F = 1 - relu(z_1) - relu(z_2).
    """

    values: Assignment
    clauses: tuple[bool, ...]
    nae: tuple[bool, ...]
    own: tuple[tuple[int, ...], tuple[int, ...]]
    neurons: tuple[Affine, Affine]
    points: tuple[PointState, ...]

    @property
    def memorizes(self) -> bool:
        """Whether the network classifies every whole ball."""
        return all(point.right for point in self.points)


@dataclass(frozen=True)
class Story:
    """One formula's way to points and a network.

    ``variables``: with the helper, the last one. ``clause_bound``: k. ``steepness``: t, with
    z_j = 1 - t h_j. ``radius``: how far h_j moves over a ball, mu v k. ``bound``: budgets below it
    are allowed, 1 / (2 v k). ``separation``: the least distance of points with different labels.
    ``start``: the state that the page opens with.
    """

    formula: Satisfiability
    answer: ExpectedAnswer
    clauses: tuple[StoryClause, ...]
    nae: tuple[Clause, ...]
    points: tuple[StoryPoint, ...]
    budget: Fraction
    bound: Fraction
    clause_bound: int
    steepness: Fraction
    radius: Fraction
    separation: Fraction
    start: State
    reduction: Reduced

    @property
    def variables(self) -> int:
        """v, the number of variables with the helper."""
        return self.formula.variables + 1

    @property
    def helper(self) -> int:
        """The DIMACS number of the helper variable s."""
        return self.variables

    @property
    def literals(self) -> tuple[int, ...]:
        """The literal of every coordinate."""
        return tuple(sign * v for v in range(1, self.variables + 1) for sign in (1, -1))

    def state(self, values: Sequence[bool]) -> State:
        """What an assignment of the formula's variables makes of everything, exactly."""
        return _state(self.formula, self.reduction, tuple(values))


def check_size(formula: Satisfiability) -> None:
    """Raise InputError when the formula is too large for a page."""
    size = formula.size()
    limits = {"variables": MAX_VARIABLES, "clauses": MAX_CLAUSES, "literals": MAX_LITERALS}
    for name, limit in limits.items():
        if size[name] > limit:
            raise InputError(
                f"the formula has {size[name]:,} {name}, a page shows at most {limit:,}: use "
                "'reductions reduce' for its points and 'reductions solve' for its answer"
            )


def tell(formula: Satisfiability, answer: ExpectedAnswer) -> Story:
    """The story of a formula whose answer is known, or known to be unknown.

    Opens with the answer's assignment, or with all variables false when there is none. Raises
    InputError when the formula is too large, ReductionError when the answer's assignment does
    not lead to a memorizing network (a bug).
    """
    check_size(formula)
    first = SatisfiabilityToNaeSatisfiability().reduce(formula)
    second: Reduced = NaeSatisfiabilityToRobustMemorization().reduce(first.target)
    nae, target = second.prepared, second.target
    values = answer.assignment or (False,) * formula.variables
    start = _state(formula, second, values)
    if answer.satisfiable and not start.memorizes:
        raise ReductionError("a satisfying assignment did not lead to a memorizing network")
    steepness = 2 * (1 - start.neurons[0].bias)
    radius = target.budget * start.neurons[0].norm / steepness
    return Story(
        formula=formula,
        answer=answer,
        clauses=_clauses(formula.clauses, nae),
        nae=nae.clauses,
        points=_points(nae, target),
        budget=target.budget,
        bound=target.budget * Fraction(1, 2) / radius,
        clause_bound=max(2, nae.largest_clause),
        steepness=steepness,
        radius=radius,
        separation=_separation(target),
        start=start,
        reduction=second,
    )


def _clauses(clauses: Sequence[Clause], nae: NotAllEqualSatisfiability) -> tuple[StoryClause, ...]:
    """Each clause with what has become of it."""
    places = {frozenset(clause): index for index, clause in enumerate(nae.clauses)}
    seen: dict[frozenset[int], int] = {}
    told = []
    for index, clause in enumerate(clauses):
        members = frozenset(clause)
        repeats = len(members) < len(clause)
        if any(-literal in members for literal in members):
            told.append(StoryClause(clause, None, None, repeats))
            continue
        same = seen.setdefault(members, index)
        place = places[members | {nae.variables}]
        told.append(StoryClause(clause, place, None if same == index else same, repeats))
    return tuple(told)


def _points(nae: NotAllEqualSatisfiability, target: RobustMemorization) -> tuple[StoryPoint, ...]:
    """Name the points in the order in which the rule makes them."""
    variables = range(1, nae.variables + 1)
    origins = [
        (Kind.ORIGIN, 0),
        *((Kind.LITERAL, sign * variable) for variable in variables for sign in (1, -1)),
        *((Kind.PAIR, variable) for variable in variables),
        *((Kind.CLAUSE, index) for index in range(len(nae.clauses))),
        (Kind.MIDPOINT, nae.variables),
    ]
    return tuple(
        StoryPoint(kind, source, label, tuple((_literal(i), value) for i, value in point))
        for (kind, source), point, label in zip(origins, target.points, target.labels, strict=True)
    )


def _literal(coordinate: int) -> int:
    variable = coordinate // 2 + 1
    return -variable if coordinate % 2 else variable


def _state(formula: Satisfiability, reduction: Reduced, values: Assignment) -> State:
    """Make the assignment's network by the rule, whether it solves anything or not, and look."""
    nae, target = reduction.prepared, reduction.target
    extended = (*values, False)
    # Not Reduction.encode: it refuses assignments that leave a point on the wrong side.
    form = target.form(reduction.rule.encode(nae, target, extended))
    first, second = form.neurons
    truth = [{is_true(literal, extended) for literal in clause} for clause in nae.clauses]
    literals = [sign * v for v in range(1, nae.variables + 1) for sign in (1, -1)]
    own = tuple(
        tuple(x for x in literals if is_true(x, extended) == side) for side in (True, False)
    )
    return State(
        values=values,
        clauses=tuple(any(is_true(x, values) for x in clause) for clause in formula.clauses),
        nae=tuple(len(found) == 2 for found in truth),
        own=(own[0], own[1]),
        neurons=(first, second),
        points=tuple(
            _point_state(form, point, label, target.budget)
            for point, label in zip(target.points, target.labels, strict=True)
        ),
    )


def _point_state(
    form: DepthTwoForm, point: SparsePoint, label: int, budget: Fraction
) -> PointState:
    z = (form.neurons[0](point), form.neurons[1](point))
    steepness = 2 * (1 - form.neurons[0].bias)
    h = ((1 - z[0]) / steepness, (1 - z[1]) / steepness)
    moves = [budget * neuron.norm / steepness for neuron in form.neurons]
    if label > 0:
        margin = min(value - move for value, move in zip(h, moves, strict=True))
        worst = form.minimum_on_ball(point, budget)
    else:
        margin = max(-value - move for value, move in zip(h, moves, strict=True))
        worst = form.maximum_on_ball(point, budget)
    return PointState(h, margin, z, form(point), worst, worst * label > 0)


def _separation(target: RobustMemorization) -> Fraction:
    """The least l_inf distance of two points with different labels."""
    points = [dict(point) for point in target.points]
    plus = [p for p, label in zip(points, target.labels, strict=True) if label > 0]
    minus = [p for p, label in zip(points, target.labels, strict=True) if label < 0]
    return min(
        max(abs(p.get(i, Fraction(0)) - q.get(i, Fraction(0))) for i in {*p, *q})
        for p, q in product(plus, minus)
    )
