"""``relucert plot``: a network of two inputs and its data, as a picture; and what others draw."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from relucert.batch import choose_decision
from relucert.errors import UsageError
from relucert.exact import format_rational, nearest_float
from relucert.memorization.labels import LabelMap, label_map_in, relabelled
from relucert.network import Network
from relucert.read.network import read_network
from relucert.read.points import LabelledPoints, read_points
from relucert.report.plane import PlaneData, check_picture, plot_plane

__all__ = ["check_plane", "draw_memorization", "plot_command"]


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
    if radius < 0:
        raise UsageError(f"--radius must not be negative, it is {nearest_float(radius)}")
    network = read_network(network_path)
    points = read_points(data, label_column=label_column)
    check_plane(output, points)
    targets = label_map_in(network.notes)
    renamed, _ = relabelled(points, network.notes)
    how = choose_decision(network, decision, renamed.labels.tolist())
    if targets is None:
        targets = {label: label for label in points.labels.tolist()}
    if title is None:
        title = f"{network.name}, {points.name}"
        title += f", budget {format_rational(radius)}" if radius else ""
    draw_memorization(output, points, radius, network, LabelMap(targets, how), title=title)
    print(f"wrote {output}")
    return 0


def check_plane(path: Path, points: LabelledPoints) -> None:
    """Raise early what would keep a picture from being drawn: FileError or UsageError."""
    check_picture(path)
    if points.input_size != 2:
        raise UsageError(
            f"pictures are of points with 2 coordinates, those of {points.name} have "
            f"{points.input_size}"
        )


def draw_memorization(
    path: Path,
    points: LabelledPoints,
    radius: Fraction,
    network: Network | None,
    labels: LabelMap,
    *,
    title: str = "",
    failing: Sequence[int] = (),
) -> None:
    """Draw labelled points with their balls, and what the network makes of the plane around.

    points: with labels as they are in the data; ``labels`` says what the network gives for them.
    failing: rows whose balls are known to hold a point classified wrongly. Raises UsageError for
    points that do not have two coordinates, QueryError for labels that the network never gives.
    """
    targets = labels.of(points.labels)
    for target in sorted(set(targets.tolist())):
        labels.decision.check(target)
    names = {target: str(label) for label, target in labels.targets.items()}
    plane = PlaneData(points.values, targets, nearest_float(radius), names, tuple(failing))
    plot_plane(path, plane, network=network, decision=labels.decision, title=title)
