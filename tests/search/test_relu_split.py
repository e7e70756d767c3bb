"""Splitting ReLUs: bounds on parts hold at exact points, verdicts agree with enumeration."""

from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from support.random_networks import boxes, corner_values, networks, questions

from relucert.bounds.backward import bound_network, lower_bounds
from relucert.bounds.interval import Intervals
from relucert.bounds.unsafe import mixture
from relucert.limits import Limits
from relucert.network import Layer, Network
from relucert.prover.ascent import ascend, start_multipliers
from relucert.query import Box, Case, Polyhedron, Query
from relucert.search.compact import compacted
from relucert.search.questions import Effort
from relucert.search.relu_bounds import Multipliers, bounded, part_lines
from relucert.search.relu_split import ROUNDS, Plan, Round, split_relus
from relucert.search.sharpen import sharpened
from relucert.verdict import Proved, Reason, Unknown, Violated, confirm
from relucert.verify import certify


def _exact_pre_activations(network, x):
    found, values = [], x
    for layer in network.layers:
        affine = Layer(layer.weight, layer.bias, np.zeros(layer.output_size), layer.divisor)
        pre = Network((affine,)).evaluate_exactly(values)
        found.append(pre)
        values = tuple(
            max(value, Fraction(0)) if flag else value
            for value, flag in zip(pre, layer.relu, strict=True)
        )
    return found, values


def _lines_of(data, chain, pre):
    """Lines with some signs fixed, as they are at a point with these pre-activations."""
    lines = {}
    for layer, one in enumerate(chain):
        if not one.layer.relu.any():
            continue
        lower, upper = one.pre.lower.copy(), one.pre.upper.copy()
        signs = np.zeros((1, len(lower)), dtype=np.int8)
        for neuron in np.flatnonzero(one.unstable):
            if data.draw(st.booleans()):
                signs[0, neuron] = 1 if pre[layer][neuron] >= 0 else -1
                if signs[0, neuron] > 0:
                    lower[neuron] = 0.0
                else:
                    upper[neuron] = 0.0
        lines[layer] = part_lines(one.layer.relu, lower[None], upper[None], signs)
    return lines


@given(st.data())
def test_bounds_on_parts_hold_at_exact_points(data):
    network = data.draw(networks(max_hidden=3))
    box = data.draw(boxes(network.input_size))
    floats = Intervals(*box.enclosing_floats)
    chain = bound_network(network, floats)
    x = corner_values(box, data.draw)
    pre, y = _exact_pre_activations(network, x)
    lines = _lines_of(data, chain, pre)
    rows = np.array([[1.0, -1.0], [0.3, 0.7], [-1e8, 1.0]])
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    alpha = {k: rng.random((3, v.unstable.shape[1])) for k, v in lines.items()}
    size = data.draw(st.sampled_from([0.1, 1.0, 1e6]))
    beta = {k: size * rng.random((3, v.unstable.shape[1])) for k, v in lines.items()}
    any_bounds = bounded(chain, floats, rows, lines, Multipliers(alpha, beta)).values
    good_bounds, _ = ascend(
        chain, floats, rows, lines, start_multipliers(lines, 3), steps=5, rate=0.3
    )
    for row, some, good in zip(rows, any_bounds, good_bounds.values, strict=True):
        value = sum(Fraction(float(c)) * v for c, v in zip(row, y, strict=True))
        assert value >= Fraction(float(some)) if np.isfinite(some) else True
        assert value >= Fraction(float(good)) if np.isfinite(good) else True


@given(st.data())
def test_a_mixture_holds_where_its_rows_do(data):
    network = data.draw(networks(max_hidden=2))
    box = data.draw(boxes(network.input_size))
    floats = Intervals(*box.enclosing_floats)
    chain = bound_network(network, floats)
    number = st.fractions(-3, 3, max_denominator=7)
    rows = data.draw(st.lists(st.tuples(number, number), min_size=1, max_size=4))
    x = corner_values(box, data.draw)
    y = network.evaluate_exactly(x)
    limits = [sum(c * v for c, v in zip(row, y, strict=True)) for row in rows]
    mixed = mixture(chain, floats, Polyhedron(tuple(rows), tuple(limits))).rows
    value = sum(Fraction(c) * v for c, v in zip(mixed.coefficients[0].tolist(), y, strict=True))
    slack = sum(Fraction(e) * abs(v) for e, v in zip(mixed.error[0].tolist(), y, strict=True))
    assert value - slack <= Fraction(float(mixed.limits[0]))


@given(st.data())
def test_sharpened_bounds_hold_at_exact_points(data):
    network = data.draw(networks(max_hidden=3))
    box = data.draw(boxes(network.input_size))
    floats = Intervals(*box.enclosing_floats)
    chain = bound_network(network, floats)
    before = {i: one.pre for i, one in enumerate(chain) if one.layer.relu.any()}
    effort = Effort(first_steps=data.draw(st.integers(0, 3)), steps=data.draw(st.integers(0, 2)))
    after = sharpened(
        chain, floats, before, Limits(5.0), effort, data.draw(st.sampled_from([1, 8, 40]))
    )
    x = corner_values(box, data.draw)
    pre, _ = _exact_pre_activations(network, x)
    for layer, own in after.items():
        assert (own.lower >= before[layer].lower).all()
        assert (own.upper <= before[layer].upper).all()
        for value, low, high in zip(pre[layer], own.lower, own.upper, strict=True):
            assert Fraction(float(low)) <= value <= Fraction(float(high))


@given(st.data())
def test_compacted_chains_give_the_same_values(data):
    network = data.draw(networks(max_hidden=3))
    box = data.draw(boxes(network.input_size))
    floats = Intervals(*box.enclosing_floats)
    chain = bound_network(network, floats)
    small = compacted(chain, floats, {}, len(chain) - 1)
    x = corner_values(box, data.draw)
    reduced = Network(tuple(one.layer for one in small.chain))
    outputs = network.evaluate_exactly(x)
    assert reduced.evaluate_exactly(x) == tuple(outputs[i] for i in small.neurons[-1])
    left_out = set(range(len(outputs))) - set(small.neurons[-1].tolist())
    assert all(outputs[i] == 0 for i in left_out)


def test_sharpening_settles_neurons_that_linear_bounds_leave_open():
    rng = np.random.default_rng(0)
    sizes = [12, 10, 14, 14, 2]
    weights = [rng.normal(size=(b, a)) / np.sqrt(a) for a, b in pairwise(sizes)]
    network = Network.dense(weights, [0.3 * rng.normal(size=b) for b in sizes[1:]])
    box = Intervals(np.full(12, -0.4), np.full(12, 0.4))
    chain = bound_network(network, box)
    bounds = {i: one.pre for i, one in enumerate(chain) if one.layer.relu.any()}

    def open_neurons(divisions, executor=None):
        found = sharpened(chain, box, bounds, Limits(), Effort(), divisions, executor)
        return [int(((one.lower < 0) & (one.upper > 0)).sum()) for one in found.values()]

    once, often = open_neurons(1), open_neurons(200)
    assert sum(often) < sum(once)
    with ThreadPoolExecutor(2) as executor:
        assert open_neurons(200, executor) == often


@settings(max_examples=60)
@given(questions(), st.booleans())
def test_verdicts_agree_with_enumeration(question, early):
    """``early``: with so few parts a round that sharpening is repeated."""
    network, query = question
    truth = certify(network, query, engine="enumerate").verdict
    case = query.cases[0]
    if not case.unsafe:
        return
    chain = bound_network(network, Intervals(*case.box.enclosing_floats))
    rounds = tuple(Round(n, n) for n in (1, 8, 40)) if early else ROUNDS
    plan = Plan(rounds, worthwhile=-1.0 if early else 0.02)
    verdict = split_relus(network, query, case, chain, Limits(2.0), jobs=1 + early, plan=plan)
    if isinstance(verdict, Violated):
        assert isinstance(truth, Violated)
        assert confirm(network, query, verdict.witness.input) is not None
    elif isinstance(verdict, Proved):
        assert isinstance(truth, Proved)
    elif not early:
        assert isinstance(truth, Proved | Violated)


def test_it_proves_what_bounds_alone_cannot():
    rng = np.random.default_rng(4)
    sizes = [10, 12, 12, 12, 1]
    weights = [rng.normal(size=(b, a)) / np.sqrt(a) for a, b in pairwise(sizes)]
    network = Network.dense(weights, [0.1 * rng.normal(size=b) for b in sizes[1:]])
    box = Box((Fraction(-1),) * 10, (Fraction(1),) * 10)
    floats = Intervals(*box.enclosing_floats)
    chain = bound_network(network, floats)
    bound = -lower_bounds(chain, floats, -np.eye(1))[0]
    unsafe = Polyhedron(((Fraction(-1),),), (-Fraction(0.9 * bound),))
    query = Query((Case(box, (unsafe,)),))
    assert isinstance(certify(network, query, engine="bounds").verdict, Unknown)
    assert isinstance(split_relus(network, query, query.cases[0], chain, Limits(60.0)), Proved)


def test_it_finds_the_counterexample_of_a_narrow_spike():
    """|x1 - x2| small and x1 near 1: points of the bounds lead there."""
    weight = np.array([[1.0, -1.0], [-1.0, 1.0], [1.0, 0.0]])
    out = np.array([[-1.0, -1.0, 1.0]])
    network = Network.dense([weight, out], [np.zeros(3), np.zeros(1)])
    box = Box((Fraction(-1), Fraction(-1)), (Fraction(1), Fraction(1)))
    unsafe = Polyhedron(((Fraction(-1),),), (-Fraction(1),))
    query = Query((Case(box, (unsafe,)),))
    chain = bound_network(network, Intervals(*box.enclosing_floats))
    verdict = split_relus(network, query, query.cases[0], chain, Limits(5.0))
    assert isinstance(verdict, Violated)
    assert verdict.witness.output == (1,)


def test_time_and_sets_without_rows_are_named():
    network = Network.dense([np.ones((2, 9)), np.ones((1, 2))], [np.zeros(2), np.zeros(1)])
    box = Box((Fraction(-1),) * 9, (Fraction(1),) * 9)
    chain = bound_network(network, Intervals(*box.enclosing_floats))
    query = Query((Case(box, (Polyhedron((), ()),)),))
    verdict = split_relus(network, query, query.cases[0], chain, Limits(5.0))
    assert isinstance(verdict, Unknown)
    assert verdict.reason is Reason.ENGINE
