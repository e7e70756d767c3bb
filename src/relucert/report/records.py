"""Verdicts as plain records for JSON and CSV; nothing is rounded that was exact."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import isfinite
from typing import Any

from relucert.exact import format_rational, nearest_float
from relucert.verdict import Proved, Standing, Unknown, Verdict, Violated

__all__ = ["Item", "csv_text", "exit_code", "how", "verdict_record", "verdict_word"]


@dataclass(frozen=True)
class Item:
    """One finished question: its name, its verdict, wall-clock seconds."""

    name: str
    verdict: Verdict
    seconds: float


def verdict_word(verdict: Verdict) -> str:
    """ "proved", "violated" or "unknown"."""
    if isinstance(verdict, Proved):
        return "proved"
    return "violated" if isinstance(verdict, Violated) else "unknown"


def verdict_record(verdict: Verdict) -> dict[str, Any]:
    """A verdict as JSON values; rationals are strings that read back exactly."""
    record: dict[str, Any] = {"verdict": verdict_word(verdict)}
    if isinstance(verdict, Proved):
        record |= {
            "method": verdict.method.name.lower(),
            "how": verdict.method.value,
            "rigorous": verdict.method.rigorous,
            "tolerance": verdict.tolerance,
        }
    elif isinstance(verdict, Violated):
        record["witness"] = {
            "input": [format_rational(value) for value in verdict.witness.input],
            "output": [nearest_float(value) for value in verdict.witness.output],
            "valid_in": list(verdict.witness.valid_in),
        }
        if verdict.witness.run is not None:
            run = verdict.witness.run
            record["witness"] |= {
                "float32_output": [nearest_float(value) for value in run.output],
                "float32_order": run.order,
            }
    else:
        record |= {"reason": verdict.reason.name.lower(), "detail": verdict.detail}
        if verdict.standing is not None:
            record["standing"] = _standing_record(verdict.standing)
    return record


def _standing_record(standing: Standing) -> dict[str, Any]:
    margin = standing.margin
    return {
        "certified_margin": margin if margin is not None and isfinite(margin) else None,
        "proved_share": standing.share,
        "open_nodes": standing.open,
        "nodes": standing.nodes,
    }


def how(verdict: Verdict) -> str:
    """The method of a proof, the reason of an unknown, "" for a violation.

    A proof up to a solver's tolerance says so: "milp, tolerance 1e-06".
    """
    if isinstance(verdict, Proved):
        method = verdict.method.name.lower()
        weak = verdict.tolerance is not None
        return f"{method}, tolerance {verdict.tolerance:.0e}" if weak else method
    return verdict.reason.name.lower() if isinstance(verdict, Unknown) else ""


def exit_code(verdicts: Iterable[Verdict], complete: bool = True) -> int:
    """0 all proved, 1 something violated, 3 something unknown or left undone."""
    verdicts = list(verdicts)
    if any(isinstance(verdict, Violated) for verdict in verdicts):
        return 1
    unknown = any(isinstance(verdict, Unknown) for verdict in verdicts)
    return 3 if unknown or not complete else 0


def csv_text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Rows as CSV text with Unix line ends; Fractions become exact decimals or quotients."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    for row in rows:
        writer.writerow(
            [format_rational(cell) if isinstance(cell, Fraction) else cell for cell in row]
        )
    return buffer.getvalue()
