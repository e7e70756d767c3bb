"""Ratios and penalties of a comparison, by hand."""

from pathlib import Path

import pytest

from relucert.bench import Measurement, comparison_rows
from relucert.errors import FileError
from relucert.report.plots import plot_cactus


def row(tool, query, seconds, status="solved", family="f"):
    return Measurement(family, "n", query, "", "proved", "", status, seconds, "", tool, seconds)


def test_ratios_count_only_what_both_solve():
    rows = [
        row("relucert", "a", 1.0), row("other", "a", 4.0),
        row("relucert", "b", 2.0), row("other", "b", 2.0),
        row("relucert", "c", 3.0), row("other", "c", 9.0, "WRONG"),
        row("relucert", "d", 9.0, "unsolved"), row("other", "d", 5.0, family="f"),
        row("relucert", "e", 2.0), row("other", "e", 20.0),
    ]  # fmt: skip
    limits = {("n", query): 10.0 for query in "abcde"}
    table = {(line[0], line[1]): line[2:] for line in comparison_rows(
        rows, ["relucert", "other"], limits)}  # fmt: skip
    # all, solved, wrong, PAR-2 (1+2+3+20+2)/5, median of 1, 2, 2, 3
    assert table["f", "relucert"][:5] == ["5", "4", "0", "5.60", "2.00"]
    # PAR-2 (4+2+20+5+20)/5; both: a, b, e with sums 26 and 5, ratios 4, 1, 10
    assert table["f", "other"] == [
        "5", "4", "1", "10.20", "4.50", "3", "26.00", "5.00", "5.20", "4.00",
    ]  # fmt: skip
    assert table["all", "other"] == table["f", "other"]


def test_nothing_in_common():
    rows = [row("relucert", "a", 1.0), row("other", "a", 1.0, "error")]
    (_, other, *_) = comparison_rows(rows, ["relucert", "other"], {("n", "a"): 5.0})
    assert other[3:] == ["0", "0", "10.00", "-", "0", "-", "-", "-", "-"]


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_a_picture_even_of_nothing(tmp_path, ending):
    path = tmp_path / f"cactus.{ending}"
    plot_cactus(path, {"relucert": [0.2, 0.1, 3.0], "other": []}, 4, "list.csv")
    assert path.stat().st_size > 2000
    assert list(tmp_path.iterdir()) == [path]


def test_a_picture_of_no_known_kind():
    with pytest.raises(FileError, match="unknown picture format"):
        plot_cactus(Path("cactus.doc"), {}, 1, "")
