"""Counterexamples chosen to survive being read as floats and run in float32."""

from fractions import Fraction

import numpy as np
import pytest

from relucert.float32.program import program_of_layers
from relucert.float32.sturdy import sturdiest
from relucert.limits import Limits
from relucert.network import Network
from relucert.query import Box, Case, Polyhedron, Query
from relucert.write.competition import is_decimal

F = Fraction


def distance():
    """y = |x0 - x1|."""
    first, second = np.array([[1.0, -1.0], [-1.0, 1.0]]), np.array([[1.0, 1.0]])
    return Network.dense([first, second], [np.zeros(2), np.zeros(1)])


def question(low, high, limit):
    """Unsafe: y >= limit."""
    return Query((Case(Box(low, high), (Polyhedron(((F(-1),),), (F(-limit),)),)),))


@pytest.mark.parametrize("executed", [True, False])
def test_a_quotient_becomes_a_point_of_float32_deep_inside(executed):
    network, query = distance(), question((F(0), F(0)), (F(1), F(1)), F(2, 3))
    witness = (F(0), F(2, 3))
    program = program_of_layers(network) if executed else None
    found = sturdiest(network, query, witness, program, Limits())
    assert (found.exact, found.as_float64, found.float32_share) == (True, True, 1.0)
    assert all(np.float32(float(value)) == value for value in found.input)
    assert found.output == (abs(found.input[0] - found.input[1]),)
    assert found.output[0] > F(2, 3)


def test_a_side_without_floats_keeps_its_decimal():
    network, query = distance(), question((F(1, 10), F(0)), (F(1, 10), F(1)), F(3, 5))
    found = sturdiest(network, query, (F(1, 10), F(7, 10)), program_of_layers(network), Limits())
    assert found.input[0] == F(1, 10)
    assert (found.exact, found.as_float64, found.float32_share) == (True, True, 1.0)


def test_a_set_that_is_touched_only_is_told():
    network = distance()
    query = question((F(1, 10), F(0)), (F(1, 10), F(1)), F(9, 10))
    found = sturdiest(network, query, (F(1, 10), F(1)), program_of_layers(network), Limits())
    assert found.input == (F(1, 10), F(1))
    assert found.exact
    assert not found.as_float64


def test_no_decimal_is_a_counterexample():
    touching = (Polyhedron(((F(3),), (F(-3),)), (F(1), F(-1))),)  # y = 1/3 and nothing else
    network = distance()
    query = Query((Case(Box((F(0), F(0)), (F(0), F(1))), touching),))
    found = sturdiest(network, query, (F(0), F(1, 3)), program_of_layers(network), Limits())
    assert not found.exact
    assert all(map(is_decimal, found.input))
    assert abs(found.input[1] - F(1, 3)) < F(1, 10**6)


def test_the_time_limit_leaves_the_first_point():
    network, query = distance(), question((F(0), F(0)), (F(1), F(1)), F(2, 3))
    found = sturdiest(network, query, (F(0), F(2, 3)), None, Limits(0.0))
    assert query.cases[0].box.contains(found.input)
