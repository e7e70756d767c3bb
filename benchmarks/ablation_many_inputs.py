"""What each ingredient of the search for many inputs is worth: divisions and CPU s without it.

    python benchmarks/ablation_many_inputs.py --results benchmarks/results/ablation-many-inputs.csv
    python benchmarks/ablation_many_inputs.py --table benchmarks/results/ablation-many-inputs.csv

Every question that linear bounds leave open and that is known to hold, of three families of
VNN-COMP in ``../shared/data/vnncomp`` beside the checkout; see benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import csv
import platform
import sys
import time
from datetime import date
from pathlib import Path
from statistics import median

from relucert import read_network, read_query
from relucert.bounds.backward import bound_network
from relucert.bounds.interval import Intervals
from relucert.bounds.unsafe import open_parts
from relucert.limits import Limits
from relucert.query import Case
from relucert.search.questions import Effort
from relucert.search.relu_split import Plan, Round, split_relus
from relucert.verdict import Proved, Unknown

DATA = Path(__file__).parents[1] / "../shared/data/vnncomp"
FAMILIES = ("mnist_fc", "oval21", "safenlp")
STILL = Effort(first_steps=0, steps=0)
VARIANTS = {
    "all": Plan(),
    "without sharpening": Plan(rounds=(Round(1, 2**62),)),
    "without ascent": Plan(neurons=STILL, outputs=STILL, outputs_of_one_layer=STILL),
    "without ascent for neurons": Plan(neurons=STILL),
}
HEADER = ("instance", "variant", "verdict", "divisions", "cpu_seconds")


def instances() -> list[tuple[str, str, str]]:
    """Name, network and property of what is known to hold."""
    with (DATA / "instances.csv").open(encoding="utf-8") as stream:
        rows = [r for r in csv.DictReader(stream) if r["family"] in FAMILIES]
    return [
        (_short(row), row["network"], row["property"]) for row in rows if row["expected"] == "unsat"
    ]


def _short(row: dict[str, str]) -> str:
    network, question = (Path(row[key]).name for key in ("network", "property"))
    short = (network.removesuffix(".onnx.gz"), question.removesuffix(".vnnlib.gz"))
    return " ".join((row["family"], *short))


def measure(path: Path, seconds: float) -> None:
    """All plans on all questions, in turn."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        stream.write(
            f"# {date.today()}, Python {platform.python_version()}, {platform.processor()}, "
            f"limit {seconds:g} s\n"
        )
        writer = csv.writer(stream)
        writer.writerow(HEADER)
        for name, network_path, property_path in instances():
            network, query = read_network(DATA / network_path), read_query(DATA / property_path)
            (case,) = query.cases
            box = Intervals(*case.box.enclosing_floats)
            chain = bound_network(network, box)
            left = Case(case.box, open_parts(chain, box, case.unsafe))
            if not left.unsafe:
                continue
            for variant, plan in VARIANTS.items():
                started, words = time.process_time(), list[str]()
                verdict = split_relus(
                    network, query, left, chain, Limits(seconds), words.append, plan=plan
                )
                if not isinstance(verdict, Proved | Unknown):
                    raise SystemExit(f"{name}: {verdict.words}, but it is known to hold")
                answer = "proved" if isinstance(verdict, Proved) else "unknown"
                row = [name, variant, answer, _divisions(words), time.process_time() - started]
                writer.writerow([*row[:-1], f"{row[-1]:.3f}"])
                stream.flush()
                print(*row, file=sys.stderr)


def _divisions(words: list[str]) -> int:
    """The last number of nodes that the search told of."""
    for line in reversed(words):
        for part in line.split(", "):
            if part.endswith(" nodes"):
                return int(part.removesuffix(" nodes"))
    return 0


def table(path: Path) -> str:
    """Markdown: what is solved, divisions for outputs, CPU seconds, and their median ratio."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line[0] != "#"]
    rows = list(csv.DictReader(lines))
    whole = {row["instance"]: row for row in rows if row["variant"] == "all"}
    out = [
        "| search | solved | divisions | CPU s | median ratio of CPU s | largest |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for variant in VARIANTS:
        mine = [row for row in rows if row["variant"] == variant]
        solved = sum(row["verdict"] == "proved" for row in mine)
        ratios = [
            float(r["cpu_seconds"]) / float(whole[r["instance"]]["cpu_seconds"]) for r in mine
        ]
        out.append(
            f"| {variant} | {solved} of {len(mine)} | {sum(int(r['divisions']) for r in mine):,} | "
            f"{sum(float(r['cpu_seconds']) for r in mine):.1f} | {median(ratios):.2f} | "
            f"{max(ratios):.1f} |"
        )
    return "\n".join(out)


def main() -> None:
    """Measure, or print the table of what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    group = parser.add_mutually_exclusive_group(required=True)
    group.add_argument("--results", type=Path)
    group.add_argument("--table", type=Path)
    parser.add_argument("--timeout", type=float, default=20.0)
    options = parser.parse_args()
    if options.table is not None:
        print(table(options.table))
        return
    if not (DATA / "instances.csv").exists():
        raise SystemExit(f"no instances in {DATA}")
    measure(options.results, options.timeout)


if __name__ == "__main__":
    main()
