"""How far a float32 execution can be from the real function, over a box (docs/float32.md).

Every reference carries, for the inputs of a box: ``low`` and ``high``, bounds on its real value;
and for the run of affine steps that ends in it, written out as a sum of monomials (products of
weights and one value that the run starts from): ``size``, the sum of their absolute values;
``reach``, the same with every factor at least one; ``count``, at most so many roundings meet any
one monomial; ``drift``, what errors of the run's starting values become. Then

    |executed - real| <= drift + gamma_count * size + 8 * count * eta * reach,

whatever the order of the sums. A ReLU, maximum, clipping or slope ends the run.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from relucert.bounds.interval import Intervals, layer_intervals, rectified, row_terms
from relucert.bounds.rounding import SAFETY, UNDERFLOW
from relucert.float32.program import Kind, Program, Step
from relucert.network import Layer, Matrix
from relucert.read.rows import Block

__all__ = ["LARGEST", "ErrorBound", "OverflowPossible", "error_bound", "float32_error"]

UNIT = 2.0**-24
"""Unit roundoff of float32."""

ETA = 2.0**-126
"""The smallest normal float32: more than any one underflow loses, flushing to zero included."""

LARGEST = 2.0**124
"""An eighth of where float32 overflows; sums that stay below it cannot overflow in any order."""

_MOST = 2**22


@dataclass(frozen=True, eq=False)
class ErrorBound:
    """``outputs[i]`` bounds what any float32 execution differs by at output i; (outputs,)."""

    outputs: np.ndarray


@dataclass(frozen=True)
class OverflowPossible:
    """Numbers may exceed the range of float32 at ``place``: nothing can be said."""

    place: str


def float32_error(values: np.ndarray) -> np.ndarray:
    """What rounding each float64 to float32 changes at most; zero where it is one."""
    with np.errstate(over="ignore"):
        exact = values.astype(np.float32).astype(np.float64) == values
    return np.where(exact, 0.0, UNIT * np.abs(values) * SAFETY + ETA)


def error_bound(program: Program, box: Intervals) -> ErrorBound | OverflowPossible:
    """Bound the error at the outputs for all float32 inputs in ``box``."""
    state = _State(program, box)
    if not bool((box.magnitude < LARGEST).all()):
        return OverflowPossible("the input")
    with np.errstate(all="ignore"):
        for step in program.steps:
            state.run(step)
            if not state.within_range(step):
                return OverflowPossible(step.place)
    fixed = program.outputs < 0
    total = state.total(np.where(fixed, 0, program.outputs))
    outputs = np.where(fixed, float32_error(program.constants), total)
    if not bool((outputs < LARGEST).all() and (np.abs(program.constants) < LARGEST).all()):
        return OverflowPossible("the output")
    return ErrorBound(outputs)


def _up(values: np.ndarray) -> np.ndarray:
    """More than any rounding made while ``values`` >= 0 were computed (to 2**32 terms)."""
    return np.asarray(values * SAFETY + UNDERFLOW * 2.0**32)


class _State:
    """What is known of every reference so far."""

    def __init__(self, program: Program, box: Intervals) -> None:
        def zeros() -> np.ndarray:
            return np.zeros(program.size)

        self.low, self.high, self.drift = zeros(), zeros(), zeros()
        self.size, self.reach = zeros(), zeros()
        self.count = np.zeros(program.size, dtype=np.int64)
        inputs = np.arange(program.input_size)
        self.low[inputs], self.high[inputs] = box.lower, box.upper
        self._start_run(inputs, np.zeros(len(inputs)))

    def total(self, refs: np.ndarray) -> np.ndarray:
        """The whole error bound of references."""
        count = self.count[refs].astype(np.float64)
        gamma = count * UNIT / (1.0 - count * UNIT)
        underflow = 8.0 * count * ETA * self.reach[refs]
        total = _up(self.drift[refs] + gamma * self.size[refs] + underflow)
        total = np.where(count == 0, self.drift[refs], total)
        return np.where((count < _MOST) & (total >= 0), total, np.inf)

    def within_range(self, step: Step) -> bool:
        """Whether no number of the step can overflow; false for what is not a number."""
        reach = [self.reach[block.ids].max(initial=0.0) for block in step.blocks]
        return all(step.factor * value < LARGEST for value in reach)

    def run(self, step: Step) -> None:
        for block in step.blocks:
            if step.kind is Kind.AFFINE:
                self._interval(block)
                self._affine(block, step)
            elif step.kind is Kind.SLOPED:
                self._interval(block)
                self._start_run(block.ids, self._sloped(block))
            else:
                self._choose_between(block, step)
                self._start_run(block.ids, self._chosen(block))

    def _start_run(self, refs: np.ndarray, error: np.ndarray) -> None:
        """From here on the references are starting values, off by at most ``error``."""
        self.drift[refs], self.count[refs] = error, 0
        largest = np.maximum(np.abs(self.low[refs]), np.abs(self.high[refs]))
        self.size[refs] = _up(largest + error)
        self.reach[refs] = np.maximum(1.0, self.size[refs])

    def _interval(self, block: Block) -> None:
        """Bounds on the real values of the rows."""
        layer = Layer(block.matrix, block.bias, block.relu, block.divisor)
        ends = Intervals(self.low[block.inputs], self.high[block.inputs])
        found = rectified(layer_intervals(layer, ends), block.relu)
        self.low[block.ids], self.high[block.ids] = found.lower, found.upper

    def _affine(self, block: Block, step: Step) -> None:
        weight, at, inputs = abs(block.matrix), block.ids, block.inputs
        over = 1.0 / block.divisor
        self.drift[at] = _up((weight @ self.drift[inputs]) * over)
        self.size[at] = _up((weight @ self.size[inputs] + np.abs(block.bias)) * over)
        reach = _at_least_one(weight) @ self.reach[inputs] + np.maximum(1.0, np.abs(block.bias))
        self.reach[at] = _up(reach * np.maximum(1.0, over) * step.factor)
        before = int(self.count[inputs].max(initial=0))
        self.count[at] = before + _roundings(block) + step.roundings

    def _chosen(self, block: Block) -> np.ndarray:
        """The error of a value chosen among others: no more than the worst of these.

        Rows that hold a constant, an operand, are off by its rounding.
        """
        error = _row_maximum(block, self.total(block.inputs))
        return _up(np.maximum(error, float32_error(block.bias)) + ETA)  # eta: flushed to zero

    def _sloped(self, block: Block) -> np.ndarray:
        """``a x`` rounds ``a``, ``x`` and the product; |a| is at most the largest weight, or 1."""
        error = self._chosen(block)
        slope = np.maximum(1.0, _row_maximum(block, np.ones(len(block.inputs)), weighted=True))
        largest = np.maximum(np.abs(self.low[block.inputs]), np.abs(self.high[block.inputs]))
        largest = _row_maximum(block, largest + self.total(block.inputs))
        lost = 4.0 * UNIT * slope * largest + 8.0 * ETA * slope * np.maximum(1.0, largest)
        return _up(slope * error + lost)

    def _choose_between(self, block: Block, step: Step) -> None:
        """Bounds on a choice by what it chooses among: the real values the rows depend on.

        Rows inside the step, such as ``relu(b - a)`` of a maximum, get the bounds of the choice
        among their own operands; nothing outside the step reads them. An operand zero leaves no
        entry in a row, so zero is always thought to be among them.
        """
        at, constant = block.ids, np.diff(sp.csr_array(block.matrix).indptr) == 0
        low, high = self.low[block.inputs], self.high[block.inputs]
        lowest, highest = -_row_maximum(block, -low, -np.inf), _row_maximum(block, high, -np.inf)
        if step.kind in (Kind.RELU, Kind.MAXIMUM):
            lowest, highest = _row_maximum(block, low, -np.inf), np.maximum(highest, 0.0)
            if step.kind is Kind.RELU:
                lowest = np.maximum(lowest, 0.0)
        elif step.kind is Kind.MINIMUM:
            lowest, highest = np.minimum(lowest, 0.0), -_row_maximum(block, -high, -np.inf)
        elif step.kind is Kind.ABSOLUTE:
            highest = np.maximum(np.abs(lowest), np.abs(highest))
            lowest = np.zeros(len(at))
        elif step.kind is Kind.CLIP:
            lowest = np.clip(np.minimum(lowest, 0.0), step.low, step.high)
            highest = np.clip(np.maximum(highest, 0.0), step.low, step.high)
        self.low[at] = np.where(constant, block.bias, lowest)
        self.high[at] = np.where(constant, block.bias, highest)


def _roundings(block: Block) -> int:
    """At most so many roundings meet one monomial in the block; one more is counted for luck.

    Additions; a product where weights are not 1 or -1; the weight or bias itself where float32
    does not hold it; a divisor, its reciprocal and a product where there is one.
    """
    entries = np.asarray(block.matrix.data if sp.issparse(block.matrix) else block.matrix)
    additions = max(0, row_terms(block.matrix) - 1) + int(block.bias.any())
    products = int(bool((np.abs(entries) != 1).any()))
    stored = int(bool(float32_error(entries).any() or float32_error(block.bias).any()))
    quotients = 3 * int(bool((block.divisor != 1).any()))
    return 1 + additions + products + stored + quotients


def _at_least_one(weight: Matrix) -> Matrix:
    """Absolute weights with every entry that is not zero raised to at least one."""
    if sp.issparse(weight):
        raised = sp.csr_array(weight, copy=True)
        raised.data = np.where(raised.data == 0, 0.0, np.maximum(1.0, raised.data))
        return raised
    return np.where(weight == 0, 0.0, np.maximum(1.0, weight))


def _row_maximum(
    block: Block, values: np.ndarray, empty: float = 0.0, weighted: bool = False
) -> np.ndarray:
    """The largest of ``values`` (inputs,) among each row's entries; times |entry| if weighted."""
    matrix = sp.csr_array(block.matrix)
    entries = values[matrix.indices]
    if weighted:
        entries = entries * np.abs(matrix.data)
    largest = np.full(len(block.ids), empty)
    filled = np.flatnonzero(np.diff(matrix.indptr))
    if len(filled):
        largest[filled] = np.maximum.reduceat(entries, matrix.indptr[filled])
    return largest
