"""What each ingredient of the search for few inputs is worth: nodes and CPU seconds without it.

    python benchmarks/ablation.py --results benchmarks/results/ablation.csv
    python benchmarks/ablation.py --table benchmarks/results/ablation.csv

The instances are those of VNN-COMP that the script expects in ``../shared/data/vnncomp`` beside the
checkout; see benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import csv
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from statistics import median

from relucert import read_network, read_query
from relucert.bounds.backward import bound_network
from relucert.bounds.interval import Intervals
from relucert.bounds.unsafe import open_parts
from relucert.limits import Limits
from relucert.network import Network
from relucert.query import Case, Query
from relucert.search.few_inputs import Ingredients, search_few_inputs
from relucert.search.star.kernel import compiled_kernel, ready_kernel
from relucert.search.star.pool import NODES
from relucert.search.star.tuning import Tuning
from relucert.verdict import Unknown, Violated

DATA = Path(__file__).parents[1] / "../shared/data/vnncomp"
NEVER = 2**62
VARIANTS = {
    "all": Ingredients(),
    "without the gap term": Ingredients(Tuning(gaps=0.0)),
    "without linear programmes": Ingredients(Tuning(linear=-1)),
    "without dual ascent": Ingredients(Tuning(ascent=0)),
    "without ReLU splits": Ingredients(Tuning(relus=0)),
    "without best-first nodes": Ingredients(Tuning(dive=NEVER)),
    "without attack": Ingredients(Tuning(sampling=NEVER, descents=0), attack=False),
}
HEADER = ("instance", "variant", "verdict", "nodes", "cpu_seconds")
EVERY = {"acasxu": 5, "reach_prob_density": 4, "tllverifybench": 2, "rl_benchmarks": 20}


@dataclass
class Counted:
    """The compiled loop, with its nodes counted; TimeoutError after so much processor time."""

    loop: Callable[..., int]
    until: float
    nodes: int = 0

    def __call__(self, *arguments: object) -> int:
        counters = arguments[3].counters  # type: ignore[attr-defined]
        before = int(counters[NODES])
        code = self.loop(*arguments)
        self.nodes += int(counters[NODES]) - before
        if time.process_time() > self.until:
            raise TimeoutError
        return code


def instances() -> list[tuple[str, str, str]]:
    """Every k-th instance of each family, in the order of the list."""
    found = []
    with (DATA / "instances.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    for family, step in EVERY.items():
        chosen = [row for row in rows if row["family"] == family][::step]
        found += [(f"{family} {_short(row)}", row["network"], row["property"]) for row in chosen]
    return found


def _short(row: dict[str, str]) -> str:
    names = (Path(row[key]).name.split(".")[0] for key in ("network", "property"))
    return " ".join(names).replace("ACASXU_run2a_", "").replace("_batch_2000", "")


def run(
    network_path: str, property_path: str, variant: Ingredients, seconds: float
) -> list[object]:
    """Verdict, nodes and CPU seconds of all cases of one question."""
    network, query = read_network(DATA / network_path), read_query(DATA / property_path)
    loop, started = ready_kernel() or compiled_kernel(), time.process_time()
    if loop is None:
        raise SystemExit("this needs numba")
    counted = Counted(loop, started + seconds)
    made_of = Ingredients(variant.tuning, variant.attack, counted)
    try:
        answer = _answer(network, query, made_of)
    except TimeoutError:
        answer = "unknown"
    return [answer, counted.nodes, f"{time.process_time() - started:.4f}"]


def _answer(network: Network, query: Query, made_of: Ingredients) -> str:
    for case in query.cases:
        box = Intervals(*case.box.enclosing_floats)
        chain = bound_network(network, box)
        left = Case(case.box, open_parts(chain, box, case.unsafe))
        verdict = search_few_inputs(
            network, query, left, Limits(), chain=chain, ingredients=made_of
        )
        if isinstance(verdict, Unknown):
            return "unknown"
        if isinstance(verdict, Violated):
            return "violated"
    return "proved"


def measure(path: Path, seconds: float) -> None:
    """All variants on all instances, in turn."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        stream.write(
            f"# {date.today()}, Python {platform.python_version()}, {platform.processor()}, "
            f"limit {seconds:g} CPU s\n"
        )
        writer = csv.writer(stream)
        writer.writerow(HEADER)
        for name, network, prop in instances():
            for variant, made_of in VARIANTS.items():
                row = [name, variant, *run(network, prop, made_of, seconds)]
                writer.writerow(row)
                stream.flush()
                print(*row, file=sys.stderr)


def table(path: Path) -> str:
    """Markdown: what is solved, nodes and CPU seconds, and ratios to the whole search."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line[0] != "#"]
    rows = list(csv.DictReader(lines))
    whole = {row["instance"]: row for row in rows if row["variant"] == "all"}
    out = [
        "| search | solved | nodes | CPU s | median ratio of nodes | of CPU s | largest of CPU s |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for variant in VARIANTS:
        mine = [row for row in rows if row["variant"] == variant]
        searched = [row for row in mine if int(whole[row["instance"]]["nodes"]) > 1]
        nodes = [int(r["nodes"]) / int(whole[r["instance"]]["nodes"]) for r in searched]
        times = [
            float(r["cpu_seconds"]) / float(whole[r["instance"]]["cpu_seconds"]) for r in searched
        ]
        solved = sum(row["verdict"] != "unknown" for row in mine)
        out.append(
            f"| {variant} | {solved} of {len(mine)} | {sum(int(r['nodes']) for r in mine):,} | "
            f"{sum(float(r['cpu_seconds']) for r in mine):.1f} | {median(nodes):.2f} | "
            f"{median(times):.2f} | {max(times):.1f} |"
        )
    return "\n".join(out)


def main() -> None:
    """Measure, or print the table of what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    group = parser.add_mutually_exclusive_group(required=True)
    group.add_argument("--results", type=Path)
    group.add_argument("--table", type=Path)
    parser.add_argument("--timeout", type=float, default=10.0)
    options = parser.parse_args()
    if options.table is not None:
        print(table(options.table))
        return
    if not (DATA / "instances.csv").exists():
        raise SystemExit(f"no instances in {DATA}")
    measure(options.results, options.timeout)


if __name__ == "__main__":
    main()
