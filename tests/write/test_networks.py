"""Networks written and read again: the same function, to the last bit."""

from __future__ import annotations

import time
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relucert.errors import FileError, UsageError
from relucert.network import Layer, Network
from relucert.read.network import read_network
from relucert.write.npz import write_network_npz
from relucert.write.onnx import write_onnx

slack = settings(
    max_examples=60, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip


@st.composite
def networks(draw, single=False):
    """Random layers: dense or sparse, full, partial or no masks, some divisors, deep or not."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    sizes = draw(st.lists(st.integers(1, 5), min_size=2, max_size=6))
    layers = []
    for columns, rows in pairwise(sizes):
        weight = rng.normal(size=(rows, columns)) * (rng.random((rows, columns)) < 0.8)
        bias = rng.normal(size=rows) * (rng.random() < 0.7)
        divisor = draw(st.sampled_from([None, rng.integers(1, 9, size=rows).astype(float)]))
        relu = draw(st.sampled_from([np.ones(rows, bool), np.zeros(rows, bool),
                                     rng.random(rows) < 0.5]))  # fmt: skip
        if single:
            weight, bias = weight.astype(np.float32), bias.astype(np.float32)
        matrix = sp.csr_array(weight) if draw(st.booleans()) else weight
        layers.append(Layer(matrix, bias, relu, divisor))
    return Network(tuple(layers), "random", (1, sizes[0]), ("a note",))


def same_function(first, second, points=4):
    rng = np.random.default_rng(1)
    assert first.input_size == second.input_size
    for _ in range(points):
        x = [Fraction(int(v), 32) for v in rng.integers(-90, 90, size=first.input_size)]
        assert first.evaluate_exactly(x) == second.evaluate_exactly(x)


@given(network=networks(), wide=st.booleans())
@slack
def test_onnx_round_trip(network, wide, tmp_path):
    path = tmp_path / "network.onnx"
    write_onnx(network, path, dtype="float64")
    same_function(network, read_network(path))


@given(network=networks(single=True))
@slack
def test_onnx_in_float32_runs_in_onnxruntime(network, tmp_path):
    import onnxruntime

    path = tmp_path / "network.onnx"
    write_onnx(network, path)
    same_function(network, read_network(path))
    session = onnxruntime.InferenceSession(path.read_bytes())
    x = np.random.default_rng(2).normal(size=(1, network.input_size)).astype(np.float32)
    (result,) = session.run(None, {"input": x})
    assert result.shape == (1, network.output_size)
    expected = network.evaluate(x[0].astype(np.float64))
    np.testing.assert_allclose(result[0], expected, rtol=1e-4, atol=1e-4)


def test_onnx_is_valid_and_old_enough(tmp_path):
    import onnx

    network = Network.dense([np.eye(3), np.ones((2, 3))], [np.zeros(3), np.ones(2)])
    write_onnx(network, tmp_path / "network.onnx")
    model = onnx.load(tmp_path / "network.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert model.ir_version <= 8
    assert model.opset_import[0].version <= 17
    layers = read_network(tmp_path / "network.onnx").layers
    assert [type(layer.weight) for layer in layers[1:]] == [np.ndarray]
    assert len(layers) == 2


def test_float32_refuses_what_it_cannot_hold(tmp_path):
    network = Network.dense([np.array([[0.1]])], [np.zeros(1)])
    with pytest.raises(UsageError, match=r"layer0.weight.*0\.1.*float64"):
        write_onnx(network, tmp_path / "network.onnx")
    huge = Network.dense([np.array([[1e300]])], [np.zeros(1)])
    with pytest.raises(UsageError, match="float64"):
        write_onnx(huge, tmp_path / "network.onnx")
    with pytest.raises(UsageError, match="float16"):
        write_onnx(network, tmp_path / "network.onnx", dtype="float16")
    assert not list(tmp_path.iterdir())


@given(network=networks())
@slack
def test_npz_round_trip(network, tmp_path):
    path = tmp_path / "network.npz"
    write_network_npz(network, path)
    again = read_network(path)
    assert (again.name, again.input_shape, again.notes) == (
        "random",
        network.input_shape,
        ("a note",),
    )
    for old, new in zip(network.layers, again.layers, strict=True):
        assert sp.issparse(old.weight) == sp.issparse(new.weight)
        difference = sp.csr_array(old.weight) != sp.csr_array(new.weight)
        assert difference.nnz == 0
        np.testing.assert_array_equal(old.bias, new.bias)
        np.testing.assert_array_equal(old.relu, new.relu)
        assert (old.divisor is None) == (new.divisor is None)
        if old.divisor is not None:
            np.testing.assert_array_equal(old.divisor, new.divisor)


def test_the_same_network_gives_the_same_bytes(tmp_path, monkeypatch):
    network = Network.dense([np.eye(3)], [np.zeros(3)])
    contents = []
    for year in (0, 10**9):
        monkeypatch.setattr(time, "time", lambda year=year: 10**9 + year)
        monkeypatch.setattr(time, "localtime", lambda *_, y=year: time.gmtime(10**9 + y))
        write_network_npz(network, tmp_path / "network.npz")
        write_onnx(network, tmp_path / "network.onnx")
        contents.append([(tmp_path / f"network.{kind}").read_bytes() for kind in ("npz", "onnx")])
    assert contents[0] == contents[1]


def test_missing_folder(tmp_path):
    network = Network.dense([np.eye(3)], [np.zeros(3)])
    for write in (write_network_npz, write_onnx):
        with pytest.raises(FileError, match="cannot be written"):
            write(network, tmp_path / "none" / "network")


def test_deep_chain(tmp_path):
    """Thousands of layers: no recursion, no quadratic time."""
    rng = np.random.default_rng(3)
    layers = tuple(
        Layer(rng.integers(-1, 2, size=(4, 4)).astype(float), np.ones(4), np.ones(4, bool))
        for _ in range(1000)
    )
    network = Network(layers)
    for kind, write in (("onnx", write_onnx), ("npz", write_network_npz)):
        path = tmp_path / f"deep.{kind}"
        write(network, path)
        again = read_network(path)
        assert len(again.layers) == 1000
        x = np.ones(4)
        np.testing.assert_array_equal(network.evaluate(x), again.evaluate(x))
