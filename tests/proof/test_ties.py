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
