"""The refuter: its pair of points, checked again from the definition."""

from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from relucert.errors import QueryError, UsageError
from relucert.memorization.width_bound import refute
from relucert.network import Layer, Network


def check(network: Network, budget: Fraction) -> None:
    pair = refute(network, budget)
    assert pair is not None
    j = pair.coordinate
    assert all(abs(value) <= budget for value in pair.first)
    assert all(abs(value - (k == j)) <= budget for k, value in enumerate(pair.second))
    assert network.evaluate_exactly(pair.first) == pair.output
    assert network.evaluate_exactly(pair.second) == pair.output
    assert max(map(abs, pair.direction)) == pair.direction[j] == 1


def random_network(generator, sizes) -> Network:
    shapes = list(zip(sizes[1:], sizes[:-1], strict=True))
    return Network.dense(
        [generator.normal(size=shape) for shape in shapes],
        [generator.normal(size=shape[0]) for shape in shapes],
    )


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(2, 9),
    st.sampled_from([Fraction(1, 4), Fraction(2, 5), Fraction(499, 1000)]),
)
def test_narrow_networks_are_refuted(seed, size, budget):
    generator = np.random.default_rng(seed)
    width = int(generator.integers(1, size))
    check(random_network(generator, [size, width, 7, 2]), budget)


def test_a_wide_layer_of_low_rank_is_refuted_too():
    generator = np.random.default_rng(0)
    rank_two = generator.integers(-4, 5, (6, 2)) @ generator.integers(-4, 5, (2, 4))
    check(Network.dense([rank_two.astype(float), np.ones((1, 6))], [np.zeros(6), np.zeros(1)]),
          Fraction(1, 3))  # fmt: skip


def test_a_normalisation_before_the_narrow_layer():
    generator = np.random.default_rng(1)
    size = 5
    first = Layer(sp.csr_array(np.diag(generator.normal(size=size))), np.ones(size),
                  np.zeros(size, dtype=bool), np.full(size, 3.0))  # fmt: skip
    rest = random_network(generator, [size, 3, 1])
    check(Network((first, *rest.layers)), Fraction(1, 4))


def test_an_input_that_is_ignored():
    weight = np.array([[1.0, 0.0, 2.0], [0.5, 0.0, 0.1]])
    network = Network.dense([weight, np.ones((1, 2))], [np.zeros(2), np.zeros(1)])
    pair = refute(network, Fraction(1, 4))
    assert pair.direction == (0, 1, 0)


def test_a_hundred_inputs():
    check(random_network(np.random.default_rng(2), [100, 20, 3]), Fraction(1, 4))


def test_full_rank_is_not_refuted():
    assert refute(Network.dense([np.eye(4)], [np.zeros(4)]), Fraction(1, 4)) is None


def test_what_is_refused():
    network = Network.dense([np.ones((1, 2))], [np.zeros(1)])
    for budget in (Fraction(1, 5), Fraction(1, 2)):
        with pytest.raises(QueryError, match="at least 1/4 and below 1/2"):
            refute(network, budget)
    with pytest.raises(UsageError, match="70 neurons for 65 inputs"):
        refute(Network.dense([np.ones((70, 65))], [np.zeros(70)]), Fraction(1, 4))
