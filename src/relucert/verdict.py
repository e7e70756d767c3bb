"""The one answer: Proved, Violated or Unknown, as types.

"Violated" cannot be made without a rational input that was re-evaluated exactly; "Proved" says
by what means, and whether that means bounds every rounding error; "Unknown" names its reason.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

from relucert.errors import RelucertError
from relucert.network import Network
from relucert.query import Query

__all__ = [
    "Float32Run",
    "Interrupted",
    "Method",
    "Proved",
    "Reason",
    "Standing",
    "Unknown",
    "Verdict",
    "Violated",
    "Witness",
    "combined",
    "confirm",
]


class Method(Enum):
    """By what means a query was proved; ``rigorous`` means no rounding error is unaccounted."""

    EMPTY = "nothing is unsafe"
    CHECKED = "proof checked, rounding bounded"
    BOUNDS = "linear bounds, rounding bounded"
    LP_DUAL = "linear programme's dual, rounding bounded"
    ENUMERATION = "enumeration of activation patterns, exact"
    MILP = "MILP, solver tolerance"

    @property
    def rigorous(self) -> bool:
        """Whether every rounding error is accounted for."""
        return self is not Method.MILP


class Reason(Enum):
    """Why there is no verdict."""

    TIME = "time limit"
    MEMORY = "memory limit"
    SOLVER = "solver failed"
    MARGIN = "margin within tolerance"
    NUMERICS = "numbers too wide for the solver"
    ROUNDING = "bounds too close to be told from rounding"
    SIZE = "too many activation patterns to enumerate"
    INTERRUPTED = "interrupted"
    ENGINE = "this engine cannot decide it"


@dataclass(frozen=True)
class Float32Run:
    """An execution in float32 whose ``output`` is unsafe; ``order`` is that of its sums.

    real: whether the exact output is unsafe too.
    """

    output: tuple[Fraction, ...]
    order: str
    real: bool


@dataclass(frozen=True)
class Witness:
    """A rational input and its exact output.

    Made only by `confirm`, or with a ``run`` by `relucert.float32`: then the input is one of
    float32 numbers, and unsafe as executed; unsafe over the reals only where the run says so.
    """

    input: tuple[Fraction, ...]
    output: tuple[Fraction, ...]
    run: Float32Run | None = None

    @property
    def valid_in(self) -> tuple[str, ...]:
        """In which arithmetic the input is known to be a counterexample: "real", "float32"."""
        if self.run is None:
            return ("real",)
        return ("real", "float32") if self.run.real else ("float32",)


@dataclass(frozen=True)
class Proved:
    """No input of the query's boxes is unsafe, established by ``method``.

    ``tolerance`` is the solver's, where the method depends on one.
    """

    method: Method
    tolerance: float | None = None

    @property
    def words(self) -> str:
        """The verdict as people read it."""
        if self.tolerance is None:
            return f"Proved ({self.method.value})"
        return f"Proved ({self.method.value} {self.tolerance:.0e})"


@dataclass(frozen=True)
class Violated:
    """``witness`` lies in the box and its output is unsafe: the exact one, or a float32 run's."""

    witness: Witness

    @property
    def words(self) -> str:
        """The verdict as people read it."""
        if self.witness.run is None:
            return "Violated (counterexample checked exactly)"
        if self.witness.run.real:
            return "Violated (counterexample checked exactly, and run in float32)"
        return "Violated (counterexample run in float32, not one over the reals)"


@dataclass(frozen=True)
class Standing:
    """How far a search that did not end had come; every figure is certified.

    margin: a lower bound on the distance to the unsafe sets, ``max_i (C_i y - d_i)``, over the
    whole box (negative while undecided). share: how much of the search tree is closed, each
    halving or split counting half, in [0, 1]. None: not known. open, nodes: how many nodes wait,
    and how many were visited.
    """

    margin: float | None = None
    share: float | None = None
    open: int = 0
    nodes: int = 0

    @property
    def words(self) -> str:
        """The figures as people read them."""
        words = []
        if self.margin is not None and math.isfinite(self.margin):
            words.append(f"margin at least {self.margin:.4g}")
        if self.share is not None:
            words.append(f"{_percent(self.share)} % proved")
        if self.nodes:
            words.append(f"{self.nodes} nodes, {self.open} open")
        return ", ".join(words)

    def joined(self, other: Standing | None) -> Standing:
        """The better of two searches of the same question, figure by figure."""
        if other is None:
            return self
        margins = [one.margin for one in (self, other) if one.margin is not None]
        shares = [one.share for one in (self, other) if one.share is not None]
        # Counts come from the search that got further: a sum would mean nothing.
        further = max(self, other, key=lambda one: (one.share or 0.0, one.nodes))
        return Standing(
            max(margins, default=None), max(shares, default=None), further.open, further.nodes
        )


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, with what had been certified until then."""

    def __init__(self, standing: Standing) -> None:
        super().__init__()
        self.standing = standing

    @classmethod
    def joined(cls, standing: Standing, stop: KeyboardInterrupt) -> Interrupted:
        """``stop`` with ``standing`` added to what it knows."""
        known = stop.standing if isinstance(stop, Interrupted) else None
        return cls(standing.joined(known))


def _percent(share: float) -> str:
    """Three digits, more close to 100, which is never said while something is open."""
    percent = 100.0 * share
    return f"{percent:.3g}" if percent < 99.0 else f"{math.floor(1e4 * percent) / 1e4:.6g}"


@dataclass(frozen=True)
class Unknown:
    """No verdict, and why; ``detail`` says more, ``standing`` how far the best search had come."""

    reason: Reason
    detail: str = ""
    standing: Standing | None = None

    @property
    def words(self) -> str:
        """The verdict as people read it."""
        standing = "" if self.standing is None else self.standing.words
        detail = "; ".join(words for words in (self.detail, standing) if words)
        return f"Unknown ({self.reason.value}{': ' if detail else ''}{detail})"


Verdict = Proved | Violated | Unknown


def confirm(network: Network, query: Query, x: Sequence[Fraction]) -> Violated | None:
    """Evaluate ``x`` exactly; Violated when it is a counterexample, else None."""
    point = tuple(Fraction(value) for value in x)
    output = network.evaluate_exactly(point)
    if not query.violated_by(point, output):
        return None
    return Violated(Witness(point, output))


def combined(verdicts: Sequence[Verdict]) -> Verdict:
    """The verdict on a union of queries: a violation wins, then an unknown, then the proofs.

    Of several proofs the weakest method is named.
    """
    if not verdicts:
        raise RelucertError("no verdicts to combine")
    for kind in (Violated, Unknown):
        for verdict in verdicts:
            if isinstance(verdict, kind):
                return verdict
    proofs = [verdict for verdict in verdicts if isinstance(verdict, Proved)]
    order = list(Method)
    return max(proofs, key=lambda proof: (order.index(proof.method), proof.tolerance or 0.0))
