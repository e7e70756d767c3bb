"""Random questions: what is proved is accepted by both arithmetics, and is true."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from support.proof_steps import bounded_one, lower_bound
from support.random_networks import boxes, corner_values, networks, questions

from relucert.limits import Limits
from relucert.network import Layer, Network
from relucert.proof.arithmetic import Objective
from relucert.proof.check import ARITHMETICS, Accepted, check_proof
from relucert.proof.region import Refused, halves, input_halves, root_region
from relucert.proof.subject import Subject
from relucert.prover.prove import prove
from relucert.query import Box, Case, Polyhedron, Query
from relucert.search.enumerate import enumerate_case
from relucert.verdict import Proved, Violated

SETTINGS = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
SAVAGE = st.sampled_from(
    [0.0, 1.0, -1.0, 0.1, 1e12, -1e17, 2.0**53, -(2.0**53), 1e-17, 5e-324, 1e-310, 1e300, -1e300]
)
SUBJECT = Subject("network sha256:00", "query sha256:00")


def truth(network, query):
    """Whether the query holds, by enumeration of activation patterns over rationals."""
    verdicts = [enumerate_case(network, query, case, Limits()).verdict for case in query.cases]
    if any(isinstance(verdict, Violated) for verdict in verdicts):
        return False
    return True if all(isinstance(verdict, Proved) for verdict in verdicts) else None


@given(
    question=st.one_of(questions(), questions(entries=SAVAGE)),
    strategy=st.sampled_from(["inputs", "relus", "signs"]),
)
@SETTINGS
def test_what_is_proved_is_accepted_and_true(tmp_path, question, strategy):
    network, query = question
    path = tmp_path / "p.rcp"
    path.unlink(missing_ok=True)
    result = prove(network, query, SUBJECT, path, Limits(2.0), strategy=strategy)
    assert path.exists() == isinstance(result.verdict, Proved)
    assert truth(network, query) is not False or not path.exists()
    if path.exists():
        for arithmetic in ARITHMETICS:
            found = check_proof(path, network, query, SUBJECT, arithmetic)
            assert found == Accepted(result.records, found.deepest)


@st.composite
def walks(draw):
    """A network, a region that contains a rational point, and the point."""
    savage = draw(st.integers(0, 2)) == 0
    network = draw(networks(max_hidden=3, entries=SAVAGE) if savage else networks(max_hidden=3))
    box = draw(boxes(network.input_size))
    point = corner_values(box, draw)
    steps = draw(st.lists(st.tuples(st.booleans(), st.integers(0, 99)), max_size=4))
    slopes = draw(st.integers(0, 256))
    return network, box, point, steps, slopes


def pre_activations(network, point):
    """Exact pre-activations, layer by layer, and the exact outputs."""
    found = []
    for index in range(len(network.layers)):
        head = network.layers[: index + 1]
        last = head[-1]
        bare = type(last)(last.weight, last.bias, np.zeros(last.output_size, bool), last.divisor)
        found.append(Network((*head[:-1], bare)).evaluate_exactly(point))
    return found


@pytest.mark.parametrize("name", ARITHMETICS)
@given(walk=walks(), data=st.data())
@SETTINGS
def test_bounds_are_never_above_exact_values(name, walk, data):
    network, box, point, steps, slope = walk
    arithmetic = ARITHMETICS[name](network)
    values = pre_activations(network, point)
    given_slopes = {
        index: {int(n): slope for n in np.flatnonzero(layer.relu)}
        for index, layer in enumerate(network.layers)
    }
    try:
        region = bounded_one(arithmetic, network, root_region(Case(box, (Polyhedron((), ()),))), {})
    except Refused:  # beyond the range of float64
        assume(False)
    for on_input, number in steps:
        if on_input:
            index = number % network.input_size
            low, high = region.box.lower[index], region.box.upper[index]
            middle = 0.5 * (low + high)
            if not low < middle < high:
                continue
            first, second = input_halves(region, index, middle)
            region = first if point[index] <= Fraction(middle) else second
        else:
            neurons = [
                (index, int(n))
                for index, layer in enumerate(network.layers)
                for n in np.flatnonzero(layer.relu)
                if n not in region.signs.get(index, {})
            ]
            if not neurons:
                continue
            layer, neuron = neurons[number % len(neurons)]
            first, second = halves(network, region, layer, neuron)
            region = first if values[layer][neuron] >= 0 else second
        if number % 2:
            region = bounded_one(arithmetic, network, region, given_slopes if number % 3 else {})
    assert not region.empty
    for pre, exact in zip(region.layers, values, strict=True):
        for low, high, value in zip(pre.lower, pre.upper, exact, strict=True):
            assert Fraction(float(low)) <= value <= Fraction(float(high))
    row = tuple(
        data.draw(st.sampled_from([Fraction(k, 3) for k in range(-4, 5)])) for _ in range(2)
    )
    betas = {
        layer: {n: data.draw(st.sampled_from([0.0, 0.5, 3.0, 1e9])) for n in signs}
        for layer, signs in region.signs.items()
    }
    objective = Objective(row, Fraction(1, 7))
    bound = lower_bound(arithmetic, network, region, objective, given_slopes, betas)
    outputs = network.evaluate_exactly(point)
    value = sum((a * b for a, b in zip(row, outputs, strict=True)), -objective.limit)
    assert bound == -np.inf or Fraction(bound) <= value


def proved(path, network, query):
    """Prove, and check in both arithmetics."""
    result = prove(network, query, SUBJECT, path, Limits(5.0))
    if path.exists():
        for arithmetic in ARITHMETICS:
            assert isinstance(check_proof(path, network, query, SUBJECT, arithmetic), Accepted)
    return isinstance(result.verdict, Proved)


def test_several_cases_and_sets_without_rows(tmp_path):
    network = Network.dense([np.eye(1), np.eye(1)], [np.zeros(1), np.zeros(1)])
    below = Polyhedron(((Fraction(1),),), (Fraction(-1),))
    box = Box((Fraction(-1),), (Fraction(1),))
    several = Query((Case(box, (below,)), Case(box, ()), Case(box, (below, below))))
    assert proved(tmp_path / "several.rcp", network, several)
    assert proved(tmp_path / "none.rcp", network, Query(()))
    everything = Query((Case(box, (Polyhedron((), ()),)),))
    assert not proved(tmp_path / "everything.rcp", network, everything)
    touching = Query((Case(box, (Polyhedron(((Fraction(1),),), (Fraction(0),)),)),))
    assert not proved(tmp_path / "touching.rcp", network, touching)
    assert not (tmp_path / "touching.rcp").exists()


def test_a_mixture_of_rows_refutes_what_no_row_does(tmp_path):
    network = Network.dense([np.array([[1.0], [-1.0]])], [np.zeros(2)])
    both = Polyhedron(
        ((Fraction(1), Fraction(0)), (Fraction(0), Fraction(1))), (Fraction(-1, 3), Fraction(-1, 3))
    )
    query = Query((Case(Box((Fraction(-1),), (Fraction(1),)), (both,)),))
    assert proved(tmp_path / "p.rcp", network, query)


def below(network, limit, box):
    """Whether the network's output reaches ``limit`` on a box of one input."""
    part = Polyhedron(((Fraction(1),),), (limit,))
    return network, Query((Case(Box((box[0],), (box[1],)), (part,)),))


@pytest.mark.parametrize(
    ("steep", "limit"),
    [(1e12, "-1.0000003"), (1e16, "-1.002"), (1e18, "-1.5"), (1e24, "-100"), (1e300, "-1.5")],
)
def test_lines_that_are_nearly_flat_are_the_same_in_both_arithmetics(tmp_path, steep, limit):
    """y = -relu(1 - steep relu(x)) is at least -1; the line above the outer ReLU hardly rises."""
    layers = [np.array([[1.0]]), np.array([[-steep]]), np.array([[-1.0]])]
    network = Network.dense(layers, [np.zeros(1), np.ones(1), np.zeros(1)])
    network, query = below(network, Fraction(limit), (Fraction(-2), Fraction(1)))
    result = prove(network, query, SUBJECT, tmp_path / "p.rcp", Limits(10.0))
    assert isinstance(result.verdict, Proved)
    for arithmetic in ARITHMETICS:
        found = check_proof(tmp_path / "p.rcp", network, query, SUBJECT, arithmetic)
        assert isinstance(found, Accepted)


def test_multipliers_beyond_float64_prove_nothing(tmp_path):
    """The rows of the last linear programme are scaled by subnormal numbers here."""
    tiny = 2.0**-1022
    layers = [
        np.array([[2.2e-308], [1.0]]),
        np.array([[-2.2e-308, -1e-310], [-tiny, -1e-300], [-2.2e-308, -1.0]]),
        np.array([[1e-300, 0.0, -tiny]]),
    ]
    biases = [np.array([-1.0, 0.0]), np.array([0.0, -2.2e-308, 0.0]), np.array([-tiny])]
    relu = [np.array([False, True]), np.ones(3, dtype=bool), np.zeros(1, dtype=bool)]
    network = Network(tuple(map(Layer, layers, biases, relu)))
    box = (Fraction("-0.1"), Fraction("-0.099999999999"))
    limit = -Fraction(tiny) * (1 + Fraction(1, 10**12))
    network, query = below(network, limit, box)
    for strategy in ("inputs", "relus", "signs"):
        result = prove(network, query, SUBJECT, tmp_path / "p.rcp", Limits(10.0), strategy=strategy)
        assert not isinstance(result.verdict, Violated)
        assert (tmp_path / "p.rcp").exists() == isinstance(result.verdict, Proved)
