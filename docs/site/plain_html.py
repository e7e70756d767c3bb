"""From the HTML that marimo shows to plain HTML: no element of its own, no script."""

from __future__ import annotations

import html
import json
from html.parser import HTMLParser
from typing import Any

__all__ = ["Element", "parsed", "static", "text_of", "written"]

_VOID = {"br", "col", "hr", "img", "input", "wbr"}
_KINDS = {"success": "success", "warn": "warning", "danger": "danger", "info": "info"}
_NO_VALUE = {"marimo-button"}


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
    return "".join(written(child) for child in element.children)


def text_of(element: Element) -> str:
    """The text inside an element."""
    parts = (c if isinstance(c, str) else text_of(c) for c in element.children)
    return "".join(parts)


def written(node: Element | str) -> str:
    """An element or a text as plain HTML."""
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
    rest = "".join(f' {name}="{html.escape(value)}"' for name, value in attributes.items())
    if node.tag in _VOID:
        return f"<{node.tag}{rest}>"
    return f"<{node.tag}{rest}>{_inside(node)}</{node.tag}>"


def _own(node: Element) -> str:
    """One of marimo's elements; raises ValueError where there is no plain form for it."""
    if node.tag == "marimo-ui-element":
        return _inside(node)
    if node.tag == "marimo-tex":
        return _formula(text_of(node))
    if node.tag == "marimo-callout-output":
        kind = _KINDS.get(node.value("kind"), "note")
        return f'<div class="admonition {kind}">{static(node.value("html"))}</div>'
    if node.tag == "marimo-accordion":
        return "".join(
            f"<details><summary>{_line(label)}</summary>{written(part)}</details>"
            for label, part in zip(node.value("labels"), _elements(node), strict=True)
        )
    if node.tag == "marimo-tabs":
        return "".join(
            f"<p><strong>{_line(label)}</strong></p>{written(part)}"
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
