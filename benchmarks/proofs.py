"""What proofs cost: a search alone, certify as it is (with its own check), certify with a file,
then both checks of the file, instance by instance.

    python benchmarks/proofs.py --results proofs.csv [--families acasxu,cora] [--count 4]
        [--rounded] [--timeout 60]
    python benchmarks/proofs.py --table proofs.csv

The instances are those of ``../shared/data/vnncomp/instances.csv`` (beside the checkout; columns
family, network, property, timeout_s, expected) whose expected answer is "unsat": of each family
``--count`` of them, evenly spread over its list. All seconds are of the processor, of one thread,
in a process of its own for each instance; the machine may be doing other things. Reading files and
starting Python are not counted.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from statistics import median
from typing import Any

DATA = Path(__file__).parents[1] / "../shared/data/vnncomp"
FIELDS = (
    "family", "network", "property", "verdict", "search_s", "certify_s", "with_proof", "prove_s",
    "rounded", "rounded_s", "exact", "exact_s", "records", "bytes", "note",
)  # fmt: skip


def instances(families: list[str], count: int) -> list[dict[str, str]]:
    """The chosen rows of the list."""
    with (DATA / "instances.csv").open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["expected"] == "unsat"]
    chosen = []
    for family in dict.fromkeys(row["family"] for row in rows):
        own = [row for row in rows if row["family"] == family]
        if not families or family in families:
            step = max(1.0, len(own) / count)
            chosen += [own[int(i * step)] for i in range(min(count, len(own)))]
    return chosen


def seconds(action: Callable[[], Any]) -> tuple[Any, float]:
    """What the action returns, and its processor time."""
    started = time.process_time()
    result = action()
    return result, round(time.process_time() - started, 3)


def warm_up() -> tuple[Any, Any]:
    """A small question that has the search's kernels loaded, or compiled."""
    import numpy as np

    from relucert.network import Network
    from relucert.query import Box, Case, Polyhedron, Query

    generator = np.random.default_rng(5)
    sizes = [(9, 2), (9, 9), (1, 9)]
    network = Network.dense(
        [generator.normal(size=s) for s in sizes], [np.ones(s[0]) for s in sizes]
    )
    one = Fraction(1)
    ball = Box((-one, -one), (one, one))
    return network, Query((Case(ball, (Polyhedron(((one,),), (Fraction(-5),)),)),))


def measured(
    network_path: str, property_path: str, limit: float, plain: bool, arithmetics: list[str]
) -> dict[str, Any]:
    """One instance, in this process."""
    from relucert import certify
    from relucert.limits import Limits
    from relucert.proof.check import Accepted, check_proof
    from relucert.proof.subject import Subject
    from relucert.prover.certify import certify_with_proof
    from relucert.read.files import read_bytes
    from relucert.read.network import read_network
    from relucert.read.vnnlib import read_vnnlib

    certify(*warm_up())
    network, query = read_network(network_path), read_vnnlib(property_path)
    subject = Subject.of_files(read_bytes(network_path), read_bytes(property_path))
    row: dict[str, Any] = {}
    if plain:
        _, row["search_s"] = seconds(lambda: certify(network, query, timeout=limit, check=False))
        outcome, row["certify_s"] = seconds(lambda: certify(network, query, timeout=limit))
        row["verdict"] = outcome.verdict.words
        if not row["verdict"].startswith("Proved"):
            return row
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "out.rcp"
        limits = Limits(limit, float("inf"), 1)
        found, row["prove_s"] = seconds(
            lambda: certify_with_proof(network, query, subject, path, limits)
        )
        row["with_proof"] = found.verdict.words
        if found.path is None:
            return row
        row |= {"records": found.records, "bytes": found.size}
        for name in arithmetics:
            checked, row[f"{name}_s"] = seconds(
                lambda name=name: check_proof(path, network, query, subject, name)
            )
            row[name] = "accepted" if isinstance(checked, Accepted) else checked.words
    return row


def run(row: dict[str, str], limit: float, options: list[str]) -> dict[str, Any]:
    """One instance, in a process of its own, which gets ten times the limit for everything."""
    paths = [str((DATA / row[key]).resolve()) for key in ("network", "property")]
    command = [sys.executable, __file__, "--one", *paths, "--timeout", str(limit)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    found: dict[str, Any] = {key: row[key] for key in ("family", "network", "property")}
    try:
        done = subprocess.run(
            command + options,
            capture_output=True, text=True, timeout=10 * limit, env=environment, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return found | {"note": f"stopped after {10 * limit:g} s"}
    if done.returncode:
        return found | {"note": (done.stderr.strip().splitlines() or ["failed"])[-1][:200]}
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found | answer


def table(path: Path) -> str:
    """Per family: how many have proofs, and what they cost."""
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    lines = [
        "| family | Proved | with an accepted proof | search s | certify / search | proof s |"
        " rounded check / search | exact check / search | records |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for family in [*dict.fromkeys(row["family"] for row in rows), "all"]:
        own = [row for row in rows if family in ("all", row["family"])]
        own = [row for row in own if row["verdict"].startswith("Proved")]
        good = [
            row for row in own if row["rounded"] == "accepted" and row["exact"] in ("", "accepted")
        ]

        def middle(key: str, by: str = "", good: list[dict[str, str]] = good) -> str:
            given = [row for row in good if row[key]]
            values = [
                float(row[key]) / (max(float(row[by]), 0.001) if by else 1.0) for row in given
            ]
            return f"{median(values):.2f}" if values else "-"

        cells = (
            family, len(own), len(good), middle("search_s"), middle("certify_s", "search_s"),
            middle("prove_s"),
            middle("rounded_s", "search_s"), middle("exact_s", "search_s"), middle("records"),
        )  # fmt: skip
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def main() -> None:
    """Arguments in, one row for every instance out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path)
    parser.add_argument("--table", type=Path)
    parser.add_argument("--families", default="")
    parser.add_argument("--count", type=int, default=4)
    parser.add_argument("--timeout", type=float, default=60.0)
    parser.add_argument("--only-proof", action="store_true", help="leave out the plain search")
    parser.add_argument("--rounded", action="store_true", help="leave out the exact check")
    parser.add_argument("--one", nargs=2, metavar=("NETWORK", "PROPERTY"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    plain = not arguments.only_proof
    if arguments.one:
        names = ["rounded"] if arguments.rounded else ["rounded", "exact"]
        print(json.dumps(measured(*arguments.one, arguments.timeout, plain, names)))
        return
    if arguments.table:
        print(table(arguments.table))
        return
    options = ["--only-proof"] * arguments.only_proof + ["--rounded"] * arguments.rounded
    chosen = instances([one for one in arguments.families.split(",") if one], arguments.count)
    with arguments.results.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, FIELDS, restval="", lineterminator="\n")
        writer.writeheader()
        for row in chosen:
            writer.writerow(run(row, arguments.timeout, options))
            stream.flush()


if __name__ == "__main__":
    main()
