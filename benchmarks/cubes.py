"""What dividing one question into cubes costs and gains, with one and two worker processes.

    python benchmarks/cubes.py --results benchmarks/results/cubes.csv
    python benchmarks/cubes.py --table benchmarks/results/cubes.csv

Four competition instances with few inputs (expected in ../shared/data/vnncomp beside the checkout,
else left out) and a random network, whose question takes longer. Wall-clock seconds depend on
what else the machine does; runs with one and with two workers follow each other. ``sum`` and
``largest`` are processor seconds of the cubes, measured in the workers.
"""

from __future__ import annotations

import argparse
import csv
import os
import time
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np

from relucert import certify, read_network, read_query
from relucert.cubes.certify import certify_cubes
from relucert.cubes.local import local_processes
from relucert.cubes.work import Settings
from relucert.limits import Limits
from relucert.network import Network
from relucert.query import Box, Case, Polyhedron, Query

DATA = Path(__file__).parents[2] / "shared/data/vnncomp"
CHOSEN = {
    "acasxu 4_2 prop_2": ("acasxu", "ACASXU_run2a_4_2_batch_2000", "prop_2"),
    "acasxu 3_3 prop_9": ("acasxu", "ACASXU_run2a_3_3_batch_2000", "prop_9"),
    "acasxu 4_6 prop_1": ("acasxu", "ACASXU_run2a_4_6_batch_2000", "prop_1"),
    "tllverifybench N=24_3": (
        "tllverifybench", "tllBench_n=2_N=M=24_m=1_instance_2_3", "property_N=24_3",
    ),
}  # fmt: skip
SIZES = {"random 6-50-50-50-1": (6, 50, 50, 50, 1)}
COUNTS = (4, 16, 64)
HEADER = ("instance", "cubes", "workers", "verdict", "wall_s", "cpu_s", "largest_s", "handed_out",
          "nodes", "load", "times")  # fmt: skip


def random_question(sizes: tuple[int, ...]) -> tuple[Network, Query]:
    """Is the output anywhere a tenth of its spread above the largest of 100,000 points?"""
    rng = np.random.default_rng(0)
    network = Network.dense(
        [rng.normal(size=(b, a)) / np.sqrt(a) for a, b in pairwise(sizes)],
        [0.3 * rng.normal(size=b) for b in sizes[1:]],
    )
    points = rng.uniform(-1, 1, size=(100_000, sizes[0]))
    values = network.evaluate(np.where(rng.random(points.shape) < 0.5, np.sign(points), points))
    limit = Fraction(float(values.max() + 0.1 * np.ptp(values)))
    one = Fraction(1)
    box = Box((-one,) * sizes[0], (one,) * sizes[0])
    return network, Query((Case(box, (Polyhedron(((-one,),), (-limit,)),)),))


def instances() -> Iterator[tuple[str, Network, Query]]:
    for name, (family, network, prop) in CHOSEN.items():
        path = DATA / family / "onnx" / f"{network}.onnx.gz"
        if path.exists():
            yield name, read_network(path), read_query(DATA / family / f"vnnlib/{prop}.vnnlib.gz")
    for name, sizes in SIZES.items():
        yield name, *random_question(sizes)


def runs(name: str, network: Network, query: Query, seconds: float) -> Iterator[tuple[object, ...]]:
    before = time.process_time()
    alone = certify(network, query, timeout=seconds)
    cpu = time.process_time() - before
    yield (name, 0, 1, alone.verdict.words, round(alone.seconds, 2), round(cpu, 2), round(cpu, 2),
           1, alone.work.nodes, os.getloadavg()[0], "")  # fmt: skip
    for count in COUNTS:
        for workers in (1, 2):
            with local_processes(workers) as pool:
                found = certify_cubes(
                    network, query, pool, lambda workers=workers: workers, cubes=count,
                    settings=Settings(), limits=Limits(seconds), alone_seconds=0,
                )  # fmt: skip
            times = [round(one, 3) for one in found.times]
            yield (name, count, workers, found.verdict.words, round(found.seconds, 2),
                   round(sum(times), 2), max(times, default=0), found.given, found.nodes,
                   os.getloadavg()[0], " ".join(map(str, times)))  # fmt: skip


def table(path: Path) -> None:
    """As Markdown: one worker against two, and the processor time against the undivided run's."""
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    alone = {row["instance"]: row for row in rows if row["cubes"] == "0"}
    print("| instance | undivided, CPU s | cubes | sum, CPU s | largest | 1 worker, s | "
          "2 workers, s | ratio |\n|---|---:|---:|---:|---:|---:|---:|---:|")  # fmt: skip
    for one in rows:
        if one["workers"] != "1" or one["cubes"] == "0":
            continue
        two = next(row for row in rows if row["workers"] == "2" and row["cubes"] == one["cubes"]
                   and row["instance"] == one["instance"])  # fmt: skip
        ratio = float(one["wall_s"]) / float(two["wall_s"])
        print(f"| {one['instance']} | {alone[one['instance']]['cpu_s']} | {one['cubes']} | "
              f"{one['cpu_s']} | {float(one['largest_s']):.2f} | {one['wall_s']} | "
              f"{two['wall_s']} | {ratio:.2f} |")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--results", type=Path)
    parser.add_argument("--table", type=Path)
    parser.add_argument("--timeout", type=float, default=300.0)
    arguments = parser.parse_args()
    if arguments.table:
        table(arguments.table)
        return
    with arguments.results.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        for name, network, query in instances():
            for row in runs(name, network, query, arguments.timeout):
                print(*row[:-1], flush=True)
                writer.writerow(row)
                file.flush()


if __name__ == "__main__":
    main()
