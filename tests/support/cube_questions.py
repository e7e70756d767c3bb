"""Questions to be divided, and an executor for tests, with answers that may be made up."""

from concurrent.futures import Executor, Future
from fractions import Fraction
from itertools import pairwise

import numpy as np
from hypothesis import strategies as st
from support.random_networks import boxes, networks

from relucert.cubes.work import solved
from relucert.network import Network
from relucert.query import Box, Case, Polyhedron, Query

F = Fraction


def wavy():
    """y over [-1, 1]^3 in many pieces, the point with the largest y of many, and that y."""
    rng = np.random.default_rng(0)
    sizes = (3, 16, 16, 16, 1)
    network = Network.dense(
        [rng.normal(size=(b, a)).round(2) for a, b in pairwise(sizes)],
        [0.3 * rng.normal(size=b).round(2) for b in sizes[1:]],
    )
    points = np.clip(rng.uniform(-2, 2, size=(20000, 3)), -1, 1)
    values = network.evaluate(points)[:, 0]
    place = int(values.argmax())
    return network, tuple(map(F, points[place])), float(values[place])


def at_least(limit):
    """Is y anywhere in the cube at least so large?"""
    box = Box((F(-1),) * 3, (F(1),) * 3)
    return Query((Case(box, (Polyhedron(((F(-1),),), (F(-limit),)),)),))


@st.composite
def divided_questions(draw):
    """One or two cases whose ends are no floats."""
    network = draw(networks(outputs=1))
    cases = []
    for _ in range(draw(st.integers(1, 2))):
        box = draw(boxes(network.input_size))
        shift = F(draw(st.integers(-2, 2)), 7)
        box = Box(tuple(v + shift for v in box.lower), tuple(v + shift for v in box.upper))
        limits = draw(st.lists(st.integers(-20, 20), min_size=1, max_size=2))
        cases.append(Case(box, tuple(Polyhedron(((F(1),),), (F(limit),)) for limit in limits)))
    return network, Query(tuple(cases))


class AtOnce(Executor):
    """Does what it is given when it is given; ``change`` may make another answer of it."""

    def __init__(self, change=lambda task, answer: answer):
        self.change, self.tasks = change, []

    def submit(self, fn, /, *args, **kwargs):
        assert fn is solved
        self.tasks.append(args[0])
        future = Future()
        try:
            future.set_result(self.change(args[0], fn(*args)))
        except Exception as error:
            future.set_exception(error)
        return future
