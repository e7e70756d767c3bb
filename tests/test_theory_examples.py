"""Every number of the worked examples in docs/theory.md, derived anew and compared.

Each table of the document that follows a comment ``table: name`` has a function here that
returns its rows; a table without a function, or a function without a table, fails as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from reductions.graph import path
from reductions.problems import Satisfiability
from reductions.problems.depth_two import DepthTwoForm
from reductions.rules import (
    NaeSatisfiabilityToRobustMemorization,
    SatisfiabilityToNaeSatisfiability,
    SatisfiabilityToNetworkVerification,
)
from relucert.network import Network
from relucert.query import Box, Polyhedron

DOCUMENT = Path(__file__).parents[1] / "docs" / "theory.md"
Row = Sequence[object]
Point = tuple[Fraction, ...]

FORMULA = Satisfiability(2, ((1, 2), (-1,)))
LITERALS = (r"$x_1$", r"$\bar x_1$", r"$x_2$", r"$\bar x_2$", "$s$", r"$\bar s$")
HALF = Fraction(1, 2)


def relu(value: Fraction) -> Fraction:
    return max(Fraction(0), value)


def distance(x: Sequence[Fraction], other: Sequence[Fraction]) -> Fraction:
    return max(abs(a - b) for a, b in zip(x, other, strict=True))


def rationals(*values: object) -> Point:
    return tuple(Fraction(str(value)) for value in values)


def shown(point: Sequence[Fraction]) -> str:
    return "(" + ", ".join(map(str, point)) + ")"


def tables(text: str) -> dict[str, list[list[str]]]:
    """The body rows of every marked table, cell by cell, with the header for the first key."""
    found: dict[str, list[list[str]]] = {}
    for match in re.finditer(r"<!-- table: (\w+) -->\n((?:\|.*\n)+)", text):
        lines = match[2].splitlines()
        rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]
        assert match[1] not in found
        found[match[1]] = [rows[0], *rows[2:]]
    return found


# Section 1 and 2


def separation() -> list[Row]:
    points = [rationals(0, 0), rationals(1, "1/2"), rationals("1/4", 1)]
    labels = [1, 2, 1]
    return [
        (
            i + 1,
            shown(x),
            label,
            min(distance(x, y) for y, o in zip(points, labels, strict=True) if o != label),
        )
        for i, (x, label) in enumerate(zip(points, labels, strict=True))
    ]


def xor() -> list[Row]:
    network = Network.dense(
        [np.array([[1.0, 1.0], [2.0, 2.0]]), np.array([[1.0, -1.0]])],
        [np.array([0.5, -2.0]), np.array([-1.0])],
    )
    rows: list[Row] = []
    for x in (rationals(0, 0), rationals(1, 0), rationals(0, 1), rationals(1, 1)):
        h1, h2 = sum(x) - HALF, Fraction(3, 2) - sum(x)
        (value,) = network.evaluate_exactly(x)
        assert value == -1 + relu(h1 + 1) - relu(h1 - h2)
        rows.append((shown(x), "+1" if x[0] != x[1] else "-1", h1, h2, value))
    return rows


# Section 3

NAE = SatisfiabilityToNaeSatisfiability().reduce(FORMULA)
RULE = NaeSatisfiabilityToRobustMemorization()
DATA = RULE.reduce(NAE.target)
NETWORK_A = DATA.encode(NAE.encode((False, True)))


def affine(rows: Sequence[Sequence[Fraction]], offsets: Sequence[Fraction]) -> list[np.ndarray]:
    weights = np.array([[float(value) for value in row] for row in rows])
    biases = np.array([float(value) for value in offsets])
    assert all(Fraction(float(v)) == v for row in rows for v in row)
    return [weights, biases]


def own_sides() -> tuple[list[int], list[int]]:
    """a(1) and a(2) of the forward proof, from the assignment false, true, false."""
    k = 3
    values = NAE.encode((False, True))
    true = [value == positive for value in values for positive in (True, False)]
    first = [-1 if own else k - 1 for own in true]
    return first, [k - 2 - weight for weight in first]


def network_b() -> Network:
    """-1 + relu(2 h1 + 1) - relu(2 h1 - 2 h2) with the sides swapped."""
    second, first = (np.array(side, dtype=float) for side in own_sides())
    hidden = np.array([2 * first, 2 * first - 2 * second])
    return Network.dense(
        [hidden, np.array([[1.0, -1.0]])], [np.array([2.0, 0.0]), np.array([-1.0])]
    )


Z_OF_C = [
    rationals(*pair)
    for pair in (("1/4", "7/8"), ("9/8", -10), (2, -10), (-10, 2), (-10, 2), (2, -10))
]
"""The values of z1 and z2 at the unit vectors, chosen so that the third half-space matters."""
AT_ORIGIN = rationals("1/2", -1)


def weights_c() -> list[list[Fraction]]:
    return [[values[j] - AT_ORIGIN[j] for values in Z_OF_C] for j in range(2)]


def network_c() -> Network:
    """1 - relu(z1) - relu(z2)."""
    weights, biases = affine(weights_c(), AT_ORIGIN)
    return Network.dense([weights, np.array([[-1.0, -1.0]])], [biases, np.array([1.0])])


def formula() -> list[Row]:
    def text(clause: Sequence[int]) -> str:
        return " ".join(map(str, clause))

    return [
        (text(old), text(new)) for old, new in zip(FORMULA.clauses, NAE.target.clauses, strict=True)
    ]


def sizes() -> list[Row]:
    data = DATA.target
    points = [tuple(row) for row in data.dense_points()]
    closest = min(
        distance(x, y)
        for x, own in zip(points, data.labels, strict=True)
        for y, other in zip(points, data.labels, strict=True)
        if own != other
    )
    v, k, m = NAE.target.variables, NAE.target.largest_clause, len(NAE.target.clauses)
    assert len(points) == 3 * v + m + 2
    moved = data.budget * v * k
    t = next(2**i for i in range(20) if 2**i * (HALF - moved) >= 1)
    values = (len(points), data.dimension, Fraction(1, 2 * v * k), data.budget, closest, moved, t)
    names = (
        "points $N = 3v + m + 2$",
        "dimension $2v$",
        "bound on the budget $1 / (2vk)$",
        r"budget $\mu$",
        r"$\lambda_D$",
        r"$\mu v k$",
        "$t$",
    )
    return list(zip(names, values, strict=True))


def halfspaces() -> list[Row]:
    first, second = own_sides()
    return [("$a^{(1)}$", *first), ("$a^{(2)}$", *second)]


def points() -> list[Row]:
    data, form = DATA.target, DATA.target.form(NETWORK_A)
    names = [
        "origin",
        *LITERALS,
        *(f"pair {name}" for name in LITERALS[::2]),
        "clause 1",
        "clause 2",
        "midpoint",
    ]
    sides = own_sides()
    rows: list[Row] = []
    for name, dense, point, label in zip(
        names, data.dense_points(), data.points, data.labels, strict=True
    ):
        z = [-1 - 4 * sum(w * x for w, x in zip(side, dense, strict=True)) for side in sides]
        assert [neuron(point) for neuron in form.neurons] == z
        (value,) = NETWORK_A.evaluate_exactly(dense)
        assert value == 1 - relu(z[0]) - relu(z[1])
        low = form.minimum_on_ball(point, data.budget)
        high = form.maximum_on_ball(point, data.budget)
        assert label * low > 0 < label * high
        coordinates = " ".join(map(str, dense))
        rows.append((name, coordinates, f"{label:+d}", *z, value, low, high))
    return rows


def third() -> list[Row]:
    return [
        (name, *row, offset)
        for name, row, offset in zip(("$z_1$", "$z_2$"), weights_c(), AT_ORIGIN, strict=True)
    ]


def wedge_colors(network: Network) -> list[int]:
    """Colours by H1 = z1 + c and H2 = z1 - z2 + c, straight from the proof."""
    form = DATA.target.form(network)
    assert form.signs == (1, -1)
    assert form.constant <= 0
    z1, z2 = form.neurons
    colors = []
    for point in DATA.target.points[1:7]:
        excluded = [z1(point) + form.constant <= 0, z1(point) - z2(point) + form.constant <= 0]
        assert excluded.count(True) == 1
        colors.append(1 + excluded.index(True))
    return colors


def bevel_colors(form: DepthTwoForm) -> list[int]:
    assert form.signs == (-1, -1)
    z1, z2 = form.neurons
    colors = []
    for point in DATA.target.points[1:7]:
        if z1(point) >= form.constant:
            colors.append(1)
        elif z2(point) >= form.constant:
            colors.append(2)
        else:
            assert z1(point) + z2(point) >= form.constant
            colors.append(2 if z1(point) < z1.bias else 1)
    return colors


def decoding() -> list[Row]:
    last = network_c()
    form = DATA.target.form(last)
    plain = NaeSatisfiabilityToRobustMemorization(budget=Fraction(0)).reduce(NAE.target)
    by_b = wedge_colors(network_b())
    rows: list[Row] = [
        (name, a, b, c, ", ".join(str(z(point)) for z in form.neurons))
        for name, a, b, c, point in zip(
            LITERALS,
            bevel_colors(DATA.target.form(NETWORK_A)),
            by_b,
            bevel_colors(form),
            DATA.target.points[1:7],
            strict=True,
        )
    ]
    decoded = [
        NAE.decode(reduction.decode(network))
        for reduction, network in ((DATA, NETWORK_A), (DATA, network_b()), (plain, last))
    ]
    words = [", ".join(str(value).lower() for value in solution) for solution in decoded]
    return [*rows, ("decoded $x_1, x_2$", *words, "")]


# Section 5

COUNTER = SatisfiabilityToNetworkVerification().reduce(FORMULA)


def height(x: Point) -> Fraction:
    """y by its formula."""
    clauses = relu(1 - x[0] - x[1]) + relu(x[0])
    folds = 3 * (x[0] - relu(2 * x[0] - 1)) + 2 * (x[1] - relu(2 * x[1] - 1))
    return 2 - clauses - folds


def verifier() -> list[Row]:
    hidden, output = COUNTER.target.network.layers
    names = ("clause 1", "clause 2", "$x_1$", "$x_2$", "carry")
    weights = hidden.weight if hidden.is_dense else hidden.weight.toarray()
    outer = output.weight if output.is_dense else output.weight.toarray()
    assert output.bias.tolist() == [2.0]
    return [
        (name, *(int(w) for w in row), int(bias), int(weight))
        for name, row, bias, weight in zip(names, weights, hidden.bias, outer[0], strict=True)
    ]


def heights() -> list[Row]:
    rows: list[Row] = []
    for x in (
        *(rationals(*bits) for bits in ((0, 0), (1, 0), (0, 1), (1, 1))),
        rationals("1/2", "1/2"),
        rationals("1/10", "19/20"),
    ):
        (value,) = COUNTER.target.network.evaluate_exactly(x)
        assert value == height(x)
        satisfied: object = "-"
        if all(coordinate in (0, 1) for coordinate in x):
            true = [coordinate == 1 for coordinate in x]
            satisfied = sum(
                any(true[abs(lit) - 1] == (lit > 0) for lit in clause) for clause in FORMULA.clauses
            )
        rows.append((shown(x), value, satisfied, "yes" if COUNTER.target.check(x) else "no"))
    return rows


def rounding() -> list[Row]:
    x = list(rationals("1/10", "19/20"))
    start, rows = tuple(x), []
    for i in range(2):
        values = []
        for end in (0, 1):
            x[i] = Fraction(end)
            values.append(height(tuple(x)))
        x[i] = Fraction(int(values[1] > values[0]))
        rows.append((f"$x_{i + 1}$", *values, shown(x)))
    assert COUNTER.decode(start) == tuple(value == 1 for value in x)
    return rows


# Section 6


def running() -> list[Row]:
    rows: list[Row] = []
    mu, delta = Fraction(1, 4), HALF
    for x in rationals("-1/4", "1/4", "1/2", "3/4", "5/4"):
        excess = [relu(x - p - mu) + relu(p - mu - x) for p in (0, 1)]
        first = relu(1 - excess[0] / delta)
        rows.append((x, *excess, first, first + relu(2 - 2 * excess[1] / delta - first)))
    return rows


def tent() -> list[Row]:
    at = rationals("-1/2", "-1/4", 0, "1/4", "1/2", "3/4", 1, "3/2")
    return [("$F$", *(relu(1 - 2 * abs(x)) - relu(1 - 2 * abs(x - 1)) for x in at))]


def narrow() -> list[Row]:
    weight, mu, v, j = rationals(1, 1), Fraction(1, 4), rationals(1, -1), 0
    assert sum(w * e for w, e in zip(weight, v, strict=True)) == 0
    t = 1 - 2 * mu
    centres = (rationals(0, 0), rationals(1, 0))
    low = tuple(mu if i == j else -t / 2 * e for i, e in enumerate(v))
    high = tuple(1 - mu if i == j else t / 2 * e for i, e in enumerate(v))
    rows: list[Row] = []
    for name, x, centre, label in zip(("$x$", "$x'$"), (low, high), centres, (1, 2), strict=True):
        assert distance(x, centre) <= mu
        product_ = sum(w * e for w, e in zip(weight, x, strict=True))
        rows.append((name, shown(x), product_, shown(centre), label))
    return rows


# Section 7


def tenth() -> list[Row]:
    assert Fraction(0.1) - Fraction(1, 10) == Fraction(1, 5 * 2**55)
    return [
        ("the double nearest to 1/10", Fraction(0.1)),
        ("its distance from 1/10", Fraction(0.1) - Fraction("0.1")),
    ]


def least(slope: Fraction, offset: Fraction) -> Fraction:
    return offset + min(-slope, slope)


def relaxation() -> list[Row]:
    """Bounds on [-1, 1], and the minima at the ends and kinks of each part."""

    def f(x: Fraction) -> Fraction:
        return 2 * relu(x) - relu(x - HALF)

    kinks = rationals(-1, 0, "1/2", 1)
    low, high = Fraction(-3, 2), HALF
    s = high / (high - low)
    minima = [min(map(f, part)) for part in (kinks, [x for x in kinks if x <= HALF], kinks[2:])]
    rows: list[Row] = []
    for alpha in rationals(1, 0, "1/8"):
        bound = least(2 * alpha - s, s * (low + HALF))
        rows.append(("whole box", alpha, "-", bound, minima[0]))
    rows.append((r"$z \le 0$", 0, 0, least(Fraction(0), Fraction(0)), minima[1]))
    for beta in (0, 1):
        bound = least(Fraction(2 - 1 - beta), HALF + beta * HALF)
        rows.append((r"$z \ge 0$", 1, beta, bound, minima[2]))
    return rows


def duals() -> list[Row]:
    rows: list[Row] = []
    for y in (rationals("1/3", "1/3"), rationals("33/100", "34/100"), rationals("1/2", "1/2")):
        reduced = (1 - 2 * y[0] - y[1], 1 - y[0] - 2 * y[1])
        bound = sum(y) + sum(min(Fraction(0), r) for r in reduced)
        rows.append((shown(y), shown(reduced), bound))
    return rows


COMPUTED: dict[str, Callable[[], list[Row]]] = {
    function.__name__: function
    for function in (
        *(separation, xor, formula, sizes, halfspaces, points, third, decoding),
        *(verifier, heights, rounding, running, tent, narrow, tenth, relaxation, duals),
    )
}


def test_every_table_is_recomputed():
    assert set(tables(DOCUMENT.read_text(encoding="utf-8"))) == set(COMPUTED)


@pytest.mark.parametrize("name", COMPUTED)
def test_table(name):
    written = tables(DOCUMENT.read_text(encoding="utf-8"))[name][1:]
    assert written == [[str(cell) for cell in row] for row in COMPUTED[name]()]


def test_the_third_network_is_what_the_document_says():
    network = network_c()
    data, form = DATA.target, DATA.target.form(network)
    assert not data.check(network)
    assert all(label * form(p) > 0 for p, label in zip(data.points, data.labels, strict=True))
    z1, z2 = (neuron(data.points[1]) for neuron in form.neurons)
    assert max(z1, z2) < form.constant <= z1 + z2
    assert z1 < form.neurons[0].bias


def test_the_second_network_memorizes_whole_balls():
    assert DATA.target.check(network_b())
    assert NAE.decode(DATA.decode(network_b())) == (False, True)
    assert DATA.decode(network_b())[2] is True


def test_the_example_has_one_solution_and_its_contradiction_has_none():
    solutions = [x for x in product((False, True), repeat=2) if FORMULA.check(x)]
    assert solutions == [(False, True)]
    contradiction = path("satisfiability", "robust-memorization").reduce(
        Satisfiability(1, ((1,), (-1,)))
    )
    assert contradiction.target.solve_by_enumeration() is None


def test_budgets_up_to_the_bound_of_the_document_only():
    below = NaeSatisfiabilityToRobustMemorization(budget=Fraction(1, 18) - Fraction(1, 10**6))
    reduction = below.reduce(NAE.target)
    assert reduction.target.check(reduction.encode((False, True, False)))


def test_the_running_example_holds_on_whole_balls():
    for label, ball in ((1, ("-1/4", "1/4")), (2, ("3/4", "5/4"))):
        for row in running():
            if Fraction(ball[0]) <= Fraction(str(row[0])) <= Fraction(ball[1]):
                assert row[-1] == label


def test_sections_are_those_the_code_refers_to():
    headings = re.findall(r"^## (\d) ", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    assert headings == list("1234567")


def test_files_named_in_the_document_exist():
    root = DOCUMENT.parents[1]
    named = re.findall(r"`((?:reductions|tests|src)/[\w/.]+)`", DOCUMENT.read_text("utf-8"))
    assert named
    assert all((root / name).exists() for name in named)


def test_the_unsafe_set_is_the_threshold_of_the_document():
    (case,) = COUNTER.target.query.cases
    assert case.unsafe == (Polyhedron((rationals(-1),), rationals("-3/2")),)
    assert case.box == Box(rationals(0, 0), rationals(1, 1))
