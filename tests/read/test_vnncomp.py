"""Real networks against onnxruntime."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from relucert.read.network import read_network

ROOT = Path(__file__).parents[2]
SHARED = ROOT / "../shared/data/vnncomp"
FAST_PER_FAMILY = 2


def _networks() -> list:
    found = sorted(SHARED.glob("**/*.onnx.gz")) + sorted((ROOT / "instances").glob("**/*.onnx*"))
    seen: dict[Path, int] = {}
    marked = []
    for path in found:
        seen[path.parent] = seen.get(path.parent, 0) + 1
        slow = seen[path.parent] > FAST_PER_FAMILY
        marks = [pytest.mark.slow] if slow else []
        marked.append(pytest.param(path, id=path.name, marks=marks))
    if not marked:
        skip = pytest.mark.skip(reason="no ONNX networks in ../shared/data or instances")
        marked = [pytest.param(None, id="none", marks=skip)]
    return marked


@pytest.mark.parametrize("path", _networks())
def test_agrees_with_onnxruntime(path):
    import onnxruntime

    network = read_network(path)
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(content, options)
    source = session.get_inputs()[0]
    shape = [size if isinstance(size, int) and size > 0 else 1 for size in source.shape]
    dtype = np.float64 if "double" in source.type else np.float32
    for seed in range(3):
        x = np.random.default_rng(seed).normal(size=network.input_size).astype(dtype)
        expected = session.run(None, {source.name: x.reshape(shape)})[0].reshape(-1)
        np.testing.assert_allclose(
            network.evaluate(x.astype(np.float64)), expected, rtol=1e-4, atol=1e-4
        )
    assert network.input_shape == (tuple(shape[1:]) if shape[0] == 1 else tuple(shape))


def _stored(path: Path) -> list[np.ndarray]:
    import onnx
    from onnx import numpy_helper

    model = onnx.load_from_string(gzip.decompress(path.read_bytes()))
    return [numpy_helper.to_array(tensor) for tensor in model.graph.initializer]


@pytest.mark.parametrize("family", ["mnist_fc", "acasxu", "rl_benchmarks", "safenlp", "cora"])
def test_dense_chains_keep_their_weights_bit_for_bit(family):
    """Layers are exactly the stored matrices and biases, nothing carried, nothing folded."""
    if not SHARED.exists():
        pytest.skip("the networks of ../shared/data/vnncomp are absent")
    path = sorted((SHARED / family).glob("**/*.onnx.gz"))[0]
    matrices = [array for array in _stored(path) if array.ndim == 2]
    vectors = [array.reshape(-1) for array in _stored(path) if array.ndim == 1]
    layers = read_network(path).layers
    assert len(layers) == len(matrices)
    for layer in layers:
        weight = layer.weight if isinstance(layer.weight, np.ndarray) else layer.weight.toarray()
        assert any(
            np.array_equal(weight, matrix) or np.array_equal(weight, matrix.T)
            for matrix in matrices
        )
        assert any(np.array_equal(layer.bias, vector) for vector in vectors)
        assert layer.divisor is None
    assert all(layer.relu.all() for layer in layers[:-1])
    assert not layers[-1].relu.any()


def test_convolution_keeps_its_weights_bit_for_bit():
    if not SHARED.exists():
        pytest.skip("the networks of ../shared/data/vnncomp are absent")
    path = SHARED / "oval21/onnx/cifar_base_kw.onnx.gz"
    kernels = [array for array in _stored(path) if array.ndim == 4]
    layers = read_network(path).layers
    assert [layer.output_size for layer in layers] == [2048, 1024, 100, 10]
    for layer, kernel in zip(layers, kernels, strict=False):
        entries = set(np.asarray(layer.weight.data).tolist())
        assert entries == set(kernel.astype(np.float64).reshape(-1).tolist()) - {0.0}
