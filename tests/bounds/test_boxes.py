"""Bounds for many boxes at once: never above what exact points show, as good as one by one."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from relucert.bounds.backward import bound_network
from relucert.bounds.boxes import missed
from relucert.bounds.interval import Intervals
from relucert.bounds.unsafe import float_rows, row_bounds
from relucert.network import Layer, Network
from relucert.query import Polyhedron


def _network(rng, inputs, outputs, sparse=False, divided=False):
    sizes = [inputs, int(rng.integers(2, 7)), int(rng.integers(2, 7)), outputs]
    layers = []
    for index, (before, after) in enumerate(pairwise(sizes)):
        weight = rng.normal(size=(after, before)) * (rng.random((after, before)) < 0.8)
        relu = rng.random(after) < 0.8 if index < 2 else np.zeros(after, dtype=bool)
        divisor = rng.integers(1, 5, after).astype(float) if divided else None
        matrix = sp.csr_array(weight) if sparse else weight
        layers.append(Layer(matrix, rng.normal(size=after), relu, divisor))
    return Network(tuple(layers))


def _half_space(rng, outputs):
    row = tuple(Fraction(float(v)) for v in rng.normal(size=outputs))
    return Polyhedron((row,), (Fraction(float(rng.normal())),))


def _exactly_inside(network, part, x):
    return part.contains(network.evaluate_exactly(tuple(Fraction(float(v)) for v in x)))


@given(st.integers(0, 10**6), st.booleans(), st.booleans())
def test_no_point_of_a_box_that_is_missed_is_unsafe(seed, sparse, divided):
    rng = np.random.default_rng(seed)
    inputs, outputs, count = int(rng.integers(1, 4)), int(rng.integers(1, 3)), 5
    network = _network(rng, inputs, outputs, sparse, divided)
    centre = rng.normal(size=(count, inputs))
    radius = np.abs(rng.normal(size=(count, 1))) * 0.3
    lower, upper = centre - radius, centre + radius
    parts = [[_half_space(rng, outputs) for _ in range(int(rng.integers(0, 3)))] for _ in lower]
    done = missed(network, lower, upper, [[float_rows(p) for p in group] for group in parts])
    for box in range(count):
        points = rng.uniform(lower[box], upper[box], (6, inputs))
        corners = np.where(rng.random((6, inputs)) < 0.5, lower[box], upper[box])
        hit = any(_exactly_inside(network, part, x) for part in parts[box]
                  for x in (*points, *corners))  # fmt: skip
        assert not (done[box] and hit)
        if not parts[box]:
            assert done[box]


@pytest.mark.parametrize("seed", range(20))
def test_as_good_as_one_box_at_a_time(seed):
    rng = np.random.default_rng(seed)
    network = _network(rng, 3, 2)
    centre = rng.normal(size=(40, 3))
    radius = rng.random((40, 1)) * 0.4
    lower, upper = centre - radius, centre + radius
    part = _half_space(rng, 2)
    done = missed(network, lower, upper, [[float_rows(part)]] * 40)
    alone = []
    for low, high in zip(lower, upper, strict=True):
        box = Intervals(low, high)
        bound = row_bounds(bound_network(network, box), box, float_rows(part))[0]
        alone.append(bound)
    clear = np.abs(alone) > 1e-9
    assert (done == (np.array(alone) > 0))[clear].all()


def test_a_polyhedron_without_rows_is_reached_by_everything():
    network = Network.dense([np.eye(2)], [np.zeros(2)])
    everything = float_rows(Polyhedron((), ()))
    far = float_rows(Polyhedron(((Fraction(1), Fraction(0)),), (Fraction(-5),)))
    ends = np.array([[0.0, 0.0], [0.0, 0.0]]), np.array([[1.0, 1.0], [1.0, 1.0]])
    assert missed(network, *ends, [[far], [far, everything]]).tolist() == [True, False]


def test_boxes_beyond_the_float_range_prove_nothing():
    network = Network.dense([np.full((2, 1), 1e300), np.eye(2)], [np.zeros(2), np.zeros(2)])
    part = float_rows(Polyhedron(((Fraction(1), Fraction(0)),), (Fraction(-1),)))
    done = missed(network, np.array([[-1e300]]), np.array([[1e300]]), [[part]])
    assert not done.any()
