"""``certify --proof`` and ``check``: from files to files."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from support.proof_files import packed, read_lines

from relucert.cli import main
from relucert.commands import prove as prove_command
from relucert.network import Network
from relucert.prover import certify as certifying
from relucert.prover.prove import ProofResult, prove
from relucert.query import Box, Case, Polyhedron, Query
from relucert.verdict import Method, Proved, Reason, Unknown
from relucert.verify import Outcome
from relucert.write.npz import write_network_npz
from relucert.write.vnnlib import write_vnnlib


def run(capsys, *arguments) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    return ended.value.code, said.out, said.err


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """|x| + |y| as a network, two properties, and labelled points for its sign."""
    fold = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    network = Network.dense([fold, np.ones((1, 4))], [np.zeros(4), np.array([-1.0])])
    write_network_npz(network, tmp_path / "net.npz")
    box = Box((Fraction(-1),) * 2, (Fraction(1),) * 2)
    for name, limit in (("holds", Fraction(-11, 10)), ("fails", Fraction(-9, 10))):
        part = Polyhedron(((Fraction(1),),), (limit,))
        write_vnnlib(Query((Case(box, (part,)),)), tmp_path / f"{name}.vnnlib")
    (tmp_path / "points.csv").write_text("2,0,1\n0,0,-1\n0,-3,1\n0.9,0,-1\n")
    return tmp_path


def test_a_property_is_proved_and_the_proof_checked(folder, capsys):
    net, prop, proof = folder / "net.npz", folder / "holds.vnnlib", folder / "out.rcp"
    code, out, _ = run(capsys, "certify", net, prop, "--proof", proof, "--exact-check", "--json")
    result = json.loads(out)["results"][0]
    assert code == 0
    assert result["method"] == "checked"
    assert result["rigorous"]
    assert result["proof"]["bytes"] == proof.stat().st_size
    assert result["proof"]["arithmetics"] == ["rounded", "exact"]
    code, out, _ = run(capsys, "check", proof, net, prop, "--json")
    assert code == 0
    assert [r["accepted"] for r in json.loads(out)["results"]] == [True, True]
    assert run(capsys, "certify", net, prop, "--proof", proof)[0] == 0
    code, _, err = run(capsys, "check", proof, net, folder / "fails.vnnlib")
    assert (code, "another query" in err) == (2, True)


def test_a_violated_property_needs_no_proof(folder, capsys):
    proof = folder / "out.rcp"
    code, out, _ = run(
        capsys, "certify", folder / "net.npz", folder / "fails.vnnlib", "--proof", proof
    )
    assert code == 1
    assert "counterexample checked exactly" in out
    assert not proof.exists()


def test_labelled_points_have_a_folder_of_proofs(folder, capsys):
    net, proofs = folder / "net.npz", folder / "proofs"
    options = ("--data", folder / "points.csv", "--radius", "1/4")
    code, _, _ = run(capsys, "certify", net, *options, "--proof", proofs)
    assert code == 1  # the last ball reaches beyond the line
    assert sorted(path.name for path in proofs.iterdir()) == [
        "point_0.rcp", "point_1.rcp", "point_2.rcp",
    ]  # fmt: skip
    assert run(capsys, "check", proofs, net, *options, "--points", "0-2")[0] == 0
    first = proofs / "point_0.rcp"
    assert run(capsys, "check", first, net, *options, "--points", "0")[0] == 0
    for wrong in (
        (*options, "--points", "1"),
        ("--data", folder / "points.csv", "--radius", "0.26", "--points", "0"),
        (*options, "--clip", "0", "2", "--points", "0"),
    ):
        code, _, err = run(capsys, "check", first, net, *wrong)
        assert (code, "another query" in err) == (2, True)
    code, _, err = run(capsys, "check", proofs, net, *options)
    assert (code, "point_3.rcp" in err) == (2, True)


@pytest.mark.parametrize(
    "arguments",
    [
        ("certify", "net.npz", "holds.vnnlib", "--exact-check"),
        ("certify", "net.npz", "holds.vnnlib", "--proof", "p.rcp", "--engine", "milp"),
        ("certify", "net.npz", "holds.vnnlib", "--proof", "missing/p.rcp"),
        ("check", "p.rcp", "net.npz"),
        ("check", "p.rcp", "net.npz", "holds.vnnlib", "--radius", "1"),
        ("check", "p.rcp", "net.npz", "--data", "points.csv"),
        ("check", "p.rcp", "net.npz", "--data", "points.csv", "--radius", "1"),
        ("check", "p.rcp", "net.npz", "holds.vnnlib", "--data", "points.csv", "--radius", "1"),
        ("check", "missing.rcp", "net.npz", "holds.vnnlib"),
        ("check", ".", "net.npz", "holds.vnnlib"),
        ("check", "net.npz", "net.npz", "holds.vnnlib"),
    ],
)
def test_bad_usage_is_one_line_and_code_2(folder, capsys, monkeypatch, arguments):
    monkeypatch.chdir(folder)
    code, _, err = run(capsys, *arguments)
    assert code == 2
    assert len(err.splitlines()) == 1


def test_a_proof_that_does_not_check_is_never_called_proved(folder, capsys, monkeypatch):
    """A prover gone wrong: what counts is the checker's word about the file."""

    def careless(network, query, subject, path, *others, **named):
        result = prove(network, query, subject, path, *others, **named)
        lines = read_lines(path)
        path.write_bytes(packed([line.replace("w 0=1p0", "w 0=0p0") for line in lines]))
        return result

    monkeypatch.setattr(certifying, "_transcribed", lambda *_: None)
    monkeypatch.setattr(certifying, "prove", careless)
    proof = folder / "out.rcp"
    code, out, _ = run(
        capsys, "certify", folder / "net.npz", folder / "holds.vnnlib", "--proof", proof
    )
    assert code == 3
    assert "all weights are zero" in out
    assert [path.name for path in folder.glob("out*")] == ["out.rcp.not-accepted"]


def test_an_unknown_leaves_no_file(folder, capsys):
    part = Polyhedron(((Fraction(1),),), (Fraction(-1),))  # touched at the centre
    box = Box((Fraction(0),) * 2, (Fraction(1),) * 2)
    prop, proof = folder / "tie.vnnlib", folder / "out.rcp"
    write_vnnlib(Query((Case(box, (part,)),)), prop)
    code, _, _ = run(capsys, "certify", folder / "net.npz", prop, "--proof", proof, "--timeout", 5)
    assert code == 1
    assert not list(folder.glob("*.rcp*"))


def test_the_time_left_is_told_from_the_count_at_the_end(folder, tmp_path):
    from relucert.commands.check import _record_count

    path = tmp_path / "p.rcp"
    path.write_bytes(packed(["relucert-proof 3", *["b"] * 5000, "end 5000"]))
    assert _record_count(path, 10**6) == 5000
    assert _record_count(path, 100) is None
    for content in (b"", b"nothing", path.read_bytes()[:50], packed(["end many"]), packed(["b"])):
        path.write_bytes(content)
        assert _record_count(path, 10**6) is None
    assert _record_count(tmp_path / "missing", 10**6) is None


def test_what_only_the_milp_proves_is_said_to_be_its_word(folder, capsys, monkeypatch):
    """No proof is found: then the verdict names the tolerance, in every output."""
    stopped = ProofResult(Unknown(Reason.MARGIN, "stopped"), 0, 0, 0)
    monkeypatch.setattr(certifying, "_transcribed", lambda *_: None)
    monkeypatch.setattr(certifying, "prove", lambda *_, **__: stopped)
    weak = Outcome(Proved(Method.MILP, 1e-6), 0.1, 0)
    monkeypatch.setattr(prove_command, "certify", lambda *_, **__: weak)
    proof, table = folder / "out.rcp", folder / "out.csv"
    asked = ("certify", folder / "net.npz", folder / "holds.vnnlib", "--proof", proof)
    code, out, _ = run(capsys, *asked, "--csv", table)
    assert code == 0
    assert "tolerance" in out
    assert not proof.exists()
    assert "milp, tolerance 1e-06" in table.read_text()
    code, out, _ = run(capsys, *asked, "--json")
    (result,) = json.loads(out)["results"]
    assert result["rigorous"] is False
    assert result["tolerance"] == 1e-6
    assert "proof" not in result
    strong = Outcome(Proved(Method.BOUNDS), 0.1, 0)
    monkeypatch.setattr(prove_command, "certify", lambda *_, **__: strong)
    code, out, _ = run(capsys, *asked, "--json")
    (result,) = json.loads(out)["results"]
    assert code == 3
    assert "no proof of it was found" in result["detail"]


@pytest.mark.parametrize("size", ["nan", "inf", "-1", "0"])
def test_a_largest_size_that_is_none_is_refused(tmp_path, capsys, size):
    (tmp_path / "p.rcp").write_bytes(b"")
    (tmp_path / "n.onnx").write_bytes(b"")
    files = [str(tmp_path / "p.rcp"), str(tmp_path / "n.onnx")]
    with pytest.raises(SystemExit) as ended:
        main(["check", *files, "--max-size", size])
    assert ended.value.code == 2
    assert "--max-size" in capsys.readouterr().err
