"""Broken: the decoder asks which neurons are active, as only the rule's own networks answer.

Exercise: find a memorizing network whose first neuron is active at every point. Then show that
the signs of the first neuron's weights, unlike its activity, would decode every network.
"""

from dataclasses import dataclass

from reductions.rules import NaeSatisfiabilityToRobustMemorization


@dataclass(frozen=True)
class MemorizationWithANarrowDecoder(NaeSatisfiabilityToRobustMemorization):
    def decode(self, source, target, solution):
        first = target.form(solution).neurons[0]
        units = target.points[1 : 1 + 2 * source.variables]
        return tuple(first(unit) > 0 for unit in units[::2])


RULE = MemorizationWithANarrowDecoder()
