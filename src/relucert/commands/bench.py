"""``relucert bench``: a list of instances, a table per family, other verifiers beside."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from relucert import __version__
from relucert.bench import (
    COMPARISON_HEADER,
    FAMILY_HEADER,
    OWN_NAME,
    BenchOptions,
    Instance,
    Measurement,
    Peer,
    comparison_rows,
    disagreements,
    family_rows,
    judged,
    parse_peers,
    read_list,
    run_bench,
)
from relucert.commands.screen import print_json, progress_bar, say
from relucert.errors import UsageError
from relucert.milp.pulp_model import check_solver
from relucert.report.plots import check_format, plot_cactus
from relucert.report.records import csv_text
from relucert.report.tables import plain_table, print_table
from relucert.write.files import check_target, write_atomically

__all__ = ["bench_command"]


def bench_command(
    list_path: Path,
    *,
    timeout: float,
    families: str | None,
    results: Path | None,
    engine: str,
    solver: str,
    jobs: int,
    memory: float,
    seed: int,
    check: bool = True,
    external: Sequence[str] = (),
    plot: Path | None = None,
    as_json: bool = False,
    csv_path: Path | None = None,
) -> int:
    """Run the command; returns 1 when relucert's answer is contradicted by the expected one or
    by a checked counterexample, 3 when one of its answers is missing, else 0."""
    instances = _chosen(read_list(list_path), families, list_path)
    peers = parse_peers(external)
    check_solver(solver)
    for target in (results, plot, csv_path):
        check_target(target)
    if plot is not None:
        check_format(plot)
    options = BenchOptions(engine, solver, timeout, memory, seed, jobs, check=check)
    rows, whole = _run(instances, options, results, peers)
    rows = judged(rows)
    tools = [OWN_NAME, *(peer.name for peer in peers)]
    header, cells = _table(instances, options, rows, tools)
    if csv_path is not None:
        write_atomically(csv_path, csv_text(header, cells))
    if plot is not None:
        times = {
            tool: [row.seconds for row in rows if row.tool == tool and row.status == "solved"]
            for tool in tools
        }
        plot_cactus(plot, times, len(instances), list_path.name)
    conflicts = disagreements(rows)
    if as_json:
        table = [dict(zip(header, row, strict=True)) for row in cells]
        found = {"table": table, "disagreements": [asdict(one) for one in conflicts]}
        print_json(_record(list_path, options, peers, rows) | found)
    else:
        print_table(plain_table(f"{list_path.name} (times in seconds)", header, cells))
    for one in conflicts if peers else ():
        say(f"disagree: {one.network} {one.query}: {one.words}")
    own = [row for row in rows if row.tool == OWN_NAME]
    if any(row.status == "WRONG" for row in own) or any(one.against_relucert for one in conflicts):
        return 1
    answered = len(own) == len(instances) and all(row.status == "solved" for row in own)
    return 0 if answered and whole else 3


def _chosen(instances: list[Instance], families: str | None, list_path: Path) -> list[Instance]:
    if families is None:
        return instances
    wanted = {name.strip() for name in families.split(",")}
    unknown = wanted - {instance.family for instance in instances}
    if unknown:
        raise UsageError(f"no family {sorted(unknown)[0]!r} in {list_path}")
    return [instance for instance in instances if instance.family in wanted]


def _run(
    instances: Sequence[Instance],
    options: BenchOptions,
    results: Path | None,
    peers: Sequence[Peer],
) -> tuple[list[Measurement], bool]:
    """All rows, and whether the run came to its end; faults are said as they come."""
    rows: list[Measurement] = []
    with progress_bar(len(instances) * (1 + len(peers))) as bar:

        def report(row: Measurement) -> None:
            rows.append(row)
            bar.item(f"{row.family} {Path(row.query).name}")
            bar.done(row.status)
            if row.status in ("WRONG", "error"):
                tool = f"{row.tool}: " if peers else ""
                say(f"{row.status}: {tool}{row.network} {row.query}: {row.detail}")

        try:
            return run_bench(instances, options, results, report, peers), True
        except KeyboardInterrupt:
            say(f"relucert: interrupted: {len(rows)} new rows done")
    return rows, False


def _table(
    instances: Sequence[Instance],
    options: BenchOptions,
    rows: Sequence[Measurement],
    tools: Sequence[str],
) -> tuple[tuple[str, ...], list[list[str]]]:
    if len(tools) == 1:
        return FAMILY_HEADER, family_rows(rows)
    limits = {item.key: min(item.timeout, options.timeout) for item in instances}
    return COMPARISON_HEADER, comparison_rows(rows, tools, limits)


def _record(
    list_path: Path, options: BenchOptions, peers: Sequence[Peer], rows: Sequence[Measurement]
) -> dict[str, Any]:
    return {
        "relucert": __version__,
        "list": str(list_path),
        "seed": options.seed,
        "engine": options.engine,
        "solver": options.solver,
        "timeout_s": None if math.isinf(options.timeout) else options.timeout,
        "jobs": options.jobs,
        "clock": "process, from outside" if peers else "inside the process",
        "tools": {peer.name: list(peer.command) for peer in peers},
        "rows": [asdict(row) for row in rows],
    }
