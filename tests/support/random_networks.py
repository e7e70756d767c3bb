"""Hypothesis strategies for small networks with the awkward features of real ones."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
from hypothesis import strategies as st

from relucert.network import Layer, Network
from relucert.query import Box, Case, Polyhedron, Query

_SMALL = st.integers(-3, 3).map(float)
_WILD = st.one_of(
    _SMALL,
    st.floats(-4, 4, allow_subnormal=False).map(lambda value: float(np.float32(value))),
    st.sampled_from([1e-7, -1e-7, 1e6, -1e6, 2.0**-30, 2.0**20, 0.1]),
)


@st.composite
def layers(draw, inputs: int, outputs: int, last: bool, entries=_WILD) -> Layer:
    """One layer: zero and duplicate rows, partial ReLU masks, odd divisors now and then."""
    weight = np.array([[draw(entries) for _ in range(inputs)] for _ in range(outputs)])
    bias = np.array([draw(entries) for _ in range(outputs)])
    if outputs > 1 and draw(st.booleans()):
        weight[-1], bias[-1] = weight[0], bias[0]
    if draw(st.integers(0, 4)) == 0:
        weight[0] = 0.0
    relu = np.full(outputs, not last)
    if not last and draw(st.integers(0, 3)) == 0:
        relu[draw(st.integers(0, outputs - 1))] = False
    divisor = None
    if draw(st.integers(0, 4)) == 0:
        divisor = np.array([float(draw(st.sampled_from([1, 3, 9]))) for _ in range(outputs)])
    return Layer(weight, bias, relu, divisor)


@st.composite
def networks(draw, max_inputs=3, max_width=4, max_hidden=2, outputs=2, entries=_WILD) -> Network:
    """A chain of one to ``max_hidden`` hidden layers."""
    sizes = [draw(st.integers(1, max_inputs))]
    sizes += [draw(st.integers(1, max_width)) for _ in range(draw(st.integers(1, max_hidden)))]
    sizes.append(outputs)
    last = len(sizes) - 2
    return Network(
        tuple(
            draw(layers(sizes[i], sizes[i + 1], i == last, entries)) for i in range(len(sizes) - 1)
        )
    )


@st.composite
def boxes(draw, size: int) -> Box:
    """Small boxes, some sides of width zero."""
    lower = [Fraction(draw(st.integers(-8, 8)), 4) for _ in range(size)]
    width = [Fraction(draw(st.sampled_from([0, 1, 2, 4, 8])), 4) for _ in range(size)]
    return Box(tuple(lower), tuple(a + b for a, b in zip(lower, width, strict=True)))


def corner_values(box: Box, draw) -> tuple[Fraction, ...]:
    """A rational point of the box, often on its faces."""
    shares = [Fraction(draw(st.sampled_from([0, 1, 2, 3, 6])), 6) for _ in range(box.size)]
    return tuple(
        low + share * (high - low)
        for low, high, share in zip(box.lower, box.upper, shares, strict=True)
    )


@st.composite
def questions(draw, entries=_WILD) -> tuple[Network, Query]:
    """A network and a query whose threshold is near an output that is really taken."""
    network = draw(networks(entries=entries))
    box = draw(boxes(network.input_size))
    parts = []
    for _ in range(draw(st.integers(1, 2))):
        rows, limits = [], []
        for _ in range(draw(st.integers(1, 2))):
            row = tuple(Fraction(draw(st.integers(-1, 1))) for _ in range(network.output_size))
            output = network.evaluate_exactly(corner_values(box, draw))
            value = sum((a * b for a, b in zip(row, output, strict=True)), Fraction(0))
            shift = draw(st.sampled_from(["0", "0", "-1e-9", "1e-9", "-0.1", "0.1", "-1", "-10"]))
            rows.append(row)
            limits.append(value + Fraction(shift) * max(1, abs(value)))
        parts.append(Polyhedron(tuple(rows), tuple(limits)))
    return network, Query((Case(box, tuple(parts)),))


def hard_question(seed: int, inputs: int, slack: float) -> tuple[Network, Query]:
    """A deep network, and the claim that its output stays above a little less than its least."""
    generator = np.random.default_rng(seed)
    sizes = [inputs, 12, 12, 12, 1]
    network = Network.dense(
        [generator.normal(size=(b, a)) / np.sqrt(a) for a, b in pairwise(sizes)],
        [0.3 * generator.normal(size=b) for b in sizes[1:]],
    )
    least = network.evaluate(generator.uniform(-1, 1, (20_000, inputs))).min()
    one = Fraction(1)
    unsafe = Polyhedron(((one,),), (Fraction(float(least) - slack),))
    return network, Query((Case(Box((-one,) * inputs, (one,) * inputs), (unsafe,)),))
