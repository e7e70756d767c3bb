"""The story against the definitions of the theory, written down anew and enumerated."""

from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reductions.answers import ExpectedAnswer, Why, expected_answer
from reductions.chains import chain_to
from reductions.errors import ReductionError
from reductions.explaining.story import Kind, Story, check_size, tell
from reductions.problems.satisfiability import Satisfiability
from relucert.errors import InputError

UNKNOWN = ExpectedAnswer(None, Why.UNKNOWN, "not asked")
WORKED = Satisfiability(2, ((1, 2), (-1,)))  # docs/theory.md, section 3


@st.composite
def formulas(draw, variables=3, clauses=4):
    count = draw(st.integers(0, variables))
    literal = st.integers(1, max(count, 1)).flatmap(lambda v: st.sampled_from([v, -v]))
    size = 4 if count else 0
    drawn = draw(st.lists(st.lists(literal, max_size=size), max_size=clauses))
    return Satisfiability(count, tuple(map(tuple, drawn)))


def told(formula: Satisfiability) -> Story:
    return tell(formula, UNKNOWN)


def holds(literal: int, values: tuple[bool, ...]) -> bool:
    return values[abs(literal) - 1] == (literal > 0)


def assignments(formula: Satisfiability):
    return product((False, True), repeat=formula.variables)


@given(formulas())
def test_every_clause_leads_to_its_own_point(formula):
    story = told(formula)
    s = formula.variables + 1
    for index, (clause, source) in enumerate(zip(story.clauses, formula.clauses, strict=True)):
        assert clause.literals == source
        assert clause.repeats == (len(set(source)) < len(source))
        if any(-literal in source for literal in source):
            assert clause.nae is None
            continue
        assert set(story.nae[clause.nae]) == {*source, s}
        [point] = [p for p in story.points if (p.kind, p.source) == (Kind.CLAUSE, clause.nae)]
        assert point.label == 1
        assert dict(point.coordinates) == dict.fromkeys({*source, s}, 1)
        first = next(k for k, other in enumerate(formula.clauses) if set(other) == set(source))
        assert clause.same_as == (None if first == index else first)
    assert {clause.nae for clause in story.clauses} - {None} == set(range(len(story.nae)))


@given(formulas())
def test_the_other_points_are_those_of_the_theory(formula):
    story = told(formula)
    s = formula.variables + 1
    variables = range(1, s + 1)
    expected = {
        (Kind.ORIGIN, 0): (1, {}),
        **{(Kind.LITERAL, k * v): (-1, {k * v: 1}) for v in variables for k in (1, -1)},
        **{(Kind.PAIR, v): (1, {v: 1, -v: 1}) for v in variables},
        (Kind.MIDPOINT, s): (1, {s: Fraction(1, 2), -s: Fraction(1, 2)}),
    }
    found = {
        (p.kind, p.source): (p.label, dict(p.coordinates))
        for p in story.points
        if p.kind is not Kind.CLAUSE
    }
    assert found == expected
    assert len(story.points) == 3 * s + len(story.nae) + 2


@given(formulas())
def test_the_points_are_those_that_reduce_writes(formula):
    story, target = told(formula), chain_to("robust-memorization", formula, {}).target
    coordinates = [
        tuple((2 * abs(x) - (2 if x > 0 else 1), value) for x, value in p.coordinates)
        for p in story.points
    ]
    assert tuple(coordinates) == target.points
    assert tuple(p.label for p in story.points) == target.labels
    assert story.budget == target.budget


@given(formulas())
def test_wrong_points_are_those_of_false_clauses(formula):
    """And the numbers are those of the theory, for every assignment."""
    story = told(formula)
    k = max([2, *(len(clause) for clause in story.nae)])
    v = formula.variables + 1
    assert (story.clause_bound, story.bound) == (k, Fraction(1, 2 * v * k))
    assert story.radius == story.budget * v * k
    for values in assignments(formula):
        state, extended = story.state(values), (*values, False)
        satisfied = [any(holds(x, values) for x in clause) for clause in formula.clauses]
        assert list(state.clauses) == satisfied
        assert state.memorizes == all(satisfied)
        false = {c.nae for c, good in zip(story.clauses, satisfied, strict=True) if not good}
        assert {n for n, good in enumerate(state.nae) if not good} == false
        for point, found in zip(story.points, state.points, strict=True):
            own = sum((x for a, x in point.coordinates if holds(a, extended)), Fraction(0))
            other = sum((x for a, x in point.coordinates if not holds(a, extended)), Fraction(0))
            h = (Fraction(1, 2) - own + (k - 1) * other, Fraction(1, 2) - other + (k - 1) * own)
            assert found.sides == h
            assert found.pre_activations == tuple(1 - story.steepness * side for side in h)
            assert found.output == 1 - sum(max(0, z) for z in found.pre_activations)
            assert found.right == (not (point.kind is Kind.CLAUSE and point.source in false))
            assert (found.margin > 0) == found.right
            assert found.margin == point.label * min(h) - story.radius


@given(formulas())
def test_the_worst_value_is_attained_and_bounds_the_corners(formula):
    """Corners of balls are points; F there is computed from its definition."""
    story = told(formula)
    state = story.start
    z = state.neurons
    for point, found in zip(story.points, state.points, strict=True):
        centre = [Fraction(0)] * (2 * story.variables)
        for literal, value in point.coordinates:
            centre[2 * abs(literal) - (2 if literal > 0 else 1)] = value
        values = []
        for neuron in z:  # the corners that move one neuron as far as possible, either way
            for sign in (1, -1):
                corner = [
                    x + story.budget * sign * (1 if neuron.weights[i] > 0 else -1)
                    for i, x in enumerate(centre)
                ]
                pre = [sum(n.weights[i] * x for i, x in enumerate(corner)) + n.bias for n in z]
                values.append(1 - sum(max(0, value) for value in pre))
        assert found.worst == (min(values) if point.label > 0 else max(values))


def test_the_worked_example():
    """The table of points in docs/theory.md, section 3."""
    story = tell(WORKED, expected_answer(WORKED))
    assert story.start.values == (False, True)
    assert story.start.own == ((-1, 2, -3), (1, -2, 3))
    table = [(p.pre_activations, p.output, p.worst) for p in story.start.points]
    one, two = ((-9, 3), -2, -1), ((3, -9), -2, -1)
    inside = [((-5, -5), 1, 1)] * 3
    assert table == [
        *[((-1, -1), 1, 1), one, two, two, one, one, two],
        *[*inside, ((-13, -1), 1, 1), ((-5, -5), 1, 1), ((-3, -3), 1, 1)],
    ]
    sizes = (story.budget, story.bound, story.steepness, story.radius, story.separation)
    assert sizes == (Fraction(1, 36), Fraction(1, 18), 4, Fraction(1, 4), Fraction(1, 2))


@given(formulas())
def test_the_separation_bound(formula):
    story = told(formula)
    empty = any(not clause for clause in formula.clauses)
    assert story.separation == (0 if empty else Fraction(1, 2))


def test_opens_with_the_answers_assignment():
    story = tell(WORKED, ExpectedAnswer(True, Why.PLANTED, assignment=(False, True)))
    assert story.start.values == (False, True)
    assert story.start.memorizes
    assert told(WORKED).start.values == (False, False)


def test_an_assignment_that_is_none_is_not_shown_as_one():
    with pytest.raises(ReductionError):
        tell(WORKED, ExpectedAnswer(True, Why.PLANTED, assignment=(True, True)))


@pytest.mark.parametrize(
    ("variables", "clauses", "name"),
    [(41, 1, "variables"), (3, 201, "clauses"), (3, 2, "literals")],
)
def test_limits(variables, clauses, name):
    clause = (1,) * 501 if name == "literals" else (1, 2, 3)
    with pytest.raises(InputError, match=name):
        check_size(Satisfiability(variables, (clause,) * clauses))
    check_size(Satisfiability(40, ((1, 2, 3),) * 200))
