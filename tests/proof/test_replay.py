"""Proofs that follow a search's tree are accepted, and true."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from support.random_networks import hard_question, questions

from relucert.limits import Limits
from relucert.proof.check import ARITHMETICS, Accepted, check_proof
from relucert.proof.subject import Subject
from relucert.prover.certify import certify_with_proof
from relucert.prover.prove import prove
from relucert.search.enumerate import enumerate_case
from relucert.search.few_inputs import search_few_inputs
from relucert.search.split_log import Refutation, Split, SplitLog
from relucert.verdict import Proved, Violated

SUBJECT = Subject("network sha256:00", "query sha256:00")
SETTINGS = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize("seed", range(4))
def test_what_the_compiled_search_proves_has_an_accepted_proof(tmp_path, seed):
    network, query = hard_question(seed, 2 + seed, 0.05)
    log, path = SplitLog(), tmp_path / "p.rcp"
    found = search_few_inputs(network, query, query.cases[0], Limits(30.0), log=log)
    assert isinstance(found, Proved)
    assert log.splits
    leaves = len(log.splits) + 1
    assert sum(len(closed) for closed in log.closed.values()) >= 0.9 * leaves
    result = prove(network, query, SUBJECT, path, Limits(60.0), logs={0: log})
    assert isinstance(result.verdict, Proved)
    for arithmetic in ARITHMETICS:
        assert isinstance(check_proof(path, network, query, SUBJECT, arithmetic), Accepted)
    # The search's tree was enough nearly everywhere.
    assert result.regions <= 3 * (2 * len(log.splits) + 1)


@given(question=questions())
@SETTINGS
def test_certified_with_a_proof_is_true(tmp_path, question):
    network, query = question
    path = Path(tmp_path) / "p.rcp"
    path.unlink(missing_ok=True)
    found = certify_with_proof(network, query, SUBJECT, path, Limits(5.0), exact=True)
    verdicts = [enumerate_case(network, query, case, Limits()).verdict for case in query.cases]
    if any(isinstance(verdict, Violated) for verdict in verdicts):
        assert not isinstance(found.verdict, Proved)
    elif all(isinstance(verdict, Proved) for verdict in verdicts):
        assert not isinstance(found.verdict, Violated)
    assert path.exists() == isinstance(found.verdict, Proved)


@pytest.mark.parametrize("truth", [True, False])
def test_a_log_is_not_believed(tmp_path, truth):
    """Wrong splits and multipliers cost records, never a wrong proof."""
    network, query = hard_question(7, 2, 0.05 if truth else -0.05)
    path = tmp_path / "p.rcp"
    log = SplitLog(
        {0: Split(-1, 1, 0.25, 1), 2: Split(1, 3, 0.0, 3)},
        {
            1: {0: Refutation({0: 5.0}, {(1, 2): 3.0}, {(0, 4): 0.7})},
            4: {0: Refutation({}, {}, {})},
        },
    )
    result = prove(network, query, SUBJECT, path, Limits(60.0 if truth else 3.0), logs={0: log})
    assert isinstance(result.verdict, Proved) == truth
    assert path.exists() == truth
    if truth:
        assert isinstance(check_proof(path, network, query, SUBJECT, "exact"), Accepted)
