"""What PuLP leaves to us: no process and no file may outlive an interrupt."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from relucert.limits import Limits
from relucert.lp.answer import Status
from relucert.lp.model import ModelBuilder
from relucert.milp import pulp_model


def _model():
    builder = ModelBuilder()
    builder.variable(0.0, 4.0, integer=True)
    builder.row([0], [2.0], 3.0)
    return builder.build({0: 1.0})


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_cbc_leaves_nothing_behind(scratch):
    answer = pulp_model.solve_with_pulp(_model(), "CBC", Limits())
    assert answer.status is Status.OPTIMAL
    assert answer.objective == 2.0
    assert list(scratch.iterdir()) == []


def test_an_interrupt_ends_the_solver_s_process(scratch, monkeypatch):
    import pulp

    started = []

    class Sleeper(pulp.LpSolver):
        """Starts a programme, as CBC is started, and is interrupted while it runs."""

        tmpDir = ""  # noqa: N815 - the name PuLP uses

        def available(self):
            return True

        def actualSolve(self, lp, **_options):  # noqa: N802
            (Path(self.tmpDir) / "model.mps").write_text("half")
            sleep = "import time; time.sleep(60)"
            started.append(subprocess.Popen([sys.executable, "-c", sleep]))
            raise KeyboardInterrupt

    monkeypatch.setattr(pulp_model, "_solver", lambda *_arguments: Sleeper())
    before = subprocess.Popen
    with pytest.raises(KeyboardInterrupt):
        pulp_model.solve_with_pulp(_model(), "CBC", Limits())
    assert subprocess.Popen is before
    assert started[0].poll() is not None
    assert list(scratch.iterdir()) == []


def test_a_child_of_bench_ends_with_its_parent(tmp_path):
    """A benchmark killed outright leaves no solver running."""
    script = tmp_path / "parent.py"
    script.write_text(
        "import multiprocessing, os, signal, threading, time\n"
        "from relucert.bench.own import _end_with_parent\n"
        "def child():\n"
        "    os.setsid()\n"
        "    threading.Thread(target=_end_with_parent, daemon=True).start()\n"
        "    print(os.getpid(), flush=True)\n"
        "    time.sleep(60)\n"
        "if __name__ == '__main__':\n"
        "    multiprocessing.get_context('spawn').Process(target=child).start()\n"
        "    time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    for _ in range(100):
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            return
        state = Path(f"/proc/{child}/stat")
        if state.exists() and state.read_text().rsplit(")", 1)[1].split()[0] == "Z":
            return  # dead, and not yet collected by whoever adopted it
        time.sleep(0.1)
    pytest.fail("the child outlived its parent")
