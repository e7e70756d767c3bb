"""On one and the same region the rounded bound is never above the exact one."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp
from support.proof_steps import bounded_one, lower_bound

from relucert.network import Layer, Network
from relucert.proof.arithmetic import Bounds, Objective
from relucert.proof.exact_rows import Exact
from relucert.proof.region import Refused, Region, halves
from relucert.proof.rounded import Rounded


def random_network(rng: np.random.Generator) -> Network:
    """Widths up to 40, entries over many magnitudes, some sparse layers and divisors."""
    sizes = rng.integers(1, 40, size=rng.integers(2, 6))
    spread = rng.choice([0, 3, 12])
    layers = []
    for index, (inputs, outputs) in enumerate(pairwise(sizes)):
        weight = rng.normal(size=(outputs, inputs)) * 10.0 ** rng.uniform(
            -spread, spread, size=(outputs, inputs)
        )
        if rng.random() < 0.3:
            weight = sp.csr_array(np.where(rng.random(weight.shape) < 0.3, weight, 0.0))
        bias = rng.normal(size=outputs) * 10.0 ** rng.uniform(-spread, spread, size=outputs)
        relu = np.full(outputs, index < len(sizes) - 2) & (rng.random(outputs) < 0.9)
        divisor = rng.choice([1.0, 3.0, 9.0, 0.1], size=outputs) if rng.random() < 0.3 else None
        layers.append(Layer(weight, bias, relu, divisor))
    return Network(tuple(layers))


def random_signs(rng: np.random.Generator, network: Network, region: Region) -> Region:
    """The region with a few signs fixed at random."""
    for index, layer in enumerate(network.layers):
        for neuron in np.flatnonzero(layer.relu)[:3].tolist():
            if rng.random() < 0.5:
                region = halves(network, region, index, neuron)[int(rng.random() < 0.5)]
    return region


@pytest.mark.parametrize("seed", range(60))
def test_rounded_bounds_are_weaker_than_exact_ones(seed):
    rng = np.random.default_rng(seed)
    network = random_network(rng)
    rounded, exact = Rounded(network), Exact(network)
    centre = rng.normal(size=network.input_size) * 10.0 ** rng.integers(-6, 7)
    radius = np.abs(rng.normal(size=network.input_size)) * 10.0 ** rng.integers(-9, 3)
    box = Bounds(centre - radius, centre + radius)
    try:
        region = bounded_one(rounded, network, Region(box, (), {}, (0,)), {})
    except Refused:
        pytest.skip("beyond the range of float64")
    region = random_signs(rng, network, region)
    if region.empty:
        return
    inputs = Bounds.stacked([box])
    for index, layer in enumerate(network.layers):
        wide, narrow = rounded.interval(index, inputs), exact.interval(index, inputs)
        assert (wide.lower <= narrow.lower).all()
        assert (wide.upper >= narrow.upper).all()
        inputs = Bounds.stacked([region.layers[index].after(layer)])
    betas = {
        index: {neuron: float(np.exp(rng.normal() * 5)) for neuron in signs}
        for index, signs in region.signs.items()
    }
    slopes = {
        index: {int(n): int(rng.integers(0, 257)) for n in np.flatnonzero(layer.relu)}
        for index, layer in enumerate(network.layers)
    }
    for _ in range(5):
        row = tuple(Fraction(int(n), 7) for n in rng.integers(-9, 9, size=network.output_size))
        objective = Objective(row, Fraction(int(rng.integers(-9, 9)), 3))
        for given in ({}, slopes):
            low = lower_bound(rounded, network, region, objective, given, betas)
            high = lower_bound(exact, network, region, objective, given, betas)
            assert low <= high
