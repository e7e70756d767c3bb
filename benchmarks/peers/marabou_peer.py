"""Marabou (maraboupy from PyPI) as a peer of relucert: prints sat with its point, or unsat.

python -m venv marabou && marabou/bin/pip install maraboupy
relucert bench LIST.csv --timeout 30 --external \
    'marabou=marabou/bin/python benchmarks/peers/marabou_peer.py {onnx} {vnnlib} {timeout}'

Runs Marabou's own command line in this process's place of work, with the same interpreter. Its
points are printed with six decimals, as Marabou gives them.
"""

from __future__ import annotations

import re
import subprocess
import sys

ANSWERS = ("sat", "unsat", "timeout", "unknown", "error")
VALUE = re.compile(r"^\s*([xy])(\d+) = (\S+)$", re.MULTILINE)


def main(network: str, query: str, seconds: str) -> int:
    whole = max(1, round(float(seconds)))  # Marabou takes whole seconds, 0 means no limit
    run = subprocess.run(
        [
            sys.executable, "-W", "ignore", "-m", "maraboupy", "--input", network,
            "--property", query, "--timeout", str(whole), "--num-workers", "1",
            "--verbosity", "0",
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    lines = [line.strip().lower() for line in run.stdout.splitlines()]
    answer = next((line for line in lines if line in ANSWERS), "")
    if not answer:
        said = (run.stderr.strip() or run.stdout.strip()).splitlines()[-1:]
        sys.stderr.write(f"Marabou gave no answer (exit code {run.returncode}): {said}\n")
        return 1
    print(answer)
    if answer == "sat":
        pairs = [f"({letter.upper()}_{index} {value})" for letter, index, value in
                 VALUE.findall(run.stdout)]  # fmt: skip
        print("(" + "\n".join(pairs) + ")")
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("usage: marabou_peer.py NETWORK.onnx PROPERTY.vnnlib SECONDS")
    sys.exit(main(*sys.argv[1:]))
