"""Malformed and hostile .npz files."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relucert.errors import FileError
from relucert.network import Network
from relucert.read.network import read_network


def arrays():
    return {
        "format": np.array("relucert network 1"),
        "name": np.array("small"),
        "notes": np.array([], dtype=np.str_),
        "input_shape": np.array([2]),
        "layers": np.array(1),
        "layer0_weight_data": np.array([1.0, 2.0]),
        "layer0_weight_indices": np.array([0, 1]),
        "layer0_weight_indptr": np.array([0, 1, 2, 2]),
        "layer0_weight_shape": np.array([3, 2]),
        "layer0_bias": np.zeros(3),
        "layer0_relu": np.array([True, False, True]),
    }


def save(path, content, **options):
    np.savez(path, **content, **options)
    return path


def test_the_plain_file(tmp_path):
    network = read_network(save(tmp_path / "net.npz", arrays()))
    np.testing.assert_array_equal(network.layers[0].weight.toarray(), [[1, 0], [0, 2], [0, 0]])


@pytest.mark.parametrize("missing", sorted(arrays()))
def test_missing_arrays_are_named(tmp_path, missing):
    content = arrays()
    del content[missing]
    with pytest.raises(FileError, match=missing):
        read_network(save(tmp_path / "net.npz", content))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": np.array("something else")}, "format"),
        ({"format": np.array(3)}, "format"),
        ({"layers": np.array(0)}, "layers"),
        ({"layers": np.array(10**15)}, "layers"),
        ({"layers": np.array(2)}, "layer1_weight"),
        ({"input_shape": np.array([3])}, "input_shape"),
        ({"input_shape": np.array([-2])}, "input_shape"),
        ({"input_shape": np.array([2.0])}, "input_shape"),
        ({"layer0_bias": np.zeros(2)}, "layer 0"),
        ({"layer0_bias": np.array([0, np.nan, 0])}, "layer 0"),
        ({"layer0_relu": np.zeros(3)}, "layer0_relu"),
        ({"layer0_divisor": np.zeros(3)}, "layer 0"),
        ({"layer0_weight_indices": np.array([0, 2])}, "layer 0"),
        ({"layer0_weight_indices": np.array([0, -1])}, "negative"),
        ({"layer0_weight_indptr": np.array([0, 2, 1, 2])}, "layer 0"),
        ({"layer0_weight_indptr": np.array([0, 1, 2])}, "layer 0"),
        ({"layer0_weight_indptr": np.array([1, 1, 2, 2])}, "layer 0"),
        ({"layer0_weight_shape": np.array([10**12, 10**12])}, "layer 0"),
        ({"layer0_weight_data": np.array([1.0, np.inf])}, "layer 0"),
        ({"layer0_weight": np.zeros((2, 2, 2))}, "layer 0"),
        ({"layer0_weight_data": np.array([1.0, 2.0]), "layer0_weight_indices": np.array([0, 0]),
          "layer0_weight_indptr": np.array([0, 2, 2, 2])}, "repeated"),
    ],
)  # fmt: skip
def test_contents_that_do_not_fit(tmp_path, changes, words):
    with pytest.raises(FileError, match=words):
        read_network(save(tmp_path / "net.npz", arrays() | changes))


def test_pickles_are_refused(tmp_path):
    class Harmful:
        def __reduce__(self):
            return (pytest.fail, ("a pickle was loaded",))

    content = arrays() | {"layer0_bias": np.array([Harmful()], dtype=object)}
    with pytest.raises(FileError, match=r"layer0_bias.*pickled"):
        read_network(save(tmp_path / "net.npz", content))


def _with_member(path, name, raw, compression=zipfile.ZIP_STORED):
    content = arrays()
    content.pop(name)
    save(path, content)
    with zipfile.ZipFile(path, "a", compression) as archive:
        archive.writestr(f"{name}.npy", raw)
    return path


def test_declared_shapes_are_compared_with_the_data(tmp_path):
    stream = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": (10**9, 10**9)}
    np.lib.format.write_array_header_1_0(stream, header)
    path = _with_member(tmp_path / "net.npz", "layer0_bias", stream.getvalue())
    with pytest.raises(FileError, match="layer0_bias: declares shape"):
        read_network(path)
    path = _with_member(tmp_path / "net.npz", "layer0_bias", b"not an array")
    with pytest.raises(FileError, match="layer0_bias: is not an array"):
        read_network(path)


def test_bombs_are_refused_before_unpacking(tmp_path, monkeypatch):
    raw = b"\0" * 5_000_000
    path = _with_member(tmp_path / "net.npz", "layer0_bias", raw, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 50_000
    monkeypatch.setattr("relucert.read.archive.MAX_BYTES", 1_000_000)
    with pytest.raises(FileError, match="unpacks to"):
        read_network(path)


def test_not_an_archive(tmp_path):
    path = tmp_path / "net.npz"
    for content in (b"PK\x03\x04 cut", b"text"):
        path.write_bytes(content)
        with pytest.raises(FileError, match="archive"):
            read_network(path)
    np.savez(path, data=np.zeros(3))
    with pytest.raises(FileError, match="not a network"):
        read_network(path)


@given(data=st.data())
@settings(
    max_examples=300, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
def test_flipped_bytes_never_make_a_traceback(data, tmp_path):
    path = save(tmp_path / "net.npz", arrays())
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(content[: data.draw(st.sampled_from([len(content), 900]))]))
    try:
        result: object = read_network(path)
    except FileError as error:
        result = error
    assert isinstance(result, Network) or "\n" not in str(result)
