"""What many workers would make of a long list of questions: simulated, from measured times.

    python benchmarks/simulate_workers.py --results benchmarks/results/simulated-workers.csv \
        --plot docs/scaling-workers.png

Nothing here was run on more than two cores. The times of single questions are measured (the
results file of the 280 competition instances); they are drawn with replacement to make a longer
list, whose schedule on P workers is then computed: a queue, one scheduler, workers that take the
next chunk when they are done with one. What is assumed is named in `Assumptions`.
"""

from __future__ import annotations

import argparse
import csv
import heapq
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

MEASURED = Path(__file__).parent / "results/competition-60s-2026-11-23.csv"
SEEDS = range(1, 10)  # each row is the median over these
UNPLOTTED = ("easy first", "cubes where few inputs vary")  # no different from "as drawn"
WORKERS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000)
FEW_INPUTS = ("acasxu", "linearizenn", "reach_prob_density", "rl_benchmarks", "tllverifybench")
HEADER = ("variant", "workers", "makespan_s", "work_s", "speed_up", "efficiency", "last_start_s",
          "longest_s")  # fmt: skip


@dataclass(frozen=True)
class Assumptions:
    """Of one simulation.

    items: in the list. chunk: items handed out together. start: seconds until a worker takes its
    first chunk (measured: imports, reading the network). dispatch: of the scheduler for each
    chunk, one after another. latency: from the scheduler to a worker and back. slow_share,
    slowdown: how many workers are slower, and how much. killed_share: how many workers die once,
    in the middle of a chunk, which is done again by another. order: "drawn", "easy first" or
    "hard first", the latter two with perfect knowledge. divided: "no" item is, only those with
    "few inputs", or "all"; then those over ``over`` seconds become 16 cubes, whose times are in
    the proportions of measured cubes.
    """

    items: int = 10_000
    chunk: int = 1
    start: float = 1.0
    dispatch: float = 0.001
    latency: float = 0.005
    slow_share: float = 0.0
    slowdown: float = 3.0
    killed_share: float = 0.0
    order: str = "drawn"
    divided: str = "no"
    over: float = 5.0
    seed: int = 1


VARIANTS = {
    "as drawn": Assumptions(),
    "easy first": Assumptions(order="easy first"),
    "hard first": Assumptions(order="hard first"),
    "chunks of 20": Assumptions(chunk=20),
    "scheduler of 10 ms a chunk": Assumptions(dispatch=0.01),
    "2 % of workers 3 times slower, 2 % die": Assumptions(slow_share=0.02, killed_share=0.02),
    "cubes where few inputs vary": Assumptions(divided="few inputs"),
    "cubes for all, if that were possible": Assumptions(divided="all"),
    "1,000 items": Assumptions(items=1_000),
    "100,000 items": Assumptions(items=100_000),
}


def measured(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Seconds of every row, and whether few inputs vary."""
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    families = np.array([row["family"] for row in rows])
    seconds = np.array([float(row["seconds"]) for row in rows])
    return seconds, np.isin(families, FEW_INPUTS)


def cube_shares(path: Path) -> np.ndarray:
    """Times of 16 cubes by the undivided time; their sum, above 1, is the cost of dividing."""
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    alone = {row["instance"]: float(row["cpu_s"]) for row in rows if row["cubes"] == "0"}
    name = max(alone, key=lambda one: alone[one])
    found = next(r for r in rows if (r["instance"], r["cubes"], r["workers"]) == (name, "16", "1"))
    return np.array([float(word) for word in found["times"].split()]) / alone[name]


def listed(given: Assumptions, shares: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The list's times in its order, cubes as items of their own."""
    seconds, few = measured(MEASURED)
    drawn = rng.integers(len(seconds), size=given.items)
    times, may = seconds[drawn], few[drawn] | (given.divided == "all")
    if given.divided != "no":
        hard = may & (times > given.over)
        times = np.concatenate([times[~hard], (times[hard][:, None] * shares).ravel()])
        times = rng.permutation(times)
    if given.order == "drawn":
        return times
    times = np.sort(times)
    return times if given.order == "easy first" else times[::-1]


def simulated(given: Assumptions, workers: int, shares: np.ndarray) -> dict[str, float]:
    """The makespan and what it is made of."""
    rng = np.random.default_rng(given.seed)
    times = listed(given, shares, rng)
    chunks = [times[i : i + given.chunk].sum() for i in range(0, len(times), given.chunk)]
    slow = np.ones(workers)
    slow[: round(given.slow_share * workers)] = given.slowdown
    dying = set(range(workers - round(given.killed_share * workers), workers))
    free = [(given.start, worker) for worker in range(workers)]
    heapq.heapify(free)
    queue, end, scheduler, last = list(reversed(chunks)), 0.0, 0.0, 0.0
    while queue:
        now, worker = heapq.heappop(free)
        scheduler = max(now, scheduler) + given.dispatch  # it serves one after another
        begin, chunk = scheduler + given.latency, queue.pop()
        took = chunk * slow[worker]
        last = max(last, begin)
        if worker in dying:
            dying.remove(worker)
            queue.insert(0, chunk)  # noticed, it is handed out again at the end
            heapq.heappush(free, (begin + 0.5 * took + given.start, worker))
            continue
        end = max(end, begin + took)
        heapq.heappush(free, (begin + took + given.latency, worker))
    work = float(times.sum())
    return {
        "makespan_s": end, "work_s": work, "speed_up": work / end,
        "efficiency": work / end / workers, "last_start_s": last, "longest_s": float(times.max()),
    }  # fmt: skip


def plot(rows: list[dict[str, object]], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 5))
    axes.plot(WORKERS, WORKERS, color="grey", linewidth=1, linestyle=":", label="ideal")
    for name in VARIANTS:
        if name in UNPLOTTED:
            continue
        chosen = [row for row in rows if row["variant"] == name]
        axes.plot([row["workers"] for row in chosen], [row["speed_up"] for row in chosen],
                  marker="o", markersize=3, linewidth=1.2, label=name)  # fmt: skip
    axes.set(xscale="log", yscale="log", xlabel="workers", ylabel="speed-up (simulated)")
    axes.set_title("A list of 10,000 questions on many workers, simulated from measured times")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="upper left")
    figure.tight_layout()
    figure.savefig(path, dpi=110, metadata={"Software": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--cubes", type=Path, default=MEASURED.with_name("cubes.csv"))
    parser.add_argument("--plot", type=Path)
    arguments = parser.parse_args()
    shares = cube_shares(arguments.cubes)
    rows: list[dict[str, object]] = []
    for name, given in VARIANTS.items():
        for workers in WORKERS:
            found = [simulated(replace(given, seed=seed), workers, shares) for seed in SEEDS]
            medians = {key: float(np.median([one[key] for one in found])) for key in found[0]}
            rows.append({"variant": name, "workers": workers}
                        | {key: round(value, 3) for key, value in medians.items()})  # fmt: skip
        print(name, json.dumps(asdict(given)), rows[-1])
    with arguments.results.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, HEADER, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    if arguments.plot:
        plot(rows, arguments.plot)


if __name__ == "__main__":
    main()
