"""Solutions as files: networks and counterexamples that other tools hand back or take."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from reductions.problems.network_verification import NetworkVerification
from reductions.problems.problem import Problem
from reductions.problems.robust_memorization import RobustMemorization
from relucert.errors import FileError, UsageError
from relucert.exact import parse_rational
from relucert.network import Network
from relucert.read.files import read_text
from relucert.read.network import read_network
from relucert.read.witness import read_witness
from relucert.write.npz import write_network_npz
from relucert.write.onnx import write_onnx
from relucert.write.witness import write_witness

__all__ = [
    "read_assignment",
    "read_point",
    "read_solution",
    "write_solution",
]

_MAX_TEXT = 1 << 28


def read_solution(path: str | Path, target: Problem[Any]) -> Any:
    """What solves ``target``: a network for memorization, an input point for verification.

    Raises FileError when the file is of neither kind, or does not fit.
    """
    if isinstance(target, RobustMemorization):
        return read_network(path)
    if isinstance(target, NetworkVerification):
        return read_point(path, target.network.input_size)
    raise UsageError(f"solutions of {target.name} are not read from files")


def write_solution(path: str | Path, target: Problem[Any], solution: Any) -> None:
    """Write a solution so that `read_solution` reads exactly the same one.

    A network goes to ``.onnx`` (float32 where that is exact, else float64) or ``.npz``; a point
    becomes text with its exact output. Raises FileError, and UsageError for other endings.
    """
    path = Path(path)
    if isinstance(target, NetworkVerification):
        write_witness(solution, target.network.evaluate_exactly(solution), path)
    elif not isinstance(target, RobustMemorization):
        raise UsageError(f"solutions of {target.name} are not written to files")
    elif path.suffix == ".npz":
        write_network_npz(solution, path)
    elif path.suffix == ".onnx":
        write_onnx(solution, path, "float32" if _fits_float32(solution) else "float64")
    else:
        raise UsageError(f"{path}: a network is written as .onnx or .npz")


def _fits_float32(network: Network) -> bool:
    arrays = [
        values
        for layer in network.layers
        for values in (layer.weight if layer.is_dense else layer.weight.data, layer.bias)
    ]
    return all(bool((np.asarray(a, dtype=np.float32) == a).all()) for a in arrays)


def read_point(path: str | Path, size: int) -> tuple[Fraction, ...]:
    """An input point of ``size`` coordinates, its numbers taken exactly as they stand.

    Accepts counterexamples as `relucert.read.witness` does, whose outputs are ignored, and plain
    numbers separated by white space or commas. Raises FileError when it does not fit.
    """
    text = read_text(path, _MAX_TEXT)
    if "(" in text:
        point, _ = read_witness(path)
    else:
        words = text.replace(",", " ").split()
        point = tuple(_number(path, index, word) for index, word in enumerate(words))
    if len(point) != size:
        raise FileError(path, f"gives {len(point)} coordinates, the network takes {size}")
    return point


def _number(path: str | Path, index: int, word: str) -> Fraction:
    try:
        return parse_rational(word)
    except ValueError as error:
        raise FileError(path, str(error)[:200], f"number {index + 1}") from None


def read_assignment(path: str | Path, variables: int) -> tuple[bool, ...]:
    """An assignment as DIMACS ``v`` lines or bare literals; unnamed variables are false.

    Raises FileError when a literal is out of range, contradicts another, or is no integer.
    """
    values: dict[int, bool] = {}
    for number, line in enumerate(read_text(path, _MAX_TEXT).splitlines(), 1):
        words = line.split()
        if not words or words[0] in ("c", "s"):
            continue
        for word in words[1:] if words[0] == "v" else words:
            digits = word.removeprefix("-")
            if not (digits.isascii() and digits.isdigit()) or len(digits) > 12:
                raise FileError(path, f"not a literal: {word[:40]!r}", f"line {number}")
            variable = int(digits)
            if variable > variables:
                raise FileError(path, f"there is no variable {variable}", f"line {number}")
            if variable and values.setdefault(variable, digits == word) != (digits == word):
                raise FileError(
                    path, f"variable {variable} is both true and false", f"line {number}"
                )
    return tuple(values.get(variable, False) for variable in range(1, variables + 1))
