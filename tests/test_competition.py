"""Verdicts on competition instances never contradict the answers that are known."""

import csv
from pathlib import Path

import pytest

from relucert import certify, read_network, read_query
from relucert.verdict import Proved, Unknown, Violated, confirm

LIST = Path(__file__).parents[2] / "shared/data/vnncomp/instances.csv"
EXPECTED = {"unsat": Proved, "holds": Proved, "sat": Violated, "violated": Violated}
QUICK = 40


def _instances():
    if not LIST.exists():
        return []
    with LIST.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _parameters():
    rows = _instances()
    step = max(1, len(rows) // QUICK)
    for index, row in enumerate(rows):
        name = f"{Path(row['network']).name}-{Path(row['property']).name}"
        hard = row["family"] in ("oval21", "mnist_fc", "acasxu", "reach_prob_density")
        quick = index % step == 0 and not hard
        yield pytest.param(row, id=name, marks=() if quick else pytest.mark.slow)


@pytest.mark.skipif(not LIST.exists(), reason="needs ../shared/data/vnncomp, which is not here")
@pytest.mark.parametrize("row", list(_parameters()))
def test_no_answer_is_wrong(row):
    network = read_network(LIST.parent / row["network"])
    query = read_query(LIST.parent / row["property"])
    verdict = certify(network, query, timeout=4, seed=3).verdict
    assert isinstance(verdict, Unknown | EXPECTED[row["expected"]]), verdict.words
    if isinstance(verdict, Violated):
        assert confirm(network, query, verdict.witness.input) is not None


def test_the_list_is_there_where_the_data_are():
    assert bool(_instances()) == LIST.exists()
