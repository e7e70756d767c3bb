"""The results file survives a run that is killed at any moment."""

import os

import numpy as np
import pytest

from relucert.bench import BenchOptions, Instance, Measurement, run_bench
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


def test_two_runs_cannot_share_a_file(tmp_path):
    absolute = Network.dense(
        [np.array([[1.0], [-1.0]]), np.array([[1.0, 1.0]])], [np.zeros(2), np.zeros(1)]
    )
    write_onnx(absolute, tmp_path / "net.onnx", "float32")
    (tmp_path / "p.vnnlib").write_text(PROPERTY)
    item = Instance("abs", "net.onnx", "p.vnnlib", 9.0, "", tmp_path)
    path = tmp_path / "rows.csv"
    with locked(path), pytest.raises(UsageError, match="another relucert writes"):
        run_bench([item], BenchOptions(), path)
    assert [row.verdict for row in run_bench([item], BenchOptions(), path)] == ["proved"]
    assert not (tmp_path / ".rows.csv.lock").exists()
