"""The families: known answers, provenance, determinism, bad parameters."""

import io
import math
import random
from itertools import product

import networkx as nx
import pytest

from reductions.dimacs import parse_dimacs, write_dimacs
from reductions.families import (
    FAMILIES,
    comments_of,
    family_named,
    generate,
    planted_solution,
)
from reductions.families.family import distinct
from reductions.families.parity import parity_clauses
from reductions.families.planted import unbiased_q
from reductions.problems.satisfiability import Satisfiability
from reductions.sat import Satisfied, Unsatisfiable, solve
from relucert.errors import UsageError


def text_of(generated) -> str:
    stream = io.StringIO()
    write_dimacs(generated.formula, stream, comments_of(generated))
    return stream.getvalue()


def answer_of(formula: Satisfiability) -> bool:
    answer = solve(formula)
    if isinstance(answer, Satisfied):
        return True
    assert isinstance(answer, Unsatisfiable)
    assert answer.proved
    return False


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_same_seed_same_bytes(family) -> None:
    state = random.getstate()
    first, second = family.generate(seed=7), family.generate(seed=7)
    assert text_of(first) == text_of(second)
    assert random.getstate() == state, "the global generator was used"
    if family.seeded:
        assert first.seed == 7
        assert text_of(family.generate(seed=8)) != text_of(first)
    read = parse_dimacs(text_of(first))
    assert read.formula == first.formula
    assert planted_solution(read.formula, read.comments) == first.planted
    assert f"family: {family.name}" in read.comments


def test_drawn_seed_is_recorded_and_reproduces() -> None:
    drawn = generate("random-3sat", {"n": 10})
    assert drawn.seed is not None
    assert generate("random-3sat", {"n": 10}, drawn.seed).formula == drawn.formula


def test_bytes_do_not_change_between_versions() -> None:
    """Pinned: bundles and published results name seeds."""
    formula = generate("random-3sat", {"n": 6, "ratio": 0.7}, seed=1).formula
    assert formula.clauses == PINNED


PINNED = ((1, 6, 5), (4, -5, 1), (-5, 1, -3), (-6, 1, 4))


def test_random_clauses_have_distinct_variables() -> None:
    formula = generate("random-ksat", {"n": 9, "k": 4, "ratio": 30.0}, seed=3).formula
    assert len(formula.clauses) == 270
    assert all(len({abs(x) for x in c}) == 4 == len(c) for c in formula.clauses)
    assert formula.normalised().size()["largest_clause"] == 4


@pytest.mark.parametrize(("n", "count"), [(10, 3), (10, 6), (3, 3)])
def test_distinct_is_uniform(n: int, count: int) -> None:
    rng, hits, rounds = random.Random(4), [0] * (n + 1), 6000
    for _ in range(rounds):
        drawn = distinct(rng, n, count)
        assert len(set(drawn)) == count
        for number in drawn:
            hits[number] += 1
    expected = rounds * count / n
    assert hits[0] == 0
    assert all(abs(hit - expected) < 6 * math.sqrt(expected) for hit in hits[1:])


@pytest.mark.parametrize("name", ["planted-ksat", "hidden-ksat"])
@pytest.mark.parametrize("k", [3, 5])
def test_planted_assignment_satisfies(name: str, k: int) -> None:
    made = generate(name, {"n": 60, "k": k, "ratio": 20.0}, seed=2)
    assert made.planted is not None
    assert made.formula.check(made.planted)


@pytest.mark.parametrize("k", [3, 4, 5])
def test_hidden_signs_do_not_betray_the_assignment(k: int) -> None:
    """The share of true literals is 1/2 when hidden, and clearly more when plainly planted."""

    def share(name: str) -> float:
        made = generate(name, {"n": 200, "k": k, "ratio": 100.0}, seed=5)
        true = [made.planted[abs(x) - 1] == (x > 0) for c in made.formula.clauses for x in c]
        return sum(true) / len(true)

    deviation = 6 / math.sqrt(k * 20000)
    assert abs(share("hidden-ksat") - 0.5) < deviation
    assert share("planted-ksat") > 0.5 + deviation / 2
    balance = sum(math.comb(k, t) * unbiased_q(k) ** t * (2 * t - k) for t in range(1, k + 1))
    assert abs(balance) < 1e-9


@pytest.mark.parametrize("answer", ["sat", "unsat"])
def test_filtered_families_have_the_wanted_answer(answer: str) -> None:
    for seed in range(4):
        for name, size in (("threshold-ksat", 30), ("tseitin", 8), ("parity-chains", 6)):
            made = generate(name, {"n": size, "answer": answer}, seed)
            assert answer_of(made.formula) == (answer == "sat")
            if answer == "unsat":
                assert made.planted is None


def test_threshold_keeps_drawing_until_it_fits() -> None:
    made = [
        generate("threshold-ksat", {"n": 20, "ratio": 4.0, "answer": "unsat"}, s) for s in (1, 2)
    ]
    plain = [generate("random-3sat", {"n": 20, "ratio": 4.0}, s) for s in range(1, 12)]
    assert any(answer_of(one.formula) for one in plain)
    assert not any(answer_of(one.formula) for one in made)
    with pytest.raises(UsageError, match="none of"):
        generate("threshold-ksat", {"n": 4, "ratio": 0.25, "answer": "unsat"}, 1)


@pytest.mark.parametrize(("pigeons", "holes"), [(1, 0), (1, 1), (3, 2), (3, 3), (4, 5), (5, 4)])
def test_pigeonhole(pigeons: int, holes: int) -> None:
    made = generate("pigeonhole", {"pigeons": pigeons, "holes": holes})
    assert made.formula.variables == pigeons * holes
    assert len(made.formula.clauses) == pigeons + holes * pigeons * (pigeons - 1) // 2
    assert answer_of(made.formula) == (pigeons <= holes)
    assert (made.planted is not None) == (pigeons <= holes)
    if made.planted is not None:
        assert made.formula.check(made.planted)


def test_parity_clauses_against_counting() -> None:
    for size in range(1, 5):
        for odd in (False, True):
            clauses = tuple(parity_clauses(range(1, size + 1), odd))
            formula = Satisfiability(size, clauses)
            for bits in range(1 << size):
                values = tuple(bool(bits >> i & 1) for i in range(size))
                assert formula.check(values) == (sum(values) % 2 == odd)


@pytest.mark.parametrize(("kind", "degree"), [("gnm", 4), ("regular", 5), ("planted", 3)])
def test_coloring_against_graph_coloring(kind: str, degree: int) -> None:
    for seed in range(6):
        parameters = {"n": 8, "colors": 3, "degree": degree, "kind": kind}
        made = generate("coloring", parameters, seed)
        graph = nx.Graph()
        graph.add_nodes_from(range(8))
        for clause in made.formula.clauses:
            nodes = [(abs(x) - 1) // 3 for x in clause]
            if len(clause) == 2 and nodes[0] != nodes[1]:
                graph.add_edge(*nodes)
        assert graph.number_of_edges() == 4 * degree
        colorable = any(
            all(colors[a] != colors[b] for a, b in graph.edges)
            for colors in product(range(3), repeat=8)
        )
        assert answer_of(made.formula) == colorable
        if kind == "planted":
            assert made.planted is not None
            assert made.formula.check(made.planted)


def test_a_wrong_planted_comment_is_not_believed() -> None:
    formula = Satisfiability(2, ((1, 2),))
    assert planted_solution(formula, ["planted: 1 -2"]) == (True, False)
    assert planted_solution(formula, ["planted: 1", "planted: 2"]) == (True, True)
    for comments in (["planted: -1 -2"], ["planted: 1 3"], ["planted: x"], ["planted: ²"], []):
        assert planted_solution(formula, comments) is None


@pytest.mark.parametrize(
    ("name", "parameters", "seed", "words"),
    [
        ("nothing", {}, 1, "no family 'nothing'"),
        ("random-3sat", {"m": 3}, 1, "no parameter 'm'"),
        ("random-3sat", {"n": "x"}, 1, "'x'"),
        ("random-3sat", {"n": 2.5}, 1, "whole number"),
        ("random-3sat", {"n": "7.5"}, 1, "7.5"),
        ("random-3sat", {"n": True}, 1, "not a number"),
        ("random-3sat", {"n": 2}, 1, "3 distinct variables"),
        ("random-3sat", {"n": 0}, 1, "at least 1"),
        ("random-3sat", {"ratio": "inf"}, 1, "finite"),
        ("random-3sat", {"ratio": -1}, 1, "between"),
        ("random-3sat", {}, -1, "negative"),
        ("hidden-ksat", {"q": 2.0}, 1, "between 0 and 1"),
        ("hidden-ksat", {"k": 2}, 1, "k < 3"),
        ("tseitin", {"n": 5, "degree": 3}, 1, "no 3-regular"),
        ("tseitin", {"answer": "perhaps"}, 1, "not one of sat, unsat"),
        ("tseitin", {"n": 40, "degree": 20}, 1, "limit"),
        ("pigeonhole", {"pigeons": 0}, None, "at least 1"),
        ("coloring", {"n": 4, "degree": 9}, 1, "do not fit"),
        ("coloring", {"n": 4, "colors": 1, "degree": 1, "kind": "planted"}, 1, "do not fit"),
        ("coloring", {"n": 5, "degree": 2.5, "kind": "regular"}, 1, "no 2.5-regular"),
        ("parity-chains", {"n": 1}, 1, "at least 2"),
    ],
)
def test_bad_parameters(name: str, parameters: dict, seed: int | None, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        generate(name, parameters, seed)


def test_names_are_unique_and_listed() -> None:
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)
    assert family_named("coloring").parameters[0].name == "n"
