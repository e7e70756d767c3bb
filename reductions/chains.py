"""Chains of rules from satisfiability to what bundles hold, made from options or from records."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from reductions.graph import Chain, ChainReduction, path, rule_named
from reductions.problems.network_verification import NetworkVerification
from reductions.problems.robust_memorization import RobustMemorization
from reductions.problems.satisfiability import Satisfiability
from reductions.rules import (
    NaeSatisfiabilityToRobustMemorization,
    Rule,
    SatisfiabilityToNetworkVerification,
)
from relucert.errors import InputError, UsageError
from relucert.exact import format_rational, parse_rational

__all__ = ["OPTIONS", "chain_to", "rebuilt_chain", "recorded_chain"]

MAX_SIZE = 10_000_000
"""Variables and literals together; the points of so large a formula take some 4 GB."""

OPTIONS = {
    RobustMemorization.name: ("budget", "scale"),
    NetworkVerification.name: ("slack", "threshold"),
}
"""The parameters that may be chosen for each target."""


def chain_to(
    target: str, formula: Satisfiability, parameters: Mapping[str, Fraction]
) -> ChainReduction:
    """Reduce a formula to a problem given by name, with parameters of the last rule.

    ``threshold`` is another way to say ``slack``: the number of (distinct) clauses minus it.
    Raises UsageError for a parameter that is not the target's, InputError for one out of range.
    """
    size = formula.size()
    if size["variables"] + size["literals"] > MAX_SIZE:
        raise InputError(
            f"the formula has {size['variables']:,} variables and {size['literals']:,} literals; "
            f"at most {MAX_SIZE:,} together are reduced in memory"
        )
    known = OPTIONS.get(target, ())
    for name in parameters:
        if name not in known:
            raise UsageError(f"{target} has no parameter {name!r}; it has {', '.join(known)}")
    configured: list[Rule[Any, Any]] = []
    if target == RobustMemorization.name:
        configured.append(NaeSatisfiabilityToRobustMemorization(**parameters))
    elif target == NetworkVerification.name:
        configured.append(_verification_rule(formula, **parameters))
    return path(formula.name, target, configured=configured).reduce(formula)


def _verification_rule(
    formula: Satisfiability, slack: Fraction | None = None, threshold: Fraction | None = None
) -> SatisfiabilityToNetworkVerification:
    default = SatisfiabilityToNetworkVerification()
    if threshold is None:
        return default if slack is None else SatisfiabilityToNetworkVerification(slack)
    if slack is not None:
        raise UsageError("slack and threshold say the same: give one of them")
    clauses = len(default.prepare(formula).clauses)
    if not clauses - 1 < threshold <= clauses:
        raise InputError(
            f"the threshold {format_rational(threshold)} is not in ({clauses - 1}, {clauses}], "
            "one below the number of distinct clauses up to it"
        )
    return SatisfiabilityToNetworkVerification(clauses - threshold)


def recorded_chain(chain: ChainReduction) -> list[dict[str, Any]]:
    """Every rule's name and parameters as used, rationals as text."""
    return [
        {
            "rule": step.rule.name,
            "parameters": {key: format_rational(v) for key, v in step.parameters.items()},
        }
        for step in chain.steps
    ]


def rebuilt_chain(record: Sequence[Any], source: Satisfiability) -> ChainReduction:
    """Follow a record again; InputError when it is none, or does not fit the source."""
    rules = []
    for entry in record:
        if not isinstance(entry, dict) or not isinstance(entry.get("parameters"), dict):
            raise InputError("a step is not a rule with parameters")
        rule = rule_named(str(entry.get("rule")))
        fields = {item.name for item in dataclasses.fields(rule)}  # type: ignore[arg-type]
        try:
            values = {
                key: parse_rational(str(text))
                for key, text in entry["parameters"].items()
                if key in fields
            }
        except ValueError as error:
            raise InputError(f"{rule.name}: {error}") from None
        rules.append(dataclasses.replace(rule, **values))  # type: ignore[type-var]
    for before, after in itertools.pairwise(rules):
        if before.target_problem is not after.source_problem:
            raise InputError(f"{after.name} cannot follow {before.name}")
    if not rules or rules[0].source_problem is not Satisfiability:
        raise InputError("the chain does not start at satisfiability")
    return Chain(tuple(rules)).reduce(source)
