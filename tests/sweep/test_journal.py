"""The journal: what was written counts, what was cut off or damaged does not."""

import errno
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relucert.errors import FileError
from relucert.sweep.journal import Journal, Row, read_journal

DIGEST = "0123456789abcdef"
WORDS = st.text(max_size=30)


def rows_of():
    numbers = {
        "seconds": st.floats(0, 1e6, allow_nan=False),
        "peak_bytes": st.integers(0, 2**50),
        "detail": WORDS,
    }
    plain = st.builds(Row, WORDS, st.sampled_from(["proved", "unknown"]), WORDS, **numbers)
    witness = st.lists(WORDS, min_size=1, max_size=4).map(tuple)
    violated = st.builds(Row, WORDS, st.just("violated"), WORDS, **numbers, witness=witness)
    return st.one_of(plain, violated)


def filled(path, rows, digest=DIGEST):
    journal = Journal(path, digest)
    for row in rows:
        journal.append([row])
    journal.close()
    return path.read_bytes()


ROWS = [
    Row("a", "proved", "bounds", 0.25, 100),
    Row("b", "violated", "", 0.5, 200, "", ("1/3", "0.25")),
    Row("c", "unknown", "time", 9.0, 300, "no\nanswer, \u2028 for 9 s"),
]


@given(rows_of())
def test_a_row_is_one_line_and_reads_back(row):
    line = row.line
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert Row.parsed(line[:-1]) == row


def test_rows_are_there_again(tmp_path):
    filled(tmp_path / "journal", ROWS)
    journal = Journal(tmp_path / "journal", DIGEST)
    assert list(journal.rows.values()) == ROWS
    assert journal.set_aside == []


def test_cut_at_every_byte_only_whole_rows_count(tmp_path):
    path = tmp_path / "journal"
    whole = filled(path, ROWS)
    ends = [index + 1 for index, byte in enumerate(whole) if byte == ord("\n")]
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        journal = Journal(path, DIGEST)
        count = max(0, sum(end <= cut for end in ends) - 1)
        assert list(journal.rows.values()) == ROWS[:count], cut
        assert len(journal.set_aside) == (cut not in ends and cut > ends[0])
        missing = ROWS[count:]
        journal.append(missing)
        journal.close()
        assert path.read_bytes() == whole, cut


@given(st.integers(0), st.integers(1, 255))
def test_a_damaged_byte_costs_its_row_alone(tmp_path_factory, place, change):
    path = tmp_path_factory.mktemp("damage") / "journal"
    whole = filled(path, ROWS)
    head = whole.index(b"\n") + 1
    place = head + place % (len(whole) - head)
    damaged = bytearray(whole)
    damaged[place] ^= change
    path.write_bytes(damaged)
    rows, aside = read_journal(path, DIGEST)
    # A damaged line end joins two lines, a new one cuts one in two.
    assert 1 <= len(aside) <= 2
    assert len(rows) >= len(ROWS) - 2
    assert all(row in ROWS for row in rows.values())
    journal = Journal(path, DIGEST)
    journal.close()
    assert read_journal(path, DIGEST) == (rows, [])
    assert path.with_name("journal.set_aside").read_text().count("line ") >= len(aside)


def test_the_first_of_two_rows_counts(tmp_path):
    again = Row("a", "unknown", "time", 1.0, 1)
    filled(tmp_path / "journal", [*ROWS, again])
    assert read_journal(tmp_path / "journal", DIGEST)[0]["a"] == ROWS[0]


def test_a_checksum_does_not_save_nonsense(tmp_path):
    for fields in (
        ("a", "maybe", "", 0.0, 0, "", ()), ("a", "violated", "", 0.0, 0, "", ()),
        ("a", "proved", "", 0.0, 0, "", ("1",)), ("a", "proved", "", 0, 0, "", ()),
    ):  # fmt: skip
        row = Row(*fields)
        with pytest.raises(ValueError, match=r"field|counterexample"):
            Row.parsed(row.line[:-1])


def test_a_journal_of_another_sweep_is_refused(tmp_path):
    path = tmp_path / "journal"
    filled(path, ROWS)
    with pytest.raises(FileError, match="of another sweep"):
        Journal(path, "ffffffffffffffff")
    path.write_text("anything else\n")
    with pytest.raises(FileError, match="not the journal"):
        Journal(path, DIGEST)


def test_a_full_disk_leaves_no_half_row(tmp_path, monkeypatch):
    path = tmp_path / "journal"
    before = filled(path, ROWS[:1])
    journal = Journal(path, DIGEST)
    real = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: real(handle, data[: len(data) // 2]))
    with pytest.raises(FileError, match="disk full"):
        journal.append(ROWS[1:])
    assert path.read_bytes() == before
    assert list(journal.rows) == ["a"]

    def refuse(handle, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", refuse)
    with pytest.raises(FileError, match="No space left"):
        journal.append(ROWS[1:])
