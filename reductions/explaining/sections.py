"""Parts 1 to 5 of the page: formula, not-all-equal form, points, half-spaces, network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from reductions.explaining.network_drawing import draw_network
from reductions.explaining.plane import Axes, draw_plane
from reductions.explaining.script_data import shown_point
from reductions.explaining.story import Story, StoryClause, StoryPoint
from reductions.explaining.wording import (
    coordinate,
    coordinate_value,
    literal_name,
    number,
    point_name,
)

__all__ = [
    "formula_section",
    "half_spaces_section",
    "nae_section",
    "network_section",
    "points_section",
]


def _chip(literal: int, story: Story, text: str = "") -> str:
    true = literal in story.start.own[0]
    return (
        f'<span class="chip {"t" if true else "f"}" data-l="{coordinate(literal)}">{text}'
        f"{literal_name(literal, story.helper)}</span>"
    )


def formula_section(story: Story) -> str:
    """The clauses as they stand in the file."""
    rows = [
        _row(f"c:{k}", k == 0, str(k + 1), _literals(clause.literals, "∨", story), good, "true",
             "false", _note(clause, story))
        for k, (clause, good) in enumerate(zip(story.clauses, story.start.clauses, strict=True))
    ]  # fmt: skip
    return _section(
        "formula",
        "1 The formula",
        "Every clause needs a true literal. <span class='chip t'>Filled</span> literals are true, "
        "<span class='chip f'>framed</span> ones false.",
        _list(rows, "Clauses", "There are no clauses: every assignment satisfies the formula."),
    )


def nae_section(story: Story) -> str:
    """The clauses with the helper."""
    rows = [
        _row(f"n:{k}", k == 0, "", _literals(clause, ",", story), good, "mixed", "all equal", "")
        for k, (clause, good) in enumerate(zip(story.nae, story.start.nae, strict=True))
    ]
    return _section(
        "nae",
        "2 Not all equal",
        "A helper <span class='chip f'>s</span> joins every clause, and a clause now needs a true "
        "<em>and</em> a false literal. With s false that asks for the same as before; an "
        "assignment with s true would do when all of its values are flipped.",
        _list(rows, "Not-all-equal clauses", "There are no clauses."),
    )


def _literals(clause: Sequence[int], between: str, story: Story) -> str:
    chips = f" <i>{between}</i> ".join(_chip(literal, story) for literal in clause)
    return chips or "<i>empty clause</i>"


def _note(clause: StoryClause, story: Story) -> str:
    notes = []
    if clause.repeats:
        notes.append("a literal comes twice and counts once")
    if clause.nae is None:
        notes.append("a literal and its negation: always true, dropped")
    if clause.same_as is not None:
        notes.append(f"the same as clause {clause.same_as + 1}")
    if not clause.literals:
        notes.append("nothing can make it true")
    return "; ".join(notes)


def _row(
    key: str, first: bool, head: str, content: str, good: bool, yes: str, no: str, note: str
) -> str:
    return (
        f'<li><button type="button" class="row {"good" if good else "bad"}" data-e="{key}" '
        f'data-yes="{yes}" data-no="{no}" tabindex="{0 if first else -1}" aria-pressed="false">'
        f'{f"<b>{head}</b> " if head else ""}<span class="literals">{content}</span> '
        f'<span class="mark">{"✓" if good else "✗"} {yes if good else no}</span>'
        f"{f'<small>{note}</small>' if note else ''}</button></li>"
    )


def _list(rows: Sequence[str], label: str, empty: str) -> str:
    if not rows:
        return f"<p>{empty}</p>"
    return f'<ol class="scroll" data-rove aria-label="{label}">{"".join(rows)}</ol>'


def _section(key: str, title: str, intro: str, content: str) -> str:
    return (
        f'<section id="{key}" aria-labelledby="{key}-title"><h2 id="{key}-title">{title}</h2>'
        f"<p>{intro}</p>{content}</section>"
    )


def points_section(story: Story) -> str:
    """All points, with their numbers under the first assignment."""
    head = "".join(
        f'<th scope="col" role="columnheader">{name}</th>'
        for name in ("label", "point", "coordinates", "h₁", "h₂", "margin", "F", "on its ball", "")
    )
    rows = "".join(_point(story, index) for index in range(len(story.points)))
    return _section(
        "points",
        "3 The points",
        f"One coordinate for each of the {2 * story.variables} literals; those not named are 0. "
        f"The balls have radius {number(story.budget)} in every coordinate. The numbers belong to "
        "the assignment above: the two half-spaces (part 4), by how much the whole ball is on the "
        "right side of them, and the network (part 5).",
        '<div class="scroll tall"><table role="table"><thead role="rowgroup">'
        f'<tr role="row">{head}</tr></thead><tbody role="rowgroup" data-rove>{rows}</tbody>'
        "</table></div>",
    )


def _point(story: Story, index: int) -> str:
    point, state = story.points[index], story.start.points[index]
    right = state.right
    cells = [
        ("label", f"{'+' if point.label > 0 else '−'}1"),
        ("name", escape(point_name(point, story))),
        ("where", _where(point, story)),
        ("h1", number(state.sides[0])),
        ("h2", number(state.sides[1])),
        ("margin", number(state.margin)),
        ("out", number(state.output)),
        ("ball", f"{'≥' if point.label > 0 else '≤'} {number(state.worst)}"),
        ("mark", "✓ right" if right else "✗ wrong"),
    ]
    return (
        f'<tr role="row" class="{"plus" if point.label > 0 else "minus"} '
        f'{"good" if right else "bad"}" data-e="p:{index}" tabindex="{0 if index == 0 else -1}">'
        + "".join(f'<td role="cell" class="{key}">{text}</td>' for key, text in cells)
        + "</tr>\n"
    )


def _where(point: StoryPoint, story: Story) -> str:
    chips = (
        _chip(literal, story, "" if value == 1 else f"{coordinate_value(value)} ")
        for literal, value in point.coordinates
    )
    return " ".join(chips) or "all 0"


def half_spaces_section(story: Story) -> str:
    """The two functions, and the plane that they span."""
    k = story.clause_bound
    functions = "".join(
        f'<div class="side {side}"><p>h{sign} = 1/2 +{f" {k - 1} ×" if k > 2 else ""} the other '
        f'coordinates − those of</p><div class="own" id="own{index}" role="group" '
        f'aria-label="Literals of half-space {index}" data-rove>{_own(own, story)}</div></div>'
        for index, (side, sign, own) in enumerate(
            (("one", "₁", story.start.own[0]), ("two", "₂", story.start.own[1])), start=1
        )
    )
    curved = " Both axes are drawn by square roots." if Axes.of(story).curved else ""
    return _section(
        "halfspaces",
        "4 Two half-spaces",
        "The true literals belong to the first half-space, the false ones to the second: each "
        "excludes its own literals’ points. All +1 points must lie inside both, so no clause may "
        "have all of its literals on one side.",
        f"{functions}<figure>{draw_plane(story)}<figcaption>Each point by its h₁ and h₂; the "
        f"square is all that its ball can reach, {number(story.radius)} to each side. Filled "
        "points are labelled +1 and belong in the shaded corner, rings are labelled −1 and belong "
        "outside."
        f"{curved}</figcaption></figure>",
    )


def _own(literals: Iterable[int], story: Story) -> str:
    return "".join(
        f'<button type="button" class="chip {"t" if literal in story.start.own[0] else "f"}" '
        f'data-l="{coordinate(literal)}" data-e="l:{coordinate(literal)}" aria-pressed="false" '
        f'tabindex="{-1 if index else 0}">{literal_name(literal, story.helper)}</button>'
        for index, literal in enumerate(literals)
    )


def network_section(story: Story) -> str:
    """The formula of the network, and its picture."""
    shown = shown_point(story)
    t = number(story.steepness)
    return _section(
        "network",
        "5 The network",
        f"F(x) = 1 − relu(z₁) − relu(z₂) with z = 1 − {t} h. Inside both half-spaces no neuron "
        "fires and F is 1; at a literal’s point one of them fires and F is negative.",
        f'<p id="computed" class="computed">{_computed(story, shown)}</p>'
        f"<figure>{draw_network(story, shown)}<figcaption>Coloured lines carry a neuron’s own "
        "literals, which make it fire; the grey ones hold it back. Beside the neurons and the "
        "output: their constants.</figcaption></figure>",
    )


def _computed(story: Story, index: int) -> str:
    state = story.start.points[index]
    first, second = map(number, state.pre_activations)
    return (
        f"At {escape(point_name(story.points[index], story))}: F = 1 − relu({first}) − "
        f"relu({second}) = {number(state.output)}"
    )
