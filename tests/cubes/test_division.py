"""Cubes cover the box exactly, whatever is halved."""

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st
from support.cube_questions import divided_questions as questions
from support.random_networks import networks

from relucert.cubes.division import divided, halved, roots
from relucert.limits import Limits
from relucert.network import Network
from relucert.query import Box, Case, Polyhedron, Query
from relucert.verdict import Proved, confirm

F = Fraction
THIRD = Box((F(1, 3), F(0), F(-1, 7)), (F(2, 3), F(0), F(10**30)))


def volume(box):
    """Of the sides that have a length."""
    size = F(1)
    for low, high in zip(box.lower, box.upper, strict=True):
        size *= high - low or 1
    return size


@settings(max_examples=60, deadline=None)
@given(questions(), st.integers(1, 12))
def test_the_cubes_cover_the_boxes_exactly(question, wanted):
    network, query = question
    trees = roots(network, query)
    left = divided(network, query, trees, wanted, Limits())
    assert len(left) <= max(wanted, len(trees))
    for tree in trees:
        leaves = list(tree.leaves())
        assert sum(volume(leaf.box) for leaf in leaves) == volume(tree.box)
        for leaf in leaves:
            inside = zip(
                tree.box.lower, leaf.box.lower, leaf.box.upper, tree.box.upper, strict=True
            )
            assert all(a <= b <= c <= d for a, b, c, d in inside)
        assert tree.box == query.cases[tree.index].box
    assert abs(sum(leaf.share for tree in trees for leaf in tree.leaves()) - 1) < 1e-9


@settings(max_examples=60, deadline=None)
@given(questions(), st.data())
def test_no_unsafe_point_is_lost(question, data):
    """A point that is a counterexample is one of the question of the cube it lies in."""
    network, query = question
    trees = roots(network, query)
    divided(network, query, trees, 6, Limits())
    for tree in trees:
        point = tuple(
            low + (high - low) * data.draw(st.fractions(0, 1, max_denominator=9))
            for low, high in zip(tree.box.lower, tree.box.upper, strict=True)
        )
        if confirm(network, Query((query.cases[tree.index],)), point) is None:
            continue
        leaves = [leaf for leaf in tree.leaves() if leaf.box.contains(point)]
        assert leaves
        for leaf in leaves:
            assert not isinstance(leaf.verdict, Proved)
            assert confirm(network, leaf.question(query, whole=False), point) is not None


@given(st.data())
@settings(max_examples=20, deadline=None)
def test_halves_meet_in_a_float_between_ends_that_are_none(data):
    network = data.draw(networks(max_inputs=3, outputs=1).filter(lambda n: n.input_size == 3))
    query = Query((Case(THIRD, (Polyhedron(((F(1),),), (F(10**40),)),)),))
    (cube,) = roots(network, query)
    for _ in range(8):
        place, value = cube.branch
        assert place != 1
        first, second = halved(network, query, cube)
        assert first.box.upper[place] == second.box.lower[place] == F(value)
        assert cube.box.lower[place] < F(value) < cube.box.upper[place]
        cube = data.draw(st.sampled_from([first, second]))
        if cube.branch is None:
            return


def test_a_point_is_not_halved():
    network = Network.dense([[[1.0]], [[1.0]]], [[0.0], [0.0]])
    query = Query((Case(Box((F(1, 3),), (F(1, 3),)), (Polyhedron(((F(1),),), (F(1),)),)),))
    (cube,) = roots(network, query)
    assert cube.branch is None
    assert halved(network, query, cube) == ()
    assert divided(network, query, [cube], 5, Limits()) == [cube]
