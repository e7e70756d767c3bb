"""``relucert separation`` and ``relucert memorize``: measure a data set, build its network."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from relucert.commands.plot import check_plane, draw_memorization
from relucert.commands.screen import Bar, data_header, print_json, progress_bar, say
from relucert.errors import UsageError
from relucert.exact import format_rational
from relucert.memorization.certify_balls import Balls, certify_alone, proved_together
from relucert.memorization.construct import Memorizer, budget_of_ratio, construct
from relucert.memorization.measured import Measured, measure
from relucert.memorization.separation import Separation, check_budget, separation_bound
from relucert.query import Query, robustness_query
from relucert.read.points import LabelledPoints, read_points
from relucert.report.memorization import MemorizationResult
from relucert.report.records import Item
from relucert.write.network import save_network

__all__ = ["memorize_command", "separation_command"]


def separation_command(data: Path, *, label_column: str | None, as_json: bool) -> int:
    """Run the command; returns 0. Equal points with different labels are an error."""
    points = read_points(data, label_column=label_column)
    separation = _separation(points)
    check_budget(points, separation, Fraction(0))
    if as_json:
        print_json(data_header(data) | _separation_record(separation))
    else:
        print(_separation_words(points, separation))
    return 0


def memorize_command(
    data: Path,
    *,
    budget: Fraction | None,
    ratio: Fraction | None,
    construction: str,
    output: Path | None,
    plot: Path | None,
    certify: bool,
    label_column: str | None,
    timeout: float,
    solver: str,
    threads: int,
    memory: float,
    seed: int,
    as_json: bool,
) -> int:
    """Run the command; returns 0, or with ``certify`` 1 or 3 as ``relucert certify`` does."""
    _check_options(budget, ratio, construction, certify)
    points = read_points(data, label_column=label_column)
    if plot is not None:
        check_plane(plot, points)
    separation = _separation(points)
    check_budget(points, separation, budget or Fraction(0))
    if ratio is not None:
        budget = budget_of_ratio(ratio, separation)
    made = construct(points, separation, budget, construction)
    element = None if output is None else save_network(made.network, output)
    if plot is not None:
        title = f"{points.name}: {made.network.name.replace('_', ' ')}"
        draw_memorization(
            plot, points, budget or Fraction(0), made.network, made.labels, title=title
        )
    result = None
    if certify:
        options = {"timeout": timeout, "solver": solver, "threads": threads, "memory": memory}
        result = _certified(points, made, budget or Fraction(0), seed, options)
    size = measure(made.network, len(points))
    run = _Run(data, points, separation, budget, construction, made, size, output, element, result)
    if as_json:
        print_json(data_header(data) | {"seed": seed} | run.record())
    else:
        print(run.words())
        print(f"seed {seed}")
    if result is None:
        return 0
    return {True: 0, False: 1, None: 3}[result.result.answer]


def _check_options(
    budget: Fraction | None, ratio: Fraction | None, construction: str, certify: bool
) -> None:
    if budget is not None and ratio is not None:
        raise UsageError("give --budget or --ratio, not both")
    if budget is None and ratio is None:
        if construction != "lipschitz":
            raise UsageError("give --budget MU, or --ratio RHO of half the separation bound")
        if certify:
            raise UsageError("--certify needs the --budget or --ratio of the balls")


@dataclass(frozen=True)
class _Certified:
    result: MemorizationResult
    seconds: float


def _separation(points: LabelledPoints) -> Separation | None:
    with progress_bar(len(points)) as bar:
        bar.item("separation bound")
        return separation_bound(points, bar.reach)


def _certified(
    points: LabelledPoints, made: Memorizer, budget: Fraction, seed: int, options: dict[str, Any]
) -> _Certified:
    """Prove the balls of the data, first together, then one by one."""
    started, items = time.monotonic(), []
    targets = made.labels.of(points.labels).tolist()

    def ball(row: int) -> Query:
        return robustness_query(
            points.point(row), targets[row], made.labels.decision, radius=budget,
            name=f"point {row}",
        )  # fmt: skip

    with progress_bar(len(points)) as bar:
        try:
            bar.item("bounds for all balls")
            balls = Balls.of([ball(row) for row in range(len(points))])
            left = []
            for row, proved in proved_together(made.network, balls, bar.reach):
                if proved is None:
                    left.append(row)
                else:
                    items.append(Item(f"point {row}", proved, 0.0))
            _prove_alone(made, balls, left, seed, options, items, bar)
        except KeyboardInterrupt:
            say(f"relucert: interrupted: {len(items)} of {len(points)} balls done")
    result = MemorizationResult.of(points.name, budget, False, items, len(points), "")
    return _Certified(result, time.monotonic() - started)


def _prove_alone(
    made: Memorizer,
    balls: Balls,
    left: list[int],
    seed: int,
    options: dict[str, Any],
    items: list[Item],
    bar: Bar,
) -> None:
    bar.reach(len(items), len(balls))
    for row in left:
        bar.item(f"point {row}")
        outcome = certify_alone(
            made.network, balls.queries[row], seed, progress=bar.work, **options
        )
        items.append(Item(f"point {row}", outcome.verdict, outcome.seconds))
        bar.reach(len(items), len(balls))


@dataclass(frozen=True, eq=False)
class _Run:
    """Everything that is reported."""

    data: Path
    points: LabelledPoints
    separation: Separation | None
    budget: Fraction | None
    construction: str
    made: Memorizer
    size: Measured
    output: Path | None
    element: str | None
    certified: _Certified | None

    def words(self) -> str:
        """A few lines for people."""
        lines = [_separation_words(self.points, self.separation)]
        if self.made.trivial:
            lines.append("one label only: a constant network memorizes it with every budget")
        elif self.budget is not None:
            lines.append(f"budget {format_rational(self.budget)}")
        if not self.made.labels.is_identity:
            lines.append(f"labels renamed, {self.made.labels.note}")
        size = self.size
        growth = f"{size.per_nn:.3f} N n"
        if size.per_nn_log is not None:
            growth += f" = {size.per_nn_log:.3f} N n log2 n"
        kind = "constant" if self.made.trivial else self.construction
        lines.append(
            f"{kind}: width {size.width}, depth {size.depth}, {size.parameters} non-zero "
            f"parameters = {growth}"
        )
        if self.output is not None:
            lines.append(f"wrote {self.output}, every weight exact in {self.element}")
        if self.certified is not None:
            seconds = self.certified.seconds
            first, *rest = self.certified.result.words.splitlines()
            lines += [f"{first} in {seconds:.1f} s", *rest]
        return "\n".join(lines)

    def record(self) -> dict[str, Any]:
        """As JSON values."""
        certified = None
        if self.certified is not None:
            certified = self.certified.result.record | {"seconds": round(self.certified.seconds, 3)}
        return _separation_record(self.separation) | {
            "points": len(self.points),
            "inputs": self.points.input_size,
            "budget": None if self.budget is None else format_rational(self.budget),
            "construction": self.construction,
            "trivial": self.made.trivial,
            "label_map": {str(k): v for k, v in self.made.labels.targets.items()},
            "decision": self.made.labels.decision.kind,
            "size": asdict(self.size),
            "network": None if self.output is None else str(self.output),
            "element_type": self.element,
            "memorization": certified,
        }


def _separation_record(separation: Separation | None) -> dict[str, Any]:
    if separation is None:
        return {"separation_bound": None, "closest": None}
    return {
        "separation_bound": format_rational(separation.bound),
        "closest": [separation.first, separation.second],
    }


def _separation_words(points: LabelledPoints, separation: Separation | None) -> str:
    shape = f"{points.name}: {len(points)} points of {points.input_size} coordinates"
    if separation is None:
        return f"{shape}, all labelled {points.label(0)}: no separation bound"
    one, two = separation.first, separation.second
    return (
        f"{shape}: separation bound {format_rational(separation.bound)} "
        f"(rows {one} and {two}, labelled {points.label(one)} and {points.label(two)})"
    )
