"""``relucert train``: what gradient descent finds, every result certified."""

from __future__ import annotations

import time
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from relucert.commands.plot import check_plane, draw_memorization
from relucert.commands.screen import data_header, print_json, progress_bar, say
from relucert.errors import UsageError
from relucert.exact import format_rational
from relucert.limits import Limits
from relucert.memorization.labels import LabelMap
from relucert.memorization.training import Restart, Trainer, best_restart
from relucert.read.points import LabelledPoints, read_points
from relucert.report.memorization import MemorizationResult
from relucert.verdict import Violated
from relucert.write.files import check_target
from relucert.write.network import save_network

__all__ = ["train_command"]


def train_command(
    data_path: Path,
    *,
    width: int,
    budget: Fraction,
    restarts: int,
    steps: int,
    label_column: str | None,
    output: Path | None,
    plot: Path | None,
    timeout: float,
    seed: int,
    as_json: bool,
) -> int:
    """Run the command; returns 0 when some restart memorizes the data, 1 when none does, 3 when
    no restart was finished, or none succeeded and the best was not wholly judged."""
    if output is not None and output.suffix not in (".npz", ".onnx"):
        raise UsageError(f"{output}: networks are written as .onnx or .npz")
    check_target(output)
    data = read_points(data_path, label_column=label_column)
    if plot is not None:
        check_plane(plot, data)
    limits, started = Limits(timeout), time.monotonic()
    trainer = Trainer(data, budget, width, steps=steps, seed=seed)
    finished: list[Restart] = []
    with progress_bar(restarts) as bar:
        try:
            bar.item("restart 0")
            for one in trainer.run(restarts, limits, bar.work):
                finished.append(one)
                bar.done("succeeded" if one.succeeded else "failed")
                bar.item(f"restart {one.index + 1}")
        except KeyboardInterrupt:
            say(f"relucert: interrupted: {len(finished)} of {restarts} restarts done")
    best = best_restart(finished)
    if best is not None and output is not None:
        save_network(best.network, output)
    if best is not None and plot is not None:
        _draw(plot, data, budget, trainer.labels, best)
    run = _Run(
        data, budget, width, steps, restarts, finished, best, output, trainer.labels.note,
        time.monotonic() - started,
    )  # fmt: skip
    if as_json:
        print_json(data_header(data_path) | {"seed": seed} | run.record())
    else:
        print(run.words())
        print(f"seed {seed}")
    return run.exit_code


def _draw(
    path: Path, data: LabelledPoints, budget: Fraction, labels: LabelMap, best: Restart
) -> None:
    failing = [row for row, item in enumerate(best.items) if isinstance(item.verdict, Violated)]
    title = f"{data.name}: trained, {best.proved} of {len(data)} balls proved"
    draw_memorization(path, data, budget, best.network, labels, title=title, failing=failing)


@dataclass(frozen=True, eq=False)
class _Run:
    """Everything that is reported."""

    data: LabelledPoints
    budget: Fraction
    width: int
    steps: int
    asked: int
    finished: list[Restart]
    best: Restart | None
    output: Path | None
    label_note: str
    seconds: float

    @property
    def succeeded(self) -> int:
        """Restarts whose every ball is proved."""
        return sum(one.succeeded for one in self.finished)

    @property
    def exit_code(self) -> int:
        if self.succeeded:
            return 0
        undecided = any(not one.violated for one in self.finished)
        return 3 if undecided or len(self.finished) < self.asked else 1

    @property
    def result(self) -> MemorizationResult | None:
        """The best network's balls."""
        if self.best is None:
            return None
        return MemorizationResult.of(
            self.data.name, self.budget, False, self.best.items, len(self.data), ""
        )

    def words(self) -> str:
        """A few lines for people."""
        count = len(self.finished)
        lines = [
            f"{self.data.name}: {len(self.data)} points of {self.data.input_size} coordinates, "
            f"budget {format_rational(self.budget)}, {self.label_note}",
            f"width {self.width}: {self.succeeded} of {count} restarts found a network that "
            f"robustly memorizes, every ball proved; {self.seconds:.1f} s",
        ]
        if count < self.asked:
            lines.append(f"{self.asked - count} restarts of {self.asked} were not finished")
        if self.best is not None and self.result is not None:
            lines.append(f"best, restart {self.best.index}: {self.result.words}")
            if self.output is not None:
                lines.append(f"wrote {self.output}")
        return "\n".join(lines)

    def record(self) -> dict[str, Any]:
        """As JSON values."""
        count = len(self.finished)
        written = self.output is not None and self.best is not None
        return {
            "points": len(self.data),
            "dimension": self.data.input_size,
            "depth": 2,
            "width": self.width,
            "budget": format_rational(self.budget),
            "labels": self.label_note,
            "steps": self.steps,
            "restarts_asked": self.asked,
            "restarts_done": count,
            "succeeded": self.succeeded,
            "success_rate": self.succeeded / count if count else None,
            "best": None if self.best is None else self.best.index,
            "network": str(self.output) if written else None,
            "memorization": None if self.result is None else self.result.record,
            "restarts": [_restart_record(one) for one in self.finished],
            "seconds": round(self.seconds, 3),
        }


def _restart_record(one: Restart) -> dict[str, Any]:
    return {
        "restart": one.index,
        "succeeded": one.succeeded,
        "proved": one.proved,
        "violated": one.violated,
        "unknown": len(one.items) - one.proved - one.violated,
        "steps": one.steps,
        "loss": one.loss,
        "train_seconds": round(one.train_seconds, 3),
        "certify_seconds": round(one.certify_seconds, 3),
    }
