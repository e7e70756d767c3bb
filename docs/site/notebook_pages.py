"""The notebooks as pages that need no server and no script: prose, pictures, first values.

``python notebook_pages.py run NOTEBOOK`` executes a notebook and prints what its cells show, as
JSON. `pages` does so for all of them, each in a process of its own, and keeps the results as long
as no source changes. Controls become lines that tell their first value, formulas what the site's
own formulas are, folded answers stay folded.
"""

from __future__ import annotations

import ast
import hashlib
import html
import importlib.util
import json
import os
import re
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "notebooks"
KEPT = ROOT / "build" / "notebooks"
_VOID = {"br", "col", "hr", "img", "input", "wbr"}
_KINDS = {"success": "success", "warn": "warning", "danger": "danger", "info": "info"}
_NO_VALUE = {"marimo-button"}
_LONGEST = 900.0  # seconds, on a busy machine
_HEADING = re.compile(r"^h([1-4])$")


def notebooks() -> list[Path]:
    """The notebooks in the order of the course."""
    return sorted(FOLDER.glob("[0-9][0-9]_*.py"))


def pages() -> dict[str, str]:
    """The Markdown of every notebook's page, by its name."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        results = list(pool.map(executed, notebooks()))
    return {result["name"]: markdown(result) for result in results}


def executed(notebook: Path) -> dict[str, Any]:
    """What the cells show and how long they took; from the last run if no source has changed."""
    kept = KEPT / f"{notebook.stem}.json"
    state = _state(notebook)
    if kept.exists():
        result: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
        if result["state"] == state:
            return result
    command = [sys.executable, str(Path(__file__).resolve()), "run", str(notebook)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg"}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=_LONGEST
    )
    if done.returncode:
        raise RuntimeError(f"{notebook.name} does not run:\n{done.stderr[-3000:]}")
    result = {**json.loads(done.stdout.splitlines()[-1]), "state": state}
    KEPT.mkdir(parents=True, exist_ok=True)
    own = kept.with_suffix(f".{os.getpid()}")
    own.write_text(json.dumps(result), encoding="utf-8")
    own.replace(kept)
    return result


def _state(notebook: Path) -> str:
    """A hash of everything that a notebook shows depends on."""
    found = hashlib.sha256(notebook.read_bytes())
    shared = [Path(__file__), FOLDER / "course.py", *(ROOT / "instances/digits").glob("*.*")]
    for path in sorted(
        [*shared, *(ROOT / "src").rglob("*.py"), *(ROOT / "reductions").rglob("*.py")]
    ):
        found.update(path.read_bytes())
    return found.hexdigest()


def contents() -> str:
    """A table of the notebooks with the line by which each says what it shows."""
    rows = ["| notebook | what you do in it |", "|---|---|"]
    for path in notebooks():
        text = path.read_text(encoding="utf-8")
        title, about = (
            re.search(r"^ *# (\d.*)$", text, re.M),
            re.search(r"^# Shows: (.+)$", text, re.M),
        )
        if title is None or about is None:
            raise RuntimeError(f"{path.name}: no heading, or no line '# Shows: ...' at its top")
        rows.append(f"| [{title[1]}]({path.stem}.md) | {about[1]} |")
    return "\n".join(rows)


# Executing.


def run(notebook: Path) -> dict[str, Any]:
    """Execute all cells in this process."""
    import marimo

    sys.path.insert(0, str(notebook.parent))
    spec = importlib.util.spec_from_file_location(notebook.stem, notebook)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[notebook.stem] = module
    begun, work = time.monotonic(), time.process_time()
    spec.loader.exec_module(module)
    outputs, _ = module.app.run()
    seconds, work = time.monotonic() - begun, time.process_time() - work
    shown = ["" if value is None else marimo.as_html(value).text for value in outputs]
    code = _code(notebook)
    if len(code) != len(shown):
        raise RuntimeError(f"{notebook.name}: {len(code)} cells, {len(shown)} outputs")
    return {
        "name": notebook.stem,
        "seconds": seconds,
        "cpu_seconds": work,
        "cells": [{"code": c, "html": h} for c, h in zip(code, shown, strict=True)],
    }


def _code(notebook: Path) -> list[str]:
    """The source of every cell, empty where the notebook hides it."""
    text = notebook.read_text(encoding="utf-8")
    lines = text.splitlines()
    found = []
    for node in ast.parse(text).body:
        if not isinstance(node, ast.FunctionDef) or not node.decorator_list:
            continue
        last = node.body[-1]
        if "hide_code=True" in ast.unparse(node.decorator_list[0]):
            found.append("")
            continue
        end = last.lineno - 1 if isinstance(last, ast.Return) else last.end_lineno
        first = node.body[0].lineno - 1
        while lines[first - 1].lstrip().startswith("#"):
            first -= 1
        found.append(textwrap.dedent("\n".join(lines[first:end])).strip())
    return found


# From what marimo's pages hold to plain HTML.


class Element:
    """An element or, with an empty tag, the document."""

    def __init__(self, tag: str, attributes: dict[str, str]) -> None:
        self.tag, self.attributes = tag, attributes
        self.children: list[Element | str] = []

    def value(self, name: str) -> Any:
        """An attribute that holds JSON."""
        return json.loads(self.attributes.get(f"data-{name}") or "null")


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open = [Element("", {})]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(element)
        if tag not in _VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].children.append(Element(tag, {n: v or "" for n, v in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if tag in _VOID:
            return
        while len(self.open) > 1 and self.open.pop().tag != tag:
            pass

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def parsed(text: str) -> Element:
    """The tree of a piece of HTML."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    return reader.open[0]


def static(text: str) -> str:
    """HTML without marimo's own elements."""
    return _inside(parsed(text))


def _inside(element: Element) -> str:
    return "".join(_written(child) for child in element.children)


def _text(element: Element) -> str:
    parts = (c if isinstance(c, str) else _text(c) for c in element.children)
    return "".join(parts)


def _written(node: Element | str) -> str:
    if isinstance(node, str):
        return html.escape(node, quote=False)
    if node.tag.startswith("marimo-"):
        return _own(node)
    classes = node.attributes.get("class", "").split()
    if node.tag == "span" and "markdown" in classes:
        return _inside(node)
    if node.tag == "span" and "paragraph" in classes:
        return f"<p>{_inside(node)}</p>"
    attributes = dict(node.attributes)
    if "flex-direction" in attributes.get("style", ""):
        column = "flex-direction: column" in attributes.pop("style")
        attributes["class"] = "stack" if column else "row"
    written = "".join(f' {name}="{html.escape(value)}"' for name, value in attributes.items())
    if node.tag in _VOID:
        return f"<{node.tag}{written}>"
    return f"<{node.tag}{written}>{_inside(node)}</{node.tag}>"


def _own(node: Element) -> str:
    """One of marimo's elements; raises ValueError where there is no plain form for it."""
    if node.tag == "marimo-ui-element":
        return _inside(node)
    if node.tag == "marimo-tex":
        return _formula(_text(node))
    if node.tag == "marimo-callout-output":
        kind = _KINDS.get(node.value("kind"), "note")
        return f'<div class="admonition {kind}">{static(node.value("html"))}</div>'
    if node.tag == "marimo-accordion":
        return "".join(
            f"<details><summary>{_line(label)}</summary>{_written(part)}</details>"
            for label, part in zip(node.value("labels"), _elements(node), strict=True)
        )
    if node.tag == "marimo-tabs":
        return "".join(
            f"<p><strong>{_line(label)}</strong></p>{_written(part)}"
            for label, part in zip(node.value("tabs"), _elements(node), strict=True)
        )
    if "data-initial-value" in node.attributes and "data-label" in node.attributes:
        return _control(node)
    raise ValueError(
        f"<{node.tag}> has no plain form: use Markdown, mo.callout, mo.accordion, mo.hstack, "
        "controls, and course.picture for figures"
    )


def _elements(node: Element) -> list[Element]:
    return [child for child in node.children if isinstance(child, Element)]


def _formula(text: str) -> str:
    """``||(x||)`` and ``||[x||]`` as the site's own formulas are before they become MathML."""
    body = html.escape(text.strip()[3:-3].strip(), quote=False)
    if text.strip().startswith("||["):
        return f'<div class="arithmatex">\\[{body}\\]</div>'
    return f'<span class="arithmatex">\\({body}\\)</span>'


def _line(text: str) -> str:
    """HTML of a label without its paragraph."""
    return static(text).removeprefix("<p>").removesuffix("</p>")


def _control(node: Element) -> str:
    label = _line(node.value("label") or "")
    if node.tag in _NO_VALUE:
        return f'<p class="control"><kbd>{label}</kbd></p>'
    value = node.value("initial-value")
    steps = node.attributes.get("data-steps")
    if node.tag == "marimo-slider" and steps and json.loads(steps):
        value = json.loads(steps)[value]
    if isinstance(value, list):
        value = ", ".join(map(str, value))
    if isinstance(value, bool):
        value = "on" if value else "off"
    shown = html.escape(str(value))
    if "\n" in shown:
        return f'<div class="control">{label}<pre>{shown}</pre></div>'
    return f'<p class="control">{label} <output>{shown}</output></p>'


# Pages.

_CHUNKS: dict[str, str] = {}


def markdown(result: dict[str, Any]) -> str:
    """A page whose headings are Markdown's; all else stands in `with_chunks` later."""
    parts: list[str] = []
    for number, cell in enumerate(result["cells"]):
        pieces = [*_headed(parsed(cell["html"]))]
        if cell["code"]:
            pieces.append(("", _folded(cell["code"])))
        for piece, (heading, body) in enumerate(pieces):
            if heading:
                parts.append(heading)
            if body.strip():
                key = f"chunk-{result['name']}-{number}-{piece}".replace("_", "-")
                _CHUNKS[key] = body
                parts.append(key)
    parts.insert(1, _how_to_open(result["name"]))
    return "\n\n".join(parts) + "\n"


def with_chunks(page: str) -> str:
    """The page's HTML with what the notebook shows in its places."""
    return re.sub(r"<p>(chunk-[\w-]+)</p>", lambda match: _CHUNKS[match[1]], page)


def _headed(document: Element) -> list[tuple[str, str]]:
    """A cell's output as headings, each with what follows; the first has no heading."""
    pieces, heading, body = [], "", ""
    nodes = document.children
    if len(nodes) == 1 and isinstance(nodes[0], Element) and nodes[0].tag == "span":
        nodes = nodes[0].children
    for node in nodes:
        match = _HEADING.match(node.tag) if isinstance(node, Element) else None
        if match and isinstance(node, Element):
            pieces.append((heading, body))
            text = re.sub(r"\|\|\((.*?)\|\|\)", r"$\1$", _text(node).strip())
            heading, body = f"{'#' * int(match[1])} {text}", ""
        else:
            body += _written(node)
    return [*pieces, (heading, body)]


def _folded(code: str) -> str:
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    written = highlight(code, PythonLexer(), HtmlFormatter(cssclass="highlight"))
    return f'<details class="code"><summary>Code</summary>{written}</details>'


def _how_to_open(name: str) -> str:
    return (
        "*This page shows the notebook with its controls at their first values. "
        f"[Open it](index.md) to move them: `marimo run docs/notebooks/{name}.py`.*"
    )


if __name__ == "__main__":
    print(json.dumps(run(Path(sys.argv[2]).resolve())))
