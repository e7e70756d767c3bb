"""Drawing charts as SVG that follows the page: its text colour, its width, light or dark."""

from __future__ import annotations

import io
import re
from typing import Any

from reductions.analysis.charts import Chart, Series

__all__ = ["draw"]

# Mid tones that stand out on white and on near black alike.
_COLOURS = ("#4477aa", "#cc6677", "#228833", "#b8860b", "#9966cc", "#339999", "#aa4499", "#888888")
_MARKERS = "osD^vP*X"
_DASHES = ("-", "--", "-.", ":")
# Stands for the colour of the page's text until the SVG is written.
_INK = "#010203"
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10,
    "text.color": _INK,
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "grid.color": _INK,
    "grid.alpha": 0.15,
    "axes.spines.top": False,
    "legend.frameon": False,
    "legend.fontsize": 9,
    # Names of doors and families are no formulas.
    "text.parse_math": False,
}


def draw(chart: Chart) -> str:
    """The chart as an ``svg`` element; the same chart gives the same text."""
    import matplotlib as mpl

    # Ids are made from the salt: two charts on one page must not share them.
    with mpl.rc_context({**_STYLE, "svg.hashsalt": chart.slug}):
        return _as_element(_picture(chart), chart)


def _picture(chart: Chart) -> str:
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.9, 3.9), layout="constrained")
    FigureCanvasSVG(figure)
    axis = figure.add_subplot()
    if chart.log_y:
        heights = [y for series in chart.series for y in series.y]
        smallest = min((y for y in heights if y > 0), default=1.0)
        # A counter may stand at 0, which a logarithm cannot show.
        scale = {"linthresh": smallest} if min(heights, default=1.0) <= 0 else {}
        axis.set_yscale("symlog" if scale else "log", **scale)
        _fit_to_data(axis, chart)
    if chart.log_x:
        axis.set_xscale("log")
    right = axis.twinx() if any(series.kind == "share" for series in chart.series) else None
    for series in chart.series:
        # Open triangles are explained by the door's other marks, where it has any.
        alone = not any(s.kind == "medians" and s.colour == series.colour for s in chart.series)
        place = right if series.kind == "share" and right is not None else axis
        _add(place, series, named=series.kind != "cut-off" or alone)
    if right is not None:
        right.set_ylim(-0.02, 1.02)
        right.set_ylabel("satisfiable fraction")
    if chart.unseen_from is not None:
        axis.axvspan(chart.unseen_from, axis.get_xlim()[1], color="#888888", alpha=0.12, lw=0)
    for scaled, ticks in ((chart.log_x, axis.xaxis), (chart.log_y, axis.yaxis)):
        if scaled:
            ticks.set_major_formatter("{x:g}")
            ticks.set_minor_formatter("")
    axis.set_xlabel(chart.x_label)
    axis.set_ylabel(chart.y_label)
    axis.grid(visible=True)
    _legend(figure, axis, right)
    text = io.StringIO()
    figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return text.getvalue()


def _fit_to_data(axis: Any, chart: Chart) -> None:
    """What was measured sets the frame; a wide band may leave it."""
    kinds = ("points", "medians", "cut-off", "steps")
    heights = [y for series in chart.series if series.kind in kinds for y in series.y]
    if heights:
        axis.set_ylim(min(heights) / 1.8, max(heights) * 3 or 1.0)


def _add(axis: Any, series: Series, *, named: bool) -> None:
    colour = _COLOURS[series.colour % len(_COLOURS)]
    marker = _MARKERS[series.colour % len(_MARKERS)]
    dash = _DASHES[series.colour % len(_DASHES)]
    if series.kind == "points":
        axis.plot(series.x, series.y, "o", color=colour, markersize=3, alpha=0.35, mew=0)
    elif series.kind == "medians":
        axis.plot(
            series.x, series.y, linestyle=dash, marker=marker, color=colour, markersize=5,
            linewidth=1.4, label=series.name,
        )  # fmt: skip
    elif series.kind == "cut-off":
        axis.plot(
            series.x,
            series.y,
            "^",
            color=colour,
            markersize=7,
            fillstyle="none",
            mew=1.3,
            label=series.name if named else None,
        )
    elif series.kind == "band":
        axis.fill_between(series.x, series.low, series.high, color=colour, alpha=0.22, lw=0)
    elif series.kind == "limit":
        axis.axhline(series.y[0], color=_INK, linewidth=0.8, linestyle=(0, (1, 2)))
    elif series.kind == "steps":
        axis.step(
            series.x, series.y, where="post", color=colour, linestyle=dash, linewidth=1.8,
            label=series.name,
        )  # fmt: skip
    elif series.kind == "share":
        axis.plot(series.x, series.y, color=_INK, linewidth=1.2, alpha=0.6, label=series.name)
    else:
        style = "--" if series.kind == "dashes" else "-"
        axis.plot(series.x, series.y, style, color=colour, linewidth=1.6, label=series.name)


def _legend(figure: Any, axis: Any, right: Any) -> None:
    """Above the axes, where it hides nothing."""
    handles, labels = axis.get_legend_handles_labels()
    if right is not None:
        more = right.get_legend_handles_labels()
        handles, labels = handles + more[0], labels + more[1]
    if handles:
        columns = 1 if max(map(len, labels)) > 28 else 2
        figure.legend(handles, labels, loc="outside upper left", ncols=columns, handlelength=2.4)


def _as_element(text: str, chart: Chart) -> str:
    """The bare element: scales with the page, ids of its own, ink in the page's colour."""
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'id="', f'id="{chart.slug}-', text)
    text = re.sub(r"url\(#", f"url(#{chart.slug}-", text)
    text = re.sub(r'href="#', f'href="#{chart.slug}-', text)
    text = text.replace(_INK, "currentColor")
    return text.replace("<svg", f'<svg role="img" aria-labelledby="{chart.slug}-caption"', 1)
