"""The kernels' working memory: one set of arrays for a whole search."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from relucert.search.star.problem import Flat

__all__ = [
    "ACTIVE",
    "INACTIVE",
    "SPLIT",
    "SYMBOL",
    "UNKNOWN",
    "Tableau",
    "Work",
    "allocate",
    "allocate_tableau",
]

INACTIVE, UNKNOWN, ACTIVE, SPLIT, SYMBOL = -1, 0, 1, 2, 2
"""States of a coordinate: in a node also ``SPLIT`` and ``-SPLIT``, a ReLU decided by branching;
while a box is worked on ``SYMBOL + q``, the q-th unstable neuron."""

_MOST_SPLITS = 100


class Work(NamedTuple):
    """Arrays by coordinate, by symbol (unstable neuron, in order), and scratch.

    rows: (coordinates, free + 1 + symbols), the form of each pre-activation: coefficients of the
    normalised inputs in [-1, 1], the constant, coefficients of earlier symbols. width: how many
    entries of a row are in use. error: absolute rounding error of the pre-activation's form;
    loss: the same for anything that multiplies the row by one and adds it to a sum.
    state, lower, upper: by coordinate. Symbols: where (coordinate), low, high (bounds), chord
    (slope, rounded up), slope (default lower slope), alpha (slope in use), price (error a unit
    of the relaxation costs), reach (the most a post-activation can be), inputs (own linear bound).
    vec, coefficients: a row being substituted and the symbols' coefficients met on the way;
    best_vec, best_coefficients, best_point: those of the best bound found.
    weight, beta: multipliers of atoms and splits; mu_low, mu_high: of the relaxation's two sides.
    distance: of a symbol from its ReLU at the linear programme's minimiser, zero without one.
    score: what halving each free input promises.
    """

    rows: np.ndarray
    width: np.ndarray
    error: np.ndarray
    loss: np.ndarray
    state: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    where: np.ndarray
    low: np.ndarray
    high: np.ndarray
    chord: np.ndarray
    slope: np.ndarray
    alpha: np.ndarray
    price: np.ndarray
    reach: np.ndarray
    inputs: np.ndarray
    splits: np.ndarray
    split_sign: np.ndarray
    vec: np.ndarray
    coefficients: np.ndarray
    best_vec: np.ndarray
    best_coefficients: np.ndarray
    best_point: np.ndarray
    weight: np.ndarray
    beta: np.ndarray
    mu_low: np.ndarray
    mu_high: np.ndarray
    distance: np.ndarray
    branch_distance: np.ndarray
    primal: np.ndarray
    gradient: np.ndarray
    value: np.ndarray
    adjoint: np.ndarray
    branch_vec: np.ndarray
    branch_coefficients: np.ndarray
    score: np.ndarray


def allocate(flat: Flat) -> Work:
    """Zeroed memory for one problem."""
    count, free, symbols = flat.coordinates, len(flat.free), flat.symbols
    relus = int(flat.relu.sum())
    columns = free + 1 + symbols

    def floats(*shape: int) -> np.ndarray:
        return np.zeros(shape)

    return Work(
        rows=floats(count, columns),
        width=np.zeros(count, dtype=np.int64),
        error=floats(count),
        loss=floats(count),
        state=np.zeros(count, dtype=np.int64),
        lower=floats(count),
        upper=floats(count),
        where=np.zeros(symbols, dtype=np.int64),
        low=floats(symbols),
        high=floats(symbols),
        chord=floats(symbols),
        slope=floats(symbols),
        alpha=floats(symbols),
        price=floats(symbols),
        reach=floats(symbols),
        inputs=floats(symbols, free),
        splits=np.zeros(relus, dtype=np.int64),
        split_sign=floats(relus),
        vec=floats(columns),
        coefficients=floats(symbols),
        best_vec=floats(columns),
        best_coefficients=floats(symbols),
        best_point=floats(free),
        weight=floats(flat.atoms),
        beta=floats(relus),
        mu_low=floats(symbols),
        mu_high=floats(symbols),
        distance=floats(symbols),
        branch_distance=floats(symbols),
        primal=floats(columns),
        gradient=floats(2 * symbols + flat.atoms + relus),
        value=floats(count),
        adjoint=floats(count),
        branch_vec=floats(columns),
        branch_coefficients=floats(symbols),
        score=floats(free),
    )


class Tableau(NamedTuple):
    """The dictionary. Variables: structurals t then a, then one slack (>= 0) a row.

    table (rows, structurals), constant and value (rows,), cost (structurals,), the variables
    that are basic (rows,) and nonbasic (structurals,), and by variable low, high and at_high.
    reserved: how many rows there is room for. leaving: row and direction of the last failure.
    """

    table: np.ndarray
    constant: np.ndarray
    value: np.ndarray
    cost: np.ndarray
    basic: np.ndarray
    nonbasic: np.ndarray
    low: np.ndarray
    high: np.ndarray
    at_high: np.ndarray
    leaving: np.ndarray


def allocate_tableau(flat: Flat, symbols: int) -> Tableau:
    """Room for programmes with up to ``symbols`` symbols."""
    columns = len(flat.free) + symbols
    rows = 2 * symbols + _MOST_SPLITS + int(np.diff(flat.segments).max())
    return Tableau(
        table=np.zeros((rows, columns)),
        constant=np.zeros(rows),
        value=np.zeros(rows),
        cost=np.zeros(columns),
        basic=np.zeros(rows, dtype=np.int64),
        nonbasic=np.zeros(columns, dtype=np.int64),
        low=np.zeros(rows + columns),
        high=np.zeros(rows + columns),
        at_high=np.zeros(rows + columns, dtype=np.bool_),
        leaving=np.zeros(2, dtype=np.int64),
    )
