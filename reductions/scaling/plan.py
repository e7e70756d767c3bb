"""What a run measures: formulas by family, size, ratio and seed, each given to every door."""

from __future__ import annotations

import dataclasses
import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from reductions.dimacs import dimacs_lines, read_dimacs
from reductions.families import FAMILIES, Family, Parameter
from reductions.families.family import Value
from reductions.problems.satisfiability import Satisfiability
from reductions.scaling.doors.registry import closest
from relucert.errors import InputError, UsageError

__all__ = ["FROM_FILE", "Cell", "Plan", "Recipe", "formula_hash", "numbers", "parse_sizes"]

FROM_FILE = "file"
"""The family of formulas that are given as files."""

_MOST_NUMBERS = 10_000
_MOST_CELLS = 1_000_000
_LARGEST_SIZE = 1_000_000


@dataclass(frozen=True)
class Recipe:
    """How one formula is made; ``path`` of the file for those that are given."""

    family: str
    size: int
    ratio: float | None
    seed: int | None
    path: str = ""


@dataclass(frozen=True)
class Cell:
    """One measurement to be made: a formula and the name of a door."""

    recipe: Recipe
    door: str


@dataclass(frozen=True)
class Plan:
    """Everything that fixes which measurements a run makes, and under which limits.

    family, parameters: of the formulas; sizes: of its first parameter; ratios: clauses a
    variable, empty where the family takes none; formulas: how many of each size and ratio.
    curve_size, curve_ratios, curve_formulas: more formulas, of one size, for a curve over the
    ratio; no ratios: no curve. files: formulas given as files instead. seed: fixes the formulas
    and the order. doors: by name, those of ``externals`` (commands) included. seconds, memory
    (bytes): for every measurement.
    """

    family: str
    parameters: tuple[tuple[str, Value], ...]
    sizes: tuple[int, ...]
    ratios: tuple[float, ...]
    formulas: int
    curve_size: int
    curve_ratios: tuple[float, ...]
    curve_formulas: int
    files: tuple[str, ...]
    seed: int
    doors: tuple[str, ...]
    externals: tuple[str, ...]
    seconds: float
    memory: int

    def check(self) -> None:
        """Make the first formula of every size and ratio; UsageError for what cannot be made."""
        if self.files:
            for path in self.files:
                read_dimacs(path)
            return
        family = _family(self.family)
        names = {entry.name for entry in family.parameters}
        if (self.ratios or self.curve_ratios) and "ratio" not in names:
            raise UsageError(f"the family {family.name} has no ratio")
        if bool(self.curve_ratios) != bool(self.curve_size):
            raise UsageError("a curve needs both its size and its ratios")
        count = self._most_recipes * len(self.doors)
        if count > _MOST_CELLS:
            raise UsageError(f"{count:,} measurements are too many; {_MOST_CELLS:,} are the most")
        seen = set()
        for recipe in self.recipes:
            if (recipe.size, recipe.ratio) not in seen:
                seen.add((recipe.size, recipe.ratio))
                self.formula(recipe)

    @property
    def _most_recipes(self) -> int:
        """How many formulas there are at most, known without listing them."""
        seeded = _family(self.family).seeded
        each, of_curve = (self.formulas, self.curve_formulas) if seeded else (1, 1)
        return len(self.sizes) * max(1, len(self.ratios)) * each + len(self.curve_ratios) * of_curve

    @property
    def recipes(self) -> list[Recipe]:
        """Every formula, in the order of the parameters."""
        if self.files:
            return [
                Recipe(FROM_FILE, max(1, read_dimacs(path).variables), None, None, path)
                for path in self.files
            ]
        seeded = _family(self.family).seeded
        counts: dict[tuple[int, float | None], int] = {
            (size, ratio): self.formulas for size in self.sizes for ratio in self.ratios or (None,)
        }
        for ratio in self.curve_ratios:
            counts.setdefault((self.curve_size, ratio), self.curve_formulas)
        return [
            Recipe(self.family, size, ratio, self._seed_of(size, ratio, index) if seeded else None)
            for (size, ratio), count in counts.items()
            for index in range(count if seeded else 1)
        ]

    def _seed_of(self, size: int, ratio: float | None, index: int) -> int:
        """Seeds of different formulas have nothing to do with each other."""
        text = f"{self.seed} {self.family} {size} {ratio} {index}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")

    @property
    def cells(self) -> list[Cell]:
        """Every measurement, in the random order that the seed gives.

        So a change of the machine's mood in the course of a run falls on all doors and sizes.
        """
        rng = random.Random(self.seed)
        cells = [Cell(recipe, door) for recipe in self.recipes for door in self.doors]
        return [cell for _, _, cell in sorted((rng.random(), i, c) for i, c in enumerate(cells))]

    def formula(self, recipe: Recipe) -> Satisfiability:
        """Make a formula; UsageError and FileError like the family and the reader."""
        return _made(recipe, self.parameters)

    def comments(self, recipe: Recipe) -> list[str]:
        """How a formula is made again, for a file."""
        if recipe.path:
            return []
        values = {**dict(self.parameters), **_own_parameters(recipe)}
        words = " ".join(f"--{name} {value}" for name, value in values.items())
        seed = "" if recipe.seed is None else f" --seed {recipe.seed}"
        return [
            f"made by: reductions generate {recipe.family} {words}{seed}".replace("--n ", "-n ")
        ]

    @property
    def record(self) -> dict[str, Any]:
        """As JSON values."""
        return {**dataclasses.asdict(self), "parameters": dict(self.parameters)}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Plan:
        """What `record` gave, after it was read again; InputError when it is none."""
        names = [field.name for field in dataclasses.fields(cls)]
        try:
            values = {name: record[name] for name in names}
            values["parameters"] = tuple(sorted(values["parameters"].items()))
            for name in ("sizes", "ratios", "curve_ratios", "files", "doors", "externals"):
                values[name] = tuple(values[name])
            if not all(_is_like(values[name], kind) for name, kind in _RECORDED.items()):
                raise TypeError(record)
            return cls(**values)
        except (KeyError, TypeError, AttributeError):
            raise InputError("its plan is not one of this version") from None


_RECORDED: dict[str, type | tuple[type, ...]] = {
    "family": str, "sizes": int, "ratios": (int, float), "formulas": int, "curve_size": int,
    "curve_ratios": (int, float), "curve_formulas": int, "files": str, "seed": int, "doors": str,
    "externals": str, "seconds": (int, float), "memory": int,
}  # fmt: skip
"""Types of the fields, or of what is in them."""


def _is_like(value: object, kind: type | tuple[type, ...]) -> bool:
    return all(isinstance(one, kind) for one in (value if isinstance(value, tuple) else (value,)))


def formula_hash(formula: Satisfiability) -> str:
    """SHA-256 of the formula as DIMACS, without comments."""
    text = "".join(f"{line}\n" for line in dimacs_lines(formula))
    return hashlib.sha256(text.encode()).hexdigest()


@lru_cache(maxsize=256)
def _made(recipe: Recipe, parameters: tuple[tuple[str, Value], ...]) -> Satisfiability:
    if recipe.path:
        return read_dimacs(recipe.path)
    values = {**dict(parameters), **_own_parameters(recipe)}
    return _family(recipe.family).generate(values, recipe.seed).formula


def _own_parameters(recipe: Recipe) -> dict[str, Value]:
    values: dict[str, Value] = {_size_parameter(_family(recipe.family)).name: recipe.size}
    return values if recipe.ratio is None else values | {"ratio": recipe.ratio}


def _size_parameter(family: Family) -> Parameter:
    """What ``size`` stands for: n, or the first whole number."""
    return next(entry for entry in family.parameters if isinstance(entry.default, int))


def _family(name: str) -> Family:
    known = {family.name: family for family in FAMILIES}
    if name not in known:
        raise UsageError(closest("family", name, known))
    return known[name]


def parse_sizes(text: str) -> tuple[int, ...]:
    """``5:40:5`` (40 included), ``4:6`` or ``4,8,12`` as whole numbers from 1 on."""
    sizes = numbers(text, "sizes")
    if any(size != int(size) or size < 1 for size in sizes):
        raise UsageError(f"sizes {text!r}: a size is a whole number from 1 on")
    if max(sizes) > _LARGEST_SIZE:
        raise UsageError(f"sizes {text!r}: {_LARGEST_SIZE:,} is the largest")
    return tuple(int(size) for size in sizes)


def numbers(text: str, what: str) -> tuple[float, ...]:
    """A list ``a,b,c`` or a range ``first:last:step`` with its last; different numbers, from 0 on.

    >>> numbers("2:3.5:0.5", "ratios")
    (2.0, 2.5, 3.0, 3.5)
    """
    found: list[Decimal] = []
    for part in text.split(","):
        try:
            limits = [Decimal(word.strip()) for word in part.split(":")]
        except InvalidOperation:
            limits = []
        if not 1 <= len(limits) <= 3 or not all(limit.is_finite() for limit in limits):
            raise UsageError(f"{what} {text!r}: write FIRST:LAST:STEP, FIRST:LAST, or A,B,C")
        found += limits if len(limits) == 1 else _range(limits, text, what)
    if len(set(found)) != len(found):
        raise UsageError(f"{what} {text!r}: a number occurs twice")
    if any(number < 0 for number in found):
        raise UsageError(f"{what} {text!r}: no number may be negative")
    return tuple(map(float, found))


def _range(limits: Sequence[Decimal], text: str, what: str) -> list[Decimal]:
    first, last, step = (*limits, Decimal(1))[:3]
    if step <= 0:
        raise UsageError(f"{what} {text!r}: the step must be positive")
    if first > last:
        raise UsageError(f"{what} {text!r}: the range is empty, {first} is beyond {last}")
    count = int((last - first) / step) + 1
    if count > _MOST_NUMBERS:
        raise UsageError(f"{what} {text!r}: {count:,} numbers; {_MOST_NUMBERS:,} are the most")
    return [first + index * step for index in range(count)]
