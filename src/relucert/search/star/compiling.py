"""The one place that compiles: numba without fastmath, cached on disk where that is possible."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba.core import types
from numba.extending import intrinsic

from relucert.search.star.native import Recipe, layout, sources_digest

__all__ = ["compiled", "entry", "has_cache", "object_code"]

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


def object_code(function: Callable[..., Any], arguments: Sequence[Any]) -> Recipe:
    """An object file with ``function``, for arguments like these and a number after them.

    arguments: named tuples; the machine code takes the addresses of their images, see `native`.
    The function itself becomes part of the new one, those that it calls are compiled as ever.
    """
    body = _njit({**_OPTIONS, "inline": "always"})(function.py_func)  # type: ignore[attr-defined]
    at = [_loader(numba.typeof(argument)) for argument in arguments]
    flat_at, work_at, programme_at, pool_at, tuning_at = at

    def outer(flat, work, programme, pool, tuning, most):  # type: ignore[no-untyped-def]
        return body(
            flat_at(flat), work_at(work), programme_at(programme), pool_at(pool),
            tuning_at(tuning), most,
        )  # fmt: skip

    words = (types.intp,) * (len(arguments) + 1)
    dispatcher = _njit({**_OPTIONS, "no_cpython_wrapper": True})(outer)
    dispatcher.compile(words)
    result = dispatcher.overloads[words]
    code = bytes(result.library._get_compiled_object())
    made_by = f"numba {numba.__version__}"
    return Recipe(code, str(result.fndesc.llvm_func_name), layout(arguments), made_by)


def _njit(options: dict[str, Any]) -> Callable[[Callable[..., Any]], Any]:
    return numba.njit(**options)  # type: ignore[no-any-return]


def _loader(kind: Any) -> Any:
    """A function for kernels: what lies at an address, as a value of this numba type."""

    @intrinsic
    def load(_typing: Any, _address: Any) -> Any:
        def generate(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
            pointer = context.get_value_type(kind).as_pointer()
            found = builder.load(builder.inttoptr(values[0], pointer))
            for place, field in enumerate(kind):
                if isinstance(field, types.Array):
                    array = context.make_array(field)(
                        context, builder, value=builder.extract_value(found, place)
                    )
                    # Known to have no owner: nothing is counted, no runtime of numba is needed.
                    array.meminfo = array.meminfo.type(None)
                    array.parent = array.parent.type(None)
                    found = builder.insert_value(found, array._getvalue(), place)
            return found

        return kind(types.intp), generate

    return load


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


_KERNELS = sources_digest()
