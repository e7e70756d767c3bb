"""The one place that compiles: numba without fastmath, cached on disk where that is possible."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import numba

__all__ = ["compiled", "entry", "has_cache"]

Function = TypeVar("Function", bound=Callable[..., Any])
# No fastmath: the error bounds allow any order of summation and fused multiply-add, but not
# that NaN and infinity be assumed away. Division by zero gives infinity, not an exception.
_OPTIONS = {"error_model": "numpy", "nogil": True, "no_cfunc_wrapper": True}


def entry(function: Function) -> Function:
    """The function as machine code, compiled at its first call and cached for later runs."""
    return _compiled(function, _OPTIONS)


def compiled(function: Function) -> Function:
    """The same for a function that only kernels call, which is quicker to compile."""
    return _compiled(function, {**_OPTIONS, "no_cpython_wrapper": True})


def has_cache(function: Callable[..., Any]) -> bool:
    """Whether machine code for ``function`` is in memory or on disk."""
    if getattr(function, "signatures", None):
        return True
    try:
        return bool(function._cache._cache_file._load_index())  # type: ignore[attr-defined]
    except (AttributeError, OSError):
        return False


def _compiled(function: Function, options: dict[str, Any]) -> Function:
    try:
        dispatcher = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # no writable place for a cache
        return numba.njit(**options)(function)  # type: ignore[no-any-return]
    try:
        # Kernels call one another, and numba compares only the file of the function itself: a
        # changed callee would go unnoticed. So the key is the text of all kernel files.
        own = Path(function.__code__.co_filename).read_bytes()
        dispatcher._cache._cache_file._source_stamp = _KERNELS + sha256(own).hexdigest()
    except (AttributeError, OSError):  # another numba: rather no cache than a stale one
        return numba.njit(**options)(function)  # type: ignore[no-any-return]
    return dispatcher  # type: ignore[no-any-return]


def _stamp() -> str:
    digest = sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


_KERNELS = _stamp()
