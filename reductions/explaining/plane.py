"""The plane of (h_1, h_2) as SVG: every point with its ball, and where the network is positive.

The script in the page moves the points when a variable is flipped. Positions are computed here by
the same operations in the same order, so that both write the same numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from html import escape

from reductions.explaining.story import Story
from reductions.explaining.svg import pixels, text
from reductions.explaining.wording import number, point_name

__all__ = ["Axes", "draw_plane"]

_LINEAR_UP_TO = 5
_PLOT, _LEFT, _TOP, _BOTTOM = 400, 34, 26, 34


@dataclass(frozen=True)
class Axes:
    """From h_1, h_2 to pixels.

    ``curved``: by square roots, for large clauses, whose points lie far out. ``scale``: pixels per
    unit. ``left``, ``top``: where both are 0. ``ends``: least and largest h_1, then h_2.
    """

    curved: bool
    scale: float
    left: float
    top: float
    width: float
    height: float
    ends: tuple[int, int, int, int]

    @classmethod
    def of(cls, story: Story) -> Axes:
        """Axes that hold every point under every assignment, the helper false.

        A clause of k literals, a of them true, is at h_1 = 1/2 - a + (k - 1)(k - a) and
        h_2 = 1/2 - (k - a) + (k - 1) a, with 0 <= a < k.
        """
        k = story.clause_bound
        curved = k > _LINEAR_UP_TO
        ends = (-2, k * (k - 1) + 1, -k, max((k - 1) ** 2, 2))
        low1, high1, low2, high2 = (_bend(end, curved) for end in ends)
        scale = _PLOT / (high1 - low1)
        return cls(
            curved,
            scale,
            left=_LEFT - scale * low1,
            top=_TOP + scale * high2,
            width=_LEFT + _PLOT + 12,
            height=_TOP + scale * (high2 - low2) + _BOTTOM,
            ends=ends,
        )

    def x(self, h: float) -> float:
        """The horizontal place of h_1."""
        return self.left + self.scale * _bend(h, self.curved)

    def y(self, h: float) -> float:
        """The vertical place of h_2."""
        return self.top - self.scale * _bend(h, self.curved)


def _bend(h: float, curved: bool) -> float:
    """h itself, or the square root of its size with its sign."""
    return math.copysign(math.sqrt(abs(h)), h) if curved else h


def draw_plane(story: Story) -> str:
    """The picture with its axes; the points in the order of the story."""
    axes = Axes.of(story)
    dots = (_dot(story, axes, index) for index in range(len(story.points)))
    return "\n".join(
        [
            f'<svg class="plane" viewBox="0 0 {pixels(axes.width)} {pixels(axes.height)}" '
            'role="img" aria-label="Every point by its values of h₁ and h₂; the network is '
            'positive in the shaded corner">',
            f'<polygon class="inside" points="{_inside(axes, story.steepness)}"/>',
            *_frame(axes),
            *dots,
            f'<g id="counts">{_counts(story, axes)}</g></svg>',
        ]
    )


def _frame(axes: Axes) -> list[str]:
    """The lines h_1 = 0 and h_2 = 0, the ticks and the names."""
    low1, high1, low2, high2 = axes.ends
    left, right = axes.x(low1), axes.x(high1)
    top, bottom = axes.y(high2), axes.y(low2)
    return [
        _line("axis one", axes.x(0), top, axes.x(0), bottom),
        _line("axis two", left, axes.y(0), right, axes.y(0)),
        *(
            text(axes.x(h), bottom + 14, number(h), "tick", "middle")
            for h in _ticks(low1, high1, axes.curved)
        ),
        *(
            text(left - 6, axes.y(h) + 4, number(h), "tick", "end")
            for h in _ticks(low2, high2, axes.curved)
        ),
        text(axes.x(0) + 6, bottom - 6, "h₁ = 0", "name one"),
        text(right, axes.y(0) + 16, "h₂ = 0", "name two", "end"),
        text(right, bottom + 30, "h₁ →", "tick", "end"),
        text(2, top - 12, "h₂ ↑", "tick"),
        text(right - 8, top + 20, "F &gt; 0", "hint", "end"),
    ]


def _line(style: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return (
        f'<line class="{style}" x1="{pixels(x1)}" y1="{pixels(y1)}" x2="{pixels(x2)}" '
        f'y2="{pixels(y2)}"/>'
    )


def _inside(axes: Axes, steepness: Fraction) -> str:
    """F > 0 where h_1, h_2 > 0 and h_1 + h_2 > 1 / t; curved axes bend that small edge."""
    _, high1, _, high2 = axes.ends
    edge, steps = 1 / float(steepness), 8
    corner = [(edge * i / steps, edge * (steps - i) / steps) for i in range(steps + 1)]
    outline = [*corner, (high1, 0), (high1, high2), (0, high2)]
    return " ".join(f"{pixels(axes.x(a))},{pixels(axes.y(b))}" for a, b in outline)


def _ticks(low: int, high: int, curved: bool) -> list[int]:
    if curved:
        squares = [n * n for n in range(0, 41, max(1, math.isqrt(high) // 6))]
        return sorted(h for n in squares for h in {n, -n} if low <= h <= high)
    step = 2 if high - low > 8 else 1
    return [h for h in range(low, high + 1) if h % step == 0]


def _dot(story: Story, axes: Axes, index: int) -> str:
    """A point with its ball: the square that (h_1, h_2) stays in."""
    point, state = story.points[index], story.start.points[index]
    h1, h2 = map(float, state.sides)
    r = float(story.radius)
    left, right, top, bottom = axes.x(h1 - r), axes.x(h1 + r), axes.y(h2 + r), axes.y(h2 - r)
    kind = ("plus" if point.label > 0 else "minus") + ("" if state.right else " wrong")
    return (
        f'<g class="dot {kind}" data-e="p:{index}"><title>{escape(point_name(point, story))}'
        f'</title><rect x="{pixels(left)}" y="{pixels(top)}" width="{pixels(right - left)}" '
        f'height="{pixels(bottom - top)}"/>'
        f'<circle cx="{pixels(axes.x(h1))}" cy="{pixels(axes.y(h2))}" r="4.5"/></g>'
    )


def _counts(story: Story, axes: Axes) -> str:
    """How many points share a place, where more than one does."""
    r = float(story.radius)
    places: dict[tuple[float, float], int] = {}
    for state in story.start.points:
        place = (float(state.sides[0]), float(state.sides[1]))
        places[place] = places.get(place, 0) + 1
    return "".join(
        # Above the square left of h_1 = 0, else right of it: off the two lines.
        text(axes.x(h1), axes.y(h2 + r) - 4, f"×{count}", "count", "middle")
        if h1 < 0
        else text(axes.x(h1 + r) + 3, axes.y(h2) + 4, f"×{count}", "count")
        for (h1, h2), count in places.items()
        if count > 1
    )
