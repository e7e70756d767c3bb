"""``relucert plot``: a network of two inputs and its data, as a picture; and what others draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

from relucert.batch import choose_decision
from relucert.errors import UsageError
from relucert.exact import format_rational, nearest_float
from relucert.memorization.labels import label_map_in, relabelled
from relucert.network import Network
from relucert.query import Decision
from relucert.read.network import read_network
from relucert.read.points import LabelledPoints, read_points
from relucert.report.plane import PlaneData, check_picture, plot_plane

__all__ = ["draw_memorization", "plot_command"]


def plot_command(
    network_path: Path,
    *,
    data: Path,
    radius: Fraction,
    output: Path,
    label_column: str | None,
    decision: str,
    title: str | None,
) -> int:
    """Run the command; returns 0. Raises UsageError unless network and data are in the plane."""
    check_picture(output)
    if radius < 0:
        raise UsageError(f"--radius must not be negative, it is {nearest_float(radius)}")
    network = read_network(network_path)
    points, _ = relabelled(read_points(data, label_column=label_column), network.notes)
    how = choose_decision(network, decision, points.labels.tolist())
    renamed = label_map_in(network.notes) or {}
    if title is None:
        title = f"{network.name}, {points.name}"
        title += f", budget {format_rational(radius)}" if radius else ""
    draw_memorization(
        output, points, radius, network, how, title=title,
        names={target: str(label) for label, target in renamed.items()},
    )  # fmt: skip
    print(f"wrote {output}")
    return 0


def draw_memorization(
    path: Path,
    points: LabelledPoints,
    radius: Fraction,
    network: Network | None,
    decision: Decision,
    *,
    title: str = "",
    names: Mapping[int, str] | None = None,
    failing: Sequence[int] = (),
) -> None:
    """Draw labelled points with their balls, and what the network makes of the plane around.

    points: their labels are those that ``decision`` gives; ``names`` says how to call them.
    failing: rows whose balls are known to hold a point classified wrongly. Raises UsageError for
    points that do not have two coordinates, QueryError for labels that the decision never gives.
    """
    for label in sorted(set(points.labels.tolist())):
        decision.check(label)
    plane = PlaneData(
        points.values, points.labels, nearest_float(radius), names or {}, tuple(failing)
    )
    plot_plane(path, plane, network=network, decision=decision, title=title)
