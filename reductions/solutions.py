"""Solutions as files: networks and counterexamples that other tools hand back or take."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from reductions.problems.network_verification import NetworkVerification
from reductions.problems.robust_memorization import RobustMemorization
from relucert.errors import FileError, UsageError
from relucert.exact import format_rational, parse_rational
from relucert.network import Network
from relucert.read.files import read_text
from relucert.read.network import read_network
from relucert.write.files import write_atomically
from relucert.write.npz import write_network_npz
from relucert.write.onnx import write_onnx

__all__ = [
    "read_assignment",
    "read_solution",
    "read_witness",
    "witness_lines",
    "write_solution",
]

Target: TypeAlias = RobustMemorization | NetworkVerification

_PAIR = re.compile(r"\(\s*([XY])_(\d+)\s+([^\s()]+)\s*\)")
_MAX_WITNESS = 1 << 28


def read_solution(path: str | Path, target: Target) -> Any:
    """What solves ``target``: a network for memorization, an input point for verification.

    Raises FileError when the file is of neither kind, or does not fit.
    """
    if isinstance(target, RobustMemorization):
        return read_network(path)
    return read_witness(path, target.network.input_size)


def write_solution(path: str | Path, target: Target, solution: Any) -> None:
    """Write a solution so that `read_solution` reads exactly the same one.

    A network goes to ``.onnx`` (float32 where that is exact, else float64) or ``.npz``; a point
    becomes text with its exact output. Raises FileError, and UsageError for other endings.
    """
    path = Path(path)
    if not isinstance(target, RobustMemorization):
        lines = witness_lines(solution, target.network.evaluate_exactly(solution))
        write_atomically(path, ("\n".join(lines) + "\n").encode("ascii"))
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


def read_witness(path: str | Path, size: int) -> tuple[Fraction, ...]:
    """An input point of ``size`` coordinates, its numbers taken as exact decimals or quotients.

    Accepts the counterexample files of the VNN competition, ``((X_0 0.5) ... (Y_0 3))``, where
    the outputs are ignored and a leading verdict is allowed, and plain numbers separated by white
    space or commas. Raises FileError when a coordinate is missing, repeated or no number.
    """
    text = read_text(path, _MAX_WITNESS)
    if "(" not in text:
        words = text.replace(",", " ").split()
        if len(words) != size:
            raise FileError(path, f"holds {len(words)} numbers, the input has {size} coordinates")
        return tuple(_number(path, f"X_{i}", word) for i, word in enumerate(words))
    rest = _PAIR.sub(" ", text).replace("(", " ").replace(")", " ").split()
    if rest not in ([], ["sat"]):
        raise FileError(path, f"is not a counterexample: {rest[0][:40]!r} is not expected")
    found: dict[int, Fraction] = {}
    for kind, number, word in _PAIR.findall(text):
        if kind == "Y":
            continue
        index = int(number) if len(number) < 12 else size
        if index >= size:
            raise FileError(path, f"the input has {size} coordinates, no X_{number[:12]}")
        if index in found:
            raise FileError(path, "the coordinate is given twice", f"X_{index}")
        found[index] = _number(path, f"X_{index}", word)
    missing = next((index for index in range(size) if index not in found), None)
    if missing is not None:
        raise FileError(path, f"the coordinate X_{missing} is missing")
    return tuple(found[index] for index in range(size))


def _number(path: str | Path, place: str, word: str) -> Fraction:
    try:
        return parse_rational(word)
    except ValueError as error:
        raise FileError(path, str(error)[:200], place) from None


def witness_lines(inputs: Sequence[Fraction], outputs: Sequence[Fraction]) -> list[str]:
    """A counterexample in the VNN competition's form, exact: quotients where no decimal is.

    >>> witness_lines([Fraction(1, 2)], [Fraction(3)])
    ['sat', '((X_0 0.5)', '(Y_0 3))']
    """
    pairs = [f"(X_{i} {format_rational(value)})" for i, value in enumerate(inputs)]
    pairs += [f"(Y_{i} {format_rational(value)})" for i, value in enumerate(outputs)]
    pairs[0] = "(" + pairs[0]
    pairs[-1] += ")"
    return ["sat", *pairs]


def read_assignment(path: str | Path, variables: int) -> tuple[bool, ...]:
    """An assignment as DIMACS ``v`` lines or bare literals; unnamed variables are false.

    Raises FileError when a literal is out of range, contradicts another, or is no integer.
    """
    values: dict[int, bool] = {}
    for number, line in enumerate(read_text(path, _MAX_WITNESS).splitlines(), 1):
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
