"""``relucert radius``: the smallest perturbation that changes each point's label."""

from __future__ import annotations

from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any

from relucert.batch import Point
from relucert.commands.questions import read_questions
from relucert.commands.screen import header, print_json, progress_bar, say
from relucert.exact import format_rational
from relucert.milp.pulp_model import check_solver
from relucert.radius import RadiusOptions, bracket_points
from relucert.radius_bracket import RadiusBracket
from relucert.read.network import read_network
from relucert.report.plots import plot_radii
from relucert.report.records import csv_text
from relucert.report.tables import print_table, radius_table
from relucert.write.files import check_target, write_atomically

__all__ = ["radius_command"]

_CSV_HEADER = ("item", "label", "lower", "upper", "method", "open_because", "seconds")
_Row = tuple[Point, RadiusBracket, float]


def radius_command(
    network_path: Path,
    *,
    data: Path,
    plot: Path | None,
    clip: tuple[Fraction, Fraction] | None,
    selection: str | None,
    label_column: str | None,
    decision: str,
    timeout: float,
    solver: str,
    threads: int,
    memory: float,
    seed: int,
    as_json: bool,
    csv_path: Path | None,
    jobs: int = 1,
) -> int:
    """Run the command; returns 0 when every bracket is closed, else 3."""
    check_target(csv_path)
    check_target(plot)
    check_solver(solver)
    network = read_network(network_path)
    questions = read_questions(
        data, network, selection=selection, label_column=label_column, decision=decision, clip=clip
    )
    points = questions.points
    options = RadiusOptions(clip, timeout, solver, threads, memory, seed)
    rows: list[_Row] = []
    with progress_bar(len(points)) as bar:

        def work(place: int, words: str) -> None:
            bar.item(points[place].name)
            bar.work(words)

        found = bracket_points(
            network, [point.values for point in points], [point.label for point in points],
            questions.decision, options, jobs, work,
        )  # fmt: skip
        try:
            with closing(found):
                for done in found:
                    rows.append((points[done.place], done.bracket, done.seconds))
                    bar.done("closed" if done.bracket.closed else "open")
        except KeyboardInterrupt:
            say(f"relucert: interrupted: {len(rows)} of {len(points)} points done")
    places = {id(point): place for place, point in enumerate(points)}
    rows.sort(key=lambda row: places[id(row[0])])  # as in the file, whichever was done first
    _save(rows, csv_path, plot, network.name)
    _show(network_path, network.name, rows, seed, as_json)
    complete = len(rows) == len(points)
    return 0 if complete and all(bracket.closed for _, bracket, _ in rows) else 3


def _save(rows: list[_Row], csv_path: Path | None, plot: Path | None, name: str) -> None:
    if csv_path is not None:
        cells = [
            (
                point.name, point.label, bracket.lower,
                "" if bracket.upper is None else bracket.upper,
                bracket.method.name.lower(),
                bracket.reason.name.lower() if bracket.reason else "",
                f"{seconds:.3f}",
            )
            for point, bracket, seconds in rows
        ]  # fmt: skip
        write_atomically(csv_path, csv_text(_CSV_HEADER, cells).encode())
    if plot is not None and rows:
        plot_radii(plot, [bracket for _, bracket, _ in rows], f"{name}: {len(rows)} points")


def _show(network_path: Path, name: str, rows: list[_Row], seed: int, as_json: bool) -> None:
    if as_json:
        results = [_record(point, bracket, seconds) for point, bracket, seconds in rows]
        print_json(header(network_path, seed) | {"results": results})
        return
    table = [(point.name, bracket, seconds) for point, bracket, seconds in rows]
    print_table(radius_table(f"{name}: l_inf robustness radius", table))
    closed = sum(bracket.closed for _, bracket, _ in rows)
    print(f"{closed} of {len(rows)} brackets closed to 0.1 %; seed {seed}")


def _record(point: Point, bracket: RadiusBracket, seconds: float) -> dict[str, Any]:
    witness = bracket.witness
    return {
        "item": point.name,
        "label": point.label,
        "lower": format_rational(bracket.lower),
        "upper": None if bracket.upper is None else format_rational(bracket.upper),
        "lower_method": bracket.method.name.lower(),
        "closed": bracket.closed,
        "open_because": bracket.reason.name.lower() if bracket.reason else None,
        "witness": None if witness is None else [format_rational(v) for v in witness.input],
        "seconds": round(seconds, 3),
    }
