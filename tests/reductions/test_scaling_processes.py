"""``reductions scale`` with real processes: limits, faults of programs, kill -9."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from support.scaling import rows_of, verdicts, verifier

from reductions.cli import run
from reductions.scaling import watching
from reductions.scaling.doors.registry import DOORS
from reductions.scaling.watching import run_child

SAT = "p cnf 4 3\n1 -2 3 0\n2 -3 4 0\n-1 -4 0\n"
UNSAT = "p cnf 3 4\n1 0\n-1 2 0\n-2 3 0\n-3 0\n"
# The clauses of SAT hold when variable 1 is false, 2 false, 3 false, 4 true (or anything).
HONEST = """
text = open(query).read()
if "X_3" in text:
    print("sat")
    print("((X_0 0.0) (X_1 0.0) (X_2 0.0) (X_3 1.0) (Y_0 3.0))")
else:
    print("unsat")
"""

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")


@pytest.fixture
def formulas(tmp_path):
    """Options for one satisfiable and one unsatisfiable formula."""
    (tmp_path / "sat.cnf").write_text(SAT)
    (tmp_path / "unsat.cnf").write_text(UNSAT)
    return ["--formula", str(tmp_path / "sat.cnf"), "--formula", str(tmp_path / "unsat.cnf")]


def job(**changes):
    return {
        "door": "cdcl", "external": [], "variables": 3, "clauses": [[1, 2], [-1, 3]],
        "seconds": 60.0, "memory": 4 * 2**30, "seed": 0, **changes,
    }  # fmt: skip


def external_job(command, **changes):
    return job(door=f"verify-{command.partition('=')[0]}", external=[command], **changes)


def end_of(process, seconds=60.0):
    """Wait until a process is gone, whoever its parent is."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.05)
    return False


def number_in(path, seconds=60.0):
    """The number that a program writes into a file."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        text = path.read_text() if path.exists() else ""
        if text.endswith("\n"):
            return int(text)
        time.sleep(0.02)
    raise AssertionError(f"{path.name} was never written")


@pytest.mark.slow
def test_all_doors_agree(tmp_path, formulas):
    names = ",".join(door.name for door in DOORS)
    options = ["--external", verifier(tmp_path, "honest", HONEST), "--timeout", "120"]
    output = tmp_path / "run"
    assert run(["scale", *formulas, "--solvers", names, *options, "-o", str(output)]) == 0
    rows = rows_of(output)
    assert len(rows) == 2 * (len(DOORS) + 1)
    for one in rows:
        expected = {4: "sat", 3: "unsat"}[one.size]
        assert one.status == "ok", one
        assert one.answer == expected or one.door == "train", one
        assert one.peak_bytes > 2**20
        assert one.cpu_seconds >= 0.0


def test_a_child_tells_what_it_took():
    ended = run_child(job(), threading.Event())
    assert ended.ended == ""
    assert ended.reply["answer"] == "sat"
    assert 0 <= ended.reply["cpu_seconds"] < ended.cpu_seconds
    assert ended.reply["peak_bytes"] > 2**24


FAULTS = {
    "crashes": ("os.kill(os.getpid(), 11)", "error", "signal 11"),
    "fails": ("sys.exit('this is wrong')", "error", "this is wrong"),
    "babbles": ("print('maybe sat, maybe not')", "error", "maybe sat"),
    "hangs": ("time.sleep(600)", "timeout", "time"),
    "eats": ("x = bytearray(2 << 30)\nx[::4096] = b'x' * len(x[::4096])\ntime.sleep(60)",
             "memout", "memory"),
    "floods": ("while True: sys.stdout.write('a' * 10000)", "error", "output"),
    "contradicts": ("print('sat')\nprint('unsat')", "error", ""),
    "invents": ("print('sat')\nprint('((X_0 7.0) (X_1 0) (X_2 0) (Y_0 0))')", "error", "none"),
}  # fmt: skip


@pytest.mark.slow
def test_a_fault_of_a_program_costs_its_own_row(tmp_path, formulas):
    commands = [verifier(tmp_path, name, body) for name, (body, _, _) in FAULTS.items()]
    externals = [word for command in commands for word in ("--external", command)]
    options = ["--solvers", "cdcl", "--timeout", "10", "--memory", "1", "-o", str(tmp_path / "run")]
    # Only the satisfiable formula: there "sat" is right, whatever its evidence.
    assert run(["scale", *formulas[:2], *externals, *options]) == 0
    rows = {one.door.removeprefix("verify-"): one for one in rows_of(tmp_path / "run")}
    assert (rows["cdcl"].answer, rows["cdcl"].status) == ("sat", "ok")
    for name, (_, status, words) in FAULTS.items():
        assert rows[name].status == status, rows[name]
        assert words in rows[name].detail, rows[name]


def test_a_program_that_forks_away_is_ended_with_its_row(tmp_path):
    note = tmp_path / "pid"
    command = verifier(tmp_path, "forks", f"""
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                with open({str(note)!r}, "w") as file:
                    file.write(f"{{os.getpid()}}\\n")
                time.sleep(600)
            os._exit(0)
        while not os.path.exists({str(note)!r}):
            time.sleep(0.01)
        print("unsat")
        """)  # fmt: skip
    ended = run_child(external_job(command), threading.Event())
    assert (ended.reply["answer"], ended.reply["status"]) == ("unsat", "ok")
    assert end_of(number_in(note))


def test_a_stopped_measurement_leaves_nothing_behind(tmp_path):
    note = tmp_path / "pid"
    body = f"open({str(note)!r}, 'w').write(f'{{os.getpid()}}\\n')\ntime.sleep(600)"
    stopping, found = threading.Event(), []
    command = verifier(tmp_path, "hangs", body)
    thread = threading.Thread(
        target=lambda: found.append(run_child(external_job(command), stopping))
    )
    thread.start()
    process = number_in(note)
    stopping.set()
    thread.join(60)
    assert found[0].ended == "stopped"
    assert end_of(process)


def test_a_child_that_does_not_end_in_time_is_killed(monkeypatch):
    monkeypatch.setattr(watching, "_GRACE_SECONDS", -65.9)
    clauses = [[1, 2], [-1, 2]]
    ended = run_child(job(door="train", clauses=clauses, seconds=60.0), threading.Event())
    assert (ended.ended, ended.reply) == ("time", None)
    assert ended.code == -signal.SIGKILL


def test_a_child_that_holds_too_much_is_killed():
    ended = run_child(job(door="train", memory=2**20), threading.Event())
    assert ended.ended == "memory"
    assert ended.reply is None
    assert ended.peak_bytes > 2**20


def started(*arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "reductions", "scale", *arguments],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ},
    )  # fmt: skip


def children_of(process):
    """Living processes that descend from this one."""
    found, before = {process}, 0
    while before < len(found):
        before = len(found)
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    fields = (entry / "stat").read_text().rpartition(")")[2].split()
                except OSError:
                    continue
                if int(fields[1]) in found:
                    found.add(int(entry.name))
    return found - {process}


def rows_written(folder):
    path = folder / "measurements.csv"
    return path.read_bytes().count(b"\n") - 1 if path.exists() else 0


def wait_for_rows(folder, count, seconds=120.0):
    deadline = time.monotonic() + seconds
    while rows_written(folder) < count:
        assert time.monotonic() < deadline, "no rows came"
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.parametrize("way", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_run_goes_on_and_loses_one_row_at_most(tmp_path, way):
    options = ["--family", "random-3sat", "--sizes", "4:6", "--seeds", "1", "--seed", "8"]
    options += ["--solvers", "cdcl,milp-cnf,decide", "--timeout", "120"]
    whole, folder = tmp_path / "whole", tmp_path / "run"
    assert run(["scale", *options, "-o", str(whole)]) == 0
    for count in (2, 5):
        again = options if count == 2 else ["--resume"]
        process = started(*again, "-o", str(folder))
        wait_for_rows(folder, count)
        left = children_of(process.pid)
        process.send_signal(way)
        process.wait(60)
        assert process.returncode == (-9 if way == signal.SIGKILL else 130)
        assert all(end_of(child) for child in left)
        assert len(rows_of(folder)) >= count
    assert run(["scale", "--resume", "-o", str(folder)]) == 0
    assert verdicts(folder) == verdicts(whole)
    assert len(rows_of(folder)) == 9


def test_an_external_program_ends_with_a_killed_run(tmp_path, formulas):
    note = tmp_path / "pid"
    body = f"open({str(note)!r}, 'w').write(f'{{os.getpid()}}\\n')\ntime.sleep(600)"
    command = verifier(tmp_path, "hangs", body)
    process = started(
        *formulas[:2], "--solvers", "verify-hangs", "--external", command,
        "-o", str(tmp_path / "run"),
    )  # fmt: skip
    program = number_in(note)
    process.kill()
    process.wait(60)
    assert end_of(program)
    assert rows_of(tmp_path / "run") == ()
