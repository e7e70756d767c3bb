"""Runs of the laboratory without processes, and programs that pretend to be verifiers."""

import shlex
import sys
import textwrap

from reductions.problems.satisfiability import Satisfiability
from reductions.scaling.child import reply_to
from reductions.scaling.doors.door import Allowed
from reductions.scaling.doors.registry import opened
from reductions.scaling.measurement import read_measurements
from reductions.scaling.watching import Ended


def decide_here(job, stopping):
    """`run_child` without the child."""
    names = [] if job["external"] else [job["door"]]
    door = opened(names, job["external"])[job["door"]]
    formula = Satisfiability(job["variables"], tuple(map(tuple, job["clauses"])))
    allowed = Allowed(job["seconds"], job["memory"], job["seed"])
    return Ended(reply_to(door, formula, allowed), "", 0, 0.1, 0.1, 1000, "")


def verifier(tmp_path, name, body):
    """An ``--external`` argument for a Python program; ``network``, ``query`` are its files."""
    script = tmp_path / f"{name}.py"
    head = "import os, sys, time\nnetwork, query = sys.argv[1:3]\n"
    script.write_text(head + textwrap.dedent(body), encoding="utf-8")
    words = [sys.executable, "-S", "-E", str(script)]
    return f"{name}={shlex.join(words)} {{onnx}} {{vnnlib}}"


def rows_of(folder):
    """The measurements of a run."""
    return read_measurements(folder / "measurements.csv").rows


def verdicts(folder):
    """What a run says, without what depends on the clock and the machine."""
    return {row.key: (row.answer, row.status, row.effort) for row in rows_of(folder)}
