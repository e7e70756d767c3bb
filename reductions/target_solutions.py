"""Deciding small target instances, and many different solutions where there are any.

A decoder must accept every solution of its target, so each kind of target has its own ways to
make unusual ones. Whatever comes out here has passed the target's exact check.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import chain, product
from typing import Any

import numpy as np

from reductions.errors import EnumerationError
from reductions.problems.half_space_search import search_shape, shapes
from reductions.problems.network_verification import NetworkVerification, Point
from reductions.problems.problem import Problem
from reductions.problems.robust_memorization import RobustMemorization
from reductions.verification_milp import decide_by_milp
from relucert.network import Network

__all__ = ["decide", "jittered", "memorizers", "variants"]

_MANY = 24


def decide(target: Problem[Any]) -> Any | None:
    """A solution of a small target, or None when there is none.

    By enumeration; network verification by a mixed-integer programme where there would be too
    many vertices. Raises EnumerationError when the answer stays open.
    """
    if isinstance(target, NetworkVerification) and target.network.input_size > 2:
        return decide_by_milp(target)
    return target.solve_by_enumeration()


def variants(target: Problem[Any], known: Sequence[Any], rng: random.Random) -> Iterator[Any]:
    """Other solutions of ``target``, made from the ``known`` or from scratch; each is checked."""
    if not known:
        return
    if isinstance(target, RobustMemorization):
        found: Iterator[Any] = memorizers(target, known, rng)
    elif isinstance(target, NetworkVerification):
        found = chain.from_iterable(_nearby_points(solution, rng) for solution in known)
    else:
        found = _assignments(len(known[0]), rng)
    for candidate in found:
        if target.check(candidate):
            yield candidate


def _assignments(count: int, rng: random.Random) -> Iterator[tuple[bool, ...]]:
    """All of them when few, else a random choice."""
    if count <= 6:
        yield from product((False, True), repeat=count)
        return
    for _ in range(4 * _MANY):
        yield tuple(rng.random() < 0.5 for _ in range(count))


def _nearby_points(solution: Point, rng: random.Random) -> Iterator[Point]:
    """Halves, and interior points on the way to random others in the unit box."""
    if len(solution) <= 4:
        yield from product((Fraction(0), Fraction(1, 2), Fraction(1)), repeat=len(solution))
    for attempt in range(_MANY):
        share = Fraction(1, 2 ** (1 + attempt % 6))
        other = [Fraction(rng.randint(0, 16), 16) for _ in solution]
        yield tuple((1 - share) * x + share * z for x, z in zip(solution, other, strict=True))
        yield tuple(
            x if rng.random() < 0.5 else (1 - share) * x + share * z
            for x, z in zip(solution, other, strict=True)
        )


def memorizers(
    problem: RobustMemorization, known: Sequence[Network], rng: random.Random
) -> Iterator[Network]:
    """Networks for the same points: other shapes, scales, order, noise and precision.

    Candidates: not all need to memorize.
    """
    for source in (*known, *_searched(problem, rng)):
        yield source
        yield permuted(source)
        yield rescaled(source, rng)
        yield _single_precision(source)
        for exponent in (3, 6):
            yield jittered(rescaled(source, rng), 2.0**-exponent, rng)


def _searched(problem: RobustMemorization, rng: random.Random) -> Iterator[Network]:
    """Random wedges and bevels; bevels exclude some point by their third half-space alone."""
    for plain in shapes(problem):
        shape = plain
        if shape.colors == 3 and shape.outside:
            chosen = frozenset({rng.randrange(len(shape.outside))})
            shape = replace(plain, only_third=chosen)
        for source in (None, rng):
            try:
                found = search_shape(problem, shape, source)
            except EnumerationError:
                continue
            if found is None:
                break
            yield found


def _arrays(network: Network) -> list[np.ndarray]:
    """Weight and bias of the hidden and of the output layer, dense copies."""
    first, second = network.layers
    arrays = []
    for layer in (first, second):
        weight = layer.weight
        arrays.append(np.array(weight if isinstance(weight, np.ndarray) else weight.toarray()))
        arrays.append(np.array(layer.bias))
    return arrays


def _rebuilt(
    hidden: np.ndarray, offsets: np.ndarray, outer: np.ndarray, end: np.ndarray
) -> Network:
    return Network.dense([hidden, outer], [offsets, end], "variant")


def permuted(network: Network) -> Network:
    """The hidden neurons in reverse order."""
    hidden, offsets, outer, end = _arrays(network)
    return _rebuilt(hidden[::-1], offsets[::-1], outer[:, ::-1], end)


def rescaled(network: Network, rng: random.Random) -> Network:
    """Every hidden neuron times a power of two, its output weight divided; then the output."""
    hidden, offsets, outer, end = _arrays(network)
    factors = np.array([2.0 ** rng.randint(-6, 6) for _ in offsets])
    whole = 2.0 ** rng.randint(-6, 6)
    return _rebuilt(
        hidden * factors[:, None], offsets * factors, outer / factors * whole, end * whole
    )


def jittered(network: Network, size: float, rng: random.Random) -> Network:
    """Every number times 1 plus noise of this size."""
    noisy = []
    for array in _arrays(network):
        noise = [rng.uniform(-size, size) for _ in range(array.size)]
        noisy.append(array * (1.0 + np.array(noise).reshape(array.shape)))
    return _rebuilt(*noisy)


def _single_precision(network: Network) -> Network:
    return _rebuilt(*(array.astype(np.float32) for array in _arrays(network)))
