"""All doors by name."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

from reductions.scaling.doors.door import Door
from reductions.scaling.doors.external import External
from reductions.scaling.doors.formula_milp import FormulaMilp
from reductions.scaling.doors.memorization import ExactDecision, GradientDescent, MilpDecision
from reductions.scaling.doors.satisfiability import ClauseLearning
from reductions.scaling.doors.verification import MilpVerification, SearchVerification
from relucert.bench.peers import parse_peers
from relucert.errors import UsageError

__all__ = ["DOORS", "closest", "external_doors", "external_name", "opened"]

DOORS: tuple[Door, ...] = (
    ClauseLearning(),
    FormulaMilp(),
    MilpVerification(),
    SearchVerification(),
    ExactDecision(),
    MilpDecision(),
    GradientDescent(),
)
"""Every door of its own; other verifiers join by their command."""


def external_doors(commands: Sequence[str]) -> list[Door]:
    """Doors for ``name=cmd {onnx} {vnnlib} {timeout}``; UsageError for what is none of these."""
    doors: list[Door] = [External(peer) for peer in parse_peers(commands)]
    taken = {door.name for door in DOORS}
    for door in doors:
        if door.name in taken:
            raise UsageError(f"--external: {door.name} is a door already; choose another name")
    return doors


def external_name(command: str) -> str:
    """The door of ``name=cmd``."""
    return f"verify-{command.partition('=')[0].strip()}"


def opened(names: Sequence[str], commands: Sequence[str]) -> dict[str, Door]:
    """The doors of these names, then those of the commands.

    Raises UsageError, suggesting the closest names, for a door that does not exist.
    """
    known = {door.name: door for door in DOORS}
    others = {door.name: door for door in external_doors(commands)}
    chosen: dict[str, Door] = {}
    for name in names:
        if name not in known and name not in others:
            raise UsageError(closest("solver", name, known | others))
        chosen[name] = (known | others)[name]
    return chosen | others


def closest(what: str, name: str, known: Mapping[str, object]) -> str:
    """That there is nothing of this name, and what may have been meant."""
    near = difflib.get_close_matches(name, known, n=2, cutoff=0.5)
    words = f"did you mean {' or '.join(near)}?" if near else "choose from " + ", ".join(known)
    return f"there is no {what} {name!r}; {words}"
