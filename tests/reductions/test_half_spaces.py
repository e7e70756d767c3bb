"""Deciding memorization of a few points: both answers, their certificates, and the margin gap."""

import random
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise, product

import numpy as np
import pytest

from reductions.errors import EnumerationError
from reductions.graph import path
from reductions.problems import RobustMemorization, Satisfiability
from reductions.problems.depth_two import depth_two_form
from reductions.problems.half_space_lp import (
    Location,
    Row,
    Separation,
    is_contradiction,
    separate,
)
from reductions.problems.half_space_search import search_shape, shapes
from reductions.target_solutions import memorizers


def line(points, labels, budget=0, width=2):
    data = RobustMemorization.of_dense([[point] for point in points], labels, Fraction(budget))
    return RobustMemorization(data.dimension, data.points, data.labels, data.budget, width=width)


@pytest.mark.parametrize("labels", list(product((-1, 1), repeat=5)))
def test_points_on_a_line(labels):
    # A wedge or bevel on a line is an interval: two neurons allow two changes of sign, one one.
    changes = sum(a != b for a, b in pairwise(labels))
    for width in (1, 2):
        data = line(range(5), labels, Fraction(1, 3), width)
        network = data.solve_by_enumeration()
        assert (network is not None) == (changes <= width)
        assert network is None or data.check(network)


def test_balls_that_meet_are_not_separated():
    assert line([0, 1], [1, -1], Fraction(1, 2)).solve_by_enumeration() is None
    assert line([0, 1], [1, -1], Fraction(49, 100)).solve_by_enumeration() is not None


def test_a_point_with_both_labels():
    assert line([0, 0], [1, -1]).solve_by_enumeration() is None


def test_no_points_and_one_label():
    assert RobustMemorization(1, (), ()).solve_by_enumeration() is not None
    assert line([0, 1, 2], [-1, -1, -1], 5).solve_by_enumeration() is not None


def test_exclusive_or_of_two():
    square = [[0, 0], [0, 1], [1, 0], [1, 1]]
    data = RobustMemorization.of_dense(square, [-1, 1, 1, -1], Fraction(1, 5))
    assert data.check(data.solve_by_enumeration())


def test_exclusive_or_of_three_needs_more():
    cube = list(product((0, 1), repeat=3))
    labels = [1 if sum(corner) % 2 else -1 for corner in cube]
    assert RobustMemorization.of_dense(cube, labels).solve_by_enumeration() is None


def test_a_ball_that_no_single_half_plane_excludes_is_left_open_or_solved():
    # Inside: far up on both sides of a wide ball below; the answer must never be a wrong "no".
    points = [[-40, 41], [40, 41], [0, 41], [0, 0]]
    data = RobustMemorization.of_dense(points, [1, 1, 1, -1], Fraction(39, 2))
    try:
        network = data.solve_by_enumeration()
    except EnumerationError:
        return
    assert network is not None
    assert data.check(network)


def test_too_many_points():
    with pytest.raises(EnumerationError, match="too many"):
        line(range(200), [1, -1] * 100).solve_by_enumeration()


def rows_of(points, sides, radius=Fraction(0)):
    return [
        Row(0, side, Location(tuple(map(Fraction, p)), np.array(p, dtype=float)), radius)
        for p, side in zip(points, sides, strict=True)
    ]


def test_contradictions_are_checked_exactly():
    rows = rows_of([[0], [2], [1]], [1, 1, -1])
    half = Fraction(1, 2)
    assert is_contradiction(rows, [half, half, Fraction(1)], bevel=False)
    assert not is_contradiction(rows, [half, half, Fraction(2)], bevel=False)
    assert not is_contradiction(rows, [Fraction(0)] * 3, bevel=False)
    assert not is_contradiction(rows, [-half, -half, Fraction(-1)], bevel=False)
    nearly = Fraction(1, 2) + Fraction(1, 10**12)
    assert not is_contradiction(rows, [nearly, 1 - nearly, Fraction(1)], bevel=False)


@pytest.mark.parametrize("bevel", [False, True])
def test_separate_answers_with_a_solution_or_a_contradiction(bevel):
    rng = random.Random(bevel)
    answers = set()
    for _ in range(150):
        count = rng.randint(1, 7)
        points = [[rng.randint(0, 3) for _ in range(2)] for _ in range(count)]
        radius = Fraction(rng.randint(0, 2), 5)
        rows = [
            Row(rng.randrange(3) if bevel else 0, rng.choice((1, -1)), row.location, radius)
            for row in rows_of(points, [1] * count)
        ]
        answer = separate(rows, 2, bevel=bevel)
        answers.add(isinstance(answer, Separation))
        if isinstance(answer, Separation):
            assert all(holds(row, answer, bevel) for row in rows)
        else:
            # A contradiction must stay one when only its rows are asked for.
            assert not isinstance(separate(answer, 2, bevel=bevel), Separation)
    assert answers == {True, False}


def holds(row, found, bevel):
    """The row's inequality for the functions found, in rationals."""
    weights = [[Fraction(float(w)) for w in row_] for row_ in found.weights]
    biases = [Fraction(float(b)) for b in found.biases]
    if bevel:
        members = ((0,), (1,), (0, 1))[row.half_space]
        w = [-sum(weights[k][i] for k in members) for i in range(2)]
        b = Fraction(found.level) - sum(biases[k] for k in members)
    else:
        w, b = weights[0], biases[0]
    value = sum(x * y for x, y in zip(w, row.location.exact, strict=True)) + b
    return row.side * value > row.radius * sum(map(abs, w))


def random_formula(rng, variables, clauses):
    chosen = [rng.sample(range(1, variables + 1), 3) for _ in range(clauses)]
    return Satisfiability(
        variables, tuple(tuple(rng.choice((1, -1)) * x for x in clause) for clause in chosen)
    )


def largest_wedge_margin(data):
    """The best margin over all wedges: a mixed-integer programme, independent of the search."""
    from scipy.optimize import Bounds, LinearConstraint, milp

    points = np.array([[float(x) for x in row] for row in data.dense_points()])
    inside, outside = points[np.array(data.labels) > 0], points[np.array(data.labels) < 0]
    size, count = points.shape[1], len(outside)
    columns = 2 * (size + 1) + 1 + count
    rows, lower = [], []
    for j in range(2):
        start = j * (size + 1)
        for point in inside:
            row = np.zeros(columns)
            row[start : start + size + 1] = [*point, 1.0]
            row[2 * (size + 1)] = -1.0
            rows.append(row)
            lower.append(0.0)
        for index, point in enumerate(outside):
            # -h_j >= eps unless the other half-space is chosen; |h_j| + eps <= M.
            row = np.zeros(columns)
            big = float(np.abs(point).sum()) + 2.0
            row[start : start + size + 1] = [*-point, -1.0]
            row[2 * (size + 1)] = -1.0
            row[2 * (size + 1) + 1 + index] = big if j == 0 else -big
            rows.append(row)
            lower.append(0.0 if j == 0 else -big)
    cost = np.zeros(columns)
    cost[2 * (size + 1)] = -1.0
    result = milp(
        cost,
        constraints=LinearConstraint(np.array(rows), lb=np.array(lower)),
        integrality=np.concatenate([np.zeros(columns - count), np.ones(count)]),
        bounds=Bounds(
            np.concatenate([np.full(2 * (size + 1), -1.0), [0.0], np.zeros(count)]),
            np.concatenate([np.ones(2 * (size + 1) + 1), np.ones(count)]),
        ),
    )
    return -result.fun


def test_margin_gap_between_a_sixth_and_nothing():
    # At least a sixth when satisfiable (the first formula attains it), else nothing.
    chained = ((1,), (-1, 2), (-2, 3), (-1, -2, -3))
    tight = ((1, 2, 3), (1, 2, -3), (1, -2, 3))
    for clauses, satisfiable in ((tight, True), (chained[1:], True), (chained, False)):
        formula = Satisfiability(3, clauses)
        data = path("satisfiability", "robust-memorization").reduce(formula).target
        margin = largest_wedge_margin(data)
        assert margin > 1 / 6 - 1e-6 if satisfiable else margin < 1e-6
        assert clauses != tight or margin == pytest.approx(1 / 6, abs=1e-6)
        assert (data.solve_by_enumeration() is not None) == satisfiable


def uses_the_third_half_space(network, data, variables):
    """The unit vectors that only c - z1 - z2 <= 0 excludes."""
    form = depth_two_form(network)
    c, (z1, z2) = form.constant, form.neurons
    units = data.points[1 : 1 + 2 * variables]
    return [i for i, unit in enumerate(units) if z1(unit) < c and z2(unit) < c]


def test_bevels_that_need_their_third_half_space_decode():
    rng = random.Random(8)
    truly, recolored = 0, set()
    for _ in range(3):
        formula = random_formula(rng, 3, 4)
        reduction = path("satisfiability", "robust-memorization").reduce(formula)
        data = reduction.target
        (bevel,) = [shape for shape in shapes(data) if shape.colors == 3 and shape.label == 1]
        for literal in range(8):
            network = search_shape(data, replace(bevel, only_third=frozenset({literal})), rng)
            if network is None:
                continue
            assert data.check(network)
            assert formula.check(reduction.decode(network))
            third = uses_the_third_half_space(network, data, 4)
            assert literal in third
            truly += 1
            form = depth_two_form(network)
            recolored.update(
                form.neurons[0](data.points[1 + i]) < form.neurons[0].bias for i in third
            )
    assert truly >= 20
    assert recolored == {True, False}


def test_wedges_and_bevels_of_all_kinds_are_among_the_variants():
    rng = random.Random(9)
    formula = random_formula(rng, 3, 3)
    reduction = path("satisfiability", "robust-memorization").reduce(formula)
    first = reduction.encode(formula.solve_by_enumeration())
    found = [n for n in memorizers(reduction.target, [first], rng) if reduction.target.check(n)]
    signs = {depth_two_form(network).signs for network in found}
    assert signs == {(-1, -1), (1, -1), (-1, 1)}
    assert all(formula.check(reduction.decode(network)) for network in found)
