"""Lipschitz constants against enumeration of sign patterns, sampling and theory."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog
from support.random_networks import boxes, networks

from relucert.errors import QueryError, UsageError
from relucert.memorization.construct import construct
from relucert.memorization.lipschitz_constant import lipschitz_constant
from relucert.memorization.separation import separation_bound
from relucert.network import Layer, Network
from relucert.query import Box
from relucert.read.points import LabelledPoints
from relucert.verdict import Reason

SMALL = st.integers(-3, 3).map(float)


def unit_box(size, low=-1, high=1):
    return Box((Fraction(low),) * size, (Fraction(high),) * size)


def enumerated(network, coefficients, box, norm):
    """The steepest pattern whose open region holds a point: all patterns, one LP for each.

    Shares nothing with the search: patterns by itertools, regions by scipy, floats throughout.
    """
    size = network.input_size
    lower, upper = (-1e6, 1e6) if box is None else box.enclosing_floats
    lower, upper = np.broadcast_to(lower, size), np.broadcast_to(upper, size)
    free = upper > lower
    best = 0.0
    masks = [layer.relu for layer in network.layers]
    count = sum(int(mask.sum()) for mask in masks)
    for signs in itertools.product((0, 1), repeat=count):
        rest = list(signs)
        matrix, offset = np.eye(size), np.zeros(size)
        rows, limits, dead = [], [], False
        for layer, mask in zip(network.layers, masks, strict=True):
            divisor = np.ones(len(layer.bias)) if layer.divisor is None else layer.divisor
            matrix = (layer.weight @ matrix) / divisor[:, None]
            offset = (layer.weight @ offset + layer.bias) / divisor
            for index in np.flatnonzero(mask):
                sign = 2 * rest.pop(0) - 1
                row, limit = sign * matrix[index], sign * offset[index]
                moving = row[free]
                if np.abs(moving).max(initial=0.0) < 1e-12:
                    value = limit + row[~free] @ lower[~free]
                    # A constant form has one phase; zero counts as inactive.
                    dead |= (value <= 0) if sign == 1 else (value < 0)
                else:
                    scale = np.abs(moving).max()
                    rows.append(row / scale)
                    limits.append(limit / scale)
                if sign == -1:
                    matrix[index], offset[index] = 0.0, 0.0
        if dead:
            continue
        if rows:
            table = np.column_stack([-np.array(rows), np.ones(len(rows))])
            bounds = [*zip(lower, upper, strict=True), (None, 1.0)]
            found = linprog([*([0.0] * size), -1.0], table, limits, bounds=bounds)
            if found.status != 0 or found.x[-1] <= 1e-9:
                continue
        gradient = (np.array(coefficients) @ matrix)[free]
        best = max(best, {"linf": np.abs(gradient).sum(), "l1": np.abs(gradient).max(initial=0.0),
                          "l2": float(gradient @ gradient)}[norm])  # fmt: skip
    return float(best)


def check_pair(network, coefficients, box, found):
    """The lower end is the slope of a pair in the box, by this test's own arithmetic."""
    if found.pair is None:
        assert found.lower == 0
        return
    first, second = found.pair.first, found.pair.second
    assert box is None or (box.contains(first) and box.contains(second))
    values = [
        sum(c * v for c, v in zip(coefficients, network.evaluate_exactly(x), strict=True))
        for x in (first, second)
    ]
    moves = [abs(a - b) for a, b in zip(first, second, strict=True)]
    change = abs(values[0] - values[1])
    distance = {"linf": max(moves), "l1": sum(moves), "l2": sum(m * m for m in moves)}
    power = 2 if found.norm.name == "l2" else 1
    assert found.lower == change**power / distance[found.norm.name]


@given(st.data(), st.sampled_from(["linf", "l1", "l2"]))
def test_equals_the_enumeration_of_all_patterns(data, norm):
    network = data.draw(networks(max_inputs=3, max_width=3, max_hidden=2, outputs=2, entries=SMALL))
    box = data.draw(st.one_of(st.none(), boxes(network.input_size)))
    coefficients = data.draw(st.sampled_from([(1, 0), (0, 1), (1, -1)]))
    found = lipschitz_constant(network, coefficients, box=box, norm=norm)
    assert found.exact
    assert found.reason is None
    check_pair(network, coefficients, box, found)
    expected = enumerated(network, coefficients, box, norm)
    assert float(found.upper) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@given(networks(max_inputs=2, max_width=4, max_hidden=2, outputs=1), st.integers(0, 2**31))
def test_wild_weights_give_a_bracket_that_samples_never_leave(network, seed):
    box = unit_box(network.input_size)
    found = lipschitz_constant(network, (1,), box=box, norm="linf", timeout=20)
    assert found.exact
    check_pair(network, (1,), box, found)
    generator = np.random.default_rng(seed)
    for _ in range(20):
        ends = [
            tuple(Fraction(int(v), 64) for v in generator.integers(-64, 65, network.input_size))
            for _ in range(2)
        ]
        distance = max(abs(a - b) for a, b in zip(*ends, strict=True))
        if distance:
            one, two = (network.evaluate_exactly(x)[0] for x in ends)
            assert abs(one - two) / distance <= found.upper


def test_affine_zero_and_constant_networks():
    affine = Network.dense([np.array([[3.0, -4.0]])], [np.array([7.0])])
    for norm, value in (("linf", 7), ("l1", 4), ("l2", 25)):
        for box in (None, unit_box(2)):
            found = lipschitz_constant(affine, (1,), box=box, norm=norm)
            assert found.lower == found.upper == value
    zero = Network.dense([np.zeros((3, 2)), np.zeros((1, 3))], [np.zeros(3), np.ones(1)])
    found = lipschitz_constant(zero, (1,))
    assert found.lower == found.upper == 0
    assert found.pair is None


def test_a_pattern_that_only_ties_show_does_not_count():
    # relu(x) - relu(-x) + relu(x) ... : z, -z and a copy of z never are active together, except
    # that at z = 0 every pattern is allowed; the largest "gradient" of a tie would be 3.
    weights = [np.array([[1.0], [-1.0], [1.0]]), np.array([[1.0, -2.0, -1.0]])]
    network = Network.dense(weights, [np.zeros(3), np.zeros(1)])
    found = lipschitz_constant(network, (1,))
    assert found.exact
    assert found.upper == 2  # x > 0: 1 - 1 = 0; x < 0: slope 2
    # relu(relu(x) - relu(-x) - x) is zero everywhere, its pre-activation identically so.
    deep = Network.dense(
        [np.array([[1.0], [-1.0], [1.0], [-1.0]]), np.array([[1.0, -1.0, -1.0, 1.0]]),
         np.array([[5.0]])],
        [np.zeros(4), np.zeros(1), np.zeros(1)],
    )  # fmt: skip
    for box in (None, unit_box(1)):
        found = lipschitz_constant(deep, (1,), box=box)
        assert found.exact
        assert found.upper == 0


def test_identical_and_dead_neurons():
    weight = np.array([[1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [2.0, 2.0], [1.0, 0.0]])
    bias = np.array([0.0, 0.0, 0.0, 0.0, -5.0])
    network = Network.dense([weight, np.array([[1.0, 1.0, -1.0, -0.5, 9.0]])], [bias, np.zeros(1)])
    assert lipschitz_constant(network, (1,), box=unit_box(2)).upper == 0
    assert lipschitz_constant(network, (1,), box=unit_box(2, -10, 10)).upper == 9
    assert lipschitz_constant(network, (1,), norm="l2").upper == 81


def test_a_region_only_touched_at_a_corner_does_not_count():
    # relu(x + y - 2) is active on no part of [-1, 1]^2 with an interior.
    weights = [np.array([[1.0, 1.0]]), np.array([[1.0]])]
    network = Network.dense(weights, [np.array([-2.0]), np.zeros(1)])
    assert lipschitz_constant(network, (1,), box=unit_box(2)).upper == 0
    found = lipschitz_constant(network, (1,), box=unit_box(2, -1, 2))
    assert found.exact
    assert found.upper == 2


def test_a_tiny_region_is_found():
    # A spike of width 2**-29 and height 1: three neurons.
    width = 2.0**-30
    network = Network.dense(
        [np.ones((3, 1)), np.array([[1.0, -2.0, 1.0]]) / width],
        [np.array([0.0, -width, -2 * width]) - 0.3, np.zeros(1)],
    )
    found = lipschitz_constant(network, (1,), box=unit_box(1))
    assert found.exact
    assert found.upper == 2**30


def test_a_region_thinner_than_floats_tell_is_entered():
    # 0 < y < 2**-79 and x > y: steeper by 1e-7 than its neighbour y > 2**-79.
    network = Network.dense(
        [np.eye(2), np.array([[1.0, -1.0], [0.0, 1.0]]), np.array([[1.0, 1e-7]])],
        [np.zeros(2), np.array([0.0, -(2.0**-79)]), np.zeros(1)],
    )
    for box in (None, unit_box(2)):
        found = lipschitz_constant(network, (1,), box=box)
        assert found.exact
        assert found.upper == 2
        check_pair(network, (1,), box, found)


def test_boxes_of_width_zero_move_only_where_they_can():
    weights = [np.array([[3.0, -4.0], [1.0, 1.0]]), np.ones((1, 2))]
    network = Network.dense(weights, [np.zeros(2), np.zeros(1)])
    line = Box((Fraction(0), Fraction(-1)), (Fraction(0), Fraction(1)))
    assert lipschitz_constant(network, (1,), box=line, norm="linf").upper == 4
    assert lipschitz_constant(network, (1,), box=line, norm="l2").upper == 16
    point = Box((Fraction(1), Fraction(1)), (Fraction(1), Fraction(1)))
    found = lipschitz_constant(network, (1,), box=point)
    assert found.exact
    assert found.upper == 0


def test_time_and_size_leave_a_bracket():
    generator = np.random.default_rng(5)
    sizes = (6, 24, 24, 1)
    network = Network.dense(
        [generator.normal(size=(b, a)) for a, b in itertools.pairwise(sizes)],
        [generator.normal(size=b) for b in sizes[1:]],
    )
    found = lipschitz_constant(network, (1,), box=unit_box(6), timeout=0.5)
    assert found.reason is Reason.TIME
    assert 0 < found.lower < found.upper
    assert found.seconds < 5
    check_pair(network, (1,), unit_box(6), found)
    large = Network.dense([generator.normal(size=(64, 300)), generator.normal(size=(1, 64))],
                          [np.zeros(64), np.zeros(1)])  # fmt: skip
    found = lipschitz_constant(large, (1,), box=unit_box(300))
    assert found.reason is Reason.SIZE
    assert 0 < found.lower < found.upper


def test_ctrl_c_keeps_the_bracket():
    generator = np.random.default_rng(6)
    network = Network.dense(
        [generator.normal(size=(20, 4)), generator.normal(size=(20, 20)), np.ones((1, 20))],
        [generator.normal(size=20), generator.normal(size=20), np.zeros(1)],
    )

    def interrupt(_words):
        raise KeyboardInterrupt

    found = lipschitz_constant(network, (1,), box=unit_box(4), progress=interrupt)
    assert found.reason is Reason.INTERRUPTED
    assert 0 < found.lower <= found.upper


def test_the_same_seed_gives_the_same_pair():
    generator = np.random.default_rng(7)
    weights = [generator.normal(size=(6, 2)), np.ones((1, 6))]
    network = Network.dense(weights, [np.ones(6), np.zeros(1)])
    results = [lipschitz_constant(network, (1,), seed=11, norm="l2") for _ in range(2)]
    assert results[0].pair == results[1].pair


def lipschitz_memorizer(seed):
    """A small data set, as decimals or dyadics, and its network of docs/theory.md, 6.2."""
    generator = np.random.default_rng(seed)
    count, size = [(3, 1), (5, 1), (2, 2), (3, 2), (4, 2)][seed % 5]
    scale = (16, 10, 8)[seed % 3]
    points = generator.permutation(17**size)[:count]
    rows = [[point // 17**k % 17 for k in range(size)] for point in points.tolist()]
    cells = tuple(",".join(str(Fraction(value, scale)) for value in row) for row in rows)
    labels = np.where(np.arange(count) % 2 == 0, 1, -1)
    data = LabelledPoints(labels, f"set {seed}", cells)
    separation = separation_bound(data)
    return construct(data, separation, None, "lipschitz").network, 2 / separation.bound


@pytest.mark.parametrize("seed", range(20))
def test_the_lipschitz_memorizer_has_two_over_the_separation_bound(seed):
    network, expected = lipschitz_memorizer(seed)
    box = None if seed % 2 else unit_box(network.input_size, -1, 3)
    found = lipschitz_constant(network, (1,), box=box)
    assert found.exact
    assert found.upper == expected


def test_what_does_not_fit_is_refused():
    network = Network((Layer(np.ones((1, 2)), np.zeros(1), np.zeros(1, dtype=bool)),))
    with pytest.raises(QueryError, match="2 coefficients for 1 outputs"):
        lipschitz_constant(network, (1, 1))
    with pytest.raises(QueryError, match="the box has 3 inputs, the network 2"):
        lipschitz_constant(network, (1,), box=unit_box(3))
    with pytest.raises(UsageError, match="unknown norm"):
        lipschitz_constant(network, (1,), norm="l3")
