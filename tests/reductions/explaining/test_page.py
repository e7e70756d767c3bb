"""The page as text: whole, loading nothing, escaping everything, the same bytes every time."""

import base64
import hashlib
import json
import re
import shlex
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest

from reductions.answers import ExpectedAnswer, Why, expected_answer
from reductions.cli import run
from reductions.explaining.page import page
from reductions.explaining.story import tell
from reductions.problems.satisfiability import Satisfiability
from relucert.cli import main as relucert

WORKED = Satisfiability(2, ((1, 2), (-1,)))
CONTRADICTION = Satisfiability(1, ((1,), (-1,)))
ODD = Satisfiability(6, ((1, 1, 2), (3, -3), (2, 1), (1, 2, 3, 4, 5, 6), (-6,)))
EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(1)>&\"'"
VOID = {"meta", "link", "br", "img"}
DRAWN = {"rect", "circle", "line", "polygon"}


class Reader(HTMLParser):
    """Tags with their attributes; checks that every element is closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        assert len(dict(attrs)) == len(attrs), f"an attribute twice in {tag}"
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        assert tag in DRAWN
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("script", "style"):
            self.text.append(data)

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


def page_of(formula: Satisfiability, name="f.cnf", comments=()) -> str:
    return page(tell(formula, expected_answer(formula)), name, comments)


@pytest.fixture
def outcome(capsys):
    def call(*arguments):
        code = run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.mark.parametrize("formula", [WORKED, CONTRADICTION, ODD, Satisfiability(0, ())])
def test_is_whole_and_loads_nothing(formula):
    text = page_of(formula)
    reader = Reader(text)
    assert "://" not in text
    assert "@import" not in text
    assert "url(" not in text
    for tag, attributes in reader.tags:
        assert tag not in ("iframe", "object", "embed", "img", "base", "form")
        assert "src" not in attributes
        assert attributes.get("href", "data:,") == "data:,"
        assert not any(name.startswith("on") or name == "style" for name in attributes)
    identifiers = [a["id"] for _, a in reader.tags if "id" in a]
    assert len(set(identifiers)) == len(identifiers)
    assert {a["aria-labelledby"] for _, a in reader.tags if "aria-labelledby" in a} <= set(
        identifiers
    )


def test_the_policy_allows_the_own_script_and_style_only():
    text = page_of(WORKED)
    [policy] = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    [style] = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    [script] = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for kind, content in (("style-src", style), ("script-src", script)):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}'" in policy


def test_text_of_files_is_escaped():
    text = page_of(WORKED, name=EVIL, comments=(EVIL, "bell \x07, turned \u202e, \x00"))
    reader = Reader(text)
    assert [tag for tag, _ in reader.tags].count("script") == 2
    assert "img" not in [tag for tag, _ in reader.tags]
    assert EVIL in reader.words
    assert not {"\x00", "\x07", "\u202e"} & set(text)


def test_many_long_comments_are_cut():
    text = page_of(WORKED, comments=["word " * 1000] * 1000)
    assert "(980 more lines)" in text
    assert len(text) < 100_000


def test_the_script_gets_the_same_story():
    story = tell(ODD, expected_answer(ODD))
    text = page(story, "f.cnf")
    [data] = re.findall(r'<script type="application/json" id="story">(.*?)</script>', text)
    told = json.loads(data)
    assert told["start"] == list(story.start.values)
    assert told["becomes"] == [0, None, 0, 1, 2]
    assert [point["label"] for point in told["points"]] == [p.label for p in story.points]
    assert told["radius"] * story.radius.denominator == told["unit"] * story.radius.numerator
    assert told["literals"][-2:] == ["s", "¬s"]


def test_says_how_the_answer_is_known():
    assert "found an assignment; it was checked against every clause" in page_of(WORKED)
    proof = Reader(page_of(CONTRADICTION)).words
    assert "wrote a proof" in proof
    assert "no network of depth 2 and width 2 gets all the points right" in proof
    unknown = page(tell(WORKED, ExpectedAnswer(None, Why.UNKNOWN, "time limit")), "f.cnf")
    assert "No answer was found: time limit" in unknown
    enumerated = ExpectedAnswer(False, Why.ENUMERATION)
    assert "All 2 assignments were tried" in page(tell(CONTRADICTION, enumerated), "f.cnf")
    planted = ExpectedAnswer(True, Why.PLANTED, assignment=(False, True))
    assert "stands in the file’s comments" in page(tell(WORKED, planted), "f.cnf")


def test_says_what_became_of_odd_clauses():
    words = Reader(page_of(ODD)).words
    assert "a literal comes twice and counts once" in words
    assert "a literal and its negation: always true, dropped" in words
    assert "the same as clause 1" in words
    assert "does not need 3-SAT" in words
    empty = Reader(page_of(Satisfiability(1, ((),)))).words
    assert "nothing can make it true" in empty
    assert "nothing can tell them apart" in empty


def test_writes_the_same_bytes(outcome, tmp_path):
    source = tmp_path / "f.cnf"
    source.write_text("c made by hand\np cnf 2 2\n1 2 0\n-1 0\n")
    code, out, err = outcome("explain", source, "-o", tmp_path / "a.html")
    assert (code, err) == (0, "")
    assert "13 points of dimension 6" in out
    assert outcome("explain", source, "-o", tmp_path / "b.html")[0] == 0
    first = (tmp_path / "a.html").read_bytes()
    assert first == (tmp_path / "b.html").read_bytes()
    assert b"made by hand" in first
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.html", "b.html", "f.cnf"]
    assert str(tmp_path).encode() not in first


def test_time_limit_of_zero_leaves_the_answer_open(outcome, tmp_path):
    source = tmp_path / "f.cnf"
    source.write_text("p cnf 1 1\n1 0\n")
    code, out, _ = outcome("explain", source, "-o", tmp_path / "a.html", "--timeout", 0)
    assert code == 0
    assert "unknown (no solver was asked)" in out


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (b"1 2 0\n", "line 1: expected the header"),
        (b"p cnf 2 1\n1 two 0\n", "line 2: not a literal: 'two'"),
        (b"p cnf 3 1\n1 0 3 0\n", "line 2: there are more clauses than the 1"),
        (b"p cnf 2 1\n1 2\n", "not closed by 0"),
        (b"p cnf 2 1\n1 3 0\n", "variable 3 is beyond the 2"),
        (b"p cnf 41 1\n1 0\n", "41 variables, a page shows at most 40"),
        (b"p cnf 1 201\n" + b"1 0\n" * 201, "201 clauses, a page shows at most 200"),
        (b"p cnf 1 1\n" + b"1 " * 1001 + b"0\n", "1,001 literals, a page shows at most 1,000"),
        (b"\xff\xfep\x00", "line 1: expected the header"),
        (b"p cnf 1 1\n\xff\xfe 0\n", "not a literal"),
        (b"c long\n" * 200_000, "holds more than 1,048,576 bytes"),
    ],
)
def test_bad_input_is_one_line(outcome, tmp_path, content, problem):
    source, target = tmp_path / "f.cnf", tmp_path / "page.html"
    source.write_bytes(content)
    target.write_text("kept")
    code, out, err = outcome("explain", source, "-o", target)
    assert (code, out) == (2, "")
    assert problem in err
    assert err.count("\n") == 1
    assert target.read_text() == "kept"


def test_a_page_that_cannot_be_written_is_refused_first(outcome, tmp_path):
    code, _, err = outcome("explain", tmp_path / "none.cnf", "-o", tmp_path / "no" / "page.html")
    assert code == 2
    assert "there is no folder" in err


def test_other_encodings_in_comments_do_no_harm(outcome, tmp_path):
    source = tmp_path / "f.cnf"
    source.write_bytes(b"c M\xfcller\np cnf 1 1\n1 0\n")
    assert outcome("explain", source, "-o", tmp_path / "p.html")[0] == 0
    assert "M\ufffdller" in (tmp_path / "p.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("clauses", "codes"),
    [("1 2 0\n-1 0", [0, 0, 0, 0]), ("1 0\n-1 0", [0, 0, 0, 1])],
    ids=["satisfiable", "unsatisfiable"],
)
def test_the_commands_on_the_page_work(outcome, tmp_path, monkeypatch, clauses, codes):
    monkeypatch.chdir(tmp_path)
    source = tmp_path / "it's a formula.cnf"
    source.write_text(f"p cnf 2 2\n{clauses}\n")
    assert outcome("explain", source.name, "-o", "page.html")[0] == 0
    [commands] = re.findall(r'<pre tabindex="0">(.*?)</pre>', Path("page.html").read_text(), re.S)
    found = []
    for line in unescape(commands).splitlines():
        program, *arguments = shlex.split(line)
        if program == "reductions":
            found.append(run(arguments))
        else:
            with pytest.raises(SystemExit) as ended:
                relucert(arguments)
            found.append(ended.value.code)
    assert found == codes
