"""The formula as a network to verify (docs/theory.md, section 5), decided by relucert's engines."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

from reductions.chains import chain_to
from reductions.problems.network_verification import NetworkVerification
from reductions.problems.satisfiability import Satisfiability
from reductions.scaling.doors.door import Allowed, Door, Found
from relucert.limits import Work
from relucert.verdict import Proved, Reason, Violated
from relucert.verify import certify

__all__ = ["STATUS_OF", "MilpVerification", "SearchVerification"]

STATUS_OF = {Reason.TIME: "timeout", Reason.MEMORY: "memout"}
"""The status of an answer that was not reached, by the reason why; others are "ok"."""


class _Verification(Door):
    engine: ClassVar[str]
    distribution = "relucert"
    instance = "neurons"

    def decide(self, formula: Satisfiability, allowed: Allowed) -> Found:
        chain = chain_to(NetworkVerification.name, formula, {})
        target: Any = chain.target
        outcome = certify(
            target.network, target.query, engine=self.engine, timeout=allowed.seconds,
            memory=allowed.memory, seed=allowed.seed, check=False,
        )  # fmt: skip
        verdict, effort, size = outcome.verdict, self.effort(outcome.work), target.size()["relus"]
        if isinstance(verdict, Violated):
            assignment = chain.decode(verdict.witness.input)
            return Found("sat", assignment, effort, size, verdict.words)
        if isinstance(verdict, Proved):
            return Found("unsat", None, effort, size, verdict.words)
        status = STATUS_OF.get(verdict.reason, "ok")
        return Found("unknown", None, effort, size, verdict.words, status)

    @abstractmethod
    def effort(self, work: Work) -> int:
        """What is counted."""


class MilpVerification(_Verification):
    """Bounds, a short attack, bounds by linear programmes, then a MILP.

    The steps before the MILP may take no more than their shares of the time; where these cut one
    short, the count depends on the machine.
    """

    name = "verify-milp"
    summary = "verification of a network, by linear programmes and a MILP"
    engine = "milp"
    solver = "relucert's MILP engine"
    effort_name = "simplex iterations"

    def effort(self, work: Work) -> int:
        return work.iterations


class SearchVerification(_Verification):
    """Bounds, a short attack, then branch and bound over inputs and ReLUs."""

    name = "verify-search"
    summary = "verification of a network, by branch and bound"
    engine = "search"
    solver = "relucert's search engine"
    effort_name = "nodes"
    warm_up_seconds = 120.0  # after an installation the kernels are compiled first

    def effort(self, work: Work) -> int:
        return work.nodes
