"""The graph of reductions: paths, chains, text and drawing."""

import networkx as nx
import pytest

from reductions.errors import DecodingError
from reductions.graph import RULES, draw, path, reduction_graph, rule_named, text
from reductions.problems import GraphColoring, Satisfiability
from reductions.rules import SatisfiabilityToNetworkVerification
from relucert.errors import FileError, UsageError


def test_graph_has_every_rule_once():
    graph = reduction_graph()
    assert graph.number_of_edges() == len(RULES) == len({rule.name for rule in RULES})
    for rule in RULES:
        assert rule_named(rule.name) is rule


def test_a_chain_of_four_decodes_back():
    chain = path("graph-coloring", "robust-memorization", via=["3-satisfiability"])
    names = [rule.target_problem.name for rule in chain.rules]
    assert names == [
        "satisfiability",
        "3-satisfiability",
        "satisfiability",
        "nae-satisfiability",
        "robust-memorization",
    ]
    problem = GraphColoring(nx.path_graph(3), 2)
    reduction = chain.reduce(problem)
    network = reduction.encode({0: 0, 1: 1, 2: 0})
    assert problem.check(reduction.decode(network))
    assert list(reduction.parameters) == ["nae-satisfiability-to-robust-memorization"]


def test_a_problem_reduces_to_itself_by_nothing():
    formula = Satisfiability(1, ((1,),))
    reduction = path("satisfiability", "satisfiability").reduce(formula)
    assert reduction.target is formula
    assert reduction.decode((True,)) == (True,)
    with pytest.raises(DecodingError, match="clause 1"):
        reduction.decode((False,))


def test_configured_rules_replace_the_defaults():
    rule = SatisfiabilityToNetworkVerification(slack=0)
    chain = path("satisfiability", "network-verification", configured=[rule])
    assert chain.rules == (rule,)


def test_unknown_names():
    with pytest.raises(UsageError, match="no problem is called 'sat'"):
        path("sat", "robust-memorization")
    with pytest.raises(UsageError, match="no rules lead from robust-memorization"):
        path("robust-memorization", "satisfiability")
    with pytest.raises(UsageError, match="no rule is called"):
        rule_named("nonsense")


def test_text_names_every_edge():
    printed = text()
    assert printed.count("->") == len(RULES)
    assert "  -> robust-memorization\n" in printed


@pytest.mark.parametrize(
    ("kind", "magic"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")]
)
def test_drawing_is_the_same_every_time(tmp_path, kind, magic):
    for name in ("a", "b"):
        draw(tmp_path / f"{name}.{kind}")
    first, second = ((tmp_path / f"{name}.{kind}").read_bytes() for name in ("a", "b"))
    assert first == second
    assert first.startswith(magic)


def test_drawings_that_cannot_be_made(tmp_path):
    with pytest.raises(UsageError, match=r"\.png"):
        draw(tmp_path / "graph.txt")
    with pytest.raises(FileError):
        draw(tmp_path / "missing" / "graph.png")
