"""Searching for a smallest counterexample to a rule.

Random small instances of the source, decided by enumeration on the source and independently on
the target: the answers must agree, the target must have the size that the formula says, encoded
solutions must solve the target, and every target solution, however unusual, must decode. A
failure is shrunk until no simpler instance fails.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from reductions.errors import DecodingError, EnumerationError, ReductionError
from reductions.problems.problem import Problem
from reductions.rules.rule import Reduction, Rule
from reductions.small_instances import random_instance, simplifications
from reductions.target_solutions import decide, variants
from relucert.errors import RelucertError

__all__ = ["CheckReport", "Counterexample", "check_instance", "check_rule"]

_MAX_SEED = 2**32


@dataclass(frozen=True, eq=False)
class Counterexample:
    """An instance on which a rule fails; ``reason`` says how, ``shrunk_from`` what was found."""

    instance: Problem[Any]
    reason: str
    shrunk_from: Problem[Any]

    def __str__(self) -> str:
        return f"{self.reason}, for this {self.instance.name} instance:\n{self.instance.text}"


@dataclass(frozen=True, eq=False)
class CheckReport:
    """What a check of a rule found.

    yes, no: instances with that answer on which the rule held. open: instances whose target was
    too narrow to decide. solutions: target solutions decoded.
    """

    rule: str
    seed: int
    yes: int
    no: int
    open: int
    solutions: int
    counterexample: Counterexample | None

    @property
    def passed(self) -> bool:
        """Whether no counterexample was found."""
        return self.counterexample is None

    @property
    def words(self) -> str:
        """The result in a line or, with a counterexample, a few."""
        if self.counterexample is not None:
            return f"{self.rule} (seed {self.seed}) fails: {self.counterexample}"
        undecided = f", {self.open} left open" if self.open else ""
        return (
            f"{self.rule} (seed {self.seed}) held on {self.yes} yes and {self.no} no instances"
            f"{undecided}; {self.solutions} target solutions decoded"
        )


@dataclass(frozen=True)
class _Outcome:
    """One instance: its answer (None when left open), solutions decoded, what failed."""

    answer: bool | None
    solutions: int = 0
    failure: str | None = None


def check_rule(
    rule: Rule[Any, Any],
    tests: int = 500,
    seed: int | None = None,
    *,
    progress: Callable[[int], object] | None = None,
) -> CheckReport:
    """Try ``rule`` on ``tests`` random small instances; stop and shrink at the first failure.

    seed: drawn when None, and in the report; the same seed repeats the check. progress: called
    with the number of instances done.
    """
    if seed is None:
        seed = secrets.randbelow(_MAX_SEED)
    rng = random.Random(seed)
    outcomes: list[_Outcome] = []
    counterexample = None
    for done in range(tests):
        # Small instances first: what fails early is close to a smallest counterexample.
        instance = random_instance(rule.source_problem, rng, min(1.0, 2 * done / tests))
        outcome = _outcome(rule, instance, rng.randrange(_MAX_SEED))
        if outcome.failure is not None:
            counterexample = _shrunk(rule, instance, outcome.failure, seed)
            break
        outcomes.append(outcome)
        if progress is not None:
            progress(done + 1)
    answers = [outcome.answer for outcome in outcomes]
    return CheckReport(
        rule.name,
        seed,
        answers.count(True),
        answers.count(False),
        answers.count(None),
        sum(outcome.solutions for outcome in outcomes),
        counterexample,
    )


def check_instance(rule: Rule[Any, Any], instance: Problem[Any], seed: int = 0) -> str | None:
    """What fails when ``rule`` reduces this one instance, or None.

    Raises EnumerationError when the instance or its target is too large, or left open.
    """
    outcome = _outcome(rule, instance, seed, open_is_error=True)
    return outcome.failure


def _outcome(
    rule: Rule[Any, Any], instance: Problem[Any], seed: int, *, open_is_error: bool = False
) -> _Outcome:
    rng = random.Random(seed)
    solution = instance.solve_by_enumeration()
    answer = solution is not None
    try:
        reduction = rule.reduce(instance)
        expected = rule.size_formula(reduction.prepared.size())
        if dict(reduction.target.size()) != expected:
            failure = f"the size is {dict(reduction.target.size())}, the formula says {expected}"
            return _Outcome(answer, failure=failure)
        found = [] if solution is None else [reduction.encode(solution)]
        decided = decide(reduction.target)
        if (decided is not None) != answer:
            names = {True: "a solution", False: "none"}
            failure = f"the source has {names[answer]}, the target {names[not answer]}"
            return _Outcome(answer, failure=failure)
        found.extend([] if decided is None else [decided])
        count = _decoded(reduction, found, rng)
    except (DecodingError, ReductionError) as error:
        return _Outcome(answer, failure=str(error))
    except EnumerationError:
        if open_is_error:
            raise
        return _Outcome(None)
    except (RelucertError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        return _Outcome(answer, failure=f"it raises {type(error).__name__}: {error}")
    return _Outcome(answer, count)


def _decoded(reduction: Reduction[Any, Any], known: list[Any], rng: random.Random) -> int:
    """Decode the known solutions and their variants: how many; each decoded one is checked."""
    for solution in known:
        reduction.decode(solution)
    count = len(known)
    for variant in variants(reduction.target, known, rng):
        reduction.decode(variant)
        count += 1
    return count


def _shrunk(
    rule: Rule[Any, Any], instance: Problem[Any], failure: str, seed: int
) -> Counterexample:
    """Simplify while some simpler instance fails, too (in whatever way)."""
    smallest, reason = instance, failure
    shrinking = True
    while shrinking:
        shrinking = False
        for simpler in simplifications(smallest):
            if simpler == smallest:
                continue
            outcome = _outcome(rule, simpler, seed)
            if outcome.failure is not None:
                smallest, reason, shrinking = simpler, outcome.failure, True
                break
    return Counterexample(smallest, reason, instance)
