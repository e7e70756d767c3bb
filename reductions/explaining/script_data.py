"""What the script in the page computes with."""

from __future__ import annotations

import json
from math import lcm

from reductions.explaining.plane import Axes
from reductions.explaining.story import Kind, Story
from reductions.explaining.wording import coordinate, entity, literal_name, point_name

__all__ = ["script_data", "shown_point"]


def shown_point(story: Story) -> int:
    """The point that the network shows at first: a wrong one, else as `_first_clause` says."""
    wrong = (k for k, state in enumerate(story.start.points) if not state.right)
    return next(wrong, _first_clause(story))


def _first_clause(story: Story) -> int:
    """The first clause's point; the origin where there is no clause."""
    return next((k for k, p in enumerate(story.points) if p.kind is Kind.CLAUSE), 0)


def script_data(story: Story) -> str:
    """The story as JSON for a script element: integers, in units of 1 / ``unit``."""
    unit = lcm(2, story.radius.denominator)
    axes = Axes.of(story)
    data = {
        "literals": [literal_name(literal, story.helper) for literal in story.literals],
        "clauses": [[coordinate(literal) for literal in c.literals] for c in story.clauses],
        "becomes": [clause.nae for clause in story.clauses],
        "nae": [[coordinate(literal) for literal in clause] for clause in story.nae],
        "points": [
            {
                "name": point_name(point, story),
                "of": entity(point),
                "label": point.label,
                "halves": [[coordinate(key), int(2 * value)] for key, value in point.coordinates],
            }
            for point in story.points
        ],
        "k": story.clause_bound,
        "t": int(story.steepness),
        "unit": unit,
        "radius": int(story.radius * unit),
        "start": list(story.start.values),
        "first": _first_clause(story),
        "axes": {"curved": axes.curved, "scale": axes.scale, "left": axes.left, "top": axes.top},
    }
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")
