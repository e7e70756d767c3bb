"""Executing a program in float32, in orders that are really used: a source of witnesses.

Every operation is one float32 operation of numpy (IEEE 754, rounded to nearest): products first,
then sums in the order given, the bias last or first, then the division.
"""

from __future__ import annotations

from enum import Enum

import numpy as np
import scipy.sparse as sp

from relucert.float32.program import Kind, Program, Step
from relucert.read.rows import Block

__all__ = ["Order", "execute"]


class Order(Enum):
    """In which order a row's terms are added up."""

    FORWARD = "from the first to the last, bias last"
    BACKWARD = "from the last to the first, bias last"
    BIAS_FIRST = "from the bias on, then from the first to the last"
    PAIRWISE = "in pairs, pairs of pairs and so on, bias last"


def execute(program: Program, x: np.ndarray, order: Order) -> np.ndarray:
    """Outputs (outputs,) in float32 of the float32 inputs ``x`` (inputs,).

    NaN where the program does not say which operand a clipping chooses from.
    """
    values = np.zeros(program.size, dtype=np.float32)
    values[: program.input_size] = x
    with np.errstate(all="ignore"):
        for step in program.steps:
            for block in step.blocks:
                values[block.ids] = _rows(step, block, values[block.inputs], order)
    outputs = program.constants.astype(np.float32)
    computed = program.outputs >= 0
    outputs[computed] = values[program.outputs[computed]]
    return outputs


def _rows(step: Step, block: Block, inputs: np.ndarray, order: Order) -> np.ndarray:
    matrix = sp.csr_array(block.matrix, dtype=np.float32)
    bias, divisor = block.bias.astype(np.float32), block.divisor.astype(np.float32)
    if step.kind is Kind.AFFINE:
        return _affine(matrix, inputs, bias, order) / divisor
    select = _sloped if step.kind is Kind.SLOPED else _choice
    constant = np.diff(matrix.indptr) == 0
    return np.where(constant, bias, select(step, block, matrix, inputs))


def _affine(matrix: sp.csr_array, x: np.ndarray, bias: np.ndarray, order: Order) -> np.ndarray:
    products = matrix.data * x[matrix.indices]
    lengths = np.diff(matrix.indptr)
    table = np.zeros((len(lengths), int(lengths.max(initial=0))), dtype=np.float32)
    rows = np.repeat(np.arange(len(lengths)), lengths)
    places = np.arange(len(products)) - np.repeat(matrix.indptr[:-1], lengths)
    table[rows, places] = products
    if order is Order.PAIRWISE:
        while table.shape[1] > 1:
            if table.shape[1] % 2:
                table = np.pad(table, ((0, 0), (0, 1)))
            table = table[:, 0::2] + table[:, 1::2]
        return np.asarray(table.sum(axis=1, dtype=np.float32) + bias)
    total = bias.copy() if order is Order.BIAS_FIRST else np.zeros(len(bias), dtype=np.float32)
    columns = range(table.shape[1])
    for column in reversed(columns) if order is Order.BACKWARD else columns:
        total = total + table[:, column]
    return total if order is Order.BIAS_FIRST else total + bias


def _sloped(step: Step, block: Block, matrix: sp.csr_array, x: np.ndarray) -> np.ndarray:
    """``x`` or ``a x``: rows over x itself hold the slope a; others add a zero, exactly."""
    zero = np.zeros(len(block.ids), dtype=np.float32)
    sums = _affine(matrix, x, zero, Order.FORWARD)
    rectified = np.concatenate([one.ids[one.relu] for one in step.blocks])
    direct = ~np.isin(block.inputs[matrix.indices], rectified)
    rows = np.repeat(np.arange(len(block.ids)), np.diff(matrix.indptr))[direct]
    operand, slope = zero.copy(), zero.copy()
    operand[rows], slope[rows] = x[matrix.indices[direct]], matrix.data[direct]
    over = np.zeros(len(block.ids), dtype=bool)
    over[rows] = True
    own = np.where(operand >= 0, operand, slope * operand)
    return np.where(block.relu, np.maximum(sums, np.float32(0)), np.where(over, own, sums))


def _choice(step: Step, block: Block, matrix: sp.csr_array, x: np.ndarray) -> np.ndarray:
    """The value chosen: rows inside the step carry the choice among their own operands."""
    operands = x[matrix.indices]
    lengths = np.diff(matrix.indptr)
    if step.kind is Kind.CLIP:
        return _clipped(step, block, matrix, operands)
    pick = np.minimum if step.kind is Kind.MINIMUM else np.maximum
    chosen = np.zeros(len(lengths), dtype=np.float32)
    filled = np.flatnonzero(lengths)
    if len(filled):
        chosen[filled] = pick.reduceat(operands, matrix.indptr[filled])
    if step.kind is Kind.ABSOLUTE:
        return np.abs(chosen)
    # An operand zero leaves no entry: relu(b - 0) has one.
    with_zero = block.relu & (lengths == 1)
    return np.where(with_zero, pick(chosen, np.float32(0)), chosen)


def _clipped(step: Step, block: Block, matrix: sp.csr_array, operands: np.ndarray) -> np.ndarray:
    """Every operand but the bounds is the clipped value already, or what is to be clipped."""
    bounds = np.concatenate(
        [one.ids[np.diff(sp.csr_array(one.matrix).indptr) == 0] for one in step.blocks]
    )
    other = ~np.isin(block.inputs[matrix.indices], bounds)
    rows = np.repeat(np.arange(len(block.ids)), np.diff(matrix.indptr))[other]
    value = np.full(len(block.ids), np.nan, dtype=np.float32)
    value[rows] = operands[other]
    return np.clip(value, np.float32(step.low), np.float32(step.high))
