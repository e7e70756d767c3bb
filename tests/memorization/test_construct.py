"""The constructions: exact values on the balls, sizes, and what they refuse."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relucert.errors import QueryError, UsageError
from relucert.memorization.construct import budget_of_ratio, construct
from relucert.memorization.measured import measure
from relucert.memorization.separation import separation_bound
from relucert.network import Layer
from relucert.read.points import LabelledPoints

RATIOS = (
    Fraction(0),
    Fraction(1, 2),
    Fraction(9, 10),
    Fraction(999, 1000),
    Fraction(1) - Fraction(1, 10**8),
)


def labelled(points, labels) -> LabelledPoints:
    return LabelledPoints(np.array(labels, dtype=np.int64), "data", points)


def random_points(generator, count, size, kind, labels=4):
    """Separated data of several kinds, at least two labels."""
    while True:
        integers = generator.integers(-40, 41, (count, size))
        points = {
            "integers": integers,
            "floats": generator.normal(size=(count, size)),
            "short": np.round(generator.normal(size=(count, size)) * 2.0**20) / 2.0**20,
            "decimals": tuple(",".join(str(v / 10) for v in row) for row in integers),
            "pixels": np.abs(integers) / 255.0,
        }[kind]
        found = labelled(points, np.append([0, 1], generator.integers(0, labels, count - 2)))
        if separation_bound(found).bound > 0:
            return found


def random_corner(generator, point, budget):
    return [value + budget * int(generator.choice([-1, 1])) for value in point]


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(["integers", "floats", "decimals", "pixels"]),
    st.sampled_from(["deep", "wide"]),
    st.sampled_from(RATIOS),
)
def test_the_value_is_the_label_on_whole_balls(seed, kind, construction, ratio):
    generator = np.random.default_rng(seed)
    points = random_points(generator, int(generator.integers(2, 9)), 3, kind)
    separation = separation_bound(points)
    budget = budget_of_ratio(ratio, separation)
    made = construct(points, separation, budget, construction)
    targets = made.labels.of(points.labels)
    for row, target in enumerate(targets):
        for _ in range(3):
            corner = random_corner(generator, points.point(row), budget)
            inside = [
                a + (b - a) * Fraction(1, 3) for a, b in zip(points.point(row), corner, strict=True)
            ]
            assert made.network.evaluate_exactly(corner) == (target,)
            assert made.network.evaluate_exactly(inside) == (target,)


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 6),
    st.sampled_from(["integers", "short", "decimals"]),
)
def test_the_lipschitz_network_is_its_formula_everywhere(seed, size, kind):
    generator = np.random.default_rng(seed)
    points = random_points(generator, 6, size, kind, labels=2)
    separation = separation_bound(points)
    network = construct(points, separation, None, "lipschitz").network
    exact = [points.point(row) for row in range(len(points))]
    for row, point in enumerate(exact):
        assert network.evaluate_exactly(point) == (1 if points.label(row) else -1,)
    for _ in range(4):
        x = [Fraction(int(v), 7) for v in generator.integers(-300, 300, size)]
        best = {0: Fraction(0), 1: Fraction(0)}
        for row, point in enumerate(exact):
            distance = max(abs(a - b) for a, b in zip(x, point, strict=True))
            label = points.label(row)
            best[label] = max(best[label], 1 - 2 * distance / separation.bound)
        assert network.evaluate_exactly(x) == (best[1] - best[0],)


def test_the_sizes_of_the_theorem():
    generator = np.random.default_rng(1)
    points = random_points(generator, 11, 5, "integers")
    separation = separation_bound(points)
    budget = separation.bound / 4
    deep = measure(construct(points, separation, budget, "deep").network, 11)
    wide = measure(construct(points, separation, budget, "wide").network, 11)
    assert (deep.width, deep.depth) == (3 * 5 + 1, 2 * 11 + 1)
    assert (wide.width, wide.depth) == (2 * 5 * 11, 4 + 3)
    assert deep.per_nn == deep.parameters / 55
    assert deep.parameters < 9 * 55
    assert wide.parameters < 9 * 55


def test_every_weight_of_near_budgets_fits_float32():
    points = labelled(np.array([[0.1, 0.7], [0.3, 0.2], [0.9, 0.9]]), [1, 2, 2])
    separation = separation_bound(points)
    for construction in ("deep", "wide"):
        budget = budget_of_ratio(Fraction(999, 1000), separation)
        for layer in construct(points, separation, budget, construction).network.layers:
            for values in (layer.weight.data, layer.bias):
                assert (values.astype(np.float32) == values).all()


def test_labels_are_mapped_only_where_needed():
    points = np.array([[0.0], [1.0], [2.0]])
    kept = labelled(points, [2, 1, 3])
    made = construct(kept, separation_bound(kept), Fraction(1, 4))
    assert made.labels.is_identity
    mapped = labelled(points, [-7, 40, -7])
    made = construct(mapped, separation_bound(mapped), Fraction(1, 4))
    assert made.labels.targets == {-7: 1, 40: 2}
    assert "label map: -7->1, 40->2" in made.network.notes


@pytest.mark.parametrize("count", [1, 3])
def test_one_label_needs_a_constant_only(count):
    points = labelled(np.arange(2.0 * count).reshape(count, 2), [5] * count)
    made = construct(points, separation_bound(points), Fraction(1000))
    assert made.trivial
    assert len(made.network.layers) == 1
    assert made.network.evaluate_exactly((Fraction(9), Fraction(-9))) == (1,)


def test_what_is_refused():
    points = labelled(np.array([[0.0], [1.0], [3.0]]), [1, 2, 3])
    separation = separation_bound(points)
    with pytest.raises(QueryError, match="half of the separation bound 1: rows 0 and 1"):
        construct(points, separation, Fraction(1, 2))
    with pytest.raises(QueryError, match="negative"):
        construct(points, separation, Fraction(-1, 2))
    with pytest.raises(QueryError, match="3 labels; this construction needs exactly two"):
        construct(points, separation, None, "lipschitz")
    with pytest.raises(UsageError, match="unknown construction"):
        construct(points, separation, Fraction(0), "tall")
    with pytest.raises(UsageError, match="needs a budget"):
        construct(points, separation, None, "wide")
    with pytest.raises(QueryError, match="too little beside coordinates"):
        construct(points, separation, Fraction(1, 2) - Fraction(1, 2**60), "deep")


def test_a_lipschitz_network_that_floats_cannot_hold():
    points = labelled(np.array([[1.0], [2.0**-60]]), [0, 1])
    with pytest.raises(QueryError, match="is not a float64 number"):
        construct(points, separation_bound(points), None, "lipschitz")
    cells = (f"1/{10**9 + 7}", f"1/{10**9 + 9}")
    points = labelled(cells, [0, 1])
    with pytest.raises(QueryError, match="no common denominator"):
        construct(points, separation_bound(points), None, "lipschitz")


def test_layers_are_sparse():
    points = labelled(np.eye(6), [1, 2, 1, 2, 1, 2])
    made = construct(points, separation_bound(points), Fraction(1, 4), "wide")
    assert all(isinstance(layer, Layer) and not layer.is_dense for layer in made.network.layers)
