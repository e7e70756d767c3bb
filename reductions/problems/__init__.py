"""The problems: immutable instances with an exact check and enumeration for tiny ones.

=========================  ==========================================================
satisfiability             `Satisfiability`, any clause size
3-satisfiability           `KSatisfiability`, a view with at most three literals
nae-satisfiability         `NotAllEqualSatisfiability`
max-satisfiability         `MaxSatisfiability`, with a target
set-splitting              `SetSplitting`
graph-coloring             `GraphColoring`
independent-set            `IndependentSet`
robust-memorization        `RobustMemorization`, depth 2 and width 2
network-verification       `NetworkVerification`
=========================  ==========================================================
"""

from reductions.problems.graph_coloring import GraphColoring
from reductions.problems.independent_set import IndependentSet
from reductions.problems.max_satisfiability import MaxSatisfiability
from reductions.problems.nae_satisfiability import NotAllEqualSatisfiability
from reductions.problems.network_verification import NetworkVerification
from reductions.problems.problem import Problem, Size
from reductions.problems.robust_memorization import RobustMemorization
from reductions.problems.satisfiability import KSatisfiability, Satisfiability
from reductions.problems.set_splitting import SetSplitting

__all__ = [
    "GraphColoring",
    "IndependentSet",
    "KSatisfiability",
    "MaxSatisfiability",
    "NetworkVerification",
    "NotAllEqualSatisfiability",
    "Problem",
    "RobustMemorization",
    "Satisfiability",
    "SetSplitting",
    "Size",
]
