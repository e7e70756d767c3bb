"""Decide a query with OMLT: its big-M formulation of the network, Pyomo, HiGHS.

One model for each input box, one MILP for each part of the unsafe set ("is there an input whose
output lies in this polyhedron?"); the first feasible one decides. The network is handed over
through OMLT's own `NetworkDefinition` and `DenseLayer`, because its ONNX reader refuses Flatten,
Sub and Gemm with default attributes. Bounds come from OMLT's own propagation from the input box.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pyomo.environ as pyo
from omlt import OmltBlock
from omlt.neuralnet import NetworkDefinition, ReluBigMFormulation
from omlt.neuralnet.layer import DenseLayer, InputLayer
from pyomo.contrib.appsi.base import TerminationCondition
from pyomo.contrib.appsi.solvers import Highs

from relucert.network import Layer, Network
from relucert.query import Box, Polyhedron, Query

FORMS = ("feasibility", "margin")
"""feasibility: the unsafe rows are constraints, no objective. margin: maximise by how much they
hold (capped at 1); violated when that is at least 0."""


@dataclass(frozen=True)
class Answer:
    """verdict: "proved", "violated" or "unknown". Seconds: building with Pyomo, inside HiGHS.

    binaries: of the last model. point: the input found, or None.
    """

    verdict: str
    build_seconds: float
    solve_seconds: float
    binaries: int
    point: list[float] | None = None


class NotDenseError(ValueError):
    """The network is not a chain of dense layers that are ReLU throughout or affine."""


def definition(network: Network, box: Box) -> NetworkDefinition:
    """The network and its input box as OMLT defines them; weights are the same float64."""
    lower, upper = ([float(value) for value in end] for end in (box.lower, box.upper))
    bounds = dict(enumerate(zip(lower, upper, strict=True)))
    net = NetworkDefinition(scaled_input_bounds=bounds)
    previous: InputLayer | DenseLayer = InputLayer([network.input_size])
    net.add_layer(previous)
    for layer in network.layers:
        dense = DenseLayer(
            [layer.input_size],
            [layer.output_size],
            _weights(layer).T.copy(),
            np.array(layer.bias),
            activation=_activation(layer),
        )
        net.add_layer(dense)
        net.add_edge(previous, dense)
        previous = dense
    return net


def _weights(layer: Layer) -> np.ndarray:
    if layer.divisor is not None:
        raise NotDenseError("a layer divides its outputs")
    return np.asarray(layer.weight if layer.is_dense else layer.weight.toarray())


def _activation(layer: Layer) -> str:
    if layer.relu.all():
        return "relu"
    if layer.relu.any():
        raise NotDenseError("a layer is ReLU in part only")
    return "linear"


def decide(network: Network, query: Query, seconds: float, form: str = "feasibility") -> Answer:
    """Decide the query; seconds: for everything, building included. One thread."""
    logging.getLogger("pyomo").setLevel(logging.ERROR)
    start, solving, binaries = time.perf_counter(), 0.0, 0
    unknown = False
    by_box: dict[Box, list[Polyhedron]] = {}
    for case in query.cases:
        by_box.setdefault(case.box, []).extend(case.unsafe)
    for box, parts in by_box.items():
        model, solver = _model(network, box), _solver()
        binaries = sum(v.is_binary() for v in model.component_data_objects(pyo.Var))
        for part in parts:
            _constrain(model, part, form)
            left = seconds - (time.perf_counter() - start)
            before = time.perf_counter()
            found = _solve(solver, model, left) if left > 0 else "unknown"
            solving += time.perf_counter() - before
            if found == "violated" and form == "margin" and pyo.value(model.margin) < 0:
                found = "proved"
            if found == "violated":
                point = [pyo.value(model.net.inputs[i]) for i in range(network.input_size)]
                total = time.perf_counter() - start
                return Answer("violated", total - solving, solving, binaries, point)
            unknown |= found == "unknown"
            if unknown and time.perf_counter() - start >= seconds:
                break
    total = time.perf_counter() - start
    return Answer("unknown" if unknown else "proved", total - solving, solving, binaries)


def _solver() -> Highs:
    """Pyomo's interface that keeps the model in HiGHS between the parts."""
    solver = Highs()
    solver.config.load_solution = False
    solver.highs_options = {"threads": 1}
    return solver


def _model(network: Network, box: Box) -> pyo.ConcreteModel:
    model = pyo.ConcreteModel()
    model.net = OmltBlock()
    model.net.build_formulation(ReluBigMFormulation(definition(network, box)))
    return model


def _constrain(model: pyo.ConcreteModel, part: Polyhedron, form: str) -> None:
    """Replace the unsafe rows of the model by those of ``part``."""
    for name in ("unsafe", "objective", "margin"):
        if model.component(name) is not None:
            model.del_component(name)
    outputs = model.net.outputs
    if form == "margin":
        model.margin = pyo.Var(bounds=(None, 1.0))
    model.unsafe = pyo.ConstraintList()
    for row, limit in zip(part.coefficients, part.limits, strict=True):
        value = sum(_number(c) * outputs[j] for j, c in enumerate(row) if c)
        slack = model.margin if form == "margin" else 0.0
        model.unsafe.add(value + slack <= _number(limit))
    if form == "margin":
        model.objective = pyo.Objective(expr=model.margin, sense=pyo.maximize)
    else:
        model.objective = pyo.Objective(expr=0.0)


def _number(value: Fraction) -> float:
    return float(value)


def _solve(solver: Highs, model: pyo.ConcreteModel, seconds: float) -> str:
    """ "violated" when HiGHS found a point and stopped, "proved" when it proved there is none."""
    solver.config.time_limit = seconds
    results = solver.solve(model)
    condition = results.termination_condition
    if condition == TerminationCondition.optimal:
        results.solution_loader.load_vars()
        return "violated"
    if condition in (TerminationCondition.infeasible, TerminationCondition.infeasibleOrUnbounded):
        return "proved"
    return "unknown"
