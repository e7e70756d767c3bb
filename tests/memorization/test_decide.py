"""The decision problem against solvers and enumerations that share nothing with it."""

from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.formula_data import formula_data, random_formula

from reductions.errors import EnumerationError
from reductions.problems.robust_memorization import RobustMemorization
from reductions.sat import Satisfied, solve
from relucert.errors import QueryError, SolverError, UsageError
from relucert.lp.exact import Infeasible, feasible_point
from relucert.memorization.decision.answers import No, Unknown, Yes
from relucert.memorization.decision.check import check_no_certificate
from relucert.memorization.decision.decide import decide
from relucert.memorization.decision.largest import largest_budget
from relucert.memorization.separation import separation_bound
from relucert.query import robustness_query
from relucert.read.points import LabelledPoints
from relucert.verdict import Proved, Reason
from relucert.verify import certify


def points(rows, labels) -> LabelledPoints:
    return LabelledPoints(np.array(labels), "points", np.array(rows, dtype=float))


def problem(data: LabelledPoints, budget: Fraction, width: int) -> RobustMemorization:
    """The same question for the independent oracle; labels must be -1 and +1."""
    rows = [data.point(index) for index in range(len(data))]
    base = RobustMemorization.of_dense(rows, data.labels.tolist(), budget)
    return RobustMemorization(base.dimension, base.points, base.labels, budget, width=width)


def agrees(data: LabelledPoints, budget: Fraction, width: int, engine: str = "auto") -> bool:
    """decide's answer, checked independently whichever way it falls."""
    answer = decide(data, budget, width, engine=engine).answer
    question = problem(data, budget, width)
    if isinstance(answer, Yes):
        return question.check(answer.network)
    if not isinstance(answer, No):
        return False
    if answer.certificate is not None:
        assert check_no_certificate(data, budget, width, answer.certificate).accepted
    try:
        return question.solve_by_enumeration() is None
    except EnumerationError:
        return True


def random_set(seed: int, integer: bool) -> tuple[LabelledPoints, Fraction] | None:
    """Up to 10 points of dimension 1 to 3, and half of the separation bound; None if 0."""
    rng = np.random.default_rng(seed)
    size, dimension = int(rng.integers(2, 11)), int(rng.integers(1, 4))
    rows = rng.integers(0, 5, (size, dimension)) if integer else rng.normal(size=(size, dimension))
    data = points(rows, rng.choice([-1, 1], size))
    separation = separation_bound(data)
    return None if separation is None or not separation.bound else (data, separation.bound / 2)


@pytest.mark.parametrize("integer", [True, False])
@pytest.mark.parametrize("width", [1, 2])
def test_small_sets_agree_with_the_independent_enumeration(width, integer):
    decided = 0
    for seed in range(24):
        found = random_set(seed, integer)
        if found is None:
            continue
        data, half = found
        share = Fraction(int(np.random.default_rng(seed).integers(0, 20)), 20)
        assert agrees(data, half * share, width), seed
        decided += 1
    assert decided > 10


# -- an exhaustive oracle in the plane: all pairs of dichotomies by lines, exact ------------------


def _turn(a, b, c):
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _on_segment(p, a, b):
    inside = all(min(a[k], b[k]) <= p[k] <= max(a[k], b[k]) for k in (0, 1))
    return inside and _turn(a, b, p) == 0


def _in_hull(p, hull):
    if any(_on_segment(p, a, b) for a in hull for b in hull):
        return True
    return any(
        len({(t > 0) for t in turns}) == 1 and 0 not in turns
        for a, b, c in combinations(hull, 3)
        for turns in [(_turn(a, b, p), _turn(b, c, p), _turn(c, a, p))]
        if _turn(a, b, c)
    )


def _cross(a, b, c, d):
    first, second = _turn(a, b, c), _turn(a, b, d)
    third, fourth = _turn(c, d, a), _turn(c, d, b)
    return first * second < 0 and third * fourth < 0


def _separable(one, two):
    """Whether a line strictly separates two finite sets of the plane (their hulls are disjoint)."""
    if any(_in_hull(p, two) for p in one) or any(_in_hull(p, one) for p in two):
        return False
    return not any(
        _cross(a, b, c, d) for a, b in combinations(one, 2) for c, d in combinations(two, 2)
    )


def _subsets(rows):
    return [
        frozenset(index for index in range(len(rows)) if mask >> index & 1)
        for mask in range(2 ** len(rows))
    ]


def _wedge_exists(rows, labels, inside):
    kept = [row for row, label in zip(rows, labels, strict=True) if label == inside]
    out = [row for row, label in zip(rows, labels, strict=True) if label != inside]
    cut = [s for s in _subsets(out) if _separable(kept, [out[i] for i in s])]
    return any(len(a | b) == len(out) for a in cut for b in cut)


def _bevel_exists(rows, labels, inside):
    """F = c - relu(z1) - relu(z2) for some pair of activation patterns, by rational simplex."""
    patterns = [
        s
        for s in _subsets(rows)
        if _separable([rows[i] for i in s], [r for i, r in enumerate(rows) if i not in s])
    ]
    zero = Fraction(0)
    box = [Fraction(10**12)] * 7
    for first, second in combinations(patterns, 2):
        matrix, limits = [], []
        for index, (x, y) in enumerate(rows):
            z = [Fraction(x), Fraction(y), Fraction(1)]
            output = [zero] * 6 + [Fraction(1)]
            for start, pattern in ((0, first), (3, second)):
                sign = 1 if index in pattern else -1
                row = [zero] * 7
                row[start : start + 3] = [-sign * value for value in z]
                matrix.append(row)
                limits.append(zero)
                if index in pattern:
                    output[start : start + 3] = [-value for value in z]
            side = 1 if labels[index] == inside else -1
            matrix.append([-side * value for value in output])
            limits.append(Fraction(-1))
        lower = [-value for value in box]
        if not isinstance(feasible_point(lower, box, matrix, limits), Infeasible):
            return True
    return False


def _plane_set(seed):
    rng = np.random.default_rng(1000 + seed)
    size = int(rng.integers(3, 8))
    rows = list({tuple(row) for row in rng.integers(0, 4, (size, 2)).tolist()})
    return rows, rng.choice([-1, 1], len(rows)).tolist()


def _agrees_with_all_dichotomies(seed, bevels):
    rows, labels = _plane_set(seed)
    answer = decide(points(rows, labels), Fraction(0), 2).answer
    wedge = any(_wedge_exists(rows, labels, inside) for inside in (-1, 1))
    if isinstance(answer, Yes):
        assert problem(points(rows, labels), Fraction(0), 2).check(answer.network)
        return wedge or not bevels or any(_bevel_exists(rows, labels, i) for i in (-1, 1))
    assert isinstance(answer, No)
    return not wedge and (
        not bevels or not any(_bevel_exists(rows, labels, inside) for inside in (-1, 1))
    )


@pytest.mark.parametrize("seed", range(40))
def test_the_plane_agrees_with_all_pairs_of_half_planes(seed):
    assert _agrees_with_all_dichotomies(seed, bevels=False)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(300))
def test_the_plane_agrees_with_all_dichotomies_by_pairs_of_lines(seed):
    assert _agrees_with_all_dichotomies(seed, bevels=True)


# -- 3-SAT through the reduction -------------------------------------------------------------------


def _formula_agrees(variables, ratio, seed, share, engine="auto"):
    formula = random_formula(variables, ratio, seed)
    instance = formula_data(formula, share)
    answer = decide(instance.data, instance.budget, 2, engine=engine).answer
    if isinstance(solve(formula), Satisfied):
        return isinstance(answer, Yes) and instance.solved_by(answer.network)
    if not isinstance(answer, No):
        return False
    return (
        engine == "milp"
        or check_no_certificate(instance.data, instance.budget, 2, answer.certificate).accepted
    )


@pytest.mark.parametrize("share", [Fraction(0), Fraction(9, 10)])
@pytest.mark.parametrize("seed", range(6))
def test_formulas_agree_with_a_sat_solver(seed, share):
    assert _formula_agrees(3 + seed, 4 + seed % 3, seed, share)


@pytest.mark.slow
@pytest.mark.parametrize("share", [Fraction(0), Fraction(9, 10)])
@pytest.mark.parametrize("seed", range(200))
def test_200_formulas_agree_with_a_sat_solver(seed, share):
    assert _formula_agrees(3 + seed % 10, 2 + seed % 5 + (seed % 7) / 7, seed, share)


@pytest.mark.slow
@pytest.mark.parametrize("share", [Fraction(0), Fraction(9, 10)])
@pytest.mark.parametrize("seed", range(4))
def test_the_milp_agrees_with_a_sat_solver(seed, share):
    assert _formula_agrees(3, 3 + 2 * (seed % 2), seed, share, engine="milp")


# -- exact thresholds, degenerate data ------------------------------------------------------------

XOR = ([[0, 0], [1, 1], [0, 1], [1, 0]], [-1, -1, 1, 1])


def test_a_budget_at_the_threshold_is_no_and_just_below_it_is_yes():
    """The strip between x + y = 1/2 and 3/2 keeps distance 1/4: no wider one exists."""
    data = points(*XOR)
    assert isinstance(decide(data, Fraction(1, 4), 2).answer, No)
    assert isinstance(decide(data, Fraction(1, 4) - Fraction(1, 10**5), 2).answer, Yes)


def test_width_one_at_its_threshold():
    """Points 0 and 3 against 1 and 4 on the lines y = 0 and y = 1, width 1: distance 1 / 2."""
    data = points([[0, 0], [3, 0], [1, 1], [4, 1]], [-1, -1, 1, 1])
    half = separation_bound(data).bound / 2
    assert half == Fraction(1, 2)
    assert isinstance(decide(data, half - Fraction(1, 10**6), 1).answer, Yes)
    data = points([[0, 0], [2, 0], [1, 1], [3, 1], [0.5, 1]], [-1, -1, 1, 1, 1])
    bracket = largest_budget(data, 1)
    assert bracket.open_because is None
    assert bracket.upper - bracket.lower <= Fraction(1, 1000)


def test_xor_needs_two_neurons():
    data = points(*XOR)
    assert isinstance(decide(data, Fraction(0), 1).answer, No)
    assert isinstance(decide(data, Fraction(0), 2).answer, Yes)


def test_the_largest_budget_of_xor_is_a_quarter():
    bracket = largest_budget(points(*XOR), 2, precision=Fraction(1, 500))
    assert bracket.lower < Fraction(1, 4) <= bracket.upper
    assert bracket.upper - bracket.lower <= Fraction(1, 1000)
    assert problem(points(*XOR), bracket.lower, 2).check(bracket.yes.network)
    assert check_no_certificate(points(*XOR), bracket.upper, 2, bracket.no.certificate).accepted


def test_alternating_points_on_a_line_need_more_neurons_one_by_one():
    rows = [[k, 2 * k] for k in range(5)]
    labels = [1, -1, 1, -1, 1]
    assert isinstance(decide(points(rows[:3], labels[:3]), Fraction(1, 4), 2).answer, Yes)
    assert isinstance(decide(points(rows[:4], labels[:4]), Fraction(0), 2).answer, No)
    assert isinstance(decide(points(rows, labels), Fraction(0), 2).answer, No)


def test_one_label_and_one_point_have_constant_networks():
    for rows, labels, sign in (([[1, 2], [3, 4]], [5, 5], 1), ([[1, 2]], [-3], -1)):
        for width in (1, 2, 3):
            answer = decide(points(rows, labels), Fraction(7), width).answer
            assert isinstance(answer, Yes)
            assert answer.network.evaluate_exactly([Fraction(9), Fraction(-9)]) == (sign,)
            assert "one label" in answer.shape


def test_repeated_points_do_not_matter_but_contradictions_do():
    rows, labels = XOR
    data = points([*rows, rows[0], rows[2]], [*labels, labels[0], labels[2]])
    assert agrees(data, Fraction(1, 5), 2)
    with pytest.raises(QueryError, match=r"rows 0 and 4.*are equal"):
        decide(points([*rows, rows[0]], [*labels, 1]), Fraction(0), 2)


@pytest.mark.parametrize(
    ("labels", "signs"),
    [([0, 1, 1], (-1, 1, 1)), ([2, 1, 1], (1, -1, -1)), ([-7, 9, -7], (-1, 1, -1))],
)
def test_two_labels_are_mapped_to_signs(labels, signs):
    decided = decide(points([[0], [1], [3]], labels), Fraction(1, 4), 2)
    low, high = min(labels), max(labels)
    assert decided.labels == f"label map: {low}->-1, {high}->1"
    assert decided.answer.network.notes == (decided.labels,)
    for x, sign in zip((0, 1, 3), signs, strict=True):
        assert decided.answer.network.evaluate_exactly([Fraction(x)])[0] * sign > 0


def test_budgets_that_no_network_can_have_are_refused():
    with pytest.raises(QueryError, match=r"0\.5 is not below half.*bound 1: rows 0 and "):
        decide(points(*XOR), Fraction(1, 2), 2)
    with pytest.raises(QueryError, match="negative"):
        decide(points(*XOR), Fraction(-1), 2)


def test_bad_options_are_refused(monkeypatch):
    data = points(*XOR)
    for options in ({"width": 0}, {"engine": "magic"}, {"timeout": 0.0}, {"solver": "none"}):
        with pytest.raises(UsageError):
            decide(data, Fraction(0), **options)
    with pytest.raises(QueryError, match="would need about"):
        decide(data, Fraction(0), memory=1000.0)
    monkeypatch.setitem(__import__("sys").modules, "pysat.solvers", None)
    with pytest.raises(SolverError, match=r"relucert\[sat\]"):
        decide(data, Fraction(0), 2)


def test_limits_and_interrupts_are_unknown(monkeypatch):
    instance = formula_data(random_formula(8, 4.26, 1))
    answer = decide(instance.data, Fraction(0), 2, timeout=1e-6).answer
    assert isinstance(answer, Unknown)
    assert answer.reason is Reason.TIME

    def interrupt(words):
        raise KeyboardInterrupt

    answer = decide(instance.data, Fraction(0), 2, progress=interrupt).answer
    assert isinstance(answer, Unknown)
    assert answer.reason is Reason.INTERRUPTED


@pytest.mark.parametrize("engine", ["sat", "milp"])
@pytest.mark.parametrize("label", [1, -1])
@pytest.mark.parametrize("budget", [Fraction(0), Fraction(1, 50)])
def test_three_edges_need_a_bevel(label, budget, engine):
    """Around x < 1, y < 1, x + y < 1: no two half-planes exclude all points outside."""
    inside = [[0.875, -3], [0.875, 0], [0.4375, 0.4375], [0, 0.875], [-3, 0.875]]
    outside = [[1.125, -3], [1.125, 0], [0.5625, 0.5625], [0, 1.125], [-3, 1.125]]
    data = points(inside + outside, [label] * 5 + [-label] * 5)
    answer = decide(data, budget, 2, engine=engine).answer
    assert isinstance(answer, Yes)
    assert answer.shape == f"bevel around label {label:+d}"
    assert problem(data, budget, 2).check(answer.network)


def test_points_far_from_the_origin_and_tiny_ones_are_decided_alike():
    rows, labels = np.array(XOR[0], dtype=float), XOR[1]
    for scale, shift in ((2.0**-30, 0.0), (2.0**20, 2.0**40), (1.0, -1000.0)):
        data = points(rows * scale + shift, labels)
        assert agrees(data, Fraction(1, 5) * Fraction(scale), 2)
        assert agrees(data, Fraction(1, 4) * Fraction(scale), 2)


def test_coordinates_of_very_different_sizes_are_no_obstacle_without_balls():
    rows = np.array([[0, 0], [1e-9, 1e9], [0, 1e9], [1e-9, 0]])
    assert isinstance(decide(points(rows, XOR[1]), Fraction(0), 1).answer, No)
    assert agrees(points(rows, XOR[1]), Fraction(0), 2)
    nearly = [[0, 0], [1, 1e-9], [2, 0], [1, -1e-9], [3, 1e-9]]
    assert agrees(points(nearly, [1, -1, 1, 1, -1]), Fraction(0), 2)


def test_weights_beyond_float64_are_unknown():
    data = points(np.array(XOR[0]) * 2.0**-1040, XOR[1])
    answer = decide(data, Fraction(0), 2).answer
    assert isinstance(answer, Unknown)
    assert answer.reason is Reason.NUMERICS


def test_the_same_question_has_the_same_answer_to_the_last_bit():
    instance = formula_data(random_formula(5, 6, 1), Fraction(9, 10))
    first, second = (decide(instance.data, instance.budget, 2).answer for _ in range(2))
    if isinstance(first, No):
        assert first == second
    else:
        layers = zip(first.network.layers, second.network.layers, strict=True)
        assert all(np.array_equal(a.weight, b.weight) for a, b in layers)


# -- balls -----------------------------------------------------------------------------------------


def test_a_ball_at_the_corner_of_a_wedge_is_excluded_by_two_half_spaces_together():
    """Balls outside may be excluded by no half-space alone; the network still must be right."""
    rng = np.random.default_rng(5)
    together = 0
    for _ in range(40):
        found = random_set(int(rng.integers(10**6)), integer=True)
        if found is None:
            continue
        data, half = found
        budget = half * Fraction(19, 20)
        answer = decide(data, budget, 2).answer
        assert not isinstance(answer, Unknown)
        if isinstance(answer, Yes):
            assert problem(data, budget, 2).check(answer.network)
        else:
            together += any(
                entry[1] is not None
                for shape in answer.certificate["shapes"]
                for entry in shape["points"]
            )
    assert together > 0


# -- general width and more labels -----------------------------------------------------------------


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10**6))
def test_more_labels_are_decided_by_nearest(seed):
    rng = np.random.default_rng(seed)
    data = points([[k] for k in range(4)], rng.integers(1, 4, 4))
    decided = decide(data, Fraction(1, 5), 2)
    answer = decided.answer
    if len(set(data.labels.tolist())) < 3 or not isinstance(answer, Yes):
        return
    kind = decided.labels
    targets = {int(a): int(b) for a, b in (p.split("->") for p in kind[11:].split(", "))}
    from relucert.query import Decision

    for index in range(4):
        query = robustness_query(
            data.point(index), targets[data.label(index)], Decision("nearest", 3),
            radius=Fraction(1, 5),
        )  # fmt: skip
        assert isinstance(certify(answer.network, query).verdict, Proved)


def test_a_monotone_staircase_of_labels():
    rows, labels = [[0], [1], [2], [3]], [10, 20, 30, 20]
    yes = decide(points(rows, labels), Fraction(1, 5), 2)
    assert isinstance(yes.answer, Yes)
    assert yes.labels == "label map: 10->1, 20->2, 30->3"
    no = decide(points(rows, labels), Fraction(1, 5), 1).answer
    assert isinstance(no, No)
    assert no.certificate is None
    assert "margin above 1.0e-05" in no.words


def test_three_neurons_do_what_two_cannot():
    data = points([[0], [1], [2], [3], [4]], [-1, 1, -1, 1, -1])
    assert isinstance(decide(data, Fraction(3, 10), 2).answer, No)
    answer = decide(data, Fraction(3, 10), 3).answer
    assert isinstance(answer, Yes)
    assert answer.network.layers[0].output_size == 3


def test_both_engines_agree_on_small_sets():
    for seed in range(6):
        found = random_set(seed, integer=True)
        if found is not None:
            data, half = found
            exact = decide(data, half / 2, 2).answer
            milp = decide(data, half / 2, 2, engine="milp").answer
            assert type(milp) is type(exact)
            if isinstance(milp, Yes):
                assert problem(data, half / 2, 2).check(milp.network)
            else:
                assert milp.eps_min is not None
