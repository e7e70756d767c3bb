"""The corpus, found by glob: valid proofs, invalid ones, and files that are no proofs."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.proof_files import counted, mutated, packed, read_lines

from relucert.cli import main
from relucert.cli.group import cli
from relucert.errors import FileError
from relucert.proof.check import ARITHMETICS, Accepted, NotAccepted, check_proof
from relucert.proof.subject import Subject
from relucert.read.network import read_network
from relucert.read.vnnlib import read_vnnlib

CORPUS = Path(__file__).parents[1] / "proofs"


def proofs(folder: str) -> list[Path]:
    return sorted((CORPUS / folder).glob("*.rcp"))


def files(proof: Path) -> tuple[Path, Path]:
    name, prop, _ = proof.stem.split("--")
    questions = CORPUS / "questions"
    return questions / f"{name}.npz", questions / f"{name}--{prop}.vnnlib"


def checked(proof: Path, arithmetic: str):
    network, prop = files(proof)
    subject = Subject.of_files(network.read_bytes(), prop.read_bytes())
    return check_proof(proof, read_network(network), read_vnnlib(prop), subject, arithmetic)


def expected() -> dict[str, tuple[str, str]]:
    with (CORPUS / "expected.csv").open(encoding="utf-8", newline="") as stream:
        return {row["file"]: (row["place"], row["reason"]) for row in csv.DictReader(stream)}


def test_there_is_a_corpus():
    assert len(proofs("valid")) >= 7
    assert len(proofs("invalid")) >= 25
    assert len(proofs("malformed")) >= 35
    spoiled = {f"{p.parent.name}/{p.name}" for p in proofs("invalid") + proofs("malformed")}
    assert spoiled == set(expected())


@pytest.mark.parametrize("arithmetic", ARITHMETICS)
@pytest.mark.parametrize("proof", proofs("valid"), ids=lambda path: path.stem)
def test_valid_proofs_are_accepted(proof, arithmetic):
    assert isinstance(checked(proof, arithmetic), Accepted)


@pytest.mark.parametrize("arithmetic", ARITHMETICS)
@pytest.mark.parametrize("proof", proofs("invalid"), ids=lambda path: path.stem)
def test_invalid_proofs_are_not_accepted_and_the_place_is_named(proof, arithmetic):
    found = checked(proof, arithmetic)
    assert isinstance(found, NotAccepted)
    place, reason = expected()[f"invalid/{proof.name}"]
    assert f"record {found.record}" == place
    if arithmetic == "rounded":
        assert found.reason == reason
    assert found.text == read_lines(proof)[3 + found.record] or "end" in found.text


@pytest.mark.parametrize("arithmetic", ARITHMETICS)
@pytest.mark.parametrize("proof", proofs("malformed"), ids=lambda path: path.stem)
def test_malformed_files_are_refused_and_the_line_is_named(proof, arithmetic):
    with pytest.raises(FileError) as caught:
        checked(proof, arithmetic)
    place, reason = expected()[f"malformed/{proof.name}"]
    assert (caught.value.place, caught.value.problem) == (place, reason)


@pytest.mark.parametrize(("folder", "code"), [("valid", 0), ("invalid", 1), ("malformed", 2)])
def test_exit_codes(folder, code, capsys):
    for proof in proofs(folder)[:12]:
        network, prop = files(proof)
        with pytest.raises(SystemExit) as ended:
            main(["check", str(proof), str(network), str(prop), "--arithmetic", "rounded"])
        assert ended.value.code == code, proof
        said = capsys.readouterr()
        assert len((said.err if code == 2 else said.out).splitlines()) == 1
        assert "Traceback" not in said.err


def test_checking_both_arithmetics_is_the_default():
    proof = proofs("valid")[0]
    network, prop = files(proof)
    found = CliRunner().invoke(cli, ["check", str(proof), str(network), str(prop)])
    assert "rounded arithmetic: accepted" in found.output
    assert "exact arithmetic: accepted" in found.output


def false_claims() -> list[tuple[Path, Path]]:
    """Valid proofs with a property of the same network that does not hold."""
    found = []
    for proof in proofs("valid"):
        wrong = files(proof)[1]
        wrong = wrong.with_name(wrong.name.replace(".vnnlib", "-false.vnnlib"))
        if wrong.exists():
            found.append((proof, wrong))
    return found


@pytest.mark.parametrize("count", [40, pytest.param(1000, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("proof", "prop"), false_claims(), ids=lambda path: path.stem)
def test_no_mutated_proof_of_a_false_claim_is_accepted(tmp_path, proof, prop, count):
    """Mutations of proofs that nearly prove it, with the header of the false claim."""
    from random import Random

    network_path = files(proof)[0]
    network, query = read_network(network_path), read_vnnlib(prop)
    subject = Subject.of_files(network_path.read_bytes(), prop.read_bytes())
    lines = read_lines(proof)
    lines = [lines[0], subject.network, subject.query, *lines[3:]]
    path = tmp_path / "p.rcp"
    met = 0
    for seed in range(count):
        spoiled = mutated(lines, Random(seed)) if seed else counted(lines)
        path.write_bytes(packed(spoiled))
        for arithmetic in ARITHMETICS if seed % 20 == 0 else ("rounded",):
            try:
                found = check_proof(path, network, query, subject, arithmetic)
            except FileError:
                continue
            assert isinstance(found, NotAccepted), spoiled
            met += 1
    assert met > count / 4
