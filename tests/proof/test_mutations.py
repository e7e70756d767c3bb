"""Thousands of mutated proofs of claims that an exact point refutes: none may be accepted."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from random import Random

import numpy as np
import pytest
from support.proof_files import mutated, packed, read_lines

from relucert.errors import FileError
from relucert.limits import Limits
from relucert.network import Network
from relucert.proof.bounding import bounded
from relucert.proof.check import Accepted, check_proof
from relucert.proof.region import Refused, Region, root_region
from relucert.proof.rounded import Rounded
from relucert.proof.subject import Subject
from relucert.prover.prove import prove
from relucert.query import Box, Case, Polyhedron, Query
from relucert.search.few_inputs import search_few_inputs
from relucert.search.split_log import SplitLog
from relucert.verdict import confirm

SUBJECT = Subject("network sha256:00", "query sha256:00")


def claims(seed: int) -> tuple[Network, Query, Query, Query]:
    """A network of three hidden layers, two claims that hold and one that a point refutes.

    The first differs little from it, so that a proof of one is nearly a proof of the other; the
    second more, as proofs by signs of ReLUs alone become long.
    """
    generator = np.random.default_rng(seed)
    sizes = [2, 5, 4, 4, 1]
    shapes = [(b, a) for a, b in pairwise(sizes)]
    network = Network.dense(
        [np.round(16 * generator.normal(size=shape)) / 16 for shape in shapes],
        [np.round(4 * generator.normal(size=shape[0])) / 16 for shape in shapes],
    )
    box = Box((Fraction(-1),) * 2, (Fraction(1),) * 2)
    side = np.linspace(-1, 1, 201)
    points = np.array([(a, b) for a in side for b in side])
    lowest = points[int(network.evaluate(points)[:, 0].argmin())]
    point = tuple(Fraction(float(value)) for value in lowest)
    least = network.evaluate_exactly(point)[0]

    def above(limit: Fraction) -> Query:
        return Query((Case(box, (Polyhedron(((Fraction(1),),), (limit,)),)),))

    false = above(least)
    assert confirm(network, false, point) is not None
    return network, above(least - Fraction(1, 50)), above(least - 1), false


def base_proofs(tmp_path, network: Network, true: Query, easier: Query) -> list[list[str]]:
    """Proofs of the claims that hold, by each way of the prover."""
    path, log = tmp_path / "base.rcp", SplitLog()
    search_few_inputs(network, true, true.cases[0], Limits(10.0), log=log)
    ways = (
        (true, {"strategy": "inputs"}),
        (easier, {"strategy": "signs"}),
        (easier, {"strategy": "relus"}),
        (true, {"logs": {0: log}}),
    )
    return [
        read_lines(path)
        for claim, way in ways
        if prove(network, claim, SUBJECT, path, Limits(10.0), **way).size
    ]


def test_no_mutated_proof_of_a_false_claim_is_accepted(tmp_path):
    none_accepted(tmp_path, 240, 0)


@pytest.mark.slow
@pytest.mark.parametrize("tenth", range(10))
def test_none_of_ten_thousand_mutated_proofs_is_accepted(tmp_path, tenth):
    none_accepted(tmp_path, 1_000, 1_000 * (1 + tenth))


def none_accepted(tmp_path, count: int, first: int) -> None:
    rng, tried, whole, path = Random(11 + first), 0, 0, tmp_path / "p.rcp"
    for seed in range(first, first + 1000):
        network, true, easier, false = claims(seed)
        for lines in base_proofs(tmp_path, network, true, easier):
            whole += 1
            for spoiled in [lines, *(mutated(lines, rng) for _ in range(39))]:
                path.write_bytes(packed(spoiled))
                for arithmetic in ("rounded", "exact") if tried % 8 == 0 else ("rounded",):
                    try:
                        found = check_proof(path, network, false, SUBJECT, arithmetic)
                    except FileError:
                        continue
                    assert not isinstance(found, Accepted), (seed, spoiled)
                tried += 1
        if tried >= count:
            break
    assert tried >= count
    assert whole >= count // 40


def test_slopes_for_no_neuron_cost_their_own_region_only():
    """A wrong record among those worked through together once ended in an IndexError."""
    network, true, _, _ = claims(0)
    root = root_region(true.cases[0])
    wrong, right = bounded(Rounded(network), network, [root, root], [{0: {99: 256}}, {}])
    assert isinstance(wrong, Refused)
    assert "neuron 99 of layer 0" in str(wrong)
    assert isinstance(right, Region)
    assert right.layers
