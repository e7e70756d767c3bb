"""Balls proved together: never a wrong proof, and all balls of what was built rightly."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relucert.memorization.certify_balls import Balls, proved_together, violated_at_corners
from relucert.memorization.construct import budget_of_ratio, construct
from relucert.memorization.separation import separation_bound
from relucert.network import Layer, Network
from relucert.query import Decision, robustness_query
from relucert.read.points import LabelledPoints
from relucert.verdict import Proved, Violated
from relucert.verify import certify


def labelled(points, labels) -> LabelledPoints:
    return LabelledPoints(np.array(labels, dtype=np.int64), "data", points)


def balls_of(made, points, budget) -> Balls:
    targets = made.labels.of(points.labels)
    return Balls.of(
        [
            robustness_query(points.point(row), int(target), made.labels.decision, radius=budget)
            for row, target in enumerate(targets)
        ]
    )


def proved(network, balls) -> list[bool]:
    found = dict(proved_together(network, balls))
    return [isinstance(found[place], Proved) for place in range(len(balls))]


def small_data(seed, count=12, size=3, labels=3) -> LabelledPoints:
    generator = np.random.default_rng(seed)
    points = generator.permutation(7**size)[:count]
    grid = np.stack([points // 7**k % 7 for k in range(size)], axis=1).astype(float)
    return labelled(grid, np.append([0, 1], generator.integers(0, labels, count - 2)))


@pytest.mark.parametrize("construction", ["deep", "wide"])
@pytest.mark.parametrize("ratio", ["0", "0.5", "0.9", "0.999"])
def test_every_ball_is_proved(construction, ratio):
    for seed in range(4):
        points = small_data(seed)
        separation = separation_bound(points)
        budget = budget_of_ratio(Fraction(ratio), separation)
        made = construct(points, separation, budget, construction)
        assert all(proved(made.network, balls_of(made, points, budget)))


@pytest.mark.parametrize("ratio", ["0.5", "0.9"])
def test_balls_of_the_lipschitz_network_are_proved(ratio):
    points = small_data(5, labels=2)
    separation = separation_bound(points)
    made = construct(points, separation, None, "lipschitz")
    budget = budget_of_ratio(Fraction(ratio), separation)
    assert all(proved(made.network, balls_of(made, points, budget)))


def changed(network: Network, layer_index: int, entry: int, factor: float) -> Network:
    """One stored weight times ``factor``."""
    layer = network.layers[layer_index]
    weight = layer.weight.copy()
    weight.data[entry] *= factor
    layers = list(network.layers)
    layers[layer_index] = Layer(weight, layer.bias, layer.relu, layer.divisor)
    return Network(tuple(layers))


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**32 - 1), st.sampled_from(["deep", "wide", "lipschitz"]), st.integers(0, 10**9)
)
def test_one_changed_weight_is_never_proved_wrongly(seed, construction, where):
    """Wherever some corner or centre of a ball goes wrong, that ball is not proved."""
    points = small_data(seed, count=6, size=2, labels=2)
    separation = separation_bound(points)
    budget = budget_of_ratio(Fraction(9, 10), separation)
    made = construct(points, separation, budget, construction)
    index = where % len(made.network.layers)
    entries = len(made.network.layers[index].weight.data)
    factor = (0.0, -1.0, 0.5, 4.0)[where % 4]
    network = changed(made.network, index, where // 7 % entries, factor)
    balls = balls_of(made, points, budget)
    for place, is_proved in enumerate(proved(network, balls)):
        box = balls.case(place).box
        corners = [
            (a, b) for a in (box.lower[0], box.upper[0]) for b in (box.lower[1], box.upper[1])
        ]
        corners.append(tuple((a + b) / 2 for a, b in zip(box.lower, box.upper, strict=True)))
        wrong = any(
            balls.queries[place].violated_by(x, network.evaluate_exactly(x)) for x in corners
        )
        assert not (wrong and is_proved)


def test_a_changed_weight_that_matters_is_found():
    points = small_data(1)
    separation = separation_bound(points)
    budget = budget_of_ratio(Fraction(9, 10), separation)
    made = construct(points, separation, budget, "deep")
    last = len(made.network.layers) - 1
    network = changed(made.network, last, 0, 0.25)  # acc loses three quarters at the very end
    balls = balls_of(made, points, budget)
    is_proved = proved(network, balls)
    violated = [isinstance(found, Violated) for _, found in violated_at_corners(network, balls, 0)]
    assert any(violated)
    assert all(one != two for one, two in zip(is_proved, violated, strict=True))


def test_a_ball_one_step_too_large_is_not_proved():
    points = labelled(np.array([[0.0], [8.0]]), [1, 2])
    separation = separation_bound(points)
    made = construct(points, separation, Fraction(3), "deep")
    assert all(proved(made.network, balls_of(made, points, Fraction(3))))
    larger = balls_of(made, points, Fraction(5))
    assert not any(proved(made.network, larger))
    assert any(v is not None for _, v in violated_at_corners(made.network, larger, 1))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_agreement_with_enumeration_on_random_networks(seed):
    generator = np.random.default_rng(seed)
    weights = [generator.integers(-2, 3, shape).astype(float) for shape in ((3, 2), (2, 3), (1, 2))]
    biases = [generator.integers(-2, 3, size).astype(float) for size in (3, 2, 1)]
    network = Network.dense(weights, biases)
    points = generator.integers(-3, 4, (5, 2))
    queries = [
        robustness_query(
            [Fraction(int(v)) for v in point], int(generator.choice([-1, 1])), Decision("sign", 2),
            radius=Fraction(1, 4),
        )
        for point in points
    ]  # fmt: skip
    balls = Balls.of(queries)
    corners = [found for _, found in violated_at_corners(network, balls, seed)]
    for query, is_proved, corner in zip(queries, proved(network, balls), corners, strict=True):
        exact = certify(network, query, engine="enumerate").verdict
        assert not is_proved or isinstance(exact, Proved)
        assert corner is None or isinstance(exact, Violated)


def test_weights_beyond_the_range_are_left_to_others():
    network = Network.dense([np.array([[2.0**-400]])], [np.ones(1)])
    balls = Balls.of([robustness_query([Fraction(1)], 1, Decision("sign", 2), radius=Fraction(1))])
    assert proved(network, balls) == [False]


def test_the_argmax_of_several_outputs():
    network = Network.dense([np.array([[1.0], [-1.0], [0.0]])], [np.zeros(3)])
    queries = [
        robustness_query([Fraction(at)], label, Decision("argmax", 3), radius=Fraction(1, 2))
        for at, label in ((1, 0), (-1, 1), (1, 1), (Fraction(1, 4), 0))
    ]
    assert proved(network, Balls.of(queries)) == [True, True, False, False]


@pytest.mark.slow
@pytest.mark.parametrize("construction", ["deep", "wide"])
@pytest.mark.parametrize("ratio", ["0.5", "0.9", "0.999"])
def test_all_digits(construction, ratio):
    """1,797 balls; the deep network has 3,595 layers."""
    digits = pytest.importorskip("sklearn.datasets").load_digits()
    points = labelled(digits.data, digits.target)
    separation = separation_bound(points)
    budget = budget_of_ratio(Fraction(ratio), separation)
    made = construct(points, separation, budget, construction)
    assert all(proved(made.network, balls_of(made, points, budget)))
    generator = np.random.default_rng(0)
    targets = made.labels.of(points.labels)
    for row in generator.choice(len(points), 2, replace=False):
        signs = generator.choice([-1, 1], points.input_size)
        corner = [v + budget * int(s) for v, s in zip(points.point(row), signs, strict=True)]
        assert made.network.evaluate_exactly(corner) == (targets[row],)
