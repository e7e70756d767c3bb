"""What a verifier printed: its answer in the competition's words, and its counterexample.

A violation is believed when its counterexample, evaluated exactly, is one; a point that only
misses the box by rounding is moved into it first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from relucert.bench.results import CONFIRMED
from relucert.errors import RelucertError
from relucert.exact import parse_rational
from relucert.network import Network
from relucert.query import Query
from relucert.read.witness import read_witness
from relucert.verdict import confirm

__all__ = ["Answer", "Judge", "confirmed_point", "own_answer", "parse_answer"]

_WORDS = {
    "sat": "violated", "violated": "violated", "unsat": "proved", "holds": "proved",
    "unknown": "unknown", "timeout": "unknown", "error": "error",
}  # fmt: skip
_LINE = re.compile(
    rf"^[ \t]*(?:(?:result|status|verdict|answer)(?:[ \t]*[:=][ \t]*|[ \t]+))?"
    rf"({'|'.join(_WORDS)})[ \t]*(?=$|\()",
    re.IGNORECASE | re.MULTILINE,
)
_VALUE = re.compile(r"\(\s*[XY]_\d+\s+(?:[^()\s]+|\(\s*[-/][^()]*\))\s*\)")

Point = tuple[Fraction, ...]


@dataclass(frozen=True)
class Answer:
    """verdict: as in a results row. how: more words about it. witness: a claimed counterexample
    in the competition's form, "" for none; or ``point`` where it is known exactly."""

    verdict: str
    how: str
    witness: str = ""
    point: Point | None = None


def parse_answer(text: str) -> Answer | None:
    """The answer on the first line that consists of one of the words; None where there is none.

    An answer that a later line takes back is an error.
    """
    # A bare carriage return ends a progress line that the next one overwrites.
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = list(_LINE.finditer(text))
    if not lines:
        return None
    words = [found[1].lower() for found in lines]
    definite = {_WORDS[word] for word in words} & {"proved", "violated"}
    if len(definite) > 1:
        return Answer("error", "says both sat and unsat")
    verdict = _WORDS[words[0]]
    if verdict != "violated":
        how = {"timeout": "time", "unknown": "unknown"}.get(words[0], "")
        return Answer(verdict, how)
    pairs = _VALUE.findall(text, lines[0].end())
    witness = "sat\n(" + "\n".join(pairs) + ")\n" if pairs else ""
    return Answer(verdict, "", witness)


def own_answer(text: str) -> Answer | None:
    """The answer in what ``relucert certify --json`` printed."""
    try:
        result = json.loads(text)["results"][0]
        verdict = str(result["verdict"])
        if verdict == "violated":
            point = tuple(parse_rational(value) for value in result["witness"]["input"])
            return Answer(verdict, "", point=point)
        return Answer(verdict, str(result["method" if verdict == "proved" else "reason"]))
    except (ValueError, KeyError, IndexError, TypeError):
        return None


class Judge:
    """Confirms counterexamples to one instance; reads its files when first asked."""

    def __init__(self, network: Path, query: Path) -> None:
        self._paths = (network, query)
        self._read: tuple[Network, Query] | None = None

    def word(self, answer: Answer, folder: Path) -> str:
        """ "confirmed", "no counterexample", "not confirmed" or "not checked"."""
        if not answer.witness and answer.point is None:
            return "no counterexample"
        try:
            found = confirmed_point(answer, *self._files(), folder)
        except (RelucertError, MemoryError):
            return "not checked"
        return "not confirmed" if found is None else CONFIRMED

    def _files(self) -> tuple[Network, Query]:
        if self._read is None:
            from relucert.read.network import read_network
            from relucert.read.vnnlib import read_vnnlib

            self._read = read_network(self._paths[0]), read_vnnlib(self._paths[1])
        return self._read


def confirmed_point(answer: Answer, network: Network, query: Query, folder: Path) -> Point | None:
    """The claimed counterexample, or the point of the box next to it, if it really is one.

    ``folder``: for a file. Raises FileError where the claim cannot be read.
    """
    point = answer.point or _point(answer.witness, folder)
    if len(point) != network.input_size:
        return None
    tries: Sequence[Point] = (point, *_moved_in(point, query))
    return next((x for x in tries if confirm(network, query, x) is not None), None)


def _point(witness: str, folder: Path) -> Point:
    path = folder / "witness.txt"
    path.write_text(witness, encoding="utf-8")
    return read_witness(path)[0]


def _moved_in(point: Point, query: Query) -> list[Point]:
    """The nearest points of the boxes that ``point`` is almost in."""
    moved = []
    for case in query.cases:
        box = case.box
        near = tuple(
            min(max(value, low), high)
            for value, low, high in zip(point, box.lower, box.upper, strict=True)
        )
        if near != point and max(abs(a - b) for a, b in zip(near, point, strict=True)) <= _NEAR:
            moved.append(near)
    return moved


_NEAR = Fraction(1, 10_000)
"""How far outside the box a point may be printed: what the competition allows too."""
