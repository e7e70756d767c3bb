"""Every case of the gallery through every engine: never a wrong word; Unknown is allowed."""

from __future__ import annotations

import pytest
from soundness.builder import whole_gallery

from relucert.bounds.backward import bound_network
from relucert.bounds.interval import Intervals
from relucert.limits import Limits
from relucert.proof.check import Accepted, check_proof
from relucert.proof.subject import Subject
from relucert.prover.certify import certify_with_proof
from relucert.search.enumerate import enumerate_case
from relucert.search.few_inputs import search_few_inputs
from relucert.search.relu_split import split_relus
from relucert.verdict import Proved, Violated, confirm
from relucert.verify import ENGINES, certify

GALLERY = {case.name: case for case in whole_gallery()}
SECONDS, MANY_SECONDS = 0.2, 5.0
SUBJECT = Subject("network sha256:00", "query sha256:00")


def by_few_inputs(case, path, seconds):
    return search_few_inputs(case.network, case.query, case.query.cases[0], Limits(seconds))


def by_relu_splits(case, path, seconds):
    only = case.query.cases[0]
    chain = bound_network(case.network, Intervals(*only.box.enclosing_floats))
    return split_relus(case.network, case.query, only, chain, Limits(seconds))


def by_proof(case, path, seconds):
    target = path / "p.rcp"
    found = certify_with_proof(
        case.network, case.query, SUBJECT, target, Limits(seconds), exact=True
    )
    if isinstance(found.verdict, Proved):
        for arithmetic in ("rounded", "exact"):
            accepted = check_proof(target, case.network, case.query, SUBJECT, arithmetic)
            assert isinstance(accepted, Accepted)
    return found.verdict


def by_engine(engine):
    def run(case, path, seconds):
        return certify(case.network, case.query, engine=engine, timeout=seconds).verdict

    return run


RUNS = {engine: by_engine(engine) for engine in ENGINES}
RUNS |= {"few_inputs": by_few_inputs, "relu_splits": by_relu_splits, "proof": by_proof}


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("name", GALLERY)
def test_no_wrong_word(name, run, tmp_path):
    check_word(GALLERY[name], RUNS[run](GALLERY[name], tmp_path, SECONDS))


@pytest.mark.slow
@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("name", GALLERY)
def test_no_wrong_word_with_more_time(name, run, tmp_path):
    check_word(GALLERY[name], RUNS[run](GALLERY[name], tmp_path, MANY_SECONDS))


def check_word(case, verdict):
    if isinstance(verdict, Proved):
        assert case.witness is None, f"{verdict.words}, but {case.why}"
    if isinstance(verdict, Violated):
        assert case.witness is not None, f"{verdict.words}, but {case.why}"
        witness = verdict.witness
        assert case.query.violated_by(witness.input, case.network.evaluate_exactly(witness.input))


@pytest.mark.parametrize("name", GALLERY)
def test_the_answer_of_the_gallery_is_right(name):
    case = GALLERY[name]
    if case.witness is not None:
        assert confirm(case.network, case.query, case.witness) is not None, case.why
    elif case.small:
        found = enumerate_case(case.network, case.query, case.query.cases[0], Limits(20.0))
        assert isinstance(found.verdict, Proved), case.why


def test_the_facade_decides_something_here():
    """A gallery on which every engine said Unknown would test nothing."""
    for name in ("step-1e+03-not-less", "step-1e+03-reaches-one", "closed-door-3e+07-closed"):
        for engine in ("auto", "enumerate"):
            case = GALLERY[name]
            verdict = certify(case.network, case.query, engine=engine, timeout=30.0).verdict
            assert isinstance(verdict, Proved if case.witness is None else Violated)
