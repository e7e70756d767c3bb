"""The compiled search as machine code on disk, loaded without importing numba.

numba needs about 0.4 s of processor time to start up and to find its cached functions, more than
most searches take; loading an object file with llvmlite, on which numba rests, needs 0.03 s. The
first search after an installation compiles (`compiling`) and stores the object here.
"""

from __future__ import annotations

import ctypes
import json
import os
import stat
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from relucert.bounds import rounding
from relucert.errors import FileError
from relucert.search.star.object_code import external_symbols
from relucert.write.files import write_atomically

__all__ = [
    "NativeKernel",
    "Recipe",
    "cached_kernel",
    "layout",
    "sources_digest",
    "store_kernel",
]

_PREFIX, _SUFFIX = "search-kernel-", ".bin"
# numba's release of an array: arrays have no owner here, so it is not called, but linked.
_NEVER_CALLED = "NRT_MemInfo_call_dtor"
_STAND_IN = f"define void @{_NEVER_CALLED}(ptr %array) {{ call void @abort() unreachable }}" + (
    " declare void @abort()"
)
_KEPT = 4  # object files in a folder: one for each kind of machine or version that shares it


@dataclass(frozen=True, eq=False)
class Recipe:
    """What is stored: the object file, the name of the function in it, and what it is given.

    layout: of each argument, see `layout`. made_by: the compiler's version, to be read by people.
    """

    code: bytes
    symbol: str
    layout: tuple[tuple[str, ...], ...]
    made_by: str


class NativeKernel:
    """A compiled loop: called with named tuples of arrays, and a number; returns a code.

    The machine code gets, for each tuple, the address of an image of it: for every array what
    numba's own calls hand over (no owner, size, item size, address, shape, strides), for every
    number its eight bytes.
    """

    def __init__(self, recipe: Recipe) -> None:
        self._layout = recipe.layout
        self._engine, address = _loaded(recipe)
        # numba's convention: status returned; where to put the result and an exception come first.
        words = [ctypes.c_int64] * (len(recipe.layout) + 1)
        self._function = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, *words)(
            address
        )

    def __call__(self, *arguments: Any) -> int:
        *tuples, most = arguments
        images = [_image(one, kinds) for one, kinds in zip(tuples, self._layout, strict=True)]
        result, exception = ctypes.c_int64(), ctypes.c_void_p()
        status = self._function(
            ctypes.addressof(result), ctypes.addressof(exception),
            *(image.ctypes.data for image in images), most,
        )  # fmt: skip
        if status != 0:
            raise RuntimeError(f"the compiled search failed with status {status}")
        return result.value


def layout(arguments: Sequence[Any]) -> tuple[tuple[str, ...], ...]:
    """Of each named tuple what its fields are: ``float64 2`` is a matrix, ``int`` a number."""
    return tuple(tuple(map(_kind, one)) for one in arguments)


def cached_kernel() -> NativeKernel | None:
    """The kernel compiled earlier from these very sources for this machine, if there is one."""
    if not sys.platform.startswith("linux"):
        return None  # elsewhere numba's own cache serves
    # Another llvmlite may not know some of this: numba's own way remains.
    with suppress(ImportError, AttributeError, OSError, RuntimeError):
        name = _file_name()
        for folder in _folders():
            recipe = _read(folder / name)
            if recipe is not None:
                return NativeKernel(recipe)
    return None


def store_kernel(recipe: Recipe) -> bool:
    """Keep the object for later processes; whether that was possible and it can be loaded."""
    if not sys.platform.startswith("linux") or external_symbols(recipe.code) is None:
        return False
    header = {
        "symbol": recipe.symbol, "layout": recipe.layout, "made_by": recipe.made_by,
        "sha256": _digest(recipe),
    }  # fmt: skip
    content = json.dumps(header).encode() + b"\n" + recipe.code
    for folder in _folders():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_atomically(folder / _file_name(), content)
        except (FileError, OSError):
            continue
        _discard_old(folder)
        return True
    return False


def _kind(value: Any) -> str:
    return f"{value.dtype} {value.ndim}" if isinstance(value, np.ndarray) else type(value).__name__


def _image(fields: Sequence[Any], kinds: Sequence[str]) -> np.ndarray:
    """One argument's words, int64; refuses what the code was not compiled for."""
    words: list[int] = []
    for value, kind in zip(fields, kinds, strict=True):
        if _kind(value) != kind:
            raise TypeError(f"the compiled search takes {kind}, not {_kind(value)}")
        if isinstance(value, np.ndarray):
            if not value.flags.c_contiguous:
                raise TypeError("the compiled search takes contiguous arrays")
            place = value.__array_interface__["data"][0]
            words += (0, 0, value.size, value.itemsize, place, *value.shape, *value.strides)
        elif kind == "float":
            words.append(int(np.float64(value).view(np.int64)))
        else:
            words.append(value)
    return np.array(words, dtype=np.int64)


def _loaded(recipe: Recipe) -> tuple[Any, int]:
    """The engine that owns the code, and the function's address."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_triple(llvm.get_process_triple()).create_target_machine()
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(_STAND_IN), machine)
    engine.add_object_file(llvm.ObjectFileRef.from_data(recipe.code))
    for name in (external_symbols(recipe.code) or frozenset()) - {_NEVER_CALLED}:
        # The linker would end the process at a name that nobody defines. These are of the C
        # library, memset and the like; where one is not, that is an AttributeError.
        if not llvm.address_of_symbol(name):
            place = ctypes.cast(getattr(ctypes.CDLL(None), name), ctypes.c_void_p).value
            llvm.add_symbol(name, place)
    engine.finalize_object()
    address = engine.get_function_address(recipe.symbol)
    if not address:
        raise RuntimeError(f"the object file has no function {recipe.symbol!r}")
    return engine, address


def _read(path: Path) -> Recipe | None:
    """What is stored there; None when it is not whole, or not of somebody to be trusted."""
    try:
        with path.open("rb") as stream:
            if not _trusted(os.fstat(stream.fileno())):
                return None
            line, _, code = stream.read().partition(b"\n")
        header = json.loads(line)
        kinds = tuple(tuple(map(str, one)) for one in header["layout"])
        recipe = Recipe(code, str(header["symbol"]), kinds, str(header["made_by"]))
        return recipe if header["sha256"] == _digest(recipe) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _digest(recipe: Recipe) -> str:
    """Of all that is stored: a wrong name or layout does as much harm as wrong code."""
    head = json.dumps([recipe.symbol, recipe.layout, recipe.made_by])
    return sha256(head.encode() + b"\n" + recipe.code).hexdigest()


def _trusted(status: os.stat_result) -> bool:
    """Whether a file is by this user, the administrator or who installed these sources.

    The machine code in it is run: folders may be shared, and what others can write is not read.
    """
    owners = {os.geteuid(), 0, Path(__file__).stat().st_uid}
    return status.st_uid in owners and not status.st_mode & stat.S_IWOTH


@cache
def _file_name() -> str:
    """By everything that decides on the machine code: sources, compiler, processor."""
    import llvmlite
    import llvmlite.binding as llvm

    digest = sha256(f"{llvmlite.__version__} {llvm.llvm_version_info}".encode())
    digest.update(f"{llvm.get_process_triple()} {llvm.get_host_cpu_name()} ".encode())
    digest.update(llvm.get_host_cpu_features().flatten().encode())
    digest.update(sources_digest().encode())
    return f"{_PREFIX}{digest.hexdigest()[:32]}{_SUFFIX}"


def sources_digest() -> str:
    """Of all files that the machine code is made from; constants are frozen into it."""
    digest = sha256()
    for path in (*sorted(Path(__file__).parent.glob("*.py")), Path(rounding.__file__)):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _folders() -> list[Path]:
    """Where the file may be: where numba is told to, beside the sources, in the user's cache."""
    chosen, user = os.environ.get("NUMBA_CACHE_DIR"), os.environ.get("XDG_CACHE_HOME")
    places = [Path(chosen) / "relucert"] if chosen else [Path(__file__).parent / "__pycache__"]
    with suppress(RuntimeError):  # no home
        places.append((Path(user) if user else Path.home() / ".cache") / "relucert")
    return places


def _discard_old(folder: Path) -> None:
    """Leave the newest files only; another process may do the same at this moment."""
    with suppress(OSError):
        found = folder.glob(f"{_PREFIX}*{_SUFFIX}")
        for path in sorted(found, key=lambda path: path.stat().st_mtime)[:-_KEPT]:
            path.unlink(missing_ok=True)
