"""The results file survives a run that is killed at any moment."""

import multiprocessing
import os
import threading
import time

import numpy as np
import pytest

from relucert.bench import BenchOptions, Instance, Measurement, read_list, run_bench
from relucert.bench.own import _watched
from relucert.bench.results import append, locked, resume
from relucert.errors import FileError, UsageError
from relucert.network import Network
from relucert.write.onnx import write_onnx

ROWS = [
    Measurement("f", "net.onnx", f"{n}.vnnlib", "", "proved", "bounds", "solved", 0.5, detail)
    for n, detail in enumerate(["", 'said "no", then\nnothing', "ü, \u2028 done"])
]
PROPERTY = (
    "(declare-const X_0 Real)(declare-const Y_0 Real)(assert (>= X_0 -1))(assert (<= X_0 1))"
    "(assert (>= Y_0 2))"
)


def test_rows_read_back_one_line_each(tmp_path):
    path = tmp_path / "rows.csv"
    for row in ROWS:
        append(path, row)
    assert [row.key for row in resume(path)] == [row.key for row in ROWS]
    assert resume(path)[1].detail == 'said "no", then nothing'
    assert path.read_bytes().count(b"\n") == 1 + len(ROWS)


def test_cut_at_every_byte_only_whole_rows_count(tmp_path):
    path = tmp_path / "rows.csv"
    for row in ROWS:
        append(path, row)
    whole = path.read_bytes()
    ends = [index + 1 for index, byte in enumerate(whole) if byte == ord("\n")]
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        found = resume(path)  # also where a letter of several bytes is cut
        count = max(0, sum(end <= cut for end in ends) - 1)
        assert [row.key for row in found] == [row.key for row in ROWS[:count]], cut
        for row in ROWS[count:]:
            append(path, row)
        assert path.read_bytes() == whole, cut


@pytest.mark.parametrize("text", ["something else", "something else\nmore\n", "family;x"])
def test_other_files_are_not_touched(tmp_path, text):
    path = tmp_path / "rows.csv"
    path.write_text(text)
    with pytest.raises(FileError, match="not a results file"):
        resume(path)
    assert path.read_text() == text


def test_a_full_disk_leaves_no_half_row(tmp_path, monkeypatch):
    path = tmp_path / "rows.csv"
    append(path, ROWS[0])
    before = path.read_bytes()
    real = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: real(handle, data[: len(data) // 2]))
    with pytest.raises(FileError, match="disk full"):
        append(path, ROWS[1])
    assert path.read_bytes() == before


def absolute_value(folder, slope=1.0):
    """One instance about |slope x|, with its files."""
    network = Network.dense(
        [np.array([[slope], [-slope]]), np.array([[1.0, 1.0]])], [np.zeros(2), np.zeros(1)]
    )
    write_onnx(network, folder / "net.onnx", "float32")
    (folder / "p.vnnlib").write_text(PROPERTY)
    return Instance("abs", "net.onnx", "p.vnnlib", 9.0, "", folder)


def test_two_runs_cannot_share_a_file(tmp_path):
    item = absolute_value(tmp_path)
    path = tmp_path / "rows.csv"
    with locked(path), pytest.raises(UsageError, match="another relucert writes"):
        run_bench([item], BenchOptions(), path)
    assert [row.verdict for row in run_bench([item], BenchOptions(), path)] == ["proved"]
    assert not (tmp_path / ".rows.csv.lock").exists()


def test_a_row_about_other_files_or_settings_is_not_taken(tmp_path):
    """With slope 3 the property no longer holds: the old row says that it is proved."""
    item, path = absolute_value(tmp_path), tmp_path / "rows.csv"
    first = run_bench([item], BenchOptions(), path)
    before = path.read_bytes()
    assert run_bench([item], BenchOptions(seed=7, jobs=2, memory=2.0**33), path) == first
    for other in (BenchOptions("bounds"), BenchOptions(timeout=3.0), BenchOptions(check=False)):
        with pytest.raises(FileError, match="other settings"):
            run_bench([item], other, path)
    absolute_value(tmp_path, slope=3.0)
    with pytest.raises(FileError, match="other contents"):
        run_bench([item], BenchOptions(), path)
    assert path.read_bytes() == before
    assert [row.verdict for row in run_bench([item], BenchOptions(), None)] == ["violated"]


def test_an_instance_that_is_listed_twice_is_refused(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text(
        "family,network,property\na,n.onnx,p.vnnlib\na,n.onnx,q.vnnlib\nb,n.onnx,p.vnnlib\n"
    )
    with pytest.raises(FileError, match="line 4: the same network and property as line 2"):
        read_list(path)


def grow(sender):
    """Takes 300 MiB and never answers."""
    held = np.ones(300 * 2**17)
    while held[0]:
        time.sleep(1.0)


def test_a_child_that_takes_too_much_memory_is_found_out(tmp_path):
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=grow, args=(sender,), daemon=True)
    process.start()
    try:
        item = Instance("f", "n", "q", 60.0, "", tmp_path)
        options, stopping = BenchOptions(memory=2.0**27), threading.Event()
        verdict, how, detail, seconds = _watched(process, receiver, item, options, stopping)
    finally:
        process.kill()
        process.join()
    assert (verdict, how) == ("unknown", "memory")
    assert "over the memory limit" in detail
    assert seconds < 60.0
