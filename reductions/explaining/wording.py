"""How literals, numbers and points are called on the page; the script in it uses the same words."""

from __future__ import annotations

from fractions import Fraction

from reductions.explaining.story import Kind, Story, StoryPoint

__all__ = [
    "clause_number",
    "coordinate",
    "coordinate_value",
    "entity",
    "literal_name",
    "number",
    "plain",
    "point_name",
    "variable_name",
]

_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def variable_name(variable: int, helper: int) -> str:
    """``x₁`` for variable 1, ``s`` for the helper.

    >>> variable_name(12, 13), variable_name(13, 13)
    ('x₁₂', 's')
    """
    return "s" if variable == helper else "x" + str(variable).translate(_SUBSCRIPTS)


def literal_name(literal: int, helper: int) -> str:
    """A literal's name, with ``¬`` for negations."""
    return ("¬" if literal < 0 else "") + variable_name(abs(literal), helper)


def number(value: Fraction | int) -> str:
    """A rational as a fraction with a true minus sign.

    >>> number(Fraction(-1, 2)), number(3)
    ('−1/2', '3')
    """
    return str(value).replace("-", "−")


def coordinate(literal: int) -> int:
    """The index of a literal's coordinate, from 0: x₁, ¬x₁, x₂, ..."""
    return 2 * abs(literal) - (2 if literal > 0 else 1)


def coordinate_value(value: Fraction) -> str:
    """A coordinate of a point: ``1`` or ``½``."""
    return "½" if value == Fraction(1, 2) else number(value)


def plain(text: str) -> str:
    """Text of a file without characters that cannot be seen or that turn the reading direction."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def point_name(point: StoryPoint, story: Story) -> str:
    """What a point is called: ``origin``, ``literal ¬x₁``, ``pair x₁``, ``clause 1``, ..."""
    if point.kind is Kind.LITERAL:
        return f"literal {literal_name(point.source, story.helper)}"
    if point.kind is Kind.PAIR:
        return f"pair {variable_name(point.source, story.helper)}"
    if point.kind is Kind.CLAUSE:
        return f"clause {clause_number(point.source, story)}"
    return "origin" if point.kind is Kind.ORIGIN else "midpoint of s"


def clause_number(nae: int, story: Story) -> int:
    """The number, from 1, of the first clause of the file that became this clause."""
    return next(k for k, clause in enumerate(story.clauses, start=1) if clause.nae == nae)


def entity(point: StoryPoint) -> str:
    """What the point belongs to: ``n:0`` a clause, ``l:3`` a literal, ``v:1`` a variable."""
    if point.kind is Kind.CLAUSE:
        return f"n:{point.source}"
    if point.kind is Kind.LITERAL:
        return f"l:{coordinate(point.source)}"
    return "" if point.kind is Kind.ORIGIN else f"v:{point.source - 1}"
