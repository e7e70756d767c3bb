"""How long deciding robust memorization takes, engine by engine, as formulas grow.

Random 3-SAT at ratio 4.26, reduced to depth-2, width-2 robust memorization (docs/theory.md,
section 3), decided by clause learning over linear programmes and by the MILP. Prints a Markdown
table of median seconds (all four shapes unless said otherwise):

    python benchmarks/memorization_decision.py --seeds 5 --limit 60

Needs relucert[sat]. Every Yes is decoded to an assignment and checked, every No compared with a
SAT solver; a wrong or missing answer within the limit is shown as such.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from statistics import median

import numpy as np

from reductions.problems.satisfiability import Satisfiability
from reductions.rules.nae_satisfiability_to_robust_memorization import (
    NaeSatisfiabilityToRobustMemorization,
)
from reductions.rules.satisfiability_to_nae_satisfiability import SatisfiabilityToNaeSatisfiability
from reductions.sat import Satisfied, solve
from relucert.limits import Limits
from relucert.memorization.decision.answers import No, Yes
from relucert.memorization.decision.balls import labelled_balls
from relucert.memorization.decision.decide import decide
from relucert.memorization.decision.search import Refutation, search_shape
from relucert.memorization.decision.side import Side
from relucert.read.points import LabelledPoints

RATIO = 4.26
SHARES = {"0": Fraction(0), "0.9 of the threshold": Fraction(9, 10)}


@dataclass(frozen=True)
class Run:
    """One decision: wall-clock and processor seconds (the latter do not mind other programs).

    right: whether the answer is; None when there was none in time.
    """

    wall: float
    cpu: float
    right: bool | None
    satisfiable: bool


def formula(variables: int, seed: int) -> Satisfiability:
    """Random 3-SAT at the ratio where half of the formulas are satisfiable."""
    rng = random.Random(seed)
    clauses = []
    for _ in range(round(RATIO * variables)):
        chosen = rng.sample(range(1, variables + 1), 3)
        clauses.append(tuple(rng.choice((-1, 1)) * variable for variable in chosen))
    return Satisfiability(variables, tuple(clauses))


class Clock:
    """Wall-clock and processor time since it was made."""

    def __init__(self) -> None:
        self._started = (time.monotonic(), time.process_time())

    def read(self) -> tuple[float, float]:
        """Both, in seconds."""
        return time.monotonic() - self._started[0], time.process_time() - self._started[1]


class Instance:
    """A formula, its data set, and the way back."""

    def __init__(self, variables: int, seed: int, share: Fraction) -> None:
        self.formula = formula(variables, seed)
        self.nae = SatisfiabilityToNaeSatisfiability().reduce(self.formula)
        threshold = Fraction(1, 2 * self.nae.target.variables * 4)
        rule = NaeSatisfiabilityToRobustMemorization(budget=share * threshold)
        self.memorization = rule.reduce(self.nae.target)
        problem = self.memorization.target
        rows = np.array([[float(v) for v in row] for row in problem.dense_points()])
        self.data = LabelledPoints(np.array(problem.labels), f"n = {variables}", rows)
        self.budget = problem.budget
        self.satisfiable = isinstance(solve(self.formula, with_proof=False), Satisfied)

    def judged(self, answer: object, clock: Clock) -> Run:
        """Compare with the SAT solver; decode and check what memorizes."""
        wall, cpu = clock.read()
        if isinstance(answer, Yes):
            assignment = self.nae.decode(self.memorization.decode(answer.network))
            right = self.memorization.target.check(answer.network)
            return Run(wall, cpu, right and self.formula.check(assignment), self.satisfiable)
        refuted = isinstance(answer, No | Refutation)
        return Run(wall, cpu, not self.satisfiable if refuted else None, self.satisfiable)

    def decided(self, engine: str, limit: float) -> Run:
        """All four shapes, reading of the data and certificates included."""
        clock = Clock()
        answer = decide(self.data, self.budget, 2, engine=engine, timeout=limit).answer
        return self.judged(answer, clock)

    def wedge_only(self, limit: float) -> Run:
        """The wedge around label +1 alone, by clause learning."""
        clock = Clock()
        side = Side(labelled_balls(self.data, self.budget), 1, Limits(limit))
        answer = search_shape(side, "wedge")
        return self.judged(answer, clock)


def cell(runs: list[Run], limit: float, clock: str = "cpu") -> str:
    """The median of a clock, with the count of runs that did not end in time."""
    if not runs:
        return "-"
    if any(run.right is False for run in runs):
        return "WRONG"
    missing = sum(run.right is None for run in runs)
    seconds = median(getattr(run, clock) if run.right else float("inf") for run in runs)
    text = f"> {limit:.0f}" if seconds == float("inf") else f"{seconds:.2f}"
    return f"{text} ({missing} of {len(runs)} not in time)" if missing else text


def row(task: str, variables: int, budget: str, engine: str, runs: list[Run], limit: float) -> str:
    """Medians of all runs by both clocks; processor time by answer, and the largest."""
    by_answer = [[run for run in runs if run.satisfiable is answer] for answer in (True, False)]
    cells = [task, str(variables), budget, engine, cell(runs, limit, "wall"), cell(runs, limit)]
    cells += [cell(part, limit) for part in by_answer]
    cells.append(f"{max(run.cpu for run in runs):.2f}")
    return "| " + " | ".join(cells) + " |"


def table(arguments: argparse.Namespace) -> Iterator[str]:
    """Lines of the table, as they come."""
    limit, seeds = arguments.limit, range(1, arguments.seeds + 1)
    heads = ("question", "n", "budget", "engine", "wall s", "CPU s")
    heads += ("CPU s, satisfiable", "CPU s, unsatisfiable", "CPU s, slowest")
    yield "| " + " | ".join(heads) + " |"
    yield "|" + "---|" * len(heads)
    for engine, sizes in (("sat", arguments.sat), ("milp", arguments.milp)):
        for variables in sizes:
            for words, share in SHARES.items():
                runs = [Instance(variables, s, share).decided(engine, limit) for s in seeds]
                yield row("all four shapes", variables, words, engine, runs, limit)
    for variables in arguments.wedge:
        for words, share in SHARES.items():
            runs = [Instance(variables, s, share).wedge_only(limit) for s in seeds]
            yield row("wedge alone", variables, words, "sat", runs, limit)
    for variables in arguments.found:
        instances = [Instance(variables, s, SHARES["0"]) for s in range(1, 10 * len(seeds))]
        chosen = [instance for instance in instances if instance.satisfiable][: len(seeds)]
        runs = [instance.decided("sat", limit) for instance in chosen]
        yield row("all four shapes, satisfiable", variables, "0", "sat", runs, limit)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5, help="formulas of every size")
    parser.add_argument("--limit", type=float, default=60.0, help="seconds for every decision")
    parser.add_argument("--sat", type=int, nargs="*", default=[8, 12, 16, 20, 30, 50])
    parser.add_argument("--milp", type=int, nargs="*", default=[4, 6, 8])
    parser.add_argument("--wedge", type=int, nargs="*", default=[50, 100, 150])
    parser.add_argument("--found", type=int, nargs="*", default=[100])
    for line in table(parser.parse_args()):
        print(line, flush=True)


if __name__ == "__main__":
    main()
