"""The MILP in a child process: the first answer counts, and nothing stays behind."""

import math
import os
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from relucert.bounds.backward import bound_network
from relucert.bounds.interval import Intervals
from relucert.limits import Limits
from relucert.milp.child import Task, solved
from relucert.milp.engine import MilpOptions
from relucert.network import Network
from relucert.portfolio import case as stages
from relucert.portfolio.milp_beside import MilpBeside, first_answer
from relucert.query import Box, Case, Polyhedron, Query
from relucert.verdict import Method, Proved, Reason, Unknown, Violated
from relucert.verify import certify


def _question(seed, shift, inputs=12, hidden=10):
    """One hidden layer; the unsafe set begins ``shift`` below the least output at corners."""
    rng = np.random.default_rng(seed)
    weights = [rng.normal(size=(hidden, inputs)), rng.normal(size=(1, hidden))]
    network = Network.dense(weights, [rng.normal(size=hidden), np.zeros(1)])
    corners = np.sign(rng.uniform(-1, 1, (20_000, inputs)))
    least = float(network.evaluate(corners).min())
    part = Polyhedron(((Fraction(1),),), (Fraction(least - shift),))
    return network, Query((Case(Box((Fraction(-1),) * inputs, (Fraction(1),) * inputs), (part,)),))


def _task(network, query, seconds=60.0):
    case = query.cases[0]
    chain = bound_network(network, Intervals(*case.box.enclosing_floats))
    return Task(network, query, case, chain, MilpOptions(), seconds, math.inf)


def _gives_up(limits):
    return Unknown(Reason.ENGINE)


def _waits(limits):
    """An engine that never answers."""
    while not limits.out_of_time:
        time.sleep(0.01)
    return Unknown(Reason.TIME)


@pytest.mark.parametrize("engine", [_gives_up, _waits])
def test_the_child_proves(engine):
    task = _task(*_question(1, 3.0))
    here, beside = first_answer(engine, task, Limits(60.0), 0.0)
    assert isinstance(here, Unknown)
    assert isinstance(beside, Proved)
    assert beside == solved(task)


def test_the_child_finds_a_counterexample():
    network, query = _question(2, -0.5)
    _, beside = first_answer(_waits, _task(network, query), Limits(60.0), 0.0)
    assert isinstance(beside, Violated)
    assert query.violated_by(beside.witness.input, beside.witness.output)


def test_a_quick_answer_here_starts_no_child(monkeypatch):
    monkeypatch.setattr("relucert.portfolio.milp_beside._started", lambda: pytest.fail("started"))
    task = _task(*_question(1, 3.0))
    here, beside = first_answer(lambda _: Proved(Method.BOUNDS), task, Limits(60.0), 5.0)
    assert here == Proved(Method.BOUNDS)
    assert beside is None


def test_the_time_limit_holds_for_both():
    started = time.monotonic()
    task = _task(*_question(3, 0.5, inputs=40, hidden=120))
    here, beside = first_answer(_waits, task, Limits(1.5), 0.0)
    assert isinstance(here, Unknown)
    assert not isinstance(beside, Proved)  # a counterexample may be found in time
    assert time.monotonic() - started < 3.5


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks at /proc")
def test_the_child_is_gone_afterwards():
    task = _task(*_question(3, 0.5, inputs=40, hidden=120))
    with MilpBeside(task, 0.0) as milp:
        until = time.monotonic() + 10.0
        while milp._process is None and time.monotonic() < until:
            time.sleep(0.01)
        process = milp._process
        assert process is not None
        assert process.poll() is None
    assert process.poll() is not None


_PARENT = """
import sys, time
sys.path[:0] = sys.argv[1:]
from test_milp_beside import MilpBeside, _question, _task
with MilpBeside(_task(*_question(3, 0.5, inputs=40, hidden=120)), 0.0) as milp:
    while milp._process is None:
        time.sleep(0.01)
    print(milp._process.pid, flush=True)
    time.sleep(60)
"""


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks at /proc")
def test_a_killed_parent_leaves_no_child():
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT, *sys.path, str(Path(__file__).parent)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    child = int(parent.stdout.readline())
    time.sleep(0.5)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    until = time.monotonic() + 10.0
    while _runs(child) and time.monotonic() < until:
        time.sleep(0.05)
    assert not _runs(child)


def _runs(process):
    try:
        state = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    except OSError:
        return False
    return state[0] != "Z"


def test_both_together_agree_with_one_core(monkeypatch):
    monkeypatch.setattr(stages, "_MILP_BESIDE_AFTER", 0.0)
    for seed, shift in ((1, 3.0), (2, -0.5), (4, 1.0), (5, 0.5)):
        network, query = _question(seed, shift)
        alone = certify(network, query, jobs=1, timeout=30).verdict
        both = certify(network, query, jobs=2, timeout=30).verdict
        assert type(alone) is type(both)
        assert not isinstance(both, Unknown)
