"""The notebooks as pages that need no server and no script: prose, pictures, first values.

``python notebook_pages.py run NOTEBOOK`` executes a notebook and prints what its cells show, as
JSON. `pages` does so for all of them, each in a process of its own, and keeps the results as long
as no source changes. Controls become lines that tell their first value, formulas what the site's
own formulas are, folded answers stay folded.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import json
import os
import re
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from plain_html import Element, parsed, text_of, written

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "notebooks"
KEPT = ROOT / "build" / "notebooks"
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
    shared = [
        *Path(__file__).parent.glob("*.py"),
        *FOLDER.glob("[a-z]*.py"),  # what notebooks share
        *(ROOT / "instances/digits").glob("*.*"),
        *(ROOT / "docs/experiments").rglob("*.csv"),
        *(ROOT / "tests/reductions/broken_rules").glob("*.py"),
    ]
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
            text = re.sub(r"\|\|\((.*?)\|\|\)", r"$\1$", text_of(node).strip())
            heading, body = f"{'#' * int(match[1])} {text}", ""
        else:
            body += written(node)
    return [*pieces, (heading, body)]


def _folded(code: str) -> str:
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    coloured = highlight(code, PythonLexer(), HtmlFormatter(cssclass="highlight"))
    return f'<details class="code"><summary>Code</summary>{coloured}</details>'


def _how_to_open(name: str) -> str:
    return (
        "*This page shows the notebook with its controls at their first values. "
        f"[Open it](index.md) to move them: `marimo run docs/notebooks/{name}.py`.*"
    )


if __name__ == "__main__":
    print(json.dumps(run(Path(sys.argv[2]).resolve())))
