"""Certificates: valid ones are accepted, every corruption is rejected, none raises."""

import ast
import copy
import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.formula_data import formula_data, random_formula

from reductions.rup import check_proof
from relucert.errors import FileError
from relucert.memorization.decision import check as check_module
from relucert.memorization.decision.certificate import read_certificate, write_certificate
from relucert.memorization.decision.check import check_no_certificate
from relucert.memorization.decision.check_rup import refutes_clauses
from relucert.memorization.decision.decide import decide
from relucert.read.points import LabelledPoints


def _made(instance, budget, width=2):
    record = decide(instance, budget, width).answer.certificate
    assert record is not None
    return instance, budget, width, record


@pytest.fixture(scope="module")
def formula():
    """An unsatisfiable formula on three variables, at nine tenths of the threshold."""
    seed = next(
        s for s in range(100) if decide(formula_data(random_formula(3, 6, s)).data,
                                        Fraction(0), 2).answer.words.startswith("No")
    )  # fmt: skip
    instance = formula_data(random_formula(3, 6, seed), Fraction(9, 10))
    return _made(instance.data, instance.budget)


@pytest.fixture(scope="module")
def line():
    """Alternating labels on a line, with balls: needs more than two neurons."""
    data = LabelledPoints(
        np.array([1, -1, 1, -1, 1]), "line", np.array([[0.0], [1.0], [2.0], [3.0], [4.0]])
    )
    return _made(data, Fraction(1, 4))


@pytest.fixture(scope="module")
def plane():
    """A wedge would have to cut balls short: points of balls other than their centres matter."""
    for seed in range(400):
        rng = np.random.default_rng(seed)
        rows = np.unique(rng.integers(0, 5, (8, 2)), axis=0)
        data = LabelledPoints(rng.choice([-1, 1], len(rows)), "plane", rows)
        budget = Fraction(19, 40)
        if len(set(data.labels.tolist())) < 2:
            continue
        record = getattr(decide(data, budget, 2).answer, "certificate", None)
        if record and any(p[1] is not None for s in record["shapes"] for p in s["points"]):
            return data, budget, 2, record
    raise AssertionError("no such data set")


@pytest.fixture(scope="module")
def xor():
    data = LabelledPoints(np.array([0, 0, 1, 1]), "xor", np.array([[0, 0], [1, 1], [0, 1], [1, 0]]))
    return _made(data, Fraction(1, 8), 1)


@pytest.fixture(params=["formula", "line", "plane", "xor"])
def certified(request):
    return request.getfixturevalue(request.param)


def _accepted(certified, record=None, budget=None, width=None, data=None):
    own_data, own_budget, own_width, own_record = certified
    return check_no_certificate(
        data or own_data,
        own_budget if budget is None else budget,
        width or own_width,
        own_record if record is None else record,
    ).accepted


def test_the_checker_shares_nothing_with_the_search():
    allowed = {
        "check.py": {
            "relucert.exact",
            "relucert.read.points",
            "relucert.memorization.decision.check_rup",
        },
        "check_rup.py": set(),
    }
    folder = Path(check_module.__file__).parent
    for name, modules in allowed.items():
        tree = ast.parse((folder / name).read_text(encoding="utf-8"))
        used = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert {module for module in used if module.startswith("relucert")} == modules


def test_valid_certificates_are_accepted_and_survive_a_file(certified, tmp_path):
    assert _accepted(certified)
    for name in ("c.json", "c.json.gz"):
        write_certificate(certified[3], tmp_path / name)
        again = read_certificate(tmp_path / name)
        assert again == certified[3]
        assert _accepted(certified, again)


def _leaves(value, path=()):
    """Every place of a record that holds a scalar."""
    if isinstance(value, dict):
        for key in value:
            yield from _leaves(value[key], (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _leaves(item, (*path, index))
    else:
        yield path


def _at(record, path):
    for key in path:
        record = record[key]
    return record


def _changed(record, path, value):
    record = copy.deepcopy(record)
    _at(record, path[:-1])[path[-1]] = value
    return record


def test_another_question_is_rejected(certified):
    data, budget, width, record = certified
    assert not _accepted(certified, budget=budget / 2)
    assert not _accepted(certified, budget=budget * 2)
    assert not _accepted(certified, width=3 - width)
    flipped = LabelledPoints(-data.labels, "flipped", data.values)
    spread = LabelledPoints(
        data.labels, "moved", data.values * np.arange(1, len(data) + 1)[:, None]
    )
    fewer = LabelledPoints(data.labels[:-1], "fewer", data.values[:-1])
    for other in (flipped, spread, fewer):
        check = check_no_certificate(other, budget, width, record)
        assert not check.accepted, other.name


def test_each_multiplier_matters(certified):
    """Negating, zeroing or blanking any multiplier is noticed, and every change of a fixed sum."""
    record = certified[3]
    places = [
        path
        for path in _leaves(record)
        if ("conflicts" in path or "multipliers" in path) and path[-1] != "level"
    ]
    assert places
    for path in places[:: max(1, len(places) // 25)]:
        value = Fraction(_at(record, path))
        wrongs = [str(-value), "0", "x", "", 1]
        if "beyond" not in path:  # their sum is free, and a budget may leave them room
            wrongs += [str(2 * value), str(value + Fraction(1, 10**30))]
        for wrong in wrongs:
            assert not _accepted(certified, _changed(record, path, wrong)), (path, wrong)


def test_each_named_field_matters(certified):
    record = certified[3]
    for key in ("format", "points", "dimension", "depth", "width", "budget", "shapes"):
        assert not _accepted(certified, {k: v for k, v in record.items() if k != key}), key
        for wrong in (None, 17, "17", [], {}):
            assert not _accepted(certified, record | {key: wrong}), key


def test_every_shape_is_needed_exactly_once(certified):
    record = certified[3]
    shapes = record["shapes"]
    for index, shape in enumerate(shapes):
        rest = shapes[:index] + shapes[index + 1 :]
        assert not _accepted(certified, record | {"shapes": rest})
        assert not _accepted(certified, record | {"shapes": [*shapes, shape]})
        for wrong in ({"kind": "halfspace"}, {"kind": None}, {"inside": -shape["inside"]}):
            changed = [*rest, shape | wrong]
            assert not _accepted(certified, record | {"shapes": changed})


def test_points_must_lie_in_their_balls_and_on_their_side(plane):
    data, budget, _, record = plane
    tried = 0
    for s, shape in enumerate(record["shapes"]):
        for p, (row, point) in enumerate(shape["points"]):
            place = ("shapes", s, "points", p)
            inside = int(np.flatnonzero(data.labels == shape["inside"])[0])
            assert not _accepted(plane, _changed(record, place, [inside, point]))
            assert not _accepted(plane, _changed(record, place, [len(data), point]))
            assert not _accepted(plane, _changed(record, place, [-1, point]))
            assert not _accepted(plane, _changed(record, place, [row, {"7": "0"}]))
            away = {"0": str(data.point(row)[0] + budget + Fraction(1, 10**9))}
            assert not _accepted(plane, _changed(record, place, [row, away]))
            tried += 1
    assert tried


def test_conflicts_that_the_proof_uses_cannot_be_left_out(formula, line):
    for certified in (formula, line):
        record = certified[3]
        for s, shape in enumerate(record["shapes"]):
            place = ("shapes", s, "conflicts")
            assert not _accepted(certified, _changed(record, place, []))
            for wrong in (None, 3, [None], [{}], [{"inside": {}, "excluded": {}, "beyond": {}}]):
                assert not _accepted(certified, _changed(record, place, wrong))
            assert not _accepted(certified, _changed(record, ("shapes", s, "proof"), []))
            for line_of_proof in ("1 0 0", "x 0", "1", "", None, 5):
                changed = [line_of_proof, *shape["proof"]]
                assert not _accepted(certified, _changed(record, ("shapes", s, "proof"), changed))


def test_an_empty_clause_out_of_nothing_is_rejected(formula):
    """A proof of one line holds only where the clauses contradict each other at once."""
    record = copy.deepcopy(formula[3])
    for shape in record["shapes"]:
        shape["conflicts"], shape["proof"] = [], ["0"]
    assert not _accepted(formula, record)


def test_a_conflict_beyond_the_reference_is_not_for_wedges(formula):
    record = formula[3]
    bevel = next(s for s in record["shapes"] if s["kind"] == "bevel" and s["inside"] == 1)
    beyond = [c for c in bevel["conflicts"] if "level" not in c and c["beyond"]]
    assert beyond
    place = next(
        i for i, s in enumerate(record["shapes"]) if s["kind"] == "wedge" and s["inside"] == 1
    )
    conflicts = [*record["shapes"][place]["conflicts"], beyond[0]]
    assert not _accepted(formula, _changed(record, ("shapes", place, "conflicts"), conflicts))


@pytest.mark.parametrize(
    "text",
    ['{"a":1,"a":2}', '{"a":1.5}', '{"a":NaN}', '{"a":1e400}', "[]", "", "{", "[" * 100_000],
)
def test_files_with_tricks_are_refused(tmp_path, text):
    path = tmp_path / "c.json"
    path.write_text(text)
    with pytest.raises(FileError):
        read_certificate(path)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_random_corruption_never_raises(line, data):
    record = copy.deepcopy(line[3])
    path = data.draw(st.sampled_from(list(_leaves(record))))
    value = data.draw(
        st.one_of(
            st.none(), st.integers(-3, 10), st.booleans(), st.lists(st.integers(), max_size=2),
            st.sampled_from(["1/0", "1e9999", "nan", "-1", "½", "1" * 5000, "{}", "0x1"]),
        )
    )  # fmt: skip
    check = check_no_certificate(line[0], line[1], 2, _changed(record, path, value))
    assert check.accepted or check.problem
    json.dumps(record)


CLAUSES = st.lists(
    st.lists(st.integers(-4, 4).filter(bool), min_size=1, max_size=3, unique=True), max_size=14
)


@settings(max_examples=200, deadline=None)
@given(CLAUSES, st.lists(st.lists(st.integers(-4, 4).filter(bool), max_size=3, unique=True),
                         max_size=6), st.lists(st.booleans(), max_size=6))  # fmt: skip
def test_the_proof_checker_agrees_with_an_independent_one(clauses, lemmas, deletes):
    lines = [
        ("d " if delete else "") + " ".join(map(str, [*lemma, 0]))
        for lemma, delete in zip(lemmas, deletes, strict=False)
    ]
    lines.append("0")
    clauses = [clause for clause in clauses if not any(-literal in clause for literal in clause)]
    other = check_proof(4, [tuple(clause) for clause in clauses], lines)
    assert (refutes_clauses(clauses, lines) is None) == other.accepted
