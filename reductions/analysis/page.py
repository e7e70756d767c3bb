"""The report as one HTML page that needs nothing beside it: styles, charts and numbers inside."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files

from reductions.analysis.charts import table_text
from reductions.analysis.drawing import draw
from reductions.analysis.section import Figure, Section, Table
from reductions.analysis.wording import number

__all__ = ["page"]

_MOST_ROWS = 60


def page(
    title: str,
    notes: Sequence[str],
    facts: Mapping[str, str],
    sections: Sequence[Section],
    closing: str,
) -> str:
    """The whole page. ``notes`` are what is wrong with the run; ``facts`` how it was made."""
    style = files("reductions.analysis").joinpath("page.css").read_text(encoding="utf-8")
    findings = [finding for section in sections for finding in section.findings]
    body = [
        f"<h1>{escape(title)}</h1>",
        *(f'<p class="warn">Note: {escape(note)}</p>' for note in notes),
        _in_short(findings),
        _contents(sections),
        '<section id="run"><h2>What was run</h2>', _facts(facts), "</section>",
        *(_section(index, section) for index, section in enumerate(sections)),
        f'<p class="soft">{escape(closing)}</p>',
    ]  # fmt: skip
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>\n{style}</style></head>\n<body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def _in_short(findings: Sequence[str]) -> str:
    if not findings:
        return "<p>There is nothing to conclude from this run yet.</p>"
    items = "".join(f"<li>{escape(finding)}</li>" for finding in findings)
    return f'<div class="short"><p><strong>In short</strong></p><ul>{items}</ul></div>'


def _contents(sections: Sequence[Section]) -> str:
    links = "".join(
        f'<a href="#part-{index}">{escape(section.title)}</a>'
        for index, section in enumerate(sections)
    )
    return f'<nav aria-label="Sections"><a href="#run">What was run</a>{links}</nav>'


def _facts(facts: Mapping[str, str]) -> str:
    entries = "".join(
        f"<dt>{escape(name)}</dt><dd><code>{escape(value)}</code></dd>"
        for name, value in facts.items()
    )
    return f"<dl>{entries}</dl>"


def _section(index: int, section: Section) -> str:
    parts = [f'<section id="part-{index}"><h2>{escape(section.title)}</h2>']
    parts.append(f"<p>{escape(section.intro)}</p>")
    parts += [f"<p><strong>{escape(finding)}</strong></p>" for finding in section.findings
              if not section.figures]  # fmt: skip
    if section.figures:
        parts.append(_grid(section.figures))
    parts += [_table(table) for table in section.tables]
    if section.folded:
        count = len(section.folded)
        parts.append(
            f"<details><summary>{count} more chart{'s' if count > 1 else ''}: effort counted "
            f"instead of timed</summary>{_grid(section.folded)}</details>"
        )
    if section.remarks:
        items = "".join(f"<li>{escape(remark)}</li>" for remark in section.remarks)
        parts.append(f'<ul class="soft">{items}</ul>')
    return "\n".join([*parts, "</section>"])


def _grid(figures: Iterable[Figure]) -> str:
    return f'<div class="grid">{"".join(_figure(figure) for figure in figures)}</div>'


def _figure(figure: Figure) -> str:
    chart = figure.chart
    return (
        f'<figure><h3 id="{chart.slug}-caption">{escape(chart.title)}</h3>{draw(chart)}'
        f"<figcaption>{escape(figure.text)} {_links(chart.slug, chart.table())}</figcaption>"
        "</figure>\n"
    )


def _links(slug: str, rows: Sequence[Sequence[object]]) -> str:
    """To the file beside the page, and to the same numbers inside it."""
    data = base64.b64encode(table_text(rows).encode()).decode()
    name = f"{slug}.csv"
    return (
        f'<a href="{name}">{name}</a> '
        f'(<a download="{name}" href="data:text/csv;base64,{data}">inside this page</a>)'
    )


def _table(table: Table) -> str:
    link = _links(table.slug, table.table())
    if not table.shown or not table.rows:
        return f'<p class="soft">{escape(table.caption)}: {link}</p>'
    text = [
        all(isinstance(row[k], str) or row[k] is None for row in table.rows)
        and any(isinstance(row[k], str) for row in table.rows)
        for k in range(len(table.header))
    ]
    head = "".join(
        f"<th{_class('text' if is_text else '')}>{escape(name)}</th>"
        for name, is_text in zip(table.header, text, strict=True)
    )
    body = "".join(
        "<tr>" + "".join(map(_cell, row, text)) + "</tr>\n" for row in table.rows[:_MOST_ROWS]
    )
    rest = len(table.rows) - _MOST_ROWS
    more = f"<p class='soft'>{rest} more rows are in the CSV.</p>" if rest > 0 else ""
    title = f"<h3>{escape(table.caption)}</h3>"
    content = (
        '<div class="scroll" tabindex="0">'
        f"<table><thead><tr>{head}</tr></thead><tbody>\n{body}</tbody></table></div>{more}"
        f'<p class="soft">{link}</p>'
    )
    if table.folded:
        return f"<details><summary>{escape(table.caption)}</summary>{content}</details>"
    return f'<div class="table">{title}{content}</div>'


def _cell(value: object, is_text: bool) -> str:
    if value is None:
        return "<td>–</td>"
    if isinstance(value, float):
        return f"<td>{'–' if math.isnan(value) else number(value)}</td>"
    classes = [str(value)] if value in ("rejected", "missed") else []
    return f"<td{_class(*classes, 'text' if is_text else '')}>{escape(str(value))}</td>"


def _class(*names: str) -> str:
    kept = [name for name in names if name]
    return f' class="{" ".join(kept)}"' if kept else ""
