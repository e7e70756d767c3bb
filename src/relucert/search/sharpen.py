"""Sharper bounds on neurons: a small branch and bound for every open neuron of a layer.

Linear bounds leave many neurons open that keep one sign on the whole box. Each side of such a
neuron is a question like that of an unsafe set, and a few divisions often settle it. Layer by
layer, so that later bounds rest on the sharper ones before.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor

import numpy as np
import scipy.sparse as sp

from relucert.bounds.backward import Relaxation
from relucert.bounds.interval import Intervals, layer_intervals
from relucert.limits import Limits
from relucert.search.compact import Compact, compacted
from relucert.search.question_log import BoxLog, NeuronBounds, QuestionLog, RowTree
from relucert.search.questions import Effort, Questions

__all__ = ["sharpened"]

_SHARE_IF_BOTH = 8
_PROMISING = 0.2


def sharpened(
    chain: Sequence[Relaxation],
    box: Intervals,
    bounds: dict[int, Intervals],
    limits: Limits,
    effort: Effort,
    divisions: int,
    executor: Executor | None = None,
    log: BoxLog | None = None,
) -> dict[int, Intervals]:
    """Tighter bounds by layer; what is found when the time is up is kept.

    divisions: of the box, at most for each side of a neuron; an eighth of it where the neuron is
    known to take both signs. One: bounds on the undivided box only. log: is told how each bound was
    found.
    """
    bounds = dict(bounds)
    layers = [layer for layer in sorted(bounds) if layer > 0]
    for number, layer in enumerate(layers):
        if limits.out_of_time or limits.out_of_memory:
            break
        if not _open(chain[layer], bounds[layer]).any():
            continue
        share = limits.within(limits.remaining / (len(layers) - number))
        compact = compacted(chain, box, bounds, layer, whole_last=True)
        last = compact.chain[-1]
        own = bounds[layer].intersected(layer_intervals(last.layer, last.inputs))
        asked = _Layer(compact, box, own, effort, divisions, executor, log)
        bounds[layer] = asked.run(share)
        if log is not None:
            log.add(NeuronBounds(layer, asked.trees()))
    return bounds


def _open(relaxation: Relaxation, bounds: Intervals) -> np.ndarray:
    """Neurons whose sign the bounds leave open, as a mask."""
    return np.asarray(relaxation.layer.relu & (bounds.lower < 0) & (bounds.upper > 0))


class _Layer:
    """The questions about one layer: two for each open neuron, its lower and its upper side."""

    def __init__(
        self,
        compact: Compact,
        box: Intervals,
        own: Intervals,
        effort: Effort,
        divisions: int,
        executor: Executor | None,
        log: BoxLog | None,
    ) -> None:
        chain = compact.chain
        self.chain, self.own, self.most = chain, own, divisions
        self.neurons = np.flatnonzero(_open(chain[-1], own))
        count = 2 * len(self.neurons)
        places = np.arange(count), np.repeat(self.neurons, 2)
        signs = np.tile([1.0, -1.0], len(self.neurons))
        rows = sp.csr_array((signs, places), shape=(count, len(own.lower)))
        self.questions = Questions(
            chain, box, rows, effort, after_relu=False, look=self._look, executor=executor,
            log=None if log is None else QuestionLog(compact.neurons, log),
        )  # fmt: skip
        self.seen = np.full(count, np.inf)

    def run(self, limits: Limits) -> Intervals:
        """Bounds on the layer's pre-activations."""
        if not len(self.neurons):
            return self.own
        self.questions.start(limits)
        undecided = sum(self._wanted(index, self.most, 0) for index in range(len(self.seen)))
        # Where nearly all open neurons take both signs, little can be gained at those.
        promising = undecided >= _PROMISING * len(self.seen)
        if_both = self.most // _SHARE_IF_BOTH if promising else 0
        self.questions.run(
            lambda index: self._wanted(index, self.most, if_both), limits, most=2**62
        )
        return self._bounds()

    def _bounds(self) -> Intervals:
        found = np.array([question.bound for question in self.questions.questions])
        lower, upper = self.own.lower.copy(), self.own.upper.copy()
        lower[self.neurons] = np.maximum(lower[self.neurons], found[0::2])
        upper[self.neurons] = np.minimum(upper[self.neurons], -found[1::2])
        return Intervals(lower, upper)

    def trees(self) -> dict[tuple[int, int], RowTree]:
        """Of the bounds that are better than those known before, by (neuron, side)."""
        found: dict[tuple[int, int], RowTree] = {}
        for index, question in enumerate(self.questions.questions):
            neuron, side = int(self.neurons[index // 2]), 1 - 2 * (index % 2)
            known = self.own.lower[neuron] if side > 0 else -self.own.upper[neuron]
            tree = self.questions.tree(index) if question.bound > known else None
            if tree is not None:
                found[neuron, side] = tree
        return found

    def _wanted(self, index: int, most: int, if_both: int) -> bool:
        """Whether more divisions promise something."""
        question, other = self.questions.questions[index], self.questions.questions[index ^ 1]
        if question.bound > 0 or question.bound == question.final or other.bound > 0:
            return False
        both = self.seen[index] < 0 and self.seen[index ^ 1] < 0
        return question.divisions < (if_both if both else most)

    def _look(self, points: np.ndarray, asked: np.ndarray) -> None:
        """How small the rows really get at the points where the bounds are smallest."""
        v = points
        with np.errstate(all="ignore"):
            for relaxation in self.chain[:-1]:
                v = relaxation.layer.evaluate(v)
            z = self.chain[-1].layer.affine(v)[:, self.neurons]
        least, most = z.min(axis=0), z.max(axis=0)
        self.seen[0::2] = np.minimum(self.seen[0::2], least)
        self.seen[1::2] = np.minimum(self.seen[1::2], -most)
