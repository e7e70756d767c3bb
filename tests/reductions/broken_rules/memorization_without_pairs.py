"""Broken: leaves out the points e_x + e_{not x}.

Exercise: which assignments can be decoded from a network that memorizes the rest?
"""

from dataclasses import dataclass, replace

from reductions.rules import NaeSatisfiabilityToRobustMemorization


@dataclass(frozen=True)
class MemorizationWithoutPairs(NaeSatisfiabilityToRobustMemorization):
    def construct(self, source):
        data = super().construct(source)
        first = 1 + 2 * source.variables
        gap = slice(first, first + source.variables)
        points, labels = list(data.points), list(data.labels)
        del points[gap], labels[gap]
        return replace(data, points=tuple(points), labels=tuple(labels))

    def size_formula(self, size):
        full = super().size_formula(size)
        v = size["variables"]
        return {**full, "points": full["points"] - v, "nonzeros": full["nonzeros"] - 2 * v}


RULE = MemorizationWithoutPairs()
