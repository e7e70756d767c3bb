"""Make the networks, points and properties of instances/digits.

    python instances/make_digits.py            (needs: pip install ".[instances]")

Trains on scikit-learn's digits (1,797 images of 8 x 8 pixels, scaled to [0, 1]) and on two moons.
One seed, one thread: running it again on the same machine and numpy gives the same bytes.
"""

from __future__ import annotations

import gzip
import os
from fractions import Fraction
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits, make_moons
from train import Conv, Dense, Recipe, Relu, Residual, outputs, train

from relucert.query import Box, Case, Decision, Polyhedron, Query, robustness_query
from relucert.write.files import write_atomically
from relucert.write.points import write_points_npz
from relucert.write.vnnlib import write_vnnlib

SEED = 20240507
HERE = Path(__file__).parent / "digits"
TEST_POINTS = 150


class Graph:
    """Collects ONNX nodes in order; every tensor gets a readable name."""

    def __init__(self) -> None:
        self.nodes: list = []
        self.weights: list = []
        self.last = "input"

    def add(self, kind: str, inputs: list[str], **attributes: object) -> str:
        output = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], output, **attributes))
        self.last = output
        return output

    def weight(self, values: np.ndarray) -> str:
        name = f"weight_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(values.astype(np.float32), name))
        return name

    def dense(self, layer: Dense, source: str) -> str:
        weight, bias = map(self.weight, layer.parameters)
        return self.add("Gemm", [source, weight, bias], transB=1)

    def layer(self, layer: object) -> None:
        if isinstance(layer, Relu):
            self.add("Relu", [self.last])
        elif isinstance(layer, Dense):
            self.dense(layer, self.last)
        elif isinstance(layer, Conv):
            shape = (layer.filters, layer.channels, layer.kernel, layer.kernel)
            weight = self.weight(layer.parameters[0].reshape(shape))
            bias = self.weight(layer.parameters[1])
            self.add("Conv", [self.last, weight, bias], strides=[layer.stride] * 2,
                     pads=[layer.pad] * 4, kernel_shape=[layer.kernel] * 2)  # fmt: skip
        elif isinstance(layer, Residual):
            start = self.last
            hidden = self.add("Relu", [self.dense(layer.inner[0], start)])
            self.add("Relu", [self.add("Add", [start, self.dense(layer.inner[2], hidden)])])
        else:
            raise TypeError(f"no ONNX form for {layer!r}")

    def model(self, name: str, shape: list[int], classes: int) -> bytes:
        ends = [
            helper.make_tensor_value_info("input", TensorProto.FLOAT, shape),
            helper.make_tensor_value_info(self.last, TensorProto.FLOAT, [1, classes]),
        ]
        graph = helper.make_graph(self.nodes, name, [ends[0]], [ends[1]], self.weights)
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", 13)], producer_name="relucert"
        )
        model.ir_version = 7
        onnx.checker.check_model(model)
        return model.SerializeToString(deterministic=True)


def networks(rng: np.random.Generator) -> dict[str, tuple[list, Recipe]]:
    """Name -> layers and how they are trained."""
    return {
        "dense_16x2": (
            [Dense(rng, 64, 16), Relu(), Dense(rng, 16, 16), Relu(), Dense(rng, 16, 10)],
            Recipe(),
        ),
        "dense_32x1": ([Dense(rng, 64, 32), Relu(), Dense(rng, 32, 10)], Recipe(decay=1e-3)),
        "dense_50x2": (
            [Dense(rng, 64, 50), Relu(), Dense(rng, 50, 50), Relu(), Dense(rng, 50, 10)],
            Recipe(noise=0.15, decay=1e-3),
        ),
        "conv": (
            [Conv(rng, 1, 8, 6, 4, 2, 1), Relu(), Conv(rng, 6, 4, 12, 2, 2, 0), Relu(),
             Dense(rng, 48, 10)],
            Recipe(noise=0.1),
        ),
        "residual": (
            [Dense(rng, 64, 24), Relu(), Residual(rng, 24), Residual(rng, 24),
             Dense(rng, 24, 10)],
            Recipe(decay=1e-3),
        ),
    }  # fmt: skip


def onnx_bytes(name: str, layers: list, shape: list[int], classes: int) -> bytes:
    """The network as an ONNX file."""
    graph = Graph()
    for index, layer in enumerate(layers):
        if isinstance(layer, Dense) and index and any(isinstance(x, Conv) for x in layers):
            graph.add("Flatten", [graph.last], axis=1)
        graph.layer(layer)
    return graph.model(name, shape, classes)


def nnet_text(layers: list) -> str:
    """A dense network in the Stanford .nnet format, without normalisation."""
    dense = [layer for layer in layers if isinstance(layer, Dense)]
    sizes = [dense[0].parameters[0].shape[1], *(len(layer.parameters[1]) for layer in dense)]

    def row(values: object) -> str:
        return ",".join(map(str, values)) + ","

    lines = [
        "// made by instances/make_digits.py",
        row([len(dense), sizes[0], sizes[-1], max(sizes)]),
        row(sizes),
        "0,",
        row([-4.0] * sizes[0]),
        row([4.0] * sizes[0]),
        row([0.0] * (sizes[0] + 1)),
        row([1.0] * (sizes[0] + 1)),
    ]
    for layer in dense:
        lines += [row(repr(float(v)) for v in values) for values in layer.parameters[0]]
        lines += [row([repr(float(v))]) for v in layer.parameters[1]]
    return "\n".join(lines) + "\n"


def write_properties(points: np.ndarray, labels: np.ndarray, right: dict[str, np.ndarray]) -> None:
    """Local robustness at several radii, one property with two boxes, one on output ranges."""
    folder = HERE / "properties"
    folder.mkdir(exist_ok=True)
    decision = Decision("argmax", 10)
    everywhere = np.flatnonzero(np.logical_and.reduce(list(right.values())))
    for place, radius in enumerate(["0.01", "0.02", "0.03", "0.04", "0.05", "0.06", "0.08", "0.1"]):
        row = int(everywhere[5 * place])
        query = robustness_query(
            [Fraction(float(v)) for v in points[row]], int(labels[row]), decision,
            radius=Fraction(radius), clip=(Fraction(0), Fraction(1)),
        )  # fmt: skip
        words = f"test point {row} (digit {labels[row]}) keeps its label within {radius}"
        _save(query, folder / f"robust_{row}_{radius}.vnnlib", words)
    cases = [
        robustness_query(
            [Fraction(float(v)) for v in points[row]], 3, decision, radius=Fraction("0.03"),
            clip=(Fraction(0), Fraction(1)),
        ).cases[0]
        for row in everywhere[labels[everywhere] == 3][:2]
    ]  # fmt: skip
    _save(Query(tuple(cases)), folder / "two_boxes.vnnlib",
          "two test points of digit 3 keep their label within 0.03")  # fmt: skip
    low = Polyhedron((tuple(Fraction(int(i == 0)) for i in range(10)),), (Fraction(-40),))
    high = Polyhedron((tuple(Fraction(-int(i == 0)) for i in range(10)),), (Fraction(-40),))
    box = Box((Fraction(0),) * 64, (Fraction(1, 2),) * 64)
    _save(Query((Case(box, (low, high)),)), folder / "output_range.vnnlib",
          "output 0 stays between -40 and 40 on the darker half of all images")  # fmt: skip


def _save(query: Query, path: Path, description: str) -> None:
    comments = [
        description,
        f"made by: python instances/make_digits.py (seed {SEED})",
        "the expected answers are in ../expected.toml",
    ]
    write_vnnlib(query, path, comments, output_size=10)


def main() -> None:
    """Train and write everything."""
    HERE.mkdir(exist_ok=True)
    rng = np.random.default_rng(SEED)
    digits = load_digits()
    order = rng.permutation(len(digits.data))
    x, labels = digits.data[order] / 16.0, digits.target[order]
    train_x, train_y, test_x, test_y = x[:1400], labels[:1400], x[1400:], labels[1400:]
    right = {}
    for name, (layers, recipe) in networks(rng).items():
        train(layers, train_x, train_y, recipe, rng)
        hits = outputs(layers, test_x).argmax(axis=1) == test_y
        right[name] = hits[:TEST_POINTS]
        shape = [1, 1, 8, 8] if name == "conv" else [1, 64]
        content = onnx_bytes(name, layers, shape, 10)
        write_atomically(HERE / f"{name}.onnx", content)
        if name == "dense_16x2":
            write_atomically(HERE / f"{name}.onnx.gz", gzip.compress(content, mtime=0))
        print(f"{name}: accuracy {hits.mean():.3f} on {len(hits)} test points")
    points = test_x[:TEST_POINTS].astype(np.float32)
    write_points_npz(points, test_y[:TEST_POINTS], HERE / "test_points.npz")
    header = ",".join([*(f"x{i}" for i in range(64)), "label"])
    rows = [
        ",".join([*(repr(float(v)) for v in p), str(y)])
        for p, y in zip(points[:20], test_y, strict=False)
    ]
    write_atomically(HERE / "test_points_20.csv", "\n".join([header, *rows]) + "\n")
    write_properties(points, test_y, right)
    moons(rng)


def moons(rng: np.random.Generator) -> None:
    """A network with two inputs, for pictures and for the enumeration engine."""
    x, labels = make_moons(400, noise=0.12, random_state=SEED % 2**31)
    layers = [Dense(rng, 2, 8), Relu(), Dense(rng, 8, 8), Relu(), Dense(rng, 8, 2)]
    train(layers, x[:300], labels[:300], Recipe(epochs=200, step=1e-2), rng)
    hits = outputs(layers, x[300:]).argmax(axis=1) == labels[300:]
    print(f"moons_8x2: accuracy {hits.mean():.3f} on {len(hits)} test points")
    write_atomically(HERE / "moons_8x2.onnx", onnx_bytes("moons_8x2", layers, [1, 2], 2))
    write_atomically(HERE / "moons_8x2.nnet", nnet_text(layers))
    write_points_npz(x[300:360].astype(np.float32), labels[300:360], HERE / "moons_points.npz")


if __name__ == "__main__":
    main()
