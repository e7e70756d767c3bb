"""Questions on which search and checker disagree, kept so that they can be asked again."""

from __future__ import annotations

import hashlib
import json
import platform
from dataclasses import replace
from pathlib import Path

import numpy as np

import relucert
from relucert.errors import QueryError, RelucertError
from relucert.exact import format_rational
from relucert.network import Network
from relucert.query import Query
from relucert.verdict import Reason, Unknown
from relucert.verify import Outcome
from relucert.write.files import make_folder, write_atomically
from relucert.write.npz import write_network_npz
from relucert.write.vnnlib import format_vnnlib

__all__ = ["with_reproducer"]


def with_reproducer(network: Network, query: Query, outcome: Outcome, engine: str) -> Outcome:
    """Where rounding alone left the question open: the same, and a folder that reproduces it.

    The folder is made where the command runs: ``network.npz``, ``property.vnnlib`` (or
    ``property.txt`` where numbers have no finite decimal) and ``reproduce.json`` with versions,
    engine and seed. The verdict says its name, or why it could not be written.
    """
    verdict = outcome.verdict
    if not isinstance(verdict, Unknown) or verdict.reason is not Reason.ROUNDING:
        return outcome
    try:
        words = f"kept in {_written(network, query, outcome, engine)}"
    except RelucertError as error:
        words = f"not kept: {error}"
    detail = "; ".join(part for part in (verdict.detail, words) if part)
    return replace(outcome, verdict=replace(verdict, detail=detail))


def _written(network: Network, query: Query, outcome: Outcome, engine: str) -> Path:
    try:
        name, text = "property.vnnlib", format_vnnlib(query, output_size=network.output_size)
    except QueryError:
        name, text = "property.txt", _exact(query)
    question = hashlib.sha256(f"{network.name}\n{text}".encode()).hexdigest()[:12]
    folder = Path(f"relucert-rounding-{question}")
    make_folder(folder)
    write_network_npz(network, folder / "network.npz")
    write_atomically(folder / name, text)
    command = f"relucert certify network.npz {name} --engine {engine} --seed {outcome.seed}"
    about = {
        "command": command if name.endswith(".vnnlib") else None,
        "engine": engine,
        "seed": outcome.seed,
        "network": network.name,
        "verdict": outcome.verdict.words,
        "relucert": relucert.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
    write_atomically(folder / "reproduce.json", json.dumps(about, indent=2) + "\n")
    return folder


def _exact(query: Query) -> str:
    """Every box and every row ``coefficients ... <= limit`` as rationals, a line each."""
    lines = []
    for number, case in enumerate(query.cases):
        lines.append(f"case {number}")
        for index, ends in enumerate(zip(case.box.lower, case.box.upper, strict=True)):
            lines.append(f"input {index} {' '.join(map(format_rational, ends))}")
        for place, part in enumerate(case.unsafe):
            for row, limit in zip(part.coefficients, part.limits, strict=True):
                words = " ".join(map(format_rational, row))
                lines.append(f"unsafe {place}: {words} <= {format_rational(limit)}")
    return "\n".join(lines) + "\n"
