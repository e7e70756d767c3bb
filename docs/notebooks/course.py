"""What the notebooks of the course share: pictures with a description, colours, friendly lines.

A notebook ``NN_name.py`` of this folder begins as the others do (display theme, ``# Shows:``,
``app.setup``), imports what the reference lists, and shows Markdown, `picture`, `friendly`,
mo.hstack, mo.vstack, mo.accordion and controls: the site has plain forms for these. Cells with
``hide_code=True`` show no code there. A line in ``tests/notebooks/test_notebooks.py`` says which
control the browser test moves.
"""

from __future__ import annotations

import base64
import html
import io
from pathlib import Path
from typing import Any

import marimo as mo
import matplotlib as mpl

mpl.use("Agg")

ROOT = Path(__file__).resolve().parents[2]
DIGITS = ROOT / "instances" / "digits"  # small trained networks and their points
INK, GREY = "#222222", "#777777"
# Okabe & Ito (2008): told apart with every kind of colour vision.
BLUE, ORANGE, GREEN, PINK = "#0072b2", "#d55e00", "#009e73", "#cc79a7"


def new_figure(
    width: float = 6.0, height: float = 4.5, columns: int = 1, rows: int = 1
) -> tuple[Any, Any]:
    """A figure of this size in inches, and its axes: one, or an array of them."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(rows, columns)
    for axis in figure.axes:
        axis.tick_params(labelsize=9, colors="#444444")
        for spine in axis.spines.values():
            spine.set_edgecolor("#999999")
    return figure, axes


def picture(figure: Any, description: str) -> mo.Html:
    """The figure as an image that fits the page; ``description`` is for those who cannot see it."""
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=140, format="png", facecolor="white", metadata={"Software": None})
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    width = round(100 * figure.get_size_inches()[0])
    return mo.Html(
        f'<img alt="{html.escape(description)}" src="data:image/png;base64,{data}" '
        f'style="width: {width}px; max-width: 100%; height: auto; border-radius: 4px">'
    )


def friendly(text: str, kind: str = "warn") -> Any:
    """A framed line: what was wrong with an input and what to do, or a fact."""
    return mo.callout(mo.md(text), kind=kind)  # type: ignore[arg-type]


def shown(value: Any, digits: int = 5) -> str:
    """A rational as a short decimal, for reading; never for deciding anything."""
    return f"{float(value):.{digits}g}"
