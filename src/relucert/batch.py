"""Many labelled points, one question each: which questions, and doing them one after another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol, TypeVar

from relucert.errors import QueryError, UsageError
from relucert.network import Network
from relucert.query import Decision

__all__ = ["Point", "Points", "choose_decision", "chosen_points", "parse_selection", "run_all"]

Result = TypeVar("Result")


class Points(Protocol):
    """What `relucert.read.points` gives: exact points with integer labels."""

    def __len__(self) -> int: ...

    def point(self, index: int) -> tuple[Fraction, ...]:
        """The exact coordinates of one point."""

    def label(self, index: int) -> int:
        """Its label."""


@dataclass(frozen=True)
class Point:
    """One labelled point of a file: its row (from 0), coordinates and label."""

    row: int
    values: tuple[Fraction, ...]
    label: int

    @property
    def name(self) -> str:
        """For tables and messages."""
        return f"point {self.row}"


def parse_selection(text: str, size: int) -> list[int]:
    """Rows named by "0,3,5-9" (ends included); raises UsageError outside 0..size-1."""
    rows: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        try:
            start = int(first)
            end = int(last) if dash else start
        except ValueError:
            raise UsageError(f"--points {text!r}: {part!r} is not a row or a range a-b") from None
        if not 0 <= start <= end < size:
            raise UsageError(f"--points {text!r}: rows go from 0 to {size - 1}")
        rows.extend(range(start, end + 1))
    return rows


def choose_decision(network: Network, kind: str, labels: Sequence[int]) -> Decision:
    """How outputs become labels: argmax for several outputs, sign or nearest for one.

    kind: "auto", "argmax", "sign" or "nearest". Raises UsageError where it does not fit.
    """
    outputs = network.output_size
    if kind == "auto":
        if outputs > 1:
            kind = "argmax"
        elif set(labels) <= {-1, 1}:
            kind = "sign"
        elif min(labels, default=0) >= 1:
            kind = "nearest"
        else:
            raise UsageError(
                "the network has one output and the labels are neither -1/1 nor 1..L: "
                "say --decision sign or --decision nearest with such labels"
            )
    if kind == "argmax" and outputs == 1:
        raise UsageError("--decision argmax needs a network with several outputs")
    if kind in ("sign", "nearest") and outputs != 1:
        raise UsageError(f"--decision {kind} needs a network with one output, this has {outputs}")
    return Decision(kind, {"argmax": outputs, "sign": 2}.get(kind, max([1, *labels])))


def chosen_points(points: Points, rows: Sequence[int], network: Network) -> list[Point]:
    """The points of the given rows; raises QueryError when they do not fit the network."""
    chosen = [Point(row, points.point(row), points.label(row)) for row in rows]
    for point in chosen[:1]:
        if len(point.values) != network.input_size:
            raise QueryError(
                f"{point.name} has {len(point.values)} values, "
                f"the network takes {network.input_size}"
            )
    return chosen


def run_all(
    points: Sequence[Point], work: Callable[[Point], Result], on_interrupt: Callable[[], None]
) -> Iterator[tuple[Point, Result]]:
    """``work`` for every point in turn; Ctrl-C ends the loop, what is done stays done."""
    for point in points:
        try:
            result = work(point)
        except KeyboardInterrupt:
            on_interrupt()
            return
        yield point, result
