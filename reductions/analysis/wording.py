"""Numbers and findings in plain words."""

from __future__ import annotations

import math
from collections.abc import Sequence

from reductions.analysis.growth import Band, Growth, LawResult
from reductions.analysis.laws import Law

_RAISED = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")

__all__ = ["band", "growth_sentence", "joined", "number", "quantity", "seconds"]


def number(value: float, digits: int = 3) -> str:
    """A few significant digits, no needless zeros."""
    if math.isinf(value):
        return "∞"
    text = f"{value:.{digits}g}"
    if "e" in text:
        mantissa, exponent = text.split("e")
        power = str(int(exponent)).translate(_RAISED)
        return f"10{power}" if mantissa == "1" else f"{mantissa}·10{power}"
    return text


def seconds(value: float) -> str:
    """A duration in the unit that suits it."""
    if math.isinf(value):
        return "beyond the limit"
    for unit, size in (("h", 3600.0), ("min", 60.0), ("s", 1.0)):
        if value >= 2 * size or (unit == "s" and value >= 1):
            return f"{number(value / size)} {unit}"
    return f"{number(value * 1000)} ms"


def quantity(value: float, unit: str) -> str:
    """Seconds as a duration, anything else as a count with its unit."""
    return seconds(value) if unit == "s" else f"{number(value)} {unit}"


def band(estimate: Band) -> str:
    """The estimate and, in brackets, its band."""
    return f"{number(estimate.value)} [{number(estimate.low)}, {number(estimate.high)}]"


def joined(words: Sequence[str], last: str = "and") -> str:
    """One, two and three."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def growth_sentence(growth: Growth, subject: str, unit: str, *, reasons: bool = True) -> str:
    """What may be said about the growth of one cost, with or without why laws are rejected."""
    consistent = growth.consistent
    rejected = [result for result in growth.results if not result.consistent]
    if not consistent:
        return (
            f"{subject}: none of the three laws describes the growth; each is rejected. "
            + " ".join(_reason(result, unit) for result in rejected if reasons)
        ).strip()
    words = f"{subject}: consistent with {_described(consistent[0])}"
    if len(consistent) > 1:
        others = joined([result.law.value for result in consistent[1:]], "or")
        words += f"; these sizes cannot tell it from {others} growth"
    if rejected:
        names = joined([result.law.value for result in rejected])
        words += f"; {names} growth {'are' if len(rejected) > 1 else 'is'} rejected"
    why = [_reason(result, unit) for result in rejected if reasons]
    return " ".join([f"{words}.", *why])


def _described(result: LawResult) -> str:
    words = f"{result.law.value} growth {result.law.formula}"
    words += f", {result.law.parameter} = {band(result.exponent)}"
    a = result.exponent
    if result.law is Law.EXPONENTIAL and a.low > 0:
        words += (
            f" (it doubles with every {band(Band(1 / a.value, 1 / a.high, 1 / a.low))} variables)"
        )
    elif result.law is Law.POLYNOMIAL and a.low > 0:
        words += f" (twice the variables cost {number(2**a.value, 2)} times as much)"
    return words


def _reason(result: LawResult, unit: str) -> str:
    name = result.law.value.capitalize()
    if result.missed:
        challenge = max(result.missed, key=lambda challenge: challenge.size)
        low, high = challenge.predicted.low, challenge.predicted.high
        if challenge.observed_low < challenge.observed_high:
            over = math.isinf(challenge.observed_high)
            bound = challenge.observed_low if over else challenge.observed_high
            seen = f"{'more' if over else 'less'} than {quantity(bound, unit)}"
        else:
            seen = quantity(challenge.observed_low, unit)
        return (
            f"{name}: from the smaller sizes it predicts a median of {quantity(low, unit)} to "
            f"{quantity(high, unit)} at n = {number(challenge.size)}, seen was {seen}."
        )
    return f"{name}: the data are {number(math.exp(min(result.log_loss, 700)), 2)} times less " \
           "likely under it than under the best law."  # fmt: skip
