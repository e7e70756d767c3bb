"""Every small formula: reduced, decided on both sides, encoded, decoded. No disagreement."""

import random
from fractions import Fraction
from itertools import combinations, permutations, product

import pytest

from reductions.graph import path
from reductions.problems import Satisfiability
from reductions.target_solutions import decide, variants

VARIABLES = 3
TARGETS = (
    "3-satisfiability",
    "max-satisfiability",
    "nae-satisfiability",
    "set-splitting",
    "network-verification",
    "robust-memorization",
)


def renamings():
    for order in permutations(range(1, VARIABLES + 1)):
        for signs in product((1, -1), repeat=VARIABLES):
            yield {
                sign * (i + 1): sign * signs[i] * order[i]
                for i in range(VARIABLES)
                for sign in (1, -1)
            }


def formulas_up_to_symmetry():
    """One formula of each class under renaming and negating variables, clauses as sets."""
    literals = [sign * i for i in range(1, VARIABLES + 1) for sign in (1, -1)]
    clauses = [
        frozenset(chosen)
        for size in range(4)
        for chosen in combinations(literals, size)
        if len({abs(literal) for literal in chosen}) == size
    ]
    assert len(clauses) == 1 + 6 + 12 + 8
    maps, seen = list(renamings()), set()
    for count in range(4):
        for chosen in combinations(clauses, count):
            formula = frozenset(chosen)
            if formula in seen:
                continue
            seen.update(frozenset(frozenset(m[x] for x in c) for c in formula) for m in maps)
            yield Satisfiability(VARIABLES, tuple(tuple(sorted(c, key=abs)) for c in chosen))


def close_the_loop(formula, target, rng):
    """Reduce, decide both sides, encode, decode everything; returns the answer."""
    chain = path("satisfiability", target)
    reduction = chain.reduce(formula)
    for step in reduction.steps:
        assert dict(step.target.size()) == step.rule.size_formula(step.prepared.size())
    solution = formula.solve_by_enumeration()
    found = decide(reduction.target)
    assert (solution is None) == (found is None)
    if solution is None:
        return False
    encoded = reduction.encode(solution)
    assert formula.check(reduction.decode(encoded))
    assert formula.check(reduction.decode(found))
    for variant in variants(reduction.target, [encoded], rng):
        assert formula.check(reduction.decode(variant))
    return True


def random_formula(rng, most):
    variables = rng.randint(1, most)
    clauses = []
    for _ in range(rng.randint(0, 5 * variables)):
        chosen = rng.sample(range(1, variables + 1), rng.randint(1, min(3, variables)))
        clauses.append(tuple(rng.choice((1, -1)) * variable for variable in chosen))
    return Satisfiability(variables, tuple(clauses))


FORMULAS = list(formulas_up_to_symmetry())


def test_the_enumeration_is_complete():
    # 3,304 sets of at most three of the 27 clauses; orbits counted by Burnside's lemma.
    literals = [sign * i for i in range(1, VARIABLES + 1) for sign in (1, -1)]
    clauses = [
        frozenset(c)
        for size in range(4)
        for c in combinations(literals, size)
        if len({abs(x) for x in c}) == size
    ]
    fixed = 0
    for m in renamings():
        image = {c: frozenset(m[x] for x in c) for c in clauses}
        for count in range(4):
            for chosen in combinations(clauses, count):
                fixed += {image[c] for c in chosen} == set(chosen)
    assert fixed == 48 * len(FORMULAS)


@pytest.mark.parametrize("target", TARGETS[:-1])
def test_every_formula_over_three_variables(target):
    rng = random.Random(17)
    answers = [close_the_loop(formula, target, rng) for formula in FORMULAS]
    assert answers.count(True) > answers.count(False) > 10


def test_every_formula_over_three_variables_memorized():
    # The decoding of many variants is left to the slow tier; the answers are not.
    unsatisfiable = 0
    chain = path("satisfiability", "robust-memorization")
    for formula in FORMULAS:
        reduction = chain.reduce(formula)
        solution, network = formula.solve_by_enumeration(), decide(reduction.target)
        assert (solution is None) == (network is None)
        if network is None:
            unsatisfiable += 1
        else:
            assert formula.check(reduction.decode(network))
            assert formula.check(reduction.decode(reduction.encode(solution)))
    assert unsatisfiable > 10


@pytest.mark.slow
def test_every_formula_over_three_variables_with_many_networks():
    rng = random.Random(18)
    answers = [close_the_loop(formula, "robust-memorization", rng) for formula in FORMULAS]
    assert answers.count(True) > answers.count(False) > 10


@pytest.mark.parametrize("target", TARGETS)
def test_random_formulas(target):
    rng = random.Random(19)
    count, most = (12, 4) if target == "robust-memorization" else (100, 4)
    answers = {close_the_loop(random_formula(rng, most), target, rng) for _ in range(count)}
    assert answers == {True, False}


@pytest.mark.slow
@pytest.mark.parametrize("tenth", range(10))
@pytest.mark.parametrize("target", TARGETS)
def test_two_thousand_random_formulas(target, tenth):
    rng = random.Random(20 + 1000 * tenth)
    chain = path("satisfiability", target)
    answers = []
    for _ in range(200):
        formula = random_formula(rng, 6)
        reduction = chain.reduce(formula)
        solution, found = formula.solve_by_enumeration(), decide(reduction.target)
        assert (solution is None) == (found is None)
        answers.append(solution is not None)
        if found is not None:
            assert formula.check(reduction.decode(found))
            assert formula.check(reduction.decode(reduction.encode(solution)))
    assert min(answers.count(True), answers.count(False)) > 40


def test_verification_agrees_with_the_arrangement_of_kinks():
    # An oracle that knows neither the theorem nor a solver: all vertices, in rationals.
    chain = path("satisfiability", "network-verification")
    for formula in FORMULAS[::5]:
        reduction = chain.reduce(formula)
        point = reduction.target.solve_by_enumeration()
        assert (point is None) == (formula.solve_by_enumeration() is None)
        if point is not None:
            assert formula.check(reduction.decode(point))


def test_the_network_counts_satisfied_clauses_at_vertices_and_less_elsewhere():
    rng = random.Random(21)
    for formula in FORMULAS[::7]:
        reduction = path("satisfiability", "network-verification").reduce(formula)
        best = path("satisfiability", "max-satisfiability").reduce(formula).target
        network = reduction.target.network
        for values in product((False, True), repeat=VARIABLES):
            (y,) = network.evaluate_exactly(tuple(Fraction(value) for value in values))
            assert y == best.satisfied(values)
        for _ in range(10):
            point = tuple(Fraction(rng.randint(0, 8), 8) for _ in range(VARIABLES))
            assert network.evaluate_exactly(point)[0] <= best.optimum()
