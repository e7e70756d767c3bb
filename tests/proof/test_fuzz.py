"""Mutated proofs of random claims: what is accepted is true, and nothing crashes the checker."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from random import Random

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from support.proof_files import mutated, packed, read_lines
from support.random_networks import corner_values, questions

from relucert.errors import FileError
from relucert.limits import Limits
from relucert.proof.check import ARITHMETICS, Accepted, NotAccepted, check_proof
from relucert.proof.subject import Subject
from relucert.prover.prove import prove
from relucert.query import Polyhedron, Query
from relucert.verdict import confirm

SUBJECT = Subject("network sha256:00", "query sha256:00")
SETTINGS = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def moved(query: Query, shift: Fraction) -> Query:
    """Every unsafe half-space larger by ``shift``."""

    def larger(part: Polyhedron) -> Polyhedron:
        return Polyhedron(part.coefficients, tuple(limit + shift for limit in part.limits))

    return Query(
        tuple(replace(case, unsafe=tuple(map(larger, case.unsafe))) for case in query.cases)
    )


@given(
    question=questions(),
    strategy=st.sampled_from(["inputs", "relus", "signs"]),
    seed=st.integers(0),
    data=st.data(),
)
@SETTINGS
def test_a_proof_of_a_false_claim_is_not_accepted(tmp_path, question, strategy, seed, data):
    """A proof of a true claim, mutated, against the nearest false claim that a point shows."""
    network, query = question
    path = tmp_path / "p.rcp"
    result = prove(network, query, SUBJECT, path, Limits(1.0), strategy=strategy)
    assume(result.size > 0)
    lines = read_lines(path)
    case = query.cases[0]
    outputs = network.evaluate_exactly(point := corner_values(case.box, data.draw))
    shift = min(
        (max(_excess(part, outputs), default=Fraction(0)) for part in case.unsafe),
        default=Fraction(0),
    )
    false = moved(query, shift)
    assert confirm(network, false, point) is not None
    rng = Random(seed)
    for spoiled in [lines, *(mutated(lines, rng) for _ in range(6))]:
        path.write_bytes(packed(spoiled))
        for arithmetic in ARITHMETICS:
            try:
                found = check_proof(path, network, false, SUBJECT, arithmetic)
            except FileError:
                continue
            assert isinstance(found, NotAccepted), spoiled
            assert found.record > 0
            assert found.reason


def _excess(part: Polyhedron, outputs) -> list[Fraction]:
    return [
        sum((a * b for a, b in zip(row, outputs, strict=True)), -limit)
        for row, limit in zip(part.coefficients, part.limits, strict=True)
    ]


@given(content=st.binary(max_size=300), cut=st.integers(0, 400), seed=st.integers(0))
@SETTINGS
def test_any_bytes_end_in_an_answer_or_a_file_error(tmp_path, content, cut, seed):
    import numpy as np

    from relucert.network import Network
    from relucert.query import Box, Case

    network = Network.dense([np.eye(1), np.eye(1)], [np.zeros(1), np.zeros(1)])
    part = Polyhedron(((Fraction(1),),), (Fraction(-1),))
    query = Query((Case(Box((Fraction(0),), (Fraction(1),)), (part,)),))
    path = tmp_path / "p.rcp"
    prove(network, query, SUBJECT, path, Limits())
    good = path.read_bytes()
    rng = Random(seed)
    at = rng.randrange(len(good))
    spoiled = good[:at] + bytes([good[at] ^ (1 << rng.randrange(8))]) + good[at + 1 :]
    for data in (content, good[:cut], spoiled, good + content):
        path.write_bytes(data)
        try:
            found = check_proof(path, network, query, SUBJECT)
        except FileError:
            assert data != good
            continue
        assert isinstance(found, Accepted | NotAccepted)
