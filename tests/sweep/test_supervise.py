"""A worker that hangs, eats memory, dies, lies or forks costs its item, and nothing else."""

import os
import threading
import time
from fractions import Fraction
from pathlib import Path

import pytest
from support.sweep_workers import fake, poisoned

from relucert.errors import InputError, SolverError
from relucert.query import Decision
from relucert.sweep import child as child_module
from relucert.sweep.child import Stopped, allow_children, reap_children, stop_children
from relucert.sweep.items import DataFile, Item, NetworkFile, make_plan
from relucert.sweep.settings import Settings
from relucert.sweep.supervise import Orders, run_chunk

DIGITS = Path(__file__).parents[2] / "instances/digits"
MIB = 2**20


@pytest.fixture(autouse=True)
def _no_child_left():
    allow_children()
    yield
    stop_children()
    reap_children()
    allow_children()
    assert not child_module._children


def items(count):
    network = NetworkFile("net", "net.onnx", "0", Decision("argmax", 2), 1)
    data = DataFile("points.npz", "1", None)
    return [Item(network, data, row, 0, "0.1", None) for row in range(count)]


def results(command, timeout=30.0, memory=300.0 * MIB):
    settings = Settings(timeout=timeout, memory=memory)
    return run_chunk(Orders(settings, command, chunk_seconds=60.0), items(3))


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(
    ("fault", "how", "detail"),
    [
        ("say({'begun': request['number']}); time.sleep(1000)", "time", "killed from outside"),
        ("os._exit(3)", "solver", "exit code 3"),
        ("print('ouch', file=sys.stderr); os.abort()", "solver", "signal 6: ouch"),
        ("os.kill(os.getpid(), 9)", "memory", "signal 9"),
        ("print('terminate called: std::bad_alloc', file=sys.stderr); os.abort()", "memory", "bad"),
        ("print('hello', flush=True)", "solver", "answered b'hello'"),
        ("print('[1]', flush=True)", "solver", "answered b'[1]'"),
        ("say({'number': request['number']})", "solver", "answered {'number'"),
        ("say({'number': 77, 'verdict': 'proved'})", "solver", "answered {'number': 77"),
        ("os.close(1); time.sleep(1000)", "solver", "closed its output"),
    ],
)
def test_a_fault_costs_its_item(fault, how, detail):
    if "sleep" in fault and "begun" in fault:
        first, second, third = results(fake(fault), timeout=0.5)
    else:
        first, second, third = results(fake(fault))
    assert (first.verdict, third.verdict) == ("proved", "proved")
    assert (second.verdict, second.how) == ("unknown", how)
    assert detail in second.detail


def test_a_verdict_without_its_evidence_is_nonsense():
    lie = (
        "say({'number': request['number'], 'verdict': 'violated', 'how': '', 'seconds': 0.1, "
        "'resident': 1, 'detail': '', 'witness': []})"
    )
    _, second, _ = results(fake(lie))
    assert (second.verdict, second.how) == ("unknown", "solver")


def test_memory_is_watched_over_all_that_the_worker_starts():
    fault = (
        "say({'begun': request['number']}); subprocess.run([sys.executable, '-c', "
        "'x = bytearray(500 * 2**20); import time; time.sleep(1000)'], start_new_session=True)"
    )
    first, second, third = results(fake(fault))
    assert (first.verdict, third.verdict) == ("proved", "proved")
    assert (second.verdict, second.how) == ("unknown", "memory")
    assert second.peak_bytes > 300 * MIB


def test_all_that_a_killed_worker_started_is_killed(tmp_path):
    note = tmp_path / "pid"
    fault = (
        "say({'begun': request['number']}); p = subprocess.Popen([sys.executable, '-c', "
        f"'import time; time.sleep(1000)'], start_new_session=True); "
        f"open({str(note)!r}, 'w').write(str(p.pid)); time.sleep(1000)"
    )
    _, second, _ = results(fake(fault), timeout=0.5)
    assert second.how == "time"
    deadline = time.monotonic() + 5.0
    while alive(int(note.read_text())) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(int(note.read_text()))


def test_what_an_item_leaves_behind_does_not_burden_the_next():
    """Each row keeps 150 MiB: with 400 MiB a worker that was kept would fail at the third."""
    hoard = """
        say({"begun": request["number"], "resident": 10 * 2**20})
        held = globals().setdefault("held", []); held.append(bytearray(150 * 2**20))
        time.sleep(0.4)
        say({"number": request["number"], "verdict": "proved", "how": "bounds", "seconds": 0.4,
             "resident": 160 * 2**20, "detail": "", "witness": []})
        continue
    """.strip()
    command = fake(hoard, bad='request["row"]')
    rows = results(command, memory=400.0 * MIB)
    assert [row.verdict for row in rows] == ["proved"] * 3
    assert all(150 * MIB < row.peak_bytes < 300 * MIB for row in rows)


def test_one_death_is_forgiven(tmp_path):
    mark = tmp_path / "died"
    fault = f"if not os.path.exists({str(mark)!r}): open({str(mark)!r}, 'w'); os._exit(1)"
    assert [row.verdict for row in results(fake(fault))] == ["proved"] * 3
    assert mark.exists()


def test_a_worker_that_floods_standard_error_goes_on():
    flood = "[os.write(2, b'x' * 2**20) for _ in range(30)]; time.sleep(0.5)"
    assert [row.verdict for row in results(fake(flood))] == ["proved"] * 3


@pytest.mark.parametrize("command", [("/nonexistent/program",), ("/bin/false",), ("/bin/echo",)])
def test_a_worker_that_does_not_start_ends_the_sweep(command):
    with pytest.raises(SolverError, match=r"cannot be started|does not start"):
        results(command)


def test_files_that_changed_end_the_sweep():
    fault = "say({'number': request['number'], 'error': 'net.onnx: has other content'})"
    with pytest.raises(InputError, match="has other content"):
        results(fake(fault))


def test_another_version_of_relucert_is_refused():
    with pytest.raises(InputError, match="install the same"):
        run_chunk(Orders(Settings(), version="0.0.1"), items(1))


def test_a_chunk_ends_after_its_time():
    slow = fake("pass", bad=-1)
    assert len(run_chunk(Orders(Settings(), slow, chunk_seconds=0.0), items(3))) == 1


def test_stopping_ends_the_item_at_hand():
    caught = []

    def work():
        try:
            results(fake("time.sleep(1000)", bad=0))
        except Stopped as stop:
            caught.append(stop)

    thread = threading.Thread(target=work)
    thread.start()
    while not child_module._children:
        time.sleep(0.01)
    time.sleep(0.3)
    started = time.monotonic()
    stop_children()
    thread.join(10.0)
    assert len(caught) == 1
    assert time.monotonic() - started < 5.0


def digit_items():
    plan = make_plan(
        [DIGITS / "dense_16x2.onnx"], DIGITS / "test_points.npz", ["0.01"], selection="0-3",
        label_column=None, decision="auto", clip=(Fraction(0), Fraction(1)),
    )  # fmt: skip
    return plan.items()


@pytest.mark.parametrize(
    ("fault", "how"),
    [
        # Holding the interpreter's lock, so that no thread of the worker can act.
        ("ctypes.PyDLL(None).sleep(1000)", "time"),
        ("hoard = [bytearray(64 * 2**20) for _ in range(10**6)]", "memory"),
    ],
)
def test_the_real_worker_poisoned(fault, how):
    settings = Settings(timeout=1.0, memory=400.0 * MIB, seed=5)
    good = run_chunk(Orders(settings, chunk_seconds=60.0), digit_items())
    bad = run_chunk(Orders(settings, poisoned(fault), chunk_seconds=60.0), digit_items())
    assert [row.verdict for row in good] == ["proved"] * 4
    assert (bad[1].verdict, bad[1].how) == ("unknown", how)
    for place in (0, 2, 3):
        assert (bad[place].verdict, bad[place].how) == (good[place].verdict, good[place].how)


def test_workers_end_with_the_thread_that_started_them():
    pids = []

    def work():
        run_chunk(Orders(Settings(), fake("pass"), chunk_seconds=0.0), items(1))
        pids.extend(one.process.pid for one in child_module._children)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert len(pids) == 1
    assert os.getpgid(pids[0]) == pids[0]  # a session of its own: Ctrl-C does not reach it
