"""Robustness radii: how wide the brackets are and what they cost, in processor time.

python benchmarks/radii.py NETWORK POINTS.npz --rows 20 --timeout 30 [--together]

Every point is bracketed by itself with its limit (pixels stay in [0, 1]); prints a row of
markdown. ``--together`` instead times what is done for many points at once against the same work
point by point.
"""

from __future__ import annotations

import argparse
import time
from fractions import Fraction
from pathlib import Path
from statistics import median

from relucert.batch import Point, choose_decision, chosen_points
from relucert.network import Network
from relucert.query import Decision
from relucert.radius import robustness_radius
from relucert.read.network import read_network
from relucert.read.points import read_points

CLIP = (Fraction(0), Fraction(1))


def brackets(
    network: Network, points: list[Point], decision: Decision, timeout: float, seed: int
) -> str:
    times, widths, closed, rigorous = [], [], 0, 0
    for point in points:
        started = time.process_time()
        found = robustness_radius(
            network, point.values, point.label, decision, clip=CLIP, timeout=timeout, seed=seed
        )
        times.append(time.process_time() - started)
        closed += found.closed
        rigorous += found.method.rigorous
        width = float((found.upper - found.lower) / found.upper) if found.upper else 0.0
        widths.append(width)
        upper = float(found.upper) if found.upper is not None else float("nan")
        print(f"{point.name}: {float(found.lower):.6f} to {upper:.6f}, width {100 * width:.3f} %, "
              f"{found.method.name}, {times[-1]:.2f} s", flush=True)  # fmt: skip
    cells = [
        network.name, len(points), closed, rigorous, f"{100 * median(widths):.3f}",
        f"{100 * max(widths):.2f}", f"{median(times):.2f}", f"{sum(times):.1f}",
    ]  # fmt: skip
    return "| " + " | ".join(map(str, cells)) + " |"


def together(network: Network, points: list[Point], decision: Decision, seed: int) -> str:
    from relucert.radius import starts_together

    cells: list[object] = [network.name, len(points)]
    for size in (1, 32):
        started = time.process_time()
        for first in range(0, len(points), size):
            group = points[first : first + size]
            starts_together(
                network, [p.values for p in group], [p.label for p in group], decision, CLIP, seed
            )
        cells.append(f"{1000 * (time.process_time() - started) / len(points):.1f}")
    return "| " + " | ".join(map(str, cells)) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--rows", type=int, default=20, help="the first so many points")
    parser.add_argument("--timeout", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--together", action="store_true")
    asked = parser.parse_args()
    network, data = read_network(asked.network), read_points(asked.data)
    decision = choose_decision(network, "auto", data.labels.tolist())
    points = chosen_points(data, range(min(asked.rows, len(data))), network)
    if asked.together:
        print(together(network, points, decision, asked.seed))
    else:
        print(brackets(network, points, decision, asked.timeout, asked.seed))


if __name__ == "__main__":
    main()
