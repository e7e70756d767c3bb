"""Building small ONNX models and comparing the network read with onnxruntime."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from relucert.network import Network
from relucert.read.network import read_network

Constants = dict[str, np.ndarray]


def _build(
    nodes: list[Any],
    shape: list[Any] | None,
    constants: Constants | None = None,
    opset: int = 13,
    kind: int = TensorProto.FLOAT,
    output: str = "y",
) -> onnx.ModelProto:
    """A model with input "x" of the given shape and one output without a declared shape."""
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info(output, kind, None)],
        [numpy_helper.from_array(np.asarray(v), name) for name, v in (constants or {}).items()],
    )
    imports = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=imports, ir_version=8)


def dyadic(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Small multiples of 1/4 in float32: float32 sums and products of them are exact."""
    return (rng.integers(-12, 13, size=shape) / 4).astype(np.float32)


@pytest.fixture(scope="session")
def build() -> Callable[..., onnx.ModelProto]:
    return _build


@pytest.fixture(scope="session")
def read_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[onnx.ModelProto], Network]:
    path: Path = tmp_path_factory.mktemp("models") / "model.onnx"

    def read(model: onnx.ModelProto) -> Network:
        path.write_bytes(model.SerializeToString())
        return read_network(path)

    return read


@pytest.fixture(scope="session")
def agrees(read_model: Callable[[onnx.ModelProto], Network]) -> Callable[..., Network]:
    """Read a model and compare it with onnxruntime, exactly unless a tolerance is given.

    With small dyadic weights and inputs, float32 arithmetic makes no rounding errors, so that
    onnxruntime and exact evaluation must agree to the last bit.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL

    def compare(model: onnx.ModelProto, tolerance: float = 0.0, points: int = 4) -> Network:
        network = read_model(model)
        session = onnxruntime.InferenceSession(model.SerializeToString(), options)
        source = session.get_inputs()[0]
        shape = [size if isinstance(size, int) and size > 0 else 1 for size in source.shape]
        dtype = np.float64 if "double" in source.type else np.float32
        rng = np.random.default_rng(7)
        for _ in range(points):
            x = dyadic(rng, *shape).astype(dtype)
            expected = session.run(None, {source.name: x})[0].reshape(-1)
            exact = network.evaluate_exactly([Fraction(float(v)) for v in x.reshape(-1)])
            rounded = network.evaluate(x.reshape(-1).astype(np.float64))
            values = np.array([float(value) for value in exact])
            np.testing.assert_allclose(rounded, values, rtol=1e-12, atol=1e-12)
            if tolerance:
                np.testing.assert_allclose(values, expected, rtol=tolerance, atol=tolerance)
            else:
                np.testing.assert_array_equal(values, expected.astype(np.float64))
        return network

    return compare
