"""Random ONNX graphs with awkward float32 numbers, as hypothesis strategies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

node = helper.make_node
WIDTH = 3
LARGE = np.float32([2.0**24, -(2.0**24), 2.0**23, 1e6, 16777217.0])


def model_of(nodes, shape, constants, kind=TensorProto.FLOAT, opset=13):
    """A model with input "x" and output "y"."""
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("y", kind, None)],
        [numpy_helper.from_array(np.asarray(v), name) for name, v in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def save(model: onnx.ModelProto, path: Path) -> Path:
    path.write_bytes(model.SerializeToString())
    return path


def awkward(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Numbers that round: of order one, now and then 1e-3, 1e3, about 2**24, 0 or 1."""
    values = rng.normal(size=shape) * rng.choice([1e-3, 1.0, 1.0, 1e3], size=shape)
    values = np.where(rng.random(shape) < 0.1, rng.choice(LARGE, size=shape), values)
    values = np.where(rng.random(shape) < 0.15, rng.choice([0.0, 1.0, -1.0], size=shape), values)
    return values.astype(np.float32)


@st.composite
def graphs(draw):  # noqa: C901, PLR0912, PLR0915 (a list of cases)
    """Nodes over tensors (1, WIDTH) and their constants; the output is "y"."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    nodes, constants, tensors = [], {}, ["x"]

    def constant(*shape):
        name = f"c{len(constants)}"
        constants[name] = awkward(rng, *shape)
        return name

    def pick():
        return tensors[max(0, len(tensors) - 1 - draw(st.integers(0, 3)))]

    for _ in range(draw(st.integers(1, 7))):
        out = f"t{len(tensors)}"
        kind = draw(st.sampled_from(
            ["MatMul", "MatMul", "Gemm", "Conv", "Add", "Sub", "Max", "Min", "AddC", "SubC", "MulC",
             "MaxC", "DivC", "Relu", "Relu", "Abs", "Neg", "Clip", "Pad", "LeakyRelu", "PRelu",
             "ReduceMean", "MaxPool", "AveragePool", "BatchNormalization"]))  # fmt: skip
        if kind == "MatMul":
            nodes.append(node("MatMul", [pick(), constant(WIDTH, WIDTH)], [out]))
        elif kind == "Gemm":
            inputs = [pick(), constant(WIDTH, WIDTH), constant(WIDTH)]
            nodes.append(node("Gemm", inputs, [out], alpha=0.7, beta=-1.3, transB=1))
        elif kind in ("Add", "Sub", "Max", "Min"):
            nodes.append(node(kind, [pick(), pick()], [out]))
        elif kind == "DivC":
            constants[f"d{out}"] = rng.choice(np.float32([-3.0, 0.3, 7.0]), size=WIDTH)
            nodes.append(node("Div", [pick(), f"d{out}"], [out]))
        elif kind.endswith("C"):
            nodes.append(node(kind[:3], [pick(), constant(WIDTH)], [out]))
        elif kind == "Clip":
            constants[f"l{out}"], constants[f"h{out}"] = np.float32(-1.1), np.float32(1.7)
            nodes.append(node("Clip", [pick(), f"l{out}", f"h{out}"], [out]))
        elif kind == "Pad":
            constants[f"p{out}"] = np.array([0, 1, 0, -1])
            constants[f"v{out}"] = np.float32(rng.choice([0.0, 0.3, 2.0**24 - 1]))
            nodes.append(node("Pad", [pick(), f"p{out}", f"v{out}"], [out]))
        elif kind == "LeakyRelu":
            nodes.append(node(kind, [pick()], [out], alpha=float(rng.choice([0.01, 0.3, 1.5]))))
        elif kind == "PRelu":
            nodes.append(node(kind, [pick(), constant(WIDTH)], [out]))
        elif kind == "ReduceMean":
            nodes.append(node(kind, [pick()], [f"{out}m"], axes=[1], keepdims=1))
            nodes.append(node("Mul", [f"{out}m", constant(WIDTH)], [out]))
        elif kind in ("Conv", "MaxPool", "AveragePool", "BatchNormalization"):
            constants["image"], constants["row"] = np.array([1, 1, WIDTH]), np.array([1, WIDTH])
            nodes.append(node("Reshape", [pick(), "image"], [f"{out}i"]))
            inputs, more = [f"{out}i"], {"kernel_shape": [3], "pads": [1, 1]}
            if kind == "Conv":
                inputs += [constant(1, 1, 3), constant(1)]
            elif kind == "BatchNormalization":
                spread = f"s{out}"
                constants[spread] = rng.uniform(0.1, 3.0, size=1).astype(np.float32)
                inputs += [constant(1), constant(1), constant(1), spread]
                more = {}
            nodes.append(node(kind, inputs, [f"{out}o"], **more))
            nodes.append(node("Reshape", [f"{out}o", "row"], [out]))
        else:
            nodes.append(node(kind, [pick()], [out]))
        tensors.append(out)
    return [*nodes, node("Identity", [tensors[-1]], ["y"])], constants
