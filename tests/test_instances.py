"""The answers that stand in instances/digits still hold."""

import csv
import tomllib
from pathlib import Path

import numpy as np
import pytest

from relucert import certify, read_network, read_query
from relucert.read.points import read_points
from relucert.verdict import Proved, Violated, confirm

DIGITS = Path(__file__).parents[1] / "instances/digits"
EXPECTED = tomllib.loads((DIGITS / "expected.toml").read_text(encoding="utf-8"))["instance"]
WORDS = {"holds": Proved, "violated": Violated}


def _name(instance):
    return f"{instance['network']}-{Path(instance['property']).stem}"


@pytest.mark.parametrize("instance", EXPECTED, ids=_name)
def test_the_expected_answer(instance):
    network = read_network(DIGITS / instance["network"])
    query = read_query(DIGITS / instance["property"])
    verdict = certify(network, query, timeout=120, seed=5).verdict
    assert isinstance(verdict, WORDS[instance["expected"]]), verdict.words
    if isinstance(verdict, Violated):
        assert confirm(network, query, verdict.witness.input) is not None


def test_every_network_has_answers_of_both_kinds():
    rows = {(row["network"], row["expected"]) for row in EXPECTED}
    networks = {network for network, _ in rows}
    assert len(networks) == 5
    assert all({(network, "holds"), (network, "violated")} <= rows for network in networks)
    assert all(len(instance["confirmed_by"]) >= 2 for instance in EXPECTED)


def test_the_list_for_bench_says_the_same():
    with (DIGITS / "instances.csv").open(encoding="utf-8") as file:
        rows = {(row["network"], row["property"]): row["expected"] for row in csv.DictReader(file)}
    words = {"holds": "unsat", "violated": "sat"}
    assert rows == {
        (instance["network"], instance["property"]): words[instance["expected"]]
        for instance in EXPECTED
    }


@pytest.mark.parametrize("name", ["dense_16x2", "dense_32x1", "dense_50x2", "conv", "residual"])
def test_networks_classify_their_test_points(name):
    network = read_network(DIGITS / f"{name}.onnx")
    points = read_points(DIGITS / "test_points.npz")
    labels = np.argmax(network.evaluate(points.values), axis=1)
    assert np.mean(labels == points.labels) > 0.9
