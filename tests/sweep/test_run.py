"""The loop over any executor: chunks, losses, poisoned items, errors that end the sweep."""

import random
from concurrent.futures import CancelledError, Executor, Future
from fractions import Fraction
from pathlib import Path

import pytest
from support.sweep_workers import fake, poisoned

from relucert.errors import InputError, SolverError
from relucert.sweep.executors import Engine, opened
from relucert.sweep.items import make_plan
from relucert.sweep.journal import Journal, Row
from relucert.sweep.results import sorted_items, totals, write_tables
from relucert.sweep.run import run_sweep
from relucert.sweep.settings import Settings
from relucert.sweep.supervise import Orders

DIGITS = Path(__file__).parents[2] / "instances/digits"


@pytest.fixture(scope="module")
def plan():
    return make_plan(
        [DIGITS / "dense_16x2.onnx", DIGITS / "conv.onnx"], DIGITS / "test_points.npz",
        ["0.01", "0.03"], selection="0-9", label_column=None, decision="auto",
        clip=(Fraction(0), Fraction(1)),
    )  # fmt: skip


@pytest.fixture
def journal(tmp_path):
    journal = Journal(tmp_path / "journal", "digest")
    yield journal
    journal.close()


class Fitful(Executor):
    """Does nothing but answer, at once; every so often a chunk is lost or only begun."""

    def __init__(self, loses, seed=0):
        self.loses, self.rng, self.sizes = loses, random.Random(seed), []

    def submit(self, function, orders, items):
        self.sizes.append(len(items))
        future = Future()
        if self.loses(self.rng, items):
            errors = [OSError("the worker is gone"), CancelledError()]
            future.set_exception(self.rng.choice(errors))
        else:
            count = self.rng.randint(1, len(items))
            future.set_result([Row(i.key, "proved", "bounds", 0.01, 1) for i in items[:count]])
        return future


def test_what_is_lost_or_left_is_done_again_and_only_once(plan, journal):
    executor = Fitful(lambda rng, items: rng.random() < 0.2)
    reported = []
    items = plan.items()
    run_sweep(items, Orders(Settings()), journal, Engine(executor, lambda: 3, ""), reported.extend)
    assert sorted(row.key for row in reported) == sorted(item.key for item in items)
    assert list(journal.rows) == [row.key for row in reported]
    assert max(executor.sizes) > 1
    run_sweep(items, Orders(Settings()), journal, Engine(executor, lambda: 3, ""), reported.extend)
    assert len(reported) == len(items)


def test_an_executor_that_loses_everything_ends_the_sweep(plan, journal):
    engine = Engine(Fitful(lambda rng, items: True), lambda: 2, "")
    with pytest.raises(SolverError, match=r"lost .* 5 times .*the same command goes on"):
        run_sweep(plan.items(), Orders(Settings()), journal, engine, lambda rows: None)


def test_an_error_about_the_files_ends_the_sweep_at_once(plan, journal):
    fault = "say({'number': request['number'], 'error': 'conv.onnx: has other content'})"
    orders = Orders(Settings(), fake(fault, bad=4))
    with opened(None, 2) as engine, pytest.raises(InputError, match="other content"):
        run_sweep(plan.items(), orders, journal, engine, lambda rows: None)
    assert len(journal.rows) < 40


def test_poisoned_items_cost_only_themselves(tmp_path):
    """One point hangs in native code; all others get the results of an undisturbed sweep."""
    results = {}
    plan = make_plan(
        [DIGITS / "dense_16x2.onnx"], DIGITS / "test_points.npz", ["0.005", "0.01"],
        selection="0-11", label_column=None, decision="auto", clip=None,
    )  # fmt: skip
    for name, command in (
        ("good", Orders(Settings()).command),
        ("hang", poisoned("ctypes.PyDLL(None).sleep(1000)", bad=3)),
    ):
        journal = Journal(tmp_path / name, "digest")
        settings = Settings(timeout=2.0 if name == "hang" else 60.0, memory=2.0**29)
        with opened(None, 2) as engine:
            run_sweep(plan.items(), Orders(settings, command), journal, engine, lambda rows: None)
        folder = tmp_path / f"{name}.d"
        folder.mkdir()
        write_tables(folder, sorted_items(plan), journal.rows)
        results[name] = (folder / "results.csv").read_text().splitlines()
        found = totals(plan, plan.items(), journal.rows)
        assert sum(total.unknown for total in found) == (2 if name == "hang" else 0)
        journal.close()
    for good, bad in zip(results["good"], results["hang"], strict=True):
        poison = good.split(",")[1] == "3"
        assert (good == bad) != poison
        assert not poison or bad.endswith(",unknown,time")


def test_files_that_change_under_a_sweep_are_noticed(plan, journal, tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes((DIGITS / "conv.onnx").read_bytes())
    moved = make_plan(
        [path], DIGITS / "test_points.npz", ["0.01"], selection="0", label_column=None,
        decision="auto", clip=None,
    )  # fmt: skip
    path.write_bytes((DIGITS / "dense_16x2.onnx").read_bytes())
    with opened(None, 1) as engine, pytest.raises(InputError, match="other content than when"):
        run_sweep(moved.items(), Orders(Settings()), journal, engine, lambda rows: None)
