"""Broken: leaves out the terms that make inputs between 0 and 1 expensive.

Exercise: what does the network count then, and at which inputs?
"""

from dataclasses import dataclass

from reductions.rules import SatisfiabilityToNetworkVerification


@dataclass(frozen=True)
class VerificationWithoutPenalty(SatisfiabilityToNetworkVerification):
    def penalties(self, source):
        return [0] * source.variables

    def size_formula(self, size):
        full = super().size_formula(size)
        return {**full, "weights": full["weights"] - 2 * size["variables"]}


RULE = VerificationWithoutPenalty()
