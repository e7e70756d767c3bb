"""Random 3-SAT formulas as data sets for the decision problem, and back."""

import random
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from reductions.problems.robust_memorization import RobustMemorization
from reductions.problems.satisfiability import Satisfiability
from reductions.rules.nae_satisfiability_to_robust_memorization import (
    NaeSatisfiabilityToRobustMemorization,
)
from reductions.rules.rule import Reduction
from reductions.rules.satisfiability_to_nae_satisfiability import SatisfiabilityToNaeSatisfiability
from relucert.network import Network
from relucert.read.points import LabelledPoints


@dataclass(frozen=True)
class FormulaData:
    """``data`` is memorized with ``budget`` by a network of width 2 iff ``formula`` holds."""

    formula: Satisfiability
    problem: RobustMemorization
    data: LabelledPoints
    budget: Fraction
    steps: tuple[Reduction, Reduction]

    def solved_by(self, network: Network) -> bool:
        """Whether the network memorizes (an independent check) and decodes to a solution."""
        first, second = self.steps
        assignment = first.decode(second.decode(network))
        return self.problem.check(network) and self.formula.check(assignment)


def random_formula(variables: int, ratio: float, seed: int) -> Satisfiability:
    rng = random.Random(seed)
    clauses = []
    for _ in range(round(ratio * variables)):
        chosen = rng.sample(range(1, variables + 1), 3)
        clauses.append(tuple(rng.choice((-1, 1)) * variable for variable in chosen))
    return Satisfiability(variables, tuple(clauses))


def formula_data(formula: Satisfiability, share: Fraction = Fraction(0)) -> FormulaData:
    """``share`` of the threshold 1 / (2 v k) as budget."""
    first = SatisfiabilityToNaeSatisfiability().reduce(formula)
    threshold = Fraction(1, 2 * first.target.variables * max(2, first.target.largest_clause))
    second = NaeSatisfiabilityToRobustMemorization(budget=share * threshold).reduce(first.target)
    problem = second.target
    return FormulaData(formula, problem, labelled(problem), problem.budget, (first, second))


def labelled(problem: RobustMemorization) -> LabelledPoints:
    points = np.array([[float(value) for value in row] for row in problem.dense_points()])
    return LabelledPoints(np.array(problem.labels), "formula", points)
