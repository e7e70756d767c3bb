"""Every operator against onnxruntime."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

node = helper.make_node
RNG = np.random.default_rng(11)
INT = np.int64

slack = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)


def dyadic(*shape):
    return (RNG.integers(-12, 13, size=shape) / 4).astype(np.float32)


def ints(*values):
    return np.array(values, dtype=INT)


# name: nodes, input shape, constants, opset
CASES = {
    "matmul": ([node("MatMul", ["x", "w"], ["y"])], [1, 4], {"w": dyadic(4, 3)}, 13),
    "matmul vector": ([node("MatMul", ["x", "w"], ["y"])], [1, 4], {"w": dyadic(4)}, 13),
    "matmul of a plain vector": ([node("MatMul", ["x", "w"], ["y"])], [4], {"w": dyadic(4, 3)}, 13),
    "matmul two vectors": ([node("MatMul", ["x", "w"], ["y"])], [4], {"w": dyadic(4)}, 13),
    "matmul batched": ([node("MatMul", ["x", "w"], ["y"])], [1, 3, 4], {"w": dyadic(4, 2)}, 13),
    "matmul stack": ([node("MatMul", ["x", "w"], ["y"])], [1, 2, 3, 4], {"w": dyadic(2, 4, 2)}, 13),
    "matmul left": ([node("MatMul", ["w", "x"], ["y"])], [4, 1], {"w": dyadic(3, 4)}, 13),
    "matmul left stacks": ([node("MatMul", ["w", "x"], ["y"])], [1, 4, 2], {"w": dyadic(3, 4)}, 13),
    "matmul left of vector": ([node("MatMul", ["w", "x"], ["y"])], [4], {"w": dyadic(3, 4)}, 13),
    "vector left": ([node("MatMul", ["w", "x"], ["y"])], [1, 4, 3], {"w": dyadic(4)}, 13),
    "add bias": ([node("Add", ["w", "x"], ["y"])], [1, 4], {"w": dyadic(4)}, 13),
    "add grows": ([node("Add", ["x", "w"], ["y"])], [1, 1, 4], {"w": dyadic(3, 1)}, 13),
    "add itself": ([node("Add", ["x", "x"], ["y"])], [1, 4], {}, 13),
    "sub from constant": ([node("Sub", ["w", "x"], ["y"])], [1, 4], {"w": dyadic(1, 4)}, 13),
    "sub itself": ([node("Sub", ["x", "x"], ["y"])], [1, 4], {}, 13),
    "mul": ([node("Mul", ["x", "w"], ["y"])], [1, 4], {"w": dyadic(4)}, 13),
    "mul left": ([node("Mul", ["w", "x"], ["y"])], [1, 4], {"w": dyadic(1)}, 13),
    "div by powers of two": (
        [node("Div", ["x", "w"], ["y"])], [1, 3], {"w": np.float32([2, -0.5, 8])}, 13,
    ),
    "neg": ([node("Neg", ["x"], ["y"])], [1, 4], {}, 13),
    "sum of three": ([node("Sum", ["x", "w", "x"], ["y"])], [1, 4], {"w": dyadic(4)}, 13),
    "relu": ([node("Relu", ["x"], ["y"])], [1, 4], {}, 13),
    "leaky relu": ([node("LeakyRelu", ["x"], ["y"], alpha=0.25)], [1, 4], {}, 13),
    "leaky relu steep": ([node("LeakyRelu", ["x"], ["y"], alpha=3.0)], [1, 4], {}, 13),
    "leaky relu negative": ([node("LeakyRelu", ["x"], ["y"], alpha=-0.5)], [1, 4], {}, 13),
    "prelu": ([node("PRelu", ["x", "w"], ["y"])], [1, 2, 3], {"w": dyadic(2, 1)}, 13),
    "abs": ([node("Abs", ["x"], ["y"])], [1, 4], {}, 13),
    "max of one": ([node("Max", ["x"], ["y"])], [1, 4], {}, 13),
    "max": ([node("Max", ["x", "w"], ["y"])], [1, 4], {"w": dyadic(4)}, 13),
    "max of five": (
        [node("Max", ["x", "w", "v", "x", "u"], ["y"])], [1, 4],
        {"w": dyadic(4), "v": dyadic(1), "u": dyadic(1, 4)}, 13,
    ),
    "min": ([node("Min", ["w", "x"], ["y"])], [1, 4], {"w": dyadic(4)}, 13),
    "min of computed": (
        [node("Neg", ["x"], ["n"]), node("Min", ["n", "x", "w"], ["y"])], [1, 4],
        {"w": dyadic(4)}, 13,
    ),
    "clip": (
        [node("Clip", ["x", "lo", "hi"], ["y"])], [1, 9],
        {"lo": np.float32(-1), "hi": np.float32(0.5)}, 13,
    ),
    "clip below": ([node("Clip", ["x", "lo"], ["y"])], [1, 9], {"lo": np.float32(-1)}, 13),
    "clip above": ([node("Clip", ["x", "", "hi"], ["y"])], [1, 9], {"hi": np.float32(0.5)}, 13),
    "clip crossed": (
        [node("Clip", ["x", "lo", "hi"], ["y"])], [1, 9],
        {"lo": np.float32(1), "hi": np.float32(-1)}, 13,
    ),
    "clip not at all": ([node("Clip", ["x"], ["y"])], [1, 4], {}, 13),
    "clip infinite": (
        [node("Clip", ["x", "lo", "hi"], ["y"])], [1, 9],
        {"lo": np.float32(0), "hi": np.float32(np.inf)}, 13,
    ),
    "clip attributes": ([node("Clip", ["x"], ["y"], min=-1.0, max=1.5)], [1, 9], {}, 6),
    "flatten": ([node("Flatten", ["x"], ["y"])], [1, 2, 3], {}, 13),
    "flatten negative axis": ([node("Flatten", ["x"], ["y"], axis=-1)], [1, 2, 3], {}, 13),
    "reshape": ([node("Reshape", ["x", "s"], ["y"])], [1, 2, 3], {"s": ints(0, -1)}, 13),
    "identity": ([node("Identity", ["x"], ["y"])], [1, 4], {}, 13),
    "dropout": ([node("Dropout", ["x"], ["y"])], [1, 4], {}, 13),
    "dropout opset 7": ([node("Dropout", ["x"], ["y"], ratio=0.5)], [1, 4], {}, 7),
    "concat": ([node("Concat", ["x", "w", "x"], ["y"], axis=1)], [1, 4], {"w": dyadic(1, 2)}, 13),
    "slice": (
        [node("Slice", ["x", "s", "e", "a", "t"], ["y"])], [1, 6, 2],
        {"s": ints(-1, 0), "e": ints(-100, 1), "a": ints(1, 2), "t": ints(-2, 1)}, 13,
    ),
    "slice attributes": (
        [node("Slice", ["x"], ["y"], starts=[1], ends=[2**31], axes=[1])], [1, 6], {}, 9,
    ),
    "split": (
        [node("Split", ["x"], ["a", "b"], axis=1), node("Sub", ["a", "b"], ["y"])], [1, 6], {}, 13,
    ),
    "split sizes": (
        [node("Split", ["x", "s"], ["a", "y"], axis=1)], [1, 6], {"s": ints(2, 4)}, 13,
    ),
    "split attribute": (
        [node("Split", ["x"], ["a", "y"], axis=-1, split=[2, 4])], [1, 6], {}, 11,
    ),
    "split uneven": (
        [node("Split", ["x"], ["a", "b", "y"], axis=1, num_outputs=3)], [1, 8], {}, 18,
    ),
    "gather": ([node("Gather", ["x", "i"], ["y"], axis=1)], [1, 6], {"i": ints(3, -1, 3)}, 13),
    "gather scalar": (
        [node("Gather", ["x", "i"], ["y"], axis=2)], [1, 2, 6], {"i": np.array(2, INT)}, 13,
    ),
    "transpose": ([node("Transpose", ["x"], ["y"], perm=[0, 2, 1])], [1, 2, 3], {}, 13),
    "transpose all": ([node("Transpose", ["x"], ["y"])], [1, 2, 3], {}, 13),
    "squeeze": ([node("Squeeze", ["x", "a"], ["y"])], [1, 1, 3], {"a": ints(1)}, 13),
    "squeeze all": ([node("Squeeze", ["x"], ["y"])], [1, 1, 3], {}, 13),
    "squeeze attribute": ([node("Squeeze", ["x"], ["y"], axes=[-2])], [1, 1, 3], {}, 11),
    "unsqueeze": ([node("Unsqueeze", ["x", "a"], ["y"])], [1, 3], {"a": ints(0, -1)}, 13),
    "pad": (
        [node("Pad", ["x", "p", "v"], ["y"])], [1, 3],
        {"p": ints(0, 2, 0, 1), "v": np.float32(0.75)}, 13,
    ),
    "pad and crop": ([node("Pad", ["x", "p"], ["y"])], [1, 5], {"p": ints(0, -2, 0, 1)}, 13),
    "pad axes": (
        [node("Pad", ["x", "p", "", "a"], ["y"])], [1, 3, 2],
        {"p": ints(2, 1), "a": ints(-1)}, 18,
    ),
    "pad attributes": ([node("Pad", ["x"], ["y"], pads=[0, 1, 0, 2], value=1.5)], [1, 3], {}, 10),
    "pad reflect": (
        [node("Pad", ["x", "p"], ["y"], mode="reflect")], [1, 4], {"p": ints(0, 2, 0, 1)}, 13,
    ),
    "pad edge": (
        [node("Pad", ["x", "p"], ["y"], mode="edge")], [1, 4], {"p": ints(0, 2, 0, 1)}, 13,
    ),
    "cast": ([node("Cast", ["x"], ["y"], to=TensorProto.FLOAT)], [1, 4], {}, 13),
    "cast constant": (
        [node("Cast", ["i"], ["f"], to=TensorProto.FLOAT), node("Add", ["x", "f"], ["y"])],
        [1, 2], {"i": ints(3, -1)}, 13,
    ),
    "reduce sum": ([node("ReduceSum", ["x", "a"], ["y"])], [1, 2, 3], {"a": ints(-1)}, 13),
    "reduce sum all": ([node("ReduceSum", ["x"], ["y"], keepdims=0)], [1, 2, 3], {}, 13),
    "reduce sum none": ([node("ReduceSum", ["x"], ["y"], noop_with_empty_axes=1)], [1, 3], {}, 13),
    "reduce sum attribute": (
        [node("ReduceSum", ["x"], ["y"], axes=[1], keepdims=0)], [1, 2, 3], {}, 11,
    ),
    "reduce mean of four": ([node("ReduceMean", ["x"], ["y"], axes=[1])], [1, 4, 3], {}, 13),
    "global average": ([node("GlobalAveragePool", ["x"], ["y"])], [1, 3, 2, 2], {}, 13),
    "global max": ([node("GlobalMaxPool", ["x"], ["y"])], [1, 3, 3, 3], {}, 13),
    "expand": ([node("Expand", ["x", "s"], ["y"])], [1, 3], {"s": ints(1, 2, 1)}, 13),
    "tile": ([node("Tile", ["x", "s"], ["y"])], [1, 3], {"s": ints(1, 2)}, 13),
    "where": (
        [node("Where", ["c", "x", "w"], ["y"])], [1, 3],
        {"c": np.array([True, False, True]), "w": dyadic(3)}, 13,
    ),
    "residual": (
        [
            node("MatMul", ["x", "w"], ["h"]), node("Relu", ["h"], ["r"]),
            node("MatMul", ["r", "w"], ["g"]), node("Add", ["g", "x"], ["s"]),
            node("Relu", ["s"], ["y"]),
        ],
        [1, 4], {"w": dyadic(4, 4)}, 13,
    ),
    "no batch": ([node("Relu", ["x"], ["y"])], [5], {}, 13),
    "symbolic batch": ([node("Relu", ["x"], ["y"])], ["N", 5], {}, 13),
    "four ones": (
        [node("Flatten", ["x"], ["f"]), node("MatMul", ["f", "w"], ["y"])],
        [1, 1, 1, 5], {"w": dyadic(5, 2)}, 13,
    ),
    "shape arithmetic": (
        [
            node("Shape", ["x"], ["s"]), node("Gather", ["s", "zero"], ["n"]),
            node("Unsqueeze", ["n", "axis"], ["u"]), node("Concat", ["u", "minus"], ["t"], axis=0),
            node("Reshape", ["x", "t"], ["y"]),
        ],
        [1, 2, 3], {"zero": np.array(0, INT), "axis": ints(0), "minus": ints(-1)}, 13,
    ),
    "constant of shape": (
        [
            node("Shape", ["x"], ["s"]),
            node("ConstantOfShape", ["s"], ["c"], value=helper.make_tensor("v", 1, [1], [2.5])),
            node("Add", ["x", "c"], ["y"]),
        ],
        [1, 4], {}, 13,
    ),
    "constant node": (
        [node("Constant", [], ["c"], value_floats=[1.0, 2.0]), node("Mul", ["x", "c"], ["y"])],
        [1, 2], {}, 13,
    ),
    "constant arithmetic": (
        [
            node("Mul", ["w", "v"], ["c"]), node("Add", ["c", "v"], ["d"]),
            node("MatMul", ["x", "d"], ["y"]),
        ],
        [1, 2], {"w": dyadic(2, 3), "v": dyadic(3)}, 13,
    ),
    "constant output beside": (
        [node("Relu", ["w"], ["c"]), node("Concat", ["c", "x"], ["y"], axis=1)],
        [1, 2], {"w": dyadic(1, 3)}, 13,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_agrees_with_onnxruntime(name, build, agrees):
    nodes, shape, constants, opset = CASES[name]
    agrees(build(nodes, shape, constants, opset))


@pytest.mark.parametrize("name", CASES)
def test_agrees_inside_a_network(name, build, agrees):
    """The same operators between affine layers, where fusing and carrying happen."""
    nodes, shape, constants, opset = CASES[name]
    size = int(np.prod([s for s in shape if isinstance(s, int)]))
    if opset < 7:
        pytest.skip("this opset's MatMul and Add broadcast differently")
    constants = {**constants, "before": dyadic(size), "times": dyadic(size), "after": dyadic(1)}
    full = ints(*[s if isinstance(s, int) else 1 for s in shape])
    inner = [
        node("Flatten", ["x"], ["x1"], axis=0),
        node("Mul", ["x1", "times"], ["x2"]),
        node("Add", ["x2", "before"], ["x3"]),
        node("Relu", ["x3"], ["x4"]),
        node("Sub", ["x4", "x2"], ["x5"]),
        node("Reshape", ["x5", "full"], ["inner"]),
    ]
    outer = [
        node("Mul", ["out", "after"], ["z1"]),
        node("Relu", ["z1"], ["z2"]),
        node("Add", ["z2", "out"], ["y"]),
    ]
    renamed = []
    for original in nodes:
        copy = helper.make_node("Identity", [], [])
        copy.CopyFrom(original)
        for names in (copy.input, copy.output):
            for index, tensor in enumerate(names):
                names[index] = {"x": "inner", "y": "out"}.get(tensor, tensor)
        renamed.append(copy)
    agrees(build([*inner, *renamed, *outer], shape, {**constants, "full": full}, opset))


@given(
    trans_a=st.booleans(),
    trans_b=st.booleans(),
    alpha=st.sampled_from([1.0, 0.5, -2.0]),
    beta=st.sampled_from([1.0, 0.0, -0.5]),
    bias=st.sampled_from([None, (), (3,), (1, 3), (1, 1)]),
    swapped=st.booleans(),
)
@slack
def test_gemm(trans_a, trans_b, alpha, beta, bias, swapped, build, agrees):
    attributes = {"transA": int(trans_a), "transB": int(trans_b), "alpha": alpha, "beta": beta}
    constants = {} if bias is None else {"c": dyadic(*bias)}
    extra = [] if bias is None else ["c"]
    if swapped:  # W x instead of x W
        constants["w"] = dyadic(*((4, 2) if trans_a else (2, 4)))
        shape, names = ([3, 4] if trans_b else [4, 3]), ["w", "x"]
    else:
        constants["w"] = dyadic(*((3, 4) if trans_b else (4, 3)))
        shape, names = ([4, 1] if trans_a else [1, 4]), ["x", "w"]
    model = build([node("Gemm", names + extra, ["y"], **attributes)], shape, constants)
    agrees(model)


@given(
    dims=st.integers(1, 2),
    data=st.data(),
    groups=st.sampled_from([1, 2]),
    auto_pad=st.sampled_from(["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"]),
    bias=st.booleans(),
)
@slack
def test_conv(dims, data, groups, auto_pad, bias, build, agrees):
    draw = data.draw
    sizes = draw(st.lists(st.integers(1, 6), min_size=dims, max_size=dims))
    kernel = draw(st.lists(st.integers(1, 3), min_size=dims, max_size=dims))
    attributes = {
        "strides": draw(st.lists(st.integers(1, 3), min_size=dims, max_size=dims)),
        "group": groups,
    }
    if auto_pad == "NOTSET":
        attributes["dilations"] = draw(st.lists(st.integers(1, 2), min_size=dims, max_size=dims))
        attributes["pads"] = draw(st.lists(st.integers(0, 2), min_size=2 * dims, max_size=2 * dims))
    else:
        attributes["auto_pad"] = auto_pad
    pads = attributes.get("pads", [0] * (2 * dims))
    dilations = attributes.get("dilations", [1] * dims)
    for axis in range(dims):
        extent = (kernel[axis] - 1) * dilations[axis] + 1
        room = sizes[axis] + pads[axis] + pads[axis + dims]
        assume(auto_pad.startswith("SAME") or extent <= room)
    constants = {"w": dyadic(4, 2, *kernel)} | ({"b": dyadic(4)} if bias else {})
    conv = node("Conv", ["x", "w", *(["b"] if bias else [])], ["y"], **attributes)
    agrees(build([conv], [1, 2 * groups, *sizes], constants), points=2)


@given(
    dims=st.integers(1, 2),
    data=st.data(),
    kind=st.sampled_from(["MaxPool", "AveragePool"]),
    auto_pad=st.sampled_from(["NOTSET", "NOTSET", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"]),
    ceil_mode=st.booleans(),
    include=st.booleans(),
)
@settings(slack, max_examples=150)
def test_pool(dims, data, kind, auto_pad, ceil_mode, include, build, agrees):
    draw = data.draw
    sizes = draw(st.lists(st.integers(2, 6), min_size=dims, max_size=dims))
    kernel = draw(st.lists(st.integers(1, 3), min_size=dims, max_size=dims))
    attributes = {
        "kernel_shape": kernel,
        "strides": draw(st.lists(st.integers(1, 3), min_size=dims, max_size=dims)),
        "ceil_mode": int(ceil_mode and auto_pad == "NOTSET"),
    }
    dilations = [1] * dims
    if kind == "AveragePool":
        attributes["count_include_pad"] = int(include)
    elif auto_pad == "NOTSET":
        dilations = draw(st.lists(st.integers(1, 2), min_size=dims, max_size=dims))
        attributes["dilations"] = dilations
    pads = [0] * (2 * dims)
    if auto_pad == "NOTSET":
        pads = [draw(st.integers(0, kernel[i % dims] - 1)) for i in range(2 * dims)]
        attributes["pads"] = pads
    else:
        attributes["auto_pad"] = auto_pad
    for axis in range(dims):
        extent = (kernel[axis] - 1) * dilations[axis] + 1
        # onnxruntime refuses windows smaller than the stride under SAME padding.
        fits = kernel[axis] >= attributes["strides"][axis] or auto_pad == "NOTSET"
        assume(fits if auto_pad.startswith("SAME") else extent <= sizes[axis])
    tolerance = 1e-6 if kind == "AveragePool" else 0.0
    model = build([node(kind, ["x"], ["y"], **attributes)], [1, 2, *sizes], opset=19)
    agrees(model, tolerance=tolerance, points=2)


def test_divisors_are_exact(build, read_model):
    from fractions import Fraction

    model = build([node("Div", ["x", "w"], ["y"])], [1, 2], {"w": np.float32([3, -7])})
    values = read_model(model).evaluate_exactly([Fraction(1), Fraction(1)])
    assert values == (Fraction(1, 3), Fraction(-1, 7))
    mean = build([node("ReduceMean", ["x"], ["y"], axes=[1])], [1, 3])
    assert read_model(mean).evaluate_exactly([Fraction(1), Fraction(0), Fraction(0)]) == (
        Fraction(1, 3),
    )


def test_inexact_leaky_slope(build, read_model):
    """1 - 1e-30 is no float64; the other formula must take over."""
    from fractions import Fraction

    slope = np.float64([1e-30])
    model = build([node("PRelu", ["x", "w"], ["y"])], [1, 1], {"w": slope}, kind=TensorProto.DOUBLE)
    network = read_model(model)
    assert network.evaluate_exactly([Fraction(-3)]) == (-3 * Fraction(1e-30),)
    assert network.evaluate_exactly([Fraction(3)]) == (3,)


@given(data=st.data())
@slack
def test_batch_normalisation(data, build, agrees, read_model):
    from fractions import Fraction

    floats = st.floats(0.125, 4, width=32)
    scale, bias, mean, variance = (
        np.array(data.draw(st.lists(floats, min_size=3, max_size=3)), dtype=np.float32)
        for _ in range(4)
    )
    scale[0] *= -1
    constants = {"s": scale, "b": bias, "m": mean, "v": variance, "w": dyadic(3, 2, 2, 2)}
    nodes = [
        node("Conv", ["x", "w"], ["c"]),
        node("BatchNormalization", ["c", "s", "b", "m", "v"], ["n"], epsilon=1e-3),
        node("Relu", ["n"], ["y"]),
    ]
    network = agrees(build(nodes, [1, 2, 3, 3], constants), tolerance=2e-5)
    assert any("batch normalisation" in note for note in network.notes)
    alone = build([node("BatchNormalization", ["x", "s", "b", "m", "v"], ["y"])], [1, 3], constants)
    outputs = read_model(alone).evaluate_exactly([Fraction(1)] * 3)
    epsilon = Fraction(float(np.float32(1e-5)))
    for i, value in enumerate(outputs):
        factor = (
            (value - Fraction(float(bias[i]))) / (1 - Fraction(float(mean[i])))
            if mean[i] != 1
            else None
        )
        if factor is None:
            continue
        assert float(factor) == factor  # a float64 ...
        square = Fraction(float(scale[i])) ** 2 / (Fraction(float(variance[i])) + epsilon)
        low, high = (
            (abs(factor) + Fraction(float(np.nextafter(float(abs(factor)), end)))) / 2
            for end in (0.0, np.inf)
        )
        assert low**2 <= square <= high**2  # ... and the nearest one


def test_double_model(build, agrees):
    weight = RNG.normal(size=(4, 3))
    nodes = [node("Gemm", ["x", "w", "b"], ["h"]), node("Relu", ["h"], ["y"])]
    constants = {"w": weight, "b": RNG.normal(size=3)}
    network = agrees(build(nodes, [1, 4], constants, kind=TensorProto.DOUBLE), tolerance=1e-12)
    np.testing.assert_array_equal(network.layers[0].weight, weight.T)


def test_cast_of_variable_to_double(build, agrees):
    nodes = [
        node("Cast", ["x"], ["d"], to=TensorProto.DOUBLE),
        node("Mul", ["d", "w"], ["m"]),
        node("Cast", ["m"], ["y"], to=TensorProto.FLOAT),
    ]
    agrees(build(nodes, [1, 3], {"w": np.float64([0.5, 2, -3])}))
