"""The labelled points that a command is about, all checked before the first is worked on."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from relucert.batch import Point, choose_decision, chosen_points, parse_selection
from relucert.errors import FileError, QueryError, UsageError
from relucert.exact import nearest_float
from relucert.memorization.labels import label_map_in, relabelled
from relucert.network import Network
from relucert.query import Decision, Query, robustness_query
from relucert.read.points import read_points

__all__ = ["Questions", "read_questions"]

Range = tuple[Fraction, Fraction]


@dataclass(frozen=True, eq=False)
class Questions:
    """Points with labels, how outputs become labels, and the range of perturbed inputs.

    file: the data's name. note: the label map that the network brings, "" for none.
    """

    points: list[Point]
    decision: Decision
    clip: Range | None
    file: str
    note: str

    def ball(self, point: Point, radius: Fraction) -> Query:
        """Does the label win strictly on the whole ball?"""
        return robustness_query(
            point.values, point.label, self.decision, radius=radius, clip=self.clip, name=point.name
        )


def read_questions(
    path: Path,
    network: Network,
    *,
    selection: str | None,
    label_column: str | None,
    decision: str,
    clip: Range | None,
) -> Questions:
    """Read and choose points; the decision depends on all labels of the file, chosen or not.

    Raises FileError naming the point where size, label or clip range do not fit, UsageError
    for options that do not.
    """
    if clip is not None and clip[0] > clip[1]:
        low, high = map(nearest_float, clip)
        raise UsageError(f"--clip: the clip range is empty: {low!r} to {high!r}")
    found, note = relabelled(read_points(path, label_column=label_column), network.notes)
    rows = parse_selection(selection, len(found)) if selection else range(len(found))
    targets = label_map_in(network.notes)
    labels = found.labels.tolist() if targets is None else list(targets.values())
    try:
        points = chosen_points(found, rows, network)
    except QueryError as error:
        raise FileError(path, str(error)) from None
    questions = Questions(
        points, choose_decision(network, decision, labels), clip, found.name, note
    )
    for point in points:
        problem = _problem(questions, point)
        if problem:
            raise FileError(path, problem, point.name)
    return questions


def _problem(questions: Questions, point: Point) -> str:
    try:
        questions.decision.check(point.label)
    except QueryError as error:
        return str(error)
    if questions.clip is None:
        return ""
    low, high = questions.clip
    for index, value in enumerate(point.values):
        if not low <= value <= high:
            ends = f"{nearest_float(low)!r} to {nearest_float(high)!r}"
            return f"input {index} is {nearest_float(value)!r}, outside the clip range {ends}"
    return ""
