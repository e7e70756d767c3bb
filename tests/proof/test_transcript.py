"""Proofs that copy a search's tree, and are derived anew where the checker does not accept them."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from support.random_networks import hard_question

import relucert.prover.certify as prover
from relucert.errors import FileError
from relucert.limits import Limits
from relucert.network import Network
from relucert.proof.check import ARITHMETICS, Accepted, check_proof
from relucert.proof.subject import Subject
from relucert.prover.certify import certify_with_proof
from relucert.prover.transcript import Untold, transcript
from relucert.query import Box, Case, Polyhedron, Query
from relucert.search.few_inputs import search_few_inputs
from relucert.search.split_log import Refutation, SplitLog
from relucert.verdict import Method, Proved, Reason, Unknown

SUBJECT = Subject("network sha256:00", "query sha256:00")
PROVED = Proved(Method.CHECKED)


def test_what_the_search_wrote_down_is_enough(tmp_path, monkeypatch):
    """Nothing is derived but by the checker."""
    monkeypatch.setattr(prover, "prove", None)
    for seed in (0, 3, 5, 9):
        network, query = hard_question(seed, 2 + seed % 4, 0.05)
        path = tmp_path / f"{seed}.rcp"
        found = certify_with_proof(network, query, SUBJECT, path, Limits(60.0))
        assert found.verdict == PROVED
        for arithmetic in ARITHMETICS:
            read = check_proof(path, network, query, SUBJECT, arithmetic)
            assert isinstance(read, Accepted)
            assert read.records == found.records > 10


def without(log: SplitLog, name: int) -> SplitLog:
    return SplitLog(log.splits, {key: one for key, one in log.closed.items() if key != name})


def changed(log: SplitLog, name: int, refutation: Refutation) -> SplitLog:
    return SplitLog(log.splits, log.closed | {name: {0: refutation}})


WRONG = {
    "no weights": Refutation({}, {}, {}),
    "not a number": Refutation({0: float("nan")}, {}, {}),
    "negative": Refutation({0: -1.0}, {}, {}),
    "no such row": Refutation({3: 1.0}, {}, {}),
    "no such neuron": Refutation({0: 1.0}, {}, {(1, 99): 0.5}),
    "no such layer": Refutation({0: 1.0}, {}, {(9, 0): 0.5}),
    "flat": Refutation({0: 1.0}, {}, {(k, n): 0.0 for k in range(3) for n in range(12)}),
    "steeper than one": Refutation({0: 1.0}, {}, {(0, 0): 1.5}),
    "beyond float64": Refutation({0: 1e-310}, {}, {}),
}


@pytest.mark.parametrize("truth", [True, False])
@pytest.mark.parametrize("wrong", [None, *WRONG])
def test_a_wrong_log_costs_time_only(tmp_path, monkeypatch, wrong, truth):
    """Derived anew where the claim is true; where it is not, an earlier file stays as it was."""
    network, query = hard_question(3, 3, 0.05)
    log = SplitLog()
    assert isinstance(
        search_few_inputs(network, query, query.cases[0], Limits(30.0), log=log), Proved
    )
    leaf = max(name for name in log.closed if name not in log.splits)
    spoilt = without(log, leaf) if wrong is None else changed(log, leaf, WRONG[wrong])
    if not truth:
        network, query = hard_question(3, 3, -0.05)

    def searched(*_: object, log: SplitLog, **__: object) -> Proved:
        log.splits, log.closed = spoilt.splits, spoilt.closed
        return Proved(Method.BOUNDS)

    monkeypatch.setattr(prover, "search_few_inputs", searched)
    path = tmp_path / "p.rcp"
    path.write_text("earlier")
    found = certify_with_proof(network, query, SUBJECT, path, Limits(60.0 if truth else 3.0))
    assert (found.verdict == PROVED) == truth
    assert [one.name for one in tmp_path.iterdir()] == ["p.rcp"]
    assert truth == (path.read_bytes() != b"earlier")
    if truth:
        assert isinstance(check_proof(path, network, query, SUBJECT, "exact"), Accepted)


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
@pytest.mark.parametrize("copied", [True, False])
def test_what_is_not_yet_read_has_not_got_its_name(tmp_path, monkeypatch, error, copied):
    network, query = hard_question(3, 3, 0.05)
    (tmp_path / "p.rcp").write_text("earlier")

    def interrupted(*_: object) -> None:
        raise error

    monkeypatch.setattr(prover, "_checked", interrupted)
    if not copied:
        monkeypatch.setattr(prover, "_transcribed", lambda *_: None)
    asked = network, query, SUBJECT, tmp_path / "p.rcp", Limits(60.0)
    if error is KeyboardInterrupt:
        with pytest.raises(error):
            certify_with_proof(*asked)
    else:
        assert certify_with_proof(*asked).verdict == Unknown(Reason.MEMORY, "ran out of memory")
    assert [one.name for one in tmp_path.iterdir()] == ["p.rcp"]
    assert (tmp_path / "p.rcp").read_text() == "earlier"


@pytest.mark.parametrize("copied", [True, False])
@pytest.mark.parametrize("name", ["folder", "missing/p.rcp"])
def test_a_file_that_cannot_be_written_is_named(tmp_path, monkeypatch, name, copied):
    network, query = hard_question(3, 3, 0.05)
    (tmp_path / "folder").mkdir()
    if not copied:
        monkeypatch.setattr(prover, "_transcribed", lambda *_: None)
    with pytest.raises(FileError) as caught:
        certify_with_proof(network, query, SUBJECT, tmp_path / name, Limits(60.0))
    assert caught.value.path == str(tmp_path / name)
    assert [one.name for one in tmp_path.iterdir()] == ["folder"]


def test_a_copy_that_takes_too_long_to_read_is_given_up(tmp_path):
    """The searches' limit is also that of the first reading."""
    network, query = hard_question(3, 3, 0.05)
    log, limits = SplitLog(), Limits(30.0)
    assert isinstance(search_few_inputs(network, query, query.cases[0], limits, log=log), Proved)
    asked = prover._Asked(network, query, SUBJECT, tmp_path / "p.rcp", False, None)
    assert prover._transcribed(asked, Limits(0.0), {0: log}) is None
    assert not list(tmp_path.iterdir())
    assert prover._transcribed(asked, limits, {0: log}) is not None


def test_a_set_of_two_rows_needs_weights():
    ball = Box((Fraction(-1),) * 2, (Fraction(1),) * 2)
    rows = ((Fraction(1), Fraction(0)), (Fraction(0), Fraction(1)))
    case = Case(ball, (Polyhedron(rows, (Fraction(0), Fraction(0))),))
    with pytest.raises(Untold, match="unsafe set 0"):
        list(transcript(case, SplitLog()))


def test_a_margin_within_rounding_has_both_arithmetics_read(tmp_path):
    """y = x + 1 on [0, 1], and the set y <= 1 - 2**-45: refuted by 128 units in the last place."""
    network = Network.dense([np.array([[1.0]])], [np.array([1.0])])
    for gap, names in ((Fraction(1, 2**45), ("rounded", "exact")), (Fraction(1, 2), ("rounded",))):
        part = Polyhedron(((Fraction(1),),), (1 - gap,))
        query = Query((Case(Box((Fraction(0),), (Fraction(1),)), (part,)),))
        found = certify_with_proof(network, query, SUBJECT, tmp_path / "p.rcp", Limits(10.0))
        assert found.verdict == PROVED
        assert found.arithmetics == names
