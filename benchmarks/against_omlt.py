"""relucert against OMLT's big-M formulation, the same MILP solver beneath both.

    python benchmarks/against_omlt.py --results benchmarks/results/against_omlt.csv

See benchmarks/README.md for what is compared and how. Every run has a process of its own; the
clock starts after the imports and a warm-up, before the files are read, and stops at the verdict.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from comparison import CLOCKS, TOOLS, Run, limit_of, markdown, read_runs

ROOT = Path(__file__).resolve().parents[1]
LISTS = {
    "digits": ROOT / "instances" / "digits" / "instances.csv",
    "vnncomp": ROOT.parent / "shared" / "data" / "vnncomp" / "instances.csv",
}
GROUPS = (
    ("digits", "dense_16x2"),
    ("digits", "dense_50x2"),
    ("vnncomp", "safenlp/onnx/medical"),
    ("vnncomp", "safenlp/onnx/ruarobot"),
    ("vnncomp", "rl_benchmarks/onnx/cartpole"),
    ("vnncomp", "rl_benchmarks/onnx/dubinsrejoin"),
    ("vnncomp", "rl_benchmarks/onnx/lunarlander"),
    ("vnncomp", "mnist_fc/onnx/mnist-net_256x2"),
    ("vnncomp", "tllverifybench/onnx/"),
    ("vnncomp", "reach_prob_density/onnx/"),
)
"""(list, how the network's path starts): ten groups of plain fully connected ReLU networks. The
rule, fixed before the measurement: of each group the instance in the middle of its list (number
``count // 2`` counted from 0)."""

PACKAGES = ("relucert", "omlt", "pyomo", "highspy", "pulp", "numpy", "scipy")
GRACE_SECONDS = 60.0
_EXPECTED = {"sat": "violated", "unsat": "proved", "holds": "proved", "violated": "violated"}


@dataclass(frozen=True)
class Instance:
    """A network, a property, and the answer that is known."""

    name: str
    network: Path
    query: Path
    expected: str


def chosen_instances() -> list[Instance]:
    """The instance in the middle of each group; groups whose list is absent are skipped."""
    found = []
    for list_name, prefix in GROUPS:
        path = LISTS[list_name]
        if not path.exists():
            print(f"skipped {prefix}: no {os.path.relpath(path, ROOT)}", file=sys.stderr)
            continue
        with path.open(newline="", encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if row["network"].startswith(prefix)]
        if not rows:
            print(f"skipped {prefix}: not in {os.path.relpath(path, ROOT)}", file=sys.stderr)
            continue
        row = rows[len(rows) // 2]
        network, query = path.parent / row["network"], path.parent / row["property"]
        short = query.name.removesuffix(".gz").removesuffix(".vnnlib")
        found.append(
            Instance(f"{row['family']} {short}", network, query, _EXPECTED[row["expected"]])
        )
    return found


# One run, in a process of its own


def run_one(tool: str, network_path: Path, query_path: Path, seconds: float) -> dict[str, Any]:
    """Warm up, then read, decide, and say what was found and how long it took."""
    import highspy  # noqa: F401
    import numpy as np
    import onnx  # noqa: F401
    import pulp  # noqa: F401
    import scipy.optimize  # noqa: F401

    from relucert import certify, read_network, read_query
    from relucert.network import Network
    from relucert.query import Decision, robustness_query
    from relucert.report.records import how, verdict_word

    weights = [np.array([[1.0, -1.0], [1.0, 1.0]]), np.array([[1.0, 1.0], [1.0, -1.0]])]
    small = Network.dense(weights, [np.zeros(2), np.array([0.5, 0.0])])
    easy = robustness_query((0, 0), 0, Decision("argmax", 2), radius=1)  # type: ignore[arg-type]
    if tool.startswith("omlt-"):
        from omlt_milp import decide

        form = tool.removeprefix("omlt-")
        decide(small, easy, seconds, form)
        start, used = time.perf_counter(), time.process_time()
        network, query = read_network(network_path), read_query(query_path)
        left = seconds - (time.perf_counter() - start)
        answer = decide(network, query, left, form)
        return {
            "seconds": time.perf_counter() - start,
            "cpu_seconds": time.process_time() - used,
            "verdict": answer.verdict,
            "build_seconds": round(answer.build_seconds, 4),
            "solve_seconds": round(answer.solve_seconds, 4),
            "detail": f"{answer.binaries} binaries",
        }
    engine = tool.removeprefix("relucert-")
    certify(small, easy, engine=engine, timeout=seconds)
    start, used = time.perf_counter(), time.process_time()
    network, query = read_network(network_path), read_query(query_path)
    left = seconds - (time.perf_counter() - start)
    outcome = certify(network, query, engine=engine, timeout=left, threads=1, check=False)
    return {
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - used,
        "verdict": verdict_word(outcome.verdict),
        "build_seconds": "",
        "solve_seconds": "",
        "detail": how(outcome.verdict),
    }


def measured(instance: Instance, tool: str, repeat: int, seconds: float) -> Run:
    """Start the process for one run; whatever goes wrong in it becomes a row as well."""
    command = [sys.executable, str(Path(__file__).resolve()), "--one", tool]
    command += [str(instance.network), str(instance.query), "--timeout", str(seconds)]
    single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    start = time.perf_counter()
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=seconds + GRACE_SECONDS,
            env=os.environ | single,
            check=False,
        )
        record = json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else None
        problem = "" if record else (done.stderr.strip().splitlines() or ["no output"])[-1]
    except subprocess.TimeoutExpired:
        record, problem = None, "stopped from outside"
    if record is None:
        wall = time.perf_counter() - start
        record = {"seconds": wall, "cpu_seconds": wall, "verdict": "unknown", "detail": problem}
    verdict = record["verdict"]
    right = "right" if verdict == instance.expected else "WRONG"
    return Run(
        instance.name,
        instance.expected,
        tool,
        repeat,
        verdict,
        "none" if verdict == "unknown" else right,
        round(record["seconds"], 4),
        round(record["cpu_seconds"], 4),
        record.get("build_seconds", ""),
        record.get("solve_seconds", ""),
        record["detail"],
    )


def all_runs(
    instances: Sequence[Instance], repeats: int, seconds: float, done: Sequence[Run]
) -> Iterator[Run]:
    """Tool after tool on the same instance, again and again: drifts of the machine hit all.

    The order of the tools is turned by one from repeat to repeat. Runs in ``done`` are left out.
    """
    known = {(run.instance, run.tool, run.repeat) for run in done}
    for instance in instances:
        for repeat in range(repeats):
            turn = repeat % len(TOOLS)
            for tool in TOOLS[turn:] + TOOLS[:turn]:
                if (instance.name, tool, repeat + 1) not in known:
                    yield measured(instance, tool, repeat + 1, seconds)


# Results


def environment(seconds: float, repeats: int) -> list[str]:
    """Lines that say when, where and with what the runs were made."""
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return [
        f"# date: {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        f"# machine: {_processor()}, {os.cpu_count()} cores, {platform.system()}",
        f"# python {platform.python_version()}, {versions}{_commit()}",
        f"# limit {seconds:g} s, {repeats} repeats, one thread, load of the machine at the start: "
        f"{_load()}",
    ]


def _load() -> str:
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "not known"


def _commit() -> str:
    """The commit of the checkout, if it is one and git is there."""
    try:
        command = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return f" (commit {done.stdout.strip()})"


def _processor() -> str:
    """The model as Linux tells it, else what Python knows."""
    path = Path("/proc/cpuinfo")
    fields_of_interest = ("model name", "cpu family", "model", "cpu MHz")
    facts: dict[str, str] = {}
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition(":")
            if key.strip() in fields_of_interest:
                facts.setdefault(key.strip(), value.strip())
    if "model name" not in facts:
        return platform.processor() or platform.machine()
    return (
        f"{facts['model name']} (family {facts.get('cpu family', '?')} "
        f"model {facts.get('model', '?')}, {facts.get('cpu MHz', '?')} MHz)"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, help="write every run to this CSV file")
    parser.add_argument("--table", type=Path, help="only print the table of a results file")
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="of the table")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds for each run")
    parser.add_argument("--one", nargs=3, metavar=("TOOL", "NETWORK", "PROPERTY"))
    options = parser.parse_args()
    if options.one:
        tool, network, query = options.one
        print(json.dumps(run_one(tool, Path(network), Path(query), options.timeout)))
        return 0
    if options.table:
        comments, runs = read_runs(options.table.read_text(encoding="utf-8"))
        print("\n".join(comments), "", markdown(runs, limit_of(comments), options.clock), sep="\n")
        return 0
    text, runs = io.StringIO(), []
    writer = csv.writer(text, lineterminator="\n")
    if options.results and options.results.exists():
        old = options.results.read_text(encoding="utf-8")
        text.write(old)
        runs = read_runs(old)[1]
    text.write("\n".join(environment(options.timeout, options.repeats)) + "\n")
    if not runs:
        writer.writerow(field.name for field in fields(Run))
    for run in all_runs(chosen_instances(), options.repeats, options.timeout, tuple(runs)):
        runs.append(run)
        writer.writerow(astuple(run))
        print(f"{run.instance}: {run.tool} {run.verdict} {run.seconds:.2f} s", file=sys.stderr)
        if options.results:
            options.results.write_text(text.getvalue(), encoding="utf-8")
    print(markdown(runs, options.timeout, options.clock))
    return 1 if any(run.answer == "WRONG" for run in runs) else 0


if __name__ == "__main__":
    sys.exit(main())
