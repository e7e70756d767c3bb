"""Labelled points: exactly what is stored, and errors that name the place."""

from __future__ import annotations

import gzip
import io
import zipfile
from contextlib import suppress
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from relucert.errors import FileError, QueryError
from relucert.exact import format_rational, nearest_float
from relucert.read.points import read_points
from relucert.write.points import write_points_npz

F = Fraction
DTYPES = st.sampled_from(
    [np.float16, np.float32, np.float64, np.int8, np.uint8, np.int64, np.uint64, np.bool_, ">f4"]
)


@given(
    DTYPES.flatmap(
        lambda dtype: hnp.arrays(
            dtype,
            hnp.array_shapes(min_dims=2, max_dims=4, max_side=3),
            elements={"allow_nan": False, "allow_infinity": False}
            if np.dtype(dtype).kind == "f"
            else None,
        )
    ),
    st.data(),
)
def test_archives_are_exact(tmp_path_factory, points, data):
    labels = data.draw(
        st.lists(st.integers(-(2**63), 2**63 - 1), min_size=len(points), max_size=len(points))
    )
    path = tmp_path_factory.getbasetemp() / "points.npz"
    write_points_npz(points, labels, path)
    read = read_points(path)
    flat = points.reshape(len(points), -1)
    assert len(read) == len(points)
    assert read.input_size == flat.shape[1]
    rounded = False
    for index, row in enumerate(flat.tolist()):
        assert read.point(index) == tuple(F(value) for value in row)
        assert read.label(index) == labels[index]
        assert read.values[index].tolist() == [nearest_float(F(value)) for value in row]
        rounded = rounded or any(F(nearest_float(F(v))) != F(v) for v in row)
    assert read.exact == (not rounded)


@given(
    st.integers(1, 4).flatmap(
        lambda size: st.lists(
            st.tuples(st.lists(st.fractions(), min_size=size, max_size=size), st.integers(-9, 9)),
            min_size=1,
            max_size=4,
        )
    ),
    st.sampled_from(["none", "last", "first"]),
)
def test_tables_are_exact(tmp_path_factory, rows, header):
    lines = []
    size = len(rows[0][0])
    for point, label in rows:
        cells = [format_rational(value) for value in point]
        at = 0 if header == "first" else size
        lines.append(",".join([*cells[:at], str(label), *cells[at:]]))
    names = {"none": [], "last": [f"x{i}" for i in range(size)] + ["y"],
             "first": ["Label", *[str(i) for i in range(size)]]}[header]  # fmt: skip
    path = tmp_path_factory.getbasetemp() / "points.csv"
    path.write_text("\n".join([",".join(names)] * bool(names) + lines))
    read = read_points(path)
    assert [read.point(i) for i in range(len(read))] == [tuple(point) for point, _ in rows]
    assert read.labels.tolist() == [label for _, label in rows]
    assert read.input_size == size
    expected = [[nearest_float(value) for value in point] for point, _ in rows]
    assert read.values.tolist() == expected
    exact = all(
        F(f) == v
        for fs, (p, _) in zip(expected, rows, strict=True)
        for f, v in zip(fs, p, strict=True)
    )
    assert read.exact == exact


def test_a_decimal_is_not_the_nearest_float(tmp_path):
    (tmp_path / "p.csv").write_text("0.1,1e-400,3.0\n")
    read = read_points(tmp_path / "p.csv")
    assert read.point(0) == (F(1, 10), F(1, 10**400))
    assert read.values.tolist() == [[0.1, 0.0]]
    assert (read.label(0), read.exact, read.name) == (3, False, "p.csv")


@pytest.mark.parametrize(
    ("text", "column", "label", "point"),
    [
        ("1,2,3", None, 3, (1, 2)),
        ("1,2,3", "1", 1, (2, 3)),
        ("a,b,c\n1,2,3", "b", 2, (1, 3)),
        ("a,label,c\n1,2,3", None, 2, (1, 3)),
        ("a,label,c\n1,2,3", "a", 1, (2, 3)),
        ("y,label\n1,2", "y", 1, (2,)),
        ("0,1,kind\n1,2,3", "kind", 3, (1, 2)),
        ('\ufeff# remark\r\n\r\n"1", "2" , 3\r\n', None, 3, (1, 2)),
    ],
)
def test_headers_and_label_columns(tmp_path, text, column, label, point):
    (tmp_path / "p.csv").write_text(text, encoding="utf-8")
    read = read_points(tmp_path / "p.csv", column)
    assert (len(read), read.label(0), read.point(0)) == (1, label, point)


def test_compressed_tables(tmp_path):
    (tmp_path / "p.csv.gz").write_bytes(gzip.compress(b"1,2\n3,4\n"))
    assert read_points(tmp_path / "p.csv.gz").point(1) == (3,)


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("x1,x2,x3,label\n1,2,3,0\n\n# r\n1,2,3,0\n1,2,3,0\n1,2,oops,0", None,
         "line 7, column 'x3': not a number: 'oops'"),
        ("1,2\n1,nan", None, "line 2, column 2: not a number: 'nan'"),
        ("1,2\n1_0,2", None, "line 2, column 1: not a number"),
        ("1,2\n,2", None, "line 2, column 1: is empty"),
        ("1,2\n1-2,2", None, "line 2, column 1: not a number"),
        ("1,2\n\u0661,2", None, "line 2, column 1: not a number"),
        ("1,2\n1e400,2", None, "line 2, column 1: is beyond the range"),
        ("1,2\n" + "9" * 400 + ",2", None, "line 2, column 1: is beyond the range"),
        ("1,2\n1e99999,2", None, "line 2, column 1: exponent"),
        ("1,spoilt,2\n1,2,3", None, "line 1, column 2: not a number: 'spoilt'"),
        ("1,2\n1,2,3", None, "line 2: has 3 cells, the first row 2"),
        ("1,2\n1", None, "line 2: has 1 cells, the first row 2"),
        ("1,2.5", None, "line 1, column 2: the label is not an integer"),
        ("a,y\n1,1/2", None, "line 2, column 'y': the label is not an integer"),
        ("1,9223372036854775808", None, "line 1, column 2: the label is not an integer, or too"),
        ("1\n2", None, "line 1: has one column"),
        ("1;2;3", None, "line 1: has one column"),
        ("a,b,label", None, "has a header but no points"),
        ("# nothing\n\n", None, "holds no rows"),
        ("", None, "is empty"),
        ("label,label\n1,2", None, "line 1: several columns could hold the label"),
        ("a,b\n1,2", "c", "no label column 'c': .* one of a, b"),
        ("1,2", "c", "no label column 'c': .*no header"),
        ("1,2", "3", "no label column '3'"),
        ("1,2", "0", "no label column '0'"),
        ("a,a\n1,2", "a", "no label column 'a'"),
        ("1,2\n" + "9" * 200000, None, "line 2: is not a table"),
    ],
)  # fmt: skip
def test_bad_tables(tmp_path, text, column, message):
    (tmp_path / "p.csv").write_text(text, encoding="utf-8")
    with pytest.raises(FileError, match=message) as caught:
        read_points(tmp_path / "p.csv", column)
    assert str(caught.value).startswith(str(tmp_path / "p.csv"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "names", [("points", "labels"), ("x", "y"), ("X", "y"), ("images", "label")]
)
def test_usual_array_names(tmp_path, names):
    np.savez(tmp_path / "p.npz", **{names[0]: np.eye(2), names[1]: np.array([[1.0], [0.0]])})
    read = read_points(tmp_path / "p.npz")
    assert (read.point(0), read.label(0), read.label(1)) == ((1, 0), 1, 0)


def test_the_label_array_can_be_named(tmp_path):
    np.savez(tmp_path / "p.npz", points=np.eye(2), y=np.array([1, 2]), coarse=np.array([5, 6]))
    assert read_points(tmp_path / "p.npz", "coarse").label(1) == 6


NAN = np.array([[0.0, 1.0], [2.0, np.nan]])
GOOD = np.array([0, 1])


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"points": NAN, "labels": GOOD}, "points row 1: entry 1 is nan"),
        ({"points": -np.inf * np.ones((1, 1)), "labels": [0]}, "points row 0: entry 0 is -inf"),
        (
            {"points": np.eye(2), "labels": [0, 1, 2]},
            "labels: has shape .3,., one label for each of the 2",
        ),
        ({"points": np.eye(2), "labels": np.eye(2)}, "labels: has shape"),
        ({"points": np.eye(2), "labels": [0, 0.5]}, "labels row 1: label 0.5 is not an integer"),
        ({"points": np.eye(2), "labels": [0, np.nan]}, "labels row 1: label nan is not an integer"),
        ({"points": np.eye(2), "labels": [0, 1e30]}, "labels row 1: label 1e.30 is too large"),
        ({"points": np.eye(2), "labels": np.array([0, 2**63], dtype=np.uint64)}, "is too large"),
        ({"points": np.eye(2), "labels": ["a", "b"]}, "labels: has the element type <U1"),
        ({"points": np.eye(2) * 1j, "labels": GOOD}, "points: has the element type complex128"),
        (
            {"points": np.eye(2, dtype=np.longdouble), "labels": GOOD},
            "points: has the element type",
        ),
        ({"points": np.ones(2), "labels": GOOD}, "points: has shape .2,."),
        ({"points": np.ones((0, 2)), "labels": []}, "points: has shape .0, 2."),
        ({"points": np.ones((2, 0)), "labels": GOOD}, "points: has shape .2, 0."),
        ({"points": np.eye(2)}, "has no array 'labels' .*, only: points"),
        ({"labels": GOOD}, "has no array 'points'"),
        ({"points": np.eye(2), "x": np.eye(2), "labels": GOOD}, "has points and x: which"),
        ({"points": np.array([[None, 1], [2, 3]]), "labels": GOOD}, "points: holds pickled"),
    ],
)
def test_bad_archives(tmp_path, arrays, message):
    np.savez(tmp_path / "p.npz", **{name: np.asarray(array) for name, array in arrays.items()})
    with pytest.raises(FileError, match=message) as caught:
        read_points(tmp_path / "p.npz")
    assert "\n" not in str(caught.value)


def test_absent_label_array(tmp_path):
    np.savez(tmp_path / "p.npz", points=np.eye(2), y=GOOD)
    with pytest.raises(FileError, match="fine: there is no such array; it has points, y"):
        read_points(tmp_path / "p.npz", "fine")


def test_broken_archives_and_bombs(tmp_path, monkeypatch):
    path = tmp_path / "p.npz"
    path.write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(FileError, match=r"not a complete \.npz archive"):
        read_points(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("points.npy", b"\0" * 5_000_000)
        archive.writestr("labels.npy", b"not an array")
    with pytest.raises(FileError, match="points: is not an array"):
        read_points(path)
    monkeypatch.setattr("relucert.read.archive.MAX_BYTES", 1_000_000)
    with pytest.raises(FileError, match="unpacks to"):
        read_points(path)


def test_unpacking_with_a_broken_lzma_stream(tmp_path):
    path = tmp_path / "p.npz"
    stream = io.BytesIO()
    np.save(stream, np.eye(200))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("points.npy", stream.getvalue())
        archive.writestr("labels.npy", b"x")
    content = bytearray(path.read_bytes())
    content[60:70] = b"\xff" * 10
    path.write_bytes(bytes(content))
    with pytest.raises(FileError, match="points: cannot be unpacked"):
        read_points(path)


def test_the_same_points_give_the_same_bytes(tmp_path):
    rationals = [[F(1, 2), F(-3)], [F(0), F(1, 1024)]]
    write_points_npz(rationals, [1, 2], tmp_path / "a.npz")
    write_points_npz(np.array(rationals, dtype=np.float64), [1, 2], tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    read = read_points(tmp_path / "a.npz")
    assert [read.point(i) for i in (0, 1)] == [tuple(row) for row in rationals]


@pytest.mark.parametrize(
    ("points", "labels", "message"),
    [
        ([[F(1, 2)], [F(1, 3)]], [0, 1], "point 1: entry 0 is not a float64"),
        ([[F(10) ** 400]], [0], "point 0: entry 0 is not a float64"),
        ([[F(1)], [F(1), F(2)]], [0, 1], r"different sizes: \[1, 2\]"),
        ([], [], "no points"),
        ([[F(1)]], [0, 1], "1 points but 2 labels"),
        ([[F(1)]], [2**63], "64 bits"),
        (np.array([[np.inf]]), [0], "finite"),
        (np.array([1.0]), [0], "shape"),
        (np.array([["a"]]), [0], "type"),
    ],
)
def test_points_that_cannot_be_written(tmp_path, points, labels, message):
    with pytest.raises(QueryError, match=message):
        write_points_npz(points, labels, tmp_path / "p.npz")
    assert not list(tmp_path.iterdir())


def test_integers_beyond_float64_stay_exact(tmp_path):
    np.savez(tmp_path / "p.npz", points=np.array([[2**53 + 1]]), labels=np.array([0]))
    read = read_points(tmp_path / "p.npz")
    assert read.point(0) == (2**53 + 1,)
    assert (read.values[0, 0], read.exact) == (2.0**53, False)


def test_large_archives_stay_arrays(tmp_path):
    """A data set as large as MNIST is opened without making its millions of rationals."""
    pixels = np.zeros((60_000, 28, 28), dtype=np.uint8)
    pixels[59_999, 0, 1] = 255
    write_points_npz(pixels, [7] * 60_000, tmp_path / "p.npz")
    read = read_points(tmp_path / "p.npz")
    assert read.point(59_999)[:3] == (0, 255, 0)
    assert (len(read), read.input_size, read.label(-1)) == (60_000, 784, 7)
    with pytest.raises(IndexError):
        read.point(60_000)


def test_archives_with_missing_bytes(tmp_path):
    """An offset before the beginning of the file is no traceback."""
    path = tmp_path / "points.npz"
    write_points_npz(np.zeros((3, 2)), np.array([0, 1, 0]), path)
    content = path.read_bytes()
    for start in range(0, len(content), 7):
        for count in (1, 8, 100):
            path.write_bytes(content[:start] + content[start + count :])
            with suppress(FileError):  # any other exception fails
                read_points(path)


def test_beside_a_label_y_is_a_coordinate(tmp_path):
    path = tmp_path / "plane.csv"
    path.write_text("x,y,label\n1,2,7\n")
    points = read_points(path)
    assert points.point(0) == (1, 2)
    assert points.label(0) == 7
