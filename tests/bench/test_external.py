"""Other verifiers beside relucert: scripts that answer rightly, lie, crash, hang and fork."""

import csv
import json
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from relucert.bench import (
    BenchOptions,
    Instance,
    Measurement,
    disagreements,
    judged,
    parse_peers,
    run_bench,
)
from relucert.bench.answers import parse_answer
from relucert.bench.processes import run_watched
from relucert.cli import main
from relucert.errors import FileError, UsageError
from relucert.network import Network
from relucert.write.onnx import write_onnx

# |x| <= 1 on [-1, 1]: "holds" asks for |x| >= 2, "fails" for |x| >= 1/2.
PROPERTY = (
    "(declare-const X_0 Real)(declare-const Y_0 Real)(assert (>= X_0 -1))(assert (<= X_0 1))"
    "(assert (>= Y_0 {}))"
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    absolute = Network.dense(
        [np.array([[1.0], [-1.0]]), np.array([[1.0, 1.0]])], [np.zeros(2), np.zeros(1)]
    )
    write_onnx(absolute, "net.onnx", "float32")
    Path("holds.vnnlib").write_text(PROPERTY.format(2))
    Path("fails.vnnlib").write_text(PROPERTY.format("0.5"))
    return tmp_path


def peer(name, body):
    """A fake verifier: ``onnx``, ``vnnlib``, ``rest`` are its arguments."""
    script = Path(f"{name}.py")
    start = "import os, sys, time, subprocess\nonnx, vnnlib, *rest = sys.argv[1:]\n"
    script.write_text(start + textwrap.dedent(body))
    return f"{name}={sys.executable} -S {script} {{onnx}} {{vnnlib}}"


def instance(query, expected="", timeout=4.0, family="abs"):
    return Instance(family, "net.onnx", query, timeout, expected, Path.cwd())


def answers(texts, *items, **options):
    rows = run_bench(items, BenchOptions(grace=0.5, **options), None, None, parse_peers(texts))
    return {(row.tool, row.query.split(".")[0]): row for row in judged(rows)}


RIGHT = """
if "fails" in vnnlib:
    print("sat\\n((X_0 0.75)\\n (Y_0 0.75))")
else:
    print("unsat")
"""


def test_right_answers_are_solved_and_the_counterexample_confirmed(folder):
    found = answers(
        [peer("right", RIGHT)], instance("holds.vnnlib", "proved", 20.0), instance("fails.vnnlib")
    )
    assert {row.status for row in found.values()} == {"solved"}
    assert found["right", "fails"].how == "confirmed"
    assert found["right", "holds"].verdict == "proved"
    assert found["relucert", "fails"].how == "confirmed"
    assert found["relucert", "holds"].cpu_seconds > 0
    assert disagreements(found.values()) == []


@pytest.mark.parametrize(
    ("body", "verdict", "how", "status"),
    [
        ("sys.exit('out of luck')", "error", "crashed", "error"),
        ("os.kill(os.getpid(), 11)", "error", "crashed", "error"),
        ("print('error')", "error", "", "error"),
        ("print('satisfied unsatisfied')", "error", "no answer", "error"),
        ("print('sat'); print('unsat')", "error", "says both sat and unsat", "error"),
        ("print('timeout')", "unknown", "time", "unsolved"),
        ("print('log: sat?\\nResult: UNSAT')", "proved", "", "solved"),
        ("print('holds\\r')", "proved", "", "solved"),
        ("print('sat')", "violated", "no counterexample", "unconfirmed"),
        ("print('sat ((X_0 0.25) (Y_0 9))')", "violated", "not confirmed", "unconfirmed"),
        ("print('sat\\n((X_0 0.5) (X_1 1))')", "violated", "not confirmed", "unconfirmed"),
        ("print('sat\\n((X_0 zwei))')", "violated", "not checked", "unconfirmed"),
        ("print('violated\\nX = \\n(X_0 (- 1.00001)) done')", "violated", "confirmed", "WRONG"),
    ],
)
def test_one_row_each(folder, body, verdict, how, status):
    # Where the counterexample is real the expected answer is the one that is wrong.
    expected = "proved" if how == "confirmed" else ""
    query = "fails.vnnlib" if verdict == "violated" else "holds.vnnlib"
    found = rows_of(peer("odd", body), instance(query, expected))
    assert (found.verdict, found.how, found.status) == (verdict, how, status)


def rows_of(text, item):
    """The peer's own row, without relucert's beside."""
    from relucert.bench.external import measure_in_turn

    (row,) = measure_in_turn(item, parse_peers([text]), BenchOptions(grace=0.5), threading.Event())
    return row


HANGS = "print('unsat', flush=True); time.sleep(60)"
FORKS = """
child = [sys.executable, "-S", "-c", "import time; time.sleep(61.25)"]
subprocess.Popen(child, start_new_session=True)
subprocess.Popen(child)
if "wait" in vnnlib:
    time.sleep(60)
print("unsat")
"""


def test_an_answer_before_a_hang_comes_too_late_to_count(folder):
    found = rows_of(peer("hangs", HANGS), instance("holds.vnnlib", timeout=0.5))
    assert (found.status, found.verdict) == ("unsolved", "proved")
    assert 0.9 < found.seconds < 5


def test_a_silent_hang_is_killed(folder):
    found = rows_of(peer("hangs", "time.sleep(60)"), instance("holds.vnnlib", timeout=0.3))
    assert (found.status, found.how) == ("unsolved", "time")
    assert found.seconds < 5


def _sleepers():
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if b"sleep(61.25)" in entry.read_bytes():
                found.append(entry)
        except OSError:
            continue
    return found


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
@pytest.mark.parametrize("query", ["holds.vnnlib", "wait.vnnlib"])
def test_children_that_stay_behind_are_killed_too(folder, query):
    Path("wait.vnnlib").write_text(PROPERTY.format(2))
    found = rows_of(peer("forks", FORKS), instance(query, timeout=1.0))
    assert found.verdict == ("proved" if query == "holds.vnnlib" else "unknown")
    deadline = time.monotonic() + 5
    while _sleepers() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert _sleepers() == []


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
def test_too_much_memory_of_a_child_is_killed(folder):
    body = "import time; x = bytearray(300 << 20); time.sleep(30)"
    arguments = [sys.executable, "-S", "-c", f"import subprocess, sys; "
                 f"subprocess.run([sys.executable, '-S', '-c', {body!r}])"]  # fmt: skip
    run = run_watched(arguments, 20.0, 200 * 2**20, threading.Event(), folder)
    assert run.ended == "memory"
    assert run.seconds < 10


def test_a_flood_of_output_is_killed(folder):
    arguments = [sys.executable, "-S", "-c", "while True: print('sat' * 1000)"]
    run = run_watched(arguments, 20.0, float("inf"), threading.Event(), folder)
    assert run.ended == "output"


def test_a_program_that_is_no_program(folder):
    Path("tool").write_bytes(b"\x7fELF nonsense")
    Path("tool").chmod(0o755)
    found = rows_of(f"odd={folder}/tool {{onnx}} {{vnnlib}}", instance("holds.vnnlib"))
    assert (found.how, found.status) == ("crashed", "error")
    assert "did not start" in found.detail


def test_a_result_file_and_the_time_limit_are_handed_over(folder):
    text = peer("writes", "open(rest[0], 'w').write('unsat' if rest[1] == '4' else 'error')")
    row = rows_of(text + " {result} {timeout}", instance("holds.vnnlib"))
    assert row.verdict == "proved"


def test_compressed_files_are_handed_over_plain(folder):
    import gzip

    for name in ("net.onnx", "fails.vnnlib"):
        Path(f"{name}.gz").write_bytes(gzip.compress(Path(name).read_bytes()))
    body = "print('unsat' if open(vnnlib).read(8) == '(declare' and onnx[-5:] == '.onnx' else 0)"
    item = Instance("a", "net.onnx.gz", "fails.vnnlib.gz", 1.0, "", folder)
    assert rows_of(peer("reads", body), item).verdict == "proved"


def test_lies_are_reported_and_cost_only_the_liar(folder, capsys):
    lines = ["family,network,property,timeout_s,expected", "a,net.onnx,holds.vnnlib,20,",
             "a,net.onnx,fails.vnnlib,20,"]  # fmt: skip
    Path("list.csv").write_text("\n".join(lines) + "\n")
    says_sat = peer("says_sat", "print('sat\\n((X_0 0.1) (Y_0 5))')")
    says_unsat = peer("says_unsat", "print('unsat')")
    with pytest.raises(SystemExit) as stop:
        main(["bench", "list.csv", "--external", says_sat, "--external", says_unsat,
              "--results", "rows.csv", "--json"])  # fmt: skip
    assert stop.value.code == 0
    captured = capsys.readouterr()
    assert captured.err.count("disagree: ") == 2
    record = json.loads(captured.out)
    status = {(row["tool"], row["query"]): row["status"] for row in record["rows"]}
    assert status == {
        ("relucert", "holds.vnnlib"): "solved",
        ("relucert", "fails.vnnlib"): "solved",
        ("says_sat", "holds.vnnlib"): "unconfirmed",
        # relucert's own counterexample shows that the answer was right, if not the point.
        ("says_sat", "fails.vnnlib"): "solved",
        ("says_unsat", "holds.vnnlib"): "solved",
        ("says_unsat", "fails.vnnlib"): "WRONG",
    }
    assert not any(one["against_relucert"] for one in record["disagreements"])
    with Path("rows.csv").open(newline="") as file:
        tools = [row["tool"] for row in csv.DictReader(file)]
    # Who goes first changes from instance to instance.
    assert tools == ["relucert", "says_sat", "says_unsat", "says_sat", "says_unsat", "relucert"]


def test_a_checked_counterexample_against_relucert_is_an_alarm(folder):
    rows = [
        Measurement("a", "n", "q", "", "proved", "bounds", "solved", 1.0, "", "relucert", 1.0),
        Measurement("a", "n", "q", "", "violated", "confirmed", "solved", 1.0, "", "other", 1.0),
    ]
    (found,) = disagreements(rows)
    assert found.against_relucert
    assert [row.status for row in judged(rows)] == ["WRONG", "solved"]
    unchecked = [rows[0], Measurement(*([*vars(rows[1]).values()][:5]), "no counterexample",
                                      "unconfirmed", 1.0, "", "other", 1.0)]  # fmt: skip
    (found,) = disagreements(unchecked)
    assert not found.against_relucert


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("no name {onnx} {vnnlib}", "write it as"),
        ("=true {onnx} {vnnlib}", "write it as"),
        ("a=", "no command"),
        ("a=true {onnx} {vnnlib} {time}", "unknown placeholder {time}"),
        ("a=true {onnx}", "no placeholder {vnnlib}"),
        ("a=no-such-verifier {onnx} {vnnlib}", "no program 'no-such-verifier'"),
        ("a=true '{onnx} {vnnlib}", "quot"),
        ("relucert=true {onnx} {vnnlib}", "is taken"),
        ("same=true {onnx} {vnnlib}", "is taken"),
    ],
)
def test_a_command_that_cannot_be_is_refused_in_one_line(text, words):
    with pytest.raises(UsageError, match="--external") as error:
        parse_peers(["same=true {onnx} {vnnlib}", text])
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_a_list_without_limits_needs_one(folder):
    with pytest.raises(UsageError, match="--timeout"):
        answers([peer("right", RIGHT)], instance("holds.vnnlib", timeout=float("inf")))


def test_rows_on_different_clocks_are_not_mixed(folder):
    Path("old.csv").write_text(
        "family,network,property,expected,verdict,how,status,seconds,detail\n"
        "abs,net.onnx,holds.vnnlib,,proved,bounds,solved,0.001,\n"
    )
    item = instance("holds.vnnlib", timeout=5.0)
    # An old file goes on as relucert's.
    (row,) = run_bench([item], BenchOptions(), Path("old.csv"))
    assert (row.tool, row.seconds) == ("relucert", 0.001)
    assert Path("old.csv").read_text().splitlines()[0].endswith(",tool,cpu_seconds,digest")
    with pytest.raises(FileError, match="timed without other tools"):
        run_bench([item], BenchOptions(), Path("old.csv"), None, parse_peers([peer("r", RIGHT)]))


def test_a_second_run_goes_on_where_the_first_ended(folder):
    items = [instance("holds.vnnlib", timeout=5.0), instance("fails.vnnlib", timeout=5.0)]
    count = "open('calls', 'a').write('x')\n" + RIGHT
    peers = parse_peers([peer("right", count)])
    run_bench(items[:1], BenchOptions(), Path("r.csv"), None, peers)
    rows = run_bench(items, BenchOptions(), Path("r.csv"), None, peers)
    assert len(rows) == 4
    assert Path("calls").read_text() == "xx"


@pytest.mark.parametrize(
    "text",
    ["could not show unsat\n", "not unsat", "unsat? maybe sat\n", "isunsat\n", "error: x unsat\n"],
)
def test_a_word_at_the_end_of_a_sentence_is_no_answer(text):
    assert parse_answer(text) is None


@pytest.mark.parametrize(
    "text",
    ["unsat", "  UNSAT \n", "Result: unsat\n", "verdict:unsat", "status = unsat", "9%\runsat"],
)
def test_a_line_of_its_own_is_an_answer(text):
    answer = parse_answer(f"reading\n{text}")
    assert answer is not None
    assert answer.verdict == "proved"
