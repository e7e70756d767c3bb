"""Does a network robustly memorize a data set? The answer over all its balls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from relucert.exact import format_rational
from relucert.report.records import Item, verdict_word
from relucert.verdict import Proved

__all__ = ["MemorizationResult"]

_NAMES_SHOWN = 20


@dataclass(frozen=True)
class MemorizationResult:
    """The balls of a data set by their verdicts.

    ``points`` is how many there are; those without a verdict count as unknown. ``clipped`` says
    that the balls were cut to a range. ``label_note`` tells how labels were renamed, or is "".
    """

    data: str
    budget: Fraction
    clipped: bool
    points: int
    proved: int
    rigorous: bool
    violated: tuple[str, ...]
    unknown: tuple[str, ...]
    label_note: str

    @classmethod
    def of(
        cls,
        data: str,
        budget: Fraction,
        clipped: bool,
        items: Sequence[Item],
        points: int,
        label_note: str,
    ) -> MemorizationResult:
        """Sort finished items."""
        names: dict[str, list[str]] = {"proved": [], "violated": [], "unknown": []}
        for item in items:
            names[verdict_word(item.verdict)].append(item.name)
        rigorous = all(
            item.verdict.method.rigorous for item in items if isinstance(item.verdict, Proved)
        )
        return cls(
            data, budget, clipped, points, len(names["proved"]), rigorous,
            tuple(names["violated"]), tuple(names["unknown"]), label_note,
        )  # fmt: skip

    @property
    def answer(self) -> bool | None:
        """True when every ball is proved, False when one is violated, None when open."""
        if self.violated:
            return False
        return True if self.proved == self.points else None

    @property
    def words(self) -> str:
        """The answer, the counts and the failing balls."""
        answer = {True: "yes", False: "no", None: "unknown"}[self.answer]
        balls = "balls cut to the clip range" if self.clipped else "balls"
        weak = "" if self.rigorous else " (some only to solver tolerance)"
        lines = [
            f"robustly memorizes {self.data} with budget {format_rational(self.budget)}: {answer}, "
            f"{self.proved} of {self.points} {balls} proved{weak}"
        ]
        for word, names in (("violated", self.violated), ("unknown", self.unknown)):
            if names:
                more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
                lines.append(f"{word}: {', '.join(names[:_NAMES_SHOWN])}{more}")
        if self.label_note:
            lines.append(f"labels renamed as the network's notes say, {self.label_note}")
        return "\n".join(lines)

    @property
    def record(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "data": self.data,
            "budget": format_rational(self.budget),
            "clipped": self.clipped,
            "robustly_memorizes": self.answer,
            "rigorous": self.rigorous,
            "balls": self.points,
            "proved": self.proved,
            "violated": list(self.violated),
            "unknown": list(self.unknown),
            "label_map": self.label_note or None,
        }
