"""A network and a case as flat arrays: what the compiled kernels read.

Coordinates are numbered through: first the inputs, then the outputs of every layer, then one
*atom* ``C_i y - d_i`` for every row of every unsafe polyhedron. A coordinate's row says how its
pre-activation follows from earlier coordinates. What floating point cannot hold exactly
(divisors, rational coefficients) goes into ``slack``, an absolute error of the row over the box.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from relucert.bounds.backward import Relaxation
from relucert.bounds.interval import Intervals, rectified
from relucert.bounds.rounding import SAFETY, UNIT, gamma, round_up
from relucert.bounds.unsafe import float_rows
from relucert.network import Layer, Network
from relucert.query import Case

__all__ = ["FLOOR", "Flat", "RefusedError", "flatten"]

FLOOR = 2.0**-600
"""More than all underflow together while magnitudes stay below ``LARGEST``; added to errors."""

LARGEST = 2.0**300
MAX_COORDINATES = 20_000
MAX_TERMS = 4_000_000
MAX_ATOMS = 400
MAX_TABLE_BYTES = 400e6
MAX_SYMBOLS = 1_500


class RefusedError(Exception):
    """The problem is too large or its numbers too wide for the kernels; says why."""


class Flat(NamedTuple):
    """The arrays; see the module's docstring.

    starts: first coordinate of the inputs, of each layer, of the atoms, and their number.
    indptr, columns, weights: rows in CSR form over coordinates. bias, slack, relu: per row.
    segments: first atom of each part, and the number of atoms (counted from the first atom).
    centre, radius: per input, of the root box; inputs that do not vary carry the radius as slack.
    free: the inputs that vary. gamma: bounds the relative error of any sum made here.
    symbols: how many unstable neurons may be symbols; further ones are replaced by intervals.
    """

    starts: np.ndarray
    indptr: np.ndarray
    columns: np.ndarray
    weights: np.ndarray
    bias: np.ndarray
    slack: np.ndarray
    relu: np.ndarray
    segments: np.ndarray
    centre: np.ndarray
    radius: np.ndarray
    free: np.ndarray
    gamma: float
    symbols: int

    @property
    def coordinates(self) -> int:
        return int(self.starts[-1])

    @property
    def atoms(self) -> int:
        return int(self.segments[-1])


def flatten(network: Network, case: Case, chain: list[Relaxation], free: list[int]) -> Flat:
    """Flatten; ``chain`` holds valid bounds over the case's box, ``free`` the varying inputs.

    Raises RefusedError when the problem is not one for the kernels.
    """
    box = Intervals(*case.box.enclosing_floats)
    _check(network, case, chain, box)
    starts = np.cumsum([0, network.input_size, *(x.output_size for x in network.layers)])
    blocks = [_layer_rows(layer, relaxation.inputs) for layer, relaxation in zip(
        network.layers, chain, strict=True)]  # fmt: skip
    blocks.append(_atom_rows(case, chain[-1]))
    inputs = network.input_size
    matrices = [sp.csr_array(matrix) for matrix, _, _ in blocks]
    counts = np.concatenate([np.zeros(inputs, dtype=np.int64), *map(np.diff, (
        matrix.indptr for matrix in matrices))])  # fmt: skip
    columns = [matrix.indices + start for matrix, start in zip(matrices, starts[:-1], strict=True)]
    segments = np.cumsum([0, *(len(part.coefficients) for part in case.unsafe)])
    relu = [layer.relu for layer in network.layers]
    atoms = int(segments[-1])
    pad, none = np.zeros(inputs), np.zeros(inputs, dtype=bool)
    centre, radius = _centred(box)
    terms = int(counts.max(initial=0)) + 4 * network.relu_count + 2 * atoms + inputs + 16
    symbols = _most_symbols(network, int(starts[-1]) + atoms, len(free))
    return Flat(
        starts=np.append(starts, starts[-1] + atoms).astype(np.int64),
        indptr=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        columns=np.concatenate(columns).astype(np.int64),
        weights=np.concatenate([matrix.data for matrix in matrices]).astype(np.float64),
        bias=np.concatenate([pad, *(bias for _, bias, _ in blocks)]),
        slack=np.concatenate([pad, *(slack for _, _, slack in blocks)]),
        relu=np.concatenate([none, *relu, np.zeros(atoms, dtype=bool)]),
        segments=segments.astype(np.int64),
        centre=centre,
        radius=radius,
        free=np.array(free, dtype=np.int64),
        gamma=gamma(terms),
        symbols=symbols,
    )


def _check(network: Network, case: Case, chain: list[Relaxation], box: Intervals) -> None:
    atoms = sum(len(part.coefficients) for part in case.unsafe)
    if any(not part.coefficients for part in case.unsafe):
        raise RefusedError("an unsafe set without rows")
    if atoms > MAX_ATOMS:
        raise RefusedError(f"{atoms} rows of unsafe sets")
    if network.input_size + sum(layer.output_size for layer in network.layers) > MAX_COORDINATES:
        raise RefusedError("a network too wide")
    if sum(layer.parameter_count for layer in network.layers) > MAX_TERMS:
        raise RefusedError("a network with too many weights")
    reach = [box.magnitude, *(relaxation.pre.magnitude for relaxation in chain)]
    scale = [relaxation.pre_scale for relaxation in chain]
    if not all(bool((values < LARGEST).all()) for values in (*reach, *scale)):
        raise RefusedError("numbers too wide")


def _most_symbols(network: Network, coordinates: int, free: int) -> int:
    """How many columns the table of forms can afford."""
    symbols = min(network.relu_count, MAX_SYMBOLS)
    while symbols > 64 and 8.0 * coordinates * (symbols + free + 1) > MAX_TABLE_BYTES:
        symbols //= 2
    if 8.0 * coordinates * (symbols + free + 1) > MAX_TABLE_BYTES:
        raise RefusedError("a network too wide")
    return symbols


def _centred(box: Intervals) -> tuple[np.ndarray, np.ndarray]:
    """Centre c and radius r with the box inside ``c + r [-1, 1]``, both exact floats."""
    fixed = box.lower == box.upper
    # Half of an odd subnormal is not a float: the centre of a point is the point itself.
    centre = np.where(fixed, box.lower, 0.5 * box.lower + 0.5 * box.upper)
    radius = round_up(np.maximum(box.upper - centre, centre - box.lower))
    return centre, np.where(fixed, 0.0, radius)


def _without_zeros(matrix: object) -> sp.csr_array:
    own = sp.csr_array(matrix, dtype=np.float64, copy=True)
    own.eliminate_zeros()
    return own


def _layer_rows(layer: Layer, inputs: Intervals) -> tuple[sp.csr_array, np.ndarray, np.ndarray]:
    """Matrix, bias and slack of a layer; quotients by divisors are rounded, at a known cost."""
    matrix, bias = _without_zeros(layer.weight), layer.bias
    slack = np.zeros(layer.output_size)
    if layer.divisor is None:
        return matrix, bias, slack
    matrix = sp.csr_array(sp.diags_array(1.0 / layer.divisor) @ matrix)
    bias = bias / layer.divisor
    # A reciprocal and a product: each coefficient is off by at most 3 units, 8 are taken.
    slack = 8 * UNIT * (abs(matrix) @ inputs.magnitude + np.abs(bias)) * SAFETY + FLOOR
    if not (np.isfinite(matrix.data).all() and bool((slack < LARGEST).all())):
        raise RefusedError("divisors too small")
    return _without_zeros(matrix), bias, slack


def _atom_rows(case: Case, last: Relaxation) -> tuple[sp.csr_array, np.ndarray, np.ndarray]:
    """All atoms ``C_i y - d_i``; the limits d are rounded up, which only enlarges the sets."""
    outputs = rectified(last.pre, last.layer.relu).magnitude
    rows = [float_rows(part) for part in case.unsafe]
    coefficients = np.concatenate([part.coefficients for part in rows])
    error = np.concatenate([part.error for part in rows])
    limits = np.concatenate([part.limits for part in rows])
    if not (np.isfinite(coefficients).all() and bool((np.abs(limits) < LARGEST).all())):
        raise RefusedError("numbers too wide")
    if not bool((np.abs(coefficients) @ outputs < LARGEST).all()):
        raise RefusedError("numbers too wide")
    slack = np.where(error > 0, error * outputs, 0.0).sum(axis=1) * SAFETY + FLOOR
    return _without_zeros(coefficients), -limits, slack
