"""Bounds by trees hold for all inputs, whatever slopes, multipliers and splits a proof names."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relucert.network import Layer, Network
from relucert.proof.bounding import bounded, lower_bounds, mixture, part_bounds
from relucert.proof.exact_rows import Exact
from relucert.proof.records import LeafRecord, NeuronRecord, RefuteRecord, ReluSplitRecord
from relucert.proof.region import Refused, Region, halves, neuron_spans, root_region
from relucert.proof.rounded import Rounded
from relucert.proof.trees import Read, RefusedAt, Trees
from relucert.query import Box, Case, Polyhedron

SETTINGS = settings(
    max_examples=60, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
BOX = Box((Fraction(-1),) * 2, (Fraction(1),) * 2)
SIZES = (2, 4, 3, 2)


@st.composite
def networks(draw):
    entries = st.integers(-24, 24)
    layers = []
    for index in range(3):
        shape = SIZES[index + 1], SIZES[index]
        weight = np.array([[draw(entries) / 8 for _ in range(shape[1])] for _ in range(shape[0])])
        bias = np.array([draw(entries) / 16 for _ in range(shape[0])])
        divisor = np.full(shape[0], 3.0) if draw(st.booleans()) else None
        layers.append(Layer(weight, bias, np.full(shape[0], index < 2), divisor))
    return Network(tuple(layers), "made")


@st.composite
def parts(draw, depth=0, taken=()):
    """Records of a tree, depth first, with the signs fixed on the way."""
    if depth < 3 and draw(st.booleans()):
        layer = draw(st.integers(0, 1))
        neuron = draw(st.integers(0, SIZES[layer + 1] - 1))
        if (layer, neuron) not in taken:
            halves = [draw(parts(depth + 1, (*taken, (layer, neuron)))) for _ in range(2)]
            return [ReluSplitRecord(layer, neuron), *halves[0], *halves[1]]
    slopes = {}
    for layer in range(2):
        if draw(st.booleans()):
            slopes[layer] = bytes(draw(st.integers(0, 128)) for _ in range(SIZES[layer + 1]))
        else:
            slopes[layer] = {draw(st.integers(0, SIZES[layer + 1] - 1)): draw(st.integers(0, 256))}
    betas = {}
    for layer, neuron in taken:
        betas.setdefault(layer, {})[neuron] = draw(st.integers(0, 64)) / 16
    return [LeafRecord(slopes, betas)]


def run(arithmetic, network, case, records) -> Region:
    (region,) = bounded(arithmetic, network, [root_region(case)], [{}])
    lines: Iterator[Read] = iter([Read(i, "", one) for i, one in enumerate([*records, "end"])])
    trees = Trees(arithmetic, network, case, 1000, lambda: next(lines))
    return trees.run(region, next(lines))[0]


def points() -> Iterator[tuple[Fraction, ...]]:
    ends = [Fraction(n, 4) for n in range(-4, 5)]
    return ((x, y) for x in ends for y in ends)


@given(network=networks(), layer=st.integers(0, 2), side=st.sampled_from([1, -1]), tree=parts(),
       more=parts(), data=st.data())  # fmt: skip
@SETTINGS
def test_bounds_on_neurons_hold(network, layer, side, tree, more, data):
    neuron = data.draw(st.integers(0, SIZES[layer + 1] - 1))
    unsafe = Polyhedron(((Fraction(1), Fraction(0)),), (Fraction(0),))
    case = Case(BOX, (unsafe,))
    records = [NeuronRecord(layer, neuron, side), *tree, NeuronRecord(layer, neuron, -side), *more]
    found = [run(kind(network), network, case, records) for kind in (Rounded, Exact)]
    short = Network(network.layers[: layer + 1], "short")
    last = short.layers[-1]
    plain = Layer(last.weight, last.bias, np.zeros(len(last.bias), dtype=bool), last.divisor)
    short = Network((*short.layers[:-1], plain), "short")
    for x in points():
        z = short.evaluate_exactly(x)[neuron]
        for region in found:
            assert not region.empty
            bounds = region.layers[layer]
            assert Fraction(float(bounds.lower[neuron])) <= z
            assert Fraction(float(bounds.upper[neuron])) >= z
    assert np.isclose(found[0].layers[layer].lower[neuron], found[1].layers[layer].lower[neuron])


@given(network=networks(), tree=parts(), limit=st.integers(-64, 64))
@SETTINGS
def test_sets_that_are_reached_are_not_refuted(network, tree, limit):
    """The set y_0 - y_1 <= limit/8, refuted by both arithmetics or by none; never if reached."""
    part = Polyhedron(((Fraction(1), Fraction(-1)),), (Fraction(limit, 8),))
    case = Case(BOX, (part,))
    records = [RefuteRecord(0, {0: 1.0}), *tree]
    refuted = []
    for kind in (Rounded, Exact):
        try:
            refuted.append(not run(kind(network), network, case, records).open)
        except RefusedAt:
            refuted.append(False)
    reached = any(
        (y := network.evaluate_exactly(x))[0] - y[1] <= Fraction(limit, 8) for x in points()
    )
    assert not (reached and any(refuted))


@given(network=networks(), tree=parts(), limit=st.integers(-64, 64))
@SETTINGS
def test_parts_are_regions_whose_bounds_are_cut_at_zero(network, tree, limit):
    """Signs beside the root's bounds do what cutting copies of the bounds does."""
    part = Polyhedron(((Fraction(1), Fraction(-1)),), (Fraction(limit, 8),))
    objective, spans = mixture(part, {0: 1.0}), neuron_spans(network)
    for kind in (Rounded, Exact):
        arithmetic = kind(network)
        (root,) = bounded(arithmetic, network, [root_region(Case(BOX, (part,)))], [{}])
        regions, leaves, stack = [], [], [root]
        for record in tree:
            if isinstance(record, ReluSplitRecord):
                stack += halves(network, stack.pop(), record.layer, record.neuron)[::-1]
            else:
                regions.append(stack.pop())
                leaves.append(record)
        signs = np.zeros((len(regions), spans[-1].stop), dtype=np.int8)
        for row, region in enumerate(regions):
            for layer, fixed in region.signs.items():
                for neuron, sign in fixed.items():
                    signs[row, spans[layer].start + neuron] = sign
        objectives, pairs = [objective] * len(regions), list(zip(regions, leaves, strict=True))
        found = part_bounds(arithmetic, network, root, signs, leaves, objectives)
        one_by_one = [lower_bounds(arithmetic, network, [pair], [objective])[0] for pair in pairs]
        assert np.allclose(found, one_by_one, rtol=1e-12, atol=1e-12)
        if kind is Rounded:  # the exact arithmetic has regions one by one
            together = lower_bounds(arithmetic, network, pairs, objectives)
            assert np.allclose(together, one_by_one, rtol=1e-12, atol=1e-12)


def test_parts_of_one_tree_are_all_needed():
    """y = relu(x) - 2 relu(x - 1/2) + 1/8 > 0 on [-1, 1]: shown on two parts, not on the whole."""
    network = Network.dense(
        [np.array([[1.0], [1.0]]), np.array([[1.0, -2.0]])],
        [np.array([0.0, -0.5]), np.array([0.125])],
    )
    unsafe = Polyhedron(((Fraction(1),),), (Fraction(0),))
    case = Case(Box((Fraction(-1),), (Fraction(1),)), (unsafe,))
    begun, flat = RefuteRecord(0, {0: 1.0}), LeafRecord({0: {0: 0}})
    split = [begun, ReluSplitRecord(0, 1), LeafRecord(), flat]
    for kind in (Rounded, Exact):
        assert not run(kind(network), network, case, split).open
        for whole in (LeafRecord(), flat):
            with pytest.raises(RefusedAt, match="not positive"):
                run(kind(network), network, case, [begun, whole])
        with pytest.raises(RefusedAt, match="not positive"):
            run(kind(network), network, case, [*split[:2], flat, flat])
        with pytest.raises(Refused, match="not bounded"):
            run(kind(network), network, case, [*split[:3], begun])
