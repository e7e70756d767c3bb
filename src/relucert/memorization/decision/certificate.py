"""Certificates that no network memorizes a data set, as plain records and JSON files.

``{"format": ..., "width": 1 or 2, "budget": "p/q", "shapes": [...]}``. Numbers are exact decimals
or quotients as text; rows are those of the data set, from 0; labels are those of the network (-1
for the smaller label of the data, +1 for the larger). Every shape has a ``kind`` and the label
``inside`` of its convex side:

- width 1, one ``half-space``: ``multipliers`` of rows ``inside`` and ``excluded``, each with the
  sum 1, whose two combinations differ by at most 2 mu in every coordinate.
- width 2, both ``wedge`` and ``bevel`` for both labels: ``reference``, a row inside; ``points``,
  pairs of a row outside and a point of its ball (``null`` for its centre, else the non-zero
  coordinates); ``conflicts`` (`relucert.memorization.decision.conflicts` says what they mean),
  whose ``excluded`` and ``beyond`` number the points; ``proof``, DRUP lines over the clauses
  that hold for the shape and those that the conflicts stand for (variables as in
  `relucert.memorization.decision.shape_sat`).
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from relucert import __version__
from relucert.errors import FileError
from relucert.memorization.decision.balls import Balls
from relucert.memorization.decision.conflicts import AloneConflict, Conflict
from relucert.memorization.decision.search import Refutation
from relucert.read.files import read_text
from relucert.write.files import write_atomically

__all__ = [
    "FORMAT",
    "half_space_certificate",
    "read_certificate",
    "width_two_certificate",
    "write_certificate",
]

FORMAT = "relucert no-memorization certificate 1"


def half_space_certificate(balls: Balls, conflict: AloneConflict) -> dict[str, Any]:
    """No network of width 1: ``conflict`` is about rows of the data, +1 inside."""
    shape = {
        "kind": "half-space",
        "inside": 1,
        "multipliers": {
            "inside": _texts(conflict.inside),
            "excluded": _texts(conflict.excluded),
        },
    }
    return _record(balls, 1, [shape])


def width_two_certificate(balls: Balls, refutations: Sequence[Refutation]) -> dict[str, Any]:
    """No network of width 2: a refutation of every shape."""
    return _record(balls, 2, [_shape(balls, refutation) for refutation in refutations])


def write_certificate(record: Mapping[str, Any], path: str | Path) -> None:
    """Write a record as JSON, compressed when the name ends in ``.gz``; raises FileError."""
    content = (json.dumps(record, separators=(",", ":"), allow_nan=False) + "\n").encode("ascii")
    if str(path).endswith(".gz"):
        content = gzip.compress(content, mtime=0)
    write_atomically(path, content)


def read_certificate(path: str | Path) -> dict[str, Any]:
    """Read a certificate file; raises FileError unless it is a JSON object without tricks.

    Repeated keys and numbers that are not integers are refused. Whether the record proves
    anything is for `relucert.memorization.decision.check.check_no_certificate` to say.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError("a key is repeated")
        return found

    def refuse(text: str) -> Any:
        raise ValueError(f"{text} is not an integer; rationals are written as text")

    try:
        record = json.loads(
            read_text(path), object_pairs_hook=unique, parse_float=refuse, parse_constant=refuse
        )
    except (ValueError, RecursionError) as error:
        raise FileError(path, f"is not a certificate: {error}") from None
    if not isinstance(record, dict):
        raise FileError(path, "is not a certificate: it holds no JSON object")
    return record


def _record(balls: Balls, width: int, shapes: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "relucert": __version__,
        "data": balls.name,
        "points": len(balls),
        "dimension": balls.dimension,
        "depth": 2,
        "width": width,
        "budget": str(balls.budget),
        "shapes": shapes,
    }


def _shape(balls: Balls, refutation: Refutation) -> dict[str, Any]:
    points = [
        [row, None if point == balls.points[row] else {str(i): str(v) for i, v in point}]
        for row, point in refutation.points
    ]
    return {
        "kind": refutation.kind,
        "inside": refutation.label,
        "reference": refutation.reference,
        "points": points,
        "conflicts": [_conflict(conflict) for conflict in refutation.conflicts],
        "proof": list(refutation.proof),
    }


def _conflict(conflict: Conflict) -> dict[str, Any]:
    if isinstance(conflict, AloneConflict):
        return {
            "inside": _texts(conflict.inside),
            "excluded": _texts(conflict.excluded),
            "beyond": _texts(conflict.beyond),
        }
    return {
        "inside": [_texts(part) for part in conflict.inside],
        "excluded": [_texts(part) for part in conflict.excluded],
        "level": str(conflict.level),
    }


def _texts(values: Mapping[int, Fraction]) -> dict[str, str]:
    return {str(index): str(value) for index, value in values.items()}
