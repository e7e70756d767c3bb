"""Verdicts on the network as executed in float32, in every order of its operations.

The unsafe sets are enlarged by the error bound of `relucert.float32.error` and certified over the
reals: where the exact outputs stay out of the enlarged sets, no execution reaches the sets.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from relucert.bounds.interval import Intervals
from relucert.errors import QueryError
from relucert.exact import float_above, float_below
from relucert.float32.error import ErrorBound, OverflowPossible, error_bound
from relucert.float32.execute import Order, execute
from relucert.float32.program import Program
from relucert.limits import Limits
from relucert.network import Network
from relucert.query import Box, Case, Polyhedron, Query
from relucert.search.attack import box_samples
from relucert.verdict import (
    Float32Run,
    Method,
    Proved,
    Reason,
    Unknown,
    Verdict,
    Violated,
    Witness,
    combined,
)
from relucert.verify import Outcome, certify

__all__ = [
    "certify_float32",
    "enlarged",
    "float32_box",
    "float32_end",
    "float32_runs",
    "with_float32_run",
]

_SAMPLES = 64

Progress = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class _Job:
    network: Network
    program: Program
    query: Query
    engine: str
    solver: str
    limits: Limits
    seed: int
    jobs: int
    check: bool
    progress: Progress | None


def certify_float32(
    network: Network,
    program: Program,
    query: Query,
    *,
    engine: str = "auto",
    timeout: float = math.inf,
    solver: str = "HiGHS",
    threads: int = 1,
    memory: float = math.inf,
    seed: int = 0,
    jobs: int = 1,
    check: bool = True,
    progress: Progress | None = None,
) -> Outcome:
    """Decide whether any float32 execution on the query's boxes has an unsafe output.

    program: the steps of ``network`` as they are executed (`relucert.float32.program`). The
    inputs are the float32 numbers in a box; Proved covers those that the ends of the box are
    rounded to as well. Proved says that no order of the operations, fused multiply-add or not,
    subnormals kept or flushed to zero, reaches an unsafe set; Violated carries a float32 input
    and an order in which its float32 output is unsafe. The other arguments, and the errors
    raised, are those of `relucert.verify.certify`.
    """
    query.fits(network.input_size, network.output_size)
    limits = Limits(timeout, memory, threads)
    job = _Job(network, program, query, engine, solver, limits, seed, jobs, check, progress)
    verdicts: list[Verdict] = []
    for case in query.cases:
        verdicts.append(_decide(job, case))
        if isinstance(verdicts[-1], Violated):
            break
    verdict = combined(verdicts) if verdicts else Proved(Method.EMPTY)
    return Outcome(verdict, limits.elapsed, seed)


def _decide(job: _Job, case: Case) -> Verdict:
    if not case.unsafe:
        return Proved(Method.EMPTY)
    try:
        box = float32_box(case.box)
    except QueryError as error:
        return Unknown(Reason.NUMERICS, str(error))
    bound = error_bound(job.program, Intervals(*box.enclosing_floats))
    if isinstance(bound, OverflowPossible):
        found = _first(job, case, _samples(job, case))
        words = f"float32 may overflow at {bound.place}"
        return found or Unknown(Reason.NUMERICS, words)
    larger = Case(box, tuple(enlarged(part, bound) for part in case.unsafe))
    if not job.limits.remaining > 0:
        return Unknown(Reason.TIME)
    outcome = certify(
        job.network, Query((larger,), job.query.name), engine=job.engine,
        timeout=job.limits.remaining, solver=job.solver, threads=job.limits.threads,
        memory=job.limits.memory, seed=job.seed, jobs=job.jobs, check=job.check,
        progress=job.progress,
    )  # fmt: skip
    if isinstance(outcome.verdict, Proved):
        return outcome.verdict
    reached = _near(outcome.verdict, case.box)
    found = _first(job, case, reached) or _first(job, case, _samples(job, case))
    if found is not None or isinstance(outcome.verdict, Unknown):
        return found or outcome.verdict
    worst = float(bound.outputs.max(initial=0.0))
    return Unknown(
        Reason.MARGIN, f"float32 rounding, up to {worst:.3g} at an output, may reach an unsafe set"
    )


def float32_box(box: Box) -> Box:
    """The box with its ends moved outward to float32 numbers.

    It holds every float32 in ``box`` and every float32 that a point of it is rounded to. Raises
    QueryError where an end is beyond float32.
    """
    ends = []
    for values, downward in ((box.lower, True), (box.upper, False)):
        moved = [float32_end(value, downward) for value in values]
        if not all(map(math.isfinite, moved)):
            raise QueryError("an end of the box is beyond the range of float32")
        ends.append(tuple(Fraction(value) for value in moved))
    return Box(ends[0], ends[1])


def float32_end(value: Fraction, downward: bool) -> float:
    """The largest float32 that is not above ``value``; upward, the smallest not below it.

    Infinite beyond the range of float32.
    """
    with np.errstate(over="ignore"):
        wide = float_below(value) if downward else float_above(value)
        nearest = np.float32(wide)
        # As a Python float: numpy would compare in float32.
        if (float(nearest) > wide) if downward else (float(nearest) < wide):
            nearest = np.nextafter(nearest, np.float32(-np.inf if downward else np.inf))
    return float(nearest)


def enlarged(part: Polyhedron, bound: ErrorBound) -> Polyhedron:
    """All real outputs within the error bound of the polyhedron, row by row; exact."""
    errors = [Fraction(float(value)) for value in bound.outputs]
    limits = tuple(
        limit + sum((abs(c) * e for c, e in zip(row, errors, strict=True) if c), Fraction(0))
        for row, limit in zip(part.coefficients, part.limits, strict=True)
    )
    return replace(part, limits=limits)


def float32_runs(program: Program, x: np.ndarray) -> Iterator[tuple[Order, tuple[Fraction, ...]]]:
    """The outputs of one float32 input in every order; those that are not finite are left out."""
    for order in Order:
        outputs = execute(program, x, order)
        if np.isfinite(outputs).all():
            yield order, tuple(Fraction(float(value)) for value in outputs)


def with_float32_run(program: Program, query: Query, violated: Violated) -> Violated:
    """A counterexample over the reals, with a float32 run that is unsafe too where there is one.

    Only an input of float32 numbers is run; it is not rounded.
    """
    point = violated.witness.input
    x = np.array([float(value) for value in point], dtype=np.float32)
    if any(Fraction(float(a)) != b for a, b in zip(x, point, strict=True)):
        return violated
    for order, outputs in float32_runs(program, x):
        if query.violated_by(point, outputs):
            run = Float32Run(outputs, order.value, real=True)
            return Violated(replace(violated.witness, run=run))
    return violated


def _first(job: _Job, case: Case, points: Iterator[np.ndarray]) -> Violated | None:
    """The first point with an order in which its output is unsafe, evaluated exactly as well."""
    for x in points:
        exact = tuple(Fraction(float(value)) for value in x)
        if not case.box.contains(exact):
            continue
        for order, outputs in float32_runs(job.program, x):
            if any(part.contains(outputs) for part in case.unsafe):
                real = job.network.evaluate_exactly(exact)
                run = Float32Run(outputs, order.value, job.query.violated_by(exact, real))
                return Violated(Witness(exact, real, run))
        if job.limits.out_of_time:
            return None
    return None


def _near(verdict: Verdict, box: Box) -> Iterator[np.ndarray]:
    """Float32 points of the box next to a real counterexample of the enlarged question."""
    if not isinstance(verdict, Violated):
        return
    wanted = np.array([float(value) for value in verdict.witness.input])
    middle = _inside(wanted, box)
    if middle is not None:
        yield middle
        for direction in (-np.inf, np.inf):
            moved = _inside(np.nextafter(middle, np.float32(direction)).astype(np.float64), box)
            if moved is not None:
                yield moved


def _inside(wanted: np.ndarray, box: Box) -> np.ndarray | None:
    """The nearest float32 point in the box; None where a side of the box holds no float32."""
    low = np.array([-float32_end(-value, True) for value in box.lower])
    high = np.array([float32_end(value, True) for value in box.upper])
    if bool((low > high).any()):
        return None
    return np.asarray(np.clip(wanted, low, high), dtype=np.float32)


def _samples(job: _Job, case: Case) -> Iterator[np.ndarray]:
    """Random float32 points of the box, half of them largely on faces."""
    lower, upper = case.box.enclosing_floats
    if not (np.isfinite(lower).all() and np.isfinite(upper).all()):
        return
    for x in box_samples(np.random.default_rng(job.seed), lower, upper, _SAMPLES):
        inside = _inside(x, case.box)
        if inside is not None:
            yield inside
