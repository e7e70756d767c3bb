"""The records of a proof, one a line (docs/proof-format.md); ``text`` is the line."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = [
    "SLOPE_STEPS",
    "BoundRecord",
    "CaseRecord",
    "CloseRecord",
    "EmptyRecord",
    "EndRecord",
    "InputSplitRecord",
    "Record",
    "ReluSplitRecord",
    "Slopes",
    "TuneRecord",
    "format_dyadic",
    "parse_dyadic",
    "parse_record",
]

SLOPE_STEPS = 256
"""Lower slopes are whole numbers of 1/256, from 0 to 256."""

_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")
_DYADIC = re.compile(r"(-?(?:0|[1-9][0-9]{0,15}))p(-?[0-9]{1,4})")
_PART = re.compile(r"([as])(0|[1-9][0-9]{0,5})|w")
_HEX = re.compile(r"-?0x[01]\.[0-9a-f]{1,13}p[+-][0-9]{1,4}")
_LEAST_EXPONENT = -1074
_LARGEST_MANTISSA = 2**53

Slopes = Mapping[int, Mapping[int, int]]
Signed = Mapping[int, Mapping[int, float]]


@dataclass(frozen=True)
class CaseRecord:
    """``case i``: the tree of the query's case i follows."""

    index: int

    @property
    def text(self) -> str:
        return f"case {self.index}"


@dataclass(frozen=True)
class BoundRecord:
    """``b``: bounds on every layer anew; ``slopes`` by layer and neuron where not the default."""

    slopes: Slopes = field(default_factory=dict)

    @property
    def text(self) -> str:
        return "b" + _slopes_text(self.slopes)


@dataclass(frozen=True)
class TuneRecord:
    """``t layer neuron+ ... neuron- ...``: slopes for the lower and upper bounds of single neurons.

    targets: neuron, side (1 for the lower bound, -1 for the upper) and slopes of earlier layers.
    """

    layer: int
    targets: tuple[tuple[int, int, Slopes], ...]

    @property
    def text(self) -> str:
        words = [f"t {self.layer}"]
        for neuron, side, slopes in self.targets:
            words.append(f"{neuron}{'+' if side > 0 else '-'}" + _slopes_text(slopes))
        return " ".join(words)


@dataclass(frozen=True)
class CloseRecord:
    """``c set w ...``: a mixture of the unsafe set's rows is positive on the region.

    weights: by row of the set, not negative. slopes: as in `BoundRecord`. betas: multipliers of
    the fixed signs by layer and neuron, not negative.
    """

    unsafe: int
    weights: Mapping[int, float]
    slopes: Slopes = field(default_factory=dict)
    betas: Signed = field(default_factory=dict)

    @property
    def text(self) -> str:
        text = f"c {self.unsafe} w {_dyadics_text(self.weights)}" + _slopes_text(self.slopes)
        for layer, values in sorted(self.betas.items()):
            if values:
                text += f" s{layer} {_dyadics_text(values)}"
        return text


@dataclass(frozen=True)
class EmptyRecord:
    """``e``: the region is empty by its bounds."""

    @property
    def text(self) -> str:
        return "e"


@dataclass(frozen=True)
class InputSplitRecord:
    """``x input value``: two regions, the input at most and at least ``value``."""

    input: int
    value: float

    @property
    def text(self) -> str:
        return f"x {self.input} {self.value.hex()}"


@dataclass(frozen=True)
class ReluSplitRecord:
    """``r layer neuron``: two regions, the pre-activation at least and at most zero."""

    layer: int
    neuron: int

    @property
    def text(self) -> str:
        return f"r {self.layer} {self.neuron}"


@dataclass(frozen=True)
class EndRecord:
    """``end n``: the proof is over after n records."""

    count: int

    @property
    def text(self) -> str:
        return f"end {self.count}"


TreeRecord = (
    BoundRecord | TuneRecord | CloseRecord | EmptyRecord | InputSplitRecord | ReluSplitRecord
)
Record = CaseRecord | TreeRecord | EndRecord


def parse_record(line: str) -> Record:
    """Read one line; raises ValueError saying what is wrong with it."""
    kind, *words = line.split(" ")
    if kind == "b":
        slopes, _, _ = _parts(words, "a")
        return BoundRecord(slopes)
    if kind == "c" and len(words) >= 3:
        slopes, betas, weights = _parts(words[1:], "asw")
        return CloseRecord(_index(words[0]), weights, slopes, betas)
    if kind == "t" and len(words) >= 2:
        return TuneRecord(_index(words[0]), _targets(words[1:]))
    if kind == "e" and not words:
        return EmptyRecord()
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


def format_dyadic(value: float) -> str:
    """A finite float64 so that `parse_dyadic` reads back the same number."""
    numerator, denominator = value.as_integer_ratio()
    exponent = 1 - denominator.bit_length()
    if exponent == 0 and numerator:
        exponent = (numerator & -numerator).bit_length() - 1
        numerator >>= exponent
    return f"{numerator}p{exponent}"


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
) -> tuple[dict[int, dict[int, int]], dict[int, dict[int, float]], dict[int, float]]:
    """Pairs of words: what is listed, and the list."""
    slopes: dict[int, dict[int, int]] = {}
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
            slopes[layer] = {index: _slope(value) for index, value in _entries(text)}
        else:
            betas[layer] = {index: parse_dyadic(value) for index, value in _entries(text)}
    if "w" in allowed and not weights:
        raise ValueError("no weights")
    return slopes, betas, weights or {}


def _targets(words: list[str]) -> tuple[tuple[int, int, Slopes], ...]:
    """Targets, each followed by its lists of slopes."""
    starts = [place for place, word in enumerate(words) if word[-1:] in ("+", "-")]
    if not starts or starts[0]:
        raise ValueError("slopes without the bound they are for")
    targets, seen = [], set[str]()
    for start, end in zip(starts, [*starts[1:], len(words)], strict=True):
        if words[start] in seen:
            raise ValueError(f"two lists for {words[start][:20]}")
        seen.add(words[start])
        slopes, _, _ = _parts(words[start + 1 : end], "a")
        side = 1 if words[start][-1] == "+" else -1
        targets.append((_index(words[start][:-1]), side, slopes))
    return tuple(targets)


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


def _slope(text: str) -> int:
    value = _index(text)
    if value > SLOPE_STEPS:
        raise ValueError(f"a slope above {SLOPE_STEPS}/{SLOPE_STEPS}: {value}")
    return value


def _slopes_text(slopes: Slopes) -> str:
    text = ""
    for layer, values in sorted(slopes.items()):
        if values:
            text += f" a{layer} " + ",".join(f"{n}={m}" for n, m in sorted(values.items()))
    return text


def _dyadics_text(values: Mapping[int, float]) -> str:
    return ",".join(f"{index}={format_dyadic(value)}" for index, value in sorted(values.items()))
