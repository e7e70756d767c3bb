"""Runs of a laboratory that never was, with growth laws known exactly."""

from __future__ import annotations

import csv
import hashlib
import json
import math
from pathlib import Path

import numpy as np

COLUMNS = (
    "run_version", "family", "size", "ratio", "seed", "formula_sha256", "door", "solver",
    "solver_version", "answer", "status", "wall_seconds", "cpu_seconds", "peak_bytes",
    "effort_name", "effort", "variables", "clauses", "instance_size", "detail",
)  # fmt: skip

LAWS = {
    "exponential": lambda n: 2.0 ** (0.5 * n),
    "root-exponential": lambda n: 2.0 ** (4.2 * math.sqrt(n)),
    "polynomial": lambda n: float(n) ** 7,
}
PARAMETERS = {  # exponent, factor: such that about a third is beyond 60 s at n = 5 to 40
    "exponential": (0.5, 1e-3),
    "root-exponential": (4.2, 1.6e-5),
    "polynomial": (7.0, 4e-9),
}
LIMIT = 60.0


def row(**given: object) -> dict[str, object]:
    """One whole row; what is not given is ordinary."""
    formula = hashlib.sha256(
        repr([given.get(name) for name in ("family", "size", "ratio", "seed")]).encode()
    ).hexdigest()
    ordinary: dict[str, object] = {
        "run_version": 1, "family": "random-3sat", "size": 10, "ratio": 4.26, "seed": 0,
        "formula_sha256": formula, "door": "cdcl", "solver": "solver", "solver_version": "1.0",
        "answer": "sat", "status": "ok", "wall_seconds": 1.0, "cpu_seconds": 1.0,
        "peak_bytes": 50_000_000, "effort_name": "conflicts", "effort": 10, "variables": 10,
        "clauses": 43, "instance_size": 43, "detail": "",
    }  # fmt: skip
    return ordinary | given


def timed(seconds: float, answer: str, **given: object) -> dict[str, object]:
    """A row that took so long, or was cut off at the limit."""
    over = seconds > LIMIT
    spent = min(seconds, LIMIT)
    ends = {"answer": "unknown", "status": "timeout"} if over else {"answer": answer}
    effort = {"effort": ""} if over else {}
    return row(wall_seconds=spent, cpu_seconds=spent, **effort, **given) | ends


def write_run(folder: Path, rows: list[dict[str, object]], facts: object = None) -> Path:
    """measurements.csv and run.json."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "measurements.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    known = {"version": "0.1.0", "command": "reductions scale ...", "machine": "2 cores"}
    (folder / "run.json").write_text(json.dumps(known if facts is None else facts))
    return folder


def growth_rows(
    law: str, seed: int, *, sigma: float, overhead: float = 0.0, answer: str = "unsat",
    door: str = "cdcl", sizes: range = range(5, 45, 5), formulas: int = 20,
) -> list[dict[str, object]]:  # fmt: skip
    """One door with log-normal noise on a known law, and an overhead that varies by a twentieth.

    A second door, quick and complete, tells the answers of the formulas that the first gave up.
    """
    random = np.random.default_rng([seed, 7])
    _, factor = PARAMETERS[law]
    rows = []
    for size in sizes:
        for number in range(formulas):
            growth = factor * LAWS[law](size) * math.exp(sigma * random.standard_normal())
            start = overhead * math.exp(0.05 * random.standard_normal())
            rows.append(timed(growth + start, answer, size=size, seed=number, door=door))
            rows.append(row(size=size, seed=number, door="oracle", answer=answer, cpu_seconds=0.01,
                            effort=""))  # fmt: skip
    return rows
