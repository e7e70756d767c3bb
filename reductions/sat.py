"""Answers with evidence: a satisfying assignment, or a proof that there is none.

The solver (CaDiCaL 1.9.5 through python-sat) is not believed: an assignment is checked against
every clause, a proof by the forward checker of `reductions.rup`. What could not be checked is
said to be undecided.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from reductions.problems.satisfiability import Satisfiability
from reductions.rup import ProofCheck, check_proof
from relucert.errors import SolverError

__all__ = ["SOLVER", "Answer", "Satisfied", "Undecided", "Unsatisfiable", "proof_bytes", "solve"]

SOLVER = "CaDiCaL 1.9.5"
_SOLVER_KEY = "cadical195"
_FIRST_BUDGET = 1000
_LAST_BUDGET = 20_000


@dataclass(frozen=True)
class Satisfied:
    """``assignment`` satisfies every clause (checked); ``conflicts``: of the solver's search."""

    assignment: tuple[bool, ...]
    conflicts: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Unsatisfiable:
    """No assignment satisfies the formula.

    ``proof``: DRUP lines without line ends, accepted as ``check`` says. Both are None when the
    caller did not ask for a proof: then the answer is the solver's word alone. ``conflicts``: of
    the solver's search.
    """

    proof: tuple[str, ...] | None
    check: ProofCheck | None
    conflicts: int = field(default=0, compare=False)

    @property
    def proved(self) -> bool:
        """Whether a proof was checked."""
        return self.check is not None and self.check.accepted


@dataclass(frozen=True)
class Undecided:
    """No answer, and why. ``proof``: an unsatisfiability proof too long to check in time.

    ``conflicts``: of the solver's search.
    """

    reason: str
    proof: tuple[str, ...] | None = None
    conflicts: int = field(default=0, compare=False)


Answer: TypeAlias = Satisfied | Unsatisfiable | Undecided


def solve(
    formula: Satisfiability, timeout: float | None = None, *, with_proof: bool = True
) -> Answer:
    """Decide a formula within ``timeout`` seconds, solving and checking together.

    The clock is looked at every few thousand conflicts. Raises SolverError when python-sat is
    missing, or when the solver's assignment or proof is wrong.
    """
    if any(not clause for clause in formula.clauses):
        # Solvers differ in what they do with an empty clause; its proof is the clause itself.
        check = check_proof(formula.variables, formula.clauses, ("0",))
        return Unsatisfiable(("0",), check) if with_proof else Unsatisfiable(None, None)
    deadline = None if timeout is None else time.monotonic() + timeout
    with _solver(formula, with_proof) as solver:
        answer = _run(solver, deadline)
        conflicts = int(solver.accum_stats()["conflicts"])
        if answer is None:
            return Undecided("time limit", conflicts=conflicts)
        if answer:
            return Satisfied(_checked_assignment(formula, solver.get_model()), conflicts)
        if not with_proof:
            return Unsatisfiable(None, None, conflicts)
        proof = tuple(solver.get_proof() or ())
    return replace(_checked_refutation(formula, proof, deadline), conflicts=conflicts)


@contextmanager
def _solver(formula: Satisfiability, with_proof: bool) -> Iterator[Any]:
    try:
        from pysat.solvers import Solver
    except ImportError:
        raise SolverError(
            "solving needs python-sat, which is not installed: pip install 'relucert[sat]'"
        ) from None
    with Solver(name=_SOLVER_KEY, with_proof=with_proof) as solver:
        for clause in formula.clauses:
            solver.add_clause(list(clause))
        yield solver


def _run(solver: Any, deadline: float | None) -> bool | None:
    """True, False, or None when time is up; CaDiCaL can be stopped by conflicts only."""
    if deadline is None:
        return bool(solver.solve())
    budget = _FIRST_BUDGET
    while time.monotonic() < deadline:
        solver.conf_budget(budget)
        answer = solver.solve_limited()
        if answer is not None:
            return bool(answer)
        budget = min(2 * budget, _LAST_BUDGET)
    return None


def _checked_assignment(formula: Satisfiability, model: list[int] | None) -> tuple[bool, ...]:
    """The model, with variables that no clause uses set to false."""
    true = {literal for literal in model or () if literal > 0}
    assignment = tuple(variable in true for variable in range(1, formula.variables + 1))
    if not formula.check(assignment):
        raise SolverError(f"{SOLVER} returned an assignment that does not satisfy the formula")
    return assignment


def _checked_refutation(
    formula: Satisfiability, proof: tuple[str, ...], deadline: float | None
) -> Answer:
    left = None if deadline is None else max(0.0, deadline - time.monotonic())
    check = check_proof(formula.variables, formula.clauses, proof, left)
    if check.timed_out:
        return Undecided("time limit while checking the proof of unsatisfiability", proof)
    if not check.accepted:
        raise SolverError(f"{SOLVER} answered unsatisfiable, but its {check.words}")
    return Unsatisfiable(proof, check)


def proof_bytes(proof: Iterable[str]) -> bytes:
    """The content of a proof file: one DRUP line a line."""
    return "".join(f"{line}\n" for line in proof).encode("ascii")
