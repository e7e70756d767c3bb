"""Counterexamples that stay counterexamples when others read and run them.

A witness is exact, and may be a quotient, lie between two floats, or touch the unsafe set only
just. Who reads its decimals as float64, and runs the network in float32, may then see no
violation. Among points near the witness this module takes the one that survives most of that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from relucert.exact import float_above, float_below, nearest_float
from relucert.float32.certify import float32_end, float32_runs
from relucert.float32.execute import Order
from relucert.float32.program import Program
from relucert.limits import Limits
from relucert.network import Network
from relucert.query import Case, Query
from relucert.search.attack import backward, forward
from relucert.search.margins import Margins
from relucert.write.competition import is_decimal

__all__ = ["Sturdy", "sturdiest"]

_FIRST_STEPS, _STEPS, _SLOWING = (0.25, 0.01), 40, 0.9
_SCALES, _SAMPLES, _FEW_INPUTS = (0.1, 0.03, 0.01, 0.003, 1e-3, 1e-4, 1e-5), 500, 30
_CLEAR = 1e-5  # a depth, against the size of the outputs, that float32 does not undo

Point = tuple[Fraction, ...]


@dataclass(frozen=True, order=True)
class _Worth:
    """Better ones compare as larger."""

    exact: bool
    as_float64: bool
    float32_share: float
    depth: float

    @property
    def full(self) -> bool:
        return self.exact and self.as_float64 and self.float32_share == 1.0 and self.depth >= _CLEAR


@dataclass(frozen=True)
class Sturdy:
    """A point of finite decimals and its exact output.

    exact: the decimals, read as rationals, are a counterexample. as_float64: so they are read as
    float64, with the ends of the box read so too. float32_share: of the float32 executions that
    were tried at the nearest float32 input, how many are unsafe; 1 where the outputs are so deep
    in the unsafe set that rounding hardly matters, and no execution is known.
    """

    input: Point
    output: Point
    exact: bool
    as_float64: bool
    float32_share: float


def sturdiest(
    network: Network, query: Query, witness: Point, program: Program | None, limits: Limits
) -> Sturdy:
    """The sturdiest of some points near a counterexample; the first where all are alike.

    program: the network's execution in float32, None where that is not known. After ``limits``
    the best so far is taken.
    """
    cases = [case for case in query.cases if case.box.contains(witness)]
    best: tuple[_Worth, Point, Point] | None = None
    for point in _candidates(network, cases, witness):
        output = network.evaluate_exactly(point)
        worth = _worth(network, query, cases, program, point, output)
        if best is None or worth > best[0]:
            best = worth, point, output
        if best[0].full or limits.out_of_time:
            break
    if best is None:  # no decimals near it: the point as it is
        return Sturdy(witness, network.evaluate_exactly(witness), True, False, 0.0)
    worth, point, output = best
    return Sturdy(point, output, worth.exact, worth.as_float64, worth.float32_share)


def _candidates(network: Network, cases: Sequence[Case], witness: Point) -> Iterator[Point]:
    """Points of finite decimals in a box: float32 near the witness, deeper, float64, itself."""
    start = np.array([nearest_float(value) for value in witness])
    for case in cases:
        yield _moved(start, case, witness, single=True)
    for case in cases:
        deeper = _deeper(network, case, start)
        for single in (True, False):
            yield _moved(deeper, case, witness, single)
    for case in cases:
        yield _moved(start, case, witness, single=False)
    if all(map(is_decimal, witness)):
        yield witness


def _moved(wanted: np.ndarray, case: Case, witness: Point, single: bool) -> Point:
    """Coordinate by coordinate the nearest float in the box, or else what the witness has.

    ``single``: float32 where the side holds one. A side without any float, or without a decimal
    of the witness, gives one of its ends.
    """
    point = []
    for value, old, low, high in zip(wanted, witness, case.box.lower, case.box.upper, strict=True):
        ends = (-float32_end(-low, True), float32_end(high, True)) if single else (1.0, 0.0)
        if not ends[0] <= ends[1]:
            ends = float_above(low), float_below(high)
        if ends[0] <= ends[1] and np.isfinite(ends).all():
            near = float(np.clip(value, *ends))
            point.append(Fraction(float(np.float32(near)) if _is_single(ends) else near))
        else:
            point.append(old if is_decimal(old) else next(filter(is_decimal, (low, high)), old))
    return tuple(point)


def _is_single(ends: tuple[float, float]) -> bool:
    """Whether both ends are float32 numbers: rounding between them stays between them."""
    with np.errstate(over="ignore"):
        return all(float(np.float32(end)) == end for end in ends)


def _deeper(network: Network, case: Case, start: np.ndarray) -> np.ndarray:
    """The point furthest inside an unsafe set of those met by descents and samples near it.

    Descents do with many inputs; samples with few, also in corners where descents zigzag.
    """
    margins = Margins(case.unsafe)
    lower, upper = (np.clip(end, -1e300, 1e300) for end in case.box.enclosing_floats)
    best, least = np.clip(start, lower, upper), np.inf
    generator = np.random.default_rng(0)

    def note(points: np.ndarray, outputs: np.ndarray) -> None:
        nonlocal best, least
        found = margins.smallest(outputs)
        place = int(np.where(np.isnan(found), np.inf, found).argmin())
        if found[place] < least:
            best, least = points[place], float(found[place])

    with np.errstate(all="ignore"):
        radius = 0.5 * upper - 0.5 * lower
        target = margins.each(network.evaluate(best[None])).argmin(axis=1)
        for step in _FIRST_STEPS:
            point = best[None]
            for slower in step * _SLOWING ** np.arange(_STEPS):
                outputs, active = forward(network.layers, point)
                note(point, outputs)
                slope = backward(network.layers, active, margins.gradient(outputs, target))
                point = np.clip(point - slower * radius * np.sign(slope), lower, upper)
        for scale in _SCALES if len(best) <= _FEW_INPUTS else ():
            moves = scale * generator.normal(size=(_SAMPLES, len(best)))
            points = np.clip(best + moves * radius, lower, upper)
            note(points, network.evaluate(points))
    return np.asarray(best)


def _worth(
    network: Network,
    query: Query,
    cases: Sequence[Case],
    program: Program | None,
    point: Point,
    output: Point,
) -> _Worth:
    doubles = [nearest_float(value) for value in point]
    read = tuple(Fraction(value) for value in doubles)
    exact = query.violated_by(point, output)
    as_read = exact if read == point else (
        _within_read_box(doubles, cases) and _unsafe(cases, network.evaluate_exactly(read))
    )  # fmt: skip
    depth = _depth(cases, output)
    if program is None:
        share = 1.0 if depth >= _CLEAR else 0.0
    else:
        runs = float32_runs(program, np.array(doubles).astype(np.float32))
        share = sum(_unsafe(cases, outputs) for _, outputs in runs) / len(Order)
    return _Worth(exact, as_read, share, min(depth, _CLEAR))


def _within_read_box(point: Sequence[float], cases: Sequence[Case]) -> bool:
    """As a reader sees it who rounds the ends of the box to float64 as well."""
    return any(
        all(
            nearest_float(low) <= value <= nearest_float(high)
            for low, value, high in zip(case.box.lower, point, case.box.upper, strict=True)
        )
        for case in cases
    )


def _unsafe(cases: Sequence[Case], output: Point) -> bool:
    return any(part.contains(output) for case in cases for part in case.unsafe)


def _depth(cases: Sequence[Case], output: Point) -> float:
    """How far inside an unsafe set, against the size of the outputs; negative outside."""
    outputs = np.array([[nearest_float(value) for value in output]])
    margin = min(float(Margins(case.unsafe).smallest(outputs)[0]) for case in cases)
    return -margin / (1.0 + float(np.abs(outputs).max(initial=0.0)))
