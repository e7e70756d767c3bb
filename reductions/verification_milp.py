"""Deciding a small verification instance by a mixed-integer linear programme.

For checking rules only: a "yes" is confirmed exactly, a "no" rests on the solver's tolerance,
and where the optimum is close to the threshold the question stays open. Knows nothing of how
the instance was made.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from reductions.errors import EnumerationError
from reductions.problems.network_verification import NetworkVerification, Point
from relucert.query import Box, Polyhedron

__all__ = ["decide_by_milp"]

_TOLERANCE = 1e-5
_DENOMINATORS = (1, 4, 60, 2**20)


def decide_by_milp(problem: NetworkVerification) -> Point | None:
    """A counterexample, confirmed exactly, or None; one hidden layer, unsafe half-spaces.

    Raises EnumerationError for other instances and when the optimum is within 1e-5 of the
    threshold without a counterexample.
    """
    layers = problem.network.layers
    if len(layers) != 2 or layers[1].relu.any() or not layers[0].relu.all():
        raise EnumerationError("only networks with one hidden layer can be enumerated")
    for case in problem.query.cases:
        for part in case.unsafe:
            if len(part.limits) != 1:
                raise EnumerationError("only unsafe half-spaces of outputs can be enumerated")
            least, x = _least(problem, case.box, part)
            for denominator in _DENOMINATORS:
                point = _rational(x, case.box, denominator)
                if problem.check(point):
                    return point
            if least <= float(part.limits[0]) + _TOLERANCE:
                raise EnumerationError("the margin is too narrow to be decided by a programme")
    return None


def _rational(x: np.ndarray, box: Box, denominator: int) -> Point:
    wishes = (Fraction(float(value)).limit_denominator(denominator) for value in x)
    return tuple(
        min(max(low, wish), high)
        for low, wish, high in zip(box.lower, wishes, box.upper, strict=True)
    )


def _least(problem: NetworkVerification, box: Box, part: Polyhedron) -> tuple[float, np.ndarray]:
    """The least value of the half-space's row over the box, with big-M from interval bounds.

    Variables: inputs x, activations a = relu(z), binaries d with a <= z - l (1 - d), a <= u d.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp

    hidden, outer = problem.network.layers
    weight, bias = _dense(hidden.weight), np.asarray(hidden.bias)
    low, high = box.enclosing_floats
    centre, radius = (low + high) / 2, (high - low) / 2
    middle, spread = weight @ centre + bias, np.abs(weight) @ radius
    lower = np.minimum(middle - spread - 1.0, 0.0)
    upper = np.maximum(middle + spread + 1.0, 0.0)
    inputs, neurons = weight.shape[1], len(bias)
    one, nothing = np.eye(neurons), np.zeros((neurons, neurons))
    row = np.array([float(value) for value in part.coefficients[0]])
    cost = np.concatenate([np.zeros(inputs), row @ _dense(outer.weight), np.zeros(neurons)])
    constraints = [
        LinearConstraint(np.hstack([-weight, one, nothing]), lb=bias),
        LinearConstraint(np.hstack([-weight, one, -np.diag(lower)]), ub=bias - lower),
        LinearConstraint(np.hstack([np.zeros_like(weight), one, -np.diag(upper)]), ub=0.0),
    ]
    result = milp(
        cost,
        constraints=constraints,
        integrality=np.concatenate([np.zeros(inputs + neurons), np.ones(neurons)]),
        bounds=Bounds(
            np.concatenate([low, np.zeros(2 * neurons)]),
            np.concatenate([high, upper, np.ones(neurons)]),
        ),
        options={"mip_rel_gap": 0.0},
    )
    if result.x is None:
        raise EnumerationError(f"the mixed-integer programme failed: {result.message}")
    return float(result.fun + row @ np.asarray(outer.bias)), np.asarray(result.x[:inputs])


def _dense(matrix: object) -> np.ndarray:
    toarray = getattr(matrix, "toarray", None)
    return np.asarray(matrix if toarray is None else toarray())
