"""Deep trees are walked without recursion, and small files cannot fill the memory."""

from __future__ import annotations

import gzip
import math
import os
import tracemalloc
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from relucert.commands.check import _record_count
from relucert.errors import FileError
from relucert.network import Network
from relucert.proof.check import Accepted, check_proof
from relucert.proof.records import (
    BoundRecord,
    CloseRecord,
    InputSplitRecord,
    parse_dyadic,
    parse_record,
)
from relucert.proof.stream import ProofReader
from relucert.proof.subject import Subject
from relucert.prover.text import format_dyadic, text_of
from relucert.prover.writer import ProofWriter
from relucert.query import Box, Case, Polyhedron, Query

SUBJECT = Subject("network sha256:00", "query sha256:00")
NETWORK = Network.dense([np.eye(1), np.eye(1)], [np.zeros(1), np.zeros(1)])
BELOW = Polyhedron(((Fraction(1),),), (Fraction(-1),))
QUERY = Query((Case(Box((Fraction(0),), (Fraction(1),)), (BELOW,)),))


@pytest.mark.parametrize("depth", [5_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_a_deep_tree(tmp_path, depth):
    """Every split cuts a sliver off the top, so each lies below all before it."""
    path = tmp_path / "deep.rcp"
    with ProofWriter(path, SUBJECT) as writer:
        writer.start_case(0)
        writer.write(BoundRecord())
        value = 1.0
        for _ in range(depth):
            value = math.nextafter(value, 0.0)
            writer.write(InputSplitRecord(0, value))
        for _ in range(depth + 1):
            writer.write(CloseRecord(0, {0: 1.0}))
        writer.finish()
    assert check_proof(path, NETWORK, QUERY, SUBJECT) == Accepted(2 * depth + 3, depth)


def test_a_gzip_bomb_is_not_unpacked(tmp_path):
    path = tmp_path / "bomb.rcp"
    header = b"relucert-proof 3\nnetwork sha256:00\nquery sha256:00\nsemantics real\ncase 0\n"
    path.write_bytes(gzip.compress(header + b"b\n" * 5_000_000, compresslevel=9))
    assert path.stat().st_size < 200_000
    with pytest.raises(FileError, match="more than 50,000 bytes"):
        check_proof(path, NETWORK, QUERY, SUBJECT, max_bytes=50_000)
    one_line = tmp_path / "line.rcp"
    one_line.write_bytes(gzip.compress(header + b"b" * 20_000_000, compresslevel=9))
    tracemalloc.start()
    with pytest.raises(FileError, match="a line of more than"):
        check_proof(one_line, NETWORK, QUERY, SUBJECT)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60_000_000


@pytest.mark.parametrize(
    ("before", "line"),
    [("b\nx 0 0x1.0000000000000p-1\n", "b a0 :"), ("b\n", "n 1 0+\nv a0 :")],
)
def test_long_lines_are_not_gathered(tmp_path, before, line):
    """A few hundred records are read ahead, but not where their lines are long."""
    path = tmp_path / "long.rcp"
    header = "relucert-proof 3\nnetwork sha256:00\nquery sha256:00\nsemantics real\ncase 0\n"
    long = line + "0" * 2**20 + "\n"
    path.write_bytes(gzip.compress((header + before + long * 100).encode(), compresslevel=1))
    tracemalloc.start()
    try:
        found = check_proof(path, NETWORK, QUERY, SUBJECT)
    except FileError:
        found = None
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert not isinstance(found, Accepted)
    assert peak < 60_000_000


def test_many_trees_about_one_neuron_are_not_gathered(tmp_path, monkeypatch):
    """Applied a few at a time they show the same as applied at the end."""
    path = tmp_path / "trees.rcp"
    trees = "n 1 0+\nv\n" * 50
    text = "relucert-proof 3\nnetwork sha256:00\nquery sha256:00\nsemantics real\ncase 0\ni\n"
    path.write_bytes(gzip.compress(f"{text}{trees}c 0 w 0=1p0\nend 103\n".encode()))
    wanted = check_proof(path, NETWORK, QUERY, SUBJECT)
    assert wanted == Accepted(103, 0)
    monkeypatch.setattr("relucert.proof.trees._TREES_AT_ONCE", 3)
    assert check_proof(path, NETWORK, QUERY, SUBJECT) == wanted


@pytest.mark.parametrize("line", ["v a0 :", "v a0 :0", "v a0 :000", "v a0 :0g", "v a0 :81"])
def test_slopes_that_are_not_bytes(line):
    with pytest.raises(ValueError, match=r"slope|hexadecimal"):
        parse_record(line)


def test_a_writer_that_does_not_finish_leaves_nothing(tmp_path):
    with ProofWriter(tmp_path / "p.rcp", SUBJECT) as writer:
        writer.start_case(0)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(FileError):
        ProofWriter(tmp_path / "missing" / "p.rcp", SUBJECT)


def test_the_same_proof_gives_the_same_bytes(tmp_path):
    for name in ("a.rcp", "b.rcp"):
        with ProofWriter(tmp_path / name, SUBJECT) as writer:
            writer.start_case(0)
            writer.finish()
    assert (tmp_path / "a.rcp").read_bytes() == (tmp_path / "b.rcp").read_bytes()


@pytest.mark.parametrize("value", [0.0, 1.0, -1.0, 0.1, 5e-324, 1.7976931348623157e308, 2.0**900])
def test_dyadics_come_back(value):
    assert parse_dyadic(format_dyadic(value)) == value


@pytest.mark.parametrize(
    "line", ["b a0 3=0,7=256 a2 0=1", "c 1 w 0=1p0,3=5p-9 a1 2=3 s0 4=1p-3,5=7p2", "e", "r 3 12",
             "i", "n 2 7+", "n 1 0-", "d 1 w 0=1p0,2=1p-6", "v", "v a0 :007f80 a1 3=9 s0 1=1p0",
             "x 4 -0x1.8000000000000p-3", "x 0 0x0.0p+0", "case 3", "end 17"],
)  # fmt: skip
def test_records_come_back(line):
    assert text_of(parse_record(line)) == line


def test_a_header_about_made_queries_is_compared_line_by_line(tmp_path):
    subject = Subject.of_query(b"network", QUERY)
    other = Subject.of_query(
        b"network", Query((Case(Box((Fraction(0),), (Fraction(2),)), (BELOW,)),))
    )
    assert subject.query != other.query
    path = tmp_path / "p.rcp"
    with ProofWriter(path, subject) as writer:
        writer.finish()
    ProofReader(path).expect_subject(subject)
    for wrong in (other, Subject(subject.network, subject.query, other.query_lines)):
        with pytest.raises(FileError, match="another query"):
            ProofReader(path).expect_subject(wrong)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_named_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "proof.rcp"
    os.mkfifo(pipe)
    reader = ProofReader(pipe)
    with pytest.raises(FileError, match="not a regular file"):
        reader.expect_subject(Subject("network", "query"))
    assert _record_count(pipe, 2**20) is None
