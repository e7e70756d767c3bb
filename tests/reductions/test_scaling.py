"""``reductions scale``: plans, resuming, agreement, bad input; no processes are started here."""

import errno
import json
import os
import shlex
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.scaling import decide_here, rows_of, verdicts, verifier

from reductions.cli import run
from reductions.dimacs import read_dimacs
from reductions.families import generate
from reductions.scaling import measuring
from reductions.scaling.doors.door import Allowed
from reductions.scaling.doors.memorization import GradientDescent
from reductions.scaling.doors.registry import DOORS, opened
from reductions.scaling.doors.satisfiability import ClauseLearning
from reductions.scaling.measurement import (
    COLUMNS,
    Measurement,
    MeasurementsFile,
    read_measurements,
)
from reductions.scaling.plan import formula_hash, numbers
from reductions.scaling.run import recorded_plan
from relucert.errors import FileError, UsageError
from relucert.limits import Limits

ALL = ",".join(door.name for door in DOORS)
QUICK = "cdcl,milp-cnf"


@pytest.fixture
def scale(monkeypatch, capsys, tmp_path):
    """Run ``scale`` with doors opened in this process: (exit code, standard error)."""
    monkeypatch.setattr(measuring, "run_child", decide_here)
    monkeypatch.setattr(GradientDescent, "restarts", 1)
    monkeypatch.setattr(GradientDescent, "steps", 50)

    def call(*arguments, folder="run"):
        words = ["scale", *map(str, arguments), "-o", str(tmp_path / folder)]
        code = run(words)
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return code, captured.err

    return call


def row(**changes):
    values = {
        "run_version": "1", "family": "random-3sat", "size": 5, "ratio": 4.26, "seed": 7,
        "formula_sha256": "0" * 64, "door": "cdcl", "solver": "CaDiCaL, 'quoted' \"twice\"",
        "solver_version": "1.9", "answer": "sat", "status": "ok", "wall_seconds": 0.25,
        "cpu_seconds": 0.125, "peak_bytes": 1000, "effort_name": "conflicts", "effort": 3,
        "variables": 5, "clauses": 21, "instance_size": 5, "detail": "", **changes,
    }  # fmt: skip
    return Measurement(**values)


OPTIONS = ("--family", "random-3sat", "--timeout", "120", "--seed", "3")


def test_every_door_agrees_with_enumeration(scale, tmp_path):
    code, _ = scale(*OPTIONS, "--sizes", "3:4", "--ratio", "5", "--seeds", "2", "--solvers", ALL)
    assert code == 0
    rows = rows_of(tmp_path / "run")
    assert len(rows) == len({one.key for one in rows}) == 2 * 2 * len(DOORS)
    plan = recorded_plan(tmp_path / "run")
    truth = {}
    for recipe in plan.recipes:
        formula = plan.formula(recipe)
        found = formula.solve_by_enumeration()
        truth[formula_hash(formula)] = "unsat" if found is None else "sat"
    assert set(truth.values()) == {"sat", "unsat"}
    for one in rows:
        assert one.status == "ok", one
        if one.door != "train" or one.answer != "unknown":
            assert one.answer == truth[one.formula_sha256], one
        assert one.effort is not None
        assert (one.variables, one.clauses) == (one.size, 5 * one.size)


def test_the_same_seed_gives_the_same_answers_and_efforts(scale, tmp_path):
    for folder in ("run", "again"):
        options = (*OPTIONS, "--sizes", "5", "--seeds", "2")
        assert scale(*options, "--solvers", ALL.replace(",train", ""), folder=folder)[0] == 0
    assert verdicts(tmp_path / "run") == verdicts(tmp_path / "again")
    order = [one.key for one in rows_of(tmp_path / "run")]
    assert order == [one.key for one in rows_of(tmp_path / "again")]
    assert order != sorted(order, key=str)


def test_the_plan_is_recorded(scale, tmp_path):
    assert scale(*OPTIONS, "--sizes", "3", "--seeds", "2", "--solvers", QUICK)[0] == 0
    record = json.loads((tmp_path / "run/run.json").read_text())
    assert record["seed"] == 3
    assert record["plan"]["sizes"] == [3]
    assert record["command"].startswith("reductions scale --family random-3sat")
    assert record["doors"]["cdcl"]["version"]
    assert record["machine"]["packages"]["numpy"]
    assert len((tmp_path / "run/plan.csv").read_text().splitlines()) == 1 + 2 * 2


def test_a_formula_is_made_again_from_its_row(scale, tmp_path, capsys):
    assert scale(*OPTIONS, "--sizes", "6", "--seeds", "1", "--solvers", "cdcl")[0] == 0
    (one,) = rows_of(tmp_path / "run")
    output = tmp_path / "f.cnf"
    words = ["-n", one.size, "--ratio", one.ratio, "--seed", one.seed, "-o", output]
    assert run(["generate", "random-3sat", *map(str, words)]) == 0
    capsys.readouterr()
    assert formula_hash(read_dimacs(output)) == one.formula_sha256


def test_an_interrupted_run_goes_on_without_repeating_its_options(scale, tmp_path, monkeypatch):
    options = (*OPTIONS, "--sizes", "3:5", "--seeds", "2", "--solvers", QUICK)
    assert scale(*options, folder="whole")[0] == 0
    made = []

    def interrupted(job, stopping):
        made.append(job)
        if len(made) == 6:
            raise KeyboardInterrupt
        return decide_here(job, stopping)

    monkeypatch.setattr(measuring, "run_child", interrupted)
    code, errors = scale(*options)
    assert code == 130
    assert "--resume" in errors
    assert len(rows_of(tmp_path / "run")) == 5
    monkeypatch.setattr(measuring, "run_child", decide_here)
    code, errors = scale("--resume")
    assert code == 0
    assert "5 of them made already" in errors
    assert verdicts(tmp_path / "run") == verdicts(tmp_path / "whole")
    assert len(rows_of(tmp_path / "run")) == 12


@pytest.mark.parametrize("damage", ["cut", "nonsense", "binary", "cells"])
def test_a_damaged_last_row_is_put_aside_and_measured_again(scale, tmp_path, damage):
    options = (*OPTIONS, "--sizes", "3", "--seeds", "2", "--solvers", QUICK)
    assert scale(*options)[0] == 0
    before = verdicts(tmp_path / "run")
    path = tmp_path / "run/measurements.csv"
    content = path.read_bytes()
    start = content.rstrip(b"\n").rfind(b"\n") + 1
    last = {
        "cut": content[start:-1], "nonsense": b'"never closed\n',
        "binary": bytes(range(128, 200)), "cells": b"1,random-3sat,3\n",
    }[damage]  # fmt: skip
    path.write_bytes(content[:start] + last)
    code, errors = scale("--resume")
    assert code == 0
    assert "line 5" in errors
    assert verdicts(tmp_path / "run") == before
    assert read_measurements(path).rejected == ()
    assert len((tmp_path / "run/measurements.rejected.csv").read_text("utf-8").splitlines()) == 1


def test_a_lie_stops_the_run_and_is_saved(scale, tmp_path, monkeypatch):
    liar = verifier(tmp_path, "liar", "print('unsat')")
    options = (*OPTIONS, "--sizes", "5", "--ratio", "1", "--seeds", "4", "--solvers", "cdcl")
    code, errors = scale(*options, "--external", liar)
    assert code == 1
    assert "disagree" in errors
    assert "verify-liar" in errors
    assert len(rows_of(tmp_path / "run")) < 8
    (place,) = (tmp_path / "run").glob("disagreement-*")
    formula = read_dimacs(place / "formula.cnf")
    assert formula_hash(formula)[:12] == place.name.removeprefix("disagreement-")
    assert {one.answer for one in read_measurements(place / "answers.csv").rows} == {"sat", "unsat"}
    literals = set((place / "assignment-cdcl.txt").read_text().split()[1:-1])
    assert formula.check([str(v) in literals for v in range(1, 6)])
    # The run stays stopped, and the command that was saved shows the disagreement again.
    assert scale("--resume")[0] == 1
    monkeypatch.chdir(place)
    command = (place / "command.txt").read_text()
    assert "--external" in command
    assert run(shlex.split(command)[1:]) == 1


def test_a_claim_without_a_counterexample_is_no_answer_but_compared(scale, tmp_path):
    liar = verifier(tmp_path, "liar", "print('sat')")
    easy = ("--sizes", "5", "--ratio", "1", "--seeds", "1", "--solvers", "cdcl")
    assert scale(*OPTIONS, *easy, "--external", liar, folder="sat")[0] == 0
    (one,) = [one for one in rows_of(tmp_path / "sat") if one.door == "verify-liar"]
    assert (one.answer, one.status) == ("sat", "error")
    hard = ("--sizes", "5", "--ratio", "12", "--seeds", "1", "--solvers", "cdcl")
    assert scale(*OPTIONS, *hard, "--external", liar, folder="unsat")[0] == 1


def test_a_wrong_assignment_is_no_answer(scale, tmp_path, monkeypatch):
    def wrong(job, stopping):
        ended = decide_here(job, stopping)
        return replace(ended, reply={**ended.reply, "assignment": [True] * job["variables"]})

    monkeypatch.setattr(measuring, "run_child", wrong)
    path = tmp_path / "f.cnf"
    path.write_text("p cnf 2 1\n-1 -2 0\n")
    assert scale("--formula", path, "--solvers", "cdcl")[0] == 0
    (one,) = rows_of(tmp_path / "run")
    assert (one.family, one.size, one.status) == ("file", 2, "error")
    assert "does not satisfy" in one.detail


def test_an_unusual_reply_costs_its_row_only(scale, tmp_path, monkeypatch):
    replies = iter([{}, {"answer": "maybe"}, None])
    monkeypatch.setattr(
        measuring, "run_child",
        lambda job, stopping: replace(decide_here(job, stopping), reply=next(replies), code=-11),
    )  # fmt: skip
    assert scale(*OPTIONS, "--sizes", "3", "--seeds", "3", "--solvers", "cdcl")[0] == 0
    rows = rows_of(tmp_path / "run")
    assert [one.status for one in rows] == ["error"] * 3
    assert "signal 11" in rows[-1].detail


def test_a_late_answer_does_not_count(scale, tmp_path, monkeypatch):
    def late(job, stopping):
        ended = decide_here(job, stopping)
        return replace(ended, reply={**ended.reply, "wall_seconds": 121.0})

    monkeypatch.setattr(measuring, "run_child", late)
    assert scale(*OPTIONS, "--sizes", "3", "--seeds", "1", "--solvers", "cdcl")[0] == 0
    (one,) = rows_of(tmp_path / "run")
    assert one.status == "timeout"
    assert one.answer in ("sat", "unsat")


def test_a_solver_that_is_not_installed_is_skipped(scale, tmp_path, monkeypatch):
    monkeypatch.setattr(ClauseLearning, "modules", ("no_such_module_here",))
    options = (*OPTIONS, "--sizes", "3", "--seeds", "1")
    code, errors = scale(*options, "--solvers", QUICK)
    assert code == 0
    assert "skipping cdcl" in errors
    assert [one.door for one in rows_of(tmp_path / "run")] == ["milp-cnf"]
    record = json.loads((tmp_path / "run/run.json").read_text())
    assert "no_such_module_here" in record["doors"]["cdcl"]["skipped"]
    code, errors = scale(*options, "--solvers", "cdcl", folder="none")
    assert code == 2
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--family", "random-3st", "--sizes", "5"), "did you mean random-3sat"),
        (("--family", "random-3sat", "--sizes", "5", "--solvers", "verify-mlip"), "verify-milp"),
        (("--family", "random-3sat", "--sizes", "9:5"), "the range is empty"),
        (("--family", "random-3sat", "--sizes", "5:9:0"), "step"),
        (("--family", "random-3sat", "--sizes", ""), "sizes"),
        (("--family", "random-3sat", "--sizes", "5:nan"), "sizes"),
        (("--family", "random-3sat", "--sizes", "1e30"), "is the largest"),
        (("--family", "random-3sat", "--sizes", "5", "--seeds", "1000000000"), "too many"),
        (("--family", "random-3sat", "--sizes", "5", "--timeout", "nan"), "finite"),
        (("--family", "random-3sat", "--sizes", "5", "--timeout", "inf"), "finite"),
        (("--family", "random-3sat", "--sizes", "5", "--timeout", "-1"), "range"),
        (("--family", "random-3sat", "--sizes", "5", "--memory", "nan"), "finite"),
        (("--family", "random-3sat", "--sizes", "5", "--memory", "1e300"), "range"),
        (("--family", "random-3sat", "--sizes", "1:1e300"), "are the most"),
        (("--family", "random-3sat", "--sizes", "2"), "3 distinct variables"),
        (("--family", "random-3sat", "--sizes", "4.5"), "whole number"),
        (("--family", "random-3sat", "--sizes", "4,4"), "twice"),
        (("--family", "random-3sat", "--sizes", "4", "--ratio", "-1"), "negative"),
        (("--family", "random-3sat"), "--sizes is missing"),
        (("--family", "pigeonhole", "--sizes", "3", "--ratio", "2"), "no ratio"),
        (("--family", "random-3sat", "--sizes", "5", "--parameter", "q=1"), "'q'"),
        (("--family", "random-3sat", "--sizes", "5", "--solvers", ","), "empty"),
        (("--family", "random-3sat", "--sizes", "5", "--external", "x=no-program-here {onnx} "
          "{vnnlib}"), "no-program-here"),
        (("--formula", "missing.cnf"), "missing.cnf"),
        (("--formula", "missing.cnf", "--family", "random-3sat"), "instead of"),
        ((), "what is to be measured"),
    ],
)  # fmt: skip
def test_bad_input_is_one_clear_line(scale, tmp_path, arguments, words):
    code, errors = scale(*arguments)
    assert code == 2
    assert words in errors
    assert errors.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_another_run_is_left_alone(scale, tmp_path):
    options = (*OPTIONS, "--sizes", "3", "--seeds", "1", "--solvers", "cdcl")
    assert scale(*options)[0] == 0
    before = (tmp_path / "run/measurements.csv").read_bytes()
    for arguments, words in (
        (options, "--resume"),
        (("--resume", "--timeout", "3"), "seconds 120.0, not 3.0"),
        (("--resume", "--sizes", "3:4"), "sizes"),
        (("--resume", "--solvers", "milp-cnf"), "doors"),
    ):
        code, errors = scale(*arguments)
        assert code == 2
        assert words in errors
    path = tmp_path / "run/run.json"
    record = json.loads(path.read_text())
    for changed in ({"run_version": "0"}, {"relucert": "0.0.1"}, {"plan": {}}, {"plan": 3}):
        path.write_text(json.dumps({**record, **changed}))
        code, errors = scale("--resume")
        assert code == 2
        assert "run.json" in errors
    path.write_text("{")
    assert scale("--resume")[0] == 2
    assert (tmp_path / "run/measurements.csv").read_bytes() == before
    (tmp_path / "other").mkdir()
    (tmp_path / "other/mine.txt").write_text("mine")
    assert scale(*options, folder="other")[0] == 2


def test_a_full_disk_is_one_line_and_leaves_whole_rows(scale, tmp_path, monkeypatch):
    ordinary, calls = os.write, []

    def full(handle, data):
        if data.startswith(b"1,random-3sat"):
            calls.append(data)
            if len(calls) == 3:
                ordinary(handle, data[: len(data) // 2])
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return ordinary(handle, data)

    monkeypatch.setattr(os, "write", full)
    options = (*OPTIONS, "--sizes", "3", "--seeds", "3", "--solvers", QUICK)
    code, errors = scale(*options)
    assert code == 2
    assert "No space left on device" in errors.splitlines()[-1]
    read = read_measurements(tmp_path / "run/measurements.csv")
    assert (len(read.rows), read.rejected) == (2, ())
    monkeypatch.setattr(os, "write", ordinary)
    assert scale("--resume")[0] == 0
    assert len(rows_of(tmp_path / "run")) == 6


def test_families_without_seeds_have_one_formula_a_size(scale, tmp_path):
    options = ("--family", "pigeonhole", "--sizes", "3:5", "--parameter", "holes=3")
    assert scale(*options, "--solvers", QUICK, "--timeout", "20")[0] == 0
    rows = rows_of(tmp_path / "run")
    assert {(one.size, one.answer) for one in rows} == {(3, "sat"), (4, "unsat"), (5, "unsat")}
    assert len(rows) == 6
    assert all(one.seed is None and one.ratio is None for one in rows)


def test_one_process_writes_at_a_time(tmp_path):
    path = tmp_path / "measurements.csv"
    with MeasurementsFile(path) as file:
        file.append(row())
        with pytest.raises(FileError, match="another process"):
            MeasurementsFile(path)
    assert read_measurements(path).rows == (row(),)


cells = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=30)


@given(
    detail=cells,
    seed=st.none() | st.integers(0, 2**32),
    ratio=st.none() | st.floats(0, 1e6),
    wall=st.floats(0, 1e9),
)
def test_a_row_is_a_line_and_is_read_as_it_was(tmp_path_factory, detail, seed, ratio, wall):
    written = row(detail=detail, seed=seed, ratio=ratio, wall_seconds=wall)
    path = tmp_path_factory.mktemp("rows") / "m.csv"
    path.write_text(",".join(COLUMNS) + "\n" + written.line, encoding="utf-8")
    (read,) = read_measurements(path).rows
    assert read == replace(written, detail=" ".join(detail.split()))


def test_a_file_of_another_layout_is_refused(tmp_path):
    path = tmp_path / "m.csv"
    path.write_text("family,size\n")
    with pytest.raises(FileError, match="columns"):
        read_measurements(path)
    path.write_text(",".join(COLUMNS) + "\n" + row(run_version="2").line)
    with pytest.raises(FileError, match="run version 2"):
        read_measurements(path)


def test_ranges_include_their_last_number():
    assert numbers("5:40:5", "sizes") == tuple(map(float, range(5, 41, 5)))
    assert numbers("2:8:0.5", "ratio")[-1] == 8.0
    assert numbers("0.1:0.3:0.1", "ratio") == (0.1, 0.2, 0.3)
    assert numbers("4,6:7", "sizes") == (4.0, 6.0, 7.0)


def test_doors_are_found_by_name():
    assert list(opened(["decide", "cdcl"], [])) == ["decide", "cdcl"]
    with pytest.raises(UsageError, match="did you mean decide"):
        opened(["decid"], [])


def test_work_is_counted_across_the_limits_made_from_one_another():
    limits = Limits(10.0)
    limits.within(5.0).within(1.0).work.nodes += 3
    assert limits.work.nodes == 3
    assert Limits(10.0).work.nodes == 0


def test_doors_count_what_they_did():
    formula = generate("random-3sat", {"n": 6, "ratio": 8.0}, 1).formula
    assert formula.solve_by_enumeration() is None
    for door in DOORS:
        if door.name in ("train", "decide-milp", "milp-cnf"):
            continue
        found = door.decide(formula, Allowed(30.0, 4e9, 1))
        assert (found.answer, found.status) == ("unsat", "ok")
        assert found.effort > 0, door.name
        assert found.instance_size > 0


def test_a_folder_that_cannot_be_written_is_one_line(scale, tmp_path):
    (tmp_path / "run").write_text("a file")
    code, errors = scale(*OPTIONS, "--sizes", "3", "--solvers", "cdcl")
    assert code == 2
    assert errors.count("\n") == 1


def test_a_curve_over_the_ratio_is_measured_beside_the_sizes(scale, tmp_path):
    options = ("--sizes", "3:4", "--ratio", "3", "--seeds", "2", "--solvers", "cdcl")
    curve = ("--curve-size", "4", "--curve-ratio", "2:4:1", "--curve-seeds", "3")
    assert scale(*OPTIONS, *options, *curve)[0] == 0
    counts = Counter((one.size, one.ratio) for one in rows_of(tmp_path / "run"))
    assert counts == {(3, 3.0): 2, (4, 3.0): 2, (4, 2.0): 3, (4, 4.0): 3}
    before = verdicts(tmp_path / "run")
    assert scale("--resume")[0] == 0
    assert verdicts(tmp_path / "run") == before
    assert scale(*OPTIONS, *options, "--curve-size", "4", folder="half")[0] == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_device_that_takes_nothing_is_one_line(tmp_path):
    """A failed write used to be followed by a failing cut."""
    path = tmp_path / "measurements.csv"
    path.symlink_to("/dev/full")
    with pytest.raises(FileError, match=r"measurements\.csv"):
        MeasurementsFile(path)


def test_several_at_once_give_the_same_answers(scale, tmp_path):
    options = (*OPTIONS, "--sizes", "3:6", "--seeds", "2", "--solvers", QUICK)
    assert scale(*options)[0] == 0
    assert scale(*options, "--jobs", "3", folder="together")[0] == 0
    assert verdicts(tmp_path / "together") == verdicts(tmp_path / "run")


def test_no_process_is_one_line_and_the_run_goes_on_later(scale, tmp_path, monkeypatch):
    def refused(job, stopping):
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(measuring, "run_child", refused)
    code, errors = scale(*OPTIONS, "--sizes", "3", "--seeds", "1", "--solvers", "cdcl")
    assert code == 2
    assert "cannot be started" in errors
    monkeypatch.setattr(measuring, "run_child", decide_here)
    assert scale("--resume")[0] == 0
    assert len(rows_of(tmp_path / "run")) == 1


@pytest.mark.parametrize(
    ("name", "value"), [("seconds", "soon"), ("formulas", "x"), ("sizes", ["a"]), ("doors", [1])]
)
def test_a_plan_that_was_written_over_is_refused_in_one_line(scale, tmp_path, name, value):
    assert scale(*OPTIONS, "--sizes", "3", "--seeds", "1", "--solvers", "cdcl")[0] == 0
    path = tmp_path / "run/run.json"
    record = json.loads(path.read_text())
    record["plan"][name] = value
    path.write_text(json.dumps(record))
    code, errors = scale("--resume")
    assert code == 2
    assert "its plan is not one of this version" in errors
