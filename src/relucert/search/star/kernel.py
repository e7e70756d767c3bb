"""The compiled loop: from disk where it was compiled before, else compiled now."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np

from relucert.bounds.backward import bound_network
from relucert.bounds.interval import Intervals
from relucert.network import Network
from relucert.query import Box, Case, Polyhedron
from relucert.search.star.native import NativeKernel, cached_kernel, store_kernel
from relucert.search.star.pool import new_pool
from relucert.search.star.problem import flatten
from relucert.search.star.tuning import Tuning
from relucert.search.star.work import allocate, allocate_tableau

__all__ = ["compiled_kernel", "ready_kernel"]

Kernel = Callable[..., int]
_MOST_SYMBOLS = 4


@cache
def _from_disk() -> NativeKernel | None:
    return cached_kernel()


def ready_kernel() -> Kernel | None:
    """The loop, when there is machine code for it; imports numba only where there must be."""
    kernel = _from_disk()
    if kernel is not None:
        return kernel
    try:
        from relucert.search.star.compiling import has_cache
        from relucert.search.star.loop import explore
    except ImportError:
        return None
    return explore if has_cache(explore) else None


def compiled_kernel() -> Kernel | None:
    """The loop, compiled now (about 20 s); None without numba."""
    try:
        from relucert.search.star.compiling import object_code
        from relucert.search.star.loop import explore
    except ImportError:
        return None
    try:
        stored = store_kernel(object_code(explore, _example()))
    except (AttributeError, KeyError, TypeError):  # another numba: its own way remains
        stored = False
    _from_disk.cache_clear()
    return (_from_disk() if stored else None) or explore


def _example() -> tuple[Any, ...]:
    """What the loop is called with, for a network with one neuron."""
    network = Network.dense([np.ones((1, 1)), np.ones((1, 1))], [np.zeros(1), np.zeros(1)])
    one = Fraction(1)
    case = Case(Box((-one,), (one,)), (Polyhedron(((one,),), (-one,)),))
    ends = case.box.enclosing_floats
    flat = flatten(network, case, bound_network(network, Intervals(*ends)), [0])
    tableau = allocate_tableau(flat, _MOST_SYMBOLS)
    return flat, allocate(flat), tableau, new_pool(flat, 2, *ends, seed=0), Tuning()
