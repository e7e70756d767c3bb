"""One measurement: a formula, a door, a process, a row."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reductions.problems.satisfiability import Assignment, Satisfiability
from reductions.scaling.doors.door import Door
from reductions.scaling.doors.registry import external_name
from reductions.scaling.measurement import ANSWERS, RUN_VERSION, STATUSES, Measurement
from reductions.scaling.plan import Plan, Recipe, formula_hash
from reductions.scaling.watching import Ended, run_child

__all__ = ["Measured", "key_of", "measure"]

_LONGEST_DETAIL = 300
_NEARLY = 0.9


@dataclass(frozen=True)
class Measured:
    """A row, with the recipe of its formula and the satisfying assignment if there is one."""

    row: Measurement
    recipe: Recipe
    assignment: Assignment | None


@dataclass(frozen=True)
class _Said:
    """What is known about a child's work, however it ended."""

    answer: str
    status: str
    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int
    detail: str
    effort: int | None = None
    instance_size: int | None = None
    assignment: Assignment | None = None


def measure(plan: Plan, recipe: Recipe, door: Door, stopping: threading.Event) -> Measured | None:
    """Make one measurement; None when ``stopping`` was set before its end."""
    formula = plan.formula(recipe)
    job = {
        "door": door.name,
        "external": [text for text in plan.externals if external_name(text) == door.name],
        "variables": formula.variables,
        "clauses": formula.clauses,
        "seconds": plan.seconds,
        "memory": plan.memory,
        "seed": recipe.seed or 0,
    }
    ended = run_child(job, stopping)
    if ended.ended == "stopped":
        return None
    if ended.reply is None or ended.ended:  # a reply may be the last words of one being killed
        said = _no_reply(ended, plan)
    else:
        said = _replied(ended, ended.reply, formula)
    if said.status == "ok" and said.wall_seconds > plan.seconds:
        said = _with(said, "timeout", "after the time limit")
    return Measured(_row(recipe, door, formula, said), recipe, said.assignment)


def _with(said: _Said, status: str, words: str) -> _Said:
    detail = f"{words}; {said.detail}" if said.detail else words
    return _Said(
        said.answer, status, said.wall_seconds, said.cpu_seconds, said.peak_bytes, detail,
        said.effort, said.instance_size,
    )  # fmt: skip


def _replied(ended: Ended, reply: Mapping[str, Any], formula: Satisfiability) -> _Said:
    try:
        answer, status = str(reply["answer"]), str(reply["status"])
        if answer not in ANSWERS or status not in STATUSES:
            raise ValueError(answer, status)
        given = reply["assignment"]
        said = _Said(
            answer, status, float(reply["wall_seconds"]), float(reply["cpu_seconds"]),
            max(int(reply["peak_bytes"]), ended.peak_bytes), str(reply["detail"]),
            reply["effort"], reply["instance_size"],
            None if given is None else tuple(map(bool, given)),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError):
        return _gone(ended, "error", "its reply cannot be read")
    if said.answer != "sat" or said.status != "ok":
        return said
    assignment = said.assignment
    if assignment is None or len(assignment) != formula.variables or not formula.check(assignment):
        return _with(said, "error", "its assignment does not satisfy the formula")
    return said


def _no_reply(ended: Ended, plan: Plan) -> _Said:
    """The child was killed, or died: that costs its own row only."""
    if ended.ended == "time":
        return _gone(ended, "timeout", "killed: over the time limit")
    if ended.ended == "memory":
        return _gone(ended, "memout", "killed: over the memory limit")
    how = f"ended by signal {-ended.code}" if ended.code < 0 else f"exit code {ended.code}"
    words = f"{how}: {ended.words}" if ended.words else how
    full = ended.peak_bytes > _NEARLY * plan.memory or "bad_alloc" in ended.words
    return _gone(ended, "memout" if full else "error", words)


def _gone(ended: Ended, status: str, words: str) -> _Said:
    return _Said("unknown", status, ended.seconds, ended.cpu_seconds, ended.peak_bytes, words)


def _row(recipe: Recipe, door: Door, formula: Satisfiability, said: _Said) -> Measurement:
    return Measurement(
        RUN_VERSION, recipe.family, recipe.size, recipe.ratio, recipe.seed, formula_hash(formula),
        door.name, door.solver_name, door.version, said.answer, said.status,
        round(said.wall_seconds, 6), round(said.cpu_seconds, 6), said.peak_bytes,
        door.effort_name, said.effort, formula.variables, len(formula.clauses),
        said.instance_size, said.detail[:_LONGEST_DETAIL],
    )  # fmt: skip


def key_of(row: Measurement) -> tuple[Recipe, str]:
    """What a row measured, as far as the row tells: a recipe without its path, and a door."""
    return Recipe(row.family, row.size, row.ratio, row.seed), row.door
