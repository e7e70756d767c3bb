"""Broken: calls an output unsafe that all clauses but one reach.

Exercise: for which formulas is the answer right nevertheless?
"""

from dataclasses import dataclass
from fractions import Fraction

from reductions.rules import SatisfiabilityToNetworkVerification


@dataclass(frozen=True)
class VerificationThresholdTooLow(SatisfiabilityToNetworkVerification):
    def threshold(self, source):
        return len(source.clauses) - Fraction(3, 2)


RULE = VerificationThresholdTooLow()
