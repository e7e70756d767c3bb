"""Kernels that only other kernels call, made callable from tests; and exact forms to compare."""

from fractions import Fraction

import numpy as np

from relucert.bounds.backward import bound_network
from relucert.bounds.interval import Intervals
from relucert.search.star.ascent import ascend, mix
from relucert.search.star.compiling import entry
from relucert.search.star.duals import bound_by_multipliers, bound_by_programme
from relucert.search.star.forms import back_substitute, star_forms
from relucert.search.star.problem import flatten
from relucert.search.star.work import ACTIVE, INACTIVE, SYMBOL, allocate, allocate_tableau


@entry
def run_forms(flat, work, low, high, status, lower, upper):
    return star_forms(flat, work, low, high, status, lower, upper)


@entry
def run_ascent(flat, work, first, last, symbols, splits, steps):
    return ascend(flat, work, first, last, symbols, splits, steps)


@entry
def run_substitution(flat, work, first, last, symbols, splits):
    error = mix(flat, work, first, last, symbols, splits)
    return back_substitute(flat, work, symbols, work.alpha, error)


@entry
def run_multipliers(flat, work, first, last, symbols, splits):
    return bound_by_multipliers(flat, work, first, last, symbols, splits)


@entry
def run_programme(flat, work, lp, first, last, symbols, splits, value):
    return bound_by_programme(flat, work, lp, first, last, symbols, splits, value)


class Star:
    """The star form of a case on its whole box, with some ReLUs decided."""

    def __init__(self, network, case, decided=None, gamma=None):
        box = Intervals(*case.box.enclosing_floats)
        chain = bound_network(network, box)
        lower, upper = case.box.lower, case.box.upper
        free = [i for i in range(case.box.size) if lower[i] < upper[i]]
        self.network, self.case = network, case
        self.flat = flatten(network, case, chain, free)
        if gamma is not None:
            self.flat = self.flat._replace(gamma=gamma)
        self.work = allocate(self.flat)
        self.tableau = allocate_tableau(self.flat, 30)
        count, low, high = self.flat.coordinates, box.lower[free], box.upper[free]
        status, known = (
            np.zeros(count, dtype=np.int8),
            [np.full(count, s * np.inf) for s in (-1, 1)],
        )
        layers = slice(int(self.flat.starts[1]), int(self.flat.starts[-2]))
        known[0][layers] = np.concatenate([relaxation.pre.lower for relaxation in chain])
        known[1][layers] = np.concatenate([relaxation.pre.upper for relaxation in chain])
        for coordinate, sign in (decided or {}).items():
            status[coordinate] = sign
        self.symbols, self.splits, self.empty = run_forms(
            self.flat, self.work, low, high, status, *known
        )

    def coordinates(self, x):
        """Exact pre- and post-activations at x, by coordinate; inputs and atoms included."""
        before, after, point = list(x), list(x), x
        for layer in self.network.layers:
            pre = [
                (sum((Fraction(float(w)) * v for w, v in zip(row, point, strict=True)), Fraction(0))
                + Fraction(float(b))) / Fraction(1 if d is None else float(d))
                for row, b, d in zip(
                    np.asarray(layer.weight), layer.bias,
                    [None] * len(layer.bias) if layer.divisor is None else layer.divisor,
                    strict=True,
                )
            ]  # fmt: skip
            point = [max(z, Fraction(0)) if r else z for z, r in zip(pre, layer.relu, strict=True)]
            before += pre
            after += point
        for part in self.case.unsafe:
            for row, limit in zip(part.coefficients, part.limits, strict=True):
                value = sum((a * b for a, b in zip(row, point, strict=True)), -limit)
                before.append(value)
                after.append(value)
        return before, after

    def normalised(self, x):
        """t with ``x = c + r t`` for the free inputs, exactly."""
        rows, free = self.work.rows, len(self.flat.free)
        return [
            (x[p] - Fraction(rows[p, free])) / Fraction(rows[p, j])
            for j, p in enumerate(self.flat.free)
        ]

    def form_at(self, coordinate, t, after):
        """The computed form of a coordinate, evaluated exactly at t and true post-activations."""
        row = self.work.rows[coordinate]
        free = len(self.flat.free)
        total = Fraction(row[free])
        for j in range(free):
            total += Fraction(row[j]) * t[j]
        for q in range(self.work.width[coordinate] - free - 1):
            total += Fraction(row[free + 1 + q]) * after[self.work.where[q]]
        return total

    def used(self):
        """Coordinates after the inputs that have a form."""
        first = int(self.flat.starts[1])
        return [c for c in range(first, self.flat.coordinates) if self.work.state[c] != INACTIVE]


__all__ = ["ACTIVE", "INACTIVE", "SYMBOL", "Star"]
