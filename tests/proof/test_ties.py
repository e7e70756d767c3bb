"""Where rounding decides what counts as stable, both arithmetics check a proof."""

from fractions import Fraction

import numpy as np
import pytest

from relucert.limits import Limits
from relucert.network import Network
from relucert.proof.subject import Subject
from relucert.prover.certify import certify_with_proof
from relucert.query import Box, Case, Polyhedron, Query
from relucert.verdict import Method, Proved

SUBJECT = Subject("network sha256:00", "query sha256:00")


@pytest.mark.parametrize(
    ("bias", "arithmetics"),
    [(0.0, ("rounded", "exact")), (0.1, ("rounded",)), (-0.1, ("rounded",))],
)
def test_the_exact_arithmetic_checks_where_a_bound_is_zero(tmp_path, bias, arithmetics):
    """y = relu(bias - relu(x) / 3 - relu(-x) / 3): without the bias its ReLU is only just dead."""
    layers = [np.array([[1.0], [-1.0]]), np.array([[-1 / 3, -1 / 3]]), np.array([[1.0]])]
    network = Network.dense(layers, [np.zeros(2), np.array([bias]), np.zeros(1)])
    part = Polyhedron(((Fraction(-1),),), (Fraction(-1),))
    query = Query((Case(Box((Fraction(-1),), (Fraction(1),)), (part,)),))
    found = certify_with_proof(network, query, SUBJECT, tmp_path / "p.rcp", Limits(10.0))
    assert found.verdict == Proved(Method.CHECKED)
    assert found.arithmetics == arithmetics


def test_the_exact_arithmetic_checks_where_a_default_slope_is_decided(tmp_path):
    """u is one unit above 1023/1024 of -l: the arithmetics take different default slopes."""
    network = Network.dense([np.array([[1.0]]), np.array([[1.0]])], [np.zeros(1)] * 2)
    box = Box((Fraction(-2.4296875),), (Fraction(2.4273147583007817),))
    query = Query((Case(box, (Polyhedron(((Fraction(1),),), (Fraction(-1),)),)),))
    said = list[str]()
    found = certify_with_proof(
        network, query, SUBJECT, tmp_path / "p.rcp", Limits(10.0), progress=said.append
    )
    assert "checking the proof, exact" in said  # whatever comes of it
    assert not isinstance(found.verdict, Proved) or found.arithmetics == ("rounded", "exact")


def test_the_exact_arithmetic_checks_where_it_is_decided_what_is_bounded_anew(tmp_path):
    """The first ReLU of the second layer is in [1, 1025]: l = (u - l) / 1024 but for rounding."""
    weights = [
        np.array([[1.0, 0], [1, 0], [0, 1]]), np.array([[512.0, -512, 0], [0, 0, 1]]),
        np.array([[1.0, 1], [0, 1]]), np.array([[1.0, -1]]),
    ]  # fmt: skip
    biases = [np.array([0.0, 0, 2]), np.array([513.0, -2]), np.array([-512.5, 0.25]), np.zeros(1)]
    network = Network.dense(weights, biases)
    part = Polyhedron(((Fraction(-1),),), (Fraction(-35, 100),))
    box = Box((Fraction(1), Fraction(-1)), (Fraction(2), Fraction(2)))
    query = Query((Case(box, (part,)),))
    said = list[str]()
    found = certify_with_proof(
        network, query, SUBJECT, tmp_path / "p.rcp", Limits(10.0), progress=said.append
    )
    assert "checking the proof, exact" in said  # whatever comes of it
    assert not isinstance(found.verdict, Proved) or found.arithmetics == ("rounded", "exact")
