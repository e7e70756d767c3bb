"""What ``relucert certify --cubes`` does: one question in parts, here or on a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from relucert.commands.screen import say
from relucert.cubes.certify import Cubes, certify_cubes
from relucert.cubes.local import local_processes
from relucert.cubes.proof import NotMergedError, merged_proof
from relucert.cubes.work import Settings
from relucert.errors import UsageError
from relucert.limits import Limits, usable_bytes
from relucert.milp.pulp_model import check_solver
from relucert.network import Network
from relucert.proof.subject import Subject
from relucert.query import Query
from relucert.read.files import read_bytes
from relucert.read.network import network_content
from relucert.sweep.executors import opened
from relucert.verdict import Proved, Reason, Unknown
from relucert.verify import Outcome
from relucert.write.files import check_target

__all__ = ["Dividing"]


@dataclass(frozen=True, eq=False)
class Dividing:
    """How many cubes, where they are certified, and how; ``records`` tells of what they took.

    property_content: of the property file, which a proof names. proof_path: None for no proof.
    """

    count: int
    cluster: str | None
    jobs: int
    settings: Settings
    limits: Callable[[], Limits]
    property_content: bytes
    proof_path: Path | None
    exact: bool
    records: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def wanted(
        cls,
        count: int,
        cluster: str | None,
        jobs: int,
        settings: Settings,
        limits: Callable[[], Limits],
        network_path: Path,
        property_path: Path,
        proof_path: Path | None,
        exact: bool,
    ) -> Dividing:
        """Raises UsageError where the options do not fit, SolverError for a missing solver."""
        check_solver(settings.solver)
        if proof_path is None and exact:
            raise UsageError("--exact-check goes with --proof")
        if proof_path is not None:
            if settings.engine != "auto":
                raise UsageError("--proof has its own engine; leave --engine out")
            check_target(proof_path)
            settings = replace(settings, network_content=network_content(network_path))
        if cluster is None:
            settings = replace(settings, memory=min(settings.memory, usable_bytes() / jobs))
        content = read_bytes(property_path)
        return cls(count, cluster, jobs, settings, limits, content, proof_path, exact)

    def certify(self, network: Network, query: Query, progress: Callable[[str], None]) -> Outcome:
        """The verdict, from all cubes; with a proof where one is wanted, or not Proved."""
        limits = self.limits()
        with self._opened() as (executor, slots):
            found = certify_cubes(
                network, query, executor, slots, cubes=self.count, settings=self.settings,
                limits=limits, progress=progress,
            )  # fmt: skip
        verdict = found.verdict
        self.records[query.name] = {"cubes": {
            "asked": self.count, "in_the_end": found.count, "handed_out": found.given,
            "cpu_seconds": [round(seconds, 3) for seconds in found.times],
        }}  # fmt: skip
        if isinstance(verdict, Proved) and self.proof_path is not None:
            verdict = self._with_proof(network, query, found, progress)
        return Outcome(verdict, limits.elapsed, self.settings.seed)

    @contextmanager
    def _opened(self) -> Iterator[tuple[Executor, Callable[[], int]]]:
        if self.cluster is None:
            with local_processes(self.jobs) as processes:
                yield processes, lambda: self.jobs
            return
        with opened(self.cluster, 1) as engine:
            say(f"relucert: runs on {engine.words}")
            yield engine.executor, engine.slots

    def _with_proof(
        self, network: Network, query: Query, found: Cubes, progress: Callable[[str], None]
    ) -> Proved | Unknown:
        content, path = self.settings.network_content, self.proof_path
        if content is None or path is None:
            return Unknown(Reason.ENGINE, "no proof was asked for")
        subject, before = Subject.of_files(content, self.property_content), Limits()
        try:
            proof = merged_proof(
                network, query, subject, content, found, path, exact=self.exact,
                progress=progress,
            )  # fmt: skip
        except NotMergedError as error:
            words = f"all cubes are proved, but their proofs make none: {error}"
            return Unknown(Reason.ROUNDING, words)
        self.records[query.name]["proof"] = {
            "file": str(proof.path),
            "bytes": proof.size,
            "records": proof.records,
            "found_seconds": round(found.seconds, 3),
            "check_seconds": round(before.elapsed, 3),
            "arithmetics": ["rounded", "exact"] if self.exact else ["rounded"],
        }
        return found.verdict if isinstance(found.verdict, Proved) else Unknown(Reason.ENGINE)
