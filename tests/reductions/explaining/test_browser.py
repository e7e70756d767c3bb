"""The page in a real browser: flipped by keyboard, marks that follow, numbers that agree."""

from fractions import Fraction
from itertools import product

import pytest

from reductions.answers import ExpectedAnswer, Why, expected_answer
from reductions.explaining.page import page
from reductions.explaining.story import tell
from reductions.problems.satisfiability import Satisfiability

pytestmark = pytest.mark.slow

WORKED = Satisfiability(2, ((1, 2), (-1,)))
EIGHT = tuple(
    tuple(v if bits >> k & 1 else -v for k, v in enumerate((1, 2, 3))) for bits in range(8)
)
UNSATISFIABLE = Satisfiability(3, EIGHT)
ODD = Satisfiability(3, ((1, 1, 2), (3, -3), (2, 1), (1, 2, 3), (-2,), ()))
LONG = Satisfiability(6, ((1, 2, 3, 4, 5, 6), (-1, -6)))  # k = 7: curved axes
EMPTY = Satisfiability(0, ())
LARGE = Satisfiability(
    40, tuple((1 + i % 40, -(1 + (i * 7 + 3) % 40), 1 + (i * 11 + 5) % 40) for i in range(200))
)

# The sections as text, without what only marks the place of the keyboard's focus.
DRAWN = """html => {
  const root = html ? new DOMParser().parseFromString(html, "text/html") : document;
  const parts = [...root.querySelectorAll("main > * section, .bar, .switches")];
  return parts.filter(part => part.id !== "verdict").map(part => {
    const copy = part.cloneNode(true);
    for (const element of [copy, ...copy.querySelectorAll("*")]) {
      element.removeAttribute("tabindex");
      element.removeAttribute("disabled");
      const names = (element.getAttribute("class") ?? "").split(" ")
        .filter(name => name && name !== "on").sort().join(" ");
      element.setAttribute("class", names);
    }
    return copy.outerHTML;
  });
}"""

# The text of every element that has some, with colour and what is painted behind it.
CONTRASTS = """() => {
  const parse = text => {
    const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number);
    return [r, g, b, a];
  };
  const over = (top, below) => top.map((v, i) => i < 3 ? v * top[3] + below[i] * (1 - top[3]) : 1);
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map(v => (v /= 255) <= 0.03928 ? v / 12.92
      : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const background = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (!(at instanceof SVGElement)) layers.push(colour);
    }
    return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255, 1]);
  };
  const shapes = (text) => {  // filled shapes of the picture under the middle of the text
    const box = text.getBoundingClientRect();
    const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
    const found = [];
    for (const shape of text.ownerSVGElement.querySelectorAll("rect, circle, polygon")) {
      if (shape.compareDocumentPosition(text) & Node.DOCUMENT_POSITION_PRECEDING) continue;
      const point = new DOMPoint(x, y).matrixTransform(shape.getScreenCTM().inverse());
      const style = getComputedStyle(shape);
      if (style.fill !== "none" && shape.isPointInFill(point)) found.push(parse(style.fill));
    }
    return found;
  };
  const measured = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || element.closest("script, style, title, noscript"))
      continue;
    const style = getComputedStyle(element);
    if (style.visibility === "hidden" || !element.getClientRects().length) continue;
    const drawn = element instanceof SVGElement;
    let below = background(element);
    if (drawn) for (const fill of shapes(element)) below = over(fill, below);
    const colour = over(parse(drawn ? style.fill : style.color), below);
    const [a, b] = [light(colour), light(below)].sort((p, q) => q - p);
    measured.push([(a + 0.05) / (b + 0.05), walker.currentNode.textContent.trim()]);
  }
  return measured;
}"""


def text_of(formula: Satisfiability) -> str:
    return page(tell(formula, expected_answer(formula)), "f.cnf", ("a comment",))


def at(formula: Satisfiability, values: tuple[bool, ...]) -> str:
    """The page as it is written when it opens at these values."""
    answer = ExpectedAnswer(None, Why.UNKNOWN, "not asked", assignment=values)
    return page(tell(formula, answer), "f.cnf")


def flip_to(tab, values: tuple[bool, ...]) -> None:
    for index, value in enumerate(values):
        switch = tab.locator(".switch").nth(index)
        if switch.get_attribute("aria-pressed") != str(value).lower():
            switch.click()


def tab_to(tab, selector: str) -> None:
    for _ in range(40):
        tab.keyboard.press("Tab")
        if tab.evaluate("s => document.activeElement.matches(s)", selector):
            return
    pytest.fail(f"Tab does not reach {selector}")


def colour(tab, selector: str, name: str = "background-color") -> str:
    return tab.locator(selector).first.evaluate(
        "(element, name) => getComputedStyle(element).getPropertyValue(name)", name
    )


def fraction(text: str) -> Fraction:
    return Fraction(text.replace("−", "-"))


@pytest.mark.parametrize("formula", [WORKED, UNSATISFIABLE, ODD], ids=["small", "unsat", "odd"])
def test_the_script_agrees_with_exact_arithmetic(opened, formula):
    """Every number of every point, for every assignment."""
    tab = opened(text_of(formula))
    story = tell(formula, expected_answer(formula))
    for values in product((False, True), repeat=formula.variables):
        flip_to(tab, values)
        state = story.state(values)
        rows = tab.locator("#points tbody tr").evaluate_all(
            "rows => rows.map(row => [...row.cells].map(cell => cell.innerText))"
        )
        for (_, _, _, h1, h2, margin, output, ball, mark), point in zip(
            rows, state.points, strict=True
        ):
            assert (fraction(h1), fraction(h2)) == point.sides
            assert fraction(margin) == point.margin
            assert fraction(output) == point.output
            assert fraction(ball[1:].strip()) == point.worst
            assert mark == ("✓ right" if point.right else "✗ wrong")
        right = sum(point.right for point in state.points)
        assert tab.locator("#status").inner_text() == (
            f"{sum(state.clauses)} of {len(state.clauses)} clauses true, "
            f"{right} of {len(state.points)} balls right"
        )


@pytest.mark.parametrize(
    ("formula", "each"),
    [(WORKED, 1), (ODD, 1), (LONG, 9), (EMPTY, 1)],
    ids=["small", "odd", "long", "empty"],
)
def test_flipping_draws_what_the_program_would_write(opened, formula, each):
    tab = opened(text_of(formula))
    for values in list(product((False, True), repeat=formula.variables))[::each]:
        flip_to(tab, values)
        assert tab.evaluate(DRAWN) == tab.evaluate(DRAWN, at(formula, values)), values


def test_a_variable_is_flipped_by_keyboard_alone(opened):
    tab = opened(text_of(WORKED))  # x1 false, x2 true
    clause, point = '[data-e="c:1"]', '#points [data-e="p:11"]'
    before = colour(tab, clause), colour(tab, f"{point} td")
    dot = tab.locator('.plane [data-e="p:11"] circle').get_attribute("cx")
    tab_to(tab, ".switch")
    assert tab.locator(".switch").first.get_attribute("aria-pressed") == "false"
    tab.keyboard.press("Space")
    assert tab.locator(".switch").first.get_attribute("aria-pressed") == "true"
    assert tab.locator(f"{clause} .mark").inner_text() == "✗ false"
    assert tab.locator(f"{point} .mark").inner_text() == "✗ wrong"
    tab.keyboard.press("ArrowRight")
    assert tab.evaluate("document.activeElement.dataset.e") == "v:1"
    tab.keyboard.press("Tab")  # away, so that no mark colours the rows
    tab.keyboard.press("Escape")
    after = colour(tab, clause), colour(tab, f"{point} td")
    assert before[0] != after[0]
    assert before[1] != after[1]
    assert tab.locator('.plane [data-e="p:11"] circle').get_attribute("cx") != dot
    tab.locator("#reset").press("Enter")
    assert tab.evaluate("document.activeElement.dataset.e") == "v:0"  # the focus is not lost
    tab.keyboard.press("Escape")
    assert (colour(tab, clause), colour(tab, f"{point} td")) == before
    assert tab.locator("#reset").is_disabled()


def marked(tab) -> set[str]:
    keys = tab.locator(".on").evaluate_all("found => found.map(element => element.dataset.e)")
    return set(keys)


def test_pointing_at_a_clause_marks_what_belongs_to_it(opened):
    tab = opened(text_of(WORKED))
    tab.locator('[data-e="c:0"]').hover()
    # Clause 1 is x1 or x2: its not-all-equal clause, its point, and the literals x1, x2, s.
    assert marked(tab) == {"c:0", "n:0", "p:10", "l:0", "l:2", "l:4"}
    assert colour(tab, '#points [data-e="p:10"] td') != colour(tab, '#points [data-e="p:11"] td')
    edge = '.input[data-e="l:{}"] .edge'
    assert colour(tab, edge.format(0), "stroke-width") != colour(
        tab, edge.format(1), "stroke-width"
    )
    assert tab.locator("#computed").inner_text().startswith("At clause 1: F = 1")
    assert "Clause 1 is true, as x₂ is true" in tab.locator("#about").inner_text()
    tab.locator("h1").hover()
    assert marked(tab) == set()


def test_marks_follow_the_keyboard_and_stay_when_asked(opened):
    tab = opened(text_of(WORKED))
    tab_to(tab, "#points tr")
    assert marked(tab) == {"p:0"}
    tab.keyboard.press("End")
    assert marked(tab) == {"p:12", "l:4", "l:5"}
    tab.keyboard.press("ArrowUp")
    assert marked(tab) == {"c:1", "n:1", "p:11", "l:1", "l:4"}
    tab.keyboard.press("Enter")
    tab.keyboard.press("Tab")
    tab.locator("h1").hover()
    tab.evaluate("document.activeElement.blur()")
    assert "p:11" in marked(tab)
    tab.keyboard.press("Escape")
    assert marked(tab) == set()


def test_touching_a_clause_marks_it(opened):
    tab = opened(text_of(WORKED), width=390, has_touch=True)
    tab.locator('[data-e="c:0"]').tap()
    assert "p:10" in marked(tab)


def test_focus_is_not_hidden_under_the_panel(opened):
    tab = opened(text_of(LARGE), width=390)
    tab_to(tab, '[data-e="c:0"]')
    for _ in range(30):
        tab.keyboard.press("ArrowDown")
    for _ in range(30):
        tab.keyboard.press("ArrowUp")
    row, panel = (tab.locator(selector).bounding_box() for selector in ('[data-e="c:0"]', "#panel"))
    assert row["y"] >= panel["y"] + panel["height"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("formula", [WORKED, UNSATISFIABLE], ids=["sat", "unsat"])
def test_contrast(opened, formula, scheme):
    tab = opened(text_of(formula), scheme=scheme)
    for step in ("first", "flipped", "marked"):
        if step == "flipped":
            tab.locator(".switch").first.click()
        if step == "marked":
            tab.locator('[data-e="c:0"]').hover()
        found = tab.evaluate(CONTRASTS)
        assert len(found) > 200
        low = [(round(ratio, 2), text) for ratio, text in found if ratio < 4.5]
        assert low == [], step
    dark = tab.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
    assert dark == (scheme == "dark")


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize(
    "formula",
    [UNSATISFIABLE, ODD, LONG, EMPTY, LARGE],
    ids=["unsat", "odd", "long", "empty", "big"],
)
def test_nothing_is_wider_than_the_window(opened, formula, width):
    tab = opened(text_of(formula), width=width)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    wide = """() => [...document.querySelectorAll("main *, header *, .panel *")].filter(
      element => element.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML)"""
    assert tab.evaluate(wide) == []


def test_without_scripts_the_first_assignment_is_shown(opened):
    text = text_of(WORKED)
    tab = opened(text, java_script_enabled=False)
    assert tab.locator(".bad").count() == 0
    assert "shows its first assignment only" in tab.locator("noscript").inner_text()


def test_hostile_names_and_comments_stay_text(opened):
    evil = "</script><script>console.log(1)</script><img src=x onerror=alert(1)>"
    tab = opened(page(tell(WORKED, expected_answer(WORKED)), evil, (evil,)))
    assert tab.locator("img").count() == 0
    assert tab.locator("header code").inner_text() == evil
