"""``relucert bench``: a list of instances, a table per family."""

from __future__ import annotations

from pathlib import Path

from relucert.bench import BenchOptions, Measurement, family_rows, read_list, run_bench
from relucert.commands.screen import progress_bar, say
from relucert.errors import UsageError
from relucert.milp.pulp_model import check_solver
from relucert.report.tables import plain_table, print_table
from relucert.write.files import check_target

__all__ = ["bench_command"]

_HEADER = (
    "family", "all", "solved", "proved", "violated", "open", "wrong", "error", "median", "sum",
)  # fmt: skip


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
) -> int:
    """Run the command; returns 1 when an answer was wrong, 3 when one is missing, else 0."""
    instances = read_list(list_path)
    if families is not None:
        wanted = {name.strip() for name in families.split(",")}
        unknown = wanted - {instance.family for instance in instances}
        if unknown:
            raise UsageError(f"no family {sorted(unknown)[0]!r} in {list_path}")
        instances = [instance for instance in instances if instance.family in wanted]
    check_solver(solver)
    check_target(results)
    options = BenchOptions(engine, solver, timeout, memory, seed, jobs)
    rows: list[Measurement] = []
    with progress_bar(len(instances)) as bar:

        def report(row: Measurement) -> None:
            rows.append(row)
            bar.item(f"{row.family} {Path(row.query).name}")
            bar.done(row.status)
            if row.status in ("WRONG", "error"):
                say(f"{row.status}: {row.network} {row.query}: {row.detail}")

        try:
            rows = run_bench(instances, options, results, report)
        except KeyboardInterrupt:
            say(f"relucert: interrupted: {len(rows)} new rows done")
    print_table(plain_table(f"{list_path.name} (times in seconds)", _HEADER, family_rows(rows)))
    if any(row.status == "WRONG" for row in rows):
        return 1
    return 0 if len(rows) == len(instances) and all(r.status == "solved" for r in rows) else 3
