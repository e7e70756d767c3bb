"""Compile the kernels before any test is timed."""

from fractions import Fraction

import numpy as np
import pytest

from relucert.limits import Limits
from relucert.network import Network
from relucert.query import Box, Case, Polyhedron, Query
from relucert.search.few_inputs import search_few_inputs


@pytest.fixture(scope="session", autouse=True)
def compiled_kernels():
    """A first run after a change takes about 20 s, which no time limit of a test should meet."""
    network = Network.dense([np.eye(2), np.ones((1, 2))], [np.zeros(2), np.zeros(1)])
    part = Polyhedron(((Fraction(1),),), (Fraction(-1),))
    query = Query((Case(Box((Fraction(-1),) * 2, (Fraction(1),) * 2), (part,)),))
    search_few_inputs(network, query, query.cases[0], Limits())
