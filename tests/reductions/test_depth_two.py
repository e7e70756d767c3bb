"""The exact range of small networks on balls, against enumeration of vertices."""

import random
from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from reductions.problems import RobustMemorization
from reductions.problems.depth_two import depth_two_form
from reductions.problems.network_verification import _vertices
from relucert.errors import InputError
from relucert.network import Layer, Network
from relucert.query import Box


def random_network(rng, inputs, hidden=2):
    def values(rows, columns):
        # Many zeros and ties, so that degenerate networks come up.
        return np.array([[rng.randint(-3, 3) / 2 for _ in range(columns)] for _ in range(rows)])

    return Network.dense(
        [values(hidden, inputs), values(1, hidden)], [values(1, hidden)[0], values(1, 1)[0]]
    )


def sparse(point):
    return tuple((i, x) for i, x in enumerate(point) if x)


def range_by_vertices(network, centre, radius):
    """Least and largest value: piecewise linear, so at vertices of the arrangement of kinks."""
    from reductions.problems.depth_two import exact_rows

    box = Box(tuple(x - radius for x in centre), tuple(x + radius for x in centre))
    values = [
        network.evaluate_exactly(point)[0]
        for point in _vertices(box, exact_rows(network.layers[0]))
    ]
    return min(values), max(values)


@pytest.mark.parametrize("inputs", [1, 2, 3])
def test_range_on_balls(inputs):
    rng = random.Random(inputs)
    for _ in range(150):
        network = random_network(rng, inputs, rng.randint(1, 2))
        centre = [Fraction(rng.randint(-4, 4), 3) for _ in range(inputs)]
        radius = Fraction(rng.randint(0, 6), 4)
        form = depth_two_form(network)
        least, largest = range_by_vertices(network, centre, radius)
        point = sparse(centre)
        assert form(point) == network.evaluate_exactly(centre)[0]
        assert form.minimum_on_ball(point, radius) == least
        assert form.maximum_on_ball(point, radius) == largest
        assert form.is_negative_on_ball(point, radius) == (largest < 0)
        assert form.is_positive_on_ball(point, radius) == (least > 0)


def test_zero_on_the_boundary_counts_as_wrong():
    # F = x on [0, 1] and beyond: on the ball around 1 with radius 1 it touches 0.
    network = Network.dense([np.array([[1.0]]), np.array([[1.0]])], [np.zeros(1), np.zeros(1)])
    touching = RobustMemorization.of_dense([[1]], [1], Fraction(1))
    assert not touching.check(network)
    assert touching.first_violation(network).value == 0
    assert RobustMemorization.of_dense([[1]], [1], Fraction(99, 100)).check(network)
    negated = Network.dense([np.array([[1.0]]), np.array([[-1.0]])], [np.zeros(1), np.zeros(1)])
    assert not RobustMemorization.of_dense([[1]], [-1], Fraction(1)).check(negated)


def test_a_ball_in_the_corner_of_two_half_planes():
    # {F > 0} = {x > 0, y > 0}; the ball around (-1, -1) misses it up to radius 1, the ball
    # around (-1/2, 1/2) too up to radius 1/2; neither needs one half-plane for all of it.
    network = Network.dense(
        [np.array([[1.0, 0.0], [1.0, -1.0]]), np.array([[1.0, -1.0]])],
        [np.array([1.0, 0.0]), np.array([-1.0])],
    )
    form = depth_two_form(network)
    for radius, inside in (
        (Fraction(9, 10), True),
        (Fraction(1), False),
        (Fraction(11, 10), False),
    ):
        point = ((0, Fraction(-1)), (1, Fraction(-1)))
        assert form.is_negative_on_ball(point, radius) == inside
    tilted = Network.dense(
        [np.array([[1.0, 1.0], [2.0, 0.0]]), np.array([[1.0, -1.0]])],
        [np.array([1.0, 0.0]), np.array([-1.0])],
    )  # {F > 0} = {y + x > 0, y - x > 0}
    form = depth_two_form(tilted)
    below = ((1, Fraction(-1)),)
    _, largest = range_by_vertices(tilted, [Fraction(0), Fraction(-1)], Fraction(3, 4))
    assert largest < 0
    assert form.is_negative_on_ball(below, Fraction(3, 4))
    # Neither half-plane alone excludes this ball: at its right end x + y > 0, left y - x > 0.
    assert Fraction(-1) + 2 * Fraction(3, 4) > 0


def test_the_same_network_in_several_layers_and_with_divisors():
    rng = random.Random(4)
    weight = np.array([[1.0, 2.0], [-3.0, 0.5]])
    affine = Layer(weight, np.array([0.5, 1.0]), np.zeros(2, bool), np.array([3.0, 7.0]))
    hidden = Layer(np.eye(2), np.array([0.25, 0.0]), np.ones(2, bool), np.array([9.0, 1.0]))
    outer = Layer(np.array([[2.0, -5.0], [1.0, 1.0]]), np.zeros(2), np.zeros(2, bool))
    last = Layer(np.array([[1.0, 1.0]]), np.array([0.125]), np.zeros(1, bool))
    network = Network((affine, hidden, outer, last))
    form = depth_two_form(network)
    for _ in range(20):
        point = [Fraction(rng.randint(-9, 9), 7) for _ in range(2)]
        assert form(sparse(point)) == network.evaluate_exactly(point)[0]


def no_relu(size):
    return np.zeros(size, dtype=bool)


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (Network.dense([np.ones((3, 2)), np.ones((1, 3))], [np.zeros(3), np.zeros(1)]), "3 hidden"),
        (Network.dense([np.ones((2, 2)), np.ones((2, 2))], [np.zeros(2)] * 2), "2 outputs"),
        (
            Network.dense(
                [np.ones((2, 2)), np.ones((2, 2)), np.ones((1, 2))],
                [np.zeros(2), np.zeros(2), np.zeros(1)],
            ),
            "deeper",
        ),
        (
            Network(
                (
                    Layer(np.ones((2, 2)), np.zeros(2), np.array([True, False])),
                    Layer(np.ones((1, 2)), np.zeros(1), no_relu(1)),
                )
            ),
            "pass beside",
        ),
        (
            Network(
                (
                    Layer(np.ones((2, 2)), np.zeros(2), no_relu(2)),
                    Layer(np.ones((1, 2)), np.zeros(1), np.ones(1, dtype=bool)),
                )
            ),
            "ends in a ReLU",
        ),
        (Network.dense([np.ones((2, 3)), np.ones((1, 2))], [np.zeros(2), np.zeros(1)]), "3 inputs"),
    ],
)
def test_networks_of_another_shape_are_refused(network, words):
    data = RobustMemorization.of_dense([[0, 1]], [1])
    with pytest.raises(InputError, match=words):
        data.check(network)


def test_vertices_of_a_square_with_one_diagonal():
    network = Network.dense(
        [np.array([[1.0, -1.0]]), np.array([[1.0]])], [np.zeros(1), np.zeros(1)]
    )
    from reductions.problems.depth_two import exact_rows

    box = Box((Fraction(0),) * 2, (Fraction(1),) * 2)
    corners = set(product((Fraction(0), Fraction(1)), repeat=2))
    assert set(_vertices(box, exact_rows(network.layers[0]))) == corners


def test_neurons_without_effect_do_not_count():
    rng = random.Random(5)
    hidden = np.array([[1.0, 2.0], [0.0, 0.0], [3.0, -1.0], [4.0, 4.0], [0.0, 0.0]])
    outer = np.array([[1.0, 5.0, -2.0, 0.0, 7.0]])
    network = Network.dense([hidden, outer], [np.array([0.0, 0.5, 1.0, 1.0, -3.0]), np.ones(1)])
    form = depth_two_form(network)
    assert form.signs == (1, -1)
    assert form.constant == Fraction(7, 2)
    for _ in range(20):
        point = [Fraction(rng.randint(-9, 9), 7) for _ in range(2)]
        assert form(sparse(point)) == network.evaluate_exactly(point)[0]


@pytest.mark.parametrize("weight", [[[0.0, 0.0]], [[2.0, -3.0]]])
def test_a_network_without_relus_has_a_form(weight):
    network = Network((Layer(np.array(weight), np.array([0.5]), no_relu(1)),))
    form = depth_two_form(network)
    for point in ([Fraction(1), Fraction(2)], [Fraction(-1, 3), Fraction(0)]):
        assert form(sparse(point)) == network.evaluate_exactly(point)[0]
    if any(weight[0]):
        with pytest.raises(InputError, match="no hidden layer"):
            depth_two_form(network, width=1)
