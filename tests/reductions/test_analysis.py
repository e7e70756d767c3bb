"""``reductions analyse``: the page, its CSVs, and runs with something wrong."""

import base64
import csv
import io
import json
import math
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest
from support.synthetic_runs import COLUMNS, growth_rows, row, timed, write_run

from reductions.analysis.drawing import draw
from reductions.analysis.growth_section import growth_section
from reductions.analysis.measured import Measured, time_costs
from reductions.analysis.run_folder import read_run
from reductions.analysis.transfer import hardness_transfer
from reductions.analysis.transfer_section import encoding_section
from reductions.cli import run
from relucert.errors import FileError


@pytest.fixture
def outcome(capsys):
    """Run the program: (exit code, standard output, standard error)."""

    def call(*arguments):
        code = run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return code, captured.out, captured.err

    return call


def small_rows():
    """Three doors on five sizes, one of them with timeouts, and a sweep over the ratio."""
    random = np.random.default_rng(1)
    rows = []
    for size in range(5, 30, 5):
        for seed in range(12):
            hardness = math.exp(random.standard_normal())
            answer = "sat" if seed % 2 else "unsat"
            given = {"size": size, "seed": seed}
            rows.append(timed(0.01 * 2 ** (0.5 * size) * hardness, answer, door="slow", **given))
            rows.append(timed(0.001 * 2 ** (0.3 * size) * hardness, answer, door="quick", **given))
            rows.append(row(door="third", cpu_seconds=0.5 + 0.1 * random.random(), **given)
                        | {"answer": answer})  # fmt: skip
    for ratio in (2.0, 4.0, 6.0, 8.0):
        for seed in range(100, 106):
            answer = "sat" if ratio < 4 or (ratio == 4 and seed % 2) else "unsat"
            seconds = 5.0 if ratio == 4 else 0.5
            rows.append(timed(seconds * (1 + seed / 500), answer, size=15, ratio=ratio, seed=seed,
                              door="quick"))  # fmt: skip
    return rows


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The report of the small run."""
    folder = tmp_path_factory.mktemp("small")
    assert run(["analyse", str(write_run(folder / "run", small_rows())), "-o",
                str(folder / "report")]) == 0  # fmt: skip
    return folder / "report"


class Page(HTMLParser):
    """Ids, links and tags of a page; complains about tags that do not match."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.ids, self.links, self.open, self.sources = set(), [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.tags.add(tag)
        self.ids += [values["id"]] if "id" in values else []
        self.links += [values["href"]] if tag == "a" else []
        self.sources += [values[name] for name in ("src", "xlink:href") if name in values]
        if tag not in ("meta", "link", "br", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in ("meta", "link", "br", "img"):
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_stands_alone(report):
    text = (report / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert page.open == []
    assert not {"script", "link", "img", "iframe", "object"} & page.tags
    assert all(source.startswith("#") for source in page.sources)
    assert len(page.ids) == len(set(page.ids))
    outside = [link for link in page.links if not link.startswith(("#", "data:"))]
    assert all(re.fullmatch(r"[a-z0-9_-]+\.csv", link) for link in outside)
    assert not re.search(r"@import|url\((?!#)", text)
    assert 'name="viewport"' in text
    assert "prefers-color-scheme: dark" in text
    assert all(link[1:] in page.ids for link in page.links if link.startswith("#"))


def test_every_csv_lies_beside_the_page_and_inside_it(report):
    page = Page((report / "report.html").read_text(encoding="utf-8"))
    linked = [link for link in page.links if link.endswith(".csv")]
    inside = [link for link in page.links if link.startswith("data:text/csv;base64,")]
    assert {path.name for path in report.glob("*.csv")} == set(linked)
    for name, data in zip(linked, inside, strict=True):
        assert base64.b64decode(data.partition(",")[2]) == (report / name).read_bytes()


def test_everything_that_is_drawn_is_in_its_csv(tmp_path):
    measured = Measured(read_run(write_run(tmp_path, small_rows())).rows)
    section = growth_section(measured, 0)
    assert section.figures
    for figure in section.figures:
        header, *rows = figure.chart.table()
        assert header[:2] == ("series", "kind")
        for series in figure.chart.series:
            mine = [r for r in rows if (r[0], r[1]) == (series.name, series.kind)]
            assert [(r[2], r[3]) for r in mine] == list(zip(series.x, series.y, strict=True))
        element = ElementTree.fromstring(draw(figure.chart))
        assert element.tag.endswith("svg")
        assert "width" not in element.attrib
        assert draw(figure.chart) == draw(figure.chart)


def test_points_are_the_measurements(tmp_path):
    rows = small_rows()
    measured = Measured(read_run(write_run(tmp_path, rows)).rows)
    charts = {figure.chart.slug: figure.chart for figure in growth_section(measured, 0).figures}
    chart = charts["growth-time-random-3sat-4_26-unsat-slow"]
    drawn = sorted(pair for s in chart.series if s.kind == "points"
                   for pair in zip(s.x, s.y, strict=True))  # fmt: skip
    kept = sorted((float(r["size"]), r["cpu_seconds"]) for r in rows
                  if r["door"] == "slow" and r["seed"] % 2 == 0)  # fmt: skip
    assert drawn == kept


def test_what_the_small_run_shows(report):
    text = (report / "report.html").read_text(encoding="utf-8")
    assert "no two doors ever contradicted each other" in text
    assert "quick is slowest at 4" in text
    assert "falls through one half between ratio 4.26 and 6" in text
    answers = list(csv.DictReader(io.StringIO((report / "answers.csv").read_text())))
    slow = next(r for r in answers if r["door"] == "slow")
    assert int(slow["sat"]) + int(slow["unsat"]) + int(slow["timeout"]) == int(slow["runs"]) == 60
    transfer = list(csv.DictReader(io.StringIO((report / "transfer.csv").read_text())))
    pairs = {(r["door"], r["other door"]): r for r in transfer}
    assert float(pairs["quick", "slow"]["within a size"]) > 0.9
    assert abs(float(pairs["slow", "third"]["within a size"])) < 0.5
    challenges = (report / "growth-challenges.csv").read_text()
    assert "exponential" in challenges


def test_the_same_measurements_give_the_same_bytes_in_any_order(tmp_path):
    rows = small_rows()
    for name, order in (("one", rows), ("turned", rows[::-1])):
        write_run(tmp_path / name, order)
        assert run(["analyse", str(tmp_path / name)]) == 0
    one, turned = (tmp_path / name / "report" for name in ("one", "turned"))
    assert len(list(one.glob("*.csv"))) > 8
    for path in one.glob("*.csv"):
        assert path.read_bytes() == (turned / path.name).read_bytes()
    pages = [(folder / "report.html").read_text(encoding="utf-8") for folder in (one, turned)]
    assert pages[0].replace("one", "turned") == pages[1].replace("one", "turned")


def test_spearman_of_scipy_with_ties_at_the_top(tmp_path):
    from scipy.stats import spearmanr

    rows = growth_rows("exponential", 0, sigma=1.0, formulas=10)
    other = growth_rows("polynomial", 1, sigma=1.0, formulas=10, door="other")
    rows += [r for r in other if r["door"] == "other"]
    measured = Measured(read_run(write_run(tmp_path, rows)).rows)
    pair = next(
        p for p in hardness_transfer(measured, 0) if (p.first, p.second) == ("cdcl", "other")
    )
    times = {
        door: {r.formula: r.cpu_seconds if r.decided else math.inf for r in measured.of(door=door)}
        for door in ("cdcl", "other")
    }
    common = sorted(times["cdcl"])
    expected = spearmanr([times["cdcl"][f] for f in common], [times["other"][f] for f in common])
    assert pair.overall.value == pytest.approx(expected.statistic)
    assert pair.overall.value in pair.overall
    assert abs(pair.within.value) < pair.overall.value


def test_contradicting_doors_come_first(tmp_path, outcome):
    rows = [row(door="a", answer="sat"), row(door="b", answer="unsat")]
    write_run(tmp_path / "run", rows)
    code, out, _ = outcome("analyse", tmp_path / "run", "-o", tmp_path / "r")
    assert code == 0
    assert "contradict each other on 1 of 1" in out
    assert "disagreements.csv" in (tmp_path / "r" / "report.html").read_text()


@pytest.mark.parametrize("status", ["error", "timeout"])
def test_an_answer_that_does_not_count_contradicts_all_the_same(tmp_path, outcome, status):
    rows = [row(door="a", answer="sat", status=status), row(door="b", answer="unsat")]
    rows.append(row(door="c", answer="unsat"))
    write_run(tmp_path / "run", rows)
    code, out, _ = outcome("analyse", tmp_path / "run", "-o", tmp_path / "r")
    assert code == 0
    assert "contradict each other on 1 of 1" in out


def test_a_stray_quote_costs_its_own_line_only(tmp_path, outcome):
    folder = write_run(tmp_path / "run", [row(seed=seed) for seed in range(6)])
    path = folder / "measurements.csv"
    lines = path.read_text().splitlines(keepends=True)
    lines.insert(3, '1,random-3sat,"garb\n')
    path.write_text("".join(lines))
    code, out, err = outcome("analyse", folder)
    assert code == 0
    assert "6 measurements" in out
    assert "line 4" in err


def test_equal_formulas_of_different_seeds_are_different_measurements(tmp_path, outcome):
    same = {"formula_sha256": "a" * 64}
    write_run(tmp_path / "run", [row(seed=seed) | same for seed in range(3)])
    _, out, err = outcome("analyse", tmp_path / "run")
    assert "3 measurements" in out
    assert "twice" not in err


def test_a_killed_run_is_bounded_by_what_came_after_its_start(tmp_path):
    """The CPU time of a killed process holds the start of Python, its wall clock does not."""
    killed = {"status": "timeout", "answer": "unknown", "wall_seconds": 4.2, "cpu_seconds": 5.9}
    idle = killed | {"wall_seconds": 7.0, "cpu_seconds": 5.5}
    answered = {"wall_seconds": 1.0, "cpu_seconds": 1.5}
    rows = [row(seed=seed, **given) for seed, given in enumerate((killed, idle, answered))]
    measured = Measured(read_run(write_run(tmp_path, rows)).rows)
    costs = time_costs(measured.of())
    assert sorted(costs.bound.tolist()) == [3.0, 4.2, 5.5]
    assert sorted(costs.side.tolist()) == [-1, 1, 1]


def only_timeouts():
    return [timed(99.0, "sat", size=size, seed=seed)
            for size in (5, 10, 15, 20, 25) for seed in range(6)]  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        ([], "no measurement yet"),
        (only_timeouts(), "decided by no door"),
        ([row(seed=seed, cpu_seconds=1 + seed) for seed in range(12)], "one size only"),
        ([row()], "one size only"),
        ([row(status="error", answer="unknown", cpu_seconds="")], "decided by two doors"),
        ([row(cpu_seconds="", wall_seconds="")], "one size only"),
        ([row(ratio="", size=n, seed=s, cpu_seconds=0) for n in (1, 2, 3, 4, 5) for s in range(6)],
         "no cost is above the floor"),
        ([row(size=n, cpu_seconds=2.0**n, effort=0) for n in range(1, 9)], "formulas or more"),
    ],
)  # fmt: skip
def test_thin_runs_give_a_partial_report(tmp_path, outcome, rows, line):
    write_run(tmp_path / "run", rows)
    code, _, _ = outcome("analyse", tmp_path / "run", "-o", tmp_path / "report")
    assert code == 0
    text = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert line in text
    assert Page(text).open == []


@pytest.mark.parametrize(
    ("column", "value"),
    [("cpu_seconds", "nan"), ("cpu_seconds", "-1"), ("size", "x"), ("answer", "maybe"),
     ("status", ""), ("cpu_seconds", "1e999"), ("size", "0"), ("run_version", "x"), ("door", ""),
     ("ratio", "inf"), ("effort", "nan"), ("size", "2.5"), ("effort", "9" * 400)],
)  # fmt: skip
def test_a_bad_row_is_set_aside_and_said(tmp_path, outcome, column, value):
    write_run(tmp_path / "run", [row(seed=1), row(seed=2), row(seed=3) | {column: value}])
    code, out, err = outcome("analyse", tmp_path / "run", "-o", tmp_path / "report")
    assert code == 0
    assert "2 measurements" in out
    assert "set aside: measurements.csv line 4" in err


@pytest.mark.parametrize("keep", [1, 5, 40, 90, 150])
def test_a_row_that_was_cut_short_is_set_aside(tmp_path, outcome, keep):
    folder = write_run(tmp_path / "run", [row(seed=1), row(seed=2)])
    path = folder / "measurements.csv"
    *whole, last = path.read_text().splitlines(keepends=True)
    path.write_text("".join(whole) + last[:keep])
    code, out, err = outcome("analyse", folder)
    assert code == 0
    assert "1 measurements" in out
    assert "line 3" in err


def test_bytes_that_are_no_text_cost_their_row_only(tmp_path, outcome):
    folder = write_run(tmp_path / "run", [row(seed=1)])
    with (folder / "measurements.csv").open("ab") as stream:
        stream.write(b'\xff\x00\xfe"garbage\n')
    code, out, _ = outcome("analyse", folder)
    assert code == 0
    assert "1 measurements" in out


def test_a_measurement_made_twice_counts_once(tmp_path):
    write_run(tmp_path, [row(cpu_seconds=1.0), row(cpu_seconds=2.0)])
    read = read_run(tmp_path)
    assert [r.cpu_seconds for r in read.rows] == [2.0]
    assert any("twice" in note for note in read.notes)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: text.replace("run_version,", "run_version,colour,", 1), "colour"),
        (lambda text: text.replace("family,", "", 1), "missing columns 'family'"),
        (lambda text: text.replace("\n1,", "\n2,"), "run version 2"),
        (lambda _: "", "is empty"),
        (lambda _: "hello\nworld\n", "unknown columns 'hello'"),
    ],
)
def test_another_layout_is_refused(tmp_path, outcome, change, words):
    folder = write_run(tmp_path / "run", [row()])
    path = folder / "measurements.csv"
    path.write_text(change(path.read_text()))
    code, out, err = outcome("analyse", folder)
    assert (code, out) == (2, "")
    assert words in err
    assert len(err.splitlines()) == 1
    assert not (folder / "report").exists()


def test_what_is_no_run_is_refused(tmp_path, outcome):
    for path in (tmp_path / "nothing", tmp_path):
        code, _, err = outcome("analyse", path)
        assert code == 2
        assert "give the folder of a run" in err
    folder = write_run(tmp_path / "run", [row()])
    (tmp_path / "file").write_text("x")
    code, _, err = outcome("analyse", folder, "-o", tmp_path / "file")
    assert code == 2
    assert "a folder is needed" in err


@pytest.mark.parametrize("text", ["{", "[]", "\xff", "[" * 100000, '{"a": {"b": [1, null, true]}}'])
def test_run_json_of_any_kind(tmp_path, outcome, text):
    folder = write_run(tmp_path / "run", [row()])
    (folder / "run.json").write_text(text, encoding="latin-1")
    assert outcome("analyse", folder)[0] == 0
    (folder / "run.json").unlink()
    code, _, err = outcome("analyse", folder)
    assert code == 0
    assert "how the run was made is not known" in err


def test_doors_that_were_skipped_are_on_the_page(tmp_path, outcome):
    facts = {"command_line": "reductions scale ...", "doors": [
        {"name": "milp", "available": False, "reason": "not installed <here>"}]}  # fmt: skip
    folder = write_run(tmp_path / "run", [row()], facts)
    assert outcome("analyse", folder)[0] == 0
    assert "not installed &lt;here&gt;" in (folder / "report" / "report.html").read_text()


def test_hostile_names_stay_text(tmp_path, outcome):
    names = ['<script>alert(1)</script>"&', "$\\alpha_{$", "../../up", "é" * 200, "-", "A", "a"]
    rows = [
        row(door=name, family=name, size=size, seed=seed, cpu_seconds=2**size * (1 + seed))
        for name in names for size in (1, 2, 3, 4, 5, 6) for seed in range(6)
    ]  # fmt: skip
    folder = write_run(tmp_path / "run", rows, {"<b>": "</dl><script>"})
    assert outcome("analyse", folder)[0] == 0
    text = (folder / "report" / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert "script" not in page.tags
    assert len(page.ids) == len(set(page.ids))
    assert sorted(p.name for p in (folder).iterdir()) == ["measurements.csv", "report", "run.json"]


def test_columns_are_those_of_the_run():
    assert len(COLUMNS) == len(set(COLUMNS)) == 20


def test_versions_are_errors_of_the_file(tmp_path):
    folder = write_run(tmp_path, [row(run_version=99)])
    with pytest.raises(FileError, match="run version 99"):
        read_run(folder)
    assert json.loads((folder / "run.json").read_text())["machine"] == "2 cores"


def test_a_moderate_correlation_does_not_count_as_none(tmp_path):
    """The encoding is blamed only where the whole band excludes a strong common hardness."""
    random = np.random.default_rng(0)
    rows = []
    for size in (10, 20, 30, 40):
        for seed in range(5):
            common = random.standard_normal()
            for door, factor in (("quick", 0.01), ("slow", 10.0)):
                noise = common + 2.5 * random.standard_normal()
                seconds = factor * size**2 * math.exp(noise)
                rows.append(row(door=door, size=size, seed=seed, cpu_seconds=seconds))
    measured = Measured(read_run(write_run(tmp_path, rows)).rows)
    pairs = hardness_transfer(measured, 0)
    within = pairs[0].within
    assert within.value < 0.5 < within.high
    section = encoding_section(measured, pairs)
    assert section is not None
    assert section.findings == ()
