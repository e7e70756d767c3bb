"""Branch and bound for queries in which few inputs vary: star form, compiled with numba.

The kernels (`relucert.search.star`) bound boxes with their rounding, halve inputs while many
neurons are unstable, split ReLUs when few are left, and propose points. This driver allots time
and memory, confirms points exactly, and has nodes without unstable neurons decided by rational
arithmetic. In one thread the same seed visits the same nodes, unless a limit ends the search;
with more, the open nodes are dealt out after the first few hundred.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from relucert.bounds.backward import Relaxation, bound_network
from relucert.bounds.interval import Intervals
from relucert.limits import Limits
from relucert.network import Network
from relucert.query import Case, Query
from relucert.search.attack import Attack, attack_case
from relucert.search.exploration import Exploration, Subject, concluded
from relucert.search.few_inputs_parallel import explore_together, next_slice
from relucert.search.split_log import SplitLog
from relucert.search.star.kernel import compiled_kernel, ready_kernel
from relucert.search.star.pool import Pool, new_pool
from relucert.search.star.problem import RefusedError, flatten
from relucert.search.star.tuning import Tuning
from relucert.search.star.work import ACTIVE, INACTIVE
from relucert.verdict import Interrupted, Method, Proved, Reason, Unknown, Verdict

__all__ = ["MAX_FREE_INPUTS", "Ingredients", "free_inputs", "prepare", "search_few_inputs"]

MAX_FREE_INPUTS = 16
"""Above this many varying inputs halving them is hopeless."""

Progress = Callable[[str], None]
Result = TypeVar("Result")

_FIRST_ATTACK = Attack(points=48, steps=25, rounds=1, seconds=0.3)
_REPORT_SECONDS = 1.0
_FIRST_NODES = 1
_LOOK_SECONDS = 0.2
_PATIENCE_SECONDS = 0.5
_ALONE = 200  # nodes that one thread visits before others join: most searches end earlier
_TOO_SHORT_TO_COMPILE = 5.0
_TUNING = Tuning()


@dataclass(frozen=True, eq=False)
class Ingredients:
    """What the search is made of, for experiments that leave something out.

    attack: whether points are tried beside those that bounds suggest. kernel: the compiled loop,
    None for the usual one.
    """

    tuning: Tuning = _TUNING
    attack: bool = True
    kernel: Callable[..., int] | None = None


_ALL = Ingredients()


def free_inputs(case: Case) -> int:
    """How many inputs vary in the case's box."""
    return sum(low < high for low, high in zip(case.box.lower, case.box.upper, strict=True))


def prepare(query: Query, limits: Limits) -> None:
    """Compile the kernels if a case needs them, they are missing, and the time is long enough."""
    if any(free_inputs(case) <= MAX_FREE_INPUTS for case in query.cases):
        _kernel(None, limits)


def search_few_inputs(
    network: Network,
    query: Query,
    case: Case,
    limits: Limits,
    seed: int = 0,
    progress: Progress | None = None,
    chain: list[Relaxation] | None = None,
    jobs: int = 1,
    ingredients: Ingredients = _ALL,
    log: SplitLog | None = None,
) -> Verdict:
    """Decide one case by splitting its box and, late, its ReLUs.

    ``chain``: bounds over the whole box, where they are known already. ``jobs``: threads; with
    one, the same seed visits the same nodes. ``log``: filled in where the answer is Proved.

    Violated carries an exactly checked input. Proved(BOUNDS) means that every node was closed by
    bounds whose rounding is accounted for, or by exact arithmetic. Unknown(TIME or MEMORY) has a
    standing: what share of the box is proved and how far off the margin is at most.
    Unknown(ENGINE) means that the problem is not one for this search (more inputs, a network too
    large, numbers too wide, no numba), and another engine should go on.
    """
    if not case.unsafe:
        return Proved(Method.EMPTY)
    free = [i for i, (a, b) in enumerate(zip(case.box.lower, case.box.upper, strict=True)) if a < b]
    if len(free) > MAX_FREE_INPUTS:
        return Unknown(Reason.ENGINE, f"{len(free)} inputs vary, too many to halve")
    if ingredients.attack:
        found = attack_case(network, query, case, _with_seed(seed), limits).violated
        if found is not None:
            return found
    if chain is None:
        chain = bound_network(network, Intervals(*case.box.enclosing_floats))
    try:
        flat = flatten(network, case, chain, free)
    except RefusedError as refusal:
        return Unknown(Reason.ENGINE, str(refusal))
    kernel = ingredients.kernel or _kernel(progress, limits)
    if kernel is None:
        return Unknown(Reason.ENGINE, "numba is missing, or its kernels not yet compiled")
    subject = Subject(network, query, case, limits, flat, kernel, jobs, log)
    pool = _root_pool(subject, chain, seed)
    first = Exploration.of(subject, pool, seed, ingredients.tuning, ingredients.attack)
    try:
        return _run(first, jobs, progress)
    except Interrupted:
        raise
    except KeyboardInterrupt:
        raise Interrupted(first.standing) from None


def _with_seed(seed: int) -> Attack:
    first = _FIRST_ATTACK
    return Attack(first.points, first.steps, first.seconds, first.rounds, seed)


def _run(first: Exploration, jobs: int, progress: Progress | None) -> Verdict:
    """Visit nodes in slices of time until none is open or a limit is reached."""
    limits = first.subject.limits
    nodes, reported = _FIRST_NODES, time.monotonic()
    while first.open:
        if jobs > 1 and first.visited >= _ALONE:
            return explore_together(first, jobs, nodes, progress)
        if limits.out_of_time or limits.out_of_memory:
            reason = Reason.TIME if limits.out_of_time else Reason.MEMORY
            return Unknown(reason, standing=first.standing)
        started, before = time.monotonic(), first.visited
        most = nodes if jobs == 1 else min(nodes, _ALONE - before)
        verdict = _visited(first, most)
        if isinstance(verdict, Unknown):
            return replace(verdict, standing=verdict.standing or first.standing)
        if verdict is not None:
            return verdict
        full = first.visited - before >= most
        nodes = next_slice(nodes, full, time.monotonic() - started)
        if progress is not None and time.monotonic() - reported > _REPORT_SECONDS:
            progress(first.standing.words)
            reported = time.monotonic()
    return concluded([first])


def _visited(first: Exploration, nodes: int) -> Verdict | None:
    """`Exploration.visit`; a single node in a thread of its own, for it may take long.

    The first may load or compile the kernels, and one of a wide network is not waited for beyond
    the time limit.
    """
    if nodes > 1:
        return first.visit(nodes)
    standing = first.standing
    try:
        return _aside(lambda: first.visit(nodes), first.subject.limits)
    except TimeoutError:
        return Unknown(Reason.TIME, standing=standing)
    except KeyboardInterrupt:  # the thread still has a node in hand
        raise Interrupted(standing) from None


def _aside(work: Callable[[], Result], limits: Limits) -> Result:
    """What ``work`` returns, done in a thread; TimeoutError when ``limits`` are exceeded by it.

    Signals reach the main thread only: the compiler calls back into Python, where Ctrl-C would
    be printed and forgotten.
    """
    found: list[Result] = []
    failed: list[BaseException] = []
    done = threading.Event()

    def run() -> None:
        try:
            found.append(work())
        except BaseException as error:  # raised again in the thread that asked
            failed.append(error)
        done.set()

    threading.Thread(target=run, daemon=True).start()
    while not done.wait(_LOOK_SECONDS):
        if limits.out_of_time and not done.wait(_PATIENCE_SECONDS):
            raise TimeoutError
    if failed:
        raise failed[0]
    return found[0]


def _kernel(progress: Progress | None, limits: Limits) -> Callable[..., int] | None:
    """The compiled loop; None without numba, or when compiling it would far exceed the time.

    Compiling happens once after an installation; a limit of some seconds is exceeded that once.
    """
    kernel = ready_kernel()
    if kernel is not None:
        return kernel
    if limits.remaining < _TOO_SHORT_TO_COMPILE:
        if progress is not None:
            progress("the search kernels are not compiled yet, and the limit is too short for that")
        return None
    if progress is not None:
        progress("compiling the search kernels (once, about 20 s)")
    return _aside(compiled_kernel, Limits())


def _root_pool(subject: Subject, chain: list[Relaxation], seed: int) -> Pool:
    """A pool with the whole box, and the bounds already known on it."""
    flat = subject.flat
    low, high = (ends[flat.free] for ends in subject.case.box.enclosing_floats)
    pool = new_pool(flat, subject.first_capacity(), low, high, seed)
    lower = np.concatenate([relaxation.pre.lower for relaxation in chain])
    upper = np.concatenate([relaxation.pre.upper for relaxation in chain])
    layers = slice(int(flat.starts[1]), int(flat.starts[-2]))
    pool.lower[0, layers], pool.upper[0, layers] = lower, upper
    status = np.where(lower >= 0, ACTIVE, np.where(upper <= 0, INACTIVE, 0))
    pool.status[0, layers] = np.where(flat.relu[layers], status, 0)
    return pool
