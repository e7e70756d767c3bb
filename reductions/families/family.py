"""What a family of formulas is, and where a generated formula came from."""

from __future__ import annotations

import math
import random
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from reductions.problems.satisfiability import Satisfiability
from relucert import __version__
from relucert.errors import UsageError

__all__ = [
    "Family",
    "Generated",
    "Parameter",
    "Value",
    "clause_count",
    "comments_of",
    "distinct",
    "fresh_seed",
    "planted_solution",
    "random_signs",
]

Value: TypeAlias = "int | float | str"
Solution: TypeAlias = tuple[bool, ...]

_LITERALS_A_LINE = 1000


@dataclass(frozen=True)
class Parameter:
    """One parameter of a family: its name, default (which also fixes its type) and meaning.

    ``choices``: the admissible texts, where only those make sense.
    """

    name: str
    default: Value
    meaning: str
    choices: tuple[str, ...] = ()

    def read(self, value: Value) -> Value:
        """``value``, possibly text, as this parameter's type; UsageError when it is not."""
        kind = type(self.default)
        if isinstance(value, bool):
            raise UsageError(f"{self.name}: {value!r} is not a number")
        if kind is str:
            if self.choices and value not in self.choices:
                raise UsageError(f"{self.name}: {value!r} is not one of {', '.join(self.choices)}")
            return str(value)
        try:
            number: Value = kind(value)
        except (ValueError, OverflowError):
            number = math.nan
        if isinstance(number, float) and not math.isfinite(number):
            raise UsageError(f"{self.name}: {value!r} is not a finite number")
        if number != (float(value) if isinstance(value, str) else value):
            raise UsageError(f"{self.name}: {value!r} is not a whole number")
        return number


@dataclass(frozen=True)
class Generated:
    """A formula and its provenance; ``planted`` is a satisfying assignment or None.

    ``parameters`` are names and values in the family's order; ``seed`` is None for families
    without randomness.
    """

    formula: Satisfiability
    family: str
    parameters: tuple[tuple[str, Value], ...]
    seed: int | None
    planted: Solution | None = None


@dataclass(frozen=True)
class Family:
    """A named generator. ``make`` takes the parameters as keywords, and ``rng`` when ``seeded``.

    ``make`` returns a formula and the planted assignment or None, and raises UsageError when the
    parameters do not fit together. ``reference`` names the source.
    """

    name: str
    summary: str
    reference: str
    parameters: tuple[Parameter, ...]
    make: Callable[..., tuple[Satisfiability, Solution | None]]
    seeded: bool = True

    def generate(
        self, parameters: Mapping[str, Value] | None = None, seed: int | None = None
    ) -> Generated:
        """Make a formula; the seed is drawn from the system when None.

        The same parameters and seed give the same formula. Raises UsageError for a parameter
        that the family does not have or that makes no sense, and for a negative seed.
        """
        given = dict(parameters or {})
        values = {
            entry.name: entry.read(given.pop(entry.name, entry.default))
            for entry in self.parameters
        }
        if given:
            names = ", ".join(entry.name for entry in self.parameters)
            raise UsageError(f"{self.name} has no parameter {next(iter(given))!r}; it has {names}")
        if not self.seeded:
            formula, planted = self.make(**values)
            return Generated(formula, self.name, tuple(values.items()), None, planted)
        if seed is None:
            seed = fresh_seed()
        if seed < 0:
            raise UsageError(f"the seed {seed} is negative")
        formula, planted = self.make(rng=random.Random(seed), **values)
        return Generated(formula, self.name, tuple(values.items()), seed, planted)


def fresh_seed() -> int:
    """A seed from the system, short enough to type again."""
    return secrets.randbelow(1 << 32)


def at_least(minimum: int, **values: int) -> None:
    """Raise UsageError unless every value is at least ``minimum``."""
    for name, value in values.items():
        if value < minimum:
            raise UsageError(f"{name} is {value}; it must be at least {minimum}")


def clause_count(n: int, k: int, ratio: float) -> int:
    """How many clauses ``ratio`` a variable makes, after checking that k variables exist."""
    at_least(1, n=n, k=k)
    if k > n:
        raise UsageError(f"clauses of {k} distinct variables do not exist over n = {n}")
    if not 0 <= ratio <= 1e6:
        raise UsageError(f"ratio is {ratio}; it must lie between 0 and a million")
    return round(n * ratio)


def distinct(rng: random.Random, n: int, count: int) -> list[int]:
    """``count`` distinct numbers of 1..n, uniform and in random order.

    Only ``rng.random`` is called, whose stream Python promises to keep across versions.
    """
    if count * 2 > n:  # drawing until something new comes would be slow
        return _shuffled(rng, n)[:count]
    chosen: list[int] = []
    while len(chosen) < count:
        number = 1 + int(rng.random() * n)
        if number not in chosen:
            chosen.append(number)
    return chosen


def _shuffled(rng: random.Random, n: int) -> list[int]:
    numbers = list(range(1, n + 1))
    for last in range(n - 1, 0, -1):
        other = int(rng.random() * (last + 1))
        numbers[last], numbers[other] = numbers[other], numbers[last]
    return numbers


def random_signs(rng: random.Random, n: int) -> Solution:
    """A uniform assignment of n variables."""
    return tuple(rng.random() < 0.5 for _ in range(n))


def comments_of(generated: Generated) -> list[str]:
    """The provenance as DIMACS comments, the planted assignment included."""
    comments = [
        f"generator: relucert {__version__}",
        f"family: {generated.family}",
        "parameters: " + " ".join(f"{name}={value}" for name, value in generated.parameters),
    ]
    if generated.seed is not None:
        comments.append(f"seed: {generated.seed}")
    if generated.planted is not None:
        literals = [i if value else -i for i, value in enumerate(generated.planted, 1)]
        comments.extend(
            "planted: " + " ".join(map(str, literals[start : start + _LITERALS_A_LINE]))
            for start in range(0, len(literals), _LITERALS_A_LINE)
        )
    return comments


def comment_value(comments: Sequence[str], key: str) -> str | None:
    """The text behind ``key:`` in the first comment that has it."""
    return next((c.partition(":")[2].strip() for c in comments if c.startswith(f"{key}:")), None)


def planted_solution(formula: Satisfiability, comments: Sequence[str]) -> Solution | None:
    """The assignment in a file's ``planted:`` comments, if it satisfies the formula; else None.

    A comment is only a claim: it is checked exactly before it is returned.
    """
    values = [False] * formula.variables
    found = False
    for comment in comments:
        if not comment.startswith("planted:"):
            continue
        for word in comment.partition(":")[2].split():
            digits = word.removeprefix("-")
            if not (digits.isascii() and digits.isdigit()) or len(digits) > 12:
                return None
            if not 1 <= int(digits) <= formula.variables:
                return None
            values[int(digits) - 1] = digits == word
        found = True
    solution = tuple(values)
    return solution if found and formula.check(solution) else None
