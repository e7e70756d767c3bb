"""The separation bound against all pairs in rationals."""

import time
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relucert.errors import QueryError
from relucert.memorization.separation import Separation, check_budget, separation_bound
from relucert.read.points import LabelledPoints, read_points


def labelled(points, labels) -> LabelledPoints:
    return LabelledPoints(np.array(labels, dtype=np.int64), "data", points)


def all_pairs(points: LabelledPoints) -> Fraction:
    exact = [points.point(row) for row in range(len(points))]
    return min(
        max(abs(a - b) for a, b in zip(exact[i], exact[j], strict=True))
        for i in range(len(points))
        for j in range(i)
        if points.label(i) != points.label(j)
    )


def check(points: LabelledPoints) -> Separation:
    found = separation_bound(points)
    assert found is not None
    assert found.bound == all_pairs(points)
    assert found.first < found.second
    assert points.label(found.first) != points.label(found.second)
    one, two = points.point(found.first), points.point(found.second)
    assert max(abs(a - b) for a, b in zip(one, two, strict=True)) == found.bound
    return found


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(2, 40),
    st.integers(1, 6),
    st.sampled_from(["floats", "integers", "pixels", "binary", "decimals", "thirds", "wide"]),
)
def test_random_data_of_every_kind(seed, count, size, kind):
    generator = np.random.default_rng(seed)
    labels = np.append([0, 1], generator.integers(0, 3, count))
    shape = (len(labels), size)
    integers = generator.integers(0, 256, shape)
    points = {
        "floats": generator.normal(size=shape),
        "integers": integers.astype(np.uint8),
        "pixels": integers / 255.0,
        "binary": (integers % 2).astype(np.int8),
        "wide": generator.normal(size=shape) * 10.0 ** generator.integers(-20, 20, shape),
        "decimals": tuple(",".join(str(value / 100) for value in row) for row in integers),
        "thirds": tuple(",".join(f"{value}/{value % 7 + 3}" for value in row) for row in integers),
    }[kind]
    check(labelled(points, labels))


def test_several_blocks_and_a_sample():
    generator = np.random.default_rng(3)
    points = generator.integers(0, 50, (4500, 6)).astype(float)
    labels = generator.integers(0, 2, 4500)
    found = separation_bound(labelled(points, labels))
    expected = min(
        np.abs(points[labels == 0] - point).max(axis=1).min() for point in points[labels == 1]
    )
    assert found.bound == Fraction(expected)


def test_rounded_decimals_are_told_apart():
    """The two distances are one float apart at most; only rationals order them."""
    cells = ("0.1", "0.4", "0.69999999999999999999", "1.1", "1.4")
    found = check(labelled(cells, [0, 1, 0, 1, 0]))
    assert found.bound == Fraction("0.29999999999999999999")


def test_one_label_has_no_bound():
    assert separation_bound(labelled(np.zeros((3, 2)), [1, 1, 1])) is None


def test_equal_points_with_different_labels():
    points = labelled(np.array([[1.0, 2.0], [0.0, 0.0], [1.0, 2.0]]), [0, 1, 2])
    found = separation_bound(points)
    assert found == Separation(Fraction(0), 0, 2)
    with pytest.raises(QueryError, match=r"rows 0 and 2 of data are equal but labelled 0 and 2"):
        check_budget(points, found, Fraction(0))


def test_budgets_that_cannot_be():
    points = labelled(np.array([[0.0], [1.0], [4.0]]), [0, 1, 2])
    found = separation_bound(points)
    check_budget(points, found, Fraction(499, 1000))
    with pytest.raises(QueryError, match="half of the separation bound 1: rows 0 and 1"):
        check_budget(points, found, Fraction(1, 2))
    with pytest.raises(QueryError, match="negative"):
        check_budget(points, found, Fraction(-1))


def test_not_a_number_is_refused():
    with pytest.raises(QueryError, match="finite"):
        separation_bound(labelled(np.array([[0.0], [np.nan]]), [0, 1]))


def test_a_csv_file(tmp_path):
    path = tmp_path / "points.csv"
    path.write_text("a,kind,b\n0.1,1,0.2\n0.3,2,0.9\n0.1,2,0.4\n")
    found = separation_bound(read_points(path, label_column="kind"))
    assert found == Separation(Fraction(1, 5), 0, 2)


def test_progress_ends_at_all_points():
    seen = []
    points = labelled(np.arange(3000.0)[:, None], np.arange(3000) % 2)
    separation_bound(points, lambda done, total: seen.append((done, total)))
    assert seen[-1] == (3000, 3000)
    assert sorted(seen) == seen


@pytest.mark.slow
def test_the_digits_take_a_second():
    digits = pytest.importorskip("sklearn.datasets").load_digits()
    started = time.monotonic()
    found = separation_bound(labelled(digits.data, digits.target))
    assert time.monotonic() - started < 1.0
    assert found.bound == 7
