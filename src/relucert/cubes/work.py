"""What a worker does with one cube, wherever it runs: plain data in, plain data out."""

from __future__ import annotations

import math
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

from relucert.limits import Limits, usable_bytes
from relucert.network import Network
from relucert.proof.subject import Subject
from relucert.prover.certify import certify_with_proof
from relucert.query import Query
from relucert.search.few_inputs import prepare
from relucert.verdict import Reason, Unknown, Verdict
from relucert.verify import certify

__all__ = ["Answer", "Settings", "Task", "solved"]


@dataclass(frozen=True)
class Settings:
    """How cubes are certified; the words are those of `relucert.verify.certify`.

    memory: bytes for each worker. network_content: what the network was read from, where proofs
    are wanted; else None.
    """

    engine: str = "auto"
    solver: str = "HiGHS"
    threads: int = 1
    memory: float = math.inf
    seed: int = 0
    network_content: bytes | None = None


@dataclass(frozen=True, eq=False)
class Task:
    """One cube as a query of its own, and seconds for it from when the work begins.

    left: seconds for all that is asked, of which a worker may take some to get ready.
    """

    network: Network
    query: Query
    settings: Settings
    seconds: float
    left: float = 0.0


@dataclass(frozen=True)
class Answer:
    """The verdict, the nodes visited, and the accepted proof's content where wanted.

    seconds: of processor time, of the worker's process.
    """

    verdict: Verdict
    nodes: int
    seconds: float
    proof: bytes | None = None


def solved(task: Task) -> Answer:
    """Certify one cube, with one thread; never raises for want of memory."""
    if task.settings.engine in ("auto", "search"):
        prepare(task.query, Limits(task.left))  # or the first cube's time would go there
    before = time.process_time()
    try:
        answer = _proved(task) if task.settings.network_content is not None else _certified(task)
    except MemoryError:
        answer = Answer(Unknown(Reason.MEMORY, "ran out of memory"), 0, 0.0)
    return replace(answer, seconds=time.process_time() - before)


def _certified(task: Task) -> Answer:
    settings = task.settings
    outcome = certify(
        task.network, task.query, engine=settings.engine, timeout=task.seconds,
        solver=settings.solver, threads=settings.threads, memory=settings.memory,
        seed=settings.seed,
    )  # fmt: skip
    return Answer(outcome.verdict, outcome.work.nodes, 0.0)


def _proved(task: Task) -> Answer:
    settings = task.settings
    limits = Limits(task.seconds, min(settings.memory, usable_bytes()), settings.threads)
    subject = Subject.of_query(settings.network_content or b"", task.query)
    with tempfile.TemporaryDirectory(prefix="relucert-cube-") as folder:
        path = Path(folder) / "cube.rcp"
        found = certify_with_proof(
            task.network, task.query, subject, path, limits, seed=settings.seed
        )
        content = None if found.path is None else found.path.read_bytes()
    return Answer(found.verdict, limits.work.nodes, 0.0, content)
