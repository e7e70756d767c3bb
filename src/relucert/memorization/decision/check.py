"""The checker of certificates: exact, plain, and sharing nothing with the search.

What it relies on (docs/theory.md, section 2): the positive or the negative side of a network of
depth 2 and width 2 that memorizes data is a wedge or a bevel whose functions are positive on
the whole balls inside and of which one is negative at every point of a ball outside.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import Any

from relucert.exact import parse_rational
from relucert.memorization.decision.check_rup import refutes_clauses
from relucert.read.points import LabelledPoints

__all__ = ["CertificateCheck", "check_no_certificate"]

_FORMAT = "relucert no-memorization certificate 1"
_SHAPES_OF_WIDTH_2 = sorted(product(("bevel", "wedge"), (-1, 1)))
_ATOMS = {"wedge": 2, "bevel": 5}
_ZERO = Fraction(0)

Weights = dict[int, Fraction]


@dataclass(frozen=True)
class CertificateCheck:
    """Whether a certificate proves that there is no network; ``problem`` says why not."""

    accepted: bool
    problem: str = ""

    @property
    def words(self) -> str:
        """The outcome as people read it."""
        return "certificate accepted" if self.accepted else f"certificate rejected: {self.problem}"


class _RejectedError(Exception):
    """A condition of the certificate does not hold."""


def check_no_certificate(
    data: LabelledPoints, budget: Fraction, width: int, record: Mapping[str, Any]
) -> CertificateCheck:
    """Whether ``record`` proves: no depth-2 network of this width memorizes data with the budget.

    Everything is computed from the data set itself, in rationals; the format is described in
    `relucert.memorization.decision.certificate`. Malformed records are rejected, never raised.
    """
    try:
        _check(data, Fraction(budget), width, record)
    except _RejectedError as reason:
        return CertificateCheck(False, str(reason))
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as error:
        return CertificateCheck(False, f"malformed ({type(error).__name__}: {error})")
    return CertificateCheck(True)


def _check(data: LabelledPoints, budget: Fraction, width: int, record: Mapping[str, Any]) -> None:
    _require(record["format"] == _FORMAT, "the format is unknown")
    sizes = (len(data), data.input_size, 2, width)
    named = tuple(record[key] for key in ("points", "dimension", "depth", "width"))
    _require(named == sizes, f"points, dimension, depth and width are {named}, asked for {sizes}")
    _require(parse_rational(record["budget"]) == budget, "it is about another budget")
    _require(budget >= 0, "the budget is negative")
    labels = sorted(set(data.labels.tolist()))
    _require(len(labels) == 2, "the data does not have two labels")
    facts = _Facts(data, {labels[0]: -1, labels[1]: 1}, budget)
    shapes = record["shapes"]
    found = sorted((shape["kind"], shape["inside"]) for shape in shapes)
    if width == 1:
        _require(found in ([("half-space", 1)], [("half-space", -1)]), "not one half-space")
        _check_half_space(facts, shapes[0])
        return
    _require(width == 2, "only widths 1 and 2 have certificates")
    _require(found == _SHAPES_OF_WIDTH_2, "not every shape is refuted exactly once")
    for shape in shapes:
        _check_shape(facts, shape)


class _Facts:
    """The data set: sparse exact rows, labels -1 and +1, and the budget."""

    def __init__(self, data: LabelledPoints, signs: Mapping[int, int], budget: Fraction) -> None:
        self.rows: list[Weights] = [
            {index: value for index, value in enumerate(data.point(row)) if value}
            for row in range(len(data))
        ]
        self.signs = [signs[label] for label in data.labels.tolist()]
        self.dimension = data.input_size
        self.budget = budget

    def row(self, index: int, label: int) -> Weights:
        """A point of the data, which must have this label."""
        _require(type(index) is int and 0 <= index < len(self.rows), f"there is no row {index}")
        _require(self.signs[index] == label, f"row {index} is on the other side")
        return self.rows[index]


def _check_half_space(facts: _Facts, shape: Mapping[str, Any]) -> None:
    """The hulls of the two labels' balls meet."""
    inside = _multipliers(shape["multipliers"]["inside"])
    excluded = _multipliers(shape["multipliers"]["excluded"])
    label = shape["inside"]
    _require(sum(inside.values()) == 1 == sum(excluded.values()), "the sums are not 1")
    combination: Weights = defaultdict(Fraction)
    for index, value in inside.items():
        _add(combination, value, facts.row(index, label))
    for index, value in excluded.items():
        _add(combination, -value, facts.row(index, -label))
    _require(_size(combination) <= 2 * facts.budget, "the hulls of the balls do not meet")


def _check_shape(facts: _Facts, shape: Mapping[str, Any]) -> None:
    kind, label = shape["kind"], shape["inside"]
    name = f"{kind} around {label:+d}"
    reference = facts.row(shape["reference"], label)
    points = [_point(facts, -label, *entry) for entry in shape["points"]]
    atoms = _ATOMS[kind]
    clauses = _axioms(kind, len(points))
    for number, conflict in enumerate(shape["conflicts"]):
        try:
            if "level" in conflict:
                _require(kind == "bevel", "only a bevel's half-spaces are tied")
                found = _tied_clauses(facts, label, points, conflict)
            else:
                found = _alone_clauses(facts, label, points, reference, conflict, atoms)
        except _RejectedError as reason:
            raise _RejectedError(f"{name}, conflict {number}: {reason}") from None
        clauses += found
    proof = shape["proof"]
    _require(all(isinstance(line, str) for line in proof), f"{name}: the proof is not text")
    problem = refutes_clauses(clauses, proof)
    _require(problem is None, f"{name}: {problem}")


def _point(facts: _Facts, label: int, row: int, coordinates: Any) -> Weights:
    """A point outside: the centre of a ball, or a point of it."""
    centre = facts.row(row, label)
    if coordinates is None:
        return centre
    point = _multipliers(coordinates, signed=True)
    _require(all(0 <= index < facts.dimension for index in point), "a coordinate does not exist")
    difference: Weights = defaultdict(Fraction, point)
    _add(difference, Fraction(-1), centre)
    _require(_size(difference) <= facts.budget, f"a point is not in the ball of row {row}")
    return point


def _axioms(kind: str, points: int) -> list[list[int]]:
    """What holds for every memorizing network of the shape, up to exchanging its neurons.

    c_j: h_j < 0 at the point; g_k: z_k there is at least z_k at the reference r. Some c_j holds.
    In a bevel z_k(r) < c, so c_k, which is z_k > c, implies g_k; and c_3, z1 + z2 > c > z1(r) +
    z2(r), implies g_1 or g_2. So at the first point c_1 or c_2 (wedge), g_1 or g_2 (bevel) holds,
    and with the right order of the neurons the first of them.
    """
    if not points:
        return []
    if kind == "wedge":
        return [[1], *([2 * p + 1, 2 * p + 2] for p in range(points))]
    clauses = [[4]]
    for base in range(0, 5 * points, 5):
        clauses += [[base + 1, base + 2, base + 3], [-base - 3, base + 4, base + 5]]
        clauses += [[-base - 1, base + 4], [-base - 2, base + 5]]
    return clauses


def _alone_clauses(
    facts: _Facts, label: int, points: Sequence[Weights], reference: Weights,
    conflict: Mapping[str, Any], atoms: int,
) -> list[list[int]]:  # fmt: skip
    """One half-space h, with h > mu ||w||_1 inside, h < 0 ``excluded``, h <= h(r) ``beyond``.

    sum inside (h(x) - mu ||w||) - sum excluded h(q) + sum beyond (h(r) - h(q)) would be positive,
    but is <w, combination> - mu ||w||_1, at most 0.
    """
    inside, excluded, beyond = (_multipliers(conflict[k]) for k in ("inside", "excluded", "beyond"))
    _require(sum(inside.values()) == 1 == sum(excluded.values()), "the sums are not 1")
    _require(not beyond or atoms == 5, "a wedge has no reference")
    combination: Weights = defaultdict(Fraction)
    for row, value in inside.items():
        _add(combination, value, facts.row(row, label))
    for index, value in excluded.items():
        _add(combination, -value, points[index])
    for index, value in beyond.items():
        _add(combination, value, reference)
        _add(combination, -value, points[index])
    _require(_size(combination) <= facts.budget, "the multipliers leave a margin")
    half_spaces = 2 if beyond or atoms == 2 else 3
    return [
        [-(atoms * p + j) for p in excluded] + [-(atoms * p + 3 + j) for p in beyond]
        for j in range(1, half_spaces + 1)
    ]


def _tied_clauses(
    facts: _Facts, label: int, points: Sequence[Weights], conflict: Mapping[str, Any]
) -> list[list[int]]:
    """h1 = c - z1, h2 = c - z2, h3 = c - z1 - z2, c > 0 together.

    The sum of all inequalities times multipliers must vanish in c and the biases; in the weights
    it is <w1, a> + <w2, b> minus mu times Y1 ||w1|| + Y2 ||w2|| + Y3 ||w1 + w2||, at most 0 iff in
    every coordinate |a| <= mu (Y1 + Y3), |b| <= mu (Y2 + Y3) and |a - b| <= mu (Y1 + Y2).
    """
    inside = [_multipliers(part) for part in conflict["inside"]]
    excluded = [_multipliers(part) for part in conflict["excluded"]]
    level = parse_rational(conflict["level"])
    _require(len(inside) == 3 == len(excluded) and level >= 0, "not three half-spaces")
    y1, y2, y3 = (sum(part.values(), _ZERO) for part in inside)
    l1, l2, l3 = (sum(part.values(), _ZERO) for part in excluded)
    _require(y1 + y2 + y3 + level + l1 + l2 + l3 > 0, "all multipliers are 0")
    _require(y1 + y3 == l1 + l3 and y2 + y3 == l2 + l3, "the biases do not cancel")
    _require(y1 + y2 + y3 + level == l1 + l2 + l3, "the level does not cancel")
    a: Weights = defaultdict(Fraction)
    b: Weights = defaultdict(Fraction)
    for j, targets in enumerate(((a,), (b,), (a, b))):
        for target in targets:
            for row, value in inside[j].items():
                _add(target, -value, facts.row(row, label))
            for index, value in excluded[j].items():
                _add(target, value, points[index])
    between: Weights = defaultdict(Fraction, a)
    _add(between, Fraction(-1), b)
    for combination, reach in ((a, y1 + y3), (b, y2 + y3), (between, y1 + y2)):
        _require(_size(combination) <= facts.budget * reach, "the multipliers leave a margin")
    return [
        [-(5 * p + j) for j, part in zip(order, excluded, strict=True) for p in part]
        for order in ((1, 2, 3), (2, 1, 3))
    ]


def _multipliers(texts: Mapping[str, str], signed: bool = False) -> Weights:
    """Numbers by index; without ``signed`` positive ones. Indices are plain decimals."""
    values = {}
    for key, text in texts.items():
        index, value = int(key), parse_rational(text)
        _require(str(index) == key and index >= 0, f"{key!r} is not an index")
        _require(signed or value > 0, f"multiplier {text} is not positive")
        values[index] = value
    return values


def _add(total: Weights, factor: Fraction, point: Mapping[int, Fraction]) -> None:
    for index, value in point.items():
        total[index] = total.get(index, _ZERO) + factor * value


def _size(combination: Weights) -> Fraction:
    return max(map(abs, combination.values()), default=_ZERO)


def _require(condition: bool, problem: str) -> None:
    if not condition:
        raise _RejectedError(problem)
