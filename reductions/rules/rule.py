"""What every reduction is: a rule makes instances; an instance encodes and decodes solutions.

The base classes keep the promises, so that a rule only states its construction: solutions are
checked exactly on the way in and on the way out, and decoding accepts any target solution.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from reductions.errors import DecodingError, ReductionError
from reductions.problems.problem import Problem, Size
from relucert.errors import InputError

__all__ = ["Instance", "Reduction", "Rule"]

Source = TypeVar("Source", bound=Problem[Any])
Target = TypeVar("Target", bound=Problem[Any])


class Instance(Protocol):
    """What a `Reduction` and a `reductions.graph.Chain` have in common."""

    @property
    def source(self) -> Problem[Any]:
        """The instance reduced."""

    @property
    def target(self) -> Problem[Any]:
        """The instance made of it."""

    def encode(self, solution: Any) -> Any:
        """A solution of the target for a solution of the source."""

    def decode(self, solution: Any) -> Any:
        """A solution of the source for any solution of the target."""


class Rule(ABC, Generic[Source, Target]):
    """A reduction from one problem to another; parameters are the fields of the frozen object.

    ``prepare`` gives the equivalent instance, with the same solutions, that the construction and
    the size formula speak about (for example without tautologies); mostly the source itself.
    """

    source_problem: ClassVar[type[Problem[Any]]]
    target_problem: ClassVar[type[Problem[Any]]]

    @property
    def name(self) -> str:
        """For example ``satisfiability-to-max-satisfiability``."""
        return f"{self.source_problem.name}-to-{self.target_problem.name}"

    def reduce(self, source: Source) -> Reduction[Source, Target]:
        """The target instance, with the way there and back.

        Raises InputError when the rule's parameters make no sense for this source.
        """
        prepared = self.prepare(source)
        return Reduction(self, source, prepared, self.construct(prepared))

    def prepare(self, source: Source) -> Source:
        """The instance that `construct` and `size_formula` speak about."""
        return source

    @abstractmethod
    def construct(self, source: Source) -> Target:
        """The target of a prepared source."""

    @abstractmethod
    def size_formula(self, size: Size) -> dict[str, int]:
        """The target's size, exactly, from a prepared source's size."""

    @abstractmethod
    def encode(self, source: Source, target: Target, solution: Any) -> Any:
        """A target solution from a checked solution of the prepared source."""

    @abstractmethod
    def decode(self, source: Source, target: Target, solution: Any) -> Any:
        """A solution of the prepared source from any checked target solution."""

    def restore(self, source: Source, solution: Any) -> Any:
        """A solution of the original source from one of the prepared; mostly the same."""
        return solution

    def extend(self, prepared: Source, solution: Any) -> Any:
        """A solution of the prepared source from one of the original; mostly the same."""
        return solution

    def parameters(self, source: Source) -> Mapping[str, Fraction]:
        """The parameters as used for a prepared source, defaults filled in."""
        return {}


@dataclass(frozen=True, eq=False)
class Reduction(Generic[Source, Target]):
    """One reduced instance: ``source``, ``target``, and solutions both ways.

    prepared: the equivalent source that the rule's construction and size formula speak about.
    """

    rule: Rule[Source, Target]
    source: Source
    prepared: Source
    target: Target

    @property
    def parameters(self) -> Mapping[str, Fraction]:
        """The rule's parameters as used here."""
        return self.rule.parameters(self.prepared)

    def encode(self, solution: Any) -> Any:
        """A solution of the target, checked, for a solution of the source.

        Raises InputError when ``solution`` does not solve the source, ReductionError when the
        rule is wrong.
        """
        reason = self.source.why_not(solution)
        if reason is not None:
            raise InputError(f"not a solution of the source: {reason}")
        extended = self.rule.extend(self.prepared, solution)
        encoded = self.rule.encode(self.prepared, self.target, extended)
        reason = self.target.why_not(encoded)
        if reason is not None:
            raise ReductionError(
                f"{self.rule.name} encoded something that is no solution: {reason}"
            )
        return encoded

    def decode(self, solution: Any) -> Any:
        """A solution of the source, checked, for any solution of the target.

        Raises InputError when ``solution`` has the wrong form, DecodingError when it does not
        solve the target, or (a wrong rule) does not lead back to a solution of the source.
        """
        reason = self.target.why_not(solution)
        if reason is not None:
            raise DecodingError(f"not a solution of the target: {reason}")
        decoded = self.rule.decode(self.prepared, self.target, solution)
        restored = self.rule.restore(self.source, decoded)
        reason = self.source.why_not(restored)
        if reason is not None:
            raise DecodingError(f"{self.rule.name} does not lead back: {reason}")
        return restored
