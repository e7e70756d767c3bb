"""The cubes' proofs as one: accepted by both arithmetics, and by nobody when something is off."""

import gzip
import json
from dataclasses import replace
from fractions import Fraction
from functools import partial

import pytest
from hypothesis import given, settings
from support.cube_questions import AtOnce, at_least, wavy
from support.cube_questions import divided_questions as questions

from relucert.cli import main
from relucert.cubes.certify import certify_cubes
from relucert.cubes.proof import NotMergedError, merged_proof
from relucert.cubes.work import Settings
from relucert.limits import Limits
from relucert.proof.subject import Subject
from relucert.query import Query
from relucert.read.vnnlib import read_vnnlib
from relucert.verdict import Method, Proved
from relucert.write.onnx import write_onnx
from relucert.write.vnnlib import write_vnnlib

F = Fraction
CONTENT = b"a network"
NETWORK, _, LARGEST = wavy()
TRUE = at_least(F(LARGEST) * F(11, 10))


def run(network, query, cubes=6, executor=None):
    return certify_cubes(
        network, query, executor or AtOnce(), lambda: 1, cubes=cubes, alone_seconds=0,
        settings=Settings(network_content=CONTENT), limits=Limits(60.0),
    )  # fmt: skip


def merged(network, query, found, path):
    subject = Subject.of_query(CONTENT, query)
    return merged_proof(network, query, subject, CONTENT, found, path, exact=True)


def lines(path):
    return gzip.decompress(path.read_bytes()).decode().splitlines()


@pytest.mark.parametrize("cubes", [1, 2, 7])
def test_cubes_make_one_proof(tmp_path, cubes):
    found = run(NETWORK, TRUE, cubes)
    assert found.verdict == Proved(Method.CHECKED)
    assert len(found.proofs) == found.count
    proof = merged(NETWORK, TRUE, found, tmp_path / "p.rcp")
    body = lines(tmp_path / "p.rcp")
    splits = [line for line in body if line.startswith("x ")]
    assert len(splits) >= found.count - 1
    assert body[-1] == f"end {proof.records}"
    assert proof.size == (tmp_path / "p.rcp").stat().st_size


@settings(max_examples=25, deadline=None)
@given(questions())
def test_also_of_several_cases_with_ends_that_are_no_floats(tmp_path_factory, question):
    network, query = question
    found = run(network, query, 5)
    if isinstance(found.verdict, Proved):
        merged(network, query, found, tmp_path_factory.getbasetemp() / "p.rcp")


def test_a_cube_without_proof_is_not_merged(tmp_path):
    found = run(NETWORK, TRUE, 3)
    found.proofs.popitem()
    with pytest.raises(NotMergedError, match="has no proof"):
        merged(NETWORK, TRUE, found, tmp_path / "p.rcp")
    assert not list(tmp_path.iterdir())


def test_a_record_about_the_whole_box_is_told(tmp_path):
    found = run(NETWORK, TRUE, 3)
    cube, content = next(iter(found.proofs.items()))
    *body, end = gzip.decompress(content).decode().splitlines()
    place = body.index("case 0") + 1
    body.insert(place, "i")
    text = "\n".join([*body, f"end {int(end.split()[1]) + 1}"]) + "\n"
    found.proofs[cube] = gzip.compress(text.encode())
    with pytest.raises(NotMergedError, match="record 'i' about its whole box"):
        merged(NETWORK, TRUE, found, tmp_path / "p.rcp")


def test_what_is_not_accepted_is_kept_beside(tmp_path):
    found = run(NETWORK, TRUE, 3)
    low, high = list(found.roots[0].leaves())[:2]
    found.proofs[low] = found.proofs[high]
    low.box = high.box  # a cube twice, another not at all
    with pytest.raises(NotMergedError, match="not accepted"):
        merged(NETWORK, TRUE, found, tmp_path / "p.rcp")
    assert [path.name for path in tmp_path.iterdir()] == ["p.rcp.not-accepted"]


def test_proved_needs_a_proof_of_every_cube():
    bare = AtOnce(lambda task, answer: replace(answer, proof=None))
    found = run(NETWORK, TRUE, 3, bare)
    assert not found.proofs  # and merging then refuses


def code(*arguments):
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    return stop.value.code


@pytest.fixture
def files(tmp_path):
    write_onnx(NETWORK, tmp_path / "net.onnx", "float64")
    write_vnnlib(Query(TRUE.cases, "true"), tmp_path / "true.vnnlib")
    return tmp_path / "net.onnx", tmp_path / "true.vnnlib"


def test_the_commands(files, tmp_path, capsys):
    proof = tmp_path / "out.rcp"
    given = ("certify", *files, "--cubes", 4, "--jobs", 2, "--proof", proof, "--json")
    assert code(*given) == 0
    (result,) = json.loads(capsys.readouterr().out)["results"]
    assert result["method"] == "checked"
    assert result["cubes"]["in_the_end"] >= 4
    assert result["proof"]["bytes"] == proof.stat().st_size
    assert code("check", proof, *files) == 0
    assert read_vnnlib(files[1]).cases == TRUE.cases


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--cluster", "dask://x"), "--cluster is for --cubes and sweeps"),
        (("--cubes", 2, "--semantics", "float32"), "over the reals"),
        (("--cubes", 2, "--cluster", "elsewhere"), "use dask://HOST:PORT or mpi"),
        (("--cubes", 2, "--cluster", "mpi", "--jobs", 2), "does not go with --cluster"),
        (("--cubes", 2, "--exact-check"), "--exact-check goes with --proof"),
        (("--cubes", 2, "--engine", "milp", "--proof", "p"), "leave --engine out"),
        (("--cubes", 2, "--solver", "nobody"), "nobody"),
    ],
)
def test_options_that_do_not_go_together(files, capsys, options, words):
    assert code("certify", *files, *options) == 2
    assert words in capsys.readouterr().err


def test_an_easy_question_is_not_divided(files, capsys, monkeypatch):
    patient = partial(certify_cubes, alone_seconds=60.0)  # however busy the machine is
    monkeypatch.setattr("relucert.commands.cubes.certify_cubes", patient)
    assert code("certify", *files, "--cubes", 4, "--json") == 0
    (result,) = json.loads(capsys.readouterr().out)["results"]
    assert result["cubes"]["handed_out"] == 0
    assert result["method"] == "checked"
