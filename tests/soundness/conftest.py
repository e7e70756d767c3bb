"""Compile the kernels before any case is timed."""

from __future__ import annotations

import pytest
from soundness.builder import at_most, dense, question

from relucert.limits import Limits
from relucert.search.few_inputs import search_few_inputs


@pytest.fixture(scope="session", autouse=True)
def compiled_kernels():
    """A first run after a change takes about 20 s, which no time limit of a test should meet."""
    network = dense(([[1, 0], [0, 1]], [0, 0]), ([[1, 1]], [0]))
    query = question([(-1, 1), (-1, 1)], at_most(-1))
    search_few_inputs(network, query, query.cases[0], Limits())
