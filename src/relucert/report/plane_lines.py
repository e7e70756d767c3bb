"""The lines of a depth-2 network in the plane: where neurons switch, where half-spaces end."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import scipy.sparse as sp

from relucert.network import Network
from relucert.query import Decision

__all__ = ["INK", "draw_lines", "half_space_lines"]

INK = "#222222"
_EDGE = "#7a3e9d"
_FAINT = "#666666"
_FEW_LINES = 5
_MOST_LINES = 24

Window: TypeAlias = tuple[float, float, float, float]


def draw_lines(axis: Any, window: Window, network: Network, decision: Decision | None) -> list[Any]:
    """Draw the lines that lie in the window (left, right, bottom, top); returns legend entries."""
    first = network.layers[0]
    if len(network.layers) != 2 or not first.relu.all() or first.output_size > _MOST_LINES:
        return []
    handles = [_draw_neurons(axis, window, _neurons(network))]
    if decision is not None and decision.kind == "sign":
        handles.append(_draw_edges(axis, window, half_space_lines(network)))
    return [handle for handle in handles if handle is not None]


def half_space_lines(network: Network) -> np.ndarray:
    """Lines ``a x1 + b x2 + c = 0`` on which F changes its sign, as rows (lines, 3).

    For one hidden layer of at most two ReLUs and one output; no lines for others. They are
    the edges of the half-spaces of a wedge or bevel (docs/theory.md, section 2): F is affine
    where the same neurons are active, and a line counts when part of it lies in such a region.
    """
    first, last = network.layers[0], network.layers[-1]
    few = len(network.layers) == 2 and first.output_size <= 2 and last.output_size == 1
    if not few or not first.relu.all() or last.relu.any():
        return np.zeros((0, 3))
    neurons = _neurons(network)
    outer = np.asarray(sp.csr_array(last.weight).toarray())[0]
    found = []
    for active in np.ndindex(*(2,) * len(neurons)):
        line = (outer * active) @ neurons + np.array([0.0, 0.0, last.bias[0]])
        if _crosses(line, np.where(np.array(active)[:, None] == 1, neurons, -neurons)):
            found.append(line)
    return np.array(found).reshape(-1, 3)


def _neurons(network: Network) -> np.ndarray:
    """The pre-activations of the hidden layer as rows (neurons, 3)."""
    first = network.layers[0]
    divisor = 1.0 if first.divisor is None else first.divisor[:, None]
    weight = np.asarray(sp.csr_array(first.weight).toarray())
    return np.asarray(np.column_stack([weight, first.bias]) / divisor)


def _crosses(line: np.ndarray, positive: np.ndarray) -> bool:
    """Whether a piece of the line has ``positive`` (rows of affine functions) all above zero."""
    normal = line[:2]
    size = float(np.hypot(*normal))
    if not size > 0:
        return False
    foot = np.append(-line[2] * normal / size**2, 1.0)
    along = np.array([-normal[1], normal[0], 0.0]) / size
    low, high = -np.inf, np.inf
    for row in positive:
        start, slope = float(row @ foot), float(row @ along)
        # Rounding may tilt a parallel line a little.
        if abs(slope) <= 1e-12 * float(np.abs(row).max()):
            if start <= 0:
                return False
        elif slope > 0:
            low = max(low, -start / slope)
        else:
            high = min(high, -start / slope)
    return low < high


def _placed(line: np.ndarray, window: Window) -> tuple[np.ndarray, np.ndarray] | None:
    """The point of the line nearest to the window's centre and its unit normal, if in view."""
    left, right, bottom, top = window
    centre = np.array([left + right, bottom + top]) / 2
    length = float(np.hypot(line[0], line[1]))
    if not length > 0:
        return None
    normal = line[:2] / length
    distance = float(normal @ centre + line[2] / length)
    reach = 0.5 * (abs(normal[0]) * (right - left) + abs(normal[1]) * (top - bottom))
    if not abs(distance) < reach:
        return None
    return centre - distance * normal, normal


def _draw(axis: Any, foot: np.ndarray, normal: np.ndarray, size: float, **style: Any) -> None:
    along = np.array([-normal[1], normal[0]])
    ends = np.array([foot - 2 * size * along, foot + 2 * size * along])
    axis.plot(*ends.T, **style)


def _draw_neurons(axis: Any, window: Window, neurons: np.ndarray) -> Any:
    from matplotlib.lines import Line2D

    size = max(window[1] - window[0], window[3] - window[2])
    few = len(neurons) <= _FEW_LINES
    style: dict[str, Any] = {"color": INK if few else _FAINT, "linewidth": 1.2 if few else 0.8}
    drawn = False
    for row in neurons:
        placed = _placed(row, window)
        if placed is None:
            continue
        _draw(axis, *placed, size, linestyle=(0, (6, 3)), zorder=1.5, **style)
        if few:
            _draw_active_side(axis, *placed, window)
        drawn = True
    label = "neuron switches" + ("\n(stroke: active side)" if few else "")
    handle = Line2D([], [], linestyle=(0, (5, 2)), label=label, **style)
    return handle if drawn else None


def _draw_edges(axis: Any, window: Window, lines: np.ndarray) -> Any:
    from matplotlib.lines import Line2D

    size = max(window[1] - window[0], window[3] - window[2])
    style: dict[str, Any] = {"color": _EDGE, "linewidth": 1.3, "linestyle": (0, (1, 1.6))}
    drawn = False
    for line in lines:
        placed = _placed(line, window)
        if placed is not None:
            _draw(axis, *placed, size, zorder=1.4, **style)
            drawn = True
    return Line2D([], [], label="edge of a half-space", **style) if drawn else None


def _draw_active_side(axis: Any, foot: np.ndarray, normal: np.ndarray, window: Window) -> None:
    """Short strokes from the line to its active side, at three places that are in view."""
    left, right, bottom, top = window
    size = max(right - left, top - bottom)
    along = np.array([-normal[1], normal[0]])
    places = foot + np.linspace(-1.5, 1.5, 601)[:, None] * size * along
    inset = 0.03 * size
    seen = (
        (places[:, 0] > left + inset) & (places[:, 0] < right - inset)
        & (places[:, 1] > bottom + inset) & (places[:, 1] < top - inset)
    )  # fmt: skip
    inside = places[seen]
    for share in (0.06, 0.5, 0.94) if len(inside) else ():
        start = inside[int(share * (len(inside) - 1))]
        end = start + 0.028 * size * normal
        axis.plot(*np.array([start, end]).T, color=INK, linewidth=1.2, zorder=1.5,
                  solid_capstyle="butt")  # fmt: skip
