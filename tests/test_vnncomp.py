"""The competition's scripts, as its harness calls them, on real instances where they are here."""

import csv
import gzip
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from relucert.read.vnnlib import read_vnnlib

ROOT = Path(__file__).parents[1]
SCRIPTS = ROOT / "vnncomp"
LIST = ROOT / "../shared/data/vnncomp/instances.csv"
TOLERANCE = 1e-4  # what the competition's checker allows at the box
QUICK = {"safenlp": 0, "acasxu": 47, "tllverifybench": 0, "reach_prob_density": 11}
SECONDS = 20
FAILS = (
    "(declare-const X_0 Real)(declare-const Y_0 Real)\n(assert (>= X_0 0.1))(assert (<= X_0 0.7))"
    "\n(assert (>= Y_0 {}))\n"
)

pytestmark = pytest.mark.skipif(
    os.name != "posix" or not shutil.which("bash"), reason="the scripts need bash"
)


@pytest.fixture
def call(tmp_path):
    """Run a script from a folder that is not the checkout; gives its exit code."""
    variables = dict(os.environ, RELUCERT_PYTHON=sys.executable, RELUCERT_RUNS=str(tmp_path / "r"))
    variables["PYTHONPATH"] = str(ROOT / "src")

    def run(script, *arguments, start=False):
        command = [str(SCRIPTS / script), *map(str, arguments)]
        if start:
            return subprocess.Popen(command, cwd=tmp_path, env=variables, text=True)
        done = subprocess.run(command, cwd=tmp_path, env=variables, check=False, timeout=120)
        return done.returncode

    return run


@pytest.fixture
def small(tmp_path):
    """y = |x - 1/2| as a network, in a folder with a space in its name."""
    folder = tmp_path / "two words"
    folder.mkdir()
    tensors = {
        "w": np.array([[1, -1]], np.float32), "b": np.array([-0.5, 0.5], np.float32),
        "v": np.array([[1], [1]], np.float32),
    }  # fmt: skip
    nodes = [
        onnx.helper.make_node("MatMul", ["x", "w"], ["p"]),
        onnx.helper.make_node("Add", ["p", "b"], ["q"]),
        onnx.helper.make_node("Relu", ["q"], ["r"]),
        onnx.helper.make_node("MatMul", ["r", "v"], ["y"]),
    ]
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        nodes, "small", [value("x", 1, [1, 1])], [value("y", 1, [1, 1])],
        [onnx.numpy_helper.from_array(tensor, name) for name, tensor in tensors.items()],
    )  # fmt: skip
    opset = [onnx.helper.make_opsetid("", 13)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), folder / "n.onnx")
    (folder / "fails.vnnlib").write_text(FAILS.format("0.35"))
    (folder / "just.vnnlib").write_text(FAILS.format("0.4"))
    (folder / "holds.vnnlib").write_text(FAILS.format("0.41"))
    return folder


def parsed(path):
    """The word, inputs and outputs, as the competition's scoring reads the file."""
    word, _, rest = path.read_text().partition("\n")
    content = rest.replace("\n", " ").strip()
    if not content:
        return word, [], []
    assert content.startswith("((")
    assert content.endswith("))")
    values = {"X": [], "Y": []}
    for part in filter(None, (text.strip() for text in content[1:-1].split(")"))):
        assert part[0] == "("
        name, number = part[1:].split(" ")
        letter, index = re.fullmatch(r"([XY])_(\d+)", name).groups()
        assert int(index) == len(values[letter])
        values[letter].append(float(number))
    return word, values["X"], values["Y"]


def executed(path, inputs):
    """The outputs of onnxruntime at these inputs, in the type that the network asks for."""
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    first = session.get_inputs()[0]
    kind = np.float64 if first.type == "tensor(double)" else np.float32
    shape = [size if isinstance(size, int) and size > 0 else 1 for size in first.shape]
    values = np.array(inputs, dtype=kind).reshape(shape)
    return values.ravel(), session.run(None, {first.name: values})[0].ravel()


def is_violated(property_path, inputs, outputs):
    """Whether the executed outputs are unsafe, exactly, at inputs that are nearly in a box."""
    for case in read_vnnlib(property_path).cases:
        ends = zip(case.box.lower, inputs, case.box.upper, strict=True)
        if not all(float(a) - TOLERANCE <= x <= float(b) + TOLERANCE for a, x, b in ends):
            continue
        for part in case.unsafe:
            rows = np.array([[float(c) for c in row] for row in part.coefficients])
            if (rows @ outputs <= np.array([float(limit) for limit in part.limits])).all():
                return True
    return False


def check(call, network, prop, expected, folder, seconds):
    result = folder / "results file.txt"
    result.write_text("no_result_in_file\n")
    assert call("prepare_instance.sh", "v1", "family", network, prop) == 0
    assert call("run_instance.sh", "v1", "family", network, prop, result, seconds) == 0
    word, inputs, outputs = parsed(result)
    assert word in (expected, "timeout", "unknown")
    if word == "sat":
        rounded, found = executed(network, inputs)
        assert is_violated(prop, rounded, found)
        assert np.abs(found - outputs).max() <= 1e-3 * max(1.0, np.abs(found).max())
    else:
        assert not inputs
    return word


@pytest.mark.parametrize(
    ("name", "expected"), [("fails", "sat"), ("just", "sat"), ("holds", "unsat")]
)
def test_the_chain_on_a_small_network(call, small, tmp_path, name, expected):
    prop = small / f"{name}.vnnlib"
    assert check(call, small / "n.onnx", prop, expected, tmp_path, SECONDS) == expected


def test_the_files_are_found_from_where_the_script_is_called(call, small, tmp_path):
    shutil.copy(small / "n.onnx", tmp_path)
    shutil.copy(small / "fails.vnnlib", tmp_path)
    assert call("run_instance.sh", "v1", "c", "n.onnx", "fails.vnnlib", "out.txt", 20) == 0
    assert parsed(tmp_path / "out.txt")[0] == "sat"


def test_what_cannot_be_read_is_an_error(call, small, tmp_path):
    (small / "bad.onnx").write_bytes(b"nothing of the kind")
    arguments = ("v1", "c", small / "bad.onnx", small / "fails.vnnlib", tmp_path / "out", 20)
    assert call("run_instance.sh", *arguments) == 0
    assert (tmp_path / "out").read_text() == "error\n"


@pytest.mark.parametrize("script", ["install_tool.sh", "prepare_instance.sh", "run_instance.sh"])
@pytest.mark.parametrize("arguments", [("v2", "c", "n", "p", "r", "1"), ("v1", "c", "n"), ()])
def test_other_versions_and_counts_are_refused(call, script, arguments):
    assert call(script, *arguments) == 1


def test_only_what_was_left_over_is_ended(call, small, tmp_path):
    folder = tmp_path / "r"
    folder.mkdir(mode=0o700)
    mine, other = (subprocess.Popen(["sleep", "60"], start_new_session=True) for _ in range(2))
    moment = {p.pid: _started(p.pid) for p in (mine, other)}
    gone = subprocess.Popen(["true"])
    gone.wait()
    (folder / "1.run").write_text(f"{mine.pid} {moment[mine.pid]} {gone.pid} 5\n")
    reused = f"{other.pid} {int(moment[other.pid]) - 1} {gone.pid} 5\n"
    watched = f"{other.pid} {moment[other.pid]} {os.getpid()} {_started(os.getpid())}\n"
    (folder / "2.run").write_text(reused)
    (folder / "3.run").write_text(watched)
    try:
        prop = small / "fails.vnnlib"
        assert call("prepare_instance.sh", "v1", "c", small / "n.onnx", prop) == 0
        assert mine.wait(5) == -signal.SIGKILL
        assert other.poll() is None
        assert [path.name for path in folder.iterdir()] == ["3.run"]
    finally:
        for process in (mine, other):
            process.kill()
            process.wait()


def _started(pid):
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]


@pytest.mark.skipif(not LIST.exists(), reason="needs ../shared/data/vnncomp, which is not here")
def test_a_run_that_is_ended_leaves_an_answer_and_no_process(call, tmp_path):
    row = next(r for r in _rows() if "prop_2.vnnlib" in r["property"] and "4_2" in r["network"])
    files = (LIST.parent / row["network"], LIST.parent / row["property"])
    process = call("run_instance.sh", "v1", "c", *files, "out", 300, start=True)
    notes = tmp_path / "r"
    deadline = time.monotonic() + 20
    while not list(notes.glob("*.run")) and time.monotonic() < deadline:
        time.sleep(0.02)
    tool = int(next(notes.glob("*.run")).read_text().split()[0])
    time.sleep(0.5)
    process.terminate()
    assert process.wait(20) == 0
    assert (tmp_path / "out").read_text().split()[0] in ("timeout", "unknown", "unsat")
    assert not Path(f"/proc/{tool}").exists()
    assert not list(notes.iterdir())


def _rows():
    if not LIST.exists():
        return []
    with LIST.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _parameters():
    """Quick: an instance each of some families. Slow: every fifteenth of the list."""
    rows = _rows()
    quick = [[r for r in rows if r["family"] == name][place] for name, place in QUICK.items()]
    chosen = quick + [row for row in rows[::15] if row not in quick]
    for row in chosen:
        name = f"{row['family']}-{Path(row['property']).name}"
        marks = () if row in quick else pytest.mark.slow
        yield pytest.param(row, id=name, marks=marks)


@pytest.mark.skipif(not LIST.exists(), reason="needs ../shared/data/vnncomp, which is not here")
@pytest.mark.parametrize("row", list(_parameters()) if _rows() else [None])
def test_the_chain_on_the_competitions_instances(call, row, tmp_path):
    network, prop = LIST.parent / row["network"], LIST.parent / row["property"]
    check(call, network, prop, row["expected"], tmp_path, 6)
