"""How time grows with ReLUs, inputs and radius on digits networks, with the MILP engine beside it.

    python benchmarks/scaling.py --results benchmarks/results/scaling.csv   (needs scikit-learn)
    python benchmarks/scaling.py --plot benchmarks/results/scaling.csv docs/scaling.png

Networks are trained here with a fixed seed; a question is whether a correctly classified test
image keeps its label on an l-infinity ball clipped to [0, 1], or on its slice where only the k
most central pixels vary. Radii are shares of the smallest one at which gradient descent finds
another label (the *attacked* radius), for far from it bounds or an attack answer at once.
"""

from __future__ import annotations

import argparse
import csv
import os
import platform
import sys
import time
from collections.abc import Iterator
from datetime import date
from fractions import Fraction
from pathlib import Path
from statistics import median

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np

from relucert import certify
from relucert.limits import Limits
from relucert.network import Network
from relucert.query import Box, Case, Decision, Query, robustness_query
from relucert.search.attack import Attack, attack_case
from relucert.verdict import Unknown, Violated

SEED, TEST = 20240507, 300
SHAPES = ((32, 1), (128, 1), (32, 2), (64, 2), (128, 2), (256, 2), (128, 4), (512, 4))
SHARES, SHARE = (0.3, 0.5, 0.7, 0.8, 0.9, 1.1, 1.3), 0.8
INPUTS = (4, 8, 16, 32)
ENGINES = ("auto", "milp")
HEADER = ("series", "network", "relus", "inputs", "share", "radius", "point", "engine", "verdict",
          "seconds", "cpu_seconds")  # fmt: skip
Point = tuple[tuple[Fraction, ...], int]


def trained(width: int, depth: int) -> tuple[Network, list[Point]]:
    """The network, and test images that it classifies correctly."""
    from sklearn.datasets import load_digits
    from sklearn.neural_network import MLPClassifier

    images, labels = load_digits(return_X_y=True)
    images = images / 16.0
    order = np.random.default_rng(SEED).permutation(len(labels))
    test, rest = order[:TEST], order[TEST:]
    model = MLPClassifier((width,) * depth, random_state=SEED, max_iter=60, alpha=1e-2)
    model.fit(images[rest], labels[rest])
    network = Network.dense([weight.T for weight in model.coefs_], list(model.intercepts_))
    right = test[network.evaluate(images[test]).argmax(axis=1) == labels[test]]
    return network, [(tuple(map(Fraction, images[i].tolist())), int(labels[i])) for i in right]


def ball(point: Point, radius: Fraction, inputs: int) -> Query:
    """The question; with fewer than 64 inputs the outer pixels keep their values."""
    values, label = point
    decision = Decision("argmax", 10)
    unit = (Fraction(0), Fraction(1))
    query = robustness_query(values, label, decision, radius=radius, clip=unit)
    if inputs == len(values):
        return query
    centre = sorted(range(64), key=lambda i: (i // 8 - 3.5) ** 2 + (i % 8 - 3.5) ** 2)[:inputs]
    (case,) = query.cases
    lower, upper = list(values), list(values)
    for i in centre:
        lower[i], upper[i] = case.box.lower[i], case.box.upper[i]
    return Query((Case(Box(tuple(lower), tuple(upper)), case.unsafe),))


def attacked_radius(network: Network, point: Point, inputs: int) -> float:
    """About the smallest radius at which gradient descent finds another label; 1 for none."""
    low, high = 0.0, 1.0
    for _ in range(8):
        middle = 0.5 * (low + high)
        query = ball(point, Fraction(middle), inputs)
        attack = Attack(seconds=5.0, rounds=2)
        found = attack_case(network, query, query.cases[0], attack, Limits()).violated
        low, high = (low, middle) if found else (middle, high)
    return high


def questions(count: int) -> Iterator[tuple[str, str, Network, Point, int, float, float, int]]:
    """(series, name, network, point, its index, share, radius, inputs), small networks first."""
    for width, depth in SHAPES:
        network, points = trained(width, depth)
        name = f"{width}x{depth}"
        for index, point in enumerate(points[:count]):
            radius = attacked_radius(network, point, 64)
            yield "relus", name, network, point, index, SHARE, SHARE * radius, 64
            if (width, depth) != (64, 2):
                continue
            for share in SHARES:
                yield "share", name, network, point, index, share, share * radius, 64
            for inputs in INPUTS:
                own = attacked_radius(network, point, inputs)
                yield "inputs", name, network, point, index, SHARE, SHARE * own, inputs


def cpu() -> float:
    """Processor time of this process and of the finished ones that it started."""
    return time.process_time() + sum(os.times()[2:4])


def measure(path: Path, count: int, seconds: float) -> None:
    """All questions, by each engine in turn; stops when two engines contradict one another."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        stream.write(f"# {date.today()}, Python {platform.python_version()}, limit {seconds:g} s\n")
        writer = csv.writer(stream)
        writer.writerow(HEADER)
        for series, name, network, point, index, share, radius, inputs in questions(count):
            said = set()
            for engine in ENGINES:
                query, before, started = ball(point, Fraction(radius), inputs), cpu(), time.time()
                verdict = certify(
                    network, query, engine=engine, timeout=seconds, check=False
                ).verdict
                word = "unknown"
                if not isinstance(verdict, Unknown):
                    word = "violated" if isinstance(verdict, Violated) else "proved"
                    said.add(word)
                wall, used = f"{time.time() - started:.3f}", f"{cpu() - before:.3f}"
                row = (series, name, network.relu_count, inputs, share, f"{radius:.5f}", index,
                       engine, word, wall, used)  # fmt: skip
                writer.writerow(row)
                stream.flush()
                print(*row, file=sys.stderr)
            if len(said) > 1:
                raise SystemExit(f"the engines disagree: {row}")


def plot(source: Path, target: Path) -> None:
    """Three panels: median CPU seconds by ReLUs, inputs and radius, with every question a dot."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    lines = [line for line in source.read_text(encoding="utf-8").splitlines() if line[0] != "#"]
    rows = list(csv.DictReader(lines))
    figure, axes = plt.subplots(1, 3, figsize=(13, 4.2), sharey=True, layout="constrained")
    titles = {
        "relus": "ReLUs (0.8 of the attacked radius, 64 inputs)",
        "inputs": "inputs that vary (64x2, 0.8 of the attacked radius)",
        "share": "radius / attacked radius (64x2, 64 inputs)",
    }
    for axis, (series, title) in zip(axes, titles.items(), strict=True):
        for engine, colour, mark in (("auto", "#4477aa", "o"), ("milp", "#cc6677", "s")):
            mine = [r for r in rows if r["series"] == series and r["engine"] == engine]
            places = sorted({float(r[series]) for r in mine})
            groups = [[r for r in mine if float(r[series]) == x] for x in places]
            for solved, face in ((True, colour), (False, "none")):
                dots = [r for r in mine if (r["verdict"] != "unknown") == solved]
                axis.scatter(
                    [float(r[series]) for r in dots], [_seconds(r) for r in dots], s=22,
                    marker=mark, facecolor=face, edgecolor=colour, alpha=0.6, linewidth=0.9,
                )  # fmt: skip
            middle = [median(map(_seconds, group)) for group in groups]
            axis.plot(places, middle, color=colour, label=f"{engine}: median")
        if series != "share":
            axis.set_xscale("log", base=2)
            axis.xaxis.set_major_formatter(mpl.ticker.FormatStrFormatter("%d"))
        axis.set_yscale("log")
        axis.set_xlabel(title)
        axis.grid(color="#dddddd", linewidth=0.6)
    axes[0].set_ylabel("CPU seconds (hollow: no answer in time)")
    axes[0].legend(loc="upper left")
    figure.savefig(target, dpi=130)


def _seconds(row: dict[str, str]) -> float:
    return max(float(row["cpu_seconds"]), 1e-3)


def main() -> None:
    """Measure, or draw what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    group = parser.add_mutually_exclusive_group(required=True)
    group.add_argument("--results", type=Path)
    group.add_argument("--plot", type=Path, nargs=2, metavar=("RESULTS", "PICTURE"))
    parser.add_argument("--points", type=int, default=8)
    parser.add_argument("--timeout", type=float, default=20.0)
    options = parser.parse_args()
    if options.plot:
        plot(*options.plot)
    else:
        measure(options.results, options.points, options.timeout)


if __name__ == "__main__":
    main()
