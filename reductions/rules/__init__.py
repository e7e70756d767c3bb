"""The reductions: one rule a file, named after its source and its target."""

from reductions.rules.coloring_to_satisfiability import ColoringToSatisfiability
from reductions.rules.independent_set_to_satisfiability import IndependentSetToSatisfiability
from reductions.rules.nae_satisfiability_to_robust_memorization import (
    NaeSatisfiabilityToRobustMemorization,
)
from reductions.rules.nae_satisfiability_to_set_splitting import NaeSatisfiabilityToSetSplitting
from reductions.rules.rule import Instance, Reduction, Rule
from reductions.rules.satisfiability_to_max_satisfiability import SatisfiabilityToMaxSatisfiability
from reductions.rules.satisfiability_to_nae_satisfiability import SatisfiabilityToNaeSatisfiability
from reductions.rules.satisfiability_to_network_verification import (
    SatisfiabilityToNetworkVerification,
)
from reductions.rules.satisfiability_to_three_satisfiability import (
    SatisfiabilityToThreeSatisfiability,
)
from reductions.rules.three_satisfiability_to_satisfiability import (
    ThreeSatisfiabilityToSatisfiability,
)

__all__ = [
    "ColoringToSatisfiability",
    "IndependentSetToSatisfiability",
    "Instance",
    "NaeSatisfiabilityToRobustMemorization",
    "NaeSatisfiabilityToSetSplitting",
    "Reduction",
    "Rule",
    "SatisfiabilityToMaxSatisfiability",
    "SatisfiabilityToNaeSatisfiability",
    "SatisfiabilityToNetworkVerification",
    "SatisfiabilityToThreeSatisfiability",
    "ThreeSatisfiabilityToSatisfiability",
]
