"""The verdict, how it is known, the sizes, and how to reproduce all of it with commands."""

from __future__ import annotations

import shlex
from html import escape

from reductions.answers import Why
from reductions.explaining.story import Story
from reductions.explaining.wording import number, plain
from reductions.sat import SOLVER
from relucert import __version__

__all__ = ["conclusion", "verdict"]


def verdict(story: Story) -> str:
    """The answer in a box, with what it rests on."""
    kind, head = {
        True: ("yes", "Satisfiable, so the points can be robustly memorized."),
        False: ("no", "Unsatisfiable, so no network of two neurons memorizes the points."),
        None: ("open", "Unknown whether the formula is satisfiable."),
    }[story.answer.satisfiable]
    return (
        f'<div class="verdict {kind}"><p><strong>{head}</strong></p><p>{_reason(story)}</p></div>'
    )


def _reason(story: Story) -> str:
    """How the answer is known, and what it means for networks."""
    answer = story.answer
    if answer.satisfiable is None:
        return (
            f"No answer was found: {escape(plain(answer.detail))}. What the page shows holds all "
            "the same: one question is as hard as the other."
        )
    if answer.satisfiable:
        how = {
            Why.PLANTED: "An assignment stands in the file’s comments",
            Why.SOLVER: f"{SOLVER} found an assignment",
            Why.ENUMERATION: "Trying all assignments found one",
        }[answer.why]
        return (
            f"{how}; it was checked against every clause. The network made of it was checked, in "
            f"exact arithmetic, on the whole balls of all {len(story.points)} points."
        )
    if answer.proof is not None:
        steps = len(answer.proof)
        how = (
            f"{SOLVER} wrote a proof of {steps} step{'' if steps == 1 else 's'}, which an "
            "independent checker accepted"
        )
    else:
        how = f"All {2**story.formula.variables:,} assignments were tried"
    return (
        f"{how}. By Theorem 3 no network of depth 2 and width 2 gets all the points right, not "
        "even without their balls. Flip the variables as you like: some clause’s point stays wrong."
    )


def conclusion(story: Story, name: str) -> str:
    """Part 6: the theorem, what it says here, sizes and commands."""
    return (
        '<section id="verdict" aria-labelledby="verdict-title"><h2 id="verdict-title">6 The verdict'
        "</h2><p>The formula is satisfiable ⇔ some ReLU network of depth 2 and width 2 robustly "
        "memorizes the points: Theorem 3 of relucert’s page on theory. From left to right the "
        "page above builds the network. From right to left any such network decodes, whoever found "
        "it: the side that excludes a literal’s point tells whether the literal is true.</p>"
        f'{verdict(story)}<div class="beside"><div><h3>Sizes</h3>{_sizes(story)}</div>'
        f"<div><h3>Do it yourself</h3>{_commands(story, name)}</div></div>"
        f'<p class="soft">Made by relucert {escape(__version__)}, reductions explain.</p></section>'
    )


def _sizes(story: Story) -> str:
    v, m, k = story.variables, len(story.nae), story.clause_bound
    rows = [
        ("variables with the helper", f"v = {v}"),
        ("distinct clauses that are not always true", f"m = {m}"),
        ("literals of the largest clause, at least 2", f"k = {k}"),
        ("points", f"N = 3v + m + 2 = {len(story.points)}"),
        ("dimension", f"2v = {2 * v}"),
        ("budgets allowed", f"μ &lt; 1/(2vk) = {number(story.bound)}"),
        ("budget here", f"μ = {number(story.budget)}"),
        ("h₁ and h₂ move on a ball by", f"μvk = {number(story.radius)}"),
        ("distance of different labels", f"λ = {number(story.separation)}"),
        ("weights and constants of the network", f"4v + 5 = {4 * v + 5}"),
    ]
    body = "".join(f"<tr><th scope='row'>{name}</th><td>{value}</td></tr>" for name, value in rows)
    note = ""
    if story.separation == 0:
        note = (
            "<p>The empty clause’s point is that of the literal s, with the other label: nothing "
            "can tell them apart.</p>"
        )
    elif story.formula.largest_clause > 3:
        note = (
            f"<p>The largest clause has {story.formula.largest_clause} literals. The construction "
            "does not need 3-SAT: larger clauses only make the balls smaller.</p>"
        )
    return f'<table class="sizes">{body}</table>{note}'


def _commands(story: Story, name: str) -> str:
    file = shlex.quote(plain(name))
    if file.startswith("-"):
        file = f"./{file}"
    solve = [f"reductions solve {file}"]
    if story.answer.satisfiable is False:
        solve = [
            f"reductions solve {file} --proof proof.drup",
            f"reductions check-proof {file} proof.drup",
        ]
    decide = f"relucert decide points/points.npz --budget {story.budget}"
    if story.answer.satisfiable is False:
        decide += " --certificate-out no.json.gz"
    else:
        decide += " -o net.npz"
    lines = [
        *solve,
        f"reductions reduce {file} --to robust-memorization -o points/",
        decide,
    ]
    if story.answer.satisfiable is not False:
        lines.append("reductions extract points/bundle.json --solution net.npz")
    words = {
        True: "The last line turns the network that was found into a satisfying assignment.",
        False: "The last line answers No, with a certificate that can be checked apart.",
        None: "Where a network is found, the last line turns it into a satisfying assignment.",
    }[story.answer.satisfiable]
    return f'<pre tabindex="0">{escape(chr(10).join(lines))}</pre><p>{words}</p>'
