"""The proof checker: correct proofs pass, everything else is refused with the line."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reductions.families import generate
from reductions.problems.satisfiability import Satisfiability
from reductions.rup import check_proof, check_proof_file
from reductions.sat import Satisfied, Undecided, Unsatisfiable, solve
from relucert.errors import FileError, SolverError

SQUARE = ((1, 2), (1, -2), (-1, 2), (-1, -2))


@pytest.mark.parametrize(
    ("clauses", "proof"),
    [
        (SQUARE, ["1 0", "0"]),
        (SQUARE, ["1 0", "d 1 2 0", "d 1 -2 0", "0"]),
        (SQUARE, ["c comment", "", "2 2 0", "0", "rubbish behind the empty clause"]),
        (((1,), (-1,)), ["0"]),
        (((),), ["0"]),
        (((1, 1), (-1,)), ["0"]),
        (((1, -1), *SQUARE), ["d 1 -1 0", "1 0", "0"]),
        # Deleting a unit clause keeps the literal: it stays a consequence of the formula.
        (((1,), (-1, 2), (-1, -2)), ["d 1 0", "0"]),
        # One of two copies is deleted, the other still propagates.
        (((1, 2), *SQUARE), ["d 2 1 0", "1 0", "0"]),
    ],
)
def test_accepts(clauses, proof) -> None:
    assert check_proof(2, clauses, proof).accepted


@pytest.mark.parametrize(
    ("clauses", "proof", "line", "problem"),
    [
        (SQUARE, [], 0, "without the empty clause"),
        (SQUARE, ["1 0"], 0, "without the empty clause"),
        (SQUARE, ["0"], 1, "does not follow"),
        (SQUARE, ["1 0", "2"], 2, "truncated"),
        (SQUARE, ["1 0", "0 0"], 2, "truncated"),
        (SQUARE, ["1 0", "x 0"], 2, "integers"),
        (SQUARE, ["3 0", "0"], 1, "variable 3"),
        (SQUARE, ["d 1 2 0", "1 0", "0"], 2, "does not follow"),
        (SQUARE[:3], ["1 0", "0"], 2, "does not follow"),
        (((1, 2),), ["1 0", "0"], 1, "does not follow"),
        ((), ["0"], 1, "does not follow"),
        # A RAT step (a new definition) is satisfiability-preserving, but not RUP.
        (((1, 2),), ["-1 0"], 1, "does not follow"),
    ],
)
def test_rejects(clauses, proof, line, problem) -> None:
    check = check_proof(2, clauses, proof)
    assert not check.accepted
    assert check.line == line
    assert problem in check.problem
    assert "rejected" in check.words


def test_unknown_deletions_are_counted() -> None:
    check = check_proof(2, SQUARE, ["d 1 0", "1 0", "0"])
    assert check.accepted
    assert check.unknown_deletions == 1


@pytest.fixture(scope="module")
def refuted() -> tuple[Satisfiability, tuple[str, ...]]:
    formula = generate("threshold-ksat", {"n": 40, "answer": "unsat"}, seed=5).formula
    answer = solve(formula)
    assert isinstance(answer, Unsatisfiable)
    assert answer.proved
    assert answer.proof is not None
    return formula, answer.proof


def test_every_truncation_of_a_solver_proof_is_rejected(refuted) -> None:
    formula, proof = refuted
    assert check_proof(formula.variables, formula.clauses, proof).accepted
    for length in range(len(proof)):
        assert not check_proof(formula.variables, formula.clauses, proof[:length]).accepted


def test_a_proof_does_not_fit_a_satisfiable_formula(refuted) -> None:
    """Whatever is done to the lines of a proof, a satisfiable formula has none."""
    _, proof = refuted
    planted = generate("planted-ksat", {"n": 40}, seed=5).formula
    rng = random.Random(3)
    for _ in range(100):
        lines = list(proof)
        for _ in range(rng.randrange(3)):
            place = rng.randrange(len(lines))
            lines[place] = rng.choice(["0", "d " + lines[place], lines[place][1:] or "0"])
        assert not check_proof(planted.variables, planted.clauses, lines).accepted


def test_corrupted_lemmas_are_caught_against_enumeration() -> None:
    """Flipping a literal of a lemma gives rejection, or a clause that really is implied."""
    formula = generate("pigeonhole", {"pigeons": 4, "holes": 3}).formula
    answer = solve(formula)
    assert isinstance(answer, Unsatisfiable)
    lines = [line for line in answer.proof or () if not line.startswith("d")]
    rejected = 0
    for place, line in enumerate(lines):
        for word in line.split()[:-1]:
            edited = [*lines[:place], line.replace(word, str(-int(word)), 1)]
            rejected += not check_proof(formula.variables, formula.clauses, edited).accepted
    assert rejected > 0


small = st.lists(
    st.lists(st.integers(1, 4).flatmap(lambda v: st.sampled_from([v, -v])), max_size=3),
    max_size=14,
).map(lambda clauses: Satisfiability(4, tuple(map(tuple, clauses))))
lemmas = st.lists(
    st.lists(st.integers(1, 4).flatmap(lambda v: st.sampled_from([v, -v])), max_size=2),
    max_size=5,
)


@given(small, lemmas, st.randoms(use_true_random=False))
@settings(max_examples=300)
def test_only_unsatisfiable_formulas_have_accepted_proofs(formula, steps, rng) -> None:
    lines = []
    for step in steps:
        mark = "d " if rng.random() < 0.3 else ""
        lines.append(mark + " ".join(map(str, [*step, 0])))
    lines.append("0")
    if check_proof(4, formula.clauses, lines).accepted:
        assert formula.solve_by_enumeration() is None


@given(small)
@settings(max_examples=200)
def test_solver_agrees_with_enumeration(formula) -> None:
    answer = solve(formula)
    expected = formula.solve_by_enumeration()
    if expected is None:
        assert isinstance(answer, Unsatisfiable)
        assert answer.proved
    else:
        assert isinstance(answer, Satisfied)
        assert formula.check(answer.assignment)


def test_proof_files(tmp_path, refuted) -> None:
    formula, proof = refuted
    path = tmp_path / "proof.drup"
    path.write_text("\n".join(proof) + "\n")
    assert check_proof_file(formula.variables, formula.clauses, path).accepted
    path.write_bytes(b"a\x02\x00")
    with pytest.raises(FileError, match="binary"):
        check_proof_file(formula.variables, formula.clauses, path)
    path.write_bytes(b"")
    with pytest.raises(FileError, match="empty"):
        check_proof_file(formula.variables, formula.clauses, path)


def test_time_limits() -> None:
    formula = generate("tseitin", {"n": 40, "degree": 4}, seed=1).formula
    answer = solve(formula, timeout=0.3)
    assert isinstance(answer, Undecided)
    assert "time limit" in answer.reason


def test_a_wrong_proof_is_an_error_not_an_answer(monkeypatch, refuted) -> None:
    from pysat.solvers import Solver

    formula, _ = refuted
    monkeypatch.setattr(Solver, "get_proof", lambda self: ["0"])
    with pytest.raises(SolverError, match="rejected: line 1"):
        solve(formula)


def test_a_wrong_assignment_is_an_error(monkeypatch) -> None:
    from pysat.solvers import Solver

    monkeypatch.setattr(Solver, "get_model", lambda self: [-1, -2])
    with pytest.raises(SolverError, match="does not satisfy"):
        solve(Satisfiability(2, ((1, 2),)))


def test_without_proof_the_answer_does_not_claim_one() -> None:
    for clauses in (SQUARE, ((),)):
        answer = solve(Satisfiability(2, clauses), with_proof=False)
        assert isinstance(answer, Unsatisfiable)
        assert not answer.proved


def test_missing_solver_is_one_clear_line(monkeypatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "pysat.solvers", None)
    with pytest.raises(SolverError, match="python-sat"):
        solve(Satisfiability(1, ((1,),)))
