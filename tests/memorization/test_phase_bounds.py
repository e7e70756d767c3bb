"""Bounds for many boxes at once, against exact evaluation inside the boxes."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from relucert.memorization.phase_bounds import PhaseBounds, Rows, within_range
from relucert.network import Layer, Network


def outputs(network: Network, lower: np.ndarray, upper: np.ndarray):
    size = network.output_size
    rows = Rows.exactly(sp.csr_array(np.eye(size)), np.zeros(size))
    return PhaseBounds(network).run(lower, upper, [rows])[0]


def random_network(generator: np.random.Generator, exact: bool) -> Network:
    """Sparse layers with repeated sums and differences, so that substitution has work to do."""
    sizes = [int(generator.integers(1, 5)) for _ in range(int(generator.integers(2, 7)))] + [2]
    layers = []
    for before, after in pairwise(sizes):
        weight = generator.integers(-2, 3, (after, before)).astype(float)
        bias = generator.integers(-2, 3, after).astype(float)
        if not exact:
            weight *= generator.normal(1, 0.3, weight.shape)
            bias *= generator.normal(1, 0.3, bias.shape)
        relu = generator.random(after) < 0.8
        divisor = np.where(generator.random(after) < 0.3, 3.0, 1.0)
        layers.append(Layer(sp.csr_array(weight), bias, relu, divisor))
    return Network(tuple(layers))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_every_value_lies_between_its_bounds(seed, exact):
    generator = np.random.default_rng(seed)
    network = random_network(generator, exact)
    boxes = 4
    centre = generator.normal(size=(network.input_size, boxes))
    radius = generator.random((network.input_size, boxes)) * generator.choice([0.0, 0.1, 1, 4])
    lower, upper = centre - radius, centre + radius
    found = outputs(network, lower, upper)
    for box in range(boxes):
        for _ in range(6):
            share = [Fraction(int(v), 4) for v in generator.integers(0, 5, network.input_size)]
            ends = [(Fraction(a), Fraction(b)) for a, b in zip(lower[:, box], upper[:, box],
                                                               strict=True)]  # fmt: skip
            point = [a + s * (b - a) for s, (a, b) in zip(share, ends, strict=True)]
            for value, low, high in zip(
                network.evaluate_exactly(point), found.lower[:, box], found.upper[:, box],
                strict=True,
            ):  # fmt: skip
                assert low <= value <= high


def maximum_tree(steps: int) -> Network:
    """max(x_0, ..., x_steps), one after another: max(a, b) = a + relu(b - a)."""
    size = steps + 1
    layers = []
    for step in range(steps):
        read = np.eye(size) if step == 0 else np.eye(size, size + 1)
        if step:
            read[0, size] = 1.0
        difference = read[step + 1] - read[0]
        rows = np.vstack([read, difference])
        layers.append(Layer(rows, np.zeros(size + 1), np.ones(size + 1, dtype=bool)))
    last = np.zeros((1, size + 1))
    last[0, [0, size]] = 1.0
    layers.append(Layer(last, np.zeros(1), np.zeros(1, dtype=bool)))
    return Network(tuple(layers))


def test_a_chain_of_maxima_is_tight():
    """Intervals would give 2**12; the maximum of values in [0, 1] is at most 1."""
    network = maximum_tree(12)
    lower, upper = np.zeros((13, 3)), np.ones((13, 3))
    lower[5, 1], upper[:, 2] = 0.75, 0.5
    found = outputs(network, lower, upper)
    assert found.upper[0] == pytest.approx([1.0, 1.0, 0.5], abs=1e-12)
    assert found.lower[0] == pytest.approx([0.0, 0.75, 0.0], abs=1e-12)


def test_an_absolute_value_is_tight():
    weight = np.array([[1.0], [-1.0]])
    network = Network.dense([weight, np.ones((1, 2))], [np.zeros(2), np.zeros(1)])
    found = outputs(network, np.array([[-2.0, 1.0]]), np.array([[3.0, 2.0]]))
    assert found.upper[0] == pytest.approx([3.0, 2.0], abs=1e-12)
    assert found.lower[0] == pytest.approx([0.0, 1.0], abs=1e-12)


def test_tiny_and_huge_weights_are_declined():
    assert within_range(Network.dense([np.array([[1.0, 0.0]])], [np.zeros(1)]))
    assert not within_range(Network.dense([np.array([[2.0**-300]])], [np.zeros(1)]))
    assert not within_range(Network.dense([np.ones((1, 1))], [np.array([2.0**300])]))
