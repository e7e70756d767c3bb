"""Every answer compared with every other; where two differ, somebody is wrong."""

from __future__ import annotations

import csv
import io
import shlex
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from reductions.answers import literals_of
from reductions.dimacs import write_dimacs
from reductions.problems.satisfiability import Assignment
from reductions.scaling.doors.registry import external_name
from reductions.scaling.measurement import COLUMNS, Measurement
from reductions.scaling.plan import Plan, Recipe, formula_hash
from relucert.write.files import make_folder, write_atomically

__all__ = ["Agreement", "Conflict", "save_reproducer"]


@dataclass(frozen=True)
class Conflict:
    """Doors that gave a formula different answers: all rows of the formula."""

    formula_sha256: str
    rows: tuple[Measurement, ...]
    assignments: tuple[tuple[str, Assignment], ...]

    @property
    def words(self) -> str:
        """Who says what."""
        said = {word: [row.door for row in self.rows if row.answer == word] for word in _DEFINITE}
        return "; ".join(f"{word}: {', '.join(doors)}" for word, doors in said.items())


_DEFINITE = ("sat", "unsat")


class Agreement:
    """The answers so far, by formula.

    Answers that came too late or could not be confirmed are compared, too: a wrong answer is
    wrong at any time.
    """

    def __init__(self) -> None:
        self._rows: dict[str, list[Measurement]] = defaultdict(list)
        self._assignments: dict[str, list[tuple[str, Assignment]]] = defaultdict(list)

    def add(self, row: Measurement, assignment: Assignment | None = None) -> Conflict | None:
        """Take note of a row; the conflict that its formula is now in, if any."""
        rows = self._rows[row.formula_sha256]
        rows.append(row)
        if assignment is not None:
            self._assignments[row.formula_sha256].append((row.door, assignment))
        if {one.answer for one in rows} >= set(_DEFINITE):
            given = tuple(self._assignments[row.formula_sha256])
            return Conflict(row.formula_sha256, tuple(rows), given)
        return None


def save_reproducer(folder: Path, plan: Plan, conflict: Conflict) -> Path:
    """Save the formula, the answers and the command to repeat them under ``folder``.

    Returns the new folder. Raises FileError when it cannot be written.
    """
    place = folder / f"disagreement-{conflict.formula_sha256[:12]}"
    make_folder(place)
    recipe = _recipe(plan, conflict)
    if recipe is not None:
        write_dimacs(plan.formula(recipe), place / "formula.cnf", plan.comments(recipe))
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerow(COLUMNS)
    rows = stream.getvalue() + "".join(row.line for row in conflict.rows)
    write_atomically(place / "answers.csv", rows)
    for door, assignment in conflict.assignments:
        words = " ".join(map(str, (*literals_of(assignment), 0)))
        write_atomically(place / f"assignment-{door}.txt", f"v {words}\n")
    write_atomically(place / "command.txt", _command(plan, conflict) + "\n")
    return place


def _recipe(plan: Plan, conflict: Conflict) -> Recipe | None:
    """The recipe that makes the formula."""
    row = conflict.rows[0]
    for recipe in plan.recipes:
        if (recipe.family, recipe.size, recipe.ratio, recipe.seed) == (
            row.family, row.size, row.ratio, row.seed,
        ) and formula_hash(plan.formula(recipe)) == conflict.formula_sha256:  # fmt: skip
            return recipe
    return None


def _command(plan: Plan, conflict: Conflict) -> str:
    """To be run in the reproducer's folder."""
    doors = dict.fromkeys(row.door for row in conflict.rows if row.answer in _DEFINITE)
    names = {external_name(text): text for text in plan.externals}
    own = [door for door in doors if door not in names]
    words = ["reductions", "scale", "--formula", "formula.cnf"]
    words += ["--solvers", ",".join(own)] if own else []
    for door in doors:
        words += ["--external", names[door]] if door in names else []
    words += ["--timeout", f"{plan.seconds:g}", "--memory", f"{plan.memory / 2**30:g}"]
    return shlex.join([*words, "-o", "again"])
