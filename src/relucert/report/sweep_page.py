"""The report of a sweep: one HTML file that needs nothing else, for screens of any size."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

__all__ = ["sweep_page"]

_MOST_ROWS = 500
_STYLE = """
:root { color-scheme: light dark; --line: #8885; --soft: #8882; }
body { font: 1rem/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .7rem; text-align: right; }
th:first-child, td:first-child, td.words, th.words { text-align: left; }
tbody tr:nth-child(even) { background: var(--soft); }
figure { margin: 0; } svg { height: auto; max-width: 44rem; width: 100%; }
dl { display: grid; gap: .2rem 1rem; grid-template-columns: max-content 1fr; }
dt { opacity: .75; } dd { margin: 0; overflow-wrap: anywhere; }
@media (max-width: 34rem) { dl { grid-template-columns: 1fr; } dd { margin-bottom: .5rem; } }
"""


def sweep_page(
    title: str,
    summary: str,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    picture: str,
    open_items: Sequence[tuple[str, str]],
    facts: Sequence[tuple[str, str]],
) -> str:
    """The page as text. picture: an SVG element. open_items: unknown items and why, by name.

    facts: names and values of the settings. All words are escaped, the picture is not.
    """
    parts = [
        f"<h1>{escape(title)}</h1><p>{escape(summary)}</p>",
        f"<figure>{picture}<figcaption>Share of the points that is proved robust at each radius; "
        "shaded: not decided.</figcaption></figure>",
        "<h2>By network and radius</h2>",
        _table(header, rows, words=1),
    ]
    if open_items:
        shown = open_items[:_MOST_ROWS]
        parts += [f"<h2>Not decided ({len(open_items)})</h2>", _table(("item", "why"), shown, 2)]
        if len(shown) < len(open_items):
            parts.append(f"<p>The first {len(shown)}; all of them stand in results.csv.</p>")
    listed = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts)
    parts.append(f"<h2>Settings</h2><dl>{listed}</dl>")
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n"
        f"<body>{chr(10).join(parts)}</body></html>\n"
    )


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], words: int) -> str:
    """``words``: how many columns from the left hold words."""

    def line(cells: Sequence[str], tag: str) -> str:
        marks = [' class="words"' if place < words else "" for place in range(len(cells))]
        inside = (
            f"<{tag}{mark}>{escape(cell)}</{tag}>" for mark, cell in zip(marks, cells, strict=True)
        )
        return f"<tr>{''.join(inside)}</tr>"

    body = "\n".join(line(row, "td") for row in rows)
    return (
        f'<div class="wide"><table><thead>{line(header, "th")}</thead>'
        f"<tbody>{body}</tbody></table></div>"
    )
