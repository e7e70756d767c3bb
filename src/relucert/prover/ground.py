"""Bounds on a case that the checker derives, for the searches to start from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from relucert.bounds.backward import Relaxation
from relucert.bounds.interval import Intervals
from relucert.bounds.unsafe import distance, float_rows, mixture
from relucert.limits import Limits
from relucert.network import Network
from relucert.proof.bounding import bounded, closed, lower_bounds
from relucert.proof.bounding import mixture as mixture_of
from relucert.proof.records import CloseRecord
from relucert.proof.region import Refused, Region, root_region
from relucert.prover.guide import Guide, Wary, chain_of
from relucert.prover.outcomes import Stopped
from relucert.query import Case, Polyhedron

__all__ = ["Ground", "checked_bounds", "checked_together"]

_MOST_AT_ONCE, _VALUES_AT_ONCE = 256, 2**20


@dataclass(frozen=True, eq=False)
class Ground:
    """A case without the unsafe sets that first bounds refute, in the checker's arithmetic.

    left: the places of the sets left open. region: the whole box, with bounds on every layer; its
    open sets are those of ``case``. chain: the same bounds as the searches know them.
    """

    arithmetic: Guide
    case: Case
    left: tuple[int, ...]
    region: Region
    chain: list[Relaxation]


def checked_bounds(network: Network, case: Case, limits: Limits) -> Ground | None:
    """First bounds, and which unsafe sets they leave open; None where there are none in time.

    Nor are there where numbers go beyond the range of float64.
    """
    arithmetic = Guide(network, limits)
    try:
        (region,) = bounded(arithmetic, network, [root_region(case)], [{}])
        if isinstance(region, Refused):
            return None
        if region.empty:
            return Ground(arithmetic, Case(case.box, ()), (), replace(region, open=()), [])
        chain = chain_of(network, region, arithmetic.slopes)
        left = _left_open(arithmetic, network, case, region, chain)
    except (Refused, Stopped):
        return None
    parts = tuple(case.unsafe[unsafe] for unsafe in left)
    region = replace(region, open=tuple(range(len(parts))))
    return Ground(arithmetic, Case(case.box, parts), tuple(left), region, chain)


def checked_together(
    network: Network, cases: Sequence[Case], limits: Limits
) -> Iterator[tuple[int, bool]]:
    """For each case, as (place, answer), whether first bounds refute every unsafe set.

    Sets of several rows are left to others. In the checker's arithmetic, many cases at a time.
    Ends early when the time is up.
    """
    arithmetic = Wary(network, limits)
    values = network.input_size + sum(layer.output_size for layer in network.layers)
    count = max(1, min(_MOST_AT_ONCE, _VALUES_AT_ONCE // values))
    for start in range(0, len(cases), count):
        chosen = cases[start : start + count]
        try:
            found = _refuted(arithmetic, network, chosen)
        except Refused:
            found = [False] * len(chosen)
        except Stopped:
            return
        yield from enumerate(found, start)


def _refuted(arithmetic: Wary, network: Network, cases: Sequence[Case]) -> list[bool]:
    regions = bounded(arithmetic, network, [root_region(case) for case in cases], [{}] * len(cases))
    answers = [not isinstance(region, Refused) for region in regions]
    pairs, places = list[tuple[Region, CloseRecord]](), list[int]()
    for place, (case, region) in enumerate(zip(cases, regions, strict=True)):
        if isinstance(region, Refused) or any(len(part.limits) != 1 for part in case.unsafe):
            answers[place] = False
            continue
        for unsafe in range(len(case.unsafe)):
            pairs.append((region, CloseRecord(unsafe, {0: 1.0})))
            places.append(place)
    objectives = [
        mixture_of(cases[place].unsafe[record.unsafe], record.weights)
        for place, (_, record) in zip(places, pairs, strict=True)
    ]
    for start in range(0, len(pairs), _MOST_AT_ONCE):
        block = slice(start, start + _MOST_AT_ONCE)
        found = lower_bounds(arithmetic, network, pairs[block], objectives[block])
        for place, value in zip(places[block], found, strict=True):
            answers[place] &= not isinstance(value, Refused) and value > 0
    return answers


def _left_open(
    arithmetic: Guide, network: Network, case: Case, region: Region, chain: list[Relaxation]
) -> list[int]:
    """The unsafe sets that one row, or one mixture of rows, does not refute."""
    box = Intervals(region.box.lower, region.box.upper)
    records = []
    for unsafe, part in enumerate(case.unsafe):
        weights = _weights(chain, box, part)
        if weights is not None:
            records.append(CloseRecord(unsafe, weights))
    pairs = [(region, record) for record in records]
    found = closed(arithmetic, network, case, pairs, {})
    refuted = {
        record.unsafe for record, refusal in zip(records, found, strict=True) if refusal is None
    }
    return [unsafe for unsafe in region.open if unsafe not in refuted]


def _weights(chain: list[Relaxation], box: Intervals, part: Polyhedron) -> dict[int, float] | None:
    """Weights of the rows that seem to refute the set; None where none do."""
    if len(part.limits) == 1:
        return {0: 1.0}
    found = distance(chain, box, float_rows(part))
    if not found.best > 0:
        return None
    if found.rows.max(initial=-np.inf) > 0:
        return {int(found.rows.argmax()): 1.0}
    return mixture(chain, box, part).weights
