"""The notebooks of the course: well-formed, executed without a screen, and used in a browser.

A new notebook needs one line in CONTROLS: the control that is moved, and how. The browser is
Debian's Chromium; Playwright and marimo come with the extras dev and course.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import relucert

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("[0-9][0-9]_*.py"))
LONGEST = 120  # seconds, on two cores
PATIENCE = 90_000  # milliseconds; the machine may be busy with other tests

needs_marimo = pytest.mark.skipif(
    importlib.util.find_spec("marimo") is None,
    reason="marimo is not installed: pip install '.[course]'",
)


@dataclass(frozen=True)
class Control:
    """A control by the beginning of its label, and one thing to do with it.

    keys: pressed on a slider. text: typed into a text box, then Enter. option: chosen from a
    dropdown. With none of them it is clicked: a button, switch, checkbox, or a radio's option.
    """

    label: str
    keys: tuple[str, ...] = ()
    text: str = ""
    option: str = ""


CONTROLS = {
    "01_what_a_verifier_does": Control("size of the ball", keys=("Home",)),
    "02_the_milp_encoding": Control("bounds loosened", keys=("End",)),
    "03_from_3sat_to_data": Control("formula", text="(a or b or c) and (not a)"),
    "04_verification_is_maxsat": Control("formula", text="1 2\n-1 3\n-3"),
    "05_robust_memorizers": Control("points", text="0, 0, 1\n1, 1, 2"),
    "06_how_hardness_grows": Control("limit of dead ends", keys=("Home",)),
    "07_break_this_reduction": Control("as it should be"),
    "08_what_a_proof_is": Control("leave out a line"),
}

# What a student may type, and words of the line that answers it.
MISTAKES = {
    "03_from_3sat_to_data": (
        (Control("formula", text="(a or b"), "never closed"),
        (Control("formula", text="1 0 -2"), "0 is no literal"),
        (Control("formula", text=" ".join(map(str, range(1, 41)))), "40 variables"),
        (Control("formula", text="`$<b>"), "is not read here"),
        (Control("formula", text=" "), "no formula yet"),
    ),
    "04_verification_is_maxsat": (
        (Control("formula", text="a or b and c"), "into parentheses"),
        (Control("formula", text="1\n0\n"), "0 is no literal"),
        (Control("formula", text="\n".join(["1 2 -3"] * 17)), "17 clauses"),
    ),
    "05_robust_memorizers": (
        (Control("points", text="0, x, 1\n1, 1, 2"), "coordinates are decimals"),
        (Control("points", text="0, 1e999999999, 1\n1, 1, 2"), "coordinates are decimals"),
        (Control("points", text="0, 0, 0\n1, 1, 2"), "labels are the integers"),
        (Control("points", text="0, 0, 1"), "this page takes 2 to 24"),
        (Control("points", text="0, 0, 1\n0, 0, 2"), "no network memorizes them"),
        (Control("points", text="`$<b>\n0, 0, 2"), "commas between them"),
    ),
    "07_break_this_reduction": (
        (Control("your clauses", text="a or b or c or d"), "4 variables"),
        (Control("your clauses", text="0"), "0 is no literal"),
        (Control("your clauses", text="a xor b"), "is not read here"),
    ),
}

notebooks = pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)


def cells(notebook: Path) -> list[ast.FunctionDef]:
    tree = ast.parse(notebook.read_text(encoding="utf-8"))
    return [node for node in tree.body if isinstance(node, ast.FunctionDef)]


@notebooks
def test_a_notebook_is_prose_and_code(notebook):
    text = notebook.read_text(encoding="utf-8")
    assert text.startswith('# /// script\n# [tool.marimo.display]\n# theme = "system"\n')
    found = cells(notebook)
    prose = [cell for cell in found if "mo.md(" in ast.unparse(cell)]
    assert len(found) >= 8
    assert len(prose) >= 4
    assert re.search(r"^# Shows: \w", text, re.MULTILINE), "what the course's table says of it"
    assert "Try this" in text


@notebooks
def test_a_notebook_imports_what_the_reference_lists(notebook):
    """Only the public interface: no name with an underscore, no module without a page."""
    pages = "".join(page.read_text() for page in (ROOT / "docs/reference").glob("*.md"))
    listed = set(re.findall(r"^::: ([\w.]+)$", pages, re.MULTILINE))
    names = {name.rpartition(".")[2] for name in listed}
    for node in ast.walk(ast.parse(notebook.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom) or not node.module:
            continue
        if node.module.split(".")[0] in {"relucert", "reductions"} and node.module not in listed:
            for alias in node.names:
                assert alias.name in names | set(relucert.__all__), f"{alias.name} has no page"


@notebooks
def test_a_control_of_the_notebook_is_moved(notebook):
    assert notebook.stem in CONTROLS, "say in CONTROLS which control the browser test moves"


@needs_marimo
@notebooks
def test_a_notebook_is_a_valid_marimo_app(notebook):
    command = [sys.executable, "-m", "marimo", "check", "--strict", str(notebook)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@needs_marimo
@notebooks
def test_a_notebook_runs_without_a_screen_and_becomes_a_page(notebook):
    """Executed by what makes the site's pages, which also keeps the result for them."""
    notebook_pages = pages()
    result = notebook_pages.executed(notebook)
    assert result["seconds"] < LONGEST
    assert len(result["cells"]) == len(cells(notebook))
    notebook_pages.markdown(result)
    plain = importlib.import_module("plain_html")
    page = "".join(plain.static(cell["html"]) for cell in result["cells"])
    assert "<marimo" not in page
    assert not re.search(r'(src|href)="(https?:)?//', page), "the page would need a network"
    assert page.count("<img ") == page.count('<img alt="') >= 1
    assert "arithmatex" in page
    assert "$" not in re.sub(r"<pre>.*?</pre>|data:[^\"]*", "", page, flags=re.DOTALL)


def pages() -> Any:
    """The module that executes notebooks for the site."""
    sys.path.insert(0, str(ROOT / "docs" / "site"))
    try:
        return importlib.import_module("notebook_pages")
    finally:
        sys.path.pop(0)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """All notebooks on loopback, from one process."""
    pytest.importorskip("marimo", reason="pip install '.[course]'")
    port = free_port()
    log = tmp_path_factory.mktemp("marimo") / "log"
    command = [sys.executable, "-m", "marimo", "-q", "run", "--headless", "--no-token"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--port", str(port), str(FOLDER)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
    try:
        address = f"http://127.0.0.1:{port}"
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{address}/health", timeout=5)
                break
            except OSError:
                assert process.poll() is None, log.read_text()
                time.sleep(0.2)
        yield address
    finally:
        process.terminate()
        process.wait(30)


def offline_page(browser: Any) -> Any:
    """A page to which only this machine answers."""
    context = browser.new_context(viewport={"width": 1000, "height": 1400})
    context.route(
        "**/*",
        lambda route: route.continue_() if "://127.0.0.1" in route.request.url else route.abort(),
    )
    return context.new_page()


def pictures(page: Any) -> list[str]:
    found: list[str] = page.eval_on_selector_all(
        "img[alt]", "images => images.map(image => image.src)"
    )
    return found


def settled_pictures(page: Any, least: int) -> list[str]:
    """The pictures when no cell runs any more and there are at least so many."""
    last: list[str] = []
    deadline = time.monotonic() + PATIENCE / 1000
    while time.monotonic() < deadline:
        page.wait_for_timeout(500)
        now = pictures(page)
        running = page.locator(".running-app-icon").count()
        if now == last and len(now) >= least and not running:
            return now
        last = now
    raise AssertionError(f"{len(last)} pictures of {least}, and the page does not come to rest")


def expected_pictures(notebook: Path) -> int:
    """How many pictures its cells show, those in folded parts not counted."""
    shown = "".join(cell["html"] for cell in pages().executed(notebook)["cells"])
    folded = re.compile(r"<marimo-(accordion|tabs)\b.*?</marimo-\1>", re.DOTALL)
    return folded.sub("", shown).count("<img ")


def move(page: Any, control: Control) -> None:
    labelled = page.locator("marimo-ui-element").filter(has_text=control.label)
    if control.option:
        labelled.locator("select").first.select_option(label=control.option)
    elif control.text:
        box = labelled.locator("input, textarea").first
        box.fill(control.text)
        box.press("Enter")
        box.blur()
    elif control.keys:
        handle = labelled.locator("[role=slider]").first
        handle.focus()
        for key in control.keys:
            handle.press(key)
    else:
        labelled.get_by_text(control.label).first.click()


@pytest.mark.slow
@notebooks
def test_a_reader_moves_a_control_and_the_picture_changes(notebook, server, browser):
    page = offline_page(browser)
    try:
        page.goto(f"{server}/?file={notebook.name}", timeout=PATIENCE)
        before = settled_pictures(page, expected_pictures(notebook))
        assert not page.locator(".marimo-error, [data-error]").count()
        assert "Traceback" not in page.inner_text("body")
        move(page, CONTROLS[notebook.stem])
        deadline = time.monotonic() + PATIENCE / 1000
        while pictures(page) == before and time.monotonic() < deadline:
            page.wait_for_timeout(200)
        assert pictures(page) != before
        assert settled_pictures(page, 1) != before
        for mistake, words in MISTAKES.get(notebook.stem, ()):
            move(page, mistake)
            page.get_by_text(words).first.wait_for(timeout=PATIENCE)
            assert "Traceback" not in page.inner_text("body")
        assert "Traceback" not in page.inner_text("body")
    finally:
        page.context.close()
