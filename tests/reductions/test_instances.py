"""The library under instances/bundles: whole, its answers check, and a verifier agrees."""

import importlib.util
from pathlib import Path

import pytest

from reductions.bundle import read_bundle
from reductions.cli import run
from reductions.dimacs import read_dimacs_file
from relucert.verdict import Proved, Violated

INSTANCES = Path(__file__).parents[2] / "instances"
BUNDLES = INSTANCES / "bundles"
DIRECTORIES = sorted(path.parent for path in BUNDLES.glob("*/bundle.json"))


def test_the_library_is_there_and_small() -> None:
    assert len(DIRECTORIES) >= 40
    assert sum(path.stat().st_size for path in BUNDLES.rglob("*") if path.is_file()) < 3e6


@pytest.mark.parametrize("directory", DIRECTORIES, ids=lambda path: path.name)
def test_every_bundle_is_whole_and_its_answer_checks(directory: Path) -> None:
    bundle = read_bundle(directory)
    bundle.verify_files()
    assert bundle.recheck() != "there is no evidence to check"
    name = directory.name.rpartition("-")[0]
    assert bundle.source == read_dimacs_file(BUNDLES / f"{name}.cnf")
    if bundle.assignment is not None:
        assert bundle.instance.target.check(bundle.instance.encode(bundle.assignment))


def test_the_table_says_what_the_bundles_say() -> None:
    table = (BUNDLES / "README.md").read_text()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
    known = {row[0]: row for row in rows if row}
    for directory in DIRECTORIES:
        name, _, kind = directory.name.rpartition("-")
        expected = read_bundle(directory).manifest["expected"]
        assert known[name][5 if kind == "memorization" else 6] == expected["target"]


def test_formulas_are_what_the_script_makes(tmp_path, monkeypatch) -> None:
    spec = importlib.util.spec_from_file_location("make_bundles", INSTANCES / "make_bundles.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    monkeypatch.chdir(tmp_path)
    for name, arguments in script.GENERATED:
        assert run(["generate", *arguments.split(), "-o", f"{name}.cnf"]) == 0
        made, kept = Path(f"{name}.cnf"), BUNDLES / f"{name}.cnf"
        assert made.read_bytes() == kept.read_bytes()


QUICK = ("all-but-one-3", "random-5-sat", "every-clause-3")
SMALL = [
    pytest.param(path, marks=() if path.name.startswith(QUICK) else pytest.mark.slow, id=path.name)
    for path in DIRECTORIES
    if path.name.endswith("verification")
    and any(part in path.name for part in ("-3-v", "random-5-", "random-8-", "pigeonhole-3-2"))
]


@pytest.mark.parametrize("directory", SMALL)
def test_the_verifier_agrees_and_its_counterexamples_decode(directory, tmp_path, capsys) -> None:
    from relucert import certify, read_network, read_query
    from relucert.write.witness import write_witness

    network = read_network(directory / "network.onnx")
    verdict = certify(network, read_query(directory / "property.vnnlib"), timeout=60).verdict
    expected = read_bundle(directory).manifest["expected"]["target"]
    assert isinstance(verdict, Violated if expected == "sat" else Proved)
    if isinstance(verdict, Violated):
        witness = tmp_path / "witness.txt"
        write_witness(verdict.witness.input, verdict.witness.output, witness)
        assert run(["extract", str(directory), "--solution", str(witness)]) == 0
        assert capsys.readouterr().out.startswith("v ")
