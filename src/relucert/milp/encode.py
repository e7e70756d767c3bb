"""A network over a box as mixed-integer rows (Tjeng, Xiao & Tedrake 2019), solver-neutral.

Each unstable ReLU has ``a`` (its value), ``s`` (its negative part) and a binary ``p`` (active):
``a - s = W x + b``, ``0 <= a <= u p``, ``0 <= s <= -l (1 - p)``. With ``p`` continuous this is
the triangle relaxation. Stable neurons have no binary, dead ones no variable, carried
coordinates no row. Every variable is scaled by a power of two to at most one in absolute value
and every row to a largest coefficient of about one, which is exact and lets one solver tolerance
mean the same everywhere. A coefficient too small for solvers is dropped and its row widened by
all it could contribute: the rows always admit every true point.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import scipy.sparse as sp

from relucert.bounds.backward import Relaxation
from relucert.bounds.interval import Intervals
from relucert.errors import SolverError
from relucert.lp.model import ModelBuilder
from relucert.network import Layer

__all__ = ["Encoding", "UnstableNeuron", "Wires", "encode_network", "scaled_row"]

_NEGLIGIBLE = 1e-11
_DEAD = -1


@dataclass(frozen=True, eq=False)
class Wires:
    """Where values live in the model: ``value = 2**exponents * variable`` (0 where column < 0)."""

    columns: np.ndarray
    exponents: np.ndarray

    def values(self, x: np.ndarray) -> np.ndarray:
        """The values at a point of the model, (variables,) -> (wires,)."""
        found = np.ldexp(x[np.maximum(self.columns, 0)], self.exponents)
        return np.where(self.columns < 0, 0.0, found)


@dataclass(frozen=True)
class UnstableNeuron:
    """The variables of one unstable ReLU: value, negative part and phase, with their scales.

    The pre-activation is ``2**value_exponent * x[value] - 2**negative_exponent * x[negative]``.
    """

    layer: int
    index: int
    value: int
    value_exponent: int
    negative: int
    negative_exponent: int
    phase: int


@dataclass(eq=False)
class Encoding:
    """A model under construction: its inputs, the outputs of the last layer, its neurons."""

    builder: ModelBuilder
    inputs: Wires
    outputs: Wires
    neurons: list[UnstableNeuron] = field(default_factory=list)
    stable: list[tuple[int, int, int, int]] = field(default_factory=list)
    """(column, layer, coordinate, exponent) of every pre-activation that has its own variable."""


def encode_network(chain: list[Relaxation], box: Intervals, upto: int | None = None) -> Encoding:
    """Rows for the first ``upto`` layers of ``chain`` (all by default) over the box.

    Raises SolverError when a bound is not finite: no big-M exists then.
    """
    builder = ModelBuilder()
    inputs = _input_wires(builder, box)
    encoding = Encoding(builder, inputs, inputs)
    for index, relaxation in enumerate(chain[:upto]):
        encoding.outputs = _encode_layer(encoding, relaxation, index)
    return encoding


def _exponent(magnitude: float) -> int:
    """k with magnitude <= 2**k, smallest such up to one."""
    return int(np.frexp(magnitude)[1]) if magnitude > 0 else 0


def _input_wires(builder: ModelBuilder, box: Intervals) -> Wires:
    if not (np.isfinite(box.lower).all() and np.isfinite(box.upper).all()):
        raise SolverError("the input box is not finite in float64")
    exponents = np.frexp(box.magnitude)[1].astype(np.int64)
    columns = [
        builder.variable(_scaled(float(low), -int(e), -1), _scaled(float(high), -int(e), 1))
        for low, high, e in zip(box.lower, box.upper, exponents, strict=True)
    ]
    return Wires(np.array(columns, dtype=np.int64), exponents)


def _encode_layer(encoding: Encoding, relaxation: Relaxation, layer_index: int) -> Wires:
    layer, pre, wires = relaxation.layer, relaxation.pre, encoding.outputs
    if not (np.isfinite(pre.lower).all() and np.isfinite(pre.upper).all()):
        raise SolverError(f"a bound of layer {layer_index} is not finite in float64")
    columns = np.full(layer.output_size, _DEAD, dtype=np.int64)
    exponents = np.zeros(layer.output_size, dtype=np.int64)
    for row in range(layer.output_size):
        if relaxation.dead[row]:
            continue
        sources, weights = _row(layer, row)
        alive = wires.columns[sources] >= 0
        sources, weights = sources[alive], weights[alive]
        terms = _Terms(wires.columns[sources], weights, wires.exponents[sources])
        if not layer.relu[row] and _is_copy(layer, row, weights):
            columns[row], exponents[row] = terms.columns[0], terms.exponents[0]
            continue
        low, high = float(pre.lower[row]), float(pre.upper[row])
        divisor = 1.0 if layer.divisor is None else float(layer.divisor[row])
        bias = float(layer.bias[row])
        terms = terms.with_result(divisor, bias)
        if relaxation.unstable[row]:
            neuron = _unstable(encoding.builder, low, high, terms, (layer_index, row))
            encoding.neurons.append(neuron)
            columns[row], exponents[row] = neuron.value, neuron.value_exponent
        else:
            column, exponent = _stable(encoding.builder, low, high, terms)
            columns[row], exponents[row] = column, exponent
            encoding.stable.append((column, layer_index, row, exponent))
    return Wires(columns, exponents)


def _row(layer: Layer, row: int) -> tuple[np.ndarray, np.ndarray]:
    """Columns and values of the non-zero weights of one row."""
    if sp.issparse(layer.weight):
        matrix = sp.csr_array(layer.weight)
        span = slice(matrix.indptr[row], matrix.indptr[row + 1])
        columns, values = np.asarray(matrix.indices[span]), np.asarray(matrix.data[span])
        return columns[values != 0], values[values != 0]
    dense = np.asarray(layer.weight[row])
    columns = np.flatnonzero(dense)
    return columns, dense[columns]


def _is_copy(layer: Layer, row: int, weights: np.ndarray) -> bool:
    plain = layer.divisor is None or layer.divisor[row] == 1.0
    return bool(plain and layer.bias[row] == 0.0 and len(weights) == 1 and weights[0] == 1.0)


@dataclass(frozen=True, eq=False)
class _Terms:
    """``divisor * result = sum weights * 2**exponents * x[columns] + bias``."""

    columns: np.ndarray
    weights: np.ndarray
    exponents: np.ndarray
    divisor: float = 1.0
    bias: float = 0.0

    def with_result(self, divisor: float, bias: float) -> _Terms:
        return _Terms(self.columns, self.weights, self.exponents, divisor, bias)

    def add_row(self, builder: ModelBuilder, results: list[tuple[int, float, int]]) -> None:
        """The equality row; ``results`` are (column, sign, exponent) of the result's parts."""
        columns = np.concatenate([[column for column, _, _ in results], self.columns])
        values = np.concatenate([[sign * self.divisor for _, sign, _ in results], -self.weights])
        exponents = np.concatenate([[e for _, _, e in results], self.exponents])
        scaled_row(builder, columns.astype(np.int64), values, exponents.astype(np.int64),
                   self.bias, self.bias)  # fmt: skip


def scaled_row(
    builder: ModelBuilder,
    columns: np.ndarray,
    values: np.ndarray,
    exponents: np.ndarray,
    lower: float,
    upper: float,
) -> None:
    """Add ``lower <= sum values * 2**exponents * x[columns] <= upper``, scaled and widened.

    Every x is at most one in absolute value, so a dropped term can contribute at most its
    coefficient.
    """
    sizes = np.frexp(values)[1] + exponents
    scale = int(sizes[values != 0].max(initial=-5000))
    if scale == -5000:
        scale = 0
    coefficients = np.ldexp(values, exponents - scale)
    small = np.abs(coefficients) < _NEGLIGIBLE
    loose = float(np.abs(coefficients[small]).sum()) * 1.001 + 2.0**-1000 if small.any() else 0.0
    builder.row(
        columns[~small],
        coefficients[~small],
        _scaled(lower, -scale, -1, loose),
        _scaled(upper, -scale, 1, loose),
    )


def _scaled(end: float, exponent: int, direction: int, widening: float = 0.0) -> float:
    """``end * 2**exponent`` moved by ``widening`` in ``direction`` (-1 or 1), rounded that way."""
    if not np.isfinite(end):
        return end
    with np.errstate(over="ignore", under="ignore"):
        scaled = float(np.ldexp(end, exponent))
        exact = float(np.ldexp(scaled, -exponent)) == end
    if not np.isfinite(scaled):
        raise SolverError("a bias or bound is too large for the scale of its row")
    if widening == 0.0 and exact:
        return scaled
    return float(np.nextafter(scaled + direction * widening, direction * np.inf))


def _stable(builder: ModelBuilder, low: float, high: float, terms: _Terms) -> tuple[int, int]:
    exponent = _exponent(max(abs(low), abs(high)))
    column = builder.variable(_scaled(low, -exponent, -1), _scaled(high, -exponent, 1))
    terms.add_row(builder, [(column, 1.0, exponent)])
    return column, exponent


def _unstable(
    builder: ModelBuilder, low: float, high: float, terms: _Terms, place: tuple[int, int]
) -> UnstableNeuron:
    up, down = _exponent(high), _exponent(-low)
    reach_up, reach_down = _scaled(high, -up, 1), _scaled(-low, -down, 1)
    value = builder.variable(0.0, reach_up)
    negative = builder.variable(0.0, reach_down)
    phase = builder.variable(0.0, 1.0, integer=True)
    terms.add_row(builder, [(value, 1.0, up), (negative, -1.0, down)])
    builder.row(np.array([value, phase]), np.array([1.0, -reach_up]), -np.inf, 0.0)
    builder.row(np.array([negative, phase]), np.array([1.0, reach_down]), -np.inf, reach_down)
    return UnstableNeuron(*place, value, up, negative, down, phase)
