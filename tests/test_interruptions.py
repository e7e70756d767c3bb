"""Ctrl-C and SIGTERM in every phase: no traceback, what is known is shown, nothing stays behind."""

import os
import signal
import subprocess
import sys
import time
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from relucert.bounds.backward import bound_network, lower_bounds
from relucert.bounds.interval import Intervals
from relucert.network import Network
from relucert.query import Box, Case, Polyhedron, Query
from relucert.write.onnx import write_onnx
from relucert.write.vnnlib import write_vnnlib

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")


def _write_hard(folder, name, sizes, share):
    """A question that no engine answers within minutes; ``share``: of the linear bound, or None
    for a limit that is missed by next to nothing."""
    rng = np.random.default_rng(11)
    weights = [rng.normal(size=(b, a)) for a, b in pairwise(sizes)]
    network = Network.dense(weights, [rng.normal(size=b) for b in sizes[1:]])
    unit = Intervals(-np.ones(sizes[0]), np.ones(sizes[0]))
    bound = lower_bounds(bound_network(network, unit), unit, np.ones((1, 1)))[0]
    if share is None:
        points = np.sign(rng.normal(size=(200_000, sizes[0])))
        least = float(network.evaluate(points).min())
        limit = Fraction(least - 0.2 * abs(least))
    else:
        limit = Fraction(share * float(bound))
    part = Polyhedron(((Fraction(1),),), (limit,))
    box = Box((Fraction(-1),) * sizes[0], (Fraction(1),) * sizes[0])
    write_onnx(network, folder / f"{name}.onnx", "float64")
    write_vnnlib(Query((Case(box, (part,)),), name), folder / f"{name}.vnnlib", output_size=1)


@pytest.fixture(scope="module")
def hard(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hard")
    _write_hard(folder, "few", [12, 60, 60, 60, 1], None)
    _write_hard(folder, "shallow", [60, 600, 1], 0.7)
    _write_hard(folder, "many", [40, 100, 100, 1], 0.3)
    return folder


def _interrupted(folder, name, options, seconds, number):
    """Exit code, output and messages of a run that gets a signal, and how long it took to end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "relucert", "certify", f"{name}.onnx", f"{name}.vnnlib", *options],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"}, start_new_session=True,
    )  # fmt: skip
    time.sleep(seconds)
    if process.poll() is not None:
        pytest.fail(f"ended before the signal: {process.communicate()}")
    process.send_signal(number)
    sent = time.monotonic()
    out, err = process.communicate(timeout=60)
    assert not _members(process.pid), "a process stayed behind"
    return process.returncode, out, err, time.monotonic() - sent


def _members(session):
    """Processes of a session that are alive."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text(encoding="ascii", errors="replace").rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(path)
    return found


@pytest.mark.parametrize("seconds", [0.15, 0.4, 0.8])
def test_while_it_starts(hard, seconds):
    code, _, err, took = _interrupted(hard, "few", [], seconds, signal.SIGINT)
    if code == -signal.SIGINT:
        assert "relucert" not in err or "import main" in err  # Python itself was not up yet
        return
    assert code == 130
    assert "Traceback" not in err
    assert took < 10


PHASES = [
    ("few", ["--jobs", "2"], "margin at least"),
    ("few", ["--jobs", "1", "--engine", "search"], "margin at least"),
    ("shallow", ["--jobs", "2"], "margin at least"),
    ("many", ["--jobs", "1"], "margin at least"),
    ("many", ["--engine", "milp"], "margin at least"),
    ("few", ["--engine", "enumerate"], "interrupted"),
]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(("name", "options", "words"), PHASES)
def test_while_an_engine_works(hard, name, options, words, number):
    code, out, err, took = _interrupted(hard, name, options, 6.0, number)
    assert code == 128 + number
    assert "Traceback" not in err
    assert "Unknown (interrupted" in out
    assert words in " ".join(out.replace("│", " ").split())
    assert took < 10


@pytest.mark.slow
def test_the_rest_of_a_broken_record_is_json(hard):
    import json

    code, out, _, _ = _interrupted(hard, "few", ["--json"], 6.0, signal.SIGINT)
    assert code == 130
    (result,) = json.loads(out)["results"]
    assert result["reason"] == "interrupted"
    assert result["standing"]["certified_margin"] < 0
