"""Sweeps as their users run them: interrupted, resumed, on other executors, the same results."""

import csv
import importlib.util
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from fractions import Fraction
from pathlib import Path

import pytest

from relucert.cli import main
from relucert.query import robustness_query
from relucert.read.network import read_network
from relucert.read.points import read_points
from relucert.sweep.journal import Row
from relucert.sweep.results import COUNTEREXAMPLES, RESULTS, TIMES

DIGITS = Path(__file__).parents[2] / "instances/digits"
SMALL = ("dense_16x2.onnx", "conv.onnx")


def arguments(folder, networks=SMALL, points="0-9", radii="0.01,0.03,0.05", *others):
    return [
        "certify", *(str(DIGITS / name) for name in networks),
        "--data", str(DIGITS / "test_points.npz"), "--points", points, "--radius", radii,
        "--clip", "0", "1", "--seed", "7", "-o", str(folder), *others,
    ]  # fmt: skip


def run(words):
    with pytest.raises(SystemExit) as stop:
        main([str(word) for word in words])
    return stop.value.code


def found(folder):
    return tuple((Path(folder) / name).read_bytes() for name in (RESULTS, COUNTEREXAMPLES))


def journalled(folder):
    """The keys in the journal of whole rows, in order."""
    lines = (Path(folder) / "journal").read_bytes().split(b"\n")[1:-1]
    return [Row.parsed(line).key for line in lines]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed") / "results"
    assert run([*arguments(folder), "--jobs", "1"]) == 1
    return folder


def test_results_counterexamples_and_report(undisturbed):
    with (undisturbed / RESULTS).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 60
    places = [(SMALL.index(row["network"]), row["radius"], int(row["point"])) for row in rows]
    assert places == sorted(places)
    counts = Counter(row["verdict"] for row in rows)
    assert counts["violated"] >= 2
    assert counts["proved"] >= 40
    with (undisturbed / TIMES).open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 60
    page = (undisturbed / "report.html").read_text()
    assert "<svg" in page
    assert "currentColor" in page
    assert not re.search(r'(src|href)="(?!#)', page)
    assert (undisturbed / "curve.png").stat().st_size > 1000
    assert json.loads((undisturbed / "sweep.json").read_text())["sweep"]["points"] == "0-9"


def test_every_counterexample_is_one(undisturbed):
    points = read_points(DIGITS / "test_points.npz")
    with (undisturbed / COUNTEREXAMPLES).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows
    for row in rows:
        network = read_network(DIGITS / row["network"])
        x = tuple(Fraction(word) for word in row["input"].split())
        label = points.label(int(row["point"]))
        center = points.point(int(row["point"]))
        assert max(abs(a - b) for a, b in zip(x, center, strict=True)) <= Fraction(row["radius"])
        assert all(0 <= value <= 1 for value in x)
        outputs = network.evaluate_exactly(x)
        assert max(v for i, v in enumerate(outputs) if i != label) >= outputs[label]


def test_verdicts_are_those_of_questions_asked_alone(undisturbed):
    from relucert.query import Decision
    from relucert.verify import certify

    points = read_points(DIGITS / "test_points.npz")
    network = read_network(DIGITS / "conv.onnx")
    with (undisturbed / RESULTS).open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["network"] == "conv.onnx"]
    for row in rows[::3]:
        index = int(row["point"])
        query = robustness_query(
            points.point(index), int(row["label"]), Decision("argmax", 10),
            radius=Fraction(row["radius"]), clip=(Fraction(0), Fraction(1)),
        )  # fmt: skip
        assert type(certify(network, query).verdict).__name__.lower() == row["verdict"]


def test_two_processes_find_the_same(undisturbed, tmp_path):
    assert run([*arguments(tmp_path / "two"), "--jobs", "2"]) == 1
    assert found(tmp_path / "two") == found(undisturbed)


def test_a_cut_journal_is_gone_on_with(undisturbed, tmp_path, capsys):
    folder = tmp_path / "cut"
    folder.mkdir()
    for name in ("sweep.json", "journal"):
        (folder / name).write_bytes((undisturbed / name).read_bytes())
    whole = (folder / "journal").read_bytes()
    (folder / "journal").write_bytes(whole[: len(whole) // 2])
    before = journalled(folder)
    assert 5 < len(before) < 55
    words = [word for word in arguments(folder) if word not in ("--seed", "7")]
    assert run([*words, "--jobs", "1"]) == 1  # with the recorded seed
    assert "1 damaged or cut-off lines set aside" in capsys.readouterr().err
    assert found(folder) == found(undisturbed)
    after = journalled(folder)
    assert after[: len(before)] == before
    assert len(after) == len(set(after)) == 60


def test_a_finished_sweep_does_nothing_again(undisturbed):
    before = (undisturbed / "journal").stat().st_mtime_ns
    results = found(undisturbed)
    assert run(arguments(undisturbed)) == 1
    assert (undisturbed / "journal").stat().st_mtime_ns == before
    assert found(undisturbed) == results


def test_the_summary_as_json(undisturbed, capsys):
    assert run([*arguments(undisturbed), "--json"]) == 1
    record = json.loads(capsys.readouterr().out)
    assert record["settings"]["seed"] == 7
    assert [(one["network"], one["radius"]) for one in record["totals"]] == [
        (name, radius) for name in SMALL for radius in ("0.01", "0.03", "0.05")
    ]
    for one in record["totals"]:
        assert one["points"] == one["proved"] + one["violated"] + one["unknown"] == 10
        assert one["certified_accuracy"] == one["proved"] / 10


def test_without_a_terminal_a_line_tells_how_far_it_is(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("relucert.commands.sweep._SAY_SECONDS", 0.0)
    assert run([*arguments(tmp_path / "r", SMALL[:1], "0-3", "0.01,0.02"), "--jobs", "1"]) == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if " done: " in line]
    assert "8 of 8 done: 0 violated, 0 unknown" in lines[-1]
    assert re.search(r" · [\d.]+/s, 0 s left", lines[-1])


def test_labels_are_renamed_as_a_network_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("p.csv").write_text("x,y,label\n0,0,7\n1,0,9\n0,1,9\n1,1,7\n")
    words = ["p.csv", "--ratio", "0.5", "--seed", "1"]
    assert run(["memorize", *words, "-o", "deep.npz"]) == 0
    wide = ["--construction", "wide", "-o", "wide.onnx"]
    assert run(["memorize", *words, *wide]) == 0
    sweep = ["--data", "p.csv", "--radius", "0.1,1", "-o", "r", "--jobs", "1"]
    assert run(["certify", "deep.npz", "wide.onnx", *sweep]) == 1
    assert "label map: 7->1, 9->2" in capsys.readouterr().err
    with Path("r", RESULTS).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows[:4]] == ["1", "2", "2", "1"]
    assert {row["verdict"] for row in rows if row["radius"] == "0.1"} == {"proved"}
    assert {row["verdict"] for row in rows if row["radius"] == "1"} == {"violated"}
    assert "7-&gt;1" in Path("r/report.html").read_text()


def test_networks_may_have_moved(undisturbed, tmp_path, monkeypatch):
    for name in (*SMALL, "test_points.npz"):
        (tmp_path / name).write_bytes((DIGITS / name).read_bytes())
    results = found(undisturbed)
    monkeypatch.chdir(tmp_path)
    words = [word.replace(f"{DIGITS}/", "") for word in arguments(undisturbed)]
    assert run(words) == 1
    assert found(undisturbed) == results


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--timeout", "9"], "settings timeout_s none, not 9.0"),
        (["--seed", "8"], "settings seed 7, not 8"),
        (["--radius", "0.01"], "radii ['0.01', '0.03', '0.05'], not ['0.01']"),
        (["--points", "0-8"], "points 0-9, not 0-8"),
        (["--clip", "0", "2"], "clip ['0', '1'], not ['0', '2']"),
    ],
)
def test_other_settings_are_refused(undisturbed, capsys, change, message):
    assert run([*arguments(undisturbed), *change]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--proof", "p"], "--proof does not go with -o"),
        (["--csv", "p"], "--csv does not go with -o"),
        (["--semantics", "float32"], "real arithmetic"),
        (["--cluster", "dask://x:1", "--jobs", "2"], "does not go with --cluster"),
        (["--cluster", "dask://x:1"], "--cluster needs a time limit"),
        (["--cluster", "slurm", "--timeout", "1"], "use dask://HOST:PORT or mpi"),
        (["--cluster", "dask://127.0.0.1", "--timeout", "1"], "use dask://HOST:PORT or mpi"),
        (["--radius", "0.1,x"], "not a number"),
        (["--radius", "1e-3999"], "--radius: number of 4002 characters"),
        (["--solver", "NOPE"], "NOPE"),
    ],
)
def test_options_that_make_no_sense(tmp_path, capsys, change, message):
    assert run([*arguments(tmp_path / "new"), *change]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a.onnx", "b.onnx", "--data", "d.npz", "--radius", "1"], "say -o FOLDER"),
        (["a.onnx", "--data", "d.npz", "--radius", "1,2"], "say -o FOLDER"),
        (["a.onnx", "--data", "d.npz", "--radius", "1", "--cluster", "mpi"], "say -o FOLDER"),
        (["a.onnx", "b.onnx", "c.vnnlib"], "one NETWORK and one PROPERTY"),
        (["a.onnx", "-o", "r"], "needs --data and --radius"),
        (["a.onnx", "--data", "d.npz", "--radius", "1", "-o", "r"], "d.npz: no such file"),
    ],
)
def test_what_is_a_sweep_is_said(tmp_path, monkeypatch, capsys, words, message):
    monkeypatch.chdir(tmp_path)
    assert run(["certify", *words]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("name", [b"a$\\frac$b.onnx", b"bad\xff.onnx", b"_begins.onnx"])
def test_networks_may_be_called_anything(tmp_path, name, recwarn):
    """No formula for a picture, and no text that a table could hold."""
    network = tmp_path / os.fsdecode(name)
    network.write_bytes((DIGITS / SMALL[0]).read_bytes())
    words = arguments(tmp_path / "new", (), "0-1", "0.01")
    assert run([words[0], network, *words[1:], "--jobs", "1"]) == 0
    names = {path.name for path in (tmp_path / "new").iterdir()}
    assert {RESULTS, TIMES, "report.html", "curve.png"} <= names
    assert not [one for one in recwarn if "legend" in str(one.message)]


def test_a_folder_of_something_else_is_refused(tmp_path, capsys):
    (tmp_path / "thesis.tex").write_text("precious")
    assert run(arguments(tmp_path)) == 2
    assert "not empty and holds no sweep" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "thesis.tex"]


def started(words):
    return subprocess.Popen(
        [sys.executable, "-m", "relucert", *words], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def when_journalled(folder, count, process):
    journal = Path(folder) / "journal"
    while process.poll() is None:
        if journal.exists() and journal.read_bytes().count(b"\n") > count:
            return
        time.sleep(0.01)


def test_two_at_once_and_an_interrupt(undisturbed, tmp_path, capsys):
    folder, more = tmp_path / "once", (SMALL, "0-24")
    process = started([*arguments(folder, *more), "--jobs", "1"])
    when_journalled(folder, 2, process)
    os.kill(process.pid, signal.SIGSTOP)
    try:
        assert run(arguments(folder, *more)) == 2
        assert "another relucert works in" in capsys.readouterr().err
        os.kill(process.pid, signal.SIGINT)
    finally:
        os.kill(process.pid, signal.SIGCONT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert re.search(r"interrupted: \d+ of 150 items done and kept; the same command goes on", err)
    done = len(journalled(folder))
    assert 2 <= done < 150
    assert (folder / RESULTS).read_text().count("\n") == done + 1
    assert f"{150 - done} not done" in out
    assert run([*arguments(folder, *more), "--jobs", "1"]) == 1
    # An item's result does not depend on which others there are.
    for mine, theirs in zip(found(folder), found(undisturbed), strict=True):
        head, *lines = mine.splitlines()
        assert [head, *(line for line in lines if int(line.split(b",")[1]) < 10)] == (
            theirs.splitlines()
        )


@pytest.mark.slow
def test_killed_three_times_it_finds_the_same(tmp_path):
    size = (("dense_16x2.onnx", "dense_32x1.onnx"), "0-49", "0.01,0.03,0.05")
    assert run([*arguments(tmp_path / "whole", *size), "--jobs", "1"]) == 1
    folder, rng = tmp_path / "killed", random.Random(20)
    words = [*arguments(folder, *size), "--jobs", "1"]
    kept = []
    for target in sorted(rng.sample(range(1, 280), 3)):
        process = started(words)
        when_journalled(folder, target, process)
        time.sleep(0.02 * rng.random())
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        assert journalled(folder)[: len(kept)] == kept  # nothing lost
        kept = journalled(folder)
    assert run(words) == 1
    done = journalled(folder)
    assert done[: len(kept)] == kept
    assert len(done) == len(set(done)) == 300  # nothing done twice
    assert found(folder) == found(tmp_path / "whole")


@pytest.fixture
def dask_cluster(tmp_path):
    """A scheduler and two workers, each a process of its own: its address, and the workers."""
    if importlib.util.find_spec("distributed") is None:
        pytest.skip("Dask is not installed: pip install 'relucert[cluster]'")
    note = tmp_path / "scheduler.json"
    common = ["--no-dashboard", "--scheduler-file", str(note)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    begin = "from distributed.cli.dask_{} import main; main()"
    scheduler = subprocess.Popen(
        [sys.executable, "-c", begin.format("scheduler"), "--host", "127.0.0.1", "--port", "0",
         *common], **quiet,
    )  # fmt: skip
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", begin.format("worker"), "--host", "127.0.0.1", "--nthreads",
             "1", "--no-nanny", "--local-directory", str(tmp_path), *common], **quiet,
        )
        for _ in range(2)
    ]  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        while not (note.exists() and note.stat().st_size) and time.monotonic() < deadline:
            time.sleep(0.1)
        address = json.loads(note.read_text())["address"].removeprefix("tcp://")
        from distributed import Client

        with Client(address, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=60)
        yield address, workers
    finally:
        for process in (*workers, scheduler):
            process.kill()
            process.wait()


@pytest.mark.slow
def test_dask_with_a_killed_worker_finds_the_same(undisturbed, dask_cluster, tmp_path):
    address, workers = dask_cluster
    limits = ("--timeout", "300")
    assert run([*arguments(tmp_path / "local", SMALL, "0-19"), "--jobs", "1", *limits]) == 1
    folder = tmp_path / "dask"
    words = [*arguments(folder, SMALL, "0-19"), "--cluster", f"dask://{address}", *limits]
    process = started(words)
    when_journalled(folder, 15, process)
    workers[0].kill()
    assert process.poll() is None
    _, err = process.communicate(timeout=200)
    assert process.returncode == 1, err
    done = journalled(folder)
    assert len(done) == len(set(done)) == 120
    assert found(folder) == found(tmp_path / "local")
