"""A mixed-integer linear programme as arrays: no solver, no names, no text format."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import scipy.sparse as sp

__all__ = ["LinearModel", "ModelBuilder"]


@dataclass(frozen=True, eq=False)
class LinearModel:
    """Minimise ``cost @ x`` with ``row_lower <= rows @ x <= row_upper``, ``lower <= x <= upper``.

    rows: ``csr_array`` (rows, variables). integer: bool (variables,). All float64.
    """

    cost: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    integer: np.ndarray
    rows: sp.csr_array
    row_lower: np.ndarray
    row_upper: np.ndarray

    @property
    def variable_count(self) -> int:
        """Number of variables."""
        return len(self.cost)


@dataclass(eq=False)
class ModelBuilder:
    """Collects variables and rows; `build` turns them into arrays once."""

    lower: list[float] = field(default_factory=list)
    upper: list[float] = field(default_factory=list)
    integer: list[bool] = field(default_factory=list)
    row_lower: list[float] = field(default_factory=list)
    row_upper: list[float] = field(default_factory=list)
    _columns: list[np.ndarray] = field(default_factory=list)
    _values: list[np.ndarray] = field(default_factory=list)

    def variable(self, lower: float, upper: float, integer: bool = False) -> int:
        """Add a variable; returns its index."""
        self.lower.append(lower)
        self.upper.append(upper)
        self.integer.append(integer)
        return len(self.lower) - 1

    def row(
        self, columns: np.ndarray, values: np.ndarray, lower: float, upper: float = np.inf
    ) -> int:
        """Add ``lower <= sum values * x[columns] <= upper``; returns the row's index."""
        self._columns.append(np.asarray(columns, dtype=np.int32))
        self._values.append(np.asarray(values, dtype=np.float64))
        self.row_lower.append(lower)
        self.row_upper.append(upper)
        return len(self.row_lower) - 1

    def build(self, cost: dict[int, float]) -> LinearModel:
        """The arrays, with ``cost`` as the objective to minimise."""
        size = len(self.lower)
        costs = np.zeros(size)
        for column, value in cost.items():
            costs[column] = value
        starts = np.concatenate([[0], np.cumsum([len(part) for part in self._columns])])
        columns = np.concatenate(self._columns) if self._columns else np.zeros(0, np.int32)
        values = np.concatenate(self._values) if self._values else np.zeros(0)
        rows = sp.csr_array(
            (values, columns, starts.astype(np.int32)), shape=(len(self._columns), size)
        )
        return LinearModel(
            costs,
            np.array(self.lower, dtype=np.float64),
            np.array(self.upper, dtype=np.float64),
            np.array(self.integer, dtype=bool),
            rows,
            np.array(self.row_lower, dtype=np.float64),
            np.array(self.row_upper, dtype=np.float64),
        )
