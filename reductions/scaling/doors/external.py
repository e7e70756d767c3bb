"""The formula as a network to verify, given to another verifier as a program."""

from __future__ import annotations

import math
import tempfile
import threading
from pathlib import Path
from typing import Any

from reductions.chains import chain_to
from reductions.graph import ChainReduction
from reductions.payload import write_payload
from reductions.problems.network_verification import NetworkVerification
from reductions.problems.satisfiability import Assignment, Satisfiability
from reductions.scaling.doors.door import Allowed, Door, Found
from relucert.bench.answers import confirmed_point, parse_answer
from relucert.bench.peers import Peer
from relucert.bench.processes import Run, run_watched
from relucert.errors import RelucertError

__all__ = ["External"]

_TINY = Satisfiability(1, ((1,),))
_MOST_RESULT = 64 * 2**20
_STATUS_OF_END = {"time": "timeout", "memory": "memout"}


class External(Door):
    """Another verifier, called ``verify-NAME``; a counterexample it prints is checked exactly.

    Seconds are the program's own. "sat" without a counterexample that can be confirmed is an
    error of its; it is still compared with what others say. stopping: when set, the program and
    all it started are killed.
    """

    summary = "verification of a network, by another program"
    solver = "another verifier"
    distribution = ""
    effort_name = ""
    instance = "neurons"

    def __init__(self, peer: Peer) -> None:
        self.name = f"verify-{peer.name}"
        self.peer = peer
        self.stopping = threading.Event()

    @property
    def solver_name(self) -> str:
        return str(self.peer.name)

    @property
    def version(self) -> str:
        return ""

    def decide(self, formula: Satisfiability, allowed: Allowed) -> Found:
        with tempfile.TemporaryDirectory(prefix="reductions-scale-") as name:
            chain = chain_to(NetworkVerification.name, formula, {})
            return self._run(chain, Path(name), allowed)

    def warm_up(self) -> None:
        """Writing files loads what this door needs; the program is not called."""
        with tempfile.TemporaryDirectory(prefix="reductions-scale-") as name:
            write_payload(chain_to(NetworkVerification.name, _TINY, {}).target, Path(name))

    def _run(self, chain: ChainReduction, folder: Path, allowed: Allowed) -> Found:
        size, seconds = chain.target.size()["relus"], allowed.seconds
        write_payload(chain.target, folder)
        network, result = folder / "network.onnx", folder / "result.txt"
        if not network.exists():
            return Found("unknown", None, None, size, "the network is too large for ONNX", "error")
        values = {
            "onnx": str(network), "vnnlib": str(folder / "property.vnnlib"),
            "timeout": str(math.ceil(seconds)) if seconds >= 1 else repr(seconds),
            "result": str(result),
        }  # fmt: skip
        run = run_watched(
            self.peer.arguments(values), seconds, allowed.memory, self.stopping, folder
        )
        if run.ended == "output":
            return Found("unknown", None, None, size, "killed: too much output", "error",
                         run.seconds, run.cpu_seconds)  # fmt: skip
        text = _text(result if self.peer.writes_result else run.output)
        answer, detail, status, assignment = _judged(chain, text, run, folder)
        return Found(answer, assignment, None, size, detail, status, run.seconds, run.cpu_seconds)


def _judged(
    chain: ChainReduction, text: str, run: Run, folder: Path
) -> tuple[str, str, str, Assignment | None]:
    """Answer, detail, status, assignment: what the program's output is worth."""
    said, in_time = parse_answer(text), _STATUS_OF_END.get(run.ended, "ok")
    if said is not None and said.verdict == "proved":
        return "unsat", _ending(run), in_time, None
    if said is not None and said.verdict == "violated":
        if not said.witness:
            return "sat", "says sat without a counterexample", "error", None
        target: Any = chain.target
        try:
            point = confirmed_point(said, target.network, target.query, folder)
        except RelucertError as error:
            return "sat", f"its counterexample cannot be read: {error}", "error", None
        if point is None:
            return "sat", "its counterexample is none", "error", None
        return "sat", _ending(run), in_time, chain.decode(point)
    if run.ended in _STATUS_OF_END:
        return "unknown", _ending(run), in_time, None
    if said is not None and said.verdict == "unknown":
        return "unknown", "", "timeout" if said.how == "time" else "ok", None
    lines = _text(run.errors).strip().splitlines() or text.strip().splitlines()
    words = f": {lines[-1][:200]}" if lines else ""
    return "unknown", f"no answer ({_ending(run) or 'exit code 0'}){words}", "error", None


def _ending(run: Run) -> str:
    """How the program ended, where that is not as it should."""
    if run.ended:
        return run.ended if run.ended == "not started" else f"killed: {run.ended}"
    if not run.code:
        return ""
    return f"exit code {run.code}" if run.code > 0 else f"ended by signal {-run.code}"


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MOST_RESULT).decode("utf-8", "replace")
    except OSError:
        return ""
