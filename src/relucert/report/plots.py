"""Pictures (the only room that imports matplotlib)."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from relucert.errors import FileError
from relucert.exact import nearest_float
from relucert.radius_bracket import RadiusBracket

__all__ = [
    "AccuracyPoint",
    "accuracy_svg",
    "check_format",
    "plain_words",
    "plot_accuracy",
    "plot_cactus",
    "plot_radii",
]

_FORMATS = (".png", ".svg", ".pdf")
_COLOURS = ("#4477aa", "#cc6677", "#228833", "#aa7711", "#663399", "#555555")
_DASHES = ("-", "--", "-.", ":")
_MARKERS = "osD^vP"
_SHORTEST = 0.01
_INK = "#0a0b0c"  # of axes and words; stands for the colour of the page's text


def plain_words(text: str) -> str:
    """A file's name as matplotlib shows it as it is: no formulas, and in legends too."""
    shown = text.encode("utf-8", "replace").decode("utf-8").replace("$", r"\$")
    return f" {shown}" if shown.startswith("_") else shown


def check_format(path: str | Path) -> None:
    """Raise FileError unless the file name's ending is that of a picture that can be drawn."""
    if Path(path).suffix.lower() not in _FORMATS:
        raise FileError(path, f"unknown picture format; use {', '.join(_FORMATS)}")


def plot_cactus(
    path: str | Path, times: Mapping[str, Sequence[float]], instances: int, title: str
) -> None:
    """How many of ``instances`` each tool solves within so many seconds, one line a tool.

    times: by tool, the seconds of what it solved, in any order. The time axis is logarithmic.
    Raises FileError when the picture cannot be written.
    """
    path = Path(path)
    check_format(path)
    plt = _pyplot()
    figure, axis = plt.subplots(figsize=(7, 4.2), layout="constrained")
    most = max([1.0, *(second for seconds in times.values() for second in seconds)]) * 1.3
    for number, (tool, seconds) in enumerate(times.items()):
        ordered = sorted(max(second, _SHORTEST) for second in seconds)
        axis.step(
            [*ordered, most], [*range(1, len(ordered) + 1), len(ordered)], where="post",
            color=_COLOURS[number % len(_COLOURS)], linestyle=_DASHES[number % len(_DASHES)],
            linewidth=2, label=plain_words(f"{tool} ({len(ordered)})"),
        )  # fmt: skip
    axis.axhline(instances, color="#999999", linewidth=0.8)
    axis.annotate(
        f"all {instances}", (1, instances), xycoords=("axes fraction", "data"),
        xytext=(-4, 3), textcoords="offset points", ha="right", color="#777777",
    )  # fmt: skip
    axis.set_xscale("log")
    axis.set_xlim(right=most)
    axis.xaxis.set_major_formatter("{x:g}")
    axis.set_ylim(0, instances * 1.1)
    axis.yaxis.get_major_locator().set_params(integer=True)
    axis.set_xlabel("seconds for one instance")
    axis.set_ylabel("instances solved")
    axis.set_title(plain_words(title), loc="left")
    axis.grid(color="#dddddd", linewidth=0.6)
    axis.legend(loc="upper left" if _low_start(times, instances) else "lower right")
    _save(plt, figure, path)


def _low_start(times: Mapping[str, Sequence[float]], instances: int) -> bool:
    """Whether the upper left corner stays free: no line has half of all within a quarter."""
    return all(
        sum(second <= 0.1 for second in seconds) < 0.5 * instances for seconds in times.values()
    )


def _pyplot() -> Any:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    return plt


def _save(plt: Any, figure: Any, path: Path) -> None:
    """Write under a temporary name, then rename; the figure is closed in any case."""
    temporary = path.with_name(f".{path.name}.part")
    try:
        figure.savefig(temporary, dpi=150, format=path.suffix.lower()[1:])
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise FileError(path, f"cannot be written ({error.strerror or error})") from None
    finally:
        plt.close(figure)


def plot_radii(path: str | Path, brackets: Sequence[RadiusBracket], title: str) -> None:
    """A histogram of robustness radii with the share of points that is robust at each radius.

    Brackets that are open are drawn at their proved lower end and said so. The format follows
    the file name's ending (.png, .svg, .pdf). Raises FileError when it cannot be written.
    """
    path = Path(path)
    check_format(path)
    plt = _pyplot()
    radii = sorted(nearest_float(bracket.lower) for bracket in brackets)
    open_count = sum(not bracket.closed for bracket in brackets)
    figure, axis = plt.subplots(figsize=(7, 4.2), layout="constrained")
    bins = max(5, min(30, len(radii) // 3))
    axis.hist(radii, bins=bins, color="#4477aa", edgecolor="white", label="points")
    axis.set_xlabel("robustness radius (l∞)")
    axis.set_ylabel("points")
    axis.set_title(plain_words(title), loc="left")
    share = axis.twinx()
    steps = [0.0, *radii]
    shares = [100.0 * sum(r >= x for r in radii) / max(len(radii), 1) for x in steps]
    share.step(steps, shares, where="post", color="#cc6677", label="robust at this radius")
    share.set_ylabel("certified points (%)")
    share.set_ylim(0, 105)
    if open_count:
        axis.set_xlabel(
            f"robustness radius (l∞); {open_count} open brackets drawn at their lower end"
        )
    handles = [*axis.get_legend_handles_labels()[0], *share.get_legend_handles_labels()[0]]
    share.legend(handles, [str(handle.get_label()) for handle in handles], loc="upper right")
    _save(plt, figure, path)


@dataclass(frozen=True)
class AccuracyPoint:
    """One radius of a curve: shares of all points in [0, 1] that are proved, and not violated."""

    radius: float
    proved: float
    possible: float


Curves = Mapping[str, Sequence[AccuracyPoint]]


def plot_accuracy(path: str | Path, curves: Curves, title: str) -> None:
    """Certified accuracy against the radius, a line a network; a shade up to what is possible.

    Raises FileError for unknown endings and where the picture cannot be written.
    """
    path = Path(path)
    check_format(path)
    plt = _pyplot()
    with plt.rc_context({"svg.hashsalt": "relucert"}):
        _save(plt, _accuracy(plt, curves, title), path)


def accuracy_svg(curves: Curves) -> str:
    """The same picture as an SVG element that takes its ink from the page around it."""
    plt = _pyplot()
    style = dict.fromkeys(
        ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), _INK
    )
    with plt.rc_context({**style, "svg.hashsalt": "relucert", "legend.framealpha": 0.0}):
        figure = _accuracy(plt, curves, "")
        stream = io.StringIO()
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
        plt.close(figure)
    text = stream.getvalue()
    words = '<svg role="img" aria-label="Certified accuracy against the radius"'
    return words + text[text.index("<svg") + 4 :].replace(_INK, "currentColor")


def _accuracy(plt: Any, curves: Curves, title: str) -> Any:
    figure, axis = plt.subplots(figsize=(7, 4.2), layout="constrained")
    for number, (name, points) in enumerate(curves.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        radii = [point.radius for point in points]
        proved = [100.0 * point.proved for point in points]
        possible = [100.0 * point.possible for point in points]
        axis.plot(
            radii, proved, color=colour, linestyle=_DASHES[number % len(_DASHES)], linewidth=2,
            marker=_MARKERS[number % len(_MARKERS)], markersize=6, label=plain_words(name),
        )  # fmt: skip
        axis.fill_between(radii, proved, possible, color=colour, alpha=0.2, linewidth=0)
        axis.vlines(radii, proved, possible, color=colour, alpha=0.4, linewidth=4)
    axis.set_xlabel("radius (l∞)")
    axis.set_ylabel("certified points (%)")
    axis.set_ylim(0, 105)
    axis.set_xlim(left=0)
    axis.set_title(plain_words(title), loc="left")
    axis.grid(color="#888888", alpha=0.3, linewidth=0.6)
    if curves:
        axis.legend(loc="best")
    return figure
