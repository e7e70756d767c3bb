"""Malformed and hostile ONNX files: always one line, never a traceback."""

from __future__ import annotations

import gzip

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from relucert.cli import main
from relucert.errors import FileError, UnsupportedOperatorError
from relucert.network import Network
from relucert.read.network import network_content, read_network

node = helper.make_node
INT = np.int64


def refused(read_model, model, *words, kind=FileError):
    with pytest.raises(kind) as caught:
        read_model(model)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message, message
    return message


@pytest.fixture
def simple(build):
    constants = {"w": np.ones((3, 2), np.float32)}
    return build([node("MatMul", ["x", "w"], ["y"], name="first")], [1, 3], constants)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty.onnx", b"", "empty"),
        ("noise.onnx", b"\xff\xfe not a model", "ONNX"),
        ("text.onnx", b"hello", "ONNX"),
        ("zero.onnx", b"\0" * 50, "ONNX"),
        ("broken.onnx.gz", b"\x1f\x8b broken", "gzip"),
        ("network.txt", b"hello", "unknown kind"),
        ("network", b"hello", "unknown kind"),
    ],
)
def test_not_a_model(tmp_path, name, content, words):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(FileError, match=words):
        read_network(path)


def test_missing_and_folder(tmp_path):
    with pytest.raises(FileError, match="no such file"):
        read_network(tmp_path / "none.onnx")
    (tmp_path / "folder.onnx").mkdir()
    with pytest.raises(FileError, match="directory"):
        read_network(tmp_path / "folder.onnx")


def test_every_truncation_is_refused_or_reads(simple, tmp_path):
    content = simple.SerializeToString()
    path = tmp_path / "cut.onnx"
    for length in range(1, len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(FileError):
            read_network(path)
    (tmp_path / "cut.onnx.gz").write_bytes(gzip.compress(content)[:-9])
    with pytest.raises(FileError, match="gzip"):
        read_network(tmp_path / "cut.onnx.gz")


@given(data=st.data())
@settings(
    max_examples=300, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
def test_flipped_bytes_never_make_a_traceback(data, simple, tmp_path):
    content = bytearray(simple.SerializeToString())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "flipped.onnx"
    path.write_bytes(bytes(content))
    try:
        result: object = read_network(path)
    except FileError as error:
        result = error
    assert isinstance(result, Network) or "\n" not in str(result)


def test_deeply_nested_graphs(build, read_model):
    inner = helper.make_graph([], "deep", [], [])
    for _ in range(60):
        outer = node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)
        inner = helper.make_graph([outer], "deep", [], [])
        if len(inner.SerializeToString()) > 10_000_000:
            break
        inner = helper.make_graph([node("If", ["c"], ["y"], then_branch=inner)], "deep", [], [])
        if inner.ByteSize() > 100_000:
            break
    model = build([node("If", ["x"], ["y"], then_branch=inner, name="choice")], [1, 3])
    refused(read_model, model, "If")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("Sigmoid", "piecewise linear"),
        ("Softmax", "cut off"),
        ("Exp", "piecewise linear"),
        ("Invented", "SUPPORTED_OPERATORS"),
        ("QLinearConv", "quantised"),
        ("DequantizeLinear", "quantised"),
        ("QuantizeLinear", "quantised"),
        ("ConvInteger", "quantised"),
        ("DynamicQuantizeLinear", "quantised"),
        ("If", "control flow"),
        ("Loop", "control flow"),
        ("Scan", "control flow"),
    ],
)
def test_unsupported_operators(kind, words, build, read_model):
    model = build([node(kind, ["x"], ["y"], name="bad one")], [1, 3])
    refused(read_model, model, "bad one", kind, words, kind=UnsupportedOperatorError)


def test_unnamed_node_is_named_by_its_output(build, read_model):
    refused(read_model, build([node("Tanh", ["x"], ["y"])], [1, 3]), "node 'y' (Tanh)")


def test_names_with_line_breaks_stay_on_one_line(build, read_model):
    refused(read_model, build([node("Bad\nkind", ["x"], ["y"], name="a\nb")], [1, 3]))


def test_foreign_domain(build, read_model):
    model = build([node("Relu", ["x"], ["y"], domain="com.vendor")], [1, 3])
    refused(read_model, model, "com.vendor", kind=UnsupportedOperatorError)


@pytest.mark.parametrize(
    ("nodes", "shape"),
    [
        ([node("Mul", ["x", "x"], ["y"], name="square")], [1, 3]),
        ([node("MatMul", ["x", "x"], ["y"], name="square")], [3, 3]),
        ([node("Gemm", ["x", "x"], ["y"], name="square", transB=1)], [1, 3]),
        ([node("Div", ["x", "x"], ["y"], name="square")], [1, 3]),
        ([node("Relu", ["x"], ["r"]), node("PRelu", ["x", "r"], ["y"], name="square")], [1, 3]),
        ([node("Conv", ["x", "x"], ["y"], name="square")], [1, 1, 3]),
        ([node("Cast", ["x"], ["y"], name="square", to=TensorProto.INT64)], [1, 3]),
    ],
)
def test_products_of_variables_are_refused(nodes, shape, build, read_model):
    refused(read_model, build(nodes, shape), "square", kind=UnsupportedOperatorError)


def test_training_modes(build, read_model):
    ones = {name: np.ones(3, np.float32) for name in "sbmv"}
    batch = node("BatchNormalization", ["x", *"sbmv"], ["y"], training_mode=1)
    refused(read_model, build([batch], [1, 3], ones, opset=15), "training")
    drop = node("Dropout", ["x", "", "t"], ["y"])
    refused(read_model, build([drop], [1, 3], {"t": np.array(True)}), "training")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite(bad, simple, read_model):
    weight = np.ones((3, 2), np.float32)
    weight[1, 1] = bad
    simple.graph.initializer[0].CopyFrom(numpy_helper.from_array(weight, "the weight"))
    simple.graph.node[0].input[1] = "the weight"
    refused(read_model, simple, "initializer 'the weight'", "NaN or infinity")


def test_single_infinite_weight_is_refused_where_it_is_used(build, read_model):
    constants = {"w": np.float32([np.inf])}
    model = build([node("Mul", ["x", "w"], ["y"], name="scaling")], [1, 3], constants)
    refused(read_model, model, "scaling", "not finite")


def test_declared_sizes_without_data(simple, read_model):
    tensor = simple.graph.initializer[0]
    tensor.dims[:] = [10**9, 10**9]
    refused(read_model, simple, "initializer 'w'", "declares shape")
    tensor.dims[:] = [-3, -2]
    refused(read_model, simple, "initializer 'w'", "negative")
    tensor.dims[:] = [3, 2]
    tensor.raw_data = tensor.raw_data[:-1]
    refused(read_model, simple, "initializer 'w'", "declares shape")


@pytest.mark.parametrize(
    ("nodes", "constants"),
    [
        ([node("ConstantOfShape", ["s"], ["c"], name="huge"), node("Add", ["x", "c"], ["y"])],
         {"s": np.array([10**6, 10**6], INT)}),
        ([node("Expand", ["x", "s"], ["y"], name="huge")], {"s": np.array([10**9, 3], INT)}),
        ([node("Tile", ["x", "s"], ["y"], name="huge")], {"s": np.array([10**9, 3], INT)}),
        ([node("Pad", ["x", "s"], ["y"], name="huge")], {"s": np.array([0, 0, 0, 10**12], INT)}),
        ([node("Pad", ["x", "s"], ["y"], name="huge")], {"s": np.array([0, 0, 0, 2**62], INT)}),
        ([node("Range", ["a", "s", "b"], ["c"], name="huge"), node("Gather", ["x", "c"], ["y"])],
         {"a": np.array(0, INT), "s": np.array(10**12, INT), "b": np.array(1, INT)}),
    ],
)  # fmt: skip
def test_absurd_tensors_are_refused_before_allocating(nodes, constants, build, read_model):
    refused(read_model, build(nodes, [1, 3], constants), "huge", "limit")


@pytest.mark.parametrize(
    "bad",
    [
        node("Conv", ["x", "w"], ["y"], pads=[10**6, 10**6], name="huge"),
        node("Conv", ["x", "w"], ["y"], pads=[2**62, 0], name="huge"),
        node("MaxPool", ["x"], ["y"], kernel_shape=[10**5], pads=[10**5] * 2, name="huge"),
    ],
)
def test_absurd_windows_are_refused_before_allocating(bad, build, read_model):
    constants = {"w": np.ones((64, 1, 3), np.float32)}
    refused(read_model, build([bad], [1, 1, 8], constants), "huge", "limit")


def test_absurd_inputs(build, read_model):
    refused(read_model, build([node("Relu", ["x"], ["y"])], [1, 10**9, 10**9]), "limit")


@pytest.mark.parametrize(
    ("bad", "shape"),
    [
        (node("MatMul", ["x", "w"], ["y"], name="bad"), [1, 4]),
        (node("Gemm", ["x", "w"], ["y"], name="bad"), [1, 4]),
        (node("Gemm", ["x", "w"], ["y"], name="bad"), [1, 1, 4]),
        (node("Add", ["x", "w"], ["y"], name="bad"), [1, 4]),
        (node("Conv", ["x", "w"], ["y"], name="bad"), [1, 4, 4]),
        (node("Reshape", ["x", "i"], ["y"], name="bad"), [1, 4]),
        (node("Gather", ["x", "i"], ["y"], name="bad", axis=1), [1, 4]),
        (node("Gather", ["x", "w"], ["y"], name="bad"), [1, 4]),
        (node("Gather", ["x", "i"], ["y"], name="bad", axis=7), [1, 4]),
        (node("Concat", ["x", "w"], ["y"], name="bad", axis=9), [1, 4]),
        (node("Concat", ["x", "w"], ["y"], name="bad"), [1, 4]),
        (node("Transpose", ["x"], ["y"], name="bad", perm=[0, 0]), [1, 4]),
        (node("Transpose", ["x"], ["y"], name="bad", perm=[0, 9]), [1, 4]),
        (node("Squeeze", ["x", "i"], ["y"], name="bad"), [1, 4]),
        (node("Split", ["x", "i"], ["y", "z"], name="bad", axis=1), [1, 4]),
        (node("Split", ["x"], ["y", "z"], name="bad", axis=3), [1, 4]),
        (node("Slice", ["x"], ["y"], name="bad"), [1, 4]),
        (node("Slice", ["x", "i", "i", "i"], ["y"], name="bad"), [1, 4]),
        (node("Flatten", ["x"], ["y"], name="bad", axis=5), [1, 4]),
        (node("Flatten", ["x"], ["y"], name="bad", axis="one"), [1, 4]),
        (node("Pad", ["x", "i"], ["y"], name="bad"), [1, 4]),
        (node("Div", ["x", "zero"], ["y"], name="bad"), [1, 4]),
        (node("MaxPool", ["x"], ["y"], name="bad"), [1, 1, 4]),
        (node("MaxPool", ["x"], ["y"], name="bad", kernel_shape=[9]), [1, 1, 4]),
        (node("MaxPool", ["x"], ["y"], name="bad", kernel_shape=[2], strides=[0]), [1, 1, 4]),
        (node("MaxPool", ["x"], ["y"], name="bad", kernel_shape=[2], pads=[-1, 0]), [1, 1, 4]),
        (node("MaxPool", ["x"], ["y"], name="bad", kernel_shape=[1], pads=[2, 0]), [1, 1, 4]),
        (node("MaxPool", ["x"], ["y", "i2"], name="bad", kernel_shape=[2]), [1, 1, 4]),
        (node("LeakyRelu", ["x"], ["y"], name="bad", alpha=float("nan")), [1, 4]),
        (node("Relu", [], ["y"], name="bad"), [1, 4]),
        (node("ReduceSum", ["x", "i"], ["y"], name="bad"), [1, 4]),
        (node("Constant", [], ["y"], name="bad", value_string="text"), [1, 4]),
    ],
)
def test_misfitting_nodes_are_named(bad, shape, build, read_model):
    constants = {
        "w": np.ones((2, 3), np.float32),
        "i": np.array([1, 7, 9], INT),
        "zero": np.float32([0]),
    }
    refused(read_model, build([bad], shape, constants), "node 'bad'")


def test_cycles_and_undefined_names(build, read_model):
    cycle = [node("Add", ["x", "b"], ["a"]), node("Add", ["x", "a"], ["b"], name="second"),
             node("Relu", ["b"], ["y"])]  # fmt: skip
    refused(read_model, build(cycle, [1, 3]), "cycle")
    refused(read_model, build([node("Add", ["y", "x"], ["y"], name="own")], [1, 3]), "cycle")
    refused(read_model, build([node("Add", ["x", "ghost"], ["y"])], [1, 3]), "ghost", "not defined")
    refused(read_model, build([node("Relu", ["x"], ["z"])], [1, 3]), "'y'", "not defined")
    twice = [node("Relu", ["x"], ["y"]), node("Abs", ["x"], ["y"], name="again")]
    refused(read_model, build(twice, [1, 3]), "second time", "again")


def test_long_chains_do_not_recurse(build, read_model):
    nodes = [node("Relu", [f"t{i}" if i else "x"], [f"t{i + 1}"]) for i in range(1500)]
    nodes.append(node("Neg", ["t1500"], ["y"]))
    nodes.reverse()  # order in the file does not matter
    assert read_model(build(nodes, [1, 1])).output_size == 1


def test_inputs_and_outputs(build, read_model, simple):
    relu = [node("Relu", ["x"], ["y"])]
    two = build(relu, [1, 3])
    two.graph.input.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, [1]))
    refused(read_model, two, "one input", "x, z")
    two = build([*relu, node("Abs", ["x"], ["z"])], [1, 3])
    two.graph.output.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, None))
    refused(read_model, two, "one output", "y, z")
    refused(read_model, build(relu, [1, "N"]), "input 'x'", "fixed")
    refused(read_model, build(relu, None), "no shape")
    refused(read_model, build(relu, [1, 3], kind=TensorProto.INT64), "float32")
    refused(read_model, build(relu, [1, 0, 3]), "input 'x'", "fixed")
    # An initializer listed among the inputs is no input.
    simple.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [3, 2]))
    assert read_model(simple).output_size == 2


def test_fixed_batches(build, read_model):
    refused(read_model, build([node("Relu", ["x"], ["y"])], [5, 3]), "batch size 5")
    model = build([node("Relu", ["x"], ["y"])], [0, 3])
    assert read_model(model).input_shape == (3,)
    flat = build([node("Flatten", ["x"], ["y"], axis=0)], [28, 2])
    assert read_model(flat).input_shape == (28, 2)


def test_a_second_output_of_integers_is_left_out(build, read_model):
    model = build([node("Relu", ["x"], ["y"]), node("ArgMax", ["y"], ["label"])], [1, 3])
    model.graph.output.append(helper.make_tensor_value_info("label", TensorProto.INT64, None))
    network = read_model(model)
    assert network.output_size == 3
    assert any("'y'" in note for note in network.notes)


def test_future_opset(build, read_model):
    model = build([node("Relu", ["x"], ["y"])], [1, 3])
    model.opset_import[0].version = 999
    refused(read_model, model, "opset 999")


def _external(simple, tmp_path, entries):
    tensor = simple.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in entries.items():
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    folder = tmp_path / "model"
    folder.mkdir(exist_ok=True)
    (folder / "weights.bin").write_bytes(b"\0" * 8 + np.arange(6, dtype="<f4").tobytes())
    (tmp_path / "secret.bin").write_bytes(b"\0" * 64)
    (folder / "network.onnx").write_bytes(simple.SerializeToString())
    return folder / "network.onnx"


def test_external_data_beside_the_model(simple, tmp_path):
    entries = {"location": "weights.bin", "offset": "8", "length": "24"}
    network = read_network(_external(simple, tmp_path, entries))
    expected = np.arange(6).reshape(3, 2).T
    np.testing.assert_array_equal(network.layers[0].weight, expected)


def test_a_proof_names_all_of_a_network_or_none(simple, tmp_path, capsys):
    whole = tmp_path / "whole.onnx"
    whole.write_bytes(simple.SerializeToString())
    assert network_content(whole) == whole.read_bytes()
    entries = {"location": "weights.bin", "offset": "8", "length": "24"}
    divided = _external(simple, tmp_path, entries)
    with pytest.raises(FileError, match=r"another file \('weights.bin'\)"):
        network_content(divided)
    query = tmp_path / "query.vnnlib"
    query.write_text("(declare-const X_0 Real)")
    for command in (
        ["certify", str(divided), str(query), "--proof", "x.rcp"],
        ["certify", str(divided), str(query), "--cubes", "2", "--proof", "x.rcp"],
        ["check", "x.rcp", str(divided), str(query)],
    ):
        with pytest.raises(SystemExit) as stop:
            main(command)
        assert stop.value.code == 2
        assert "weights.bin" in capsys.readouterr().err


@pytest.mark.parametrize(
    "entries",
    [
        {"location": "../secret.bin"},
        {"location": "sub/../../secret.bin"},
        {"location": "/etc/hostname"},
        {"location": "C:\\secret.bin"},
        {"location": "..\\secret.bin"},
        {"location": "link.bin"},
        {"location": "none.bin"},
        {"location": "."},
        {"location": ""},
        {},
        {"location": "weights.bin", "offset": "9"},
        {"location": "weights.bin", "offset": "-8"},
        {"location": "weights.bin", "offset": "999999999999999999"},
        {"location": "weights.bin", "length": "23"},
        {"location": "weights.bin", "length": "x"},
    ],
)
def test_external_data_elsewhere_or_out_of_range(entries, simple, tmp_path):
    path = _external(simple, tmp_path, entries)
    (path.parent / "link.bin").symlink_to(tmp_path / "secret.bin")
    with pytest.raises(FileError, match="initializer 'w'"):
        read_network(path)


def test_external_data_of_a_compressed_model(simple, tmp_path):
    path = _external(simple, tmp_path, {"location": "weights.bin", "offset": "8"})
    packed = path.with_suffix(".onnx.gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    with pytest.raises(FileError, match="external data"):
        read_network(packed)


def test_strings_and_sparse_initializers(simple, read_model):
    text = helper.make_tensor("w", TensorProto.STRING, [1], [b"text"])
    simple.graph.initializer[0].CopyFrom(text)
    refused(read_model, simple, "initializer 'w'", "not supported")


def test_model_without_graph(tmp_path):
    path = tmp_path / "none.onnx"
    path.write_bytes(onnx.ModelProto(ir_version=8, producer_name="p").SerializeToString())
    with pytest.raises(FileError, match="no graph"):
        read_network(path)
