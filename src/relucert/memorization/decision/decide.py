"""Does ANY network of depth 2 and a given width robustly memorize a data set?

Width 1 is a linear programme. Width 2, NP-hard, is decided shape by shape: wedge and bevel, each
around either label (docs/theory.md, section 2). Larger widths, and labels told apart by nearest,
are left to a MILP, whose No is a weaker word.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fractions import Fraction

from relucert.errors import QueryError, SolverError, UsageError
from relucert.limits import Limits, Work
from relucert.memorization.decision.answers import Answer, No, Unknown, Yes
from relucert.memorization.decision.balls import Balls, labelled_balls
from relucert.memorization.decision.certificate import half_space_certificate, width_two_certificate
from relucert.memorization.decision.check import check_no_certificate
from relucert.memorization.decision.general_width import decide_general_width
from relucert.memorization.decision.memory import check_memory
from relucert.memorization.decision.networks import constant_network, smallest_margin
from relucert.memorization.decision.search import search_shape
from relucert.memorization.decision.shape_milp import decide_shapes_by_milp
from relucert.memorization.decision.shape_sat import require_sat_solver
from relucert.memorization.decision.side import Side
from relucert.memorization.decision.width_one import separate_balls
from relucert.milp.pulp_model import check_solver
from relucert.read.points import LabelledPoints
from relucert.verdict import Reason

__all__ = ["ENGINES", "Decided", "decide"]

Progress = Callable[[str], None]

ENGINES = ("auto", "sat", "milp")
_TWO_NEURON_SHARE = 0.2


@dataclass(frozen=True)
class Decided:
    """The answer, what was asked, how long it took, and the work it took.

    labels: the map from the data's labels to the network's, in words.
    """

    answer: Answer
    budget: Fraction
    width: int
    labels: str
    seconds: float
    work: Work = field(default_factory=Work, compare=False, repr=False)


@dataclass(frozen=True)
class _Question:
    data: LabelledPoints
    balls: Balls
    width: int
    engine: str
    solver: str
    seed: int
    limits: Limits
    progress: Progress | None


def decide(
    data: LabelledPoints,
    budget: Fraction,
    width: int = 2,
    *,
    engine: str = "auto",
    timeout: float = math.inf,
    solver: str = "HiGHS",
    threads: int = 1,
    memory: float = math.inf,
    seed: int = 0,
    progress: Progress | None = None,
) -> Decided:
    """Decide whether a network of depth 2 and at most this width memorizes every ball.

    budget: the radius of the closed l_inf balls, at least 0. engine: for width 2 and two labels
    "sat" (clause learning over linear programmes, the default) or "milp". solver: the MILP's.
    timeout: seconds. memory: bytes. seed: of the verifier's attack (general width only).

    Yes and No are checked exactly (No by the MILP is not, and says so); an interrupt, like every
    other limit, gives Unknown. Raises QueryError for a budget that is negative or not below half
    of the separation bound and for data too large for the memory, UsageError for an unknown
    engine, SolverError when a solver is not installed.
    """
    if engine not in ENGINES:
        raise UsageError(f"unknown engine {engine!r}; choose from {', '.join(ENGINES)}")
    if width < 1:
        raise UsageError(f"the width must be at least 1, not {width}")
    if not timeout > 0:
        raise UsageError(f"the time limit must be positive, not {timeout!r}")
    check_solver(solver)
    limits = Limits(timeout, memory, threads)
    labels = len(set(data.labels.tolist()))
    used = "sat" if labels <= 2 and engine != "milp" else "milp"
    check_memory(data, width, used if width <= 2 else "milp", limits)
    if labels == 2 and width > 1 and used == "sat":
        require_sat_solver()
    balls = labelled_balls(data, budget)
    question = _Question(data, balls, width, used, solver, seed, limits, progress)
    answer = _answered(question)
    return Decided(answer, balls.budget, width, balls.label_map.note, limits.elapsed, limits.work)


def _answered(question: _Question) -> Answer:
    """The answer, every way of not reaching one being Unknown."""
    try:
        answer = _decided(question)
    except KeyboardInterrupt:
        return Unknown(Reason.INTERRUPTED, f"after {question.limits.elapsed:.1f} s")
    except MemoryError:
        return Unknown(Reason.MEMORY, f"after {question.limits.elapsed:.1f} s")
    except OverflowError:
        return Unknown(Reason.NUMERICS, "weights beyond float64: scale the data")
    except SolverError as error:
        if question.limits.out_of_time:
            return Unknown(Reason.TIME)
        return Unknown(Reason.SOLVER, str(error))
    if isinstance(answer, Yes):
        named = replace(answer.network, notes=(question.balls.label_map.note,))
        return replace(answer, network=named)
    return answer


def _decided(question: _Question) -> Answer:
    balls, width = question.balls, question.width
    labels = set(balls.labels)
    if len(labels) == 1:
        return _one_label(balls, width)
    if labels == {-1, 1} and width > 2 and question.engine == "sat":
        found = _by_two_neurons(question)
        if found is not None:
            return found
    if not labels <= {-1, 1} or width > 2:
        return decide_general_width(
            question.data, balls, width, question.solver, question.seed, question.limits,
            question.progress,
        )  # fmt: skip
    if width == 1:
        return _width_one(question)
    if question.engine == "milp":
        return decide_shapes_by_milp(balls, question.solver, question.limits, question.progress)
    return _width_two(question)


def _one_label(balls: Balls, width: int) -> Answer:
    network = constant_network(balls.dimension, float(balls.labels[0]), width)
    margin = smallest_margin(network, balls) if width <= 2 else Fraction(1)
    if not isinstance(margin, Fraction):
        raise QueryError("a constant network does not have the only label")
    return Yes(network, margin, "one label only: a constant")


def _width_one(question: _Question) -> Answer:
    found = separate_balls(question.balls, question.limits)
    if isinstance(found, Yes | Unknown):
        return found
    return _checked(question, No(half_space_certificate(question.balls, found)))


def _by_two_neurons(question: _Question) -> Yes | None:
    """A network of width 2, which is narrower than asked for; given up after a while."""
    limits = question.limits.within(_TWO_NEURON_SHARE * min(question.limits.remaining, 100.0))
    for label in (1, -1):
        side = Side(question.balls, label, limits)
        for kind in ("wedge", "bevel"):
            try:
                found = search_shape(side, kind, question.progress)
            except SolverError:
                continue  # the MILP may still decide
            if isinstance(found, Yes):
                return found
    return None


def _width_two(question: _Question) -> Answer:
    sides = [Side(question.balls, label, question.limits) for label in (1, -1)]
    refutations = []
    unknown: Unknown | None = None
    for kind in ("wedge", "bevel"):
        for side in sides:
            found = search_shape(side, kind, question.progress)
            if isinstance(found, Yes):
                return found
            if isinstance(found, Unknown):
                if question.limits.out_of_time or question.limits.out_of_memory:
                    return found
                unknown = unknown or found
            else:
                refutations.append(found)
    if unknown is not None:
        return unknown
    return _checked(question, No(width_two_certificate(question.balls, refutations)))


def _checked(question: _Question, answer: No) -> Answer:
    """No is said only with a certificate that the independent checker accepts."""
    if question.progress is not None:
        question.progress("checking the certificate")
    record = answer.certificate or {}
    check = check_no_certificate(question.data, question.balls.budget, question.width, record)
    if not check.accepted:
        return Unknown(Reason.SOLVER, check.words)
    return answer
