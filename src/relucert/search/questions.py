"""Many questions about one box, each "how small can this row get?", by branch and bound at once.

A question's box is divided by signs of ReLUs; the smallest bound over its divisions is a bound
on the whole box. Bounds on pre-activations stay as given, so a division costs one backward pass a
step, and divisions of all questions are bounded together. The two halves of a division share the
inputs where the pre-activation is zero, so together they cover it.

The least divisions are divided first, for they decide the bound. Where open divisions fill the
memory that they may take, the deepest come first instead: those need little more of it.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field

import numpy as np
import scipy.sparse as sp

from relucert.bounds.backward import Relaxation
from relucert.bounds.interval import Intervals
from relucert.limits import Limits
from relucert.network import Matrix
from relucert.search.ascent import Ascent, Guess, shortened
from relucert.search.division_store import DivisionStore
from relucert.search.question_log import QuestionLog, RowTree
from relucert.search.relu_bounds import Bounded, Multipliers, PartLines, bounded, part_lines
from relucert.search.splits import Splits, costliest_chords, look_ahead

__all__ = ["Effort", "Question", "Questions"]

_CLEARLY = 1e-4  # more than enough
_STORE_SHARE = 0.25  # of the memory allowed
_CELLS_AT_ONCE = 2_000_000  # coefficients on one layer that rows bounded together have
_PRODUCTS_AT_ONCE = 4_000_000_000  # between two looks at the clock
_FEWEST_ROWS = 2


@dataclass(frozen=True)
class Effort:
    """Steps and rate of ascent, on the whole box and on divisions; rows bounded together."""

    first_steps: int = 20
    steps: int = 4
    rate: float = 0.25
    rows: int = 256
    batches: int = 2


@dataclass(eq=False)
class Question:
    """``open``: (bound, slot) of divisions, the least first; ``final``: the least of those that
    cannot be divided; ``closed``: share of the box on which the bound is positive."""

    open: list[tuple[float, int]] = field(default_factory=list)
    final: float = np.inf
    closed: float = 0.0
    divisions: int = 0

    @property
    def bound(self) -> float:
        """A valid lower bound; -inf before the first look."""
        if not self.divisions:
            return -np.inf
        return min(self.open[0][0], self.final) if self.open else self.final


@dataclass(frozen=True, eq=False)
class _Batch:
    """Divisions to bound: of which questions, their names, what is known; signs and multipliers
    by layer."""

    questions: np.ndarray
    names: np.ndarray
    bounds: np.ndarray
    depth: np.ndarray
    signs: dict[int, np.ndarray]
    alpha: dict[int, np.ndarray]
    beta: dict[int, np.ndarray]


class Questions:
    """``rows[q] @ v`` for each q: v the outputs of ``chain``, or the last pre-activations.

    shift: turns bounds on rows into the bounds asked for, given the questions' indices. look: is
    shown the inputs where bounds are smallest, with their questions. log: is told of divisions and
    of the multipliers that bound them.
    """

    def __init__(
        self,
        chain: Sequence[Relaxation],
        box: Intervals,
        rows: Matrix,
        effort: Effort,
        *,
        after_relu: bool,
        shift: Callable[[np.ndarray, np.ndarray], np.ndarray] = lambda values, _: values,
        look: Callable[[np.ndarray, np.ndarray], None] = lambda points, _: None,
        executor: Executor | None = None,
        log: QuestionLog | None = None,
    ) -> None:
        self.chain, self.box, self.rows, self.effort = chain, box, rows, effort
        self.after_relu, self.shift, self.look, self.executor = after_relu, shift, look, executor
        self.log = log
        last = len(chain) - 1
        layers = [
            index
            for index, one in enumerate(chain)
            if one.layer.relu.any() and (after_relu or index < last)
        ]
        self.widths = {index: int(chain[index].unstable.sum()) for index in layers}
        self.ascent = Ascent(chain, box, layers, effort.rate)
        self.base = {index: _base_lines(chain[index]) for index in layers}
        self.questions = [Question() for _ in range(rows.shape[0])]
        # With several layers what a sign changes cannot be told from one point alone.
        self.ahead = (
            list(self.widths) == [0] and after_relu and not sp.issparse(chain[0].layer.weight)
        )
        self.store = DivisionStore(self.widths)
        self.at_once = _rows_at_once(chain, effort.rows)
        self.visited, self.names = 0, rows.shape[0]

    def start(self, limits: Limits) -> None:
        """Bound every question on the whole box; those that a limit leaves out know nothing."""
        total = len(self.questions)
        self.store.most_bytes = _STORE_SHARE * limits.memory
        for first in range(0, total, self.at_once * self.effort.batches):
            if limits.out_of_time or limits.out_of_memory:
                return
            end = min(first + self.at_once * self.effort.batches, total)
            starts = range(first, end, self.at_once)
            batches = [self._whole(np.arange(i, min(i + self.at_once, end))) for i in starts]
            self._bound(batches, self.effort.first_steps, limits)

    def _whole(self, asked: np.ndarray) -> _Batch:
        """The whole box for some questions, with slopes 0 or 1."""
        count = len(asked)
        shapes = {index: (count, width) for index, width in self.widths.items()}
        alpha = {
            index: np.repeat(self.base[index].lower_slope[:, : shape[1]], count, axis=0)
            for index, shape in shapes.items()
        }
        return _Batch(
            asked,
            asked,  # a question's whole box has its number for a name
            np.full(count, -np.inf),
            np.zeros(count, dtype=np.int64),
            {index: np.zeros(shape, dtype=np.int8) for index, shape in shapes.items()},
            {index: one.astype(np.float32) for index, one in alpha.items()},
            {index: np.zeros(shape, dtype=np.float32) for index, shape in shapes.items()},
        )

    def run(self, wanted: Callable[[int], bool], limits: Limits, most: int) -> None:
        """Divide the least divisions of wanted questions until ``most`` more have been bounded."""
        end = self.visited + most
        while self.visited < end and not limits.out_of_time and not limits.out_of_memory:
            waiting = [index for index in range(len(self.questions)) if wanted(index)]
            waiting = [index for index in waiting if self.questions[index].open]
            if not waiting:
                return
            half = max(1, self.at_once // 2)
            if self.store.full:
                slots = self._deepest(waiting, half)
            else:
                each = max(1, half * self.effort.batches // len(waiting))
                slots = [slot for index in waiting for slot in self._popped(index, each)]
            batches = [self._halves(slots[i : i + half]) for i in range(0, len(slots), half)]
            self.store.release(slots)
            self._bound(batches, self.effort.steps, limits)

    def _deepest(self, waiting: Sequence[int], most: int) -> list[int]:
        """The deepest open divisions, of those the greatest bounds: soon closed, with few more."""
        slots = np.array([slot for index in waiting for _, slot in self.questions[index].open])
        order = np.lexsort((-self.store.bound[slots], -self.store.depth[slots]))
        chosen = slots[order[:most]]
        taken = set(chosen.tolist())
        for index in np.unique(self.store.question[chosen]):
            own = self.questions[index]
            own.open = [one for one in own.open if one[1] not in taken]
            heapq.heapify(own.open)
        return list(chosen.tolist())

    def _popped(self, index: int, most: int) -> list[int]:
        """The least open divisions of a question that are not yet positive."""
        heap, slots = self.questions[index].open, list[int]()
        while heap and len(slots) < most and not heap[0][0] > 0:
            slots.append(heapq.heappop(heap)[1])
        return slots

    def _halves(self, slots: Sequence[int]) -> _Batch:
        """Both halves of every division."""
        store, twice = self.store, np.repeat(np.array(slots), 2)
        first, self.names = self.names, self.names + len(twice)
        batch = _Batch(
            store.question[twice],
            np.arange(first, self.names),
            store.bound[twice],
            store.depth[twice] + 1,
            {index: signs[twice] for index, signs in store.signs.items()},
            {index: alpha[twice] for index, alpha in store.alpha.items()},
            {index: beta[twice] for index, beta in store.beta.items()},
        )
        layers, neurons = store.layer[twice], store.neuron[twice]
        for index, signs in batch.signs.items():
            for sign, turn in ((1, 0), (-1, 1)):
                chosen = np.flatnonzero(layers[turn::2] == index) * 2 + turn
                signs[chosen, neurons[chosen]] = sign
                batch.beta[index][chosen, neurons[chosen]] = store.start[twice[chosen], turn]
        if self.log is not None:
            self.log.divided(store.name[twice[::2]], layers[::2], neurons[::2], batch.names[::2])
        return batch

    def _bound(self, batches: Sequence[_Batch], steps: int, limits: Limits) -> None:
        """Bound and file divisions."""

        def ascent(batch: _Batch) -> tuple[Bounded, Guess, Splits]:
            return self._ascent(batch, steps, limits)

        try:
            results = self.executor.map(ascent, batches) if self.executor else map(ascent, batches)
            for batch, (found, best, splits) in zip(batches, results, strict=True):
                limits.work.nodes += len(batch.questions)
                self._file(batch, found, best, splits)
        except BaseException:  # Ctrl-C too: divisions that are not filed must not be forgotten
            for index in np.unique(np.concatenate([batch.questions for batch in batches])):
                self.questions[index].final = -np.inf
            raise

    def tree(self, index: int) -> RowTree | None:
        """How a question's bound was found; only with a log, and None once that is full."""
        if self.log is None:
            raise ValueError("there is no log")
        return self.log.tree(index)

    def _ascent(self, batch: _Batch, steps: int, limits: Limits) -> tuple[Bounded, Guess, Splits]:
        """Multipliers found carelessly, the bounds that they give, with all rounding, and what to
        split where a bound is not positive."""
        rows = self.rows[batch.questions]
        rows = np.asarray(rows.toarray() if sp.issparse(rows) else rows)
        guess = Guess(batch.alpha, batch.beta)
        enough = -self.shift(np.zeros(len(rows)), batch.questions)
        with np.errstate(over="ignore"):
            enough = (enough + _CLEARLY * np.abs(enough)).astype(np.float32)
        best = shortened(self.ascent.run(rows, batch.signs, guess, steps, limits, enough))
        lines = {index: self._lines(index, signs) for index, signs in batch.signs.items()}
        multipliers = Multipliers(
            {index: self._wide(index, alpha) for index, alpha in best.alpha.items()},
            {
                index: self._wide(index, beta)
                for index, beta in best.beta.items()
                if batch.signs[index].any()
            },
        )
        found = bounded(self.chain, self.box, rows, lines, multipliers, after_relu=self.after_relu)
        splits = costliest_chords(found, lines, self.widths)
        still = ~(self.shift(found.values, batch.questions) > 0) & (splits.layers >= 0)
        if self.ahead and still.any():
            signs, guess = {0: batch.signs[0][still]}, best.chosen(still)
            neurons, start = look_ahead(self.ascent, rows[still], signs, guess)
            splits.neurons[still] = np.where(neurons < 0, splits.neurons[still], neurons)
            splits.start[still] = start
        return found, best, splits

    def _file(self, batch: _Batch, found: Bounded, best: Guess, splits: Splits) -> None:
        values = self.shift(found.values, batch.questions)
        if self.log is not None:
            self.log.bounded(batch.names, values, best, batch.signs)
        values = np.maximum(values, batch.bounds)
        self.look(found.points, batch.questions)
        self.visited += len(values)
        keep = ~(values > 0) & (splits.layers >= 0)
        if self.store.full:  # what has not been divided yet need not be
            keep &= batch.depth > 0
        slots = self.store.take(int(keep.sum()))
        self.store.fill(
            slots, keep, batch.questions, batch.names, values, batch.depth, splits.layers,
            splits.neurons, splits.start, batch.signs, best.alpha, best.beta,
        )  # fmt: skip
        places = iter(slots.tolist())
        for row, (number, value) in enumerate(zip(batch.questions, values, strict=True)):
            question = self.questions[number]
            question.divisions += 1
            if keep[row]:
                heapq.heappush(question.open, (float(value), next(places)))
                continue
            question.final = min(question.final, float(value))
            if value > 0:
                question.closed += 0.5 ** int(batch.depth[row])

    def _lines(self, index: int, signs: np.ndarray) -> PartLines:
        base, own, count = self.base[index], slice(self.widths[index]), len(signs)

        def cut(values: np.ndarray, fixed: np.ndarray) -> np.ndarray:
            wide = np.repeat(values, count, axis=0)
            wide[:, own] = np.where(signs == 0, wide[:, own], fixed)
            return wide

        active = signs > 0
        return PartLines(
            cut(base.lower_slope, active),
            cut(base.chord_slope, active),
            cut(base.chord_offset, np.zeros(signs.shape)),
            cut(base.unstable, np.zeros(signs.shape, dtype=bool)),
            self._wide(index, signs.astype(np.float64)),
        )

    def _wide(self, index: int, rows: np.ndarray) -> np.ndarray:
        wide = np.zeros((len(rows), self.chain[index].layer.output_size))
        wide[:, : self.widths[index]] = rows
        return wide


def _base_lines(relaxation: Relaxation) -> PartLines:
    layer, pre = relaxation.layer, relaxation.pre
    signs = np.zeros((1, layer.output_size), dtype=np.int8)
    return part_lines(layer.relu, pre.lower[None], pre.upper[None], signs)


def _rows_at_once(chain: Sequence[Relaxation], most: int) -> int:
    """How many rows to bound together, so that wide layers need neither too much room nor time."""
    widest = max(one.layer.output_size for one in chain)
    weights = sum(one.layer.parameter_count for one in chain)
    fitting = min(_CELLS_AT_ONCE // widest, _PRODUCTS_AT_ONCE // (weights + 1))
    return min(most, max(_FEWEST_ROWS, fitting))
