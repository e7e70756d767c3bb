"""Pictures of data in the plane: points, balls, decision regions, the lines of neurons."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from relucert.errors import FileError, UsageError
from relucert.network import Network
from relucert.query import Decision
from relucert.report.plane_lines import INK, draw_lines
from relucert.report.plots import plain_words
from relucert.write.files import check_target, write_atomically

__all__ = ["PlaneData", "check_picture", "label_margins", "plot_plane"]

_FORMATS = (".png", ".svg", ".pdf")
# Okabe & Ito (2008): told apart with every kind of colour vision; shapes tell them apart, too.
_COLOURS = (
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a7500", "#555555",
    "#332288", "#882255",
)  # fmt: skip
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p", "*")
_GRID = 480
_AT_ONCE = 20_000
_MARGIN = 0.12
_THINNEST = 0.4
_WIDTH, _HEIGHT = 5.8, 6.4  # inches of the axes, at most
_MOST_NAMED = 16
_VISIBLE = 6.0  # printer's points; points must not cover balls that are larger
_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 11,
    "axes.edgecolor": "#888888",
    "axes.linewidth": 0.8,
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    "svg.hashsalt": "relucert",
    "svg.fonttype": "path",
    "hatch.linewidth": 0.9,
}


@dataclass(frozen=True, eq=False)
class PlaneData:
    """What is drawn of a data set.

    points: (points, 2). targets: integers (points,), what a network's decision gives for them.
    radius: of the l_inf balls; 0 draws none. names: how targets are called, by default their
    numbers. failing: rows whose balls are not classified rightly.
    """

    points: np.ndarray
    targets: np.ndarray
    radius: float = 0.0
    names: Mapping[int, str] = field(default_factory=dict)
    failing: Sequence[int] = ()

    def __post_init__(self) -> None:
        if self.points.ndim != 2 or self.points.shape[1] != 2:
            size = self.points.shape[-1] if self.points.ndim else 0
            raise UsageError(f"pictures are of points with 2 coordinates, these have {size}")

    def window(self) -> tuple[float, float, float, float]:
        """Left, right, bottom, top: points and balls with room around them, never a thin strip."""
        low, high = self.points.min(axis=0) - self.radius, self.points.max(axis=0) + self.radius
        longest = float((high - low).max()) or 2.0
        half = np.maximum((high - low) / 2, _THINNEST * longest / 2) + _MARGIN * longest
        (left, bottom), (right, top) = (low + high) / 2 - half, (low + high) / 2 + half
        return float(left), float(right), float(bottom), float(top)


def check_picture(path: Path) -> None:
    """Raise FileError unless the name ends in .png, .svg or .pdf and can be written."""
    if path.suffix.lower() not in _FORMATS:
        raise FileError(path, f"unknown picture format; use {', '.join(_FORMATS)}")
    check_target(path)


def plot_plane(
    path: Path,
    data: PlaneData,
    *,
    network: Network | None = None,
    decision: Decision | None = None,
    title: str = "",
) -> None:
    """Draw points and balls, and with a network its decision regions and its neurons' lines.

    The lines are drawn for networks of depth 2 with at most 24 neurons; where they are few, a
    short stroke points to the side on which the neuron is active. With at most two neurons and
    labels told apart by sign, the edges of the half-spaces of the wedge or bevel are continued,
    too. Regions are computed in float64: a picture, no proof. The same arguments give the same
    bytes. Raises FileError for unknown endings and where ``path`` cannot be written, UsageError
    for data that are not in the plane.
    """
    check_picture(path)
    if network is not None and network.input_size != 2:
        raise UsageError(f"pictures are of networks with 2 inputs, this has {network.input_size}")
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    with mpl.rc_context(_STYLE):
        left, right, bottom, top = data.window()
        unit = min(_WIDTH / (right - left), _HEIGHT / (top - bottom))
        figure = plt.figure(figsize=(unit * (right - left), unit * (top - bottom)))
        try:
            axis = _axes(figure, data, title)
            legend, targets = _Legend(), _targets(data, decision)
            if network is not None and decision is not None:
                _draw_regions(axis, data, targets, network, decision, legend)
            if network is not None:
                for handle in draw_lines(axis, data.window(), network, decision):
                    legend.add(handle)
            _draw_data(axis, data, targets, 72 * unit * 2 * data.radius, legend)
            legend.place(axis)
            write_atomically(path, _rendered(figure, path.suffix.lower()[1:]))
        finally:
            plt.close(figure)


def _axes(figure: Any, data: PlaneData, title: str) -> Any:
    """Axes that fill the figure, with one unit equally long on both; what is outside is kept."""
    left, right, bottom, top = data.window()
    axis = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axis.set_aspect("equal")
    axis.set_xlim(left, right)
    axis.set_ylim(bottom, top)
    axis.tick_params(length=3, labelsize=10)
    axis.set_xlabel("x₁")
    axis.set_ylabel("x₂", rotation=0, labelpad=10)
    axis.set_title(plain_words(title), loc="left", fontsize=12, color=INK, pad=9)
    return axis


def label_margins(
    network: Network, decision: Decision, x: np.ndarray, targets: Sequence[int]
) -> np.ndarray:
    """How clearly points (points, 2) are given each target, (targets, points); ties are zero."""
    parts = [network.evaluate(x[i : i + _AT_ONCE]) for i in range(0, len(x), _AT_ONCE)]
    y = np.concatenate(parts)
    margins = []
    for target in targets:
        if decision.kind == "sign":
            margins.append(target * y[:, 0])
        elif decision.kind == "argmax":
            others = np.delete(y, target, axis=1).max(axis=1, initial=-np.inf)
            margins.append(y[:, target] - others)
        else:
            below = y[:, 0] - (target - 0.5) if target > 1 else np.full(len(y), np.inf)
            above = (target + 0.5) - y[:, 0] if target < decision.labels else np.inf
            margins.append(np.minimum(below, above))
    return np.array(margins)


class _Legend:
    """Entries in the order of drawing, placed beside the axes where they cover nothing."""

    def __init__(self) -> None:
        self._handles: list[Any] = []

    def add(self, handle: Any) -> None:
        self._handles.append(handle)

    def place(self, axis: Any) -> None:
        if self._handles:
            axis.legend(
                handles=self._handles, loc="upper left", bbox_to_anchor=(1.015, 1.0),
                borderaxespad=0.0, frameon=False, fontsize=10.5, labelcolor=INK,
                handlelength=1.6, labelspacing=0.75,
            )  # fmt: skip


def _style(place: int) -> tuple[str, str]:
    return _COLOURS[place % len(_COLOURS)], _MARKERS[place % len(_MARKERS)]


def _targets(data: PlaneData, decision: Decision | None) -> list[int]:
    """All targets that may be drawn; their places choose the colours."""
    seen = {int(value) for value in data.targets.tolist()} | set(data.names)
    if decision is not None:
        kinds = {"sign": (-1, 1), "argmax": range(decision.labels)}
        seen |= set(kinds.get(decision.kind, range(1, decision.labels + 1)))
    return sorted(seen)


def _draw_regions(
    axis: Any,
    data: PlaneData,
    targets: Sequence[int],
    network: Network,
    decision: Decision,
    legend: _Legend,
) -> None:
    from matplotlib.patches import Patch

    left, right, bottom, top = data.window()
    rows, columns = np.linspace(bottom, top, _GRID), np.linspace(left, right, _GRID)
    grid = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2)
    margins = label_margins(network, decision, grid, targets)
    least = 1e-9 * max(float(np.abs(margins[np.isfinite(margins)]).max(initial=0.0)), 1e-290)
    margins = np.clip(margins, -1e300, 1e300)
    for place, margin in enumerate(margins):
        if not (margin > least).any():
            continue
        tint = _mixed(_style(place)[0], 0.20)
        field_ = margin.reshape(_GRID, _GRID)
        axis.contourf(columns, rows, field_, levels=[least, np.inf], colors=[tint], zorder=0)
        if (margin < least).any():
            axis.contour(columns, rows, field_, levels=[least], colors=["#777777"],
                         linewidths=0.7, zorder=0.5)  # fmt: skip
    if (margins.max(axis=0) <= least).mean() > 1e-3:
        legend.add(
            Patch(facecolor="white", edgecolor="#777777", linewidth=0.9, label="tie: no label")
        )


def _mixed(colour: str, share: float) -> str:
    """The colour on white."""
    parts = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(255 + share * (part - 255)):02x}" for part in parts)


def _draw_data(
    axis: Any, data: PlaneData, targets: Sequence[int], ball: float, legend: _Legend
) -> None:
    """Balls and points; ``ball`` is the side of a ball in printer's points."""
    from matplotlib.collections import PatchCollection
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch, Rectangle

    failing = np.zeros(len(data.points), dtype=bool)
    failing[list(data.failing)] = True
    side = 2 * data.radius
    size = 7.5 if len(data.points) <= 60 else max(3.0, 7.5 * (60 / len(data.points)) ** 0.5)
    if ball > _VISIBLE:
        size = max(2.5, min(size, 0.5 * ball))
    for place, target in enumerate(targets):
        colour, marker = _style(place)
        rows = data.targets == target
        for kind, own in ((False, rows & ~failing), (True, rows & failing)):
            squares = [Rectangle((x, y), side, side) for x, y in data.points[own] - data.radius]
            if data.radius > 0 and squares:
                axis.add_collection(PatchCollection(
                    squares, facecolor=INK + "00" if kind else colour + "30",
                    edgecolor=INK if kind else colour, linewidth=1.5 if kind else 1.2,
                    hatch="////" if kind else None, zorder=2,
                ))  # fmt: skip
        axis.scatter(*data.points[rows].T, s=size**2, c=colour, marker=marker, edgecolors="white",
                     linewidths=0.12 * size, zorder=3)  # fmt: skip
        if len(targets) <= _MOST_NAMED and rows.any():
            legend.add(Line2D([], [], color=colour, marker=marker, markersize=8, linestyle="",
                              markeredgecolor="white",
                              label=f"label {data.names.get(target, str(target))}"))  # fmt: skip
    if data.radius > 0:
        legend.add(Line2D([], [], linestyle="", marker="s", markersize=11, color="#e4e4e4",
                          markeredgecolor="#666666", markeredgewidth=1.2,
                          label=f"ball, radius {data.radius:.6g} (l∞)"))  # fmt: skip
    if data.radius > 0 and failing.any():
        legend.add(Patch(facecolor="white", edgecolor=INK, linewidth=1.5, hatch="////",
                         label="ball with a wrong point"))  # fmt: skip


def _rendered(figure: Any, kind: str) -> bytes:
    """The picture without dates, so that it is the same every time."""
    nothing = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
    buffer = io.BytesIO()
    figure.savefig(
        buffer, dpi=150, format=kind, metadata=nothing[kind], bbox_inches="tight", pad_inches=0.15
    )
    return buffer.getvalue()
