"""The picture of docs/experiments.md: median times of every door, from the report's CSVs.

python benchmarks/hardness_picture.py REPORT docs/experiments/medians.png
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

DOORS = {
    "cdcl": ("o", "#4477aa"), "milp-cnf": ("D", "#228833"), "decide": ("s", "#cc6677"),
    "verify-search": ("v", "#aa3377"), "verify-milp": ("^", "#bb8800"),
}  # fmt: skip


def medians(path: Path) -> dict[str, list[tuple[float, float]]]:
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    return {
        door: [
            (float(row["variables n"]), float(row["CPU seconds"]))
            for row in rows
            if row["series"] == door and row["kind"] == "medians"
        ]
        for door in DOORS
    }


def main() -> None:
    report, target = Path(sys.argv[1]), Path(sys.argv[2])
    figure, axes = plt.subplots(1, 2, figsize=(9.0, 3.6), sharey=True, layout="constrained")
    for axis, kind, title in zip(
        axes, ("sat", "unsat"), ("satisfiable", "unsatisfiable"), strict=True
    ):
        for door, points in medians(report / f"medians-random-3sat-4_26-{kind}.csv").items():
            marker, colour = DOORS[door]
            axis.semilogy(*zip(*points, strict=True), marker=marker, color=colour, label=door)
        axis.set_title(f"{title} formulas, 4.26 clauses a variable", fontsize=10)
        axis.set_xlabel("variables")
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("median CPU seconds")
    axes[0].legend(fontsize=8, loc="upper left", ncols=2)
    axes[0].set_ylim(top=300)
    figure.savefig(target, dpi=110)


if __name__ == "__main__":
    main()
