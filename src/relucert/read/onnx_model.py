"""Decoding ONNX files: the graph, its order, and the stored numbers, each checked.

Nothing outside the model's folder is opened and nothing is allocated on a file's word alone:
declared sizes are compared with the data that is there.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from relucert.errors import FileError
from relucert.read.files import read_bytes

__all__ = ["decode_model", "decode_tensor", "nodes_in_order", "other_files", "place_of"]

_MAX_NODES = 100_000


def decode_model(path: Path) -> Any:
    """The ONNX ModelProto in ``path``; raises FileError when it holds none."""
    import onnx
    from google.protobuf.message import DecodeError

    model = onnx.ModelProto()
    content = read_bytes(path)
    try:
        model.ParseFromString(content)
    except DecodeError as error:
        raise FileError(path, f"is not a complete ONNX file ({error})") from None
    if not model.HasField("graph") or not (model.graph.node or model.graph.output):
        raise FileError(path, "is not an ONNX file: it holds no graph")
    if len(model.graph.node) > _MAX_NODES:
        raise FileError(path, f"has {len(model.graph.node):,} nodes (limit {_MAX_NODES:,})")
    return model


def other_files(model: Any) -> list[str]:
    """Names of the files beside the model that hold some of its numbers."""
    graph = model.graph
    tensors = [*graph.initializer]
    tensors += [attribute.t for node in graph.node for attribute in node.attribute]
    entries = [entry for tensor in tensors for entry in tensor.external_data]
    return sorted({str(entry.value) for entry in entries if entry.key == "location"})


def place_of(node: Any) -> str:
    """How messages name a node."""
    name = node.name or next((output for output in node.output if output), "")
    kind = str(node.op_type)  # protobuf gives bytes where the text is not UTF-8
    kind = kind if kind.isidentifier() else repr(kind)
    return f"node {name!r} ({kind})"


def nodes_in_order(path: Path, graph: Any, known: set[str], output: str) -> list[Any]:
    """The nodes on which ``output`` depends, each after the nodes it reads from.

    known: names of inputs and initializers. Raises FileError on cycles, undefined names and
    names that are given twice.
    """
    producer: dict[str, int] = {}
    for index, node in enumerate(graph.node):
        for name in node.output:
            if name and (name in producer or name in known):
                raise FileError(path, f"defines {name!r} a second time", place_of(node))
            producer[name] = index
    if output not in producer and output not in known:
        raise FileError(path, f"the output {output!r} is not defined by any node")
    order: list[Any] = []
    done: set[int] = set()
    open_nodes: set[int] = set()
    pending = [producer[output]] if output in producer else []
    while pending:
        index = pending[-1]
        node = graph.node[index]
        if index in done:
            pending.pop()
            continue
        needed = _producers(path, node, producer, known)
        missing = [other for other in needed if other not in done]
        if not missing:
            order.append(node)
            done.add(index)
            pending.pop()
            continue
        open_nodes.add(index)
        if any(other in open_nodes for other in missing):
            raise FileError(path, "is part of a cycle", place_of(node))
        pending.extend(missing)
    return order


def _producers(path: Path, node: Any, producer: dict[str, int], known: set[str]) -> list[int]:
    needed = []
    for name in node.input:
        if name in producer and name not in known and name:
            needed.append(producer[name])
        elif name and name not in known:
            raise FileError(path, f"reads {name!r}, which is not defined", place_of(node))
    return needed


def decode_tensor(path: Path, tensor: Any, place: str) -> np.ndarray:
    """The numbers of a TensorProto, in their stored type; raises FileError when malformed.

    NaN is refused, and infinity too except in tensors of one element (bounds of Clip).
    """
    from onnx import TensorProto, helper, numpy_helper

    kind = tensor.data_type
    numeric = (
        TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16,
        TensorProto.INT8, TensorProto.INT16, TensorProto.INT32, TensorProto.INT64,
        TensorProto.UINT8, TensorProto.UINT16, TensorProto.UINT32, TensorProto.UINT64,
        TensorProto.BOOL,
    )  # fmt: skip
    if kind not in numeric:
        raise FileError(path, f"element type {kind} is not supported", place)
    shape = list(tensor.dims)
    if any(size < 0 for size in shape):
        raise FileError(path, f"has the negative shape {shape}", place)
    count = math.prod(shape)
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    if tensor.data_location == TensorProto.EXTERNAL:
        raw = _external_bytes(path, tensor, count * dtype.itemsize, place)
        array = np.frombuffer(raw, dtype=dtype.newbyteorder("<")).reshape(shape)
    else:
        _check_data_size(path, tensor, count, dtype.itemsize, place)
        array = numpy_helper.to_array(tensor)
    if dtype.kind in "iub":
        return np.array(array)
    wide = array if dtype in (np.float32, np.float64) else array.astype(np.float32)
    if np.isnan(wide).any() or (wide.size > 1 and np.isinf(wide).any()):
        raise FileError(path, "holds NaN or infinity", place)
    return np.array(wide)


def _check_data_size(path: Path, tensor: Any, count: int, itemsize: int, place: str) -> None:
    if tensor.HasField("raw_data"):
        present = len(tensor.raw_data) // itemsize
        whole = len(tensor.raw_data) % itemsize == 0
    else:
        fields = (
            tensor.float_data, tensor.double_data, tensor.int32_data,
            tensor.int64_data, tensor.uint64_data,
        )  # fmt: skip
        present, whole = max(len(field) for field in fields), True
    if present != count or not whole:
        shape = list(tensor.dims)
        raise FileError(
            path, f"declares shape {shape}, {count:,} elements, but holds {present:,}", place
        )


def _external_bytes(path: Path, tensor: Any, size: int, place: str) -> bytes:
    """The bytes of a tensor kept in a file beside the model, never outside its folder."""
    entries = {str(entry.key): str(entry.value) for entry in tensor.external_data}
    location = entries.get("location", "")
    if path.suffix == ".gz":
        raise FileError(path, "external data is not supported in .onnx.gz; unpack it", place)
    folder = path.parent.resolve()
    parts = Path(location).parts
    if not location or "\0" in location or "\\" in location or ":" in location:
        raise FileError(path, f"external data location {location!r} is not allowed", place)
    target = (folder / location).resolve()
    if Path(location).is_absolute() or ".." in parts or not target.is_relative_to(folder):
        raise FileError(path, f"external data {location!r} lies outside the folder", place)
    if not target.is_file():
        raise FileError(path, f"external data {location!r} is not a file", place)
    offset, length = (_natural(path, entries, key, place) for key in ("offset", "length"))
    if length is not None and length != size:
        raise FileError(path, f"declares {size:,} bytes, external length is {length:,}", place)
    start = offset or 0
    if start + size > target.stat().st_size:
        raise FileError(path, f"external data {location!r} ends too early", place)
    with target.open("rb") as stream:
        stream.seek(start)
        content: bytes = stream.read(size)
    return content


def _natural(path: Path, entries: dict[str, str], key: str, place: str) -> int | None:
    text = entries.get(key)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise FileError(path, f"external data {key} {text!r} is not a number", place)
    return int(text)
