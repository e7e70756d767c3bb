"""Random graphs of operators: fusing, carrying and writing out sums must keep the function."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

node = helper.make_node
WIDTH = 3


@st.composite
def graphs(draw):  # noqa: C901 (a list of cases)
    """Nodes over tensors (1, WIDTH) with dyadic constants; the last tensors are joined as "y"."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    nodes, constants, tensors = [], {}, ["x"]

    def constant(*shape):
        name = f"c{len(constants)}"
        constants[name] = rng.choice([-2.0, -1.0, -0.5, 0.0, 0.0, 0.5, 1.0, 1.0, 2.0], size=shape)
        return name

    def pick():
        return tensors[max(0, len(tensors) - 1 - draw(st.integers(0, 4)))]

    for _ in range(draw(st.integers(1, 12))):
        out = f"t{len(tensors)}"
        kind = draw(st.sampled_from(
            ["MatMul", "Wide", "Add", "Sub", "Max", "Min", "AddC", "MulC", "MaxC", "DivC",
             "Relu", "Relu", "Relu", "Abs", "Neg", "Clip", "Gather", "Pad"]))  # fmt: skip
        if kind == "MatMul":
            nodes.append(node("MatMul", [pick(), constant(WIDTH, WIDTH)], [out]))
        elif kind == "Wide":
            nodes.append(node("Concat", [pick(), pick()], [f"{out}j"], axis=1))
            nodes.append(node("MatMul", [f"{out}j", constant(2 * WIDTH, WIDTH)], [out]))
        elif kind in ("Add", "Sub", "Max", "Min"):
            nodes.append(node(kind, [pick(), pick()], [out]))
        elif kind == "DivC":
            constants[f"d{out}"] = rng.choice([-4.0, -1.0, 0.5, 1.0, 2.0], size=WIDTH)
            nodes.append(node("Div", [pick(), f"d{out}"], [out]))
        elif kind.endswith("C"):
            nodes.append(node(kind[:3], [pick(), constant(WIDTH)], [out]))
        elif kind == "Clip":
            constants[f"l{out}"], constants[f"h{out}"] = np.array(-1.0), np.array(1.5)
            nodes.append(node("Clip", [pick(), f"l{out}", f"h{out}"], [out]))
        elif kind == "Gather":
            constants[f"i{out}"] = rng.integers(0, WIDTH, size=WIDTH)
            nodes.append(node("Gather", [pick(), f"i{out}"], [out], axis=1))
        elif kind == "Pad":
            constants[f"p{out}"] = np.array([0, 1, 0, -1])
            constants[f"v{out}"] = np.array(0.5)
            nodes.append(node("Pad", [pick(), f"p{out}", f"v{out}"], [out]))
        else:
            nodes.append(node(kind, [pick()], [out]))
        tensors.append(out)
    last = [tensors[-1], *(t for t in tensors[-3:-1] if draw(st.booleans()))]
    return [*nodes, node("Concat", last, ["y"], axis=1)], constants


@given(graph=graphs())
@settings(max_examples=250, deadline=None)
def test_random_graphs_agree_with_onnxruntime(graph, build, agrees):
    nodes, constants = graph
    agrees(build(nodes, [1, WIDTH], constants, kind=TensorProto.DOUBLE), points=3)


def test_a_zero_column_beside_a_fused_row(build, agrees):
    """h and relu(h) joined, the next matrix ignoring h: the ReLU may not take h's place twice."""
    weight = np.vstack([np.zeros((WIDTH, WIDTH)), np.ones((WIDTH, WIDTH))])
    nodes = [
        node("MatMul", ["x", "v"], ["h"]),
        node("Relu", ["h"], ["r"]),
        node("Concat", ["h", "r"], ["hr"], axis=1),
        node("Concat", ["r", "h"], ["rh"], axis=1),
        node("MatMul", ["hr", "w"], ["y"]),
    ]
    constants = {"v": -np.eye(WIDTH) + 2.0, "w": weight}
    agrees(build(nodes, [1, WIDTH], constants, kind=TensorProto.DOUBLE))
    nodes[-1] = node("MatMul", ["rh", "w"], ["y"])
    constants["w"] = weight[::-1].copy()
    agrees(build(nodes, [1, WIDTH], constants, kind=TensorProto.DOUBLE))


def test_convolution_over_repeated_and_constant_elements(build, agrees):
    rng = np.random.default_rng(4)
    kernel = (rng.integers(-8, 9, size=(3, 2, 3)) / 4).astype(np.float32)
    pads = np.array([0, 0, 2, 0, 0, 2])
    for mode in ("reflect", "edge", "constant"):
        nodes = [
            node("Pad", ["x", "p", "v"], ["padded"], mode=mode),
            node("Conv", ["padded", "w"], ["y"]),
        ]
        constants = {"p": pads, "w": kernel, "v": np.float32(0.75)}
        agrees(build(nodes, [1, 2, 4], constants))


def test_many_constant_terms_in_a_row(build, agrees):
    nodes = [node("Concat", ["x", "k"], ["c"], axis=1), node("MatMul", ["c", "w"], ["y"])]
    constants = {"k": np.ones((1, 3000)) / 4, "w": np.ones((3001, 2))}
    agrees(build(nodes, [1, 1], constants, kind=TensorProto.DOUBLE))
