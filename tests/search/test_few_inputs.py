"""The search for few inputs against exact enumeration, on small and awkward networks."""

import itertools
import sys
from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.random_networks import questions

from relucert.limits import Limits
from relucert.network import Layer, Network
from relucert.query import Box, Case, Polyhedron, Query
from relucert.search.enumerate import enumerate_case
from relucert.search.few_inputs import MAX_FREE_INPUTS, search_few_inputs
from relucert.verdict import Method, Proved, Reason, Unknown, Violated
from relucert.verify import certify

pytest.importorskip("numba")
from relucert.search import few_inputs
from relucert.search.star import kernel

RELAXED = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)  # fmt: skip


def _searched(network, query, seconds=20.0, seed=0):
    return search_few_inputs(network, query, query.cases[0], Limits(seconds), seed=seed)


def _half_spaces(*rows):
    """One polyhedron a row: ``coefficients @ y <= limit``."""
    return tuple(
        Polyhedron((tuple(map(Fraction, row)),), (Fraction(limit),)) for row, limit in rows
    )


def _unit_box(size):
    return Box((Fraction(-1),) * size, (Fraction(1),) * size)


def _random_network(rng, sizes, scale=1.0):
    weights = [scale * rng.standard_normal((b, a)) for a, b in itertools.pairwise(sizes)]
    return Network.dense(weights, [rng.standard_normal(len(w)) for w in weights])


@RELAXED
@given(questions())
def test_agrees_with_exact_enumeration(question):
    network, query = question
    expected = enumerate_case(network, query, query.cases[0], Limits(60)).verdict
    found = _searched(network, query)
    if isinstance(found, Unknown):
        # Numbers from 1e-9 to 1e18 in one network: the bounds may be too wide to say anything.
        assert found.reason is Reason.ENGINE
    else:
        assert type(found) is type(expected)


@RELAXED
@given(questions(entries=st.integers(-3, 3).map(float)))
def test_small_integers_are_always_decided(question):
    """Ties, duplicate neurons and empty interiors included."""
    network, query = question
    expected = enumerate_case(network, query, query.cases[0], Limits(60)).verdict
    assert type(_searched(network, query)) is type(expected)


def _layer(weight, bias=None, relu=True, divisor=None):
    weight = np.array(weight, dtype=float)
    bias = np.zeros(len(weight)) if bias is None else np.array(bias, dtype=float)
    mask = np.broadcast_to(np.asarray(relu), len(weight))
    return Layer(weight, bias, mask, divisor)


def test_a_rare_cancellation_is_found_by_exact_arithmetic():
    """y = 1e17 a + 9 a - 1e17 a - 10 a is -a exactly; float64 says that it is positive."""
    first = _layer(np.ones((4, 1)), np.full(4, 2.0))
    network = Network((first, _layer([[1e17, 9, -1e17, -10]], relu=False)))
    assert network.evaluate(np.array([0.5]))[0] > 0
    query = Query((Case(_unit_box(1), _half_spaces(([1], 0))),))
    assert isinstance(_searched(network, query), Violated)


def test_cancelling_weights_are_never_proved_wrongly():
    """The threshold lies just above the exact minimum: a proof would be an error."""
    rng = np.random.default_rng(5)
    for _ in range(12):
        huge = np.exp2(rng.integers(40, 62, 3)).astype(float)
        first = _layer(np.repeat(rng.integers(-3, 4, (3, 2)), 2, axis=0), np.repeat(huge, 2))
        last = _layer([np.kron(huge, [1, -1]) + rng.integers(-5, 6, 6)], relu=False)
        network = Network((first, last))
        corner = [Fraction(int(v)) for v in rng.choice([-1, 1], 2)]
        (value,) = network.evaluate_exactly(corner)
        query = Query((Case(_unit_box(2), _half_spaces(([1], value))),))
        assert not isinstance(_searched(network, query, 5.0), Proved)


@pytest.mark.parametrize("scale", [1e-150, 1e-30, 1e30, 1e90])
def test_tiny_and_huge_weights(scale):
    rng = np.random.default_rng(2)
    network = _random_network(rng, [2, 5, 4, 1], scale)
    corners = itertools.product((Fraction(-1), Fraction(1)), repeat=2)
    lows = [min(network.evaluate_exactly(corner)) for corner in corners]
    query = Query((Case(_unit_box(2), _half_spaces(([1], min(lows)))),))
    assert not isinstance(_searched(network, query, 3.0), Proved)
    far = min(lows) - abs(min(lows)) * 1000 - Fraction(scale) ** 3 * 1000
    query = Query((Case(_unit_box(2), _half_spaces(([1], far))),))
    assert not isinstance(_searched(network, query, 3.0), Violated)


def test_numbers_too_wide_are_left_to_other_engines():
    network = Network.dense([np.full((2, 1), 1e200), np.full((1, 2), 1e200)], [np.zeros(2), [0.0]])
    query = Query((Case(_unit_box(1), _half_spaces(([1], -1))),))
    found = _searched(network, query)
    assert isinstance(found, Unknown)
    assert found.reason is Reason.ENGINE


def test_more_varying_inputs_than_it_takes_are_refused():
    size = MAX_FREE_INPUTS + 1
    network = Network((_layer(np.ones((1, size)), relu=False),))
    query = Query((Case(_unit_box(size), _half_spaces(([1], -size - 1))),))
    found = _searched(network, query)
    assert isinstance(found, Unknown)
    assert found.reason is Reason.ENGINE


@pytest.mark.parametrize(("limit", "kind"), [(-1, Proved), (0, Violated), (1, Violated)])
def test_a_box_of_zero_width_is_a_point(limit, kind):
    network = Network((_layer([[1, 1], [1, -1]]), _layer([[1, 1]], relu=False)))
    third = Fraction(1, 3)  # not a float: its enclosing floats differ
    box = Box((third, -third), (third, -third))
    # h = (0, 2/3): y = 2/3 exactly
    threshold = Fraction(2, 3) + Fraction(limit, 10**12)
    query = Query((Case(box, _half_spaces(([1], threshold))),))
    assert isinstance(_searched(network, query), kind)


@pytest.mark.parametrize("free", [0, 1])
def test_some_inputs_fixed(free):
    rng = np.random.default_rng(8)
    network = _random_network(rng, [3, 6, 6, 1])
    lower, upper = [Fraction(1, 3)] * 3, [Fraction(1, 3)] * 3
    lower[free], upper[free] = Fraction(-1), Fraction(1)
    box = Box(tuple(lower), tuple(upper))
    points = [[*lower[:free], Fraction(k, 50), *lower[free + 1 :]] for k in range(-50, 51)]
    least = min(network.evaluate_exactly(point)[0] for point in points)
    violated = Query((Case(box, _half_spaces(([1], least))),))
    assert isinstance(_searched(network, violated), Violated)
    holds = Query((Case(box, _half_spaces(([1], least - 1))),))
    assert type(_searched(network, holds)) is type(
        enumerate_case(network, holds, holds.cases[0], Limits(60)).verdict
    )


def _bump():
    """y = relu(x) - 2 relu(x - 1/2) + relu(x - 1): zero outside (0, 1), at most 1/2."""
    return Network((_layer([[1], [1], [1]], [0, -0.5, -1]), _layer([[1, -2, 1]], relu=False)))


@pytest.mark.parametrize(
    ("row", "kind"),
    [(([-1], Fraction(-1, 2)), Violated), (([-1], Fraction(-500001, 10**6)), Proved),
     (([1], 0), Violated), (([1], Fraction(-1, 10**9)), Proved)],
)  # fmt: skip
def test_ties_are_decided_exactly(row, kind):
    query = Query((Case(Box((Fraction(-1),), (Fraction(2),)), _half_spaces(row)),))
    assert isinstance(_searched(_bump(), query), kind)


def test_contradictory_rows_and_duplicates():
    box = Box((Fraction(-1),), (Fraction(2),))
    one, least = Fraction(1), Fraction(1, 4)
    contradiction = Polyhedron(((one,), (-one,)), (least, -least - 1))
    query = Query((Case(box, (contradiction, contradiction)),))
    assert isinstance(_searched(_bump(), query), Proved)
    exact = Polyhedron(((one,), (-one,), (one,)), (least, -least, least))  # y = 1/4
    query = Query((Case(box, (contradiction, exact, exact)),))
    assert isinstance(_searched(_bump(), query), Violated)


def test_everything_and_nothing_unsafe():
    box = Box((Fraction(-1),), (Fraction(2),))
    everything = Query((Case(box, (Polyhedron((), ()),)),))
    assert isinstance(_searched(_bump(), everything), Violated)
    assert _searched(_bump(), Query((Case(box, ()),))) == Proved(Method.EMPTY)


@pytest.mark.parametrize("limit", [Fraction(-2), Fraction(-2) - Fraction(1, 10**12)])
def test_networks_without_hidden_layers_or_relus(limit):
    box, parts = _unit_box(2), _half_spaces(([1], limit))
    affine = _layer([[1, 1]], relu=False)
    chain = (_layer([[1, 1], [1, -1]], relu=False), _layer([[1, 0]], relu=False))
    for layers in ((affine,), chain):
        found = _searched(Network(layers), Query((Case(box, parts),)))
        assert isinstance(found, Violated if limit == -2 else Proved)


def test_width_one_and_a_relu_on_the_output():
    layers = (_layer([[2]], [1]), _layer([[1]], [-1]), _layer([[3]], [-1]))
    query = Query((Case(_unit_box(1), _half_spaces(([1], -1))),))
    assert isinstance(_searched(Network(layers), query), Proved)
    query = Query((Case(_unit_box(1), _half_spaces(([-1], -5))),))
    assert isinstance(_searched(Network(layers), query), Violated)
    query = Query((Case(_unit_box(1), _half_spaces(([-1], Fraction(-50001, 10**4)))),))
    assert isinstance(_searched(Network(layers), query), Proved)


@pytest.mark.parametrize("seed", range(6))
def test_sparse_rows_divisors_and_carried_coordinates(seed):
    rng = np.random.default_rng(seed)
    first = Layer(sp.csr_array(rng.integers(-2, 3, (6, 2)).astype(float)), rng.integers(-1, 2, 6),
                  np.array([True] * 4 + [False] * 2), np.array([3.0, 1, 7, 1, 3, 1]))  # fmt: skip
    carried = np.vstack([rng.integers(-2, 3, (4, 6)), np.eye(6)[4:]])
    second = Layer(sp.csr_array(carried), np.zeros(6), np.array([True] * 4 + [False] * 2))
    last = _layer(rng.integers(-2, 3, (2, 6)), relu=False, divisor=np.array([3.0, 9.0]))
    network = Network((first, second, last))
    box, corners = _unit_box(2), [(-1, -1), (-1, 1), (1, -1), (1, 1), (0, 0)]
    outputs = [network.evaluate_exactly([Fraction(v) for v in corner])[0] for corner in corners]
    for shift in (0, 1, 4):
        query = Query((Case(box, _half_spaces(([1, 0], min(outputs) - Fraction(shift, 9)))),))
        expected = enumerate_case(network, query, query.cases[0], Limits(60)).verdict
        assert type(_searched(network, query)) is type(expected)


def _hard():
    rng = np.random.default_rng(11)
    network = _random_network(rng, [8, 60, 60, 60, 1])
    least = network.evaluate(rng.uniform(-1, 1, (5000, 8))).min()
    return network, Query((Case(_unit_box(8), _half_spaces(([1], 3 * Fraction(least)))),))


def test_time_runs_out_with_what_is_known():
    network, query = _hard()
    found = _searched(network, query, seconds=1.0)
    assert isinstance(found, Unknown)
    assert found.reason is Reason.TIME
    assert found.standing is not None
    assert found.standing.margin < 0 <= found.standing.share < 1
    assert "% proved" in found.words


def test_memory_is_respected():
    network, query = _hard()
    limits = Limits(60.0, memory=1e6)
    found = search_few_inputs(network, query, query.cases[0], limits)
    assert isinstance(found, Unknown)
    assert found.reason is Reason.MEMORY


def test_the_same_seed_gives_the_same_witness():
    rng = np.random.default_rng(4)
    network = _random_network(rng, [3, 12, 12, 1])
    sample = network.evaluate(rng.uniform(-1, 1, (20000, 3)))
    limit = Fraction(float(np.sort(sample[:, 0])[2]))
    query = Query((Case(_unit_box(3), _half_spaces(([1], limit))),))
    found = [_searched(network, query, seed=3) for _ in range(2)]
    assert all(isinstance(verdict, Violated) for verdict in found)
    assert found[0] == found[1]


def test_without_numba_another_engine_goes_on(monkeypatch):
    monkeypatch.setattr(kernel, "_from_disk", lambda: None)
    monkeypatch.setitem(sys.modules, "relucert.search.star.loop", None)
    network, query = _hard()
    found = _searched(network, query)
    assert isinstance(found, Unknown)
    assert found.reason is Reason.ENGINE
    assert "numba" in found.detail


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 10**6), st.integers(2, 3), st.sampled_from([0.3, 0.9, 0.999, 1.001]))
def test_larger_networks_agree_with_the_mixed_integer_engine(seed, inputs, share):
    """Enough unstable neurons for halving, dual ascent, programmes and ReLU splits."""
    rng = np.random.default_rng(seed)
    network = _random_network(rng, [inputs, 10, 8, 2])
    sample = network.evaluate(rng.uniform(-1, 1, (4000, inputs)))
    rows = (np.array([1.0, 0.0]), np.array([0.5, -1.0]))
    limits = [Fraction(float((sample @ row).min() * share + (sample @ row).mean() * (1 - share)))
              for row in rows]  # fmt: skip
    part = Polyhedron(tuple(tuple(map(Fraction, row)) for row in rows), tuple(limits))
    query = Query((Case(_unit_box(inputs), (part,)),))
    found = _searched(network, query)
    peer = certify(network, query, engine="milp", timeout=20).verdict
    assert not isinstance(found, Unknown)
    assert isinstance(peer, Unknown) or type(peer) is type(found)


def test_a_short_limit_is_not_spent_on_compiling(monkeypatch):
    monkeypatch.setattr(few_inputs, "ready_kernel", lambda: None)
    network, query = _hard()
    found = _searched(network, query, seconds=1.0)
    assert isinstance(found, Unknown)
    assert found.reason is Reason.ENGINE
