"""Proofs that follow the tree of a finished search, many regions at once.

The search's splits are taken as they are, and its multipliers, shortened, wherever the default ones
do not refute a set. Where the checker's bounds do not reach, a search of the prover's own goes on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from relucert.bounds.unsafe import float_rows
from relucert.proof.arithmetic import Objective, Relaxation
from relucert.proof.bounding import bounded, lower_bounds, mixture
from relucert.proof.check import step
from relucert.proof.records import (
    SLOPE_STEPS,
    BoundRecord,
    CloseRecord,
    EmptyRecord,
    InputSplitRecord,
    Record,
    ReluSplitRecord,
)
from relucert.proof.region import Refused, Region
from relucert.prover.guide import Wary, short_float, short_weights
from relucert.prover.inputs import halving, prove_by_inputs
from relucert.prover.signs import prove_by_signs
from relucert.prover.text import text_of
from relucert.prover.tree import CLEAR_SHARE, Tree
from relucert.search.split_log import Refutation, SplitLog
from relucert.search.star.tuning import KEPT_EVERY

__all__ = ["replay"]

_AT_ONCE = 256
_HALVINGS = 10  # that follow one another below the search's tree
_SHORT, _LONG = 5, 24
_LEAST_WEIGHT = 2.0**-20
_NO_NAME = -1  # of places that the search has not seen


@dataclass(eq=False)
class _Place:
    """A node of the search's tree: its region, with bounds until all is done, and its records.

    weights: below the search's tree, the rows' weights to try for each unsafe set; else None.
    below: how many halvings below the search's tree.
    """

    region: Region
    name: int
    weights: Mapping[int, Mapping[int, float]] | None = None
    below: int = 0
    records: list[str] = field(default_factory=list)
    halves: tuple[_Place, ...] = ()
    done: bool = False

    def forget(self) -> None:
        """Let go of the bounds, which are most of what the region takes."""
        self.region = replace(self.region, layers=())


def replay(tree: Tree, root: Region, log: SplitLog) -> None:
    """Write a proof along ``log``; raises Stopped, Found or Refused as the other strategies do.

    Where ``root`` has bounds, they are the checker's first ones.
    """
    _Replay(tree, log).run(root)


class _Replay:
    def __init__(self, tree: Tree, log: SplitLog) -> None:
        self.tree, self.log, self.network = tree, log, tree.network
        self.arithmetic = Wary.sharing(tree.guide)
        self.mixed: dict[tuple[object, ...], Objective] = {}
        self.rows = [float_rows(part) for part in tree.case.unsafe]

    def run(self, root: Region) -> None:
        """All regions, then all records, depth first."""
        top = _Place(root, 0, records=[text_of(BoundRecord())] if root.layers else [])
        waiting, ready = [top], list[_Place]()
        while waiting or ready:
            while waiting and len(ready) < _AT_ONCE:
                place = waiting.pop()
                self.tree.visit()
                if self._wants_bounds(place):
                    ready.append(place)
                else:
                    waiting += self._divided(place)
            self._bound(ready)
            self._close([place for place in ready if not place.done])
            for place in ready:
                if not place.done:
                    waiting += self._divided(place)
            ready = []
        self._write(top)

    def _wants_bounds(self, place: _Place) -> bool:
        """Leaves, and where the search handed bounds down: any others would miss some of its."""
        if place.name not in self.log.splits or place.name in self.log.closed:
            return True
        return place.region.depth % KEPT_EVERY == 0

    def _bound(self, places: Sequence[_Place]) -> None:
        anew = [place for place in places if not place.records]
        if not anew:
            return
        regions = [place.region for place in anew]
        found = bounded(self.arithmetic, self.network, regions, [{}] * len(anew))
        for place, one in zip(anew, found, strict=True):
            if isinstance(one, Refused):
                raise one
            place.region = one
            place.records.append(text_of(BoundRecord()))
            if one.empty:
                place.records.append(text_of(EmptyRecord()))
                self._end(place)

    def _end(self, place: _Place) -> None:
        place.done = True
        place.forget()
        self.tree.doubtful -= place.weights is not None
        self.tree.closed += 0.5**place.region.depth

    def _close(self, places: Sequence[_Place]) -> None:
        """Refute open sets: with short multipliers where that will do."""
        for record_of in (_weights_only, _shortened, _lengthened):
            tried: list[tuple[_Place, CloseRecord]] = []
            for place in places:
                known = self.log.closed.get(place.name, {})
                for unsafe in () if place.done else place.region.open:
                    refutation = known.get(unsafe)
                    if refutation is None or not self._allowed(unsafe, refutation):
                        refutation = self._default(place, unsafe)
                    if refutation is not None:
                        record = record_of(self.tree, place.region, unsafe, refutation)
                        if record is not None:
                            tried.append((place, record))
            self._try(tried)

    def _allowed(self, unsafe: int, found: Refutation) -> bool:
        """Whether multipliers are such as show anything; no others are tried."""
        if found.weights:
            rows, weights = found.weights.keys(), found.weights.values()
            last = len(self.tree.case.unsafe[unsafe].limits) - 1
            if not (min(rows) >= 0 and max(rows) <= last and max(weights) > 0):
                return False
        numbers = (*found.weights.values(), *found.betas.values())
        return (
            all(0 <= number < math.inf for number in numbers)
            and all(0 <= slope <= 1 for slope in found.slopes.values())
            and all(self._is_neuron(*pair) for pair in (*found.betas, *found.slopes))
        )

    def _is_neuron(self, layer: int, neuron: int) -> bool:
        layers = self.network.layers
        return 0 <= layer < len(layers) and 0 <= neuron < layers[layer].output_size

    def _default(self, place: _Place, unsafe: int) -> Refutation | None:
        """At a leaf of which nothing is written down: a set with one row needs no weights."""
        if place.weights is not None and unsafe in place.weights:
            return Refutation(dict(place.weights[unsafe]), {}, {})
        if place.name in self.log.splits or len(self.tree.case.unsafe[unsafe].limits) != 1:
            return None
        return Refutation({0: 1.0}, {}, {})

    def _try(self, tried: Sequence[tuple[_Place, CloseRecord]]) -> None:
        """Write the records that refute what they are for, with a little to spare."""
        for start in range(0, len(tried), _AT_ONCE):
            chosen = tried[start : start + _AT_ONCE]
            pairs = [(place.region, record) for place, record in chosen]
            objectives = [self._objective(record) for _, record in chosen]
            values = lower_bounds(self.arithmetic, self.network, pairs, objectives)
            for (place, record), objective, value in zip(chosen, objectives, values, strict=True):
                if not isinstance(value, Refused) and value > self._spare(place.region, objective):
                    place.records.append(text_of(record))
                    place.region = place.region.without(record.unsafe)
                    if not place.region.open:
                        self._end(place)

    def _objective(self, record: CloseRecord) -> Objective:
        key = (record.unsafe, *record.weights.items())
        if key not in self.mixed:
            self.mixed[key] = mixture(self.tree.case.unsafe[record.unsafe], record.weights)
        return self.mixed[key]

    def _spare(self, region: Region, objective: Objective) -> float:
        ends = region.layers[-1].after(self.network.layers[-1])
        size = np.abs([float(c) for c in objective.coefficients])
        return CLEAR_SHARE * float(size @ ends.magnitude)

    def _divided(self, place: _Place) -> Sequence[_Place]:
        """The halves, second first; none where a search of the prover's own did the rest."""
        split = self.log.splits.get(place.name)
        if split is None:
            return self._halved(place)
        record: Record = ReluSplitRecord(split.layer, split.index)
        if split.layer < 0:
            record = InputSplitRecord(split.index, split.value)
        regions = step(self.network, place.region, record)
        place.records.append(text_of(record))
        place.halves = tuple(_Place(r, split.first + i) for i, r in enumerate(regions))
        place.forget()
        return place.halves[::-1]

    def _halved(self, place: _Place) -> Sequence[_Place]:
        """What the search closed and these bounds do not: halved further, with other regions."""
        tree, region = self.tree, place.region
        other = bool(region.signs) or place.below == _HALVINGS or not tree.relaxed(region)
        chosen = None if other else halving(self.network, region, self.rows)
        if chosen is None:
            self._finished(place)
            return ()
        tree.look(0.5 * region.box.lower + 0.5 * region.box.upper)
        record = InputSplitRecord(chosen.index, chosen.value)
        regions = step(self.network, region, record)
        place.records.append(text_of(record))
        place.halves = tuple(
            _Place(one, _NO_NAME, chosen.weights, place.below + 1) for one in regions
        )
        place.forget()
        tree.doubtful += 2 - (place.weights is not None)
        return place.halves[::-1]

    def _finished(self, place: _Place) -> None:
        """What is left where signs are fixed, or all known: a search of the prover's own."""
        tree, rest = self.tree, _Rest(place.records)
        tree.doubtful += 1
        own = Tree(
            tree.network, tree.query, tree.case, tree.guide, rest, tree.limits, tree.progress,
            exact_leaves=tree.exact_leaves,
        )  # fmt: skip
        if place.region.signs or not tree.relaxed(place.region):
            prove_by_signs(own, place.region)
        else:
            prove_by_inputs(own, place.region, fresh=True)
        tree.doubtful -= 1
        tree.regions += own.regions
        self._end(place)

    def _write(self, top: _Place) -> None:
        waiting = [top]
        while waiting:
            place = waiting.pop()
            for text in place.records:
                self.tree.writer.write_text(text)
            waiting += place.halves[::-1]


@dataclass(eq=False)
class _Rest:
    """Takes records as a `ProofWriter` does, and keeps their texts."""

    texts: list[str]

    def write(self, record: Record) -> None:
        self.texts.append(text_of(record))

    def write_text(self, text: str) -> None:
        self.texts.append(text)


def _weights_only(tree: Tree, region: Region, unsafe: int, found: Refutation) -> CloseRecord | None:
    """The weights, in 1/64 of the largest; not where the search needed more than weights."""
    if not found.weights or found.betas or found.slopes:
        return None
    return CloseRecord(unsafe, _short(tree, unsafe, found))


def _shortened(tree: Tree, region: Region, unsafe: int, found: Refutation) -> CloseRecord | None:
    """With slopes, and multipliers of few bits."""
    if not found.weights or not (found.betas or found.slopes):
        return None
    scale = 1.0 / max(found.weights.values())
    betas = {key: scale * beta for key, beta in found.betas.items()}
    weights = _short(tree, unsafe, found)
    return CloseRecord(unsafe, weights, _slopes(tree, region, found), _betas(region, betas, _SHORT))


def _lengthened(tree: Tree, region: Region, unsafe: int, found: Refutation) -> CloseRecord | None:
    """With more bits; a region that is empty may need no weight, but any will do."""
    weights = {row: short_float(weight, _LONG) for row, weight in found.weights.items()}
    if not weights:
        weights = {0: _LEAST_WEIGHT * max(found.betas.values(), default=1.0)}
    slopes, betas = _slopes(tree, region, found), _betas(region, found.betas, _LONG)
    return CloseRecord(unsafe, weights, slopes, betas)


def _short(tree: Tree, unsafe: int, found: Refutation) -> dict[int, float]:
    rows = len(tree.case.unsafe[unsafe].limits)
    return short_weights(np.array([found.weights.get(row, 0.0) for row in range(rows)]))


def _slopes(tree: Tree, region: Region, found: Refutation) -> dict[int, dict[int, int]]:
    """Slopes in whole steps, of unstable ReLUs, where not the default."""
    slopes: dict[int, dict[int, int]] = {}
    known: dict[int, Relaxation] = {}
    for (layer, neuron), slope in sorted(found.slopes.items()):
        if layer not in known:
            known[layer] = Relaxation(tree.network.layers[layer], region.layers[layer])
        steps = round(slope * SLOPE_STEPS)
        if known[layer].unstable[neuron] and steps != known[layer].slopes[neuron]:
            slopes.setdefault(layer, {})[neuron] = steps
    return slopes


def _betas(
    region: Region, betas: Mapping[tuple[int, int], float], bits: int
) -> dict[int, dict[int, float]]:
    """Multipliers of signs that are fixed here."""
    found: dict[int, dict[int, float]] = {}
    for (layer, neuron), beta in sorted(betas.items()):
        if beta > 0 and neuron in region.signs.get(layer, {}):
            found.setdefault(layer, {})[neuron] = short_float(beta, bits)
    return found
