"""What ``--semantics`` means to a command: real arithmetic, or float32 in any order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from relucert.errors import UsageError
from relucert.float32.certify import certify_float32, with_float32_run
from relucert.float32.program import Program, program_of_file
from relucert.network import Network
from relucert.query import Query
from relucert.verdict import Violated, Witness
from relucert.verify import Outcome, certify
from relucert.write.witness import format_witness

__all__ = ["Semantics", "witness_text"]


@dataclass(frozen=True, eq=False)
class Semantics:
    """``word`` is "real" or "float32"."""

    word: str
    path: Path
    network: Network

    @classmethod
    def wanted(cls, word: str, path: Path, network: Network, with_proof: bool) -> Semantics:
        """Raises UsageError where float32 execution is not covered, or a proof is asked for."""
        if word == "float32" and with_proof:
            raise UsageError(
                "--proof states real arithmetic; there are no proof files for --semantics float32"
            )
        semantics = cls(word, path, network)
        if semantics.is_float32:
            semantics.program  # noqa: B018 (read now: what is not covered is said at once)
        return semantics

    @property
    def is_float32(self) -> bool:
        return self.word == "float32"

    @property
    def title(self) -> str:
        """The question of a table."""
        return (
            "robust as executed in float32?" if self.is_float32 else "robust for real arithmetic?"
        )

    @cached_property
    def program(self) -> Program:
        return program_of_file(self.path, self.network)

    def certify(
        self, query: Query, *, engine: str, timeout: float, solver: str, threads: int,
        memory: float, seed: int, jobs: int, check: bool, progress: Callable[[str], None],
    ) -> Outcome:  # fmt: skip
        """The verdict on the exact function, or on its float32 executions."""
        if self.is_float32:
            return certify_float32(
                self.network, self.program, query, engine=engine, timeout=timeout, solver=solver,
                threads=threads, memory=memory, seed=seed, jobs=jobs, check=check,
                progress=progress,
            )  # fmt: skip
        outcome = certify(
            self.network, query, engine=engine, timeout=timeout, solver=solver, threads=threads,
            memory=memory, seed=seed, jobs=jobs, check=check, progress=progress,
        )  # fmt: skip
        return self.labelled(query, outcome)

    def labelled(self, query: Query, outcome: Outcome) -> Outcome:
        """A counterexample over the reals, told whether it is one in float32 as well."""
        verdict = outcome.verdict
        if not isinstance(verdict, Violated) or verdict.witness.run or not self._stored_in_float32:
            return outcome
        try:
            program = self.program
        except UsageError:
            return outcome  # a graph whose execution is not covered
        return replace(outcome, verdict=with_float32_run(program, query, verdict))

    @cached_property
    def _stored_in_float32(self) -> bool:
        return all(
            bool((values.astype(np.float32) == values).all())
            for layer in self.network.layers
            for values in (sp.csr_array(layer.weight).data, layer.bias)
        )


def witness_text(witness: Witness) -> str:
    """The counterexample as a file or screen shows it, with where it is valid."""
    run = witness.run
    if run is None:
        return format_witness(witness.input, witness.output)
    words = f"; valid in {' and '.join(witness.valid_in)} arithmetic; sums {run.order}\n"
    return words + format_witness(witness.input, witness.output if run.real else run.output)
