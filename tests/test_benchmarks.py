"""The table that benchmarks/against_omlt.py prints: who counts, and what a missing answer costs."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def comparison():
    spec = importlib.util.spec_from_file_location("comparison", BENCHMARKS / "comparison.py")
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def runs(comparison, tool, *times, answer="right"):
    return [
        comparison.Run(
            "net", "proved", tool, i, "proved", answer, seconds, seconds / 2, 0.1, 0.2, ""
        )
        for i, seconds in enumerate(times)
    ]


def table(comparison, *groups, clock="wall"):
    return comparison.markdown([run for group in groups for run in group], 60.0, clock)


def last_cells(text):
    row = next(line for line in text.splitlines() if line.startswith("| net"))
    return [cell.strip() for cell in row.strip("|").split("|")]


def test_the_quicker_omlt_form_and_medians_count(comparison):
    text = table(
        comparison,
        runs(comparison, "omlt-feasibility", 9.0, 8.0, 100.0),
        runs(comparison, "omlt-margin", 6.0, 4.0, 5.0),
        runs(comparison, "relucert-milp", 2.0, 2.0, 50.0),
        runs(comparison, "relucert-auto", 10.0, 10.0, 10.0),
    )
    assert last_cells(text)[-4:] == ["2.00", "2.5", "10.00", "0.5"]
    assert "median ratio, relucert-milp: 2.5" in text


@pytest.mark.parametrize(
    ("omlt", "own", "ratio"),
    [("none", "right", ">30"), ("right", "none", "<0.2"), ("none", "none", "=1.0"),
     ("right", "WRONG", "<0.2"), ("right", "right", "5.0")],
)  # fmt: skip
def test_missing_and_wrong_answers_cost_the_limit(comparison, omlt, own, ratio):
    text = table(
        comparison,
        runs(comparison, "omlt-feasibility", 10.0, answer=omlt),
        runs(comparison, "omlt-margin", 60.0, answer="none"),
        runs(comparison, "relucert-milp", 2.0, answer=own),
        runs(comparison, "relucert-auto", 2.0),
    )
    assert last_cells(text)[5] == ratio
    assert f"wrong answers: {int(own == 'WRONG')} of 4" in text


def test_cpu_time_of_a_missing_answer_is_what_was_used(comparison):
    text = table(
        comparison,
        runs(comparison, "omlt-feasibility", 40.0, answer="none"),
        runs(comparison, "omlt-margin", 50.0, answer="none"),
        runs(comparison, "relucert-milp", 2.0),
        runs(comparison, "relucert-auto", 4.0),
        clock="cpu",
    )
    assert last_cells(text)[-4:] == ["1.00", ">20", "2.00", ">10"]


def test_committed_results_read_back(comparison):
    files = sorted((BENCHMARKS / "results").glob("against_omlt*.csv"))
    for file in files:
        comments, rows = comparison.read_runs(file.read_text(encoding="utf-8"))
        assert comparison.limit_of(comments) > 0
        assert {run.tool for run in rows} == set(comparison.TOOLS)
        assert not [run for run in rows if run.answer == "WRONG"]
