"""Pieces of SVG text that the two drawings share."""

from __future__ import annotations

import math

__all__ = ["pixels", "text"]


def pixels(value: float) -> str:
    """A length with at most two decimals, written as JavaScript writes it.

    >>> pixels(3.0), pixels(2.005), pixels(-1.25)
    ('3', '2', '-1.25')
    """
    rounded = math.floor(value * 100 + 0.5) / 100
    return str(int(rounded)) if rounded == int(rounded) else str(rounded)


def text(x: float, y: float, content: str, style: str = "", anchor: str = "start") -> str:
    """A text element; ``content`` must be escaped. ``anchor``: start, middle or end."""
    kind = f' class="{style}"' if style else ""
    place = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text{kind} x="{pixels(x)}" y="{pixels(y)}"{place}>{content}</text>'
