"""A sweep of 1,000 points of scikit-learn's digits at three radii, with one process and with two.

    python benchmarks/sweep.py [--points 1000] [--radius 0.01,0.03,0.05] [--repeats 2]

Needs scikit-learn (``pip install '.[instances]'``). Prints wall-clock seconds, starting Python
included, and whether the tables of results are the same, byte for byte.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

NETWORK = Path(__file__).parents[1] / "instances/digits/dense_50x2.onnx"
TABLES = ("results.csv", "counterexamples.csv")


def write_points(path: Path, count: int) -> None:
    """The first ``count`` images, pixels from 0 to 1 in sixteenths."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    np.savez(path, points=digits.data[:count] / 16.0, labels=digits.target[:count])


def swept(folder: Path, data: Path, radii: str, jobs: int) -> tuple[float, list[bytes]]:
    """Seconds, and the tables."""
    command = [
        sys.executable, "-m", "relucert", "certify", str(NETWORK), "--data", str(data),
        "--radius", radii, "--clip", "0", "1", "--timeout", "20", "--seed", "0",
        "--jobs", str(jobs), "-o", str(folder),
    ]  # fmt: skip
    started = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - started
    if done.returncode not in (0, 1, 3):
        raise SystemExit(done.stderr)
    print(f"{jobs} process(es): {seconds:.1f} s; {done.stdout.splitlines()[-1]}", flush=True)
    return seconds, [(folder / name).read_bytes() for name in TABLES]


def main() -> None:
    """Alternate, so that a change of the machine meets both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=1000)
    parser.add_argument("--radius", default="0.01,0.03,0.05")
    parser.add_argument("--repeats", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_points(folder / "points.npz", arguments.points)
        found = [
            swept(folder / f"{repeat}-{jobs}", folder / "points.npz", arguments.radius, jobs)
            for repeat in range(arguments.repeats)
            for jobs in (1, 2)
        ]
    one, two = (min(seconds for seconds, _ in found[start::2]) for start in (0, 1))
    same = all(tables == found[0][1] for _, tables in found)
    print(f"efficiency of two: {one / two / 2:.0%}; the same tables: {'yes' if same else 'NO'}")


if __name__ == "__main__":
    main()
