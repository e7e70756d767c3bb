"""The records of a proof, one a line (docs/proof-format.md), and how they are read."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = [
    "BYTE_STEPS", "SLOPE_STEPS", "BoundRecord", "CaseRecord", "CloseRecord", "EmptyRecord",
    "EndRecord", "FirstRecord", "InputSplitRecord", "IntervalRecord", "LeafRecord",
    "NeuronRecord", "Record", "RefuteRecord", "ReluSplitRecord", "Signed", "Slopes", "TreeRecord",
    "Weights", "parse_dyadic", "parse_record",
]  # fmt: skip

SLOPE_STEPS = 256
"""Lower slopes are whole numbers of 1/256, from 0 to 256."""

BYTE_STEPS = 128
"""In lists of bytes they are whole numbers of 1/128, from 0 to 128."""

_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")
_DYADIC = re.compile(r"(-?(?:0|[1-9][0-9]{0,15}))p(-?[0-9]{1,4})")
_PART = re.compile(r"([as])(0|[1-9][0-9]{0,5})|w")
_BYTES = re.compile(r":[0-9a-f]+")
_HEX = re.compile(r"-?0x[01]\.[0-9a-f]{1,13}p[+-][0-9]{1,4}")
_LEAST_EXPONENT = -1074
_LARGEST_MANTISSA = 2**53

Slopes = Mapping[int, Mapping[int, int] | bytes]
"""By layer: neurons with their slopes in 1/256, or one byte for every neuron, in 1/128."""
Weights = Mapping[int, float]
Signed = Mapping[int, Weights]


@dataclass(frozen=True)
class CaseRecord:
    """``case i``: the tree of the query's case i follows."""

    index: int


@dataclass(frozen=True)
class BoundRecord:
    """``b``: bounds on every layer anew; ``slopes`` by layer and neuron where not the default."""

    slopes: Slopes = field(default_factory=dict)


@dataclass(frozen=True)
class IntervalRecord:
    """``i``: interval bounds on every layer anew."""


@dataclass(frozen=True)
class NeuronRecord:
    """``n layer neuron+`` or ``neuron-``: the tree that follows bounds a pre-activation.

    side: 1 for its lower bound, -1 for the upper one.
    """

    layer: int
    neuron: int
    side: int


@dataclass(frozen=True)
class RefuteRecord:
    """``d set w ...``: the tree that follows refutes an unsafe set by this mixture of its rows."""

    unsafe: int
    weights: Weights


@dataclass(frozen=True)
class LeafRecord:
    """``v ...``: multipliers for one part of such a tree, as in `CloseRecord`."""

    slopes: Slopes = field(default_factory=dict)
    betas: Signed = field(default_factory=dict)


@dataclass(frozen=True)
class CloseRecord:
    """``c set w ...``: a mixture of the unsafe set's rows is positive on the region.

    weights: by row of the set, not negative. slopes: as in `BoundRecord`. betas: multipliers of
    the fixed signs by layer and neuron, not negative.
    """

    unsafe: int
    weights: Weights
    slopes: Slopes = field(default_factory=dict)
    betas: Signed = field(default_factory=dict)


@dataclass(frozen=True)
class EmptyRecord:
    """``e``: the region is empty by its bounds."""


@dataclass(frozen=True)
class InputSplitRecord:
    """``x input value``: two regions, the input at most and at least ``value``."""

    input: int
    value: float


@dataclass(frozen=True)
class ReluSplitRecord:
    """``r layer neuron``: two regions, the pre-activation at least and at most zero."""

    layer: int
    neuron: int


@dataclass(frozen=True)
class EndRecord:
    """``end n``: the proof is over after n records."""

    count: int


TreeRecord = BoundRecord | CloseRecord | EmptyRecord | InputSplitRecord | ReluSplitRecord
FirstRecord = IntervalRecord | NeuronRecord | RefuteRecord
Record = CaseRecord | FirstRecord | LeafRecord | TreeRecord | EndRecord


def parse_record(line: str) -> Record:
    """Read one line; raises ValueError saying what is wrong with it."""
    kind, *words = line.split(" ")
    if kind == "b":
        slopes, _, _ = _parts(words, "a")
        return BoundRecord(slopes)
    if kind == "c" and len(words) >= 3:
        slopes, betas, weights = _parts(words[1:], "asw")
        return CloseRecord(_index(words[0]), weights, slopes, betas)
    if kind == "v":
        slopes, betas, _ = _parts(words, "as")
        return LeafRecord(slopes, betas)
    if kind == "n" and len(words) == 2 and words[1][-1:] in ("+", "-"):
        side = 1 if words[1][-1] == "+" else -1
        return NeuronRecord(_index(words[0]), _index(words[1][:-1]), side)
    if kind == "d" and len(words) == 3:
        return RefuteRecord(_index(words[0]), _parts(words[1:], "w")[2])
    if kind in ("e", "i") and not words:
        return EmptyRecord() if kind == "e" else IntervalRecord()
    if kind == "x" and len(words) == 2:
        return InputSplitRecord(_index(words[0]), _hex_float(words[1]))
    if kind == "r" and len(words) == 2:
        return ReluSplitRecord(_index(words[0]), _index(words[1]))
    if kind in ("case", "end") and len(words) == 1:
        index = _index(words[0])
        return CaseRecord(index) if kind == "case" else EndRecord(index)
    raise ValueError("not a record")


def parse_dyadic(text: str) -> float:
    """``<integer>p<exponent>``: integer * 2**exponent, exactly a float64.

    Raises ValueError for anything else, also beyond 53 bits or the range of float64.
    """
    match = _DYADIC.fullmatch(text)
    if match is None:
        raise ValueError(f"not a number <integer>p<exponent>: {text[:40]!r}")
    mantissa, exponent = int(match.group(1)), int(match.group(2))
    if abs(mantissa) > _LARGEST_MANTISSA or exponent < _LEAST_EXPONENT:
        raise ValueError(f"number out of range: {text!r}")
    try:
        return math.ldexp(mantissa, exponent)
    except OverflowError:
        raise ValueError(f"number out of range: {text!r}") from None


def _index(text: str) -> int:
    if not _INDEX.fullmatch(text):
        raise ValueError(f"not an index: {text[:40]!r}")
    return int(text)


def _hex_float(text: str) -> float:
    if not _HEX.fullmatch(text) or (value := float.fromhex(text)).hex() != text:
        raise ValueError(f"not a hexadecimal float64: {text[:40]!r}")
    return value


def _parts(
    words: list[str], allowed: str
) -> tuple[dict[int, dict[int, int] | bytes], dict[int, dict[int, float]], dict[int, float]]:
    """Pairs of words: what is listed, and the list."""
    slopes: dict[int, dict[int, int] | bytes] = {}
    betas: dict[int, dict[int, float]] = {}
    weights: dict[int, float] | None = None
    if len(words) % 2:
        raise ValueError("a list without numbers, or numbers without a list")
    for name, text in zip(words[::2], words[1::2], strict=True):
        match = _PART.fullmatch(name)
        if match is None or name[0] not in allowed:
            raise ValueError(f"unknown list {name[:20]!r}")
        if name == "w":
            if weights is not None:
                raise ValueError("two lists of weights")
            weights = {index: parse_dyadic(value) for index, value in _entries(text)}
            continue
        layer = int(match.group(2))
        if layer in (slopes if name[0] == "a" else betas):
            raise ValueError(f"two lists {name}")
        if name[0] == "a":
            slopes[layer] = _bytes(text) if text[:1] == ":" else _listed(text)
        else:
            betas[layer] = {index: parse_dyadic(value) for index, value in _entries(text)}
    if "w" in allowed and not weights:
        raise ValueError("no weights")
    return slopes, betas, weights or {}


def _entries(text: str) -> list[tuple[int, str]]:
    entries = []
    last = -1
    for entry in text.split(","):
        index, equals, value = entry.partition("=")
        if not equals:
            raise ValueError(f"not <index>=<number>: {entry[:40]!r}")
        entries.append((_index(index), value))
        if entries[-1][0] <= last:
            raise ValueError("indices must increase")
        last = entries[-1][0]
    return entries


def _listed(text: str) -> dict[int, int]:
    return {index: _slope(value) for index, value in _entries(text)}


def _bytes(text: str) -> bytes:
    # A repeated group of two would cost much memory in a long line.
    if len(text) % 2 == 0 or not _BYTES.fullmatch(text):
        raise ValueError(f"not two hexadecimal digits for every neuron: {text[:40]!r}")
    values = bytes.fromhex(text[1:])
    if max(values) > BYTE_STEPS:
        raise ValueError(f"a slope above {BYTE_STEPS}/{BYTE_STEPS}: {max(values)}")
    return values


def _slope(text: str) -> int:
    value = _index(text)
    if value > SLOPE_STEPS:
        raise ValueError(f"a slope above {SLOPE_STEPS}/{SLOPE_STEPS}: {value}")
    return value
