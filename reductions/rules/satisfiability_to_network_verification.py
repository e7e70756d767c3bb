"""Satisfiability to network verification: a network that counts satisfied clauses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import scipy.sparse as sp

from reductions.problems.clauses import Assignment
from reductions.problems.network_verification import NetworkVerification, Point
from reductions.problems.problem import Size
from reductions.problems.satisfiability import Satisfiability
from reductions.rules.rule import Rule
from relucert.errors import InputError
from relucert.exact import format_rational
from relucert.network import Layer, Network
from relucert.query import Box, Case, Polyhedron, Query

__all__ = ["SatisfiabilityToNetworkVerification"]

_ZERO, _ONE = Fraction(0), Fraction(1)


@dataclass(frozen=True)
class SatisfiabilityToNetworkVerification(Rule[Satisfiability, NetworkVerification]):
    """Inputs in [0, 1]^n, one hidden layer, one output y; unsafe: y >= m - slack.

    With s_C(x) the sum of x_i over positive and 1 - x_i over negative literals of clause C, and
    K_i = 1 + the number of clauses that contain variable i,
    ``y = m - sum_C relu(1 - s_C(x)) - sum_i K_i (x_i - relu(2 x_i - 1))``.

    Theorem: the maximum of y over the box is the largest number of clauses satisfied at once.
    For in one coordinate the clause terms have slope at most K_i - 1 in size, the last term slope
    -K_i up to 1/2 and +K_i from there: y falls, then rises, so its maximum is at a vertex, where
    it counts. (docs/theory.md, section 5.) So for 0 <= slack < 1 the property is violated iff
    the formula is satisfiable. Any counterexample decodes: move one coordinate after the other
    to 0 or 1, whichever makes y larger; y ends at an integer above m - 1.

    The sum of K_i x_i is one more neuron, which is never negative on the box, so that the network
    is plain: m + n + 1 ReLUs, integer weights. slack: 0 <= slack < 1. Repeated literals,
    tautologies and repeated clauses are dropped first; a formula without variables gets one.

    >>> rule = SatisfiabilityToNetworkVerification()
    >>> reduction = rule.reduce(Satisfiability(2, ((1, 2), (-1,))))
    >>> reduction.target.size()
    {'inputs': 2, 'outputs': 1, 'relus': 5, 'weights': 12}
    >>> reduction.decode((Fraction(1, 10), Fraction(19, 20)))
    (False, True)
    """

    slack: Fraction = Fraction(1, 2)

    source_problem = Satisfiability
    target_problem = NetworkVerification

    def __post_init__(self) -> None:
        object.__setattr__(self, "slack", Fraction(self.slack))
        if not 0 <= self.slack < 1:
            raise InputError(f"the slack {format_rational(self.slack)} is not in [0, 1)")

    def prepare(self, source: Satisfiability) -> Satisfiability:
        return Satisfiability(max(1, source.variables), source.clauses).normalised()

    def extend(self, prepared: Satisfiability, solution: Assignment) -> Assignment:
        return (*solution, *[False] * (prepared.variables - len(solution)))

    def restore(self, source: Satisfiability, solution: Assignment) -> Assignment:
        return solution[: source.variables]

    def threshold(self, source: Satisfiability) -> Fraction:
        """Outputs of at least this are unsafe."""
        return len(source.clauses) - self.slack

    def parameters(self, source: Satisfiability) -> dict[str, Fraction]:
        return {"slack": self.slack, "threshold": self.threshold(source)}

    def penalties(self, source: Satisfiability) -> list[int]:
        """K_i for every variable."""
        counts = [1] * source.variables
        for clause in source.clauses:
            for literal in clause:
                counts[abs(literal) - 1] += 1
        return counts

    def construct(self, source: Satisfiability) -> NetworkVerification:
        n, m = source.variables, len(source.clauses)
        penalties = np.array(self.penalties(source), dtype=np.float64)
        columns = np.array([abs(x) - 1 for c in source.clauses for x in c], dtype=np.int64)
        signs = np.array([-1.0 if x > 0 else 1.0 for c in source.clauses for x in c])
        lengths = np.array([len(clause) for clause in source.clauses], dtype=np.int64)
        every = np.arange(n)
        data = np.concatenate([signs, np.full(n, 2.0), penalties])
        indices = np.concatenate([columns, every, every])
        starts = np.concatenate([[0], np.cumsum(np.concatenate([lengths, np.ones(n), [n]]))])
        hidden = sp.csr_array(
            (data, indices, starts.astype(np.int64)), shape=(m + n + 1, n), dtype=np.float64
        )
        hidden.eliminate_zeros()
        negatives = [sum(literal < 0 for literal in clause) for clause in source.clauses]
        biases = np.concatenate(
            [1.0 - np.array(negatives, dtype=np.float64), np.full(n, -1.0), [0.0]]
        )
        outer = np.concatenate([np.full(m, -1.0), penalties, [-1.0]])
        layers = (
            Layer(hidden, biases, np.ones(m + n + 1, dtype=bool)),
            Layer(outer[None, :], np.array([float(m)]), np.zeros(1, dtype=bool)),
        )
        box = Box((_ZERO,) * n, (_ONE,) * n)
        unsafe = Polyhedron(((-_ONE,),), (-self.threshold(source),))
        return NetworkVerification(
            Network(layers, "clause counter"), Query((Case(box, (unsafe,)),), "satisfiability")
        )

    def size_formula(self, size: Size) -> dict[str, int]:
        """m + n + 1 neurons, 3n + m + 1 weights beside the literals."""
        n, m = size["variables"], size["clauses"]
        return {
            "inputs": n,
            "outputs": 1,
            "relus": m + n + 1,
            "weights": size["literals"] + 3 * n + m + 1,
        }

    def encode(
        self, source: Satisfiability, target: NetworkVerification, solution: Assignment
    ) -> Point:
        return tuple(_ONE if value else _ZERO for value in solution)

    def decode(
        self, source: Satisfiability, target: NetworkVerification, solution: Sequence[Fraction]
    ) -> Assignment:
        """Round coordinate by coordinate so that y never drops, in exact arithmetic."""
        point = [Fraction(value) for value in solution]
        penalties = self.penalties(source)
        occurrences: list[list[tuple[int, int]]] = [[] for _ in point]
        sums = []
        for index, clause in enumerate(source.clauses):
            total = _ZERO
            for literal in clause:
                value = point[abs(literal) - 1]
                total += value if literal > 0 else 1 - value
                occurrences[abs(literal) - 1].append((index, 1 if literal > 0 else -1))
            sums.append(total)

        def height(variable: int, value: Fraction) -> Fraction:
            """The part of y that depends on the variable, when it is moved to ``value``."""
            step = value - point[variable]
            missing = sum(
                (
                    max(_ZERO, 1 - sums[index] - sign * step)
                    for index, sign in occurrences[variable]
                ),
                _ZERO,
            )
            return -missing - penalties[variable] * min(value, 1 - value)

        for variable in range(len(point)):
            value = _ONE if height(variable, _ONE) > height(variable, _ZERO) else _ZERO
            for index, sign in occurrences[variable]:
                sums[index] += sign * (value - point[variable])
            point[variable] = value
        return tuple(value == 1 for value in point)
