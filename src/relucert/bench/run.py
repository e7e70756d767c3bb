"""Run a list, alone or in turn with other tools; what the results file holds is not run again.

Every instance runs in a process of its own, so that a solver that hangs or eats memory costs
only its instance.
"""

from __future__ import annotations

import math
import os
import queue
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from relucert.bench.digests import digests_of
from relucert.bench.external import measure_in_turn
from relucert.bench.instances import Instance
from relucert.bench.options import BenchOptions
from relucert.bench.own import measure_alone
from relucert.bench.peers import Peer, own_tool
from relucert.bench.results import OWN_NAME, Measurement, append, locked, resume
from relucert.errors import FileError, UsageError

__all__ = ["run_bench"]

_Job = Callable[[threading.Event], Iterator[Measurement]]


def run_bench(
    instances: Sequence[Instance],
    options: BenchOptions,
    results: Path | None,
    report: Callable[[Measurement], None] | None = None,
    peers: Sequence[Peer] = (),
) -> list[Measurement]:
    """Run what the results file does not hold yet; returns all measurements, old and new.

    peers: with any, relucert is run and timed from outside like them, one after another on each
    instance, the order turned round from one to the next. ``report`` is called once for every
    new row. Ctrl-C ends the running processes, keeps what is done and is raised on. Raises
    UsageError when there are peers and an instance has no time limit, or when another run
    writes the results file.
    """
    with locked(results):
        return _run(instances, options, results, report, peers)


def _run(
    instances: Sequence[Instance],
    options: BenchOptions,
    results: Path | None,
    report: Callable[[Measurement], None] | None,
    peers: Sequence[Peer],
) -> list[Measurement]:
    tools = [own_tool(options), *peers] if peers else []
    names = [tool.name for tool in tools] or [OWN_NAME]
    _check(instances, options, tools)
    digests = digests_of(instances, peers, options)
    wanted = {(name, *instance.key) for instance in instances for name in names}
    known = {(row.tool, *row.key): row for row in resume(results)}
    done = [row for key, row in known.items() if key in wanted]
    if results is not None:
        _same_question(results, done, digests)
        if peers:
            _same_clock(results, done)
    jobs: list[_Job] = []
    for number, item in enumerate(instances):
        left = [tool for tool in _turned(tools, number) if (tool.name, *item.key) not in known]
        if left:
            jobs.append(_in_turn(item, left, options))
        elif not tools and (OWN_NAME, *item.key) not in known:
            jobs.append(_alone(item, options))
    with closing(_rows(jobs, options.jobs)) as rows:
        for found in rows:
            row = replace(found, digest=digests[found.tool, *found.key])
            done.append(row)
            append(results, row)
            if report is not None:
                report(row)
    return done


def _turned(tools: Sequence[Peer], number: int) -> list[Peer]:
    """Who goes first changes with every instance, so that none always meets a cold cache."""
    shift = number % len(tools) if tools else 0
    return [*tools[shift:], *tools[:shift]]


def _alone(item: Instance, options: BenchOptions) -> _Job:
    return lambda stopping: iter((measure_alone(item, options, stopping),))


def _in_turn(item: Instance, tools: Sequence[Peer], options: BenchOptions) -> _Job:
    return lambda stopping: measure_in_turn(item, tools, options, stopping)


def _check(instances: Sequence[Instance], options: BenchOptions, tools: Sequence[Peer]) -> None:
    for item in instances:
        if tools and math.isinf(min(item.timeout, options.timeout)):
            raise UsageError(f"{item.query} has no time limit; --external needs one: --timeout")


def _same_question(
    results: Path, rows: Sequence[Measurement], digests: Mapping[tuple[str, str, str], str]
) -> None:
    for row in rows:
        if row.digest not in ("", digests[row.tool, *row.key]):
            problem = (
                f"holds {row.tool} on {row.query} with other contents of the files, another time "
                "limit, other settings or another version; name another results file"
            )
            raise FileError(results, problem)


def _same_clock(results: Path, rows: Sequence[Measurement]) -> None:
    for row in rows:
        if row.cpu_seconds is None:
            problem = (
                f"holds {row.tool} on {row.query} timed without other tools; "
                "use another results file with --external"
            )
            raise FileError(results, problem)


def _rows(jobs: Sequence[_Job], at_once: int) -> Generator[Measurement, None, None]:
    """The rows of all jobs as they come; closing this ends the processes."""
    # Children inherit it, and read it before their first matrix product.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    found: queue.SimpleQueue[Measurement | BaseException | None] = queue.SimpleQueue()
    stopping = threading.Event()

    def work(job: _Job) -> None:
        try:
            for row in job(stopping):
                if not stopping.is_set():
                    found.put(row)
            found.put(None)
        except BaseException as error:
            found.put(error)

    pool = ThreadPoolExecutor(max(1, at_once))
    futures = [pool.submit(work, job) for job in jobs]
    left = len(jobs)
    try:
        while left:
            row = found.get()
            if isinstance(row, BaseException):
                raise row
            if row is None:
                left -= 1
            else:
                yield row
    finally:  # also on Ctrl-C, or where a results file can no longer be written
        stopping.set()
        for future in futures:
            future.cancel()
        pool.shutdown(wait=True)
