"""Machine code from disk: only whole files, only the arguments it was compiled for."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("numba")
from relucert.bounds import rounding
from relucert.search.star import kernel, native
from relucert.search.star.native import NativeKernel, external_symbols
from relucert.search.star.pool import NODES, enlarged
from relucert.search.star.tuning import DONE

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="object files are kept on Linux only"
)


@pytest.fixture
def stored(tmp_path, monkeypatch):
    """The stored file, alone in a folder of its own."""
    (found,) = [path for folder in native._folders() if (path := folder / native._file_name())
                .exists()][:1]  # fmt: skip
    copy = tmp_path / found.name
    copy.write_bytes(found.read_bytes())
    monkeypatch.setattr(native, "_folders", lambda: [tmp_path])
    return copy


def test_the_stored_loop_decides_a_network_of_one_neuron(stored):
    loop = native.cached_kernel()
    assert isinstance(loop, NativeKernel)
    flat, work, tableau, pool, tuning = kernel._example()
    pool = enlarged(pool, 4)
    assert loop(flat, work, tableau, pool, tuning, 100) == DONE
    assert pool.counters[NODES] == 1
    assert pool.closed[0] == 1.0


@pytest.mark.parametrize("damage", [
    lambda data: data[:-1],
    lambda data: data[:-5000] + bytes([data[-5000] ^ 1]) + data[-4999:],
    lambda data: b"{}\n" + data,
    lambda data: b"",
    lambda data: data.replace(b'"symbol": "', b'"symbol": "_', 1),
    lambda data: data.replace(b"float64 2", b"float64 1", 1),
])  # fmt: skip
def test_a_damaged_file_is_not_loaded(stored, damage):
    stored.write_bytes(damage(stored.read_bytes()))
    assert native.cached_kernel() is None


def test_a_file_that_others_may_have_written_is_not_loaded(stored, monkeypatch):
    stored.chmod(0o666)
    assert native.cached_kernel() is None
    stored.chmod(0o644)
    assert native._read(stored) is not None
    owner = stored.stat().st_uid
    sources = os.stat_result((0o100644, 0, 0, 1, 4321, 0, 0, 0, 0, 0))
    monkeypatch.setattr(Path, "stat", lambda *_, **__: sources)
    monkeypatch.setattr(os, "geteuid", lambda: 1234)
    for found, trusted in ((1234, True), (4321, True), (0, True), (999, False)):
        status = os.stat_result((0o100644, 0, 0, 1, found, 0, 0, 0, 0, 0))
        assert native._trusted(status) == trusted
    if owner:
        assert native._read(stored) is None


def test_a_function_that_is_not_there_is_not_called(stored):
    recipe = native._read(stored)
    missing = native.Recipe(recipe.code, recipe.symbol + "_", recipe.layout, recipe.made_by)
    with pytest.raises(RuntimeError, match="no function"):
        NativeKernel(missing)


def test_a_change_of_the_constants_asks_for_new_machine_code(tmp_path, monkeypatch):
    before = native._file_name.__wrapped__()
    changed = tmp_path / "rounding.py"
    changed.write_bytes(Path(rounding.__file__).read_bytes() + b"\nSAFETY = 1.1\n")
    monkeypatch.setattr(rounding, "__file__", str(changed))
    assert native._file_name.__wrapped__() != before


def test_files_that_vanish_meanwhile_do_not_matter(stored, monkeypatch):
    for index in range(6):
        (stored.parent / f"search-kernel-{index}.bin").write_bytes(b"")

    def gone(path, **_):
        raise FileNotFoundError(path)

    recipe = native._read(stored)
    monkeypatch.setattr(Path, "unlink", gone)
    assert native.store_kernel(recipe)


def test_other_arguments_than_compiled_for_are_refused(stored):
    loop = native.cached_kernel()
    flat, work, tableau, pool, tuning = kernel._example()
    for wrong in (
        flat._replace(bias=flat.bias.astype(np.float32)),
        flat._replace(bias=np.zeros(2 * len(flat.bias))[::2]),
        flat._replace(gamma=1),
    ):
        with pytest.raises(TypeError):
            loop(wrong, work, tableau, pool, tuning, 1)
    assert pool.counters[NODES] == 0


def test_what_an_object_file_needs_is_read_from_its_symbols(stored):
    code = native._read(stored).code
    needed = external_symbols(code)
    assert "memset" in needed
    assert not any(name.startswith("numba") for name in needed)
    assert external_symbols(code[:100]) is None
    assert external_symbols(b"MZ" + code[2:]) is None


def test_old_files_are_discarded(stored):
    for index in range(6):
        (stored.parent / f"search-kernel-{index}.bin").write_bytes(b"")
    assert native.store_kernel(native._read(stored))
    assert stored.exists()
    assert len(list(stored.parent.glob("search-kernel-*"))) == 4


QUESTION = """
import sys
from fractions import Fraction
import numpy as np
from relucert.network import Network
from relucert.query import Box, Case, Polyhedron, Query
from relucert.search.few_inputs import search_few_inputs
from relucert.limits import Limits
one = Fraction(1)
network = Network.dense([np.eye(2), np.ones((1, 2))], [np.zeros(2), np.zeros(1)])
case = Case(Box((-one, -one), (one, one)), (Polyhedron(((one,),), (-one,)),))
print(search_few_inputs(network, Query((case,)), case, Limits()).words)
print(sorted(sys.modules.keys() & {"numba", "onnx", "matplotlib", "pulp", "highspy", "networkx"}))
"""


def test_a_search_with_stored_machine_code_does_not_import_numba():
    done = subprocess.run(
        [sys.executable, "-c", QUESTION], capture_output=True, text=True, timeout=120, check=True
    )
    verdict, modules = done.stdout.splitlines()
    assert verdict.startswith("Proved")
    assert modules == "[]"


HEAVY = {
    "numba", "pulp", "highspy", "matplotlib", "networkx", "onnxruntime", "sklearn", "pysat",
    "scipy.optimize", "relucert.prover.prove",
}  # fmt: skip
EASY = """
import sys
from relucert.cli import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    print("code", end.code)
print("loaded", *sorted(sys.modules.keys()))
"""


@pytest.mark.parametrize("question", ["robust_10_0.03", "output_range"])
def test_the_command_line_loads_no_more_than_an_easy_question_needs(question):
    digits = Path(__file__).parents[2] / "instances/digits"
    question = digits / f"properties/{question}.vnnlib"
    command = [sys.executable, "-c", EASY, "certify", digits / "dense_16x2.onnx", question]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    *_, code, loaded = done.stdout.splitlines()
    assert code == "code 0"
    assert not HEAVY & set(loaded.split())
