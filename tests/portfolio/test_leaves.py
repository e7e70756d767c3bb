"""Leaves of the search over few inputs are made so that they check as they stand."""

from fractions import Fraction
from itertools import pairwise

import numpy as np

from relucert.limits import Limits
from relucert.network import Network
from relucert.proof.records import (
    SLOPE_STEPS,
    InputSplitRecord,
    Record,
    ReluSplitRecord,
    parse_record,
)
from relucert.prover.ground import checked_bounds
from relucert.prover.guide import Guide
from relucert.prover.replay import replay
from relucert.prover.tree import Tree
from relucert.query import Box, Case, Polyhedron, Query
from relucert.search.few_inputs import search_few_inputs
from relucert.search.split_log import SplitLog
from relucert.search.star import ascent
from relucert.verdict import Proved

SEEDS, INPUTS, HIDDEN, SLACK = range(8), 4, (16, 16, 16, 16), 0.1


class Splits:
    """Takes records as a `ProofWriter` does, and counts splits."""

    def __init__(self) -> None:
        self.count = 0

    def write(self, record: Record) -> None:
        self.count += isinstance(record, InputSplitRecord | ReluSplitRecord)

    def write_text(self, text: str) -> None:
        self.count += isinstance(parse_record(text), InputSplitRecord | ReluSplitRecord)


def deep(seed: int) -> tuple[Network, Case]:
    """A random network, and a limit a little below what points of the cube reach."""
    generator = np.random.default_rng(seed)
    sizes = [INPUTS, *HIDDEN, 1]
    network = Network.dense(
        [generator.normal(size=(b, a)) / np.sqrt(a) for a, b in pairwise(sizes)],
        [0.3 * generator.normal(size=b) for b in sizes[1:]],
    )
    least = network.evaluate(generator.uniform(-1, 1, (20_000, INPUTS))).min()
    box = Box((Fraction(-1),) * INPUTS, (Fraction(1),) * INPUTS)
    limit = Fraction(float(least) - SLACK)
    return network, Case(box, (Polyhedron(((Fraction(1),),), (limit,)),))


def test_few_leaves_are_divided_further_by_the_check():
    """Each costs the check far more than it cost the search; they were one in twelve once."""
    searched = checked = 0
    for seed in SEEDS:
        network, case = deep(seed)
        query, log, splits = Query((case,)), SplitLog(), Splits()
        if not isinstance(search_few_inputs(network, query, case, Limits(20.0), log=log), Proved):
            continue
        ground = checked_bounds(network, case, Limits())
        guide = Guide.sharing(ground.arithmetic)
        replay(Tree(network, query, case, guide, splits, Limits(20.0)), ground.region, log)
        searched, checked = searched + len(log.splits), checked + splits.count
    assert searched > 300
    assert checked >= searched
    assert checked - searched <= 0.03 * searched


def test_slopes_of_the_search_are_those_that_proofs_name():
    assert ascent.SLOPE_STEPS == SLOPE_STEPS
