"""The page: one HTML file with its style, script and numbers inside, which loads nothing."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from html import escape
from importlib.resources import files

from reductions.explaining.conclusion import conclusion, verdict
from reductions.explaining.script_data import script_data
from reductions.explaining.sections import (
    formula_section,
    half_spaces_section,
    nae_section,
    network_section,
    points_section,
)
from reductions.explaining.story import Story
from reductions.explaining.wording import plain, variable_name

__all__ = ["page"]

_MOST_COMMENTS = 20
_LONGEST_COMMENT = 160
_HINT = (
    "Point at, tap or tab to anything: what belongs to it lights up. "
    "Arrow keys move, Space flips, Enter keeps the marks, Escape clears them."
)


def page(story: Story, name: str, comments: Sequence[str] = ()) -> str:
    """The whole page. ``name``: what the formula's file is called; ``comments``: those in it."""
    folder = files("reductions.explaining")
    style = "\n" + folder.joinpath("page.css").read_text(encoding="utf-8")
    script = "\n" + folder.joinpath("page.js").read_text(encoding="utf-8")
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    body = [
        _header(story, name, comments),
        _panel(story),
        "<main>",
        f'<div class="beside"><div>{formula_section(story)}{nae_section(story)}</div>',
        f"{points_section(story)}</div>",
        f'<div class="beside">{half_spaces_section(story)}{network_section(story)}</div>',
        conclusion(story, name),
        "</main>",
        f'<script type="application/json" id="story">{script_data(story)}</script>',
        f"<script>{script}</script>",
    ]
    title = escape(plain(name))
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="data:,">'
        f"<title>{title}: a formula as a network</title><style>{style}</style></head>\n<body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def _hash(text: str) -> str:
    """As content security policies name an inline script or style."""
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"


def _header(story: Story, name: str, comments: Sequence[str]) -> str:
    variables, clauses = story.formula.variables, len(story.formula.clauses)
    lead = (
        f"<code>{escape(plain(name))}</code> has {_count(variables, 'variable')} and "
        f"{_count(clauses, 'clause')}. Here it becomes {len(story.points)} points, each with a "
        "small ball around it and a label, +1 or −1. A network of two neurons can give every "
        "whole ball its label exactly when the formula is satisfiable."
    )
    return (
        f"<header><h1>A formula as a network</h1><p>{lead}</p>{verdict(story)}"
        f"{_comments(comments)}</header>"
    )


def _count(amount: int, noun: str) -> str:
    return f"{amount} {noun}{'' if amount == 1 else 's'}"


def _comments(comments: Sequence[str]) -> str:
    if not any(comments):
        return ""
    lines = [plain(comment)[:_LONGEST_COMMENT] for comment in comments[:_MOST_COMMENTS]]
    if len(comments) > _MOST_COMMENTS:
        lines.append(f"({len(comments) - _MOST_COMMENTS} more lines)")
    text = escape("\n".join(lines))
    return f"<details><summary>Comments in the file</summary><pre>{text}</pre></details>"


def _panel(story: Story) -> str:
    switches = "".join(
        f'<button type="button" class="switch" data-e="v:{index}" aria-pressed="{_word(value)}" '
        f'tabindex="{0 if index == 0 else -1}">{variable_name(index + 1, story.helper)} '
        f"<span>{_word(value)}</span></button>"
        for index, value in enumerate(story.start.values)
    )
    done = ' class="done"' if story.start.memorizes else ""
    return (
        '<section class="panel" id="panel" aria-label="Assignment"><div class="bar">'
        "<strong>Assignment</strong>"
        f'<span id="status" role="status"{done}>{_status(story)}</span>'
        f'<button type="button" id="reset" disabled>Reset</button></div>'
        '<div class="switches" role="group" aria-label="Variables, each true or false" data-rove>'
        f"{switches or 'The formula has no variables.'}</div>"
        f'<p id="about" aria-live="polite">{_HINT}</p>'
        "<noscript><p>Without scripts this page shows its first assignment only.</p></noscript>"
        "</section>"
    )


def _word(value: bool) -> str:
    return "true" if value else "false"


def _status(story: Story) -> str:
    true, right = sum(story.start.clauses), sum(p.right for p in story.start.points)
    return (
        f"{true} of {len(story.clauses)} clauses true, {right} of {len(story.points)} balls right"
    )
