"""What one question costs: seconds by part, nodes, memory. A few instances of every family.

    python benchmarks/cost_model.py --results benchmarks/results/cost-model.csv

Every instance is a process of its own, with one thread; seconds are processor time. The first, the
middle and the last instance of every family of ../shared/data/vnncomp beside the checkout.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
from pathlib import Path

LIST = Path(__file__).parents[2] / "shared/data/vnncomp/instances.csv"
HEADER = ("family", "network", "property", "verdict", "import_s", "read_s", "solve_s", "nodes",
          "base_mb", "read_mb", "peak_mb")  # fmt: skip
CHILD = """
import json, resource, sys, time
clock = time.process_time
memory = lambda: round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
from relucert import certify, read_network, read_query
import relucert.search.few_inputs
imported, base = clock(), memory()
network, query = read_network(sys.argv[1]), read_query(sys.argv[2])
read, after = clock(), memory()
found = certify(network, query, timeout=float(sys.argv[3]), check=False)
print(json.dumps([found.verdict.words, imported, read - imported, clock() - read,
                  found.work.nodes, base, after, memory()]))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--timeout", type=float, default=20.0)
    arguments = parser.parse_args()
    with LIST.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    families: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        families.setdefault(row["family"], []).append(row)
    variables = dict(os.environ, OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    with arguments.results.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(HEADER)
        for family, listed in families.items():
            for row in (listed[0], listed[len(listed) // 2], listed[-1]):
                paths = [str(LIST.parent / row[name]) for name in ("network", "property")]
                done = subprocess.run(
                    [sys.executable, "-c", CHILD, *paths, str(arguments.timeout)], env=variables,
                    stdout=subprocess.PIPE, text=True, check=True,
                )  # fmt: skip
                words, *numbers = json.loads(done.stdout)
                found = (family, row["network"], row["property"], words,
                         *(round(number, 3) for number in numbers))  # fmt: skip
                print(*found, flush=True)
                writer.writerow(found)
                out.flush()


if __name__ == "__main__":
    main()
