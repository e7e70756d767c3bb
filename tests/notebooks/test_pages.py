"""Notebooks as plain pages: what becomes of marimo's own elements."""

import html
import importlib
import json
import sys
from pathlib import Path

import pytest

_SITE = Path(__file__).parents[2] / "docs" / "site"
sys.path.insert(0, str(_SITE))
try:
    pages, plain = map(importlib.import_module, ("notebook_pages", "plain_html"))
finally:
    sys.path.remove(str(_SITE))


def element(tag, inside="", **values):
    written = "".join(
        f" data-{name.replace('_', '-')}='{html.escape(json.dumps(value))}'"
        for name, value in values.items()
    )
    return f"<{tag}{written}>{inside}</{tag}>"


def paragraph(text):
    return f'<span class="markdown prose"><span class="paragraph">{text}</span></span>'


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (paragraph("a &lt; b &amp; c"), "<p>a &lt; b &amp; c</p>"),
        (
            '<marimo-tex class="arithmatex">||(x &lt; 1||)</marimo-tex>',
            '<span class="arithmatex">\\(x &lt; 1\\)</span>',
        ),
        ("<marimo-tex>||[y||]</marimo-tex>", '<div class="arithmatex">\\[y\\]</div>'),
        (
            element("marimo-callout-output", html=paragraph("no"), kind="warn"),
            '<div class="admonition warning"><p>no</p></div>',
        ),
        (
            element("marimo-accordion", "<div>1</div><div>2</div>", labels=["A", paragraph("B")]),
            "<details><summary>A</summary><div>1</div></details>"
            "<details><summary>B</summary><div>2</div></details>",
        ),
        ('<img alt="a &quot;b&quot;" src="data:x">', '<img alt="a &quot;b&quot;" src="data:x">'),
        (
            "<div style='display: flex;flex-direction: row;flex-wrap: nowrap'>x</div>",
            '<div class="row">x</div>',
        ),
        ("<div style='display: flex;flex-direction: column'>x</div>", '<div class="stack">x</div>'),
    ],
)
def test_what_marimo_shows_becomes_plain(given, expected):
    assert plain.static(given) == expected


@pytest.mark.parametrize(
    ("tag", "values", "expected"),
    [
        ("marimo-slider", {"initial_value": 3, "steps": []}, "3"),
        ("marimo-slider", {"initial_value": 1, "steps": [10, 30]}, "30"),
        ("marimo-dropdown", {"initial_value": ["both"]}, "both"),
        ("marimo-switch", {"initial_value": True}, "on"),
        ("marimo-text", {"initial_value": "1 < 2"}, "1 &lt; 2"),
    ],
)
def test_a_control_tells_its_first_value(tag, values, expected):
    given = f"<marimo-ui-element>{element(tag, label=paragraph('How'), **values)}"
    assert plain.static(f"{given}</marimo-ui-element>") == (
        f'<p class="control">How <output>{expected}</output></p>'
    )


def test_an_element_without_a_plain_form_is_named():
    with pytest.raises(ValueError, match="<marimo-table> has no plain form"):
        plain.static("<marimo-table></marimo-table>")


def test_headings_become_those_of_the_page():
    cell = paragraph("").replace(
        '<span class="paragraph"></span>',
        "<h1>T</h1><h2>U <marimo-tex>||(v_1||)</marimo-tex></h2><p>w</p>",
    )
    result = {"name": "01_x", "cells": [{"code": "", "html": cell}, {"code": "a = 1", "html": ""}]}
    text = pages.markdown(result)
    assert text.startswith("# T\n\n*This page")
    assert "\n## U $v_1$\n" in text
    assert pages.with_chunks("<p>chunk-01-x-0-2</p>") == "<p>w</p>"
    assert "<summary>Code</summary>" in pages.with_chunks("<p>chunk-01-x-1-1</p>")


def test_code_of_cells_that_hide_it_is_left_out(tmp_path):
    notebook = tmp_path / "01_x.py"
    notebook.write_text(
        "@app.cell(hide_code=True)\ndef _():\n    a = 1\n    return (a,)\n\n\n"
        "@app.cell\ndef _(a):\n    # why\n    b = a\n    b\n    return\n"
    )
    assert pages._code(notebook) == ["", "# why\nb = a\nb"]
